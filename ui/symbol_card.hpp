// What a symbol under the mouse means, wherever it is written.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/equation.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// A symbol in a line of text, and the room of its letters.
struct PointedSymbol {
  SymbolSpan span;
  Box letters;
};
/// The one under the mouse in a line that begins at `line.min` and is as high as the box; nothing
/// where there is none, or where something lies above it.
std::optional<PointedSymbol> symbol_under_mouse(const Painter& painter, const Box& line,
                                                std::string_view text,
                                                Weight weight = Weight::regular);

/// Its name and a sentence; empty where nothing is known of it. In a title a value has no index:
/// `in_title` takes every symbol of a value for one of this step.
std::vector<CardLine> symbol_card(const BlockCard& block, const SymbolSpan& symbol,
                                  bool in_title = false);

/// The same on the card of a view, of a title that is drawn at the left of `line`, where nothing
/// has been said there yet.
void explain_symbol(HoverCard& card, const Painter& painter, const BlockCard& block,
                    const Box& line, std::string_view title, Weight weight = Weight::regular);

}  // namespace xlab::ui
