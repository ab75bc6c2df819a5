// AdamW, and the gradient norm, over flat blocks of parameters.
#pragma once

#include <vector>

#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// A range of a flat block that shares one weight decay.
struct DecayRange {
  std::int64_t begin = 0, end = 0;  // in elements
  double weight_decay = 0.0;
};

struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double gradient_scale = 1.0;  ///< multiplies every gradient first (clipping)
  std::int64_t step = 1;        ///< number of this update, counted from 1, for the bias correction
};

/// One update as in PyTorch's AdamW:
///   p *= 1 - lr wd ; m = b1 m + (1 - b1) g ; v = b2 v + (1 - b2) g^2 ;
///   p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
/// All four tensors are flat and of one length; `ranges` cover it without gaps or overlaps.
void adamw_step(const AdamWOptions& options, const std::vector<DecayRange>& ranges,
                const Tensor& parameters, const Tensor& gradients, const Tensor& first_moment,
                const Tensor& second_moment);

/// Global L2 norm, summed in double in fixed chunks.
double gradient_norm(const Tensor& gradients);

/// True when every value is finite.
bool all_finite(const Tensor& x);

}  // namespace xlab::kernels
