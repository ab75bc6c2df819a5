// Sampling: temperature, top-k, top-p, and a draw that depends on seed and position alone.
#include "core/generation/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/check.hpp"
#include "kernels/random.hpp"

namespace xlab {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::uint64_t kSamplerStream = 0x73616d706c657200;  // "sampler"

std::vector<double> softmax(std::span<const float> logits, double temperature) {
  std::vector<double> p(logits.size());
  if (p.empty()) return p;
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (std::size_t i = 0; i < p.size(); ++i)
    sum += p[i] = std::exp((static_cast<double>(logits[i]) - top) / temperature);
  for (double& x : p) x /= sum;
  return p;
}

}  // namespace

std::vector<float> probabilities_of(std::span<const float> logits) {
  const std::vector<double> p = softmax(logits, 1.0);
  return {p.begin(), p.end()};
}

double log_total(std::span<const float> logits) {
  if (logits.empty()) return 0.0;
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - top);
  return top + std::log(sum);
}

int top_choice(std::span<const float> logits) {
  const auto finite = [](float x) { return std::isfinite(x); };
  if (logits.empty() || !std::all_of(logits.begin(), logits.end(), finite)) return -1;
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::vector<float> sampling_distribution(std::span<const float> logits,
                                         const SamplerSettings& settings) {
  std::vector<float> out(logits.size(), 0.0f);
  if (logits.empty()) return out;
  // Without numbers to choose by there is nothing to choose; `draw` says so.
  const auto is_number = [](float x) { return x < kInfinity; };
  if (!std::all_of(logits.begin(), logits.end(), is_number) ||
      *std::max_element(logits.begin(), logits.end()) == -kInfinity) {
    std::fill(out.begin(), out.end(), std::numeric_limits<float>::quiet_NaN());
    return out;
  }
  if (settings.greedy || settings.temperature <= 0.0) {
    out[static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin())] =
        1;
    return out;
  }
  const std::vector<double> p = softmax(logits, settings.temperature);
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
  std::size_t kept = order.size();
  if (settings.top_k > 0) kept = std::min(kept, static_cast<std::size_t>(settings.top_k));
  double mass = 0.0;
  for (std::size_t i = 0; i < kept; ++i) mass += p[order[i]];
  if (settings.top_p < 1.0) {
    const double wanted = settings.top_p * mass;
    double reached = 0.0;
    std::size_t count = 0;
    while (count < kept && (count == 0 || reached < wanted)) reached += p[order[count++]];
    kept = count;
    mass = reached;
  }
  for (std::size_t i = 0; i < kept; ++i) out[order[i]] = static_cast<float>(p[order[i]] / mass);
  return out;
}

int draw(std::span<const float> distribution, std::uint64_t seed, std::uint64_t position) {
  check(distribution.empty() || !std::isnan(distribution.front()),
        "The model's numbers for the next token are not finite: its weights are damaged, or its "
        "equations overflow.");
  Random random(seed, kSamplerStream, position);
  double left = random.uniform();
  int last = 0;
  for (std::size_t i = 0; i < distribution.size(); ++i) {
    if (distribution[i] <= 0.0f) continue;
    last = static_cast<int>(i);
    left -= static_cast<double>(distribution[i]);
    if (left < 0.0) break;
  }
  return last;
}

void validate(const SamplerSettings& settings) {
  check(std::isfinite(settings.temperature) && settings.temperature >= 0.0,
        "The temperature is {}; it must be 0 (greedy) or larger.", settings.temperature);
  check(settings.top_k >= 0, "The top-k is {}; it must be 0 (all) or larger.", settings.top_k);
  check(settings.top_p > 0.0 && settings.top_p <= 1.0,
        "The top-p is {}; it must be larger than 0 and at most 1.", settings.top_p);
}

}  // namespace xlab
