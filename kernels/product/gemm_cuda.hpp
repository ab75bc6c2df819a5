// Matrix products on CUDA devices. C++17 only, because nvcc reads it too. T is float or double.
#pragma once

#include <cstdint>

#include "kernels/product/gemm.hpp"

namespace xlab::cuda {

/// Products of one size at equal distances: `count` of them, and how many numbers lie from one
/// factor, result or bias to the next.
struct Batch {
  std::int64_t count = 1;
  std::int64_t a = 0, b = 0, c = 0, bias = 0;
};

/// Computes the product, or every one of a batch; the results must not overlap. Every number is
/// summed in an order that depends on the sizes alone. f32 products may round their factors first,
/// see set_matrix_precision.
template <typename T>
void gemm(const kernels::Product<T>& product, const Batch& batch = {});

/// y (rows, out) = x (rows, in) w^T + bias, with w (out, in) given by the bits of its bf16 numbers;
/// bias may be null.
void linear_bf16(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
                 const std::uint16_t* w, const float* bias, float* y);

}  // namespace xlab::cuda
