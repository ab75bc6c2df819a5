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

/// Stabilised exponential gates of one step: with a = log f + m_prev,
/// m = max(a, i), input_gate = exp(i - m), forget_gate = exp(a - m); both are at most 1.
template <typename T>
struct StabilisedGates {
  T m, input_gate, forget_gate;
};

template <typename T>
XLAB_HD inline StabilisedGates<T> stabilise(T input_gate_pre, T log_forget, T m_prev) {
  const T a = log_forget + m_prev;
  const T m = a > input_gate_pre ? a : input_gate_pre;
  return {m, std::exp(input_gate_pre - m), std::exp(a - m)};
}

}  // namespace xlab
