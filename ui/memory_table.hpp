// The memory of one block at the cursor as a table.
#pragma once

#include "ui/table.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

/// One row for each head, key and value of a matrix memory, or for each head and unit of a cell
/// that keeps one number per unit. Where these are too many rows, those of the head in focus, which
/// a note says.
Table memory_table(const Scene& scene);

}  // namespace xlab::ui
