// Philox 4x32-10, the cursor over it, and filling tensors with it.
#include "kernels/random.hpp"

#include <cmath>

#include "kernels/device/threads.hpp"
#include "kernels/philox.hpp"
#include "kernels/random_cuda.hpp"
#include "kernels/route.hpp"

namespace xlab {
namespace {

// Numbers per chunk of a fill: about 20 us of normals.
constexpr std::int64_t kFillGrain = 1024;

template <typename T, typename Draw>
void fill(std::int64_t size, T* out, Draw&& draw) {
  parallel_ranges(size, kFillGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t j = begin; j < end; ++j) {
      out[j] = static_cast<T>(draw(static_cast<std::uint64_t>(j)));
    }
  });
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream,
                                    std::uint64_t counter) {
  const PhiloxWords x = philox_words(seed, stream, counter);
  return {x.word[0], x.word[1], x.word[2], x.word[3]};
}

std::uint32_t Random::bits() {
  if (used_ == 4) {
    words_ = philox(seed_, stream_, counter_++);
    used_ = 0;
  }
  return words_[static_cast<std::size_t>(used_++)];
}

double Random::uniform() {
  const std::uint32_t high = bits();
  return uniform_of(high, bits());
}

double Random::normal() {
  const double u = uniform();
  return normal_of(u, uniform());
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

void fill_normal(const Tensor& x, double mean, double deviation, std::uint64_t seed,
                 std::uint64_t stream) {
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda("fill_normal", x))
        return cuda::fill_normal<T>(x.elements(), x.data<T>(), mean, deviation, seed, stream);
    }
    fill(x.elements(), x.data<T>(),
         [&](std::uint64_t j) { return std::fma(deviation, normal_at(seed, stream, j), mean); });
  });
}

void fill_uniform(const Tensor& x, double low, double high, std::uint64_t seed,
                  std::uint64_t stream) {
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda("fill_uniform", x))
        return cuda::fill_uniform<T>(x.elements(), x.data<T>(), low, high, seed, stream);
    }
    fill(x.elements(), x.data<T>(),
         [&](std::uint64_t j) { return std::fma(high - low, uniform_at(seed, stream, j), low); });
  });
}

}  // namespace kernels
}  // namespace xlab
