// The Kullback-Leibler divergence.
#include "core/analysis/divergence.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace xlab {

double kl_nats(const std::vector<float>& p, const std::vector<float>& q) {
  double sum = 0.0;
  for (std::size_t i = 0; i < p.size(); ++i)
    if (p[i] > 0.0f)
      sum += p[i] * (std::log(static_cast<double>(p[i])) - std::log(static_cast<double>(q[i])));
  return std::max(sum, 0.0);
}

}  // namespace xlab
