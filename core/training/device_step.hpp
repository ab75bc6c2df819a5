// Training steps on a card: asked for as a whole, waited for once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/model.hpp"
#include "core/tasks/task.hpp"
#include "kernels/adamw.hpp"
#include "kernels/device/graph.hpp"
#include "kernels/device/pinned.hpp"
#include "kernels/product/precision.hpp"

namespace xlab {

/// Steps on batches of one shape. The first one is asked for operation by operation; it is recorded
/// with the second, which and all later ones are repeated as a whole, with the same bits.
class DeviceStep {
 public:
  /// What came out of a step.
  struct Outcome {
    double loss_sum = 0.0;  ///< over the targets that are not negative
    double correct = 0.0;   ///< how many of these were met
    double gradient_norm = 0.0;
    bool counts = false;  ///< whether the weights were changed
  };

  /// `update` names the parameters of the model, their gradients and moments, and the constants of
  /// AdamW. Tensors of its own are made here.
  DeviceStep(const Model& model, kernels::GuardedUpdate update, const Shape& batch);

  /// Whether this can do a step on such a batch: the model is where and what it was.
  bool fits(const Batch& batch) const;
  /// One step: number `step`, counted from 1, on a batch in host memory of which `counted` targets
  /// are not negative. Throws `Cancelled` soon after `cancel` has become true, and for tokens
  /// outside the vocabulary; then nothing has changed.
  Outcome run(const Batch& batch, std::int64_t counted, double learning_rate, std::int64_t step,
              const std::atomic<bool>* cancel);

 private:
  void ask(const std::atomic<bool>* cancel) const;
  /// Records a step unless that was found to be impossible. Returns whether there is a recording.
  bool record(const std::atomic<bool>* cancel);

  const Model& model_;
  kernels::GuardedUpdate update_;
  std::int64_t revision_;  // of the model's equations
  MatrixPrecision precision_;
  Tensor tokens_;   // i32 (2, B, T): inputs and targets
  Tensor numbers_;  // f64, see device_step.cpp
  Tensor factor_;   // of the gradient of a row's loss
  Pinned landed_;   // numbers_ on the host, and then the tokens
  std::unique_ptr<DeviceGraph> graph_;
  bool warm_ = false;  // whether a step was done
  bool recordable_ = true;
  int refusals_ = 0;
};

}  // namespace xlab
