// The range of numbers that the plain cell would need, against what the number formats can hold.
#pragma once

#include "ui/stabilizer_frame.hpp"

namespace xlab::ui {

/// The height it needs; it takes more.
float range_gauge_height(const Painter& painter);
void draw_range_gauge(const StabilizerFrame& frame, Painter& painter, Box box);

}  // namespace xlab::ui
