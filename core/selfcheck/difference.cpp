// How far two ways to the same tensor lie apart.
#include "core/selfcheck/difference.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "kernels/check.hpp"

namespace xlab {
namespace {

template <typename T>
bool same_numbers(const Tensor& a, const Tensor& b) {
  const std::span<const T> x = a.span<T>(), y = b.span<T>();
  return std::equal(x.begin(), x.end(), y.begin(), [](T p, T q) {
    // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): their bits are what is meant
    return std::memcmp(&p, &q, sizeof(T)) == 0 || (std::isnan(p) && std::isnan(q));
  });
}

/// Every bit, but that one NaN is like another.
bool same_bits_of(const Tensor& a, const Tensor& b) {
  if (std::memcmp(a.raw(), b.raw(), a.bytes()) == 0) return true;
  if (a.dtype() == DType::f32) return same_numbers<float>(a, b);
  return a.dtype() == DType::f64 && same_numbers<double>(a, b);
}

}  // namespace

Difference difference(const std::string& where, const Tensor& seen_there,
                      const Tensor& wanted_there, const Tensor& terms_there, double damage,
                      Exponentials exponentials) {
  const Tensor seen = seen_there.to(Device::cpu()), wanted = wanted_there.to(Device::cpu()),
               terms = terms_there.to(Device::cpu());
  check(seen.shape() == wanted.shape() && seen.dtype() == wanted.dtype(),
        "Two ways to {} give tensors of different shapes.", where);
  const Tensor a = seen.to(DType::f64).clone(), b = wanted.to(DType::f64), c = terms.to(DType::f64);
  double size = 0.0, apart = 0.0;
  for (const double x : c.span<double>())
    if (std::isfinite(x)) size = std::max(size, std::abs(x));
  if (damage != 0.0) a.data<double>()[a.elements() / 2] += damage * size;
  bool odd_a = false, odd_b = false;
  for (std::int64_t j = 0; j < a.elements(); ++j) {
    const double x = a.data<double>()[j], y = b.data<double>()[j];
    odd_a |= !std::isfinite(x);
    odd_b |= !std::isfinite(y);
    if (std::isfinite(x) && std::isfinite(y)) apart = std::max(apart, std::abs(x - y));
  }
  Difference found;
  found.same_bits = damage == 0.0 && same_bits_of(seen, wanted);
  // What is not finite spreads differently by different ways: only where one way has nothing of
  // the kind are they torn.
  found.torn = odd_a != odd_b && exponentials == Exponentials::safe;
  found.not_finite = (odd_a || odd_b) && !found.torn;
  if (odd_a || odd_b) found.where_not_finite = where;
  // Raw exponentials at their end leave nothing to measure the rest by.
  const bool measured = !(found.not_finite && exponentials == Exponentials::raw);
  if (apart != 0.0 && measured) {
    found.largest = apart / size;
    found.where = where;
  }
  return found;
}

}  // namespace xlab
