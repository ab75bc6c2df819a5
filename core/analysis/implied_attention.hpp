// An mLSTM as attention: what each token before has to do with the answer of now. Standard types
// only.
#pragma once

#include <memory>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// One row of the picture: how the answer of a token comes about.
struct AttentionRow {
  double denominator = 0.0;  ///< N_t + ε
  double sum = 0.0;          ///< of all its weights, those before the first column included
  double before = 0.0;       ///< of those before the first column
  /// The denominator is its floor, not |⟨q, n⟩|: the answer is shrunk.
  bool floor = false;
  /// Largest |Σ_s A_ts v_s − h_t| over the value channels; NaN where columns are left out.
  double difference = 0.0;
  double largest = 0.0;  ///< largest |h_t|
};

struct AttentionStep;

/// One head of an mLSTM, written as attention over the tokens before (the parallel form of Beck et
/// al. 2024, with the gates as they were recorded):
///
///   h_t = Σ_{s ≤ t} A_ts v_s,   A_ts = (q_t · k_s) D_ts / (N_t + ε),   D_ts = i'_s Π_{s < r ≤ t}
///   f'_r
///
/// D is relative to the scale exp(m_t). No softmax stands in it: weights may be negative or above
/// 1, and their sum is ⟨q_t, n_t⟩ / (N_t + ε), not 1.
class ImpliedAttention {
 public:
  /// The steps [first, first + count) of the recordings, as rows and as columns. What it has in
  /// common with what was followed before is not computed again.
  void follow(const std::shared_ptr<const Trace>& trace, const BlockCard& block, int head,
              int first, int count);

  /// How many steps there are: fewer than asked for where some were not recorded.
  int count() const { return static_cast<int>(rows_.size()); }
  int first() const { return first_; }
  const AttentionRow& row(int step) const;
  /// Of a row and a column, both as time steps; 0 above the diagonal.
  double overlap(int t, int s) const { return at(overlaps_, t, s); }  ///< q_t · k_s
  double decay(int t, int s) const { return at(decays_, t, s); }      ///< D_ts
  double product(int t, int s) const { return overlap(t, s) * decay(t, s); }
  double weight(int t, int s) const { return product(t, s) / row(t).denominator; }
  /// Largest difference of an answer to the recorded one, as a share of the largest answer; NaN
  /// where columns before the first are left out, and where there is no row.
  double disagreement() const;

 private:
  /// What a step wrote, in the recordings that are followed.
  struct Written {
    const float *key, *value;
  };
  void add_row(const AttentionStep& now);
  double at(const std::vector<std::vector<double>>& lower, int t, int s) const;

  std::shared_ptr<const Trace> trace_;
  BlockCard block_;
  int head_ = -1, first_ = 0;
  std::vector<std::vector<double>> overlaps_, decays_;  // row t - first_: columns up to it
  std::vector<AttentionRow> rows_;
  std::vector<Written> written_;  // of each row's step
};

/// The last row of it alone: the weights A_ts with which the writes of the steps first..t stand in
/// the answer of step t. Empty where one of these steps was not recorded.
std::vector<double> attention_weights(const Trace& trace, const BlockCard& block, int head,
                                      int first, int t);

}  // namespace xlab
