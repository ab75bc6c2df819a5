// A lane of curves among the gates. The first curve of a lane of pre-activations can be dragged up
// or down, which holds it there.
#include "ui/gate_curves.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "ui/clamp_handles.hpp"
#include "ui/first_hint.hpp"
#include "ui/gate_lane.hpp"
#include "ui/gate_layout.hpp"
#include "ui/ground.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {
namespace {

constexpr float kReach = 8.0f;  ///< how near the mouse has to be to a curve to mean it

Stroke stroke_of(const Painter& painter, const Lane& lane, const DrawnCurve& curve, int focused) {
  const Palette& palette = painter.palette();
  const std::string value = value_name(curve.path);
  for (const LaneCurve& spec : lane.curves) {
    if (spec.value != value) continue;
    const GateStyle style = gate_style(palette, spec.gate);
    if (spec.secondary) {
      return {palette.muted_text, painter.line_width() * 0.8f, Dash::dotted, false};
    }
    const bool strong = curve.head == focused;
    // A style's width tells gates apart; strength tells heads apart.
    const float width = painter.line_width() * style.width * (strong ? 1.6f : 0.7f);
    const float faint = palette.name == PaletteName::dark ? 0.7f : 0.45f;
    return {with_alpha(style.colour, strong ? 1.0f : faint), width, style.dash, style.stepped};
  }
  return {palette.text, painter.line_width(), Dash::solid, false};
}

std::vector<float> places(const TimeWindow& window, const Series& series) {
  std::vector<float> xs;
  xs.reserve(series.steps.size());
  for (const int step : series.steps) xs.push_back(window.x(step));
  return xs;
}

/// Points of the focused head, where they can be told apart: there is something to take hold of.
void dots(const TimeWindow& window, Painter& painter, const std::vector<DrawnCurve>& curves,
          const Axis& axis, const Box& box) {
  if (window.column_width() < painter.px(9)) return;
  for (const DrawnCurve& curve : curves) {
    if (!curve.main) continue;
    for (std::size_t i = 0; i < curve.series.steps.size(); ++i) {
      const float value = curve.series.values[i];
      if (!std::isfinite(value)) continue;
      const ImVec2 at{window.x(curve.series.steps[i]), axis.y(value, box)};
      // A curve that leaves the lane has its points elsewhere.
      if (at.y < box.min.y || at.y > box.max.y) continue;
      painter.disc(at, painter.px(2.6f), painter.palette().text);
    }
  }
}

/// The curves themselves, from the faintest to the strongest.
void strokes(const GateFrame& frame, Painter& painter, const Lane& lane, const CurveLane& shown,
             const Axis& axis, const Box& box) {
  const Palette& palette = painter.palette();
  for (const Series& ghost : shown.ghosts) {
    const bool stepped = gate_style(palette, lane.curves.front().gate).stepped;
    draw_curve(painter, box, axis, places(frame.window, ghost), ghost.values,
               {with_alpha(palette.muted_text, 0.75f), painter.line_width(), Dash::solid, stepped});
  }
  bool any = false;
  // Faint ones first, so that the focused head is on top.
  for (const bool main : {false, true}) {
    for (const DrawnCurve& curve : shown.curves) {
      if (curve.main != main) continue;
      any |= !curve.series.values.empty();
      draw_curve(painter, box, axis, places(frame.window, curve.series), curve.series.values,
                 stroke_of(painter, lane, curve, frame.head()));
    }
  }
  if (!any) painter.text_in(box, palette.muted_text, "not recorded", Align::centre);
  if (lane.clampable) dots(frame.window, painter, shown.curves, axis, box);
}

/// The curve the mouse means at a step: the nearest within reach, else the main one.
const DrawnCurve* meant(const std::vector<DrawnCurve>& curves, int step, const Axis& axis,
                        const Box& box, float y, float reach) {
  const DrawnCurve* nearest = nullptr;
  for (const DrawnCurve& curve : curves) {
    if (curve.main && !nearest) nearest = &curve;
  }
  for (const DrawnCurve& curve : curves) {
    const float* value = value_at(curve.series, step);
    if (!value || !std::isfinite(*value)) continue;
    const float away = std::abs(axis.y(*value, box) - y);
    if (away < reach) {
      reach = away;
      nearest = &curve;
    }
  }
  return nearest;
}

/// What the mouse does with the curves: a drag holds, a click pins and puts a head in focus.
void interact(GateFrame& frame, Painter& painter, const Lane& lane,
              const std::vector<DrawnCurve>& curves, const Touch& mouse, const ClampLane& held) {
  if (!mouse.hovered && !mouse.held && !mouse.released) return;
  const Palette& palette = painter.palette();
  const Box& box = held.box;
  const ClampHandles::Drag* drag = mouse.held ? frame.clamps.dragged() : nullptr;
  const int step = drag ? drag->step : frame.window.step_at(mouse.mouse.x);
  const DrawnCurve* nearest =
      meant(curves, step, held.axis, box, mouse.mouse.y, painter.px(kReach));
  if (!nearest || (!value_at(nearest->series, step) && !drag)) return;
  ValueRef ref{nearest->path, step, nearest->head, held.unit};
  if (drag) {
    ref.path = drag->path;
    ref.head = drag->head;
  }
  if (mouse.pressed) {
    // Only the first curve of a lane is a pre-activation that can be held.
    frame.clamps.take(frame, held, ref, lane.clampable, mouse.mouse);
    frame.scene.focus.head = ref.head;
  }
  if (mouse.held && lane.clampable) frame.clamps.pull(frame, painter, mouse.mouse);
  if (mouse.released && frame.clamps.let_go()) frame.scene.focus.pinned = ref;

  frame.under.value = ref;
  const float x = frame.window.x(step);
  painter.line({x, box.min.y}, {x, box.max.y}, {with_alpha(palette.muted_text, 0.5f), 1.0f});
  if (const float* value = value_at(nearest->series, step); value && std::isfinite(*value)) {
    const float y = std::clamp(held.axis.y(*value, box), box.min.y, box.max.y);
    painter.ring({x, y}, painter.px(5.5f), palette.text, painter.px(2));
  }
  describe_value(frame, ref, lane.clampable);
}

/// Marks of what is pointed at elsewhere, for every curve of the lane.
void marks(const GateFrame& frame, Painter& painter, const Lane& lane, const Axis& axis,
           const Box& box) {
  for (const LaneCurve& curve : lane.curves) {
    mark_focus(frame, painter, frame.block.prefix + "/" + curve.value, -1,
               [&](const ValueRef& ref) {
                 const float* number = number_at(&frame.trace, ref);
                 const bool here = number && (!lane.per_unit || ref.unit == frame.shown_unit(lane));
                 const float y = here ? axis.y(*number, box) : NAN;
                 return ImVec2(frame.window.x(ref.step),
                               std::isfinite(y) ? std::clamp(y, box.min.y, box.max.y) : y);
               });
  }
}

}  // namespace

void draw_gate_curves(GateFrame& frame, Painter& painter, const Lane& lane, const Box& gutter,
                      const Box& box) {
  const CurveLane& shown = frame.lanes.curves(frame.block, lane, frame.place(lane));
  ClampLane held{frame.path(lane), frame.shown_unit(lane), frame.head(), shown.axis, box};
  if (const Axis* dragged = frame.clamps.axis_of(held.path)) held.axis = *dragged;

  draw_axis(painter, box, held.axis, frame.layout.number_room());
  painter.outline(box, painter.palette().grid);
  draw_lane_labels(frame, painter, lane, gutter, box);
  draw_lane_cursor(frame, painter, box);
  strokes(frame, painter, lane, shown, held.axis, box);

  ClampHandles::Offer offer;
  if (lane.clampable) offer = frame.clamps.offer(frame, painter, held);
  Touch mouse = touch("lane", box);
  if ((offer.under_mouse && !frame.clamps.dragged()) || frame.clamps.moving_an_end()) mouse = {};
  if (lane.clampable) frame.clamps.draw(frame, painter, held, offer);
  interact(frame, painter, lane, shown.curves, mouse, held);
  if (!mouse.hovered && !mouse.held) marks(frame, painter, lane, held.axis, box);
  if (lane.clampable && FirstHint::is_about(frame.scene, held.path)) {
    frame.hint.found(shown, held.axis, box);
  }
}

}  // namespace xlab::ui
