// What can be said of a model's weights as a whole, before anything is computed with them.
#pragma once

#include <string>

#include "core/params.hpp"

namespace xlab {

struct WeightsGlance {
  std::string not_finite;  ///< the first parameter with a number that is not finite; empty: none
  double largest = 0.0;    ///< magnitude of the largest finite number
};

/// Looks at every number once, wherever they lie.
WeightsGlance glance_at(const Params& params);

}  // namespace xlab
