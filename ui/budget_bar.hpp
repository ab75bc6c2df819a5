// What a memory is made of at the cursor: one bar, a part for each past token, and what each wrote.
#pragma once

#include "ui/budget_frame.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// The height that `draw_budget_bar` needs.
float budget_bar_height(const Painter& painter);
/// The bar, what its parts carry, how to read their colours, and whether they add up.
void draw_budget_bar(BudgetFrame& frame, Painter& painter, Box box);

}  // namespace xlab::ui
