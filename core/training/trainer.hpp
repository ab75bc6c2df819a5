// Training: one optimisation step at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/model.hpp"
#include "core/tasks/task.hpp"
#include "core/training/device_step.hpp"

namespace xlab {

/// What one step did.
struct StepResult {
  std::int64_t step = 0;  ///< number of the step, counted from 0
  double loss = 0.0;      ///< before the update, nats per counted target
  double accuracy = 0.0;
  double gradient_norm = 0.0;  ///< before clipping
  double learning_rate = 0.0;
  std::int64_t tokens = 0;
  /// False when the loss, the gradient or the new weights were not finite; then the weights were
  /// left as they were.
  bool finite = true;
};

/// Owns the optimizer's moments and the step count; the model belongs to the caller.
/// Step n is a function of the weights, the moments and n alone.
class Trainer {
 public:
  /// Throws when the specification is impossible or asks for dropout, which is not applied here. A
  /// model that is only read has a trainer too, but steps are refused.
  Trainer(Model& model, const Task& task, const TrainSpec& spec);

  /// One step on batch number `steps_done()`. Throws when it would not fit into memory, when the
  /// task has no data, and
  /// `Cancelled` soon after `cancel` has become true; then nothing has changed.
  StepResult step();
  /// One step on a given batch; targets below zero are ignored.
  StepResult step(const Batch& batch);

  /// Brings the model and the optimizer's moments to a device. Throws when there is no room for all
  /// of it there; then nothing has changed.
  void move_to(Device device);

  std::int64_t steps_done() const { return step_; }
  const TrainSpec& spec() const { return spec_; }
  /// Multiplies the schedule's learning rate.
  double learning_rate_scale = 1.0;
  /// Set by another thread to give up the step at hand. Null: nobody does.
  const std::atomic<bool>* cancel = nullptr;
  /// Called before a step overwrites weights and moments in host memory: from the beginning of the
  /// step until then they may be read by another thread.
  std::function<void()> before_update;

  const Tensor& first_moment() const { return first_moment_; }
  const Tensor& second_moment() const { return second_moment_; }
  /// Gives back the memory that only steps need; the next one asks for it again.
  void rest();
  /// Goes on from a saved place; the moments are written by the caller.
  void resume_at(std::int64_t step) { step_ = step; }

 private:
  /// Sequences [begin, end) of a batch, computed on one thread with gradients of its own.
  struct Part {
    std::int64_t begin, end;
    Params params;
    std::int64_t counted = 0, correct = 0;  // targets asked for and met
    double loss = 0.0;                      // mean over the counted ones
  };
  /// The step on a card; fills in what came out.
  void run_on_card(const Batch& batch, StepResult& result);
  void cut(const Batch& batch);
  void run(const Batch& batch, std::int64_t counted, Part& part) const;
  /// AdamW with the gradients at hand. Returns false when it would not leave finite weights.
  bool update(const StepResult& result, double gradient_scale);

  Model& model_;
  const Task& task_;
  TrainSpec spec_;
  std::vector<kernels::DecayRange> ranges_;
  Tensor first_moment_, second_moment_;
  Tensor previous_;  // the weights before the update
  std::int64_t step_ = 0;
  std::vector<Part> parts_;  // of a batch
  std::unique_ptr<DeviceStep> device_step_;
  bool fits_ = false;  // whether a step is known to fit into memory
};

}  // namespace xlab
