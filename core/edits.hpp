// Edits with a name: what people ask of a memory, as clamps. Standard types only.
#pragma once

#include <optional>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// A token leaves nothing in the memory of a head, or of all heads (`Clamp::kAll`): its input gate
/// is closed at that one step, so C and n take up nothing of it, and everything later goes on from
/// there. The first token of a memory that divides by the sum of its weights alone (c / n of an
/// sLSTM) still stands there until the next one is written: an average of one is that one. Nothing
/// where the cell has no input gate that can be held.
std::optional<Clamp> never_written(const BlockCard& block, int head, int step);
/// Whether a clamp is one of these.
bool is_never_written(const BlockCard& block, const Clamp& clamp);

/// The output gates of a head, or of all heads (`Clamp::kAll`), are closed over a whole sequence of
/// `length` steps: its answers are gone, its memory is not. Nothing where the cell has no output
/// gate that can be held.
std::optional<Clamp> switched_off(const BlockCard& block, int head, int length);

/// The same over other steps, at least one. A curve keeps its values where they were; beyond its
/// ends it goes on with the first and the last of them.
Clamp over_steps(Clamp clamp, int begin, int end);

}  // namespace xlab
