// One optimisation step: forward, loss, backward, clip, AdamW.
#include "core/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/loss.hpp"

namespace xlab {

Trainer::Trainer(Model& model, const Task& task, const TrainSpec& spec)
    : model_(model), task_(task), spec_(spec) {
  validate(spec);
  check(model.spec().dropout == 0.0,
        "The model asks for dropout {}, but training here applies none; set 'dropout' to 0.",
        model.spec().dropout);
  check(static_cast<int>(task.vocabulary().size()) <= model.spec().vocab_size,
        "The task has {} tokens, but the model's vocabulary holds only {}.",
        task.vocabulary().size(), model.spec().vocab_size);
  ranges_ = model.params().decay_ranges(spec.weight_decay);
  first_moment_ = Tensor::zeros(model.params().values().shape(), model.params().dtype());
  second_moment_ = Tensor::zeros(model.params().values().shape(), model.params().dtype());
}

StepResult Trainer::step() {
  return step(make_batch(task_, spec_, step_));
}

StepResult Trainer::step(const Batch& batch) {
  StepResult result;
  result.step = step_;
  result.tokens = batch.inputs.elements();
  result.learning_rate = learning_rate_at(spec_, step_) * learning_rate_scale;

  Params& params = model_.params();
  params.grads().fill_zero();
  Tape tape(Tape::Mode::gradient);
  State after;
  const Var logits = model_.forward(tape, batch.inputs, {}, after);
  Tensor dlogits = Tensor::empty(tape.value(logits).shape(), params.dtype());
  const kernels::CrossEntropy loss =
      kernels::cross_entropy(tape.value(logits), batch.targets, dlogits, {});
  result.loss = loss.loss;
  result.accuracy = loss.counted == 0
                        ? 0.0
                        : static_cast<double>(loss.correct) / static_cast<double>(loss.counted);
  if (!std::isfinite(loss.loss)) {
    result.finite = false;
    ++step_;
    return result;
  }
  tape.backward(logits, dlogits);
  result.gradient_norm = kernels::gradient_norm(params.grads());
  if (!std::isfinite(result.gradient_norm)) {
    result.finite = false;
    ++step_;
    return result;
  }
  const double clip = spec_.gradient_clip;
  kernels::adamw_step(
      {.learning_rate = result.learning_rate,
       .beta1 = spec_.beta1,
       .beta2 = spec_.beta2,
       .eps = spec_.adam_eps,
       .gradient_scale = clip > 0 ? std::min(1.0, clip / (result.gradient_norm + 1e-6)) : 1.0,
       .step = step_ + 1},
      ranges_, params.values(), params.grads(), first_moment_, second_moment_);
  ++step_;
  return result;
}

}  // namespace xlab
