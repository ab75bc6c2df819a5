// The equations of gates.hpp for a whole register of numbers at once. Every number takes the same
// path wherever it stands, so cutting a sequence elsewhere does not change a bit.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <numbers>
#include <type_traits>
#include <vector>

#include "kernels/gates.hpp"
#include "kernels/lanes.hpp"

namespace xlab {

/// Room for `size` numbers, filled up to whole registers.
template <typename T>
class Padded {
 public:
  explicit Padded(std::int64_t size, T fill = T(0))
      : values_(static_cast<std::size_t>((size + kLanes<T> - 1) / kLanes<T> * kLanes<T>), fill) {}

  T* data() { return values_.data(); }
  const T* data() const { return values_.data(); }
  T& operator[](std::int64_t at) { return values_[static_cast<std::size_t>(at)]; }
  const T& operator[](std::int64_t at) const { return values_[static_cast<std::size_t>(at)]; }
  /// The register that begins at `at`.
  Lanes<T> get(std::int64_t at) const { return load<kLanes<T>>(values_.data() + at); }
  void set(std::int64_t at, Lanes<T> x) { store<kLanes<T>>(values_.data() + at, x); }
  void fill(T value) { std::fill(values_.begin(), values_.end(), value); }
  void swap(Padded& other) { values_.swap(other.values_); }

 private:
  std::vector<T> values_;
};

template <typename T>
inline Lanes<T> absolute(Lanes<T> x) {
  return x < T(0) ? -x : x;
}

template <typename T>
inline Lanes<T> larger(Lanes<T> a, Lanes<T> b) {
  return a > b ? a : b;
}

/// exp(x) = power + rest with power = 2^k, for x <= 0 above the smallest normal exponent: so both
/// exp(x) and exp(x) - 1 can be had without a loss of digits.
template <typename T>
struct Exponential {
  Lanes<T> power, rest;
};

template <typename T>
inline Exponential<T> exponential(Lanes<T> x) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr bool kWide = sizeof(T) == 8;
  constexpr int kDigits = std::numeric_limits<T>::digits - 1;
  // The high part of log 2 has so few digits that its product with k is exact.
  constexpr T kHigh = kWide ? T(0x1.62e42fee00000p-1) : T(0x1.62e4p-1);
  constexpr T kLow = kWide ? T(0x1.a39ef35793c76p-33) : T(0x1.7f7d1cp-20);
  // Adding this pushes the fraction out of the number: what is left in the low bits is k.
  constexpr T kRound = T(1.5) * T(std::int64_t{1} << kDigits);
  const Lanes<T> shifted = x * std::numbers::log2e_v<T> + kRound;
  const Lanes<T> k = shifted - kRound;
  const Lanes<T> r = (x - k * kHigh) - k * kLow;

  // exp(r) - 1 by its Taylor series, |r| <= log(2) / 2.
  constexpr int kTerms = kWide ? 13 : 7;
  constexpr std::array<T, kTerms + 1> kInverseFactorial = [] {
    std::array<T, kTerms + 1> c{};
    double factorial = 1.0;
    for (int j = 1; j <= kTerms; ++j) c[static_cast<std::size_t>(j)] = T(1.0 / (factorial *= j));
    return c;
  }();
  Lanes<T> series = all<T>(kInverseFactorial[kTerms]);
#pragma GCC unroll 16
  for (std::size_t j = kTerms - 1; j >= 1; --j) series = series * r + kInverseFactorial[j];
  series = series * r;

  Lanes<T> bits_of_power;
  Lanes<Bits> bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  constexpr Bits kRoundBits = kWide ? Bits(0x4338000000000000) : Bits(0x4b400000);
  bits = (bits - kRoundBits + (std::numeric_limits<T>::max_exponent - 1)) << kDigits;
  std::memcpy(&bits_of_power, &bits, sizeof(bits));
  return {bits_of_power, bits_of_power * series};
}

/// exp(-|x|): never overflows, and is 0 where the exact value is below the normal numbers.
template <typename T>
inline Lanes<T> exp_below(Lanes<T> x) {
  constexpr T lowest = T(std::numeric_limits<T>::min_exponent - 1) * std::numbers::ln2_v<T>;
  const Lanes<T> below = -absolute<T>(x);
  const Exponential<T> e = exponential<T>(below);
  return below < lowest ? Lanes<T>{} : e.power + e.rest;
}

/// log(1 + e) for 0 <= e <= 1, as 2 artanh(e / (2 + e)).
template <typename T>
inline Lanes<T> log1p_of_unit(Lanes<T> e) {
  constexpr int kTerms = sizeof(T) == 8 ? 17 : 8;
  const Lanes<T> s = e / (e + T(2)), square = s * s;
  Lanes<T> series = all<T>(T(1) / T(2 * kTerms - 1));
#pragma GCC unroll 32
  for (int j = kTerms - 2; j >= 0; --j) series = series * square + T(1) / T(2 * j + 1);
  return T(2) * s * series;
}

template <typename T>
inline Lanes<T> tanh_of(Lanes<T> x) {
  // Far out the result is 1 to the last digit; staying there keeps the exponent in range.
  const Lanes<T> size = absolute<T>(x);
  const Exponential<T> e = exponential<T>(T(-2) * (size > T(20) ? all<T>(T(20)) : size));
  const Lanes<T> minus_one = (e.power - T(1)) + e.rest;
  const Lanes<T> y = -minus_one / (minus_one + T(2));
  return x < T(0) ? -y : y;
}

/// sigmoid(x), sigmoid(-x) and log(sigmoid(x)), from one exponential.
template <typename T>
struct SigmoidLanes {
  explicit SigmoidLanes(Lanes<T> at) : x(at), e(exp_below<T>(at)), r(T(1) / (e + T(1))) {}
  Lanes<T> value() const { return x < T(0) ? e * r : r; }
  Lanes<T> complement() const { return x < T(0) ? r : e * r; }
  Lanes<T> log() const { return (x < T(0) ? x : Lanes<T>{}) - log1p_of_unit<T>(e); }

 private:
  Lanes<T> x, e, r;
};

/// stabilise() of gates.hpp. One of the two gates is 1, but for what rounding took from m, so one
/// exponential is enough.
template <typename T>
struct StabilisedLanes {
  Lanes<T> m, input_gate, forget_gate;

  StabilisedLanes(Lanes<T> input_gate_pre, Lanes<T> log_forget, Lanes<T> m_prev) {
    const Lanes<T> a = log_forget + m_prev;
    // Small as long as a has digits behind the point, and then a short series is its exponential.
    Lanes<T> lost = sum_error(m_prev, log_forget, a);
    lost = absolute<T>(lost) <= T(0.5) ? lost : Lanes<T>{};
    const Lanes<T> kept =
        T(1) + lost * (T(1) + lost * (T(1) / 2 + lost * (T(1) / 6 + lost * (T(1) / 24))));
    const Lanes<T> apart = input_gate_pre - a;
    const Lanes<T> e = exp_below<T>(apart > T(0) ? apart - lost : apart);
    m = larger<T>(input_gate_pre, a);
    input_gate = apart > T(0) ? all<T>(T(1)) : e;
    // What is no number stays none.
    forget_gate = apart > T(0) ? e : (a == a ? kept : a);
  }
};

}  // namespace xlab
