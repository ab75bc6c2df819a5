// What the strongest colours of a matrix memory stand for, while steps go by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
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
  std::uint64_t tokens = 0, edits = 0;  ///< hashes of the tokens and of what was held until then
};

/// What set a range, as a legend says it: at length, and in a few words.
struct RangeWords {
  std::string all, brief;
};

class MemoryRanges {
 public:
  /// Follows what is shown. Another run, block or other equations begin new ranges; other weights
  /// or tokens do where the old one turns out to be too large: more than four times with other
  /// weights, else more than ten times. What is as it was before, as after Undo, has the ranges
  /// that it had. A gate held shut must let the picture fade, so it sets none.
  void follow(const Snapshot& snapshot, int block);

  /// The end of the colours: of this step, or the locked one, which grows with what is seen. A few
  /// numbers that are far larger than all others go beyond it, and so does all of a first token
  /// that is: its range ends where another is seen.
  double of_cells(const MemoryShown& shown, MemoryMode mode);
  double of_n(const MemoryShown& shown);
  /// The locked range of a mode.
  const MemoryRange& of(MemoryMode mode) const {
    return mode == MemoryMode::write ? ranges_.writes : ranges_.values;
  }
  /// "range set at t = 15" only where that step, as it is now, has set it.
  RangeWords words(const MemoryRange& range) const;

  bool locked() const { return locked_; }
  void lock(bool locked) { locked_ = locked; }
  /// Sets the locked ranges to what is shown next.
  void lock_again() { relock_ = true; }
  /// Call when both ranges of a frame were asked for: a click after that counts from the next frame
  /// on.
  void taken_up() { relock_ = false; }

  /// All of it as a text, to be saved with the run.
  std::string kept() const;
  /// The ranges of a run that is shown from now on. False, and nothing is changed, where the text
  /// is none of `kept`.
  bool restore(const std::string& kept);

 private:
  struct Ranges {
    MemoryRange values, writes, n;
  };
  /// What the numbers depend on.
  struct Source {
    std::uint64_t run = 0, seed = 0;
    int block = -1;
    CellVariant variant;
    std::int64_t trained = -1;
    std::vector<int> tokens;
    std::vector<Clamp> clamps;

    bool operator==(const Source&) const = default;
    std::uint64_t hash_of_tokens(int last) const;
    std::uint64_t hash_of_edits(int last) const;
    /// Of everything that a person can change and take back.
    std::uint64_t hash_of_all() const;
  };
  struct Restored {
    int block = -1;
    std::uint64_t seed = 0;
    Ranges ranges;
  };

  double range_of(std::span<const float> numbers, int step, MemoryRange& range);
  bool any_held() const;
  std::optional<Ranges> put_aside(const Source& now);
  void take_restored(const Source& now);

  bool locked_ = true;
  bool relock_ = false;  ///< asked for and not yet taken up
  Source source_;
  Ranges ranges_;
  static constexpr std::size_t kMostFormer = 1000;
  /// Those that may come back, by the hash of their source, the newest first.
  std::deque<std::pair<std::uint64_t, Ranges>> former_;
  std::optional<Restored> restored_;  ///< until the run is drawn
};

}  // namespace xlab::ui
