// The row above the gates: which block and head are shown, what faint and grey curves are, and a
// button that takes clamps away.
#pragma once

#include "ui/hint.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// Draws the row of a model with blocks; what it says under the mouse goes to `card`.
void draw_gate_header(Scene& scene, Painter& painter, Box row, HoverCard& card);

}  // namespace xlab::ui
