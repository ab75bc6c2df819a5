// Training steps on a card.
#include "core/training/device_step.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/config.hpp"
#include "kernels/device/cuda.hpp"
#include "kernels/loss.hpp"

namespace xlab {
namespace {

// Places in the block of numbers: what a step is given, and behind it what it gives back.
constexpr std::int64_t kNumbers = 0, kFactor = 3, kGiven = 4;
constexpr int kMostRefusals = 3;  // of a recording
constexpr std::int64_t kLossSums = 4, kSquaredNorm = 7, kOutcome = 8, kAll = 10;

void check_tokens(const Batch& batch, std::int32_t vocabulary) {
  for (const std::int32_t token : batch.inputs.span<std::int32_t>())
    check(token >= 0 && token < vocabulary,
          "Token {} of the batch is outside the model's vocabulary of {}.", token, vocabulary);
  for (const std::int32_t target : batch.targets.span<std::int32_t>())
    check(target < vocabulary, "Target {} of the batch is outside the model's vocabulary of {}.",
          target, vocabulary);
}

}  // namespace

DeviceStep::DeviceStep(const Model& model, kernels::GuardedUpdate update, const Shape& batch)
    : model_(model),
      update_(std::move(update)),
      revision_(model.revision()),
      precision_(matrix_precision()),
      tokens_(Tensor::empty({2, batch[0], batch[1]}, DType::i32, model.device())),
      numbers_(Tensor::zeros({kAll}, DType::f64, model.device())),
      factor_(numbers_.slice(kFactor, kFactor + 1)),
      landed_(numbers_.bytes() + tokens_.bytes()) {
  update_.numbers = numbers_.slice(kNumbers, kFactor);
  update_.loss_sums = numbers_.slice(kLossSums, kSquaredNorm);
  update_.squared_norm = numbers_.slice(kSquaredNorm, kOutcome);
  update_.outcome = numbers_.slice(kOutcome, kAll);
}

bool DeviceStep::fits(const Batch& batch) const {
  return batch.inputs.shape() == Shape{tokens_.extent(1), tokens_.extent(2)} &&
         revision_ == model_.revision() && precision_ == matrix_precision() &&
         update_.parameters.raw() == model_.params().values().raw();
}

DeviceStep::Outcome DeviceStep::run(const Batch& batch, std::int64_t counted, double learning_rate,
                                    std::int64_t step, const std::atomic<bool>* cancel) {
  check_tokens(batch, model_.spec().vocab_size);
  if (cancel && cancel->load()) throw Cancelled();
  // Every step waits for its own end, so nobody reads from here any more.
  double* const numbers = landed_.as<double>();
  numbers[0] = learning_rate;
  numbers[1] = 1.0 - std::pow(update_.beta1, static_cast<double>(step));
  numbers[2] = 1.0 - std::pow(update_.beta2, static_cast<double>(step));
  numbers[kFactor] = 1.0 / static_cast<double>(std::max<std::int64_t>(1, counted));
  auto* const tokens = reinterpret_cast<std::int32_t*>(numbers + kAll);
  const auto targets = std::ranges::copy(batch.inputs.span<std::int32_t>(), tokens).out;
  std::ranges::copy(batch.targets.span<std::int32_t>(), targets);
  if constexpr (kHasCuda) {
    cuda::use(model_.device().index);
    cuda::copy_to_device(numbers_.raw(), numbers, kGiven * sizeof(double));
    cuda::copy_to_device(tokens_.raw(), tokens, tokens_.bytes());
    if (record(cancel)) {
      graph_->launch();
    } else {
      ask(cancel);
    }
    cuda::copy_to_pinned(numbers + kGiven, numbers_.slice(kGiven, kAll).raw(),
                         (kAll - kGiven) * sizeof(double));
    cuda::synchronise();
  }
  warm_ = true;
  return {.loss_sum = numbers[kLossSums],
          .correct = numbers[kLossSums + 2],
          .gradient_norm = numbers[kOutcome],
          .counts = numbers[kOutcome + 1] == 1.0};
}

void DeviceStep::ask(const std::atomic<bool>* cancel) const {
  update_.gradients.fill_zero();
  {
    Tape tape(Tape::Mode::gradient, nullptr, cancel);
    State after;
    const Shape rows{tokens_.extent(1), tokens_.extent(2)};
    const Var logits = model_.forward(tape, tokens_.slice(0, 1).reshape(rows), {}, after);
    const Tensor& out = tape.value(logits);
    const Tensor dlogits = Tensor::empty(out.shape(), out.dtype(), out.device());
    kernels::cross_entropy_sums(out, tokens_.slice(1, 2).reshape(rows), factor_, dlogits,
                                update_.loss_sums);
    tape.backward(logits, dlogits);
  }
  kernels::squared_norm(update_.gradients, update_.squared_norm);
  kernels::adamw_step_guarded(update_);
}

bool DeviceStep::record(const std::atomic<bool>* cancel) {
  // What a first step has made, like the memory that it gave back, is there for the recording.
  if (!graph_ && warm_ && recordable_) {
    try {
      graph_ = std::make_unique<DeviceGraph>(model_.device(), [&] { ask(cancel); });
    } catch (const Cancelled&) {
      throw;
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error&) {
      // Memory may have been short for once. Without a recording every step is asked for one
      // operation after the other.
      recordable_ = ++refusals_ < kMostRefusals;
    }
  }
  return graph_ != nullptr;
}

}  // namespace xlab
