// Softmax, and its cross-entropy with ignored targets.
#pragma once

#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// p = softmax(logits / temperature) over the last axis. logits, p (..., V); p may be logits.
void softmax(const Tensor& logits, const Tensor& p, double temperature = 1.0);

/// Mean cross-entropy in nats over the targets that are not negative.
struct CrossEntropy {
  double loss = 0.0;  ///< mean over `counted` targets; 0 when there are none
  std::int64_t counted = 0;
  std::int64_t correct =
      0;  ///< how often the target has the largest logit (the first one in a tie)
};

/// logits (..., V), targets i32 with one target per row; a negative target is ignored.
/// `dlogits` (may be absent) is overwritten with (softmax - onehot) / counted * scale, 0 on ignored
/// rows. `row_loss` (rows; may be absent) receives each row's cross-entropy, 0 where ignored.
/// Throws when a target is V or larger. Summed in double, in a fixed order. Waits for a card.
CrossEntropy cross_entropy(const Tensor& logits, const Tensor& targets, const Tensor& dlogits,
                           const Tensor& row_loss, double scale = 1.0);

/// The cross-entropy of a training step, without waiting for a card: `dlogits` (may be absent) is
/// overwritten with (softmax - onehot) * factor, 0 on ignored rows, where `factor` f64 (1) lies on
/// the device; `sums` f64 (3) is overwritten with the sum of the rows' cross-entropies, how many
/// targets are not negative, and how many of these have the largest logit. Added in a fixed order.
/// A target that is V or larger makes all three NaN, and its row of dlogits too.
void cross_entropy_sums(const Tensor& logits, const Tensor& targets, const Tensor& factor,
                        const Tensor& dlogits, const Tensor& sums);

}  // namespace xlab::kernels
