// Counter-based random numbers as plain arithmetic, written once for every device. C++17 only,
// because nvcc reads it too. Nothing here depends on a mathematics library, nor on what a compiler
// makes of a product and a sum: bits are equal everywhere.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/gates.hpp"

namespace xlab {

/// The four 32-bit words of Philox 4x32-10 for one counter (Salmon et al. 2011).
struct PhiloxWords {
  std::uint32_t word[4];
};

XLAB_HD inline PhiloxWords philox_words(std::uint64_t seed, std::uint64_t stream,
                                        std::uint64_t counter) {
  PhiloxWords x{{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                 static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)}};
  std::uint32_t key0 = static_cast<std::uint32_t>(seed),
                key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * x.word[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * x.word[2];
    x = {{static_cast<std::uint32_t>(b >> 32) ^ x.word[1] ^ key0, static_cast<std::uint32_t>(b),
          static_cast<std::uint32_t>(a >> 32) ^ x.word[3] ^ key1, static_cast<std::uint32_t>(a)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return x;
}

/// Uniform in [0, 1) with 53 random bits.
XLAB_HD inline double uniform_of(std::uint32_t high, std::uint32_t low) {
  return static_cast<double>((std::uint64_t{high} << 32 | low) >> 11) * 0x1.0p-53;
}

/// log(x) for normal x > 0, within some 1e-15 of its size.
XLAB_HD inline double exact_log(double x) {
  // x = 2^power * m with m between sqrt(1/2) and sqrt(2).
  std::uint64_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  int power = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
  double m = 0.0;
  std::memcpy(&m, &bits, sizeof m);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++power;
  }
  // log m = 2 artanh(s) = 2 (s + s^3 / 3 + s^5 / 5 + ...)
  const double s = (m - 1.0) / (m + 1.0), square = s * s;
  double sum = 1.0 / 23.0;
  sum = std::fma(sum, square, 1.0 / 21.0);
  sum = std::fma(sum, square, 1.0 / 19.0);
  sum = std::fma(sum, square, 1.0 / 17.0);
  sum = std::fma(sum, square, 1.0 / 15.0);
  sum = std::fma(sum, square, 1.0 / 13.0);
  sum = std::fma(sum, square, 1.0 / 11.0);
  sum = std::fma(sum, square, 1.0 / 9.0);
  sum = std::fma(sum, square, 1.0 / 7.0);
  sum = std::fma(sum, square, 1.0 / 5.0);
  sum = std::fma(sum, square, 1.0 / 3.0);
  const double twice = 2.0 * s;
  const double log_m = std::fma(twice * square, sum, twice);
  // log 2 in two parts, of which the first times any power is exact.
  constexpr double high = 0x1.62e42fefa3800p-1, low = 0x1.ef35793c76730p-45;
  const double times = power;
  return std::fma(times, high, std::fma(times, low, log_m));
}

/// cos(2 pi v) for v in [0, 1), within some 1e-16.
XLAB_HD inline double cosine_of_turns(double v) {
  // v = quarters / 4 + rest exactly, with rest at most an eighth.
  const int quarters = static_cast<int>(std::fma(v, 4.0, 0.5));
  const double rest = std::fma(static_cast<double>(quarters), -0.25, v);
  constexpr double high = 0x1.921fb54442d18p+2, low = 0x1.1a62633145c07p-52;  // 2 pi
  const double angle = std::fma(rest, high, rest * low), square = angle * angle;
  if (quarters % 2 == 0) {
    double sum = -1.0 / 6402373705728000.0;
    sum = std::fma(sum, square, 1.0 / 20922789888000.0);
    sum = std::fma(sum, square, -1.0 / 87178291200.0);
    sum = std::fma(sum, square, 1.0 / 479001600.0);
    sum = std::fma(sum, square, -1.0 / 3628800.0);
    sum = std::fma(sum, square, 1.0 / 40320.0);
    sum = std::fma(sum, square, -1.0 / 720.0);
    sum = std::fma(sum, square, 1.0 / 24.0);
    sum = std::fma(sum, square, -0.5);
    const double cosine = std::fma(sum, square, 1.0);
    return quarters == 2 ? -cosine : cosine;
  }
  double sum = 1.0 / 355687428096000.0;
  sum = std::fma(sum, square, -1.0 / 1307674368000.0);
  sum = std::fma(sum, square, 1.0 / 6227020800.0);
  sum = std::fma(sum, square, -1.0 / 39916800.0);
  sum = std::fma(sum, square, 1.0 / 362880.0);
  sum = std::fma(sum, square, -1.0 / 5040.0);
  sum = std::fma(sum, square, 1.0 / 120.0);
  sum = std::fma(sum, square, -1.0 / 6.0);
  const double sine = std::fma(angle * square, sum, angle);
  return quarters == 1 ? -sine : sine;
}

/// Standard normal (Box-Muller) from two uniforms in [0, 1).
XLAB_HD inline double normal_of(double u, double v) {
  // 1 - u is in (0, 1], so the logarithm is finite.
  return std::sqrt(-2.0 * exact_log(1.0 - u)) * cosine_of_turns(v);
}

/// The j-th number of a stream: uniform in [0, 1), or standard normal.
XLAB_HD inline double uniform_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t j) {
  const PhiloxWords x = philox_words(seed, stream, j);
  return uniform_of(x.word[0], x.word[1]);
}
XLAB_HD inline double normal_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t j) {
  const PhiloxWords x = philox_words(seed, stream, j);
  return normal_of(uniform_of(x.word[0], x.word[1]), uniform_of(x.word[2], x.word[3]));
}

}  // namespace xlab
