// Causal depthwise convolution on CUDA devices: neighbouring threads take neighbouring features.
#include "kernels/conv1d_cuda.hpp"

#include "kernels/device/column_sums.cuh"

namespace xlab::cuda {
namespace {

/// x with the window before it: step -1 is the window's last row, 0 before everything that is
/// known.
template <typename T>
__device__ inline T input_at(const ConvSizes& s, const T* x, const T* window, std::int64_t n,
                             std::int64_t step, std::int64_t f) {
  if (step >= 0) return x[(n * s.time + step) * s.features + f];
  if (window == nullptr) return T(0);
  return window[(n * s.taps + s.taps + step) * s.features + f];
}

/// sum_u w[u] dy_{step + taps - 1 - u} onto `start`: what a step of the input receives.
template <typename T>
__device__ inline T with_input_gradient(const ConvSizes& s, const T* w, const T* dy, std::int64_t n,
                                        std::int64_t step, std::int64_t f, T start) {
  // Taps that meet a step inside the sequence, the latest step first.
  const std::int64_t latest = step + s.taps - 1;
  const std::int64_t begin = latest < s.time ? 0 : latest - s.time + 1;
  const std::int64_t end = latest + 1 < s.taps ? latest + 1 : s.taps;
  for (std::int64_t u = begin; u < end; ++u) {
    start += w[f * s.taps + u] * dy[(n * s.time + latest - u) * s.features + f];
  }
  return start;
}

}  // namespace

template <typename T>
void conv1d_forward(const ConvSizes& sizes, const T* x, const T* window, const T* w, const T* b,
                    T* y, T* window_out) {
  const ConvSizes s = sizes;
  for_each("conv1d_forward", s.batch * s.time * s.features, [=] __device__(std::int64_t j) {
    const std::int64_t row = j / s.features, f = j % s.features;
    const std::int64_t n = row / s.time, t = row % s.time;
    T sum = b[f];
    for (std::int64_t u = 0; u < s.taps; ++u) {
      sum += w[f * s.taps + u] * input_at(s, x, window, n, t - s.taps + 1 + u, f);
    }
    y[j] = sum;
  });
  if (window_out == nullptr) return;
  for_each("conv1d_forward", s.batch * s.taps * s.features, [=] __device__(std::int64_t j) {
    const std::int64_t row = j / s.features, f = j % s.features;
    const std::int64_t n = row / s.taps, slot = row % s.taps;
    window_out[j] = input_at(s, x, window, n, s.time - s.taps + slot, f);
  });
}

template <typename T>
void conv1d_backward(const ConvSizes& sizes, const T* x, const T* window, const T* w, const T* dy,
                     T* dx, T* dw, T* db, T* dwindow) {
  const ConvSizes s = sizes;
  const std::int64_t rows = s.batch * s.time;
  if (dx != nullptr) {
    for_each("conv1d_backward", rows * s.features, [=] __device__(std::int64_t j) {
      const std::int64_t row = j / s.features, f = j % s.features;
      dx[j] = with_input_gradient(s, w, dy, row / s.time, row % s.time, f, dx[j]);
    });
  }
  if (dwindow != nullptr) {
    for_each("conv1d_backward", s.batch * s.taps * s.features, [=] __device__(std::int64_t j) {
      const std::int64_t row = j / s.features, f = j % s.features;
      const std::int64_t n = row / s.taps, slot = row % s.taps;
      // The oldest entry is never read.
      if (slot > 0) dwindow[j] = with_input_gradient(s, w, dy, n, slot - s.taps, f, dwindow[j]);
    });
  }
  if (dw != nullptr) {
    add_column_sums("conv1d_backward", rows, s.features * s.taps, dw,
                    [=] __device__(std::int64_t row, std::int64_t j) {
                      const std::int64_t f = j / s.taps, u = j % s.taps;
                      const std::int64_t n = row / s.time, t = row % s.time;
                      return dy[row * s.features + f] *
                             input_at(s, x, window, n, t - s.taps + 1 + u, f);
                    });
  }
  if (db != nullptr) {
    add_column_sums(
        "conv1d_backward", rows, s.features, db,
        [=] __device__(std::int64_t row, std::int64_t f) { return dy[row * s.features + f]; });
  }
}

#define XLAB_INSTANTIATE(T)                                                                       \
  template void conv1d_forward(const ConvSizes&, const T*, const T*, const T*, const T*, T*, T*); \
  template void conv1d_backward(const ConvSizes&, const T*, const T*, const T*, const T*, T*, T*, \
                                T*, T*);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
