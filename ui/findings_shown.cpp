// Measures between frames.
#include "ui/findings_shown.hpp"

#include <limits>
#include <utility>

namespace xlab::ui {
namespace {

/// Multiplications in a frame: about three thousandths of a second.
constexpr double kWorkInAFrame = 3e6;

}  // namespace

void FindingsShown::use(const Snapshot& snapshot, bool whole) {
  Of now{snapshot.run_id, snapshot.model, {}, last_asked(snapshot.sequence)};
  if (snapshot.trace) now.steps = snapshot.trace->steps;
  const bool other_model = !of_ || of_->run != now.run || of_->model != now.model;
  if (other_model) {
    pieces_.reset();
    found_.clear();
    tokens_ = 0;
    told_ = false;
  }
  if (now.steps.size() > snapshot.sequence.tokens.size()) now.steps.clear();
  if (other_model || ((!pieces_ || whole) && !(now == *of_))) {
    begun_tokens_ = static_cast<int>(now.steps.size());
    pieces_.emplace(now.model, snapshot.trace, snapshot.sequence.tokens, now.asked);
    if (!told_) tokens_ = begun_tokens_;
    of_ = std::move(now);
  }
  if (!pieces_) return;
  if (!pieces_->go_on(whole ? std::numeric_limits<double>::infinity() : kWorkInAFrame)) return;
  found_ = pieces_->found();
  tokens_ = begun_tokens_;
  told_ = true;
  pieces_.reset();
}

const std::vector<Finding>& FindingsShown::found() const {
  return told_ || !pieces_ ? found_ : pieces_->found();
}

}  // namespace xlab::ui
