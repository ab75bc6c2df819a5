// Causal depthwise convolution with a carried window.
#pragma once

#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// y_t[f] = b[f] + sum_u w[f, u] x_{t - KS + 1 + u}[f]: w[:, KS-1] meets the current step.
/// x, y (batch, time, F), w (F, KS), b (F). `window` (batch, KS, F) holds the last KS inputs before
/// this call, oldest first; absent means zeros. `window_out` (same shape, may be absent) receives
/// the last KS inputs after it, the current one included; it must not be the same memory as
/// `window`.
void conv1d_forward(const Tensor& x, const Tensor& window, const Tensor& w, const Tensor& b,
                    const Tensor& y, const Tensor& window_out);
/// dx_s += sum_u w[u] dy_{s + KS - 1 - u}; dw[u] += sum dy_t x_{t - KS + 1 + u}; db += sum dy.
/// `dwindow` (batch, KS, F) receives what flows into the carried window (its oldest entry is never
/// read, so its gradient stays as it is). Each gradient may be absent.
void conv1d_backward(const Tensor& x, const Tensor& window, const Tensor& w, const Tensor& dy,
                     const Tensor& dx, const Tensor& dw, const Tensor& db, const Tensor& dwindow);

}  // namespace xlab::kernels
