// Fewer points than pixels: what a long curve keeps when it is drawn.
#pragma once

#include <span>
#include <vector>

namespace xlab::ui {

/// Indices of the values to draw, ascending: of every pixel column the smallest and the largest
/// value, and one value that is no number where there is one, so that gaps stay visible. All
/// indices when there are at most two values per column. `columns` below 1 counts as 1.
std::vector<int> decimate(std::span<const float> values, int columns);

}  // namespace xlab::ui
