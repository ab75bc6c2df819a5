// The reach of a gradient as a table.
#pragma once

#include "ui/table.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

/// A row for every head and step of the report on screen; none where there is no report.
Table reach_table(const Scene& scene);

}  // namespace xlab::ui
