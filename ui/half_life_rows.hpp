// How long each forget gate of a block keeps what it holds: half-lives as lengths on the time axis.
#pragma once

#include <vector>

#include "ui/budget_frame.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

class HalfLifeRows {
 public:
  /// From the longest to the shortest, or in the order of heads and units.
  bool sorted = false;

  /// How tall the rows would like to be, and at least.
  static float wanted(const Painter& painter, const BlockLives& lives);
  static float least(const Painter& painter, const BlockLives& lives);
  /// A click on a row shows that unit in the other parts of the view.
  void draw(BudgetFrame& frame, Painter& painter, const Box& gutter, const Box& box);

  /// How many gates a drawn row stands for, in the last frame.
  int per_row() const { return per_row_; }

 private:
  void order(const BlockLives& lives);

  std::vector<int> order_;
  std::vector<double> ordered_;  ///< what the order was made for
  bool was_sorted_ = false;
  int per_row_ = 1;
};

}  // namespace xlab::ui
