// Generation without recordings.
#include "core/generation/stepper.hpp"

#include "core/known_token.hpp"
#include "kernels/device/readback.hpp"

namespace xlab {

Tensor Stepper::logits_of(std::span<const int> tokens) {
  check(!tokens.empty(), "There are no tokens to feed to the model.");
  for (const int token : tokens) check_token(model_->spec(), token);
  const auto count = static_cast<std::int64_t>(tokens.size());
  const Tensor ids = Tensor::from<std::int32_t>({1, count}, tokens);
  Tape tape(Tape::Mode::inference);
  State after;
  Tensor logits = tape.value(model_->forward(tape, ids, state_, after));
  state_ = std::move(after);
  return logits;
}

std::vector<float> Stepper::feed_for_all(std::span<const int> tokens) {
  return floats_of(logits_of(tokens));
}

std::vector<float> Stepper::feed(std::span<const int> tokens) {
  const Tensor logits = logits_of(tokens);
  const std::int64_t vocabulary = logits.extent(-1), rows = logits.elements() / vocabulary;
  return floats_of(logits.reshape({rows, vocabulary}).slice(rows - 1, rows));
}

}  // namespace xlab
