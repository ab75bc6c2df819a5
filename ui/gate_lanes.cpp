// What the lanes of the gates show, prepared once and kept until something in it changes.
#include "ui/gate_lanes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xlab::ui {
namespace {

/// The smallest and the largest finite value seen.
struct Bounds {
  double low = std::numeric_limits<double>::infinity(), high = -low;

  void include(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void include(const std::vector<float>& values) {
    for (const float value : values) include(static_cast<double>(value));
  }
};

/// A few pre-activations of a gate that is held shut or torn open are not to press all others into
/// one line: the curve leaves the picture there. Nothing where the head in focus has more than a
/// few, or where there is none.
std::optional<Bounds> without_extremes(const CurveLane& lane) {
  constexpr double kFar = 30.0, kFew = 0.25;
  Bounds near;
  std::ptrdiff_t far = 0;
  const auto is_far = [](float value) { return std::abs(value) > kFar; };
  const auto look = [&](const std::vector<float>& values) {
    far += std::ranges::count_if(values, is_far);
    for (const float value : values)
      if (!is_far(value)) near.include(static_cast<double>(value));
  };
  for (const DrawnCurve& curve : lane.curves) {
    look(curve.series.values);
    const auto all = static_cast<double>(curve.series.values.size());
    const auto many = std::ranges::count_if(curve.series.values, is_far);
    if (curve.main && static_cast<double>(many) > kFew * all) return std::nullopt;
  }
  for (const Series& ghost : lane.ghosts) look(ghost.values);
  return far > 0 ? std::optional(near) : std::nullopt;
}

Axis axis_of(LaneRange range, const CurveLane& lane) {
  Bounds bounds;
  if (const auto near =
          range == LaneRange::pre_activation ? without_extremes(lane) : std::nullopt) {
    bounds = *near;
  } else {
    for (const DrawnCurve& curve : lane.curves) bounds.include(curve.series.values);
    for (const Series& ghost : lane.ghosts) bounds.include(ghost.values);
  }
  if (range == LaneRange::pre_activation) {
    bounds.include(-6.0);
    bounds.include(6.0);
  } else if (range == LaneRange::unit || range == LaneRange::signed_unit) {
    bounds.include(range == LaneRange::unit ? 0.0 : -1.0);
    bounds.include(1.0);
  } else if (range == LaneRange::around_zero) {
    bounds.include(0.0);
  }
  return padded(bounds.low, bounds.high);
}

}  // namespace

void GateLanes::use(const std::shared_ptr<const Trace>& trace,
                    const std::shared_ptr<const Trace>& ghost) {
  if (trace_ == trace && ghost_ == ghost) return;
  trace_ = trace;
  ghost_ = ghost;
  index_.use(trace_);
  ghost_index_.use(ghost_);
  // What the traces before held is let go; a lane is prepared anew when it is asked for.
  std::erase_if(curves_, [&](const auto& kept) { return kept.second.key.trace != trace_; });
  std::erase_if(strips_, [&](const auto& kept) { return kept.second.key.trace != trace_; });
}

GateLanes::Key GateLanes::key(const BlockCard& block, const LanePlace& place) const {
  return {.trace = trace_, .ghost = ghost_, .place = place, .heads = block.heads};
}

const CurveLane& GateLanes::curves(const BlockCard& block, const Lane& lane,
                                   const LanePlace& place) {
  const Key wanted = key(block, place);
  Kept<CurveLane>& kept = curves_[block.prefix + "/" + lane.curves.front().value];
  if (kept.key == wanted && !kept.lane.curves.empty()) return kept.lane;
  ++prepared_;
  kept.key = wanted;
  kept.lane = {};
  for (const LaneCurve& curve : lane.curves) {
    const std::string path = block.prefix + "/" + curve.value;
    for (int head = 0; head < block.heads; ++head) {
      if (head != place.head && (lane.per_unit || curve.secondary)) continue;
      kept.lane.curves.push_back(
          {path, head, &curve == &lane.curves.front() && head == place.head,
           series(index_.of(path), head, place.unit, place.first, place.count)});
    }
    if (ghost_ && !curve.secondary) {
      kept.lane.ghosts.push_back(
          series(ghost_index_.of(path), place.head, place.unit, place.first, place.count));
    }
  }
  kept.lane.axis = axis_of(lane.range, kept.lane);
  return kept.lane;
}

const StripLane& GateLanes::strip(const BlockCard& block, const Lane& lane, const LanePlace& place,
                                  const Palette& palette, ImVec2 size) {
  Key wanted = key(block, place);
  wanted.ghost = nullptr;  // a strip shows what is, not what would be
  wanted.place.unit = 0;
  wanted.palette = palette.name;
  wanted.width = static_cast<int>(size.x);
  wanted.height = static_cast<int>(size.y);
  const std::string path = block.prefix + "/" + lane.curves.front().value;
  Kept<StripLane>& kept = strips_[path];
  if (kept.key == wanted && kept.lane.scale) return kept.lane;
  ++prepared_;
  kept.key = wanted;
  StripLane& made = kept.lane;
  made.strip = xlab::ui::strip(index_.of(path), place.head, place.first, place.count);
  double low = 0.0, high = 1.0;
  std::string scope = "fixed range";
  if (lane.range == LaneRange::around_zero) {
    high = largest(made.strip.values);
    scope = "steps shown";
  } else if (lane.range == LaneRange::shown) {
    Bounds bounds;
    bounds.include(made.strip.values);
    low = bounds.low;
    high = bounds.high;
    scope = "steps shown";
  }
  made.scale.emplace(palette, lane.map, low, high);
  made.legend = {};
  made.legend.scope = fmt::format("head {}, {}", place.head, scope);
  made.legend.outside = outside(made.strip.values, *made.scale);
  made.heat = heat_pixels(made.strip.values, made.strip.units, made.strip.steps, wanted.height,
                          wanted.width, *made.scale);
  if (made.heat.reduced) made.legend.transform = "largest |x| of a pixel";
  return made;
}

}  // namespace xlab::ui
