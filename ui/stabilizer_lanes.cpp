// The lanes of the stabilizer lab, one below the other over the same time steps.
#include "ui/stabilizer_lanes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ui/ground.hpp"
#include "ui/number.hpp"
#include "ui/plot.hpp"
#include "ui/stabilizer_cards.hpp"
#include "ui/stabilizer_keys.hpp"

namespace xlab::ui {
namespace {

constexpr float kLeastLane = 58.0f, kLeastExponents = 40.0f, kStripHeight = 13.0f, kLaneGap = 4.0f;

struct LabHeights {
  float title = 0.0f, lane = 0.0f, exponents = 0.0f, strip = 0.0f, gap = 0.0f;
  int strips = 1;

  float fixed() const {
    return 3.0f * title + static_cast<float>(strips) * strip + static_cast<float>(5 + strips) * gap;
  }
  float all() const { return fixed() + 2.0f * lane + exponents; }
};

LabHeights lab_heights(const Painter& painter, const StabilizerFrame& frame, float height) {
  LabHeights h{.title = painter.line_height() + painter.px(4),
               .lane = painter.px(kLeastLane),
               .exponents = painter.px(kLeastExponents),
               .strip = painter.px(kStripHeight),
               .gap = painter.px(kLaneGap),
               .strips = frame.matrix() ? 2 : 1};
  const float extra = std::max(0.0f, height - h.all());
  h.lane += std::floor(extra * 0.38f);
  h.exponents += std::floor(extra * 0.24f);
  return h;
}

/// A curve over the visible steps, and what its axis has to cover.
struct LabCurve {
  std::vector<float> xs, ys;
};

template <typename Number>
LabCurve lab_curve(const TimeWindow& window, int known, Number&& number) {
  LabCurve curve;
  for (int t = window.first(); t < std::min(window.first() + window.count(), known); ++t) {
    const std::optional<double> value = number(static_cast<std::size_t>(t));
    if (!value) continue;
    curve.xs.push_back(window.x(t));
    curve.ys.push_back(static_cast<float>(*value));
  }
  return curve;
}

struct Reached {
  double low = std::numeric_limits<double>::infinity(), high = -low;

  void take(const LabCurve& curve) {
    for (const float y : curve.ys) {
      if (!std::isfinite(y)) continue;
      low = std::min(low, static_cast<double>(y));
      high = std::max(high, static_cast<double>(y));
    }
  }
  Axis axis(double share) const { return low > high ? Axis{-1.0, 1.0} : padded(low, high, share); }
};

struct ScaleCurves {
  LabCurve input, decayed, m;
  Axis axis;
};
ScaleCurves scale_curves(const StabilizerFrame& frame) {
  const auto& steps = frame.shown.scale();
  const int known = static_cast<int>(steps.size());
  ScaleCurves curves{
      .input = lab_curve(frame.window, known,
                         [&](std::size_t t) { return std::optional(steps[t].input); }),
      .decayed = lab_curve(frame.window, known,
                           [&](std::size_t t) {
                             return steps[t].winner == ScaleWinner::first
                                        ? std::nullopt
                                        : std::optional(steps[t].decayed);
                           }),
      .m = lab_curve(frame.window, known, [&](std::size_t t) { return std::optional(steps[t].m); }),
      .axis = {}};
  Reached reached;
  for (const LabCurve* curve : {&curves.input, &curves.decayed, &curves.m}) reached.take(*curve);
  curves.axis = reached.axis(0.08);
  return curves;
}

struct ExponentCurves {
  LabCurve input, decayed;
  Axis axis;
};
ExponentCurves exponent_curves(const StabilizerFrame& frame) {
  const auto& steps = frame.shown.scale();
  const int known = static_cast<int>(steps.size());
  ExponentCurves curves{
      .input = lab_curve(frame.window, known,
                         [&](std::size_t t) { return std::optional(steps[t].input_exponent()); }),
      .decayed = lab_curve(frame.window, known,
                           [&](std::size_t t) {
                             return steps[t].winner == ScaleWinner::first
                                        ? std::nullopt
                                        : std::optional(steps[t].decayed_exponent());
                           }),
      .axis = {}};
  Reached reached{.low = -1.0, .high = 0.0};
  reached.take(curves.input);
  reached.take(curves.decayed);
  curves.axis = {reached.low * 1.08, std::max(0.0, reached.high) - reached.low * 0.08};
  return curves;
}

struct AnswerCurves {
  LabCurve stabilised, plain;
  Axis axis;
};
/// The axis follows the stabilised cell, and the plain one as far as four times that.
AnswerCurves answer_curves(const StabilizerFrame& frame) {
  const auto of = [&](const CellReplay& replay) {
    return lab_curve(frame.window, frame.shown.length(),
                     [&](std::size_t t) { return std::optional(replay.steps[t].h); });
  };
  AnswerCurves curves{of(frame.shown.stabilised()), of(frame.shown.plain()), {}};
  Reached reached;
  reached.take(curves.stabilised);
  const double far = 4.0 * std::max(std::abs(reached.low), std::abs(reached.high));
  LabCurve near;
  for (const float y : curves.plain.ys)
    if (std::abs(y) <= far || reached.low > reached.high) near.ys.push_back(y);
  reached.take(near);
  curves.axis = reached.axis(0.2);
  return curves;
}

void lab_cursor(const StabilizerFrame& frame, Painter& painter, const Box& box) {
  const Palette& palette = painter.palette();
  const auto upright = [&](int step, const Stroke& stroke) {
    if (!frame.window.shows(step)) return;
    const float x = frame.window.x(step);
    painter.line({x, box.min.y}, {x, box.max.y}, stroke);
  };
  upright(frame.cursor(), {with_alpha(palette.cursor, 0.8f), painter.line_width()});
  upright(frame.pointed, {with_alpha(palette.muted_text, 0.6f), 1.0f});
}

void lab_ground(const StabilizerFrame& frame, Painter& painter, const Box& box, const Axis& axis) {
  draw_axis(painter, box, axis, frame.gutter);
  painter.outline(box, painter.palette().grid);
  lab_cursor(frame, painter, box);
}

void stroke_of(Painter& painter, const Box& box, const Axis& axis, const LabCurve& curve,
               const Stroke& stroke) {
  draw_curve(painter, box, axis, curve.xs, curve.ys, stroke);
}

/// What the mouse does in a lane: points at a step, and drags the cursor.
int touched_step(StabilizerFrame& frame, const char* id, const Box& box) {
  const Touch mouse = touch(id, box);
  if (mouse.held) {
    frame.drag.to(frame.scene, frame.window.step_at(mouse.mouse.x));
  } else if (mouse.released) {
    frame.drag.let_go();
  }
  if (!mouse.hovered && !mouse.held) return -1;
  frame.next_pointed = frame.window.step_at(mouse.mouse.x);
  return frame.next_pointed;
}

/// Where the mouse is on an axis.
double mouse_value(const Axis& axis, const Box& box) {
  return axis.value(ImGui::GetIO().MousePos.y, box);
}

void draw_scale(StabilizerFrame& frame, Painter& painter, const Box& box) {
  const ScaleCurves curves = scale_curves(frame);
  const StabilizerStyles look = stabilizer_styles(painter);
  lab_ground(frame, painter, box, curves.axis);
  // The arguments above m: inside its broad line one sees which of them it is.
  stroke_of(painter, box, curves.axis, curves.m, look.m);
  stroke_of(painter, box, curves.axis, curves.decayed, look.decayed);
  stroke_of(painter, box, curves.axis, curves.input, look.input);
  if (const int step = touched_step(frame, "scale", box); step >= 0)
    describe_scale(frame, step, mouse_value(curves.axis, box));
}

/// A bar a step: as high as the strip where i wins, at its foot where the memory keeps the scale,
/// hollow where nothing was stored.
void draw_winners(StabilizerFrame& frame, Painter& painter, Box box) {
  const StabilizerStyles look = stabilizer_styles(painter);
  const auto& steps = frame.shown.scale();
  const int end =
      std::min(frame.window.first() + frame.window.count(), static_cast<int>(steps.size()));
  const float gap = frame.window.column_width() > painter.px(5) ? 1.0f : 0.0f;
  for (int t = frame.window.first(); t < end;) {
    const ScaleWinner winner = steps[static_cast<std::size_t>(t)].winner;
    int last = t;
    // Where columns are too narrow to be told apart, equal ones are one.
    while (gap == 0.0f && last + 1 < end &&
           steps[static_cast<std::size_t>(last + 1)].winner == winner)
      ++last;
    const Box bar{{frame.window.column(t).min.x + gap, box.min.y + 1.0f},
                  {frame.window.column(last).max.x - gap, box.max.y - 1.0f}};
    draw_winner(painter, bar, winner, look);
    t = last + 1;
  }
  lab_cursor(frame, painter, box);
  if (const int step = touched_step(frame, "winners", box); step >= 0) describe_winner(frame, step);
}

void draw_exponents(StabilizerFrame& frame, Painter& painter, const Box& box) {
  const ExponentCurves curves = exponent_curves(frame);
  const StabilizerStyles look = stabilizer_styles(painter);
  lab_ground(frame, painter, box, curves.axis);
  stroke_of(painter, box, curves.axis, curves.decayed, look.decayed);
  stroke_of(painter, box, curves.axis, curves.input, look.input);
  if (const int step = touched_step(frame, "exponents", box); step >= 0)
    describe_exponents(frame, step, mouse_value(curves.axis, box));
}

/// Where the plain cell is off, and why, behind the curves.
void draw_zones(const StabilizerFrame& frame, Painter& painter, const Box& box) {
  const StabilizerStyles look = stabilizer_styles(painter);
  const int first = frame.window.first(), end = first + frame.window.count();
  for (const auto& [agreement, range] : frame.shown.zones()) {
    if (range.end <= first || range.begin >= end) continue;
    const Box zone{{frame.window.column(std::max(range.begin, first)).min.x, box.min.y},
                   {frame.window.column(std::min(range.end, end) - 1).max.x, box.max.y}};
    draw_zone(painter, zone, agreement, look);
  }
}

/// Words on a ground of their own, above lines and curves; the first that fits, or none.
void label_on(Painter& painter, const Box& room, const std::vector<std::string>& texts, Align align,
              Weight weight) {
  for (const std::string& text : texts) {
    const float width = painter.measure(text, weight).x;
    if (text.empty() || width > room.width() || room.height() < painter.line_height() * 0.9f)
      continue;
    const float left = align == Align::right ? room.max.x - width : room.min.x;
    const Box place{{left, room.min.y}, {left + width, room.min.y + painter.line_height()}};
    painter.fill(
        {{place.min.x - painter.px(3), place.min.y}, {place.max.x + painter.px(3), place.max.y}},
        painter.palette().panel, painter.px(2));
    painter.text_in({place.min, {place.max.x + 1.0f, place.max.y}}, painter.palette().text, text,
                    Align::left, weight);
    return;
  }
}

/// What the zones are, above everything in the lane.
void name_zones(const StabilizerFrame& frame, Painter& painter, const Box& box) {
  const int first = frame.window.first(), end = first + frame.window.count();
  for (const auto& [agreement, range] : frame.shown.zones()) {
    if (range.end <= first || range.begin >= end) continue;
    // In a low lane what was bad first says enough of the steps that follow it.
    if (agreement == Agreement::bad && box.height() < 6.0f * painter.line_height()) continue;
    Box room{{frame.window.column(std::max(range.begin, first)).min.x, box.min.y},
             {frame.window.column(std::min(range.end, end) - 1).max.x, box.max.y}};
    room = room.inset(painter.px(6), painter.px(6));
    label_on(painter, room.cut_top(painter.line_height()),
             zone_words(agreement, frame.choice.format), Align::left, Weight::regular);
  }
}

/// The first number that is none: a line, and what it was.
void draw_first_bad(const StabilizerFrame& frame, Painter& painter, const Box& box) {
  const auto& bad = frame.shown.plain().bad;
  if (!bad || !frame.window.shows(bad->step)) return;
  const float x = frame.window.x(bad->step);
  painter.line({x, box.min.y}, {x, box.max.y}, {kNotANumber, 2.0f * painter.line_width()});
  const float gap = painter.px(7), line = painter.line_height();
  const Box right{{x + gap, box.max.y - line - painter.px(3)}, {box.max.x - gap, box.max.y}};
  const Box left{{box.min.x + gap, right.min.y}, {x - gap, box.max.y}};
  const std::vector<std::string> texts = bad_words(frame, *bad);
  const bool on_right = right.width() >= left.width();
  label_on(painter, on_right ? right : left, texts, on_right ? Align::left : Align::right,
           Weight::bold);
}

/// Arrow tips at the edge where the plain answer is beyond the axis.
void draw_beyond(Painter& painter, const Box& box, const AnswerCurves& curves, ImU32 colour) {
  const float r = painter.px(3.5f);
  for (std::size_t i = 0; i < curves.plain.ys.size(); ++i) {
    const float y = curves.plain.ys[i], x = curves.plain.xs[i];
    if (!std::isfinite(y)) continue;
    if (static_cast<double>(y) > curves.axis.high) {
      painter.polygon(std::array{ImVec2{x, box.min.y}, ImVec2{x + r, box.min.y + 2 * r},
                                 ImVec2{x - r, box.min.y + 2 * r}},
                      colour);
    } else if (static_cast<double>(y) < curves.axis.low) {
      painter.polygon(std::array{ImVec2{x - r, box.max.y - 2 * r}, ImVec2{x + r, box.max.y - 2 * r},
                                 ImVec2{x, box.max.y}},
                      colour);
    }
  }
}

void draw_answers(StabilizerFrame& frame, Painter& painter, const Box& box) {
  const AnswerCurves curves = answer_curves(frame);
  const StabilizerStyles look = stabilizer_styles(painter);
  draw_axis(painter, box, curves.axis, frame.gutter);
  draw_zones(frame, painter, box);
  painter.outline(box, painter.palette().grid);
  lab_cursor(frame, painter, box);
  if (frame.shown.length() == 0)
    painter.text_in(box.inset(painter.px(6), 0), painter.palette().muted_text,
                    "not all is recorded that the cell computes from", Align::centre);
  stroke_of(painter, box, curves.axis, curves.stabilised, look.stabilised);
  stroke_of(painter, box, curves.axis, curves.plain, look.plain);
  draw_beyond(painter, box, curves, look.plain.colour);
  draw_first_bad(frame, painter, box);
  name_zones(frame, painter, box);
  if (const int step = touched_step(frame, "answers", box); step >= 0)
    describe_answers(frame, step);
}

/// A bar at the steps whose read-out is divided by the floor.
void draw_floors(StabilizerFrame& frame, Painter& painter, const Box& box) {
  const StabilizerStyles look = stabilizer_styles(painter);
  const auto& floors = frame.shown.floors();
  const int end =
      std::min(frame.window.first() + frame.window.count(), static_cast<int>(floors.size()));
  painter.line({box.min.x, box.max.y - 1.0f}, {box.max.x, box.max.y - 1.0f},
               {painter.palette().grid, 1.0f});
  const float gap = frame.window.column_width() > painter.px(5) ? 1.0f : 0.0f;
  for (int t = frame.window.first(); t < end; ++t) {
    const auto& use = floors[static_cast<std::size_t>(t)];
    if (!use || !use->uses) continue;
    const Box column = frame.window.column(t);
    painter.fill({{column.min.x + gap, box.min.y + 2.0f}, {column.max.x - gap, box.max.y - 1.0f}},
                 look.floor);
  }
  lab_cursor(frame, painter, box);
  if (const int step = touched_step(frame, "floors", box); step >= 0) describe_floor(frame, step);
}

/// The name of a strip, in the room that the lanes have for their numbers.
void strip_name(const StabilizerFrame& frame, Painter& painter, const Box& box,
                const char* const name) {
  Box gutter{{box.min.x - frame.gutter, box.centre().y - painter.line_height() / 2},
             {box.min.x - painter.px(5), box.centre().y + painter.line_height() / 2}};
  const std::string texts[] = {name};
  painter.first_in(gutter, painter.palette().muted_text, texts, Align::right);
}

}  // namespace

float stabilizer_lanes_height(const Painter& painter, const StabilizerFrame& frame) {
  return lab_heights(painter, frame, 0.0f).all();
}

float stabilizer_gutter(const Painter& painter, const StabilizerFrame& frame, float height) {
  const LabHeights h = lab_heights(painter, frame, height);
  float widest = painter.measure("winner").x + painter.px(6);
  widest = std::max(widest, axis_margin(painter, h.lane, scale_curves(frame).axis));
  widest = std::max(widest, axis_margin(painter, h.exponents, exponent_curves(frame).axis));
  return std::max(widest, axis_margin(painter, h.lane, answer_curves(frame).axis));
}

void draw_stabilizer_lanes(StabilizerFrame& frame, Painter& painter, Box box) {
  const LabHeights h = lab_heights(painter, frame, box.height());
  const float right = box.min.x + frame.gutter +
                      frame.window.column_width() * static_cast<float>(frame.window.count());
  const auto lane = [&](float height) {
    Box cut = box.cut_top(height);
    box.cut_top(h.gap);
    cut.cut_left(frame.gutter);
    cut.max.x = std::min(cut.max.x, right);
    return cut;
  };
  draw_scale_keys(frame, painter, box.cut_top(h.title));
  draw_scale(frame, painter, lane(h.lane));
  Box strip = lane(h.strip);
  strip_name(frame, painter, strip, "winner");
  draw_winners(frame, painter, strip);
  draw_exponent_keys(frame, painter, box.cut_top(h.title));
  draw_exponents(frame, painter, lane(h.exponents));
  draw_answer_keys(frame, painter, box.cut_top(h.title));
  draw_answers(frame, painter, lane(h.lane));
  if (!frame.matrix()) return;
  strip = lane(h.strip);
  strip_name(frame, painter, strip, "floor");
  draw_floors(frame, painter, strip);
}

}  // namespace xlab::ui
