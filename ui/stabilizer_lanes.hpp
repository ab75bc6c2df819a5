// The lanes of the stabilizer lab: m and its two arguments, the exponents that are left, and the
// answer of the cell with the stabilizer and without it.
#pragma once

#include "ui/stabilizer_frame.hpp"

namespace xlab::ui {

/// The height all lanes need with a share of `extra` pixels, and the room their numbers need left
/// of them.
float stabilizer_lanes_height(const Painter& painter, const StabilizerFrame& frame);
float stabilizer_gutter(const Painter& painter, const StabilizerFrame& frame, float height);

void draw_stabilizer_lanes(StabilizerFrame& frame, Painter& painter, Box box);

}  // namespace xlab::ui
