// The write budget as a table.
#pragma once

#include "ui/budget_shown.hpp"
#include "ui/table.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

/// A row for each token written so far, then one for each forget gate of the block.
Table budget_table(const Scene& scene, const BudgetPlace& place);

}  // namespace xlab::ui
