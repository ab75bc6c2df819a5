// Philox 4x32-10, the cursor over it, and filling tensors with it.
#include "kernels/random.hpp"

#include <cmath>
#include <numbers>

#include "kernels/route.hpp"
#include "kernels/threads.hpp"

namespace xlab {
namespace {

// Numbers per chunk of a fill: about 20 us of normals.
constexpr std::int64_t kFillGrain = 1024;

/// The high and low half of a 32 x 32 bit product.
struct Product {
  std::uint32_t high, low;
};

Product product(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t both = std::uint64_t{a} * b;
  return {static_cast<std::uint32_t>(both >> 32), static_cast<std::uint32_t>(both)};
}

template <typename Draw>
void fill(const char* op, const Tensor& x, Draw&& draw) {
  require_cpu(op, x);
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    T* out = x.data<T>();
    parallel_ranges(x.elements(), kFillGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin; j < end; ++j) out[j] = static_cast<T>(draw(j));
    });
  });
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream,
                                    std::uint64_t counter) {
  std::array<std::uint32_t, 4> x = {
      static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
      static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  auto key0 = static_cast<std::uint32_t>(seed);
  auto key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Product a = product(0xD2511F53u, x[0]);
    const Product b = product(0xCD9E8D57u, x[2]);
    x = {b.high ^ x[1] ^ key0, b.low, a.high ^ x[3] ^ key1, a.low};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return x;
}

std::uint32_t Random::bits() {
  if (used_ == 4) {
    words_ = philox(seed_, stream_, counter_++);
    used_ = 0;
  }
  return words_[static_cast<std::size_t>(used_++)];
}

double Random::uniform() {
  const std::uint64_t high = bits();
  const std::uint64_t both = high << 32 | bits();
  return static_cast<double>(both >> 11) * 0x1.0p-53;
}

double Random::normal() {
  const double u = uniform();
  const double v = uniform();
  // 1 - u is in (0, 1], so the logarithm is finite.
  return std::sqrt(-2.0 * std::log(1.0 - u)) * std::cos(2.0 * std::numbers::pi * v);
}

std::uint64_t Random::below(std::uint64_t n) {
  check(n > 0, "There is no whole number from 0 up to, but not including, 0 to choose.");
  // 2^64 mod n: the values under it would make the low remainders more likely.
  const std::uint64_t unfair = (std::uint64_t{0} - n) % n;
  std::uint64_t x = 0;
  do {
    const std::uint64_t high = bits();
    x = high << 32 | bits();
  } while (x < unfair);
  return x % n;
}

namespace kernels {

void fill_normal(const Tensor& x, double mean, double std, std::uint64_t seed,
                 std::uint64_t stream) {
  fill("fill_normal", x, [&](std::int64_t j) {
    return mean + std * Random(seed, stream, static_cast<std::uint64_t>(j)).normal();
  });
}

void fill_uniform(const Tensor& x, double low, double high, std::uint64_t seed,
                  std::uint64_t stream) {
  fill("fill_uniform", x, [&](std::int64_t j) {
    return low + (high - low) * Random(seed, stream, static_cast<std::uint64_t>(j)).uniform();
  });
}

}  // namespace kernels
}  // namespace xlab
