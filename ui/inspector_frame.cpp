// Rows of text, and equations whose symbols can be pointed at.
#include "ui/inspector_frame.hpp"

#include <algorithm>
#include <vector>

#include "core/equations/glossary.hpp"
#include "ui/equation.hpp"

namespace xlab::ui {
namespace {

/// The input that a symbol of the equation stands for; null where it is none. In an equation with
/// numbers an index is a step.
const EquationInput* input_named(const InspectorFrame& frame, const SymbolSpan& symbol) {
  for (const EquationInput& input : frame.inspected.inputs) {
    if (input.symbol != symbol.symbol) continue;
    const std::string step = std::to_string(input.place.step);
    if (symbol.index == (input.before ? "t−1" : "t") || symbol.index == step) return &input;
  }
  return nullptr;
}

/// What is said of a symbol under the mouse: its term and a sentence; empty where nothing is known.
std::vector<CardLine> symbol_lines(const InspectorFrame& frame, const SymbolSpan& symbol) {
  static const BlockCard none;
  const BlockCard& block = frame.inspected.block ? *frame.inspected.block : none;
  const SymbolMeaning meaning = meaning_of(block, symbol.symbol, symbol.index);
  if (meaning.sentence.empty()) return {};
  const bool before = symbol.index.ends_with("−1");
  return {{symbol.symbol + (before ? "₋₁" : "") + ": " + meaning.term +
               (before ? ", one step before" : ""),
           true},
          {meaning.sentence}};
}

}  // namespace

void InspectorFrame::row(std::string_view label, std::string_view text, ImU32 colour) {
  const float labels = std::max(painter.px(112), painter.measure(label).x + painter.px(8));
  const bool beside = labels + painter.measure(text).x <= column.width();
  const float y = column.min.y + painter.px(1);
  const ImU32 muted = painter.palette().muted_text;
  if (beside) {
    painter.text({column.min.x, y}, muted, label);
    painter.text({column.min.x + labels, y}, colour, text);
    column.min.y += painter.line_height() + painter.px(2);
    return;
  }
  column.min.y += painter.paragraph({column.min.x, y}, column.width(), muted, label);
  const float indent = painter.px(10);
  column.min.y += painter.paragraph({column.min.x + indent, column.min.y + painter.px(1)},
                                    column.width() - indent, colour, text) +
                  painter.px(2);
}

void InspectorFrame::plate(std::string_view plain, bool strong) {
  const std::string text = typeset_equation(plain);
  const Palette& palette = painter.palette();
  const float pad = painter.px(6);
  const float width = column.width() - 2 * pad;
  const float height = painter.paragraph({0, 0}, width, 0, text, Weight::regular, false) + pad;
  const Box box{column.min, {column.max.x, column.min.y + height}};
  painter.fill(box, palette.control, painter.px(4));
  const ImVec2 begin{box.min.x + pad, box.min.y + pad / 2};
  // A symbol never stands in two lines: lines are broken at spaces.
  Box line{begin, {begin.x + width, begin.y + painter.line_height()}};
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  for (const std::string& words : painter.broken(text, width)) {
    for (const SymbolSpan& symbol : symbols_in(words)) {
      const float left = begin.x + painter.measure(words.substr(0, symbol.begin)).x;
      const float right = begin.x + painter.measure(words.substr(0, symbol.end)).x;
      const Box letters{{left, line.min.y}, {right, line.max.y}};
      if (!letters.contains(mouse) || !ImGui::IsWindowHovered()) continue;
      const std::vector<CardLine> lines = symbol_lines(*this, symbol);
      if (lines.empty()) continue;
      painter.fill(letters.inset(-painter.px(1), 0), palette.control_hovered, painter.px(2));
      hover_card(scene, lines);
      const EquationInput* input = input_named(*this, symbol);
      if (!input || input->place.step < 0) continue;
      hovered =
          ValueRef{input->place.path, input->place.step, input->place.head, input->place.unit};
      if (ImGui::IsMouseClicked(ImGuiMouseButton_Left)) scene.focus.pinned = hovered;
    }
    line.min.y += painter.line_height();
    line.max.y += painter.line_height();
  }
  painter.paragraph(begin, width, strong ? palette.text : palette.muted_text, text);
  column.min.y += height + painter.px(5);
}

}  // namespace xlab::ui
