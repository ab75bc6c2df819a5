// The numbers of the write budget, prepared once and kept until something in them changes.
#include "ui/budget_shown.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "core/analysis/forgetting.hpp"

namespace xlab::ui {

void BudgetShown::use(const Snapshot& snapshot, const BlockCard& block, const BudgetPlace& place) {
  const int step =
      std::min(snapshot.sequence.cursor, snapshot.trace ? snapshot.trace->length() - 1 : -1);
  const bool same_block =
      trace_ == snapshot.trace && model_ == snapshot.model && prefix_ == block.prefix;
  const bool same_place = same_block && place_ == place;
  if (same_place && step == step_) return;
  // Other recordings of the same block may go on from those that are counted.
  if (model_ != snapshot.model || prefix_ != block.prefix) counted_.clear();
  trace_ = snapshot.trace;
  model_ = snapshot.model;
  prefix_ = block.prefix;
  place_ = place;
  step_ = step;
  index_.use(trace_);
  if (!same_block) cell_ = writing_cell(block);
  if (!same_place) gather(block);
  measure(snapshot, block);
  live(block);
}

void BudgetShown::gather(const BlockCard& block) {
  ++revision_;
  kept_.clear();
  weight_.clear();
  sums_.clear();
  whole_.clear();
  if (!cell_) return;
  const int unit = cell_->matrix() ? 0 : place_.unit;
  const RecordedSteps kept = index_.of(block.path(cell_->kept));
  const RecordedSteps weight = index_.of(block.path(cell_->weight));
  kept_ = numbers_of(kept, place_.head, unit);
  weight_ = numbers_of(weight, place_.head, unit);
  first_ = std::max(first_recorded(kept, weight, static_cast<int>(kept.size()) - 1), 0);
  sums_ = weight_sums(kept_, weight_, first_);
  whole_ = cell_->shares() ? numbers_of(index_.of(block.path(cell_->divisor)), place_.head, unit)
                           : sums_;
}

void BudgetShown::measure(const Snapshot&, const BlockCard& block) {
  budget_.reset();
  if (!cell_ || step_ < 0) return;
  const auto of = [&](const std::string& name) {
    return name.empty() ? RecordedSteps() : index_.of(block.path(name));
  };
  const WriteRecordings from{of(cell_->kept),  of(cell_->weight),  of(cell_->value),
                             of(cell_->state), of(cell_->divisor), of(cell_->key),
                             of(cell_->query), of(cell_->answer)};
  budget_ = cell_->matrix() ? head_budget(*cell_, from, block.variant.added(), step_, place_.head,
                                          place_.channel)
                            : unit_budget(*cell_, from, step_, place_.head, place_.unit);
}

void BudgetShown::live(const BlockCard& block) {
  const RecordedSteps pre = index_.of(block.path("forget_gate_pre"));
  lives_.now.clear();
  lives_.mean.clear();
  if (!trace_ || step_ < 0) return;
  lives_.now = half_lives(*trace_, block, step_);
  // Steps that the sums hold already are not counted again, unless one of them is another now.
  const bool goes_on =
      counted_.size() <= pre.size() && std::equal(counted_.begin(), counted_.end(), pre.begin());
  if (!goes_on || counted_.empty()) {
    counted_.clear();
    log_sums_.clear();
    lives_.tokens = 0;
  }
  for (std::size_t t = counted_.size(); t < pre.size(); ++t) {
    counted_.push_back(pre[t]);
    if (!pre[t]) continue;
    lives_.heads = pre[t]->heads;
    lives_.gates = pre[t]->dim;
    add_log_shares(*pre[t], block.variant.forget_gate, log_sums_);
    ++lives_.tokens;
  }
  for (const double sum : log_sums_) lives_.mean.push_back(mean_half_life(sum, lives_.tokens));
}

std::string place_words(const BlockCard& block, int head, int unit) {
  return block.has_matrix ? fmt::format("head {}", head)
                          : fmt::format("unit {} of head {}", unit, head);
}

}  // namespace xlab::ui
