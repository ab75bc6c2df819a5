// The matrix product with weights stored in blocks; for linear.cpp only.
#pragma once

#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// As linear_forward, with w in blocks of 8 or 4 bits and everything else f32. Sums are in f32:
/// those of a block first, times its scale, then over the blocks of a row.
void linear_forward_blocks(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y);

}  // namespace xlab::kernels
