// Multiply-adds that wait for nothing but themselves: what the processor can do at most.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/device/threads.hpp"
#include "kernels/lanes.hpp"

namespace xlab::bench {

inline constexpr int kChains = 16;

/// Additions and multiplications of so many rounds on all threads together.
inline double operations_of(std::int64_t rounds) {
  return 2.0 * kChains * kLanes<float> * static_cast<double>(rounds) * threads();
}

/// Does them, and returns a number that depends on all of them.
inline float multiply_adds(std::int64_t rounds) {
  std::vector<float> sums(static_cast<std::size_t>(threads()));
  parallel_for(threads(), [&](std::int64_t thread) {
    Lanes<float> chain[kChains];
    for (int c = 0; c < kChains; ++c) chain[c] = all<float>(static_cast<float>(c));
    const Lanes<float> factor = all<float>(0.999F), term = all<float>(0.5F);
    for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
      for (int c = 0; c < kChains; ++c)
        chain[c] = fused<float, kLanes<float>>(chain[c], factor, term);
    }
    float total = 0.0F;
    for (const Lanes<float>& c : chain) total += sum<float, kLanes<float>>(c);
    sums[static_cast<std::size_t>(thread)] = total;
  });
  float total = 0.0F;
  for (const float one : sums) total += one;
  return total;
}

}  // namespace xlab::bench
