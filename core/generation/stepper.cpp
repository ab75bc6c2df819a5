// Generation without recordings.
#include "core/generation/stepper.hpp"

#include <utility>

#include "core/known_token.hpp"
#include "kernels/device/readback.hpp"

namespace xlab {

std::vector<float> Stepper::pass(std::span<const int> tokens, bool all) {
  check(!tokens.empty(), "There are no tokens to feed to the model.");
  for (const int token : tokens) check_token(model_->spec(), token);
  check(!lost_, "The model's state was lost with a pass that failed: begin again.");
  const auto count = static_cast<std::int64_t>(tokens.size());
  const Tensor ids = Tensor::from<std::int32_t>({1, count}, tokens);
  Tape tape(Tape::Mode::inference);
  State after;
  lost_ = true;
  const Tensor logits = tape.value(model_->go_on(tape, ids, std::move(state_), after));
  const std::int64_t vocabulary = logits.extent(-1);
  std::vector<float> answer =
      floats_of(all ? logits : logits.reshape({count, vocabulary}).slice(count - 1, count));
  state_ = std::move(after);
  lost_ = false;
  return answer;
}

std::vector<float> Stepper::feed_for_all(std::span<const int> tokens) {
  return pass(tokens, true);
}

std::vector<float> Stepper::feed(std::span<const int> tokens) {
  return pass(tokens, false);
}

}  // namespace xlab
