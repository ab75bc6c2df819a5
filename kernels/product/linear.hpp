// Dense, block-diagonal and batched matrix products. Every backward *adds* into its outputs.
#pragma once

#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// y = x W^T + b. x (..., in), w (out, in), b (out) or absent, y (..., out). Beside w of bf16,
/// or in blocks of 8 or 4 bits, everything else is f32.
void linear_forward(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y);
/// dx += dy W ; dw += dy^T x ; db += sum dy. Each gradient may be absent.
void linear_backward(const Tensor& x, const Tensor& w, const Tensor& dy, const Tensor& dx,
                     const Tensor& dw, const Tensor& db);

/// Block-diagonal ("headwise") product: the last axis of x is cut into nb slices of d;
/// y[h, o] = sum_d w[h, o, d] x[h, d] + b[h, o]. x (..., nb*d), w (nb, o, d), b (nb*o) or absent,
/// y (..., nb*o).
void headwise_forward(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y);
/// As linear_backward, per block.
void headwise_backward(const Tensor& x, const Tensor& w, const Tensor& dy, const Tensor& dx,
                       const Tensor& dw, const Tensor& db);

}  // namespace xlab::kernels
