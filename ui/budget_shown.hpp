// The numbers of the write budget, prepared once and kept until something in them changes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/analysis/write_shares.hpp"
#include "core/snapshot.hpp"
#include "ui/values.hpp"

namespace xlab::ui {

/// What is looked at: a unit of a head, or of a matrix memory one value channel, −1 for all of them
/// as lengths.
struct BudgetPlace {
  int head = 0, unit = 0, channel = -1;

  bool operator==(const BudgetPlace&) const = default;
};

/// The half-lives of all forget gates of a block, (heads, gates of a head), in tokens.
struct BlockLives {
  int heads = 0, gates = 0;
  std::vector<double> now;   ///< at the cursor; empty where nothing is recorded there
  std::vector<double> mean;  ///< see mean_half_life, over every token that is recorded
  int tokens = 0;            ///< so many
};

class BudgetShown {
 public:
  /// Follows a snapshot, at its cursor.
  void use(const Snapshot& snapshot, const BlockCard& block, const BudgetPlace& place);

  /// None where the memory of the block is no sum of weighted writes.
  const std::optional<WritingCell>& cell() const { return cell_; }
  /// None where the recordings of the cursor's step lack something.
  const std::optional<WriteBudget>& budget() const { return budget_; }
  int step() const { return step_; }  ///< of the budget; −1: there is none
  int first() const { return first_; }

  // One number a recorded step.
  std::span<const double> kept() const { return kept_; }
  std::span<const double> weight() const { return weight_; }
  std::span<const double> sums() const { return sums_; }
  /// What parts are shares of: n, or the sum of the weights.
  std::span<const double> whole() const { return whole_; }
  /// How often these were made: whatever is drawn of them is the same while it is.
  int revision() const { return revision_; }

  const BlockLives& lives() const { return lives_; }

 private:
  void gather(const BlockCard& block);
  void measure(const Snapshot& snapshot, const BlockCard& block);
  void live(const BlockCard& block);

  TraceIndex index_;
  std::shared_ptr<const Trace> trace_;
  std::shared_ptr<const ModelCard> model_;
  std::string prefix_;
  BudgetPlace place_;
  int step_ = -1, first_ = 0, revision_ = 0;
  std::optional<WritingCell> cell_;
  std::optional<WriteBudget> budget_;
  std::vector<double> kept_, weight_, sums_, whole_;
  BlockLives lives_;
  std::vector<const Recorded*> counted_;  ///< whose forget gates are in log_sums_
  std::vector<double> log_sums_;
};

/// "unit 3 of head 1", or "head 1" where a head has one number.
std::string place_words(const BlockCard& block, int head, int unit);

}  // namespace xlab::ui
