// What the view of the gradient's reach draws of a report.
#include "ui/reach_shown.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/analysis/reach_curves.hpp"

namespace xlab::ui {
namespace {

ReachLine relative_line(const ReachReport& report, const std::vector<double>& sizes, int head) {
  ReachLine line;
  // Nothing is relative to nothing, which is no number's fault.
  const double last = reach_size(report, sizes, head, report.step);
  if (std::isinf(last) && last < 0.0)
    return ReachLine(report.tokens.size(), -std::numeric_limits<float>::infinity());
  line.reserve(report.tokens.size());
  for (int t = 0; t <= report.step; ++t)
    line.push_back(static_cast<float>(reach_relative(report, sizes, head, t)));
  return line;
}

/// Lowest and highest of what is finite.
struct Extremes {
  double low = 0.0, high = 0.0;
  bool any = false;

  void take(const ReachLine& line) {
    for (const float y : line) {
      if (!std::isfinite(y)) continue;
      low = any ? std::min<double>(low, y) : y;
      high = any ? std::max<double>(high, y) : y;
      any = true;
    }
  }
};

/// Whole powers of ten around them, at least one.
Axis decades(const Extremes& extremes, double lowest) {
  double low = std::floor(std::max(extremes.low, lowest));
  const double high = std::ceil(std::max(extremes.high, low));
  if (high - low < 1.0) low = high - 1.0;
  return {low, high};
}

}  // namespace

void ReachShown::use(const std::shared_ptr<const ReachReport>& report, int head) {
  if (report == report_ && head == head_) return;
  report_ = report;
  head_ = head;
  memory_.clear();
  alone_.clear();
  output_.clear();
  input_.clear();
  zeros_ = below_ = not_numbers_ = 0;
  has_end_ = output_reaches_ = false;
  apart_ = 0.0;
  if (!report || !report->failure.empty()) return;

  Extremes sizes;
  for (int h = 0; h < report->heads; ++h) {
    memory_.push_back(relative_line(*report, report->memory, h));
    sizes.take(memory_.back());
  }
  alone_ = relative_line(*report, report->alone, head);
  output_ = relative_line(*report, report->output, head);
  sizes.take(alone_);
  sizes.take(output_);
  axis_ = decades(sizes, kLowest);
  has_end_ = std::isfinite(reach_size(*report, report->memory, head, report->step));
  half_memory_ = half_reach(*report, report->memory, head);
  half_alone_ = half_reach(*report, report->alone, head);
  zeros_ = reach_zeros(*report, report->memory, head);
  for (int t = 0; t < steps(); ++t) {
    const auto i = static_cast<std::size_t>(t);
    const double size = reach_size(*report, report->memory, head, t);
    not_numbers_ += std::isnan(size) || (std::isinf(size) && size > 0.0) ? 1 : 0;
    if (!has_end_) continue;
    const double y = memory_[static_cast<std::size_t>(head)][i];
    below_ += std::isfinite(y) && y < axis_.low ? 1 : 0;
    if (t < report->step && output_[i] > -std::numeric_limits<float>::infinity())
      output_reaches_ = true;
    const double off = std::abs(y - static_cast<double>(alone_[i]));
    if (std::isfinite(off)) apart_ = std::max(apart_, off);
  }

  for (const double size : report->input)
    input_.push_back(static_cast<float>(size / std::log(10.0)));
  Extremes inputs;
  inputs.take(input_);
  input_axis_ = decades(inputs, inputs.high + kLowest);
}

}  // namespace xlab::ui
