// The two pictures of a gradient's reach over time: of the states, and of what the block reads.
#pragma once

#include "ui/reach_frame.hpp"

namespace xlab::ui {

/// A title and how to read the lines, in rows of their own: this high.
float reach_title_height(const Painter& painter, bool with_keys);

/// d loss / d state of every head, the memory path of the one in focus, and d loss / d h.
void draw_reach_title(ReachFrame& frame, Painter& painter, Box box);
void draw_reach_memory(ReachFrame& frame, Painter& painter, const Box& box);

/// d h_T / d x_t, a bar a step.
void draw_input_title(ReachFrame& frame, Painter& painter, const Box& box);
void draw_reach_input(ReachFrame& frame, Painter& painter, const Box& box);

}  // namespace xlab::ui
