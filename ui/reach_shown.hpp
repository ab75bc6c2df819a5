// What the view of the gradient's reach draws of a report, computed once.
#pragma once

#include <memory>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {

/// One number a step, 0..T: log10.
using ReachLine = std::vector<float>;

class ReachShown {
 public:
  /// Below 10 to this, relative to the last step, nothing is drawn.
  static constexpr double kLowest = -30.0;

  /// Follows a report and the head in focus.
  void use(const std::shared_ptr<const ReachReport>& report, int head);

  const ReachReport& report() const { return *report_; }
  int head() const { return head_; }
  int steps() const { return report_ ? static_cast<int>(report_->tokens.size()) : 0; }
  /// Relative to the last step: of each head; of the head in focus.
  const std::vector<ReachLine>& memory() const { return memory_; }
  const ReachLine& alone() const { return alone_; }
  const ReachLine& output() const { return output_; }
  /// Not relative to anything.
  const ReachLine& input() const { return input_; }
  const Axis& axis() const { return axis_; }
  const Axis& input_axis() const { return input_axis_; }

  /// Tokens until half is left; see half_reach.
  double half_memory() const { return half_memory_; }
  double half_alone() const { return half_alone_; }
  /// Of the head in focus: steps at which the gradient is exactly 0, is below what is drawn, or is
  /// no number.
  int zeros() const { return zeros_; }
  int below() const { return below_; }
  int not_numbers() const { return not_numbers_; }
  /// Whether there is a gradient at the last step for others to be relative to.
  bool has_end() const { return has_end_; }
  /// Whether something else than the end reads the output of the block.
  bool output_reaches() const { return output_reaches_; }
  /// How far the gradient and its memory path lie apart at most, in powers of ten.
  double furthest_apart() const { return apart_; }

 private:
  std::shared_ptr<const ReachReport> report_;
  int head_ = -1;
  std::vector<ReachLine> memory_;
  ReachLine alone_, output_, input_;
  Axis axis_, input_axis_;
  double half_memory_ = 0.0, half_alone_ = 0.0, apart_ = 0.0;
  int zeros_ = 0, below_ = 0, not_numbers_ = 0;
  bool has_end_ = false, output_reaches_ = false;
};

}  // namespace xlab::ui
