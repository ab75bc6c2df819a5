// Which tokens wrote what a cell of a matrix memory holds. Standard types only.
#pragma once

#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

struct CellWriter {
  int step = 0;
  double amount = 0.0;  ///< of what the cell holds
};

/// A cell as the sum of what is left of every write, exactly:
/// C_t[key, value] = Σ_s i'_s (Π_{s < r ≤ t} f'_r) k_s[key] v_s[value].
struct CellWriters {
  std::vector<CellWriter> largest;  ///< by size, the largest first
  double rest = 0.0;                ///< of all others together
  int count = 0;                    ///< how many writes there are in all
};

/// Of the cell after `step`; at most `most` of the writers are named. Empty where a write was not
/// recorded, or the block has no matrix memory.
CellWriters cell_writers(const Trace& trace, const BlockCard& block, int step, int head, int key,
                         int value, int most);

}  // namespace xlab
