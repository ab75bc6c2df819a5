// What each token adds to what the memory answers at the cursor, as bars above and below zero.
#include "ui/budget_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "ui/ground.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

/// The tokens of the budget that the time window shows: [first, last].
std::pair<int, int> tokens_shown(const BudgetFrame& frame) {
  const WriteBudget& budget = *frame.shown.budget();
  return {std::max(budget.first, frame.window.first()),
          std::min(budget.last(), frame.window.first() + frame.window.count() - 1)};
}

double part(const BudgetFrame& frame, int token) {
  const WriteBudget& budget = *frame.shown.budget();
  return budget.parts[static_cast<std::size_t>(token - budget.first)];
}

/// From zero to the number; what is none is marked over the whole height.
void draw_bar(Painter& painter, const Box& box, const Axis& axis, float left, float right,
              double value, ImU32 colour) {
  if (!std::isfinite(value)) {
    const Box whole{{left, box.min.y}, {right, box.max.y}};
    painter.fill(whole, kNotANumber);
    painter.hatch(whole, IM_COL32_BLACK);
    return;
  }
  const float zero = axis.y(0.0, box), end = axis.y(value, box);
  painter.fill({{left, std::min(zero, end)}, {right, std::max(zero, end)}}, colour);
}

void describe(BudgetFrame& frame, int token) {
  const WriteBudget& budget = *frame.shown.budget();
  const auto i = static_cast<std::size_t>(token - budget.first);
  const std::string answer = frame.answer_symbol();
  frame.card.add(fmt::format("token {} {} adds {} to {}", token, frame.token(token),
                             short_number(budget.parts[i]), answer),
                 true);
  const std::string value = frame.symbol(frame.cell().value);
  if (frame.cell().matrix()) {
    frame.card.add(fmt::format("(q_{} · k_{}) · weight / N = {}, times {} = {}", budget.step, token,
                               short_number(budget.factors[i]),
                               frame.place.channel < 0
                                   ? fmt::format("the length of {}_{}", value, token)
                                   : fmt::format("{}_{}[{}]", value, token, frame.place.channel),
                               short_number(budget.values[i])));
    frame.card.add("Signed, not a probability: it may be negative, and larger than the sum.");
  } else {
    frame.card.add(fmt::format("{} {} times {} = {}", frame.cell().shares() ? "share" : "weight",
                               short_number(budget.factors[i]), value,
                               short_number(budget.values[i])));
  }
  frame.card.add("click: pin its " + frame.symbol(frame.cell().weight));
}

}  // namespace

Axis parts_axis(const BudgetFrame& frame) {
  double low = 0.0, high = 0.0;
  const auto [first, last] = tokens_shown(frame);
  for (int s = first; s <= last; ++s) {
    const double value = part(frame, s);
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return padded(low, high);
}

void draw_budget_parts(BudgetFrame& frame, Painter& painter, const Box& box) {
  const Palette& palette = painter.palette();
  const TimeWindow& window = frame.window;
  const Axis axis = parts_axis(frame);
  draw_axis(painter, box, axis, frame.gutter);
  const float zero = axis.y(0.0, box);
  painter.line({box.min.x, zero}, {box.max.x, zero}, {palette.muted_text, 1.0f});
  const auto [first, last] = tokens_shown(frame);
  const float width = window.column_width();
  for (int s = first; s <= last; ++s) {
    const Box column = window.column(s);
    const float gap = width > painter.px(6) ? std::min(width * 0.12f, painter.px(3)) : 0.0f;
    draw_bar(painter, box, axis, column.min.x + gap, std::max(column.max.x - gap, column.min.x + 1),
             part(frame, s), part_colour(s));
    if (s == frame.strong)
      painter.outline(
          {{column.min.x, box.min.y}, {std::max(column.max.x, column.min.x + 2), box.max.y}},
          palette.text, painter.px(1.5f));
  }
  painter.outline(box, palette.grid);
  const Touch mouse = touch("parts", box);
  if (!mouse.hovered && !mouse.held) return;
  const int token = window.step_at(mouse.mouse.x);
  if (token < first || token > last) {
    frame.card.add(token > last ? "This token comes after the cursor: it is not in the memory yet."
                                : "This token is not recorded.");
    return;
  }
  frame.pointed = token;
  frame.value = frame.weight_of(token);
  describe(frame, token);
  if (mouse.pressed) frame.scene.focus.pinned = frame.value;
}

}  // namespace xlab::ui
