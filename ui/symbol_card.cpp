// Finds the symbol under the mouse, and its entry in the glossary.
#include "ui/symbol_card.hpp"

#include <string>

#include "core/equations/glossary.hpp"

namespace xlab::ui {

std::optional<PointedSymbol> symbol_under_mouse(const Painter& painter, const Box& line,
                                                std::string_view text, Weight weight) {
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  if (mouse.y < line.min.y || mouse.y >= line.max.y || !ImGui::IsWindowHovered()) return {};
  for (SymbolSpan& span : symbols_in(text)) {
    const float left = line.min.x + painter.measure(text.substr(0, span.begin), weight).x;
    const float right = line.min.x + painter.measure(text.substr(0, span.end), weight).x;
    const Box letters{{left, line.min.y}, {right, line.max.y}};
    if (letters.contains(mouse)) return PointedSymbol{std::move(span), letters};
  }
  return {};
}

std::vector<CardLine> symbol_card(const BlockCard& block, const SymbolSpan& symbol, bool in_title) {
  const bool before = symbol.index.ends_with("−1");
  const std::string index = symbol.index.empty() && in_title ? "t" : symbol.index;
  const SymbolMeaning meaning = meaning_of(block, symbol.symbol, index);
  if (meaning.sentence.empty()) return {};
  return {{symbol.symbol + (before ? "₋₁" : "") + ": " + meaning.term +
               (before ? ", one step before" : ""),
           true},
          {meaning.sentence}};
}

void explain_symbol(HoverCard& card, const Painter& painter, const BlockCard& block,
                    const Box& line, std::string_view title, Weight weight) {
  if (!card.empty()) return;
  if (const auto pointed = symbol_under_mouse(painter, line, title, weight))
    for (const CardLine& words : symbol_card(block, pointed->span, true))
      card.add(words.text, words.strong);
}

}  // namespace xlab::ui
