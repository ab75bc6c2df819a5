// The gates of one block as a table.
#pragma once

#include "ui/table.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

/// One row for each time step, head and unit of the block in focus, one column for each value that
/// the gates show. Where these are too many rows, those around the time cursor or those of
/// `chosen_unit`, which a note says.
Table gate_table(const Scene& scene, int chosen_unit);

}  // namespace xlab::ui
