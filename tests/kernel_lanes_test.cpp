// Functions of whole registers against the scalar ones of the library.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/gates.hpp"
#include "kernels/lanes.hpp"
#include "kernels/vector_gates.hpp"

namespace xlab::tests {
namespace {

/// Numbers of both signs and all sizes, 0 and the ends of what exp can take included.
template <typename T>
std::vector<T> probes() {
  std::vector<T> x{T(0), T(-0.0), T(1e4), T(-1e4), std::numeric_limits<T>::infinity()};
  for (double size = 1e-12; size < 2000.0; size *= 1.07) {
    x.push_back(static_cast<T>(size));
    x.push_back(static_cast<T>(-size));
  }
  return x;
}

/// Largest error of `seen(x)` in units of the last digit of `exact(x)`.
template <typename T, typename Seen, typename Exact>
double worst_digits(Seen&& seen, Exact&& exact) {
  double worst = 0.0;
  for (const T x : probes<T>()) {
    const Lanes<T> lanes = seen(all<T>(x));
    T first;
    std::memcpy(&first, &lanes, sizeof(first));
    const long double wanted = exact(static_cast<long double>(x));
    const double unit =
        std::max(std::abs(static_cast<double>(wanted)), double{std::numeric_limits<T>::min()}) *
        double{std::numeric_limits<T>::epsilon()};
    const double error = std::abs(static_cast<double>(first - wanted)) / unit;
    worst = std::isfinite(error) ? std::max(worst, error) : 1e9;
  }
  return worst;
}

template <typename T>
class LanesTest : public testing::Test {};
using Floats = testing::Types<float, double>;
TYPED_TEST_SUITE(LanesTest, Floats);

TYPED_TEST(LanesTest, FunctionsAreExactToTheLastDigits) {
  using T = TypeParam;
  EXPECT_LE(worst_digits<T>([](Lanes<T> x) { return exp_below<T>(x); },
                            [](long double x) {
                              const long double y = std::exp(-std::abs(x));
                              return y < std::numeric_limits<T>::min() ? 0.0L : y;
                            }),
            2.0);
  EXPECT_LE(worst_digits<T>([](Lanes<T> x) { return tanh_of<T>(x); },
                            [](long double x) { return std::tanh(x); }),
            4.0);
  EXPECT_LE(worst_digits<T>([](Lanes<T> x) { return log1p_of_unit<T>(exp_below<T>(x)); },
                            [](long double x) {
                              const long double y = std::log1p(std::exp(-std::abs(x)));
                              return y < std::numeric_limits<T>::min() ? 0.0L : y;
                            }),
            4.0);
}

TYPED_TEST(LanesTest, GatesAreThoseOfTheScalarEquations) {
  using T = TypeParam;
  const double limit = 4 * std::numeric_limits<T>::epsilon();
  for (const T x : probes<T>()) {
    if (std::isinf(x)) continue;
    const SigmoidLanes<T> sigmoids(all<T>(x));
    const auto first = [](Lanes<T> lanes) {
      T value;
      std::memcpy(&value, &lanes, sizeof(value));
      return static_cast<double>(value);
    };
    EXPECT_NEAR(first(sigmoids.value()), sigmoid(double{x}), limit);
    EXPECT_NEAR(first(sigmoids.complement()), sigmoid(-double{x}), limit);
    const double log = log_sigmoid(double{x});
    EXPECT_NEAR(first(sigmoids.log()), log, limit * std::abs(log) + std::numeric_limits<T>::min());

    const StabilisedLanes<T> gates(all<T>(x), all<T>(T(-0.5)), all<T>(T(2)));
    const StabilisedGates<T> expected = stabilise<T>(x, T(-0.5), T(2));
    EXPECT_EQ(first(gates.m), double{expected.m});
    EXPECT_NEAR(first(gates.input_gate), double{expected.input_gate}, limit);
    EXPECT_NEAR(first(gates.forget_gate), double{expected.forget_gate}, limit);
  }
}

TYPED_TEST(LanesTest, NoNumberStaysNoNumber) {
  using T = TypeParam;
  const Lanes<T> x = all<T>(std::numeric_limits<T>::quiet_NaN());
  const SigmoidLanes<T> sigmoids(x);
  const Lanes<T> results[] = {exp_below<T>(x), tanh_of<T>(x), sigmoids.value(), sigmoids.log()};
  for (const Lanes<T>& result : results) {
    T value;
    std::memcpy(&value, &result, sizeof(value));
    EXPECT_TRUE(std::isnan(value));
  }
}

TYPED_TEST(LanesTest, AForgetGateOfNoNumberIsNone) {
  using T = TypeParam;
  const T none = std::numeric_limits<T>::quiet_NaN();
  for (const auto& [log_forget, m_prev] : {std::pair{none, T(2)}, {T(-0.5), none}, {none, none}}) {
    const StabilisedLanes<T> gates(all<T>(T(1)), all<T>(log_forget), all<T>(m_prev));
    T forget;
    std::memcpy(&forget, &gates.forget_gate, sizeof(forget));
    EXPECT_TRUE(std::isnan(forget)) << forget;
    EXPECT_TRUE(std::isnan(stabilise<T>(T(1), log_forget, m_prev).forget_gate)) << "as elsewhere";
  }
}

TYPED_TEST(LanesTest, SumsTakeEveryNumberOnce) {
  using T = TypeParam;
  for (std::int64_t size = 0; size < 100; ++size) {
    std::vector<T> a(static_cast<std::size_t>(size) + 1), b(a.size(), T(2)), sums(a.size(), T(1));
    for (std::size_t j = 0; j < a.size(); ++j) a[j] = static_cast<T>(j + 1);
    EXPECT_EQ(dot(a.data(), b.data(), size), static_cast<T>(size * (size + 1)));
    add(a.data(), sums.data(), size, T(3));
    for (std::int64_t j = 0; j <= size; ++j) {
      const T expected = j < size ? T(1) + T(3) * static_cast<T>(j + 1) : T(1);
      EXPECT_EQ(sums[static_cast<std::size_t>(j)], expected);
    }
    copy(a.data(), b.data(), size);
    EXPECT_EQ(b.back(), T(2));
    EXPECT_TRUE(std::equal(a.begin(), a.end() - 1, b.begin()));
  }
}

}  // namespace
}  // namespace xlab::tests
