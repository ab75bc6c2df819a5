// One token through a model, with everything recorded that can be seen of it.
#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "core/model.hpp"
#include "core/snapshot.hpp"
#include "core/state.hpp"
#include "core/trace.hpp"

namespace xlab {

/// Feeds `token`, number `time` of a sequence, to the model in the state `before` (no cells: the
/// start) under these clamps. Fills in the state after it and what was recorded, and returns the
/// logits for the next token, all of it the same to the bit wherever it is asked for. Throws for
/// tokens outside the vocabulary, and `Cancelled` once `cancel` (may be null) has become true.
std::vector<float> recorded_step(const Model& model, int token, int time,
                                 std::span<const Clamp> clamps, const State& before, State& after,
                                 TokenTrace& trace, const std::atomic<bool>* cancel = nullptr);

}  // namespace xlab
