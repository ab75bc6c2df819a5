// What can be taken back in a run, as it stands in the run's file.
//
// JSON: "format" 1, "step" the training step it was written at, "past" and "future" edits, each
// with its "name", its place "at" among those of all runs, and what it replaced: "tokens",
// "clamps", "sampler", "scale", "variant" or "title". Left out is what needs more than a few
// numbers: edits that bring weights or runs back, and all that could be undone or redone only after
// those.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "core/engine/history.hpp"
#include "core/run.hpp"

namespace xlab {

/// The second one where an edit is more than a number that is held at one value.
inline constexpr int kHistoryFormat = 1, kEditsHistoryFormat = 2;
/// More edits, or a longer text, are not saved: the oldest are left out.
inline constexpr std::size_t kMostSavedEdits = 100;
inline constexpr std::size_t kMostHistoryBytes = std::size_t{64} << 10;

/// Edits in the order of `History`: the back is the next to be undone, or redone.
struct Edits {
  std::deque<Edit> past, future;
};

/// Of the edits of all runs those of one; empty when there are none.
std::string history_text(const std::deque<Edit>& past, const std::deque<Edit>& future, int run,
                         std::int64_t step);
/// Edits of the run that a text was saved with, as edits of the run of this number. Throws a
/// sentence when it is damaged, or holds what the run cannot have; then nothing of it is of use.
Edits edits_in(const std::string& text, const Run& of, int run);

}  // namespace xlab
