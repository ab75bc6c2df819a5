// The bars of the next token: one row each, and what their marks mean.
#pragma once

#include <cstddef>
#include <vector>

#include "ui/follower_marks.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// Widths beside the bars; 0 where there is no room.
struct BarColumns {
  float label = 0.0f, probability = 0.0f, logit = 0.0f;
};

/// The row of a token: its label, a bar from 0 to 1 across `plot`, what is drawn from as a thin bar
/// where that differs, the probability of the ghost as an outline, that of other runs as marks, and
/// the numbers.
void draw_token_bar(const Scene& scene, const NextToken& next, Painter& painter, int token, Box row,
                    const Box& plot, const BarColumns& columns, bool best, bool drawn_differs,
                    const std::vector<Follower>& followers);

/// What the marks of the bars mean, as far as there is room.
/// `left_out`: so many other runs have no mark.
void draw_bar_keys(const Scene& scene, Painter& painter, Box row, bool drawn, bool ghosts,
                   const std::vector<Follower>& followers, std::size_t left_out);

}  // namespace xlab::ui
