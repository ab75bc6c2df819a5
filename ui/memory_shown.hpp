// The numbers of a matrix memory at one step, as they are shown.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

enum class MemoryMode {
  value,       ///< C, what the memory holds
  write,       ///< what the step added to it
  decayed,     ///< f' C of the step before: what the forget gate left of it, in the scale of now
  step,        ///< how it came from the one before, see memory_step.hpp
  difference,  ///< C less what it was in the state that was pinned, in the larger scale of both
};

struct MemoryShown {
  int step = 0, heads = 0, keys = 0, values = 0;
  /// (heads, keys, values): the last write, what is left, a difference, else C.
  std::vector<float> cells;
  std::vector<float> n;      ///< (heads, keys); empty when it was not recorded

  /// (keys, values) of a head.
  std::span<const float> cells_of(int head) const;
  /// The n of a head, one number per key. Only where n is there.
  std::span<const float> n_of(int head) const;
};

/// The name of what a mode shows, e.g. "C"; what is left is a part of C.
const std::string& shown_value(const BlockCard& block, MemoryMode mode);
/// The symbol of one of the block's values; its name where it is none.
std::string symbol_of(const BlockCard& block, const std::string& name);
/// The recorded values whose product is what a step writes; empty where a memory says none.
std::vector<const ValueCard*> write_factors(const BlockCard& block);
/// Which of its numbers a factor has at a cell.
int unit_of(const ValueCard& factor, int key, int value);

/// The matrix memory of a block in the state that was pinned: what that shows, or else replayed
/// from its recordings, once.
class PinnedMemory {
 public:
  void follow(const std::shared_ptr<const Snapshot>& reference, const BlockCard& block, int index);
  /// Null: none is pinned.
  const Snapshot* state() const { return state_.get(); }
  /// (heads, keys, values); empty where something was not recorded.
  const std::vector<float>& C() const { return C_; }

 private:
  std::shared_ptr<const Snapshot> state_;
  std::string prefix_;
  std::vector<float> C_;
};

/// The numbers to show; `cells` stays empty when something they need was not recorded. A difference
/// is that to the memory that is pinned: both are stored divided by exp(m), each by its own, and
/// are brought to the larger one first.
MemoryShown memory_shown(const Snapshot& snapshot, const BlockCard& block, const MemoryImage& image,
                         MemoryMode mode, const PinnedMemory& pinned = {});

}  // namespace xlab::ui
