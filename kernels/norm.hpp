// Layer, per-head and RMS normalisation.
#pragma once

#include "kernels/tensor.hpp"

namespace xlab::kernels {

enum class NormKind { layer, rms };

/// Each row of x (..., D) is cut into `groups` slices of n = D / groups; per slice, with mean mu
/// and biased variance var, r = 1 / sqrt(var + eps):
///   layer: y = (x - mu) r s          rms: y = x / sqrt(mean(x^2) + eps) s
/// with s = scale_offset + weight (weight (D); absent: s = 1). groups = 1 is LayerNorm / RMSNorm,
/// groups = heads the per-head norm. The paper's models store the scale as an offset from 1
/// (scale_offset = 1), the large ones store it as it is (scale_offset = 0).
struct NormOptions {
  NormKind kind = NormKind::layer;
  std::int64_t groups = 1;
  double eps = 1e-5;
  double scale_offset = 1.0;
};

/// x, y (..., D). `mean` and `rstd` (rows, groups) are outputs that the backward pass needs; for
/// rms `mean` is left as zeros.
void norm_forward(const NormOptions& options, const Tensor& x, const Tensor& weight,
                  const Tensor& y, const Tensor& mean, const Tensor& rstd);
/// dx += r (g - mean(g) - xhat mean(g xhat)) with g = dy s (rms drops mean(g)); dweight += sum dy
/// xhat. Either gradient may be absent.
void norm_backward(const NormOptions& options, const Tensor& x, const Tensor& weight,
                   const Tensor& mean, const Tensor& rstd, const Tensor& dy, const Tensor& dx,
                   const Tensor& dweight);

}  // namespace xlab::kernels
