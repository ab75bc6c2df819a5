// From a forget gate to the tokens it bridges.
#include "core/analysis/forgetting.hpp"

#include <cmath>
#include <limits>

namespace xlab {

double half_life(double share_kept) {
  constexpr double kForEver = std::numeric_limits<double>::infinity();
  if (!(share_kept >= 0.0)) return std::numeric_limits<double>::quiet_NaN();
  if (share_kept == 0.0) return 0.0;
  return share_kept >= 1.0 ? kForEver : std::log(0.5) / std::log(share_kept);
}

double share_kept(const Trace& trace, const BlockCard& block, int step, int head, int unit) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const Recorded* pre = trace.find(step, block.path("forget_gate_pre"));
  if (!pre || head < 0 || head >= pre->heads || pre->dim < 1) return kNone;
  if (pre->dim > 1 && (unit < 0 || unit >= pre->dim)) return kNone;
  const double f = pre->at(head, pre->dim > 1 ? unit : 0);
  return block.variant.forget_gate == ForgetGate::exponential ? std::exp(f)
                                                              : 1.0 / (1.0 + std::exp(-f));
}

}  // namespace xlab
