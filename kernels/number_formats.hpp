// Arithmetic in a chosen number format: every operation rounds to it; for .cpp files of this folder
// only, compiled without fused products and sums.
#pragma once

#include <cmath>
#include <type_traits>
#include <vector>

#include "kernels/arrays.hpp"
#include "kernels/cell_options.hpp"
#include "kernels/route.hpp"

namespace xlab::kernels {

/// Calls `body(N{})` with the type of numbers that stands for a format other than `native`.
template <typename Body>
void visit_format(NumberFormat format, Body&& body) {
  switch (format) {
    case NumberFormat::fp64:
      return body(double{});
    case NumberFormat::fp32:
      return body(float{});
    case NumberFormat::bf16:
      return body(Eigen::bfloat16{});
    case NumberFormat::fp16:
      return body(Eigen::half{});
    case NumberFormat::native:
      break;
  }
  throw Error("The native number format is that of the tensors: there is nothing to choose.");
}

/// What functions of N are computed in before they are rounded.
template <typename N>
using Wide = std::conditional_t<std::is_same_v<N, double>, double, float>;

template <typename N>
N exp_in(N x) {
  return static_cast<N>(std::exp(static_cast<Wide<N>>(x)));
}
template <typename N>
N tanh_in(N x) {
  return static_cast<N>(std::tanh(static_cast<Wide<N>>(x)));
}
template <typename N>
N log1p_in(N x) {
  return static_cast<N>(std::log1p(static_cast<Wide<N>>(x)));
}
template <typename N>
N size_of_number(N x) {
  return x < N(0) ? -x : x;
}
template <typename N>
N larger_of(N a, N b) {
  return a > b ? a : b;
}

/// 1 / (1 + exp(-x)) from an exponential that cannot overflow.
template <typename N>
N sigmoid_in(N x) {
  const N e = exp_in(-size_of_number(x));
  return x < N(0) ? e / (N(1) + e) : N(1) / (N(1) + e);
}

/// log of the forget gate before stabilisation, and its slope.
template <typename N>
N log_forget_in(ForgetGate gate, N f) {
  if (gate == ForgetGate::exponential) return f;
  return (f < N(0) ? f : N(0)) - log1p_in(exp_in(-size_of_number(f)));
}
template <typename N>
N forget_slope_in(ForgetGate gate, N f) {
  return gate == ForgetGate::exponential ? N(1) : sigmoid_in(-f);
}

/// A stretch of a tensor, rounded to N; zeros where the tensor is absent.
template <typename N>
std::vector<N> taken(const Tensor& x, std::int64_t first, std::int64_t size) {
  std::vector<N> out(static_cast<std::size_t>(size), N(0));
  if (!x.defined()) return out;
  visit_float(x, [&]<typename T>(T) {
    const T* const from = x.data<T>() + first;
    for (std::size_t j = 0; j < out.size(); ++j) out[j] = static_cast<N>(from[j]);
  });
  return out;
}

/// Writes numbers into a stretch of a tensor, or adds them to it; an absent tensor wants none.
template <typename N>
void put(const N* from, std::int64_t size, const Tensor& x, std::int64_t first) {
  if (!x.defined()) return;
  visit_float(x, [&]<typename T>(T) {
    T* const to = x.data<T>() + first;
    for (std::int64_t j = 0; j < size; ++j) to[j] = static_cast<T>(from[j]);
  });
}
template <typename N>
void add_to(const N* from, std::int64_t size, const Tensor& x, std::int64_t first) {
  if (!x.defined()) return;
  visit_float(x, [&]<typename T>(T) {
    T* const to = x.data<T>() + first;
    for (std::int64_t j = 0; j < size; ++j) to[j] += static_cast<T>(from[j]);
  });
}

}  // namespace xlab::kernels
