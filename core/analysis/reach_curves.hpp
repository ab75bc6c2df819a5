// What a report on the reach of a gradient comes to: sizes relative to the last step, half-lives,
// and whether it is of what is on screen. Standard types only.
#pragma once

#include <string>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// The size of a head at a step, of one of the lists of a report (`memory`, `alone`, `output`), as
/// a natural logarithm; NaN where there is none.
double reach_size(const ReachReport& report, const std::vector<double>& sizes, int head, int t);

/// log10 of that size relative to the one at the last step: 0 there. -inf for exactly 0; NaN where
/// one of both is no number, or there is nothing at the last step.
double reach_relative(const ReachReport& report, const std::vector<double>& sizes, int head, int t);

/// How many tokens before the last step the size of a head first falls to half of what it is there,
/// linear between two steps in logarithms; infinite where it never does, NaN for no number.
double half_reach(const ReachReport& report, const std::vector<double>& sizes, int head);

/// Tokens at which the head's size is exactly 0.
int reach_zeros(const ReachReport& report, const std::vector<double>& sizes, int head);

/// How a report differs from what is on screen, with this block and head in focus, as ends of a
/// sentence that begins with "It is of": "block 1", "step t = 5". Empty: it does not. `of_weights`:
/// whether other weights are told, which change with every training step.
std::vector<std::string> reach_differences(const ReachReport& report, const Snapshot& snapshot,
                                           int block, int head, bool of_weights = true);

}  // namespace xlab
