// The memory of one head over a sequence as it would stand without a stabilizer: everything is
// multiplied by exp(m) again, so that what leaks is seen to leak. Standard types only.
#pragma once

#include <cstddef>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

struct PlainCourse {
  /// (rows, columns) of a step: C of a matrix memory, keys by values; else one row of c, one number
  /// a unit.
  int rows = 0, columns = 0;
  std::vector<std::vector<double>> memory;
  /// n of a step: one number a key, or a unit; empty where the cell has none.
  std::vector<std::vector<double>> normalizer;
  /// h of a step, as recorded.
  std::vector<std::vector<double>> output;

  int steps() const { return static_cast<int>(memory.size()); }
  /// The root of the sum of squares of the memory: |c| of a single unit. NaN or infinite where a
  /// number in it is.
  double size(int step) const;
  double size_of_normalizer(int step) const;
  /// The largest |number| of the memory of all steps that is finite, or of the normalizer.
  double largest_memory() const;
  double largest_normalizer() const;
};

/// As far as the trace goes and has what is needed.
PlainCourse plain_course(const Trace& trace, const BlockCard& block, int head);

/// log of the ratio of a number to the same some steps before, over these steps, as a half-life:
/// how many steps until half is left. Infinite where it does not shrink; NaN where one of them is 0
/// or no number.
double half_life_between(double before, double after, int steps);

}  // namespace xlab
