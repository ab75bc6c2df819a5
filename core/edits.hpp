// Edits with a name: what people ask of a memory, as clamps. Standard types only.
#pragma once

#include <optional>
#include <span>
#include <string_view>

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

/// As good as no end: no sequence gets there.
inline constexpr int kAllSteps = 100'000;
/// Whether it acts at every step there is and can be.
inline bool acts_at_all_steps(const Clamp& clamp) {
  return clamp.begin == 0 && clamp.end >= kAllSteps;
}

/// The output gates of a head, or of all heads (`Clamp::kAll`), are closed over a whole sequence of
/// `length` steps: its answers are gone, its memory is not. Nothing where the cell has no output
/// gate that can be held.
std::optional<Clamp> switched_off(const BlockCard& block, int head, int length);

/// What all edits of a number at one step come to, one after the other: scale * number + plus.
struct EditedNumber {
  double scale = 1.0, plus = 0.0;
  bool any = false;  ///< whether there is one

  /// It does not matter any more what the model computes.
  bool held() const { return any && scale == 0.0; }
};
EditedNumber edits_of(std::span<const Clamp> clamps, std::string_view path, int head, int unit,
                      int step);

/// The same over other steps, at least one. A curve keeps its values where they were; beyond its
/// ends it goes on with the first and the last of them.
Clamp over_steps(Clamp clamp, int begin, int end);

}  // namespace xlab
