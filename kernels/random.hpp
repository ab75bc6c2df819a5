// Counter-based random numbers (Philox 4x32-10): every value is a function of (seed, stream,
// counter), so that reset repeats, rewind repeats and any batch can be made without the ones before
// it.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/tensor.hpp"

namespace xlab {

/// The four 32-bit words of Philox 4x32-10 for one counter (Salmon et al. 2011).
std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream,
                                    std::uint64_t counter);

/// A cursor over one stream; copying it copies the position.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0, std::uint64_t counter = 0)
      : seed_(seed), stream_(stream), counter_(counter) {}

  std::uint32_t bits();
  /// Uniform in [0, 1) with 53 random bits.
  double uniform();
  /// Standard normal (Box-Muller; one value per two uniforms, so the position stays predictable).
  double normal();
  /// Uniform integer in [0, n), without modulo bias. Throws when n is 0.
  std::uint64_t below(std::uint64_t n);

 private:
  std::uint64_t seed_, stream_, counter_;
  std::array<std::uint32_t, 4> words_{};
  int used_ = 4;
};

namespace kernels {

/// x[j] = mean + deviation * normal(seed, stream, j). Any floating-point tensor; each value depends
/// on its index only, and has the same bits on every device.
void fill_normal(const Tensor& x, double mean, double deviation, std::uint64_t seed,
                 std::uint64_t stream);
/// x[j] = low + (high - low) * uniform(seed, stream, j), with the same bits on every device.
void fill_uniform(const Tensor& x, double low, double high, std::uint64_t seed,
                  std::uint64_t stream);

}  // namespace kernels
}  // namespace xlab
