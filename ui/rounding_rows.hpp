// The part of the proof on what it costs to hold weights in fewer bits.
#pragma once

#include "ui/ground.hpp"
#include "ui/table.hpp"

namespace xlab::ui {

/// Draws a heading, a row for each comparison of the report, the whole first, and their scale;
/// takes the room from the top of `rest`, `height` a row. Nothing where nothing is rounded.
void draw_rounding(Scene& scene, Painter& painter, Box& rest, float height);

/// A row for each comparison, in the columns of the proof's table.
void add_rounding(const HealthReport& report, Table& table);

}  // namespace xlab::ui
