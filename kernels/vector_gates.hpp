// The equations of gates.hpp for sixteen numbers at once. Uses Eigen: only for kernels/*.cpp.
// Groups have a fixed size, so that every number takes the same path wherever it stands.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <limits>

namespace xlab {

inline constexpr std::int64_t kGroup = 16;
template <typename T>
using Group = Eigen::Array<T, kGroup, 1>;
/// Numbers in memory that is aligned and padded to whole groups.
template <typename T>
using Padded = Eigen::Array<T, Eigen::Dynamic, 1>;

inline std::int64_t padded(std::int64_t size) {
  return (size + kGroup - 1) / kGroup * kGroup;
}

template <typename T>
auto group(Padded<T>& x, std::int64_t at) {
  return Eigen::Map<Group<T>, Eigen::AlignedMax>(x.data() + at);
}
template <typename T>
auto group(const Padded<T>& x, std::int64_t at) {
  return Eigen::Map<const Group<T>, Eigen::AlignedMax>(x.data() + at);
}

/// exp(-|x|): never overflows, and is 0 where the exact value is below the normal numbers.
template <typename T>
Group<T> exp_below(const Group<T>& x) {
  const T lowest = std::log(std::numeric_limits<T>::min());
  const Group<T> below = -x.abs();
  return (below < lowest).select(Group<T>::Zero(), below.exp());
}

/// sigmoid(x), sigmoid(-x) and log(sigmoid(x)), from one exponential.
template <typename T>
struct SigmoidGroup {
  explicit SigmoidGroup(const Group<T>& x) : x_(x), e_(exp_below<T>(x)), r_(T(1) / (T(1) + e_)) {}
  Group<T> value() const { return (x_ < T(0)).select(e_ * r_, r_); }
  Group<T> complement() const { return (x_ < T(0)).select(r_, e_ * r_); }
  Group<T> log() const { return x_.min(T(0)) - e_.log1p(); }

 private:
  Group<T> x_, e_, r_;
};

/// stabilise() of gates.hpp. One of the two gates is always 1, so one exponential is enough.
template <typename T>
struct StabilisedGroup {
  Group<T> m, input_gate, forget_gate;

  StabilisedGroup(const Group<T>& input_gate_pre, const Group<T>& log_forget,
                  const Group<T>& m_prev) {
    const Group<T> a = log_forget + m_prev;
    const auto forgets_more = (input_gate_pre > a).eval();
    const Group<T> e = exp_below<T>(input_gate_pre - a);
    m = forgets_more.select(input_gate_pre, a);
    input_gate = forgets_more.select(Group<T>::Ones(), e);
    forget_gate = forgets_more.select(e, Group<T>::Ones());
  }
};

}  // namespace xlab
