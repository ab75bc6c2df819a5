// One optimisation step in plain doubles over a whole batch at once: what a training step, however
// it is cut and wherever it is computed, must agree with.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/training/trainer.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {

struct WholeStep {
  double loss = 0.0, accuracy = 0.0, gradient_norm = 0.0;
  /// Laid out as the model's block, after the step; the gradient before it is clipped.
  std::vector<double> gradient, first_moment, second_moment, weights;
};

/// The first step of `train` on this batch. Its learning rate is the given one.
inline WholeStep whole_step(const Model& model, const Batch& batch, const TrainSpec& train,
                            double learning_rate) {
  Model exact(model.spec(), DType::f64);
  exact.params().values().copy_from(model.params().values().to(Device::cpu()).to(DType::f64));
  exact.params().grads().fill_zero();
  Tape tape(Tape::Mode::gradient);
  State after;
  const Var out = exact.forward(tape, batch.inputs, {}, after);
  const Tensor logits = tape.value(out);
  const Tensor dlogits = Tensor::zeros(logits.shape(), DType::f64);
  const std::int64_t vocabulary = logits.extent(2);
  const auto targets = batch.targets.span<std::int32_t>();
  const auto counted = static_cast<double>(
      std::count_if(targets.begin(), targets.end(), [](std::int32_t t) { return t >= 0; }));
  WholeStep step;
  for (std::size_t r = 0; r < targets.size(); ++r) {
    if (targets[r] < 0) continue;
    const auto first = static_cast<std::int64_t>(r) * vocabulary;
    const double* x = logits.data<double>() + first;
    const double* top = std::max_element(x, x + vocabulary);
    double sum = 0.0;
    for (std::int64_t v = 0; v < vocabulary; ++v) sum += std::exp(x[v] - *top);
    step.loss += (*top + std::log(sum) - x[targets[r]]) / counted;
    step.accuracy += top - x == targets[r] ? 1.0 / counted : 0.0;
    for (std::int64_t v = 0; v < vocabulary; ++v)
      dlogits.data<double>()[first + v] =
          (std::exp(x[v] - *top) / sum - (v == targets[r] ? 1.0 : 0.0)) / counted;
  }
  tape.backward(out, dlogits);
  const auto gradient = exact.params().grads().span<double>();
  step.gradient.assign(gradient.begin(), gradient.end());
  for (const double g : step.gradient) step.gradient_norm += g * g;
  step.gradient_norm = std::sqrt(step.gradient_norm);

  const double clip = train.gradient_clip;
  const bool clipped = clip > 0.0 && step.gradient_norm > clip;
  const auto values = exact.params().values().span<double>();
  step.weights.assign(values.begin(), values.end());
  // Between parameters there may be room, which stays 0.
  step.first_moment.assign(values.size(), 0.0);
  step.second_moment.assign(values.size(), 0.0);
  for (const ParamInfo& info : exact.params().infos()) {
    const double decay = info.decays ? learning_rate * train.weight_decay : 0.0;
    for (std::int64_t j = 0; j < info.shape.elements(); ++j) {
      const auto at = static_cast<std::size_t>(info.offset + j);
      const double g = step.gradient[at] * (clipped ? clip / step.gradient_norm : 1.0);
      step.first_moment[at] = (1.0 - train.beta1) * g;
      step.second_moment[at] = (1.0 - train.beta2) * g * g;
      step.weights[at] +=
          -decay * step.weights[at] - learning_rate * g / (std::abs(g) + train.adam_eps);
    }
  }
  return step;
}

/// The largest difference, relative to the largest number wanted.
inline double apart(const Tensor& seen_there, const std::vector<double>& wanted) {
  const Tensor seen = seen_there.to(Device::cpu()).to(DType::f64);
  EXPECT_EQ(static_cast<std::size_t>(seen.elements()), wanted.size());
  double largest = 1e-300, error = 0.0;
  for (std::size_t j = 0; j < wanted.size(); ++j) {
    const double x = seen.span<double>()[j];
    if (!std::isfinite(x)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::abs(wanted[j]));
    error = std::max(error, std::abs(x - wanted[j]));
  }
  return error / largest;
}

/// Sequences with so many targets each, the rest without.
inline Batch uneven_batch(std::int64_t length, int vocabulary, const std::vector<int>& targets) {
  const auto rows = static_cast<std::int64_t>(targets.size());
  const int all = static_cast<int>(rows * length);
  std::vector<int> wanted = some_tokens(all, vocabulary, 6);
  for (std::int64_t b = 0; b < rows; ++b) {
    // Spread over the whole row, the last token among them.
    const std::int64_t count = targets[static_cast<std::size_t>(b)];
    for (std::int64_t t = 0; t < length; ++t) {
      const bool asked = (t + 1) * count / length > t * count / length;
      if (!asked) wanted[static_cast<std::size_t>(b * length + t)] = -1;
    }
  }
  return {Tensor::from<std::int32_t>({rows, length}, some_tokens(all, vocabulary, 5)),
          Tensor::from<std::int32_t>({rows, length}, wanted)};
}

/// Takes the first step of a model on a batch, on this device, and compares everything it leaves
/// with the whole step. Returns the norm of the gradient.
inline double check_one_step(const ModelSpec& spec, const Batch& batch, TrainSpec train,
                             Device device, double head_scale = 1.0) {
  train.warmup_steps = 0;
  train.adam_eps = 0.01;  // so that a tiny gradient makes a tiny step, whatever its sign
  train.weight_decay = 0.2;
  Model model = filled_model(spec, DType::f32);
  for (float& x : model.params()[model.params().find("lm_head.weight")].value.span<float>())
    x *= static_cast<float>(head_scale);
  const auto task = make_tokens_task(spec.vocab_size);
  Trainer trainer(model, *task, train);
  const WholeStep wanted = whole_step(model, batch, train, train.learning_rate);
  trainer.move_to(device);
  const StepResult seen = trainer.step(batch);

  EXPECT_TRUE(seen.finite);
  EXPECT_EQ(seen.learning_rate, train.learning_rate);
  EXPECT_EQ(seen.tokens, batch.inputs.elements());
  EXPECT_NEAR(seen.loss, wanted.loss, 1e-5 * wanted.loss);
  EXPECT_NEAR(seen.accuracy, wanted.accuracy, 1e-9);
  EXPECT_NEAR(seen.gradient_norm, wanted.gradient_norm, 1e-4 * wanted.gradient_norm);
  EXPECT_LT(apart(model.params().grads(), wanted.gradient), 1e-4);
  EXPECT_LT(apart(trainer.first_moment(), wanted.first_moment), 1e-4);
  EXPECT_LT(apart(trainer.second_moment(), wanted.second_moment), 3e-4);
  EXPECT_LT(apart(model.params().values(), wanted.weights), 1e-5);
  return wanted.gradient_norm;
}

}  // namespace xlab::tests
