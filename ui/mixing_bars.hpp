// What each pre-activation of one unit is made of at the time cursor: W x, R h and b as stacked
// bars, with their numbers.
#pragma once

#include "ui/mixing_frame.hpp"

namespace xlab::ui {

/// The height they need, and use.
float mixing_bars_height(const Painter& painter, int gates);
void draw_mixing_bars(MixingFrame& frame, Painter& painter, Box box);

}  // namespace xlab::ui
