// A heat strip among the gates: all units of one head over time. A click chooses the unit whose
// curves are drawn.
#pragma once

#include "ui/gate_frame.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// The strip of a lane in a column of this width, the gutter and the room at its right included.
const StripLane& strip_in(const GateFrame& frame, const Painter& painter, const Lane& lane,
                          float width);

/// Draws the strip into `box`, its names and numbers into the `gutter` left of it.
void draw_gate_strip(GateFrame& frame, Painter& painter, const Lane& lane, const Box& gutter,
                     const Box& box);

}  // namespace xlab::ui
