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

/// An update that decides for itself whether it counts, without waiting for a card. What differs
/// from step to step lies in tensors, so that a recorded run of it can be repeated.
struct GuardedUpdate {
  Tensor numbers;  ///< f64 (3): learning rate, 1 - beta1^t, 1 - beta2^t, t counted from 1
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double gradient_clip = 0.0;      ///< longest gradient, longer ones are scaled down to it; 0: any
  double largest_gradient = 1e18;  ///< norm after clipping from which on a step does not count
  Tensor loss_sums;                ///< f64 (3), from cross_entropy_sums
  Tensor squared_norm;             ///< f64 (1), of the gradients
  Tensor parameters, gradients, first_moment, second_moment;  ///< as in adamw_step
  Tensor previous;  ///< like the parameters; receives them as they were before the update
  std::vector<DecayRange> ranges;
  Tensor outcome;  ///< f64 (2), receives the gradient norm and 1 if the step counts, otherwise 0
};

/// adamw_step with gradient_scale = min(1, gradient_clip / (norm + 1e-6)), unless
///  - the loss (sum / counted; 0 where nothing counts) is not finite: then nothing is touched, and
///    the norm given is 0; or the norm of the scaled gradients is not at most `largest_gradient`:
///    then nothing is touched either;
///  - a parameter would no longer be finite: then the parameters stay, both moments become 0.
/// A step that counts gives the bits of adamw_step on the same device.
void adamw_step_guarded(const GuardedUpdate& update);

/// out f64 (1) = sum of the squares, in double in fixed chunks, without waiting for a card.
void squared_norm(const Tensor& gradients, const Tensor& out);
/// Global L2 norm, the root of squared_norm. Waits for a card.
double gradient_norm(const Tensor& gradients);

/// True when every value is finite. Waits for a card.
bool all_finite(const Tensor& x);

}  // namespace xlab::kernels
