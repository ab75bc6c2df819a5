// The element-wise operations on CUDA devices; contracts in elementwise.hpp. C++17 only, because
// nvcc reads it too. T is float or double; absent gradients are null.
#pragma once

#include <cstdint>

#include "kernels/activation.hpp"

namespace xlab::cuda {

using kernels::Activation;

template <typename T>
void add(std::int64_t count, const T* a, const T* b, T* out);
template <typename T>
void accumulate(std::int64_t count, T* acc, const T* x, double scale);
template <typename T>
void scale(std::int64_t count, const T* x, double scale, T* out);
template <typename T>
void scale_columns(std::int64_t rows, std::int64_t width, const T* x, const T* w, T* out);
template <typename T>
void scale_columns_backward(std::int64_t rows, std::int64_t width, const T* x, const T* w,
                            const T* dout, T* dx, T* dw);
template <typename T>
void add_columns(std::int64_t rows, std::int64_t width, const T* x, const T* b, T* out);
/// out[j] += sum_n x[n, j], in an order that depends on the sizes alone.
template <typename T>
void add_row_sums(std::int64_t rows, std::int64_t width, const T* x, T* out);
template <typename T>
void activation_forward(Activation f, std::int64_t count, const T* x, T* y, double cap);
template <typename T>
void activation_backward(Activation f, std::int64_t count, const T* x, const T* dy, T* dx,
                         double cap);
template <typename T>
void gated_forward(Activation f, std::int64_t count, const T* gate, const T* value, T* y);
template <typename T>
void gated_backward(Activation f, std::int64_t count, const T* gate, const T* value, const T* dy,
                    T* dgate, T* dvalue);

}  // namespace xlab::cuda
