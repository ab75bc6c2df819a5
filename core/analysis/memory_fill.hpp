// How full a matrix memory is: its singular values over time, and what comes back when every stored
// key is asked again. Standard types only, double precision.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/analysis/singular_values.hpp"
#include "core/snapshot.hpp"

namespace xlab {

/// The singular values of one head's C after the steps of a sequence, replayed from what was
/// recorded (C_t = f'_t C_{t−1} + i'_t k_t v_tᵀ, stored divided by exp(m_t)), a little at a time.
/// Of a long sequence every second, fourth, ... step is taken, so that all of it is a bounded
/// amount of work.
class MemoryFill {
 public:
  /// All steps together take about so many products.
  static constexpr double kMostProducts = 3e9;

  /// Follows these recordings. What they have in common with those before stays.
  void follow(const std::shared_ptr<const Trace>& trace, const BlockCard& block, int head);
  /// Goes on for about so many products; false when there is nothing left to do.
  bool advance(double products);

  /// Steps in the recordings, and the first one of which nothing is known yet.
  int length() const { return length_; }
  int next() const { return static_cast<int>(steps_.size()) * stride_; }
  /// Every how many steps one is taken: a power of two.
  int stride() const { return stride_; }
  bool complete() const { return ended_ || next() >= length_; }
  /// Of the step taken last up to this one; null where there is none yet. The largest first, in
  /// units of exp(m) of that step; empty where C holds a number that is none.
  const std::vector<double>* at(int step) const;
  /// The step that `at` is of.
  int taken(int step) const { return step / stride_ * stride_; }

 private:
  void thin();

  std::shared_ptr<const Trace> trace_;
  BlockCard block_;
  int head_ = -1, length_ = 0, stride_ = 1;
  bool ended_ = false;  // the next step was not recorded
  int replayed_ = 0;    // steps that memory_ holds
  std::vector<float> memory_;
  std::vector<std::vector<double>> steps_;  // every stride_-th
  SingularValues work_;
  bool working_ = false;
};

/// What came back for the key of one stored token.
struct KeyAnswer {
  /// Of Cᵀ q and v: 1, the value comes back in its direction. NaN where one of them has none, or is
  /// no number.
  double cosine = 0.0;
  double length = 0.0;  ///< of the answer, as a share of that of v
  bool floor = false;   ///< the answer was divided by the floor, not by |⟨q, n⟩|: it is shrunk
};

/// The re-query test at a step t: the key of every token s ≤ t as a query to the memory of t,
///
///   h̃ = C_tᵀ q / (max(|⟨q, n_t⟩|, floor) + ε),   q = k_s brought to the scale of a query
///
/// by the cell's own equation (`read_memory`), held against v_s. A little at a time.
class RequeryTest {
 public:
  /// `memory`: C of the head after `step`, (K, V). What was asked of the same memory stays.
  void follow(const std::shared_ptr<const Trace>& trace, const BlockCard& block, int head, int step,
              std::span<const float> memory);
  /// Goes on for about so many products; false when there is nothing left to do.
  bool advance(double products);

  int step() const { return step_; }
  bool complete() const { return ended_ || static_cast<int>(answers_.size()) > step_; }
  /// One for each token from 0 on, so far.
  const std::vector<KeyAnswer>& answers() const { return answers_; }
  /// Mean cosine of those so far that have one, NaN where none has; how many these are.
  double mean() const;
  int counted() const;

 private:
  std::shared_ptr<const Trace> trace_;
  BlockCard block_;
  int head_ = -1, step_ = -1;
  bool ended_ = true;
  std::vector<float> memory_;
  std::vector<KeyAnswer> answers_;
};

/// What a memory answers to a query.
struct MemoryAnswer {
  std::vector<double> h;     ///< (V)
  double overlap = 0.0;      ///< ⟨q, n⟩
  double floor = 0.0;        ///< exp(−m), or 1
  double denominator = 0.0;  ///< what was divided by, ε included
  bool floored = false;      ///< the floor decided
};
/// By the cell's equation and variant: h = Cᵀ q / (max(|⟨q, n⟩|, floor) + ε), where a cell without
/// a normalizer divides by its floor alone. `query` as recorded queries are, K numbers; C of the
/// head after `step`. Empty where n or m was not recorded.
MemoryAnswer read_memory(const Trace& trace, const BlockCard& block, int head, int step,
                         std::span<const float> memory, std::span<const double> query);

/// The key of a step as a query: keys are stored divided by √K where keys are scaled, so it is
/// taken times √K; where queries are scaled it is divided by √K, as they are. Empty where k was not
/// recorded.
std::vector<double> key_as_query(const Trace& trace, const BlockCard& block, int head, int step);

/// The cosine of an answer to the value of every token up to `step`; NaN where one has no direction
/// or was not recorded.
std::vector<double> cosines_to_values(const Trace& trace, const BlockCard& block, int head,
                                      int step, std::span<const double> answer);

/// Of two vectors of the same length; NaN where one is 0 or holds a number that is none.
double cosine_of(std::span<const double> a, std::span<const double> b);

/// The share of its own write in what the key of a token reads at `step`: |w_s| / Σ_r |w_r| with
/// w_r = ⟨q, k_r⟩ D_tr. NaN where something was not recorded.
double own_share(const Trace& trace, const BlockCard& block, int head, int step, int token);

/// What cosine to expect of `stored` pairs of random keys and values in a memory of `keys` channels
/// that forgets nothing and wrote all equally: about 1 / √(1 + T / K).
double random_key_cosine(int stored, int keys);

}  // namespace xlab
