// The gradient of what a cell remembers, step by step from the last one back.
#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "core/scan_watch.hpp"

namespace xlab {

/// Sizes as natural logarithms, (heads, T) each, as in ReachReport.
struct MemoryGradient {
  std::vector<double> memory, alone, output;
};

/// Of a pass of one sequence that went forward and back, (1, T, ...). Throws `Cancelled` once
/// `cancel` (may be null) has become true.
MemoryGradient memory_gradient(const ScanWatch& watch, int heads,
                               const std::atomic<bool>* cancel = nullptr);

/// log of the Euclidean length of numbers of any size; -inf for zeros, NaN where one is NaN.
double log_length(std::span<const double> numbers);
/// log sqrt(sum of squares) of lengths that are given as logarithms.
double log_length_of_lengths(std::span<const double> logs);

}  // namespace xlab
