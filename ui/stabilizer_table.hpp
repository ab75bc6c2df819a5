// The stabilizer lab as a table.
#pragma once

#include "ui/stabilizer_shown.hpp"
#include "ui/table.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

/// A row for each step, of the head in focus and the chosen unit.
Table stabilizer_table(const Scene& scene, const StabilizerChoice& choice);

}  // namespace xlab::ui
