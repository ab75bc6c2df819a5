// Measures between frames.
#include "ui/findings_shown.hpp"

#include <limits>

namespace xlab::ui {
namespace {

/// Multiplications in a frame: about two thousandths of a second.
constexpr double kWorkInAFrame = 6e6;

}  // namespace

void FindingsShown::use(const Snapshot& snapshot, bool whole) {
  Of now{snapshot.run_id, snapshot.model, {}, last_asked(snapshot.sequence)};
  if (snapshot.trace && snapshot.trace->steps.size() <= snapshot.sequence.tokens.size())
    now.steps = snapshot.trace->steps;
  if (!of_ || of_->run != now.run || of_->model != now.model) *this = {};
  if (!pieces_ || whole) begin_if_other(snapshot, now);
  if (!pieces_) return;
  if (!pieces_->go_on(whole ? std::numeric_limits<double>::infinity() : kWorkInAFrame)) return;
  found_ = pieces_->found();
  tokens_ = static_cast<int>(of_->steps.size());
  told_ = true;
  pieces_.reset();
  begin_if_other(snapshot, now);
}

void FindingsShown::begin_if_other(const Snapshot& snapshot, const Of& now) {
  if (of_ == now) return;
  pieces_.emplace(now.model, snapshot.trace, snapshot.sequence.tokens, now.asked);
  if (!told_) tokens_ = static_cast<int>(now.steps.size());
  of_ = now;
}

const std::vector<Finding>& FindingsShown::found() const {
  return told_ || !pieces_ ? found_ : pieces_->found();
}

}  // namespace xlab::ui
