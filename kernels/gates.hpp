// Scalar gate equations, each written once for every device.
#pragma once

#include <cmath>

#ifdef __CUDACC__
#define XLAB_HD __host__ __device__
#else
#define XLAB_HD
#endif

namespace xlab {

template <typename T>
XLAB_HD inline T sigmoid(T x) {
  // exp of a non-positive number in both branches: never overflows.
  const T e = std::exp(-std::abs(x));
  return x >= T(0) ? T(1) / (T(1) + e) : e / (T(1) + e);
}

/// log(sigmoid(x)) = min(x, 0) - log1p(exp(-|x|))
template <typename T>
XLAB_HD inline T log_sigmoid(T x) {
  return (x < T(0) ? x : T(0)) - std::log1p(std::exp(-std::abs(x)));
}

/// What a rounded sum a = x + y lacks: x + y = a + sum_error(x, y, a) exactly (Knuth). Also for
/// whole registers.
template <typename X>
XLAB_HD inline X sum_error(X x, X y, X a) {
  const X back = a - x;
  return (x - (a - back)) + (y - back);
}

/// Stabilised exponential gates of one step: with a = log f + m_prev,
/// m = max(a, i), input_gate = exp(i - m), forget_gate = exp(log f + m_prev - m). Both are at most
/// 1, except that a gate makes up for what m lost where a was rounded.
template <typename T>
struct StabilisedGates {
  T m, input_gate, forget_gate;
};

template <typename T>
XLAB_HD inline StabilisedGates<T> stabilise(T input_gate_pre, T log_forget, T m_prev) {
  const T a = log_forget + m_prev;
  T lost = sum_error(m_prev, log_forget, a);
  if (!(std::abs(lost) <= T(0.5))) lost = T(0);  // a has no digits behind the point
  // Where the forget gate is no number, m is none.
  const T m = input_gate_pre > a ? input_gate_pre : a;
  return {m, std::exp(input_gate_pre - m), std::exp((a - m) + lost)};
}

}  // namespace xlab
