// The row above the sequence: buttons that move the time cursor, the speed of Play, and where the
// cursor stands.
#pragma once

#include <span>
#include <string>

#include "ui/paint.hpp"

namespace xlab::ui {

/// Draws the row of a sequence that has tokens. Says at its right what had no room below it.
void draw_time_controls(Scene& scene, Painter& painter, Box row,
                        std::span<const std::string> left_out);

}  // namespace xlab::ui
