// Fewer points than pixels: what a long curve keeps when it is drawn.
#include "ui/decimate.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace xlab::ui {

std::vector<int> decimate(std::span<const float> values, int columns) {
  const auto count = static_cast<std::int64_t>(values.size());
  columns = std::max(columns, 1);
  std::vector<int> kept;
  if (count <= 2 * static_cast<std::int64_t>(columns)) {
    kept.resize(values.size());
    std::iota(kept.begin(), kept.end(), 0);
    return kept;
  }
  kept.reserve(static_cast<std::size_t>(columns) * 3);
  for (std::int64_t column = 0; column < columns; ++column) {
    const std::int64_t begin = column * count / columns, end = (column + 1) * count / columns;
    int low = -1, high = -1, odd = -1;
    for (std::int64_t i = begin; i < end; ++i) {
      const float value = values[static_cast<std::size_t>(i)];
      const int index = static_cast<int>(i);
      if (!std::isfinite(value)) {
        odd = index;
        continue;
      }
      if (low < 0 || value < values[static_cast<std::size_t>(low)]) low = index;
      if (high < 0 || value > values[static_cast<std::size_t>(high)]) high = index;
    }
    int found[3] = {low, high, odd};
    std::sort(std::begin(found), std::end(found));
    for (const int index : found) {
      if (index >= 0 && (kept.empty() || kept.back() != index)) kept.push_back(index);
    }
  }
  return kept;
}

}  // namespace xlab::ui
