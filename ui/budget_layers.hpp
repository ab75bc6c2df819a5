// The bar of the write budget at every step: one layer a token, the oldest at the bottom.
#pragma once

#include <cstdint>
#include <vector>

#include "ui/budget_frame.hpp"
#include "ui/cursor_drag.hpp"
#include "ui/heat.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

class BudgetLayers {
 public:
  /// Dragging moves the time cursor. `box` has the columns of the frame's time window.
  void draw(BudgetFrame& frame, Painter& painter, const Box& gutter, const Box& box);

 private:
  /// The picture for a box, made again only where something in it has changed.
  void prepare(const BudgetFrame& frame, const Box& box);

  struct Key {
    int revision = -1, first = 0, count = 0, width = 0, height = 0;
    bool operator==(const Key&) const = default;
  } key_;
  HeatPixels heat_;
  std::vector<float> tokens_;  ///< which token each pixel is of
  CursorDrag drag_;
};

}  // namespace xlab::ui
