// One optimisation step: forward, loss, backward, clip, AdamW.
#include "core/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/loss.hpp"

namespace xlab {
namespace {

// The square of a larger gradient does not fit into the second moment.
constexpr double kLargestGradient = 1e18;

}  // namespace

Trainer::Trainer(Model& model, const Task& task, const TrainSpec& spec)
    : model_(model), task_(task), spec_(spec) {
  validate(spec);
  check(model.spec().dropout == 0.0 || !task.has_data(),
        "The model asks for dropout {}, but training here applies none; set 'dropout' to 0.",
        model.spec().dropout);
  check(static_cast<int>(task.vocabulary().size()) <= model.spec().vocab_size,
        "The task has {} tokens, but the model's vocabulary holds only {}.",
        task.vocabulary().size(), model.spec().vocab_size);
  check(spec.sequence_length >= task.shortest(),
        "The task '{}' needs sequences of at least {} tokens; 'sequence_length' is {}.",
        task.name(), task.shortest(), spec.sequence_length);
  if (!model.params().trainable()) return;
  ranges_ = model.params().decay_ranges(spec.weight_decay);
  first_moment_ = Tensor::zeros(model.params().values().shape(), model.params().dtype());
  second_moment_ = Tensor::zeros(model.params().values().shape(), model.params().dtype());
  previous_ = Tensor::empty(model.params().values().shape(), model.params().dtype());
}

StepResult Trainer::step() {
  check(task_.has_data(),
        "There is nothing to train on: this model came with its weights and without data. To train "
        "it on, start from its folder with a task or a text.");
  return step(make_batch(task_, spec_, step_));
}

StepResult Trainer::step(const Batch& batch) {
  if (!fits_) {
    check(model_.params().trainable(),
          "This model is held to be read only, without room for gradients: it is too large to be "
          "trained here.");
    validate(model_.spec(), spec_);
    fits_ = true;
  }
  StepResult result;
  result.step = step_;
  result.tokens = batch.inputs.elements();
  result.learning_rate = learning_rate_at(spec_, step_) * learning_rate_scale;

  Params& params = model_.params();
  params.grads().fill_zero();
  Tape tape(Tape::Mode::gradient, nullptr, cancel);
  State after;
  const Var logits = model_.forward(tape, batch.inputs, {}, after);
  Tensor dlogits = Tensor::empty(tape.value(logits).shape(), params.dtype());
  const kernels::CrossEntropy loss =
      kernels::cross_entropy(tape.value(logits), batch.targets, dlogits, {});
  result.loss = loss.loss;
  result.accuracy = loss.counted == 0
                        ? 0.0
                        : static_cast<double>(loss.correct) / static_cast<double>(loss.counted);
  result.finite = std::isfinite(loss.loss);
  if (result.finite) {
    tape.backward(logits, dlogits);
    result.gradient_norm = kernels::gradient_norm(params.grads());
    const double clip = spec_.gradient_clip;
    const double scale = clip > 0 ? std::min(1.0, clip / (result.gradient_norm + 1e-6)) : 1.0;
    result.finite = result.gradient_norm * scale <= kLargestGradient && update(result, scale);
  }
  ++step_;
  return result;
}

bool Trainer::update(const StepResult& result, double gradient_scale) {
  const Params& params = model_.params();
  previous_.copy_from(params.values());
  kernels::adamw_step({.learning_rate = result.learning_rate,
                       .beta1 = spec_.beta1,
                       .beta2 = spec_.beta2,
                       .eps = spec_.adam_eps,
                       .gradient_scale = gradient_scale,
                       .step = step_ + 1},
                      ranges_, params.values(), params.grads(), first_moment_, second_moment_);
  if (kernels::all_finite(params.values())) return true;
  // The gradient was sound, so the moments are not: the optimizer starts afresh.
  params.values().copy_from(previous_);
  first_moment_.fill_zero();
  second_moment_.fill_zero();
  return false;
}

}  // namespace xlab
