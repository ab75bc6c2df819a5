// The parts of the inspector below its title: its numbers, what they are computed from, and what
// can be copied.
#pragma once

#include "ui/inspector_frame.hpp"

namespace xlab::ui {

/// Recorded, evaluated, without clamps, held, range: a row each.
void draw_inspected_numbers(InspectorFrame& frame);
/// The values that it is computed from, a row each: pointed at, a row shows where it is in the
/// other views; clicked, it is kept.
void draw_inspected_inputs(InspectorFrame& frame);
/// What each symbol of the equation stands for, a row each.
void draw_inspected_symbols(InspectorFrame& frame);
/// The buttons that copy it and show it as a program.
void draw_inspected_buttons(InspectorFrame& frame);

}  // namespace xlab::ui
