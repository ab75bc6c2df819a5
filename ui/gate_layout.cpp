// Where the rows and lanes of the gates stand, and how much room names and numbers get left of
// them.
#include "ui/gate_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ui/clamp_handles.hpp"
#include "ui/gate_frame.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {
namespace {

constexpr float kCurveHeight = 44.0f, kStripHeight = 34.0f, kTallest = 120.0f;

/// What the numbers of a lane's axis need.
float margin_of(const GateFrame& frame, const Painter& painter, const Lane& lane, float height) {
  if (lane.kind == LaneKind::strip) {
    const int units = std::max(frame.block.key_dim, frame.block.value_dim);
    return painter.measure(fmt::format("0–{}", units - 1)).x + painter.px(7);
  }
  const Axis* held = frame.clamps.axis_of(frame.path(lane));
  return axis_margin(painter, height,
                     held ? *held : frame.lanes.curves(frame.block, lane, frame.place(lane)).axis);
}

/// What the names of the curves need; nothing where the view is too narrow for names.
float names_of(const Painter& painter, const std::vector<GateRow>& rows, float width) {
  float names = 0.0f;
  if (width <= painter.px(360)) return names;
  for (const GateRow& row : rows) {
    for (const Lane& lane : row.lanes) {
      for (const LaneCurve& curve : lane.curves) {
        const std::string unit = lane.per_unit && lane.kind == LaneKind::curves ? "[00]" : "";
        names = std::max(names, painter.measure(curve.label + unit).x + painter.px(24));
      }
    }
  }
  return names;
}

}  // namespace

void GateLayout::fold(const GateRow& row, bool away) {
  if (away) {
    folded_.insert(row.titles.back());
  } else {
    folded_.erase(row.titles.back());
  }
}

float GateLayout::title_height(const Painter& painter) {
  return painter.line_height() + painter.px(5);
}

float GateLayout::stack(const Painter& painter, const std::vector<GateRow>& rows, float extra) {
  int open = 0;
  for (const GateRow& row : rows) {
    if (!folded(row)) open += static_cast<int>(row.lanes.size());
  }
  const float share = open > 0 ? std::floor(extra / static_cast<float>(open)) : 0.0f;
  const float most = painter.px(kTallest);
  curve_height_ = std::min(painter.px(kCurveHeight) + share, most);
  strip_height_ = std::min(painter.px(kStripHeight) + share, most);
  float height = 0.0f;
  for (const GateRow& row : rows) {
    height += title_height(painter);
    if (folded(row)) continue;
    for (const Lane& lane : row.lanes) height += lane_height(lane) + painter.px(4);
    height += painter.px(4);
  }
  return height;
}

void GateLayout::arrange(const GateFrame& frame, const Painter& painter,
                         const std::vector<GateRow>& rows, const Box& whole, float narrowest,
                         TimeWindow& window) {
  labels_ = std::min(names_of(painter, rows, whole.width()), painter.px(110));
  const Snapshot& snapshot = frame.scene.snapshot;
  const std::string shown = fmt::format("{} {} {}", snapshot.run_id, frame.block.prefix,
                                        static_cast<double>(painter.px(1)));
  if (shown != arranged_) numbers_ = painter.px(36);
  arranged_ = shown;
  const float most = whole.width() * 0.3f;
  const TimeWindow before = window;
  for (int round = 0; round < 3; ++round) {
    gutter_ = labels_ + std::min(numbers_, most);
    Box plot = whole;
    plot.cut_left(gutter_);
    window = before;
    window.update(snapshot.trace->length(), snapshot.sequence.cursor, plot, narrowest,
                  painter.px(64));
    float needed = 0.0f;
    for (const GateRow& row : rows) {
      if (folded(row)) continue;
      for (const Lane& lane : row.lanes) {
        needed = std::max(needed, margin_of(frame, painter, lane, lane_height(lane)));
      }
    }
    if (needed <= numbers_) break;
    // In steps, so that one digit more does not move everything.
    numbers_ = std::ceil(needed / painter.px(6)) * painter.px(6);
  }
}

}  // namespace xlab::ui
