// The causal depthwise convolution on CUDA devices; contracts in conv1d.hpp. C++17 only, because
// nvcc reads it too. T is float or double; absent windows and gradients are null.
#pragma once

#include <cstdint>

namespace xlab::cuda {

struct ConvSizes {
  std::int64_t batch, time, features, taps;
};

template <typename T>
void conv1d_forward(const ConvSizes& sizes, const T* x, const T* window, const T* w, const T* b,
                    T* y, T* window_out);
template <typename T>
void conv1d_backward(const ConvSizes& sizes, const T* x, const T* window, const T* w, const T* dy,
                     T* dx, T* dw, T* db, T* dwindow);

}  // namespace xlab::cuda
