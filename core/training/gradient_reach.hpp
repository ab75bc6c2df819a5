// How far back the gradient of one step reaches: from the loss to the states of a block, and from
// what its cell puts out to what it reads.
#pragma once

#include <atomic>
#include <memory>

#include "core/model.hpp"
#include "core/snapshot.hpp"

namespace xlab {

/// A copy that gradients can be taken of while the model itself goes on: on the CPU, in double
/// precision where it has at most `kMostInDouble` parameters, and with the arithmetic of its
/// tensors. Throws a sentence for a model that is only read, or too large, or that computes in a
/// format whose rounding has no gradient (bf16, fp16).
std::unique_ptr<Model> copy_for_gradients(const Model& model);
inline constexpr std::int64_t kMostInDouble = 20'000'000, kMostForGradients = 50'000'000;

/// Fills what was found in a report that says what is asked: tokens (at least one), block, head,
/// clamps, target (-1: the likeliest one). One pass over the whole sequence and back gives the loss
/// and dh; then, with f_t the forget gate and G_t = d loss / d state_t in the units of step T,
///   G_t = f_{t+1} G_{t+1} + exp(m_T - m_t) d h_t / d state_t^T dh_t,
/// in logarithms of a common scale, so that nothing overflows and nothing is lost below the
/// smallest number. In a scalar memory dh_t has the part of R: dh_t + R^T dpre_{t+1}.
/// d h_T / d x_t takes one pass through the block for each number that the head puts out, at most
/// 128; several lie side by side as sequences of one batch.
/// The parameters' gradients of `model` are added to. Throws `Cancelled` some time after `cancel`
/// (may be null), and a sentence for what the model has not or there is no memory for.
void compute_reach(const Model& model, ReachReport& report,
                   const std::atomic<bool>* cancel = nullptr);

}  // namespace xlab
