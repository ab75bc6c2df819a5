// What the view of a memory's fill draws, a little more of it in every frame and kept until the
// recordings change.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/analysis/memory_fill.hpp"
#include "core/snapshot.hpp"

namespace xlab::ui {

class FillShown {
 public:
  /// Follows a snapshot and the head in focus, and goes on for about so many products.
  void use(const Snapshot& snapshot, int block, int head, double products);

  /// Whether more is computed just now.
  bool busy() const { return has_ && (!fill_.complete() || (has_now_ && !test_.complete())); }
  int head() const { return head_; }
  /// The smaller of K and V: so many directions there can be.
  int most() const { return most_; }
  /// Of the steps of the sequence; see there what of it is known.
  const MemoryFill& fill() const { return fill_; }
  /// The effective rank after a step that is taken; nothing where it is not known yet, NaN where C
  /// holds a number that is none.
  std::optional<double> rank(int step) const;
  /// log₁₀ of σ over the largest of its step, (first..end, number); kBelow where it is 0.
  static constexpr double kLowest = -6.0;  ///< below is rounding of float32
  static constexpr float kBelow = -300.0f;
  std::vector<float> relative(int first, int count) const;

  /// Whether the memory of the cursor is here, and what of it: its step and effective rank, and the
  /// answers to all keys.
  bool has_now() const { return has_now_; }
  int step() const { return step_; }
  double rank_now() const { return rank_now_; }
  const RequeryTest& test() const { return test_; }
  /// Whether keys, values and gates of this block were recorded.
  bool recorded() const { return fill_.next() > 0 || !fill_.complete(); }

 private:
  MemoryFill fill_;
  RequeryTest test_;
  std::shared_ptr<const MemoryImage> image_;
  int block_ = -1, head_ = -1, most_ = 0, step_ = -1;
  bool has_ = false, has_now_ = false;
  double rank_now_ = 0.0;
};

}  // namespace xlab::ui
