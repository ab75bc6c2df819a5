// What each token adds to what the memory answers at the cursor, as bars above and below zero.
#pragma once

#include "ui/budget_frame.hpp"
#include "ui/paint.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {

/// The axis of the parts of the tokens that are shown.
Axis parts_axis(const BudgetFrame& frame);
void draw_budget_parts(BudgetFrame& frame, Painter& painter, const Box& box);

}  // namespace xlab::ui
