// The pictures of a memory's fill over time: how many of its directions are in use, its singular
// values, and what comes back for every key that was stored.
#pragma once

#include "ui/fill_frame.hpp"

namespace xlab::ui {

/// A bar of the effective rank at the cursor, of all directions there are.
void draw_fill_gauge(FillFrame& frame, Painter& painter, Box row);

/// The effective rank after every step.
void draw_rank_title(FillFrame& frame, Painter& painter, const Box& row);
void draw_rank(FillFrame& frame, Painter& painter, const Box& box);

/// The singular values of every step, the largest on top, and the legend of their colours.
void draw_singular_title(FillFrame& frame, Painter& painter, const Box& row);
void draw_singular(FillFrame& frame, Painter& painter, const Box& box);
void draw_singular_legend(FillFrame& frame, Painter& painter, const Box& row);

/// The re-query test: a bar for each token up to the cursor.
void draw_requery_title(FillFrame& frame, Painter& painter, const Box& row);
void draw_requery_keys(FillFrame& frame, Painter& painter, Box row);
void draw_requery(FillFrame& frame, Painter& painter, const Box& box);

}  // namespace xlab::ui
