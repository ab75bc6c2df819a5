// The two pictures of a gradient's reach over time.
#include "ui/reach_lanes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "core/analysis/reach_curves.hpp"
#include "ui/ground.hpp"
#include "ui/number.hpp"
#include "ui/plot.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

/// The visible part of a line. What is exactly 0 has no place on a scale of powers and ends a
/// piece.
struct LinePiece {
  std::vector<float> xs, ys;
};
std::vector<LinePiece> pieces(const TimeWindow& window, const ReachLine& line) {
  std::vector<LinePiece> found(1);
  const int end = std::min(window.first() + window.count(), static_cast<int>(line.size()));
  for (int t = window.first(); t < end; ++t) {
    const float y = line[static_cast<std::size_t>(t)];
    if (std::isinf(y) && y < 0.0f) {
      if (!found.back().xs.empty()) found.emplace_back();
      continue;
    }
    found.back().xs.push_back(window.x(t));
    found.back().ys.push_back(y);
  }
  return found;
}

void draw_line(const ReachFrame& frame, Painter& painter, const Box& box, const ReachLine& line,
               const Stroke& stroke) {
  for (const LinePiece& piece : pieces(frame.window, line)) {
    if (piece.xs.empty()) continue;
    draw_curve(painter, box, frame.shown.axis(), piece.xs, piece.ys, stroke);
    // A single step is no line.
    if (piece.xs.size() == 1 && std::isfinite(piece.ys.front()))
      painter.disc({piece.xs.front(), frame.shown.axis().y(piece.ys.front(), box)},
                   std::max(stroke.width, painter.px(2)), stroke.colour);
  }
}

/// Upright lines at the cursor, at T where that is elsewhere, and at what is pointed at.
void mark_steps(const ReachFrame& frame, Painter& painter, const Box& box) {
  const Palette& palette = painter.palette();
  const auto upright = [&](int step, const Stroke& stroke) {
    if (!frame.window.shows(step)) return;
    const float x = frame.window.x(step);
    painter.line({x, box.min.y}, {x, box.max.y}, stroke);
  };
  const int cursor = frame.scene.snapshot.sequence.cursor, T = frame.report().step;
  upright(cursor, {with_alpha(palette.cursor, 0.8f), painter.line_width()});
  if (T != cursor) upright(T, {palette.text, painter.line_width(), Dash::dotted});
  upright(frame.pointed, {with_alpha(palette.muted_text, 0.6f), 1.0f});
}

/// Numbers left of a lane, where it is high enough for two of them.
float margin_of(const ReachFrame& frame, const Painter& painter, const Box& box) {
  return box.height() > 2 * painter.line_height() ? frame.gutter : 0.0f;
}

/// "T" at the upper end of its line, on the side that has room.
void name_end(const ReachFrame& frame, Painter& painter, const Box& box) {
  const int T = frame.report().step;
  if (!frame.window.shows(T) || box.height() < 2 * painter.line_height()) return;
  const float x = frame.window.x(T), width = painter.measure("T", Weight::bold).x;
  const float gap = painter.px(4);
  const bool right = x + 2 * gap + width <= box.max.x;
  const float left = right ? x + gap : x - gap - width;
  const Box name{{left, box.min.y + 1.0f},
                 {left + width + 1.0f, box.min.y + 1.0f + painter.line_height()}};
  painter.fill(name, painter.palette().panel);
  painter.text_in(name, painter.palette().text, "T", Align::left, Weight::bold);
}

/// What the mouse does in a lane: points at a step of the report, and drags the cursor.
int pointed_step(ReachFrame& frame, const char* id, const Box& box) {
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

/// "0.0078", also where that is too small for a number; "0", "no number".
std::string size_words(double log_size) {
  if (std::isnan(log_size) || (std::isinf(log_size) && log_size > 0.0)) return "no number";
  if (std::isinf(log_size)) return "exactly 0";
  const double power = log_size / std::log(10.0);
  return std::abs(power) < 300.0 ? short_number(std::exp(log_size))
                                 : fmt::format("10^{}", short_number(power));
}

/// "0.0078 of that at T".
std::string relative_words(double power) {
  if (std::isnan(power)) return "no number";
  return size_words(power * std::log(10.0)) + " of that at T";
}

std::string step_words(const ReachFrame& frame, int t) {
  const std::vector<int>& tokens = frame.report().tokens;
  std::string words = fmt::format("t = {}", t);
  if (t >= 0 && t < static_cast<int>(tokens.size()))
    words += ", token " +
             token_label(frame.scene.snapshot.model.get(), tokens[static_cast<std::size_t>(t)]);
  return words;
}

void describe_after(ReachFrame& frame, int t) {
  frame.card.add(step_words(frame, t), true);
  frame.card.add("After T nothing has a part in the loss at T.");
}

void describe_memory(ReachFrame& frame, int t) {
  const ReachReport& report = frame.report();
  const int head = frame.head();
  if (t > report.step) return describe_after(frame, t);
  const double memory = reach_relative(report, report.memory, head, t),
               alone = reach_relative(report, report.alone, head, t);
  frame.card.add(fmt::format("{}, head {}", step_words(frame, t), head), true);
  frame.card.add(fmt::format("d loss / d ({}): {}", report.state, relative_words(memory)));
  frame.card.add(fmt::format("its size: {}, in the units of step T",
                             size_words(reach_size(report, report.memory, head, t))));
  frame.card.add(fmt::format("{}: {}", frame.alone_words(), size_words(alone * std::log(10.0))));
  if (std::isfinite(memory - alone))
    frame.card.add(std::abs(memory - alone) < 1e-6
                       ? "there is no other way than the memory itself"
                       : fmt::format("with all other ways {} times that",
                                     short_number(std::pow(10.0, memory - alone))));
  frame.card.add(
      fmt::format("d loss / d h_t: {}", size_words(reach_size(report, report.output, head, t))));
  frame.card.add("drag: move the cursor");
  if (frame.block.has_matrix)
    frame.hovered = ValueRef{frame.block.path("forget_gate_pre"), t, head, 0};
}

void describe_input(ReachFrame& frame, int t) {
  const ReachReport& report = frame.report();
  if (t > report.step) return describe_after(frame, t);
  const auto at = static_cast<std::size_t>(t);
  const double size =
      at < report.input.size() ? report.input[at] : std::numeric_limits<double>::quiet_NaN();
  frame.card.add(step_words(frame, t), true);
  frame.card.add(fmt::format("|d h_T / d x_t| = {}, head {}", size_words(size), report.head));
  if (std::isfinite(size))
    frame.card.add(fmt::format("log₁₀ {}", short_number(size / std::log(10.0))));
  frame.card.add("x is what the block reads, before its norm; drag: move the cursor");
}

struct Key {
  std::string word;
  Stroke stroke;
};

/// Line samples with their words, as many as there is room for.
void draw_keys(Painter& painter, Box row, const std::vector<Key>& keys) {
  for (const Key& key : keys) {
    const float width = painter.measure(key.word).x + painter.px(46);
    if (width - painter.px(12) > row.width()) return;
    Box box = row.cut_left(std::min(width, row.width()));
    const Box sample = box.cut_left(painter.px(28));
    painter.line({sample.min.x, sample.centre().y}, {sample.max.x, sample.centre().y}, key.stroke);
    box.cut_left(painter.px(5));
    painter.text_in(box, painter.palette().muted_text, key.word);
  }
}

void draw_bar(const ReachFrame& frame, Painter& painter, const Box& box, int t, ImU32 colour) {
  const float y = frame.shown.input()[static_cast<std::size_t>(t)];
  Box bar = frame.window.column(t);
  const float gap = frame.window.column_width() > painter.px(5) ? painter.px(1) : 0.0f;
  bar.min.x += gap;
  bar.max.x -= gap;
  bar.max.y = box.max.y;
  if (std::isnan(y) || (std::isinf(y) && y > 0.0f)) {
    bar.min.y = box.min.y;
    painter.fill(bar, kNotANumber);
    painter.hatch(bar, IM_COL32_BLACK);
    return;
  }
  if (std::isinf(y)) return;
  bar.min.y = std::clamp(frame.shown.input_axis().y(y, box), box.min.y, box.max.y);
  if (bar.max.y - bar.min.y < 1.0f) return;
  painter.fill(bar, colour);
}

}  // namespace

ReachStyles reach_styles(const Painter& painter) {
  const Palette& palette = painter.palette();
  const ImU32 c = gate_style(palette, 'c').colour;
  const float width = painter.line_width(),
              faint = palette.name == PaletteName::dark ? 0.7f : 0.45f;
  return {.memory = {c, width * 1.8f, Dash::solid, false},
          .others = {with_alpha(c, faint), width * 0.7f, Dash::solid, false},
          .alone = {palette.text, width * 1.2f, Dash::dashed, false},
          .output = {palette.muted_text, width, Dash::dotted, false},
          .bar = mix(palette.panel, c, palette.name == PaletteName::dark ? 0.8f : 0.65f)};
}

float reach_title_height(const Painter& painter, bool with_keys) {
  return (painter.line_height() + painter.px(3)) * (with_keys ? 2.0f : 1.0f);
}

void draw_reach_title(ReachFrame& frame, Painter& painter, Box box) {
  const ReachReport& report = frame.report();
  const float line = painter.line_height() + painter.px(3);
  const Box row = box.cut_top(line);
  const std::string what = fmt::format("|d loss / d ({})|", report.state);
  const std::string titles[] = {
      fmt::format("{} over t, relative to t = T: log₁₀, states in units of step T", what),
      fmt::format("{} relative to t = T, log₁₀", what), fmt::format("{}, log₁₀", what), what};
  painter.text_in(row, painter.palette().text, painter.fit_first(titles, row.width(), Weight::bold),
                  Align::left, Weight::bold);
  frame.card.explain(
      row, {{titles[0], true},
            {fmt::format("How much the loss at T would change with what the memory holds after "
                         "step t: the length of the gradient of all its numbers ({}), over that "
                         "at T.",
                         report.state)},
            {"Stored numbers are divided by exp(m), another scale at every step. Here all are "
             "measured in the scale of step T, so that from one step to the next the memory "
             "multiplies by its forget gate and by nothing else."}});
  if (box.height() < painter.line_height()) return;
  const ReachStyles look = reach_styles(painter);
  std::vector<Key> keys = {{fmt::format("head {}", frame.head()), look.memory},
                           {frame.alone_words(), look.alone}};
  if (frame.shown.output_reaches()) keys.push_back({"d loss / d h_t", look.output});
  if (report.heads > 1) keys.push_back({"other heads", look.others});
  const Box key_row = box.cut_top(line);
  draw_keys(painter, key_row, keys);
  frame.card.explain(
      key_row,
      {{"Solid: the whole gradient, by the backward pass."},
       {frame.block.has_matrix
            ? "Dashed: f of t + 1 times … times f of T, what the memory alone would let through."
            : "Dashed: the gradient at T times the forget gates of t + 1 to T, unit by unit: what "
              "the memory alone would let through."},
       {frame.block.has_matrix
            ? "Dotted: what the output h_t has to do with the loss, by later blocks that "
              "remember it."
            : "Dotted: what the output h_t has to do with the loss, by the recurrent weights R and "
              "by later blocks."}});
}

void draw_reach_memory(ReachFrame& frame, Painter& painter, const Box& box) {
  if (box.empty()) return;
  const ReachStyles look = reach_styles(painter);
  draw_axis(painter, box, frame.shown.axis(), margin_of(frame, painter, box));
  painter.outline(box, painter.palette().grid);
  mark_steps(frame, painter, box);
  const auto& memory = frame.shown.memory();
  for (std::size_t h = 0; h < memory.size(); ++h)
    if (static_cast<int>(h) != frame.head()) draw_line(frame, painter, box, memory[h], look.others);
  if (frame.shown.output_reaches())
    draw_line(frame, painter, box, frame.shown.output(), look.output);
  if (frame.head() < static_cast<int>(memory.size()))
    draw_line(frame, painter, box, memory[static_cast<std::size_t>(frame.head())], look.memory);
  // On top, so that both are seen where they lie on each other.
  draw_line(frame, painter, box, frame.shown.alone(), look.alone);
  name_end(frame, painter, box);
  if (const int t = pointed_step(frame, "memory", box); t >= 0) describe_memory(frame, t);
}

void draw_input_title(ReachFrame& frame, Painter& painter, const Box& row) {
  const ReachReport& report = frame.report();
  const std::string outputs =
      report.outputs == report.all_outputs
          ? fmt::format("all {} numbers of h", report.all_outputs)
          : fmt::format("the first {} of {} numbers of h", report.outputs, report.all_outputs);
  const std::string titles[] = {
      fmt::format("|d h_T / d x_t| of head {}: Frobenius norm, log₁₀, {}", report.head, outputs),
      fmt::format("|d h_T / d x_t| of head {}, log₁₀", report.head), "|d h_T / d x_t|, log₁₀",
      "|d h_T / d x_t|"};
  painter.text_in(row, painter.palette().text, painter.fit_first(titles, row.width(), Weight::bold),
                  Align::left, Weight::bold);
  frame.card.explain(
      row, {{titles[0], true},
            {"How much the output of the cell at T would change with what the block reads at t: "
             "the root of the sum of the squares of all derivatives."},
            {fmt::format("Of {}; x is taken before the block's norm.", outputs)}});
}

void draw_reach_input(ReachFrame& frame, Painter& painter, const Box& box) {
  if (box.empty()) return;
  const ReachStyles look = reach_styles(painter);
  draw_axis(painter, box, frame.shown.input_axis(), margin_of(frame, painter, box));
  painter.outline(box, painter.palette().grid);
  const int end = std::min(frame.window.first() + frame.window.count(),
                           static_cast<int>(frame.shown.input().size()));
  for (int t = frame.window.first(); t < end; ++t) draw_bar(frame, painter, box, t, look.bar);
  mark_steps(frame, painter, box);
  if (const int t = pointed_step(frame, "input", box); t >= 0) describe_input(frame, t);
}

}  // namespace xlab::ui
