// The equation of a value with the numbers of one step, head and unit in it. Standard types only.
#pragma once

#include <string>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// The card's equation with the numbers of one step, head and unit put in, e.g.
/// "f'_7 = exp(−0.049 + 1.2 − 1.151) = 1.00".
struct LiveEquation {
  std::string text;
  std::string right;       ///< the right-hand side alone: "exp(−0.049 + 1.2 − 1.151)"
  double value = 0.0;      ///< recorded
  double evaluated = 0.0;  ///< right-hand side from the recorded inputs
  bool complete = false;   ///< false when an input was not recorded (then only `value` holds)
};

/// Of the value at this path of the block: any path, step, head and unit may be asked for. A unit
/// of a matrix is key * V + value.
LiveEquation live_equation(const Trace& trace, const BlockCard& block, const std::string& path,
                           int step, int head, int unit);

/// All numbers of a value in one head at a step, recorded or evaluated from what is; NaN where
/// something is missing.
std::vector<float> numbers_at(const Trace& trace, const BlockCard& block, const ValueCard& value,
                              int step, int head);

}  // namespace xlab
