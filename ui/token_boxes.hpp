// The tokens of a sequence as boxes, their step numbers, and the marks of the answers above them.
#pragma once

#include "ui/colour.hpp"
#include "ui/paint.hpp"
#include "ui/time_window.hpp"

namespace xlab::ui {

/// One token in its column of `row`, and its number in `steps`, which may be empty.
void draw_token(const Scene& scene, Painter& painter, const TimeWindow& window, int t,
                const Box& row, const Box& steps, const ColourScale& colours);
/// Tick, cross or question mark above a token where an answer is asked for.
void draw_answer(const Scene& scene, Painter& painter, const TimeWindow& window, int t,
                 const Box& row);
/// Where the mark of an answer may stand: beside it nothing is asked.
Box room_of_answer(const Painter& painter, const TimeWindow& window, const SequenceStatus& sequence,
                   int t, const Box& row);
/// The end of the prompt, from the row of marks to the bottom of the lowest row.
void draw_boundary(const Scene& scene, Painter& painter, const TimeWindow& window, const Box& marks,
                   const Box& lowest);

}  // namespace xlab::ui
