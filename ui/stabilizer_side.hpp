// What the stabilizer lab says in words: the floor lamp, the first bad number with a button that
// goes there, and how far the plain cell is right.
#pragma once

#include "ui/stabilizer_frame.hpp"

namespace xlab::ui {

/// The height it needs in this width.
float stabilizer_side_height(const StabilizerFrame& frame, Painter& painter, float width);
void draw_stabilizer_side(StabilizerFrame& frame, Painter& painter, Box box);

}  // namespace xlab::ui
