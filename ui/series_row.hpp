// A series of numbers on the time axis, a patch for each step.
#pragma once

#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/paint.hpp"
#include "ui/table.hpp"
#include "ui/time_window.hpp"

namespace xlab::ui {

/// The series that the run on screen reads instead of tokens, or null.
const SeriesCard* series_of(const Snapshot& snapshot);

/// The numbers of the patches that the window shows, each patch in its column, with an axis in the
/// captions left of them.
void draw_series_row(Painter& painter, const TimeWindow& window, const Box& row,
                     const Box& captions, const SeriesCard& series);
/// What stands in the place of a legend: sizes, and whether differences are read.
void draw_series_words(const Scene& scene, Painter& painter, const Box& row,
                       const SeriesCard& series);
/// Which numbers a patch holds: "numbers 16 to 23", "foretold numbers 50 to 57".
std::string patch_words(const SeriesCard& series, int t);
/// What is said of a patch under the mouse.
std::vector<CardLine> patch_lines(const SeriesCard& series, int t);
/// One row a patch.
Table patch_table(const Snapshot& snapshot, const SeriesCard& series);

}  // namespace xlab::ui
