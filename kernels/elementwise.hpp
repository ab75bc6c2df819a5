// Element-wise operations. Every backward *adds* into its gradient outputs.
#pragma once

#include "kernels/activation.hpp"
#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// out = a + b. All three of one shape; out may be a or b.
void add(const Tensor& a, const Tensor& b, const Tensor& out);
/// acc += scale * x
void accumulate(const Tensor& acc, const Tensor& x, double scale = 1.0);
/// out = scale * x
void scale(const Tensor& x, double scale, const Tensor& out);
/// out[n, j] = x[n, j] * w[j]; x (..., D), w (D).
void scale_columns(const Tensor& x, const Tensor& w, const Tensor& out);
/// dx[n, j] += dout[n, j] * w[j] ; dw[j] += sum_n dout[n, j] * x[n, j]. Either may be absent.
void scale_columns_backward(const Tensor& x, const Tensor& w, const Tensor& dout, const Tensor& dx,
                            const Tensor& dw);
/// out[n, j] = x[n, j] + b[j]; x (..., D), b (D).
void add_columns(const Tensor& x, const Tensor& b, const Tensor& out);
/// dx += dout ; db[j] += sum_n dout[n, j]. Either may be absent.
void add_columns_backward(const Tensor& dout, const Tensor& dx, const Tensor& db);

const char* name_of(Activation activation);

/// y = f(x); `cap` is c of soft_cap and unused otherwise. GELU is the exact erf form. y may be x.
void activation_forward(Activation f, const Tensor& x, const Tensor& y, double cap = 0.0);
/// dx += dy * f'(x)
void activation_backward(Activation f, const Tensor& x, const Tensor& dy, const Tensor& dx,
                         double cap = 0.0);

/// y = f(gate) * value: gated feed-forward layers and output branches. All of one shape.
void gated_forward(Activation f, const Tensor& gate, const Tensor& value, const Tensor& y);
/// dgate += dy * value * f'(gate) ; dvalue += dy * f(gate)
void gated_backward(Activation f, const Tensor& gate, const Tensor& value, const Tensor& dy,
                    const Tensor& dgate, const Tensor& dvalue);

}  // namespace xlab::kernels
