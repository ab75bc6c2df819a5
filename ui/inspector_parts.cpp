// Rows of numbers, of inputs and of symbols, and buttons.
#include "ui/inspector_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "core/equations/glossary.hpp"
#include "ui/equation.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/hint.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

/// What is done to the value by hand at its place, from the last number it is set to on.
std::vector<const Clamp*> clamps_at(const Snapshot& snapshot, const ValueRef& ref) {
  std::vector<const Clamp*> acting;
  for (const Clamp& clamp : snapshot.sequence.clamps) {
    if (clamp.path != ref.path || !clamp.is_on(ref.head, ref.unit) || !clamp.acts_at(ref.step))
      continue;
    if (clamp.change == Change::set) acting.clear();
    acting.push_back(&clamp);
  }
  return acting;
}

/// How what the equation gives compares with what is recorded; false where that is a warning.
std::pair<std::string, bool> verdict_of(const InspectorFrame& frame, bool held) {
  const Inspected& inspected = frame.inspected;
  const double evaluated = inspected.live.evaluated;
  const double off = std::abs(evaluated - static_cast<double>(*inspected.value));
  if (off <= 1e-4 * std::max(1.0, std::abs(evaluated))) return {"✓ agrees", true};
  if (held) return {"where it is not held", true};
  // In a format of choice the cell rounds what is evaluated here in double.
  const NumberFormat format =
      inspected.block ? inspected.block->variant.number_format : NumberFormat::native;
  if (format == NumberFormat::native) return {"✗ differs from the recorded one", false};
  return {fmt::format("before the cell's rounding to {}", name_of(format)), true};
}

/// A whole vector: as a strip, with the range of its own colours beside it.
void vector_row(InspectorFrame& frame, const EquationInput& input, Box box, int index,
                bool under_mouse) {
  Painter& painter = frame.painter;
  const Palette& palette = painter.palette();
  const std::vector<float> numbers(input.numbers.begin(), input.numbers.end());
  const double range = largest(numbers);
  const ColourScale scale(palette, MapName::signed_values, 0.0, range);
  const std::string text = painter.fit_number(scale.high(), box.width() / 2, "±");
  painter.text_in(box.cut_right(painter.measure(text).x + painter.px(6)), palette.muted_text, text,
                  Align::right);
  const Box strip = box.inset(0, painter.px(3));
  draw_heat(painter, frame.scene.images, fmt::format("inspector/{}", index), strip, numbers, 1,
            static_cast<int>(numbers.size()), scale);
  painter.outline(strip, palette.grid);
  if (!under_mouse) return;
  const std::string high = short_number(scale.high());
  const std::vector<CardLine> lines = {
      {input.title, true},
      {fmt::format("{} numbers, colours from −{} to {}", numbers.size(), high, high)}};
  hover_card(frame.scene, lines);
}

void number_row(InspectorFrame& frame, const EquationInput& input, const std::string& symbol,
                const ValueRef& ref, Box box, bool under_mouse) {
  Painter& painter = frame.painter;
  const Palette& palette = painter.palette();
  if (under_mouse) {
    const std::string number =
        input.numbers.empty() ? "" : " = " + short_number(input.numbers.front());
    const std::vector<CardLine> lines = {
        {symbol + number, true}, {input.title}, {place_of(frame.scene.snapshot, ref)}};
    hover_card(frame.scene, lines);
  }
  if (input.numbers.empty()) {
    const bool in_memory = input.replayed && frame.inspected.live.complete;
    painter.text_in(box, palette.muted_text, in_memory ? "see the matrix memory" : "not recorded");
    return;
  }
  const double number = input.numbers.front();
  const float width =
      std::max(painter.measure(short_number(number)).x, painter.px(64)) + painter.px(8);
  painter.number_in(box.cut_left(std::min(width, box.width())), palette.text, number);
  painter.text_in(box, palette.muted_text, input.title);
}

std::string shown_symbol(const EquationInput& input) {
  return input.symbol + (input.before ? "₋₁" : "");
}

}  // namespace

void draw_inspected_numbers(InspectorFrame& frame) {
  const Inspected& inspected = frame.inspected;
  const Palette& palette = frame.painter.palette();
  const ValueCard& card = *inspected.card;
  const float value = *inspected.value;
  const std::vector<const Clamp*> held = clamps_at(frame.scene.snapshot, frame.ref);
  frame.row(card.recorded ? "recorded" : "value", short_number(value), palette.text);
  if (!card.logarithm_of.empty())
    frame.row("as a " + card.logarithm_of, log_number(value), palette.text);
  if (inspected.live.complete && std::isfinite(inspected.live.evaluated)) {
    const auto [words, fine] = verdict_of(frame, !held.empty());
    frame.row("evaluated", short_number(inspected.live.evaluated) + " " + words,
              fine ? palette.text : palette.warning);
  }
  if (const float* free = number_at(frame.scene.snapshot.unclamped.get(), frame.ref))
    frame.row("without clamps", short_number(*free), palette.text);
  for (const Clamp* clamp : held) {
    const char* how = clamp->change == Change::add     ? "added by hand"
                      : clamp->change == Change::scale ? "multiplied by"
                                                       : "held at";
    frame.row(how, short_number(clamp->value_at(frame.ref.step)), palette.text);
  }
  frame.row("range, unit", card.range, palette.text);
  frame.column.cut_top(frame.painter.px(4));
}

void draw_inspected_inputs(InspectorFrame& frame) {
  if (frame.inspected.inputs.empty()) return;
  Painter& painter = frame.painter;
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  const std::string titles[] = {"computed from (point at one to see where it is)", "computed from"};
  painter.text_in(frame.column.cut_top(line + painter.px(2)), palette.muted_text,
                  painter.fit_first(titles, frame.column.width()));
  int index = 0;
  const ImGuiID group = ImGui::GetID("inputs");
  for (const EquationInput& input : frame.inspected.inputs) {
    Box box = frame.column.cut_top(line + painter.px(4));
    ImGui::PushID(index++);
    const Touch mouse = control(painter, "input", box, {.arrows = Arrows::column, .group = group});
    ImGui::PopID();
    const ValueRef ref{input.place.path, input.place.step, input.place.head, input.place.unit};
    if (ref.step >= 0) {
      if (mouse.hovered) {
        painter.fill(box, palette.control, painter.px(3));
        frame.hovered = ref;
      }
      if (mouse.pressed) frame.scene.focus.pinned = ref;
    }
    box = box.inset(painter.px(4), 0);
    const std::string symbol = shown_symbol(input);
    const float wide = std::max(painter.px(58), painter.measure(symbol, Weight::bold).x + line / 3);
    painter.text_in(box.cut_left(std::min(wide, box.width())), palette.text, symbol, Align::left,
                    Weight::bold);
    if (input.numbers.size() > 1) {
      vector_row(frame, input, box, index, mouse.hovered);
    } else {
      number_row(frame, input, symbol, ref, box, mouse.hovered);
    }
  }
  frame.column.cut_top(painter.px(5));
}

void draw_inspected_symbols(InspectorFrame& frame) {
  if (!frame.inspected.block || !frame.inspected.card) return;
  const std::string equation = typeset_equation(frame.inspected.card->equation);
  std::vector<std::string> seen;
  for (const SymbolSpan& span : symbols_in(equation)) {
    const SymbolMeaning meaning = meaning_of(*frame.inspected.block, span.symbol, span.index);
    const bool before = span.index == "t−1";
    const std::string symbol = span.symbol + (before ? "₋₁" : "");
    // The value itself is in the title.
    if (meaning.term.empty() || meaning.value == frame.inspected.card ||
        std::find(seen.begin(), seen.end(), symbol) != seen.end())
      continue;
    seen.push_back(symbol);
    frame.row(span.symbol == "⟨" ? "⟨ , ⟩" : symbol,
              meaning.term + (before ? ", one step before" : ""), frame.painter.palette().text);
  }
  frame.column.cut_top(frame.painter.px(4));
}

void draw_inspected_buttons(InspectorFrame& frame) {
  Painter& painter = frame.painter;
  if (painter.exporting()) return;
  static constexpr std::array<std::pair<Copied, std::string_view>, 4> kButtons{
      {{Copied::value, "Copy value"},
       {Copied::equation, "Copy equation"},
       {Copied::latex, "Copy LaTeX"},
       {Copied::code, "Show in code"}}};
  const float height = painter.line_height() + painter.px(6), gap = painter.px(5);
  Box row;
  for (const auto& [copied, word] : kButtons) {
    const float width = std::min(painter.measure(word).x + painter.px(16), frame.column.width());
    if (row.width() < width) {
      row = frame.column.cut_top(height);
      frame.column.cut_top(gap);
    }
    const Box button = row.cut_left(width);
    row.cut_left(gap);
    const std::string why = why_not_offered(frame.inspected, copied);
    const std::string id(word);
    if (button_at(painter, id.c_str(), button, word, why.empty()) && frame.scene.ask) {
      const Offer made = offer(frame.scene.snapshot, frame.ref, copied);
      if (made.why_not.empty()) frame.scene.ask(made.request);
    }
    if (!why.empty()) hint(frame.scene, button, why);
  }
  frame.column.cut_top(painter.px(3));
}

}  // namespace xlab::ui
