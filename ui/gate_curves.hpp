// A lane of curves among the gates. The first curve of a lane of pre-activations can be dragged up
// or down, which holds it there.
#pragma once

#include "ui/gate_frame.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// Draws the curves into `box`, their names and numbers into the `gutter` left of it.
void draw_gate_curves(GateFrame& frame, Painter& painter, const Lane& lane, const Box& gutter,
                      const Box& box);

}  // namespace xlab::ui
