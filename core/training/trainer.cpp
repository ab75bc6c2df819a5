// One optimisation step: forward, loss, backward, clip, AdamW.
#include "core/training/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/device/threads.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/loss.hpp"

namespace xlab {
namespace {

// The square of a larger gradient does not fit into the second moment.
constexpr double kLargestGradient = 1e18;

// A batch is cut into parts that need nothing of each other, so that every thread has work without
// waiting. The cut depends on sizes alone: results are the same on any number of threads.
constexpr std::int64_t kMostParts = 4;
constexpr std::int64_t kLeastTokens = 256;           // in a part
constexpr std::int64_t kMostGradients = 64'000'000;  // numbers in the gradients of all parts

std::int64_t counted_targets(const Tensor& targets) {
  const auto all = targets.span<std::int32_t>();
  return std::count_if(all.begin(), all.end(), [](std::int32_t target) { return target >= 0; });
}

}  // namespace

Trainer::Trainer(Model& model, const Task& task, const TrainSpec& spec)
    : model_(model), task_(task), spec_(spec) {
  validate(spec);
  check(model.spec().dropout == 0.0 || !task.has_data(),
        "The model asks for dropout {}, but training here applies none; set 'dropout' to 0.",
        model.spec().dropout);
  check(static_cast<int>(task.vocabulary().size()) <= model.spec().tokens(),
        "The task has {} tokens, but the model's vocabulary holds only {}.",
        task.vocabulary().size(), model.spec().tokens());
  check(spec.sequence_length >= task.shortest(),
        "The task '{}' needs sequences of at least {} tokens; 'sequence_length' is {}.",
        task.name(), task.shortest(), spec.sequence_length);
  if (!model.params().trainable()) return;
  ranges_ = model.params().decay_ranges(spec.weight_decay);
  const Tensor& values = model.params().values();
  first_moment_ = Tensor::zeros(values.shape(), values.dtype(), values.device());
  second_moment_ = Tensor::zeros(values.shape(), values.dtype(), values.device());
  previous_ = Tensor::empty(values.shape(), values.dtype(), values.device());
}

void Trainer::move_to(Device device) {
  if (device == model_.device()) return;
  Params params = model_.params().on(device);
  Tensor first = first_moment_.to(device), second = second_moment_.to(device), previous;
  if (params.trainable()) previous = Tensor::empty(params.values().shape(), params.dtype(), device);
  parts_.clear();
  device_step_.reset();
  model_.params() = std::move(params);
  first_moment_ = std::move(first);
  second_moment_ = std::move(second);
  previous_ = std::move(previous);
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
    // A card says itself what it has no room for.
    if (model_.device() == Device::cpu()) validate(model_.spec(), spec_);
    fits_ = true;
  }
  StepResult result;
  result.step = step_;
  result.tokens = batch.inputs.elements();
  result.learning_rate = learning_rate_at(spec_, step_) * learning_rate_scale;

  if (model_.device() != Device::cpu()) {
    run_on_card(batch, result);
    ++step_;
    return result;
  }
  cut(batch);
  std::int64_t counted = 0;
  for (Part& part : parts_) {
    part.counted = counted_targets(batch.targets.slice(part.begin, part.end));
    counted += part.counted;
  }
  parallel_for(static_cast<std::int64_t>(parts_.size()), [&](std::int64_t index) {
    run(batch, counted, parts_[static_cast<std::size_t>(index)]);
  });

  // Added up in order, whoever computed them.
  const Tensor& gradients = model_.params().grads();
  std::int64_t correct = 0;
  for (const Part& part : parts_) {
    if (counted > 0)
      result.loss += part.loss * static_cast<double>(part.counted) / static_cast<double>(counted);
    correct += part.correct;
    if (&part != &parts_.front()) kernels::accumulate(gradients, part.params.grads());
  }
  result.accuracy =
      counted == 0 ? 0.0 : static_cast<double>(correct) / static_cast<double>(counted);
  result.finite = std::isfinite(result.loss);
  if (result.finite) {
    result.gradient_norm = kernels::gradient_norm(gradients);
    const double clip = spec_.gradient_clip;
    const double scale = clip > 0 ? std::min(1.0, clip / (result.gradient_norm + 1e-6)) : 1.0;
    result.finite = result.gradient_norm * scale <= kLargestGradient && update(result, scale);
  }
  ++step_;
  return result;
}

void Trainer::run_on_card(const Batch& batch, StepResult& result) {
  if (!device_step_ || !device_step_->fits(batch)) {
    device_step_.reset();  // its memory goes to the next one
    const Params& params = model_.params();
    device_step_ =
        std::make_unique<DeviceStep>(model_,
                                     kernels::GuardedUpdate{.numbers = {},
                                                            .beta1 = spec_.beta1,
                                                            .beta2 = spec_.beta2,
                                                            .eps = spec_.adam_eps,
                                                            .gradient_clip = spec_.gradient_clip,
                                                            .largest_gradient = kLargestGradient,
                                                            .loss_sums = {},
                                                            .squared_norm = {},
                                                            .parameters = params.values(),
                                                            .gradients = params.grads(),
                                                            .first_moment = first_moment_,
                                                            .second_moment = second_moment_,
                                                            .previous = previous_,
                                                            .ranges = ranges_,
                                                            .outcome = {}},
                                     batch.inputs.shape());
  }
  const std::int64_t counted = counted_targets(batch.targets);
  const DeviceStep::Outcome outcome =
      device_step_->run(batch, counted, result.learning_rate, step_ + 1, cancel);
  if (counted > 0) {
    result.loss = outcome.loss_sum / static_cast<double>(counted);
    result.accuracy = outcome.correct / static_cast<double>(counted);
  }
  result.gradient_norm = outcome.gradient_norm;
  result.finite = outcome.counts;
}

void Trainer::rest() {
  parts_.clear();
  device_step_.reset();
}

void Trainer::cut(const Batch& batch) {
  const std::int64_t rows = batch.inputs.extent(0), tokens = batch.inputs.elements();
  const Params& params = model_.params();
  const std::int64_t pieces = std::clamp<std::int64_t>(
      std::min({rows, tokens / kLeastTokens,
                kMostGradients / std::max<std::int64_t>(1, params.elements())}),
      1, kMostParts);
  if (!parts_.empty() && parts_.back().end == rows &&
      static_cast<std::int64_t>(parts_.size()) == pieces) {
    return;
  }
  parts_.clear();
  for (std::int64_t p = 0; p < pieces; ++p) {
    parts_.push_back({rows * p / pieces, rows * (p + 1) / pieces,
                      p == 0 ? params : params.with_own_gradients()});
  }
}

void Trainer::run(const Batch& batch, std::int64_t counted, Part& part) const {
  part.params.grads().fill_zero();
  Tape tape(Tape::Mode::gradient, nullptr, cancel);
  State after;
  const Var logits =
      model_.forward(tape, part.params, batch.inputs.slice(part.begin, part.end), {}, after);
  const Tensor dlogits = Tensor::empty(tape.value(logits).shape(), part.params.dtype());
  const double share =
      static_cast<double>(part.counted) / static_cast<double>(std::max<std::int64_t>(1, counted));
  const kernels::CrossEntropy loss = kernels::cross_entropy(
      tape.value(logits), batch.targets.slice(part.begin, part.end), dlogits, {}, share);
  part.loss = loss.loss;
  part.correct = loss.correct;
  if (std::isfinite(loss.loss)) tape.backward(logits, dlogits);
}

bool Trainer::update(const StepResult& result, double gradient_scale) {
  const Params& params = model_.params();
  if (before_update) before_update();
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
