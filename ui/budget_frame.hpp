// What the parts of the write budget share while one frame of it is drawn.
#pragma once

#include <optional>
#include <string>

#include "core/snapshot.hpp"
#include "ui/budget_shown.hpp"
#include "ui/focus.hpp"
#include "ui/hint.hpp"
#include "ui/time_window.hpp"
#include "ui/values.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

struct BudgetFrame {
  Scene& scene;
  const BlockCard& block;
  const BudgetShown& shown;
  const TimeWindow& window;
  BudgetPlace& place;  ///< a click on a half-life chooses another unit
  float gutter = 0.0f;
  int strong = -1;  ///< the token pointed at in the frame before, or pinned; −1: none
  int& pointed;     ///< the token under the mouse in this frame
  std::optional<ValueRef>& value;
  HoverCard& card;

  const WritingCell& cell() const { return *shown.cell(); }
  /// As the recordings count it: 0 where a head has one number.
  int unit() const { return cell().matrix() ? 0 : place.unit; }
  std::string token(int step) const {
    const std::vector<int>& tokens = scene.snapshot.sequence.tokens;
    return step >= 0 && step < static_cast<int>(tokens.size())
               ? token_label(scene.snapshot.model.get(), tokens[static_cast<std::size_t>(step)])
               : std::string();
  }
  std::string symbol(const std::string& value_name) const {
    const ValueCard* card_of = block.values->find(value_name);
    return card_of ? card_of->symbol : value_name;
  }
  /// What the parts add up to: "c / n", "c", "h".
  std::string answer_symbol() const {
    if (cell().matrix()) return symbol(cell().answer);
    return cell().divisor.empty() ? symbol(cell().state)
                                  : symbol(cell().state) + "/" + symbol(cell().divisor);
  }
  /// The weight with which a token was written, as a value to look at.
  ValueRef weight_of(int step) const {
    return {block.path(cell().weight), step, place.head, unit()};
  }
};

}  // namespace xlab::ui
