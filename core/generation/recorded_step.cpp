// One token through a model, watched.
#include "core/generation/recorded_step.hpp"

#include <cstdint>

#include "core/known_token.hpp"
#include "core/tape.hpp"

namespace xlab {

std::vector<float> recorded_step(const Model& model, int token, int time,
                                 std::span<const Clamp> clamps, const State& before, State& after,
                                 TokenTrace& trace, const std::atomic<bool>* cancel) {
  check_token(model.spec(), token);
  const Observer observer{&trace, clamps, time};
  Tape tape(Tape::Mode::inference, &observer, cancel);
  const Tensor ids = Tensor::empty({1, 1}, DType::i32);
  *ids.data<std::int32_t>() = token;
  return tape.read(model.forward(tape, ids, before, after));
}

}  // namespace xlab
