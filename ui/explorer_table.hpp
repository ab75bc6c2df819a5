// The gate explorer as a table: what is held at every step, and what the cells make of it.
#pragma once

#include "ui/view.hpp"

namespace xlab::ui {

/// A row a step and cell; no rows where no explorer is open.
Table explorer_table(const Scene& scene);

}  // namespace xlab::ui
