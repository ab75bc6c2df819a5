// From a forget gate to the tokens it bridges.
#include "core/analysis/forgetting.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace xlab {
namespace {

/// σ(f) or exp(f).
double share_of(double f, ForgetGate gate) {
  return gate == ForgetGate::exponential ? std::exp(f) : 1.0 / (1.0 + std::exp(-f));
}

}  // namespace

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
  return share_of(pre->at(head, pre->dim > 1 ? unit : 0), block.variant.forget_gate);
}

std::vector<double> half_lives(const Trace& trace, const BlockCard& block, int step) {
  std::vector<double> lives;
  const Recorded* pre = trace.find(step, block.path("forget_gate_pre"));
  if (!pre) return lives;
  lives.reserve(pre->values.size());
  for (const float f : pre->values)
    lives.push_back(half_life(share_of(f, block.variant.forget_gate)));
  return lives;
}

void add_log_shares(const Recorded& pre, ForgetGate gate, std::vector<double>& sums) {
  sums.resize(pre.values.size(), 0.0);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto f = static_cast<double>(pre.values[i]);
    // log σ(f), also where the exponential of one sign would overflow.
    sums[i] +=
        gate == ForgetGate::exponential ? f : std::min(f, 0.0) - std::log1p(std::exp(-std::abs(f)));
  }
}

double mean_half_life(double log_share_sum, int tokens) {
  return half_life(std::exp(log_share_sum / tokens));
}

double median_of(std::vector<double> numbers) {
  if (numbers.empty()) return std::numeric_limits<double>::quiet_NaN();
  const std::size_t half = numbers.size() / 2;
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(half);
  std::nth_element(numbers.begin(), middle, numbers.end());
  if (numbers.size() % 2 == 1) return *middle;
  // Of an infinite and a finite one it is infinite, of two infinite ones too.
  return (*middle + *std::max_element(numbers.begin(), middle)) / 2.0;
}

Spread spread_of(std::span<const double> numbers) {
  Spread spread;
  std::vector<double> known;
  known.reserve(numbers.size());
  for (const double x : numbers)
    if (!std::isnan(x)) known.push_back(x);
  spread.count = static_cast<int>(known.size());
  spread.unknown = static_cast<int>(numbers.size() - known.size());
  if (known.empty()) {
    spread.low = spread.median = spread.high = std::numeric_limits<double>::quiet_NaN();
    return spread;
  }
  spread.median = median_of(known);
  spread.low = *std::min_element(known.begin(), known.end());
  spread.high = *std::max_element(known.begin(), known.end());
  return spread;
}

}  // namespace xlab
