// Generation without recordings.
#include "core/stepper.hpp"

#include <algorithm>

#include "kernels/route.hpp"

namespace xlab {

std::vector<float> Stepper::feed(std::span<const int> tokens) {
  check(!tokens.empty(), "There are no tokens to feed to the model.");
  const auto count = static_cast<std::int64_t>(tokens.size());
  const Tensor ids = Tensor::from<std::int32_t>({1, count}, tokens);
  Tape tape(Tape::Mode::inference);
  State after;
  const Tensor logits = tape.value(model_->forward(tape, ids, state_, after));
  state_ = std::move(after);

  const std::int64_t vocabulary = logits.extent(-1);
  std::vector<float> out(static_cast<std::size_t>(vocabulary));
  visit_float(logits, [&]<typename T>(T) {
    const T* last = logits.data<T>() + (count - 1) * vocabulary;
    std::transform(last, last + vocabulary, out.begin(), [](T x) { return static_cast<float>(x); });
  });
  return out;
}

}  // namespace xlab
