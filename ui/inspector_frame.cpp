// Rows of text, and equations whose symbols can be pointed at.
#include "ui/inspector_frame.hpp"

#include <algorithm>
#include <vector>

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

/// Says what the symbol means, and lights the place of its number up in the other views.
void InspectorFrame::point_at(const PointedSymbol& pointed) {
  static const BlockCard none;
  const std::vector<CardLine> lines =
      symbol_card(inspected.block ? *inspected.block : none, pointed.span);
  if (lines.empty()) return;
  painter.fill(pointed.letters.inset(-painter.px(1), 0), painter.palette().control_hovered,
               painter.px(2));
  hover_card(scene, lines);
  const EquationInput* input = input_named(*this, pointed.span);
  if (!input || input->place.step < 0) return;
  hovered = ValueRef{input->place.path, input->place.step, input->place.head, input->place.unit};
  if (ImGui::IsMouseClicked(ImGuiMouseButton_Left)) scene.focus.pinned = hovered;
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
  for (const std::string& words : painter.broken(text, width)) {
    if (const auto pointed = symbol_under_mouse(painter, line, words)) point_at(*pointed);
    line.min.y += painter.line_height();
    line.max.y += painter.line_height();
  }
  painter.paragraph(begin, width, strong ? palette.text : palette.muted_text, text);
  column.min.y += height + painter.px(5);
}

}  // namespace xlab::ui
