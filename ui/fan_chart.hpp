// A series of numbers, and the quantiles of what comes next, as a fan.
#pragma once

#include "core/snapshot.hpp"
#include "ui/paint.hpp"
#include "ui/table.hpp"

namespace xlab::ui {

/// The end of the series before what is foretold at the time cursor, then bands between quantiles
/// that lie symmetrically around the middle one, the middle one, and without clamps the middle one
/// of the same place, dashed. Where the series goes on there, it is drawn over the fan.
void draw_fan(const Scene& scene, Painter& painter, Box box);

/// One row for each number that is foretold.
Table fan_table(const Snapshot& snapshot);

}  // namespace xlab::ui
