// What every lane of the gates has, curves or strip: its names, the cursor, the marks of what is
// pointed at elsewhere, and the words for the value under the mouse.
#include "ui/gate_lane.hpp"
#include "ui/ghost.hpp"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "ui/clamp_handles.hpp"
#include "ui/gate_layout.hpp"
#include "ui/number.hpp"

namespace xlab::ui {

void draw_lane_labels(const GateFrame& frame, Painter& painter, const Lane& lane, const Box& gutter,
                      const Box& box) {
  const float room = frame.layout.label_room();
  if (room <= 0.0f) return;
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  const float rows = static_cast<float>(lane.curves.size());
  float y = box.centre().y - line * rows / 2;
  for (const LaneCurve& curve : lane.curves) {
    Box row{{gutter.min.x, y}, {gutter.min.x + room - painter.px(2), y + line}};
    y += line;
    if (lane.kind == LaneKind::curves && box.height() > line * rows * 0.9f) {
      const Box sample = row.cut_left(painter.px(16));
      const GateStyle style = gate_style(palette, curve.gate);
      const Stroke stroke =
          curve.secondary
              ? Stroke{palette.muted_text, painter.line_width() * 0.8f, Dash::dotted, false}
              : Stroke{style.colour, painter.line_width() * style.width * 1.4f, style.dash, false};
      painter.line({sample.min.x, sample.centre().y},
                   {sample.max.x - painter.px(2), sample.centre().y}, stroke);
      row.cut_left(painter.px(2));
    }
    std::string label = curve.label;
    if (lane.per_unit && lane.kind == LaneKind::curves && !curve.secondary &&
        lane.curves.size() == 1) {
      const std::string with_unit = fmt::format("{}[{}]", label, frame.unit.wanted());
      if (painter.measure(with_unit).x <= row.width()) label = with_unit;
    }
    painter.text_in(row, palette.text, label);
  }
}

void draw_lane_cursor(const GateFrame& frame, Painter& painter, const Box& box) {
  const int cursor = frame.scene.snapshot.sequence.cursor;
  if (!frame.window.shows(cursor)) return;
  const float x = frame.window.x(cursor);
  painter.line({x, box.min.y}, {x, box.max.y},
               {with_alpha(painter.palette().cursor, 0.8f), painter.line_width()});
}

void mark_focus(const GateFrame& frame, Painter& painter, const std::string& path, int head,
                const std::function<ImVec2(const ValueRef&)>& place) {
  const auto fits = [&](const std::optional<ValueRef>& ref) {
    return ref && ref->path == path && frame.window.shows(ref->step) &&
           (head < 0 || ref->head == head);
  };
  const Palette& palette = painter.palette();
  const Focus& focus = frame.scene.focus;
  if (fits(focus.hovered)) {
    const ImVec2 at = place(*focus.hovered);
    if (std::isfinite(at.y)) {
      painter.ring(at, painter.px(6), palette.accent, painter.px(2));
    }
  }
  if (fits(focus.pinned)) {
    const ImVec2 at = place(*focus.pinned);
    const float r = painter.px(5);
    if (std::isfinite(at.y)) {
      const ImVec2 corners[] = {
          {at.x, at.y - r}, {at.x + r, at.y}, {at.x, at.y + r}, {at.x - r, at.y}, {at.x, at.y - r}};
      painter.curve(corners, {palette.accent, painter.px(1.5f)});
    }
  }
}

void describe_value(GateFrame& frame, const ValueRef& ref, bool clampable) {
  const Snapshot& snapshot = frame.scene.snapshot;
  const float* number = number_at(&frame.trace, ref);
  if (!number) return;
  HoverCard& said = frame.under.card;
  const double value = *number;
  const ValueCard* card = frame.block.value_at(ref.path);
  said.add(fmt::format("{} = {}", card ? card->symbol : value_name(ref.path), short_number(value)),
           true);
  if (card) said.add(card->title);
  if (card && !card->logarithm_of.empty())
    said.add(fmt::format("{} {}", card->logarithm_of, log_number(value)));
  const auto& tokens = snapshot.sequence.tokens;
  std::string where = fmt::format("t = {}, head {}", ref.step, ref.head);
  if (frame.trace.find(ref.step, ref.path)->dim > 1) where += fmt::format(", unit {}", ref.unit);
  if (ref.step < static_cast<int>(tokens.size())) {
    where +=
        ", token " + token_label(snapshot.model.get(), tokens[static_cast<std::size_t>(ref.step)]);
  }
  said.add(where);
  if (const float* other = number_at(ghost_trace(frame.scene).get(), ref))
    said.add(ghost_curve_words(frame.scene) + ": " + short_number(*other));
  frame.clamps.describe(said, clampable);
}

}  // namespace xlab::ui
