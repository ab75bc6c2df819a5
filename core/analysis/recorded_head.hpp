// Numbers of one head in the recordings, and the memory that its writes make. Standard types only.
#pragma once

#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// The `dim` numbers of a head's value at a step; null where they were not recorded.
const float* recorded_head(const Trace& trace, const BlockCard& block, const char* name, int step,
                           int head, int dim);

/// Makes C after `step` of C before it, (key, value), in float as the cell does:
/// C_t = f'_t C_{t−1} + i'_t k_t v_tᵀ; at step 0 nothing was there. False, and nothing is changed,
/// where the write was not recorded.
bool write_recorded(const Trace& trace, const BlockCard& block, int step, int head,
                    std::vector<float>& memory);

}  // namespace xlab
