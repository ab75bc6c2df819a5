// What the strongest colours of a matrix memory stand for, while steps go by.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/memory_shown.hpp"

namespace xlab::ui {

/// A range of colours that stays while steps go by.
struct MemoryRange {
  double largest = 0.0;       ///< what the strongest colour stands for; 0: nothing seen yet
  double since_change = 0.0;  ///< largest seen since the run, its weights or the tokens changed
  int step = -1;              ///< time step that set it
  std::int64_t trained = 0;   ///< training step of the weights that set it
};

class MemoryRanges {
 public:
  /// Follows what is shown: another run, block or other equations begin a new range; other weights
  /// or tokens do where the old one turns out to be more than ten times too large.
  void follow(const Snapshot& snapshot, int block);

  /// The end of the colours: of this step, or the locked one, which grows with what is seen.
  double of_cells(const MemoryShown& shown, MemoryMode mode);
  double of_n(const MemoryShown& shown);
  /// The locked range of a mode.
  const MemoryRange& of(MemoryMode mode) const {
    return mode == MemoryMode::value ? values_ : writes_;
  }

  bool locked() const { return locked_; }
  void lock(bool locked) { locked_ = locked; }
  /// Sets the locked ranges to what is shown next.
  void lock_again() { relock_ = true; }
  /// Call when both ranges of a frame were asked for: a click after that counts from the next frame
  /// on.
  void taken_up() { relock_ = false; }

 private:
  /// What the numbers depend on, other than what is held by hand: a gate held shut must let the
  /// picture fade, so it never sets a range.
  struct Source {
    std::uint64_t run = 0;
    int block = -1;
    CellVariant variant;
    std::int64_t trained = -1;
    std::vector<int> tokens;
  };

  double range_of(std::span<const float> numbers, int step, MemoryRange& range);

  bool locked_ = true;
  bool relock_ = false;  ///< asked for and not yet taken up
  Source source_;
  MemoryRange values_, writes_, n_;
};

}  // namespace xlab::ui
