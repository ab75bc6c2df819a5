// The memory mixing as a table.
#pragma once

#include "ui/mixing_frame.hpp"
#include "ui/table.hpp"

namespace xlab::ui {

/// The parts of every pre-activation of the head at the cursor, what each unit adds to those of the
/// unit that is shown, and where the output of the other one goes.
Table mixing_table(const Scene& scene, const MixingPlace& place);

}  // namespace xlab::ui
