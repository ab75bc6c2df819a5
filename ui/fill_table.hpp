// How full a memory is, as a table.
#pragma once

#include "ui/table.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

/// One row a step: effective rank, singular values, and what came back at the cursor for the key of
/// the step. A table to look at computes singular values for a while only.
Table fill_table(const Scene& scene);

}  // namespace xlab::ui
