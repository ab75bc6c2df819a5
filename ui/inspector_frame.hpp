// What the parts of the inspector share in a frame, and how its text flows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ui/inspected.hpp"
#include "ui/paint.hpp"
#include "ui/symbol_card.hpp"

namespace xlab::ui {

/// How deep a value is explained.
enum class InspectorLevel : std::uint8_t { all, words, equation, numbers };
inline constexpr std::array<std::string_view, 4> kInspectorLevels{"all", "words", "equation",
                                                                  "numbers"};

struct InspectorFrame {
  Scene& scene;
  Painter& painter;
  Box column;  ///< what is left, from the top; it scrolls
  const ValueRef& ref;
  const Inspected& inspected;
  InspectorLevel level = InspectorLevel::all;
  std::optional<ValueRef>& hovered;

  bool shows(InspectorLevel wanted) const {
    return level == InspectorLevel::all || level == wanted;
  }
  void paragraph(ImU32 colour, std::string_view text, Weight weight = Weight::regular) {
    const float height = painter.paragraph(column.min, column.width(), colour, text, weight);
    column.min.y += height + painter.px(5);
  }
  /// A label and what it says; below each other where they have no room side by side.
  void row(std::string_view label, std::string_view text, ImU32 colour);
  /// An equation on a plate of its own. Its symbols say what they mean when they are pointed at,
  /// and show where their number is.
  void plate(std::string_view plain, bool strong);
  void point_at(const PointedSymbol& pointed);
};

}  // namespace xlab::ui
