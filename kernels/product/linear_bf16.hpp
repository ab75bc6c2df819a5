// The matrix product with weights stored as halves; for linear.cpp only.
#pragma once

#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// As linear_forward, with w of bf16 and everything else f32. Sums are in f32.
void linear_forward_bf16(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y);

}  // namespace xlab::kernels
