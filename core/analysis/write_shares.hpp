// What a memory is made of: how much of it each past token wrote. Standard types only, double
// precision throughout.
//
// A memory that is a sum of weighted writes, state_t = f'_t state_{t−1} + i'_t write_t, is
//
//   state_t = Σ_s w_s(t) write_s      w_s(t) = i'_s · f'_{s+1} · … · f'_t
//
// whatever the gates are: sigmoid or exponential, stabilised or not. Divided by a normalizer
// n_t = f'_t n_{t−1} + i'_t the weights are shares, w_s(t) / n_t: none is negative, and together
// they are 1.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// How a cell writes and reads, as names of its values: from its description, not from its kind.
struct WritingCell {
  std::string kept;     ///< f', what the state before is multiplied with
  std::string weight;   ///< i', what a write is multiplied with
  std::string value;    ///< what is written: tanh(z) of a unit, v of a matrix
  std::string state;    ///< c, C
  std::string divisor;  ///< n of a unit, N of a matrix; empty: the state is not divided
  std::string key;      ///< of a matrix: k; empty: a number a unit
  std::string query;    ///< of a matrix: q
  std::string answer;   ///< of a matrix: h, what is read out

  bool matrix() const { return !key.empty(); }
  /// The shares of tokens sum to 1: each unit is divided by the sum of its weights.
  bool shares() const { return !matrix() && !divisor.empty(); }
};

/// None for a block whose memory is not described as a sum of weighted writes.
std::optional<WritingCell> writing_cell(const BlockCard& block);

/// The recordings of one value, one a time step, null where there is none.
using RecordedSteps = std::span<const Recorded* const>;

/// One number a time step; NaN where it is not recorded. Values with one number a head have that
/// number in all of its units.
std::vector<double> numbers_of(RecordedSteps recorded, int head, int unit);
/// The first step from which on every step up to this one has a recording in both.
int first_recorded(RecordedSteps kept, RecordedSteps weight, int step);

/// w_s(step) of the tokens first..step.
std::vector<double> write_weights(std::span<const double> kept, std::span<const double> weight,
                                  int first, int step);
/// The sum of these weights at every step: what n_t is where everything is recorded. 0 before
/// `first`.
std::vector<double> weight_sums(std::span<const double> kept, std::span<const double> weight,
                                int first);

/// What a memory is made of at a step. Vectors have one number for each of the tokens first..step.
struct WriteBudget {
  int step = 0;
  int first = 0;                ///< what came before was not recorded
  std::vector<double> weights;  ///< w_s
  double weight_sum = 0.0;
  double divisor = 1.0;  ///< n or N + ε, as recorded; 1 where nothing is divided
  /// What a token's part of the answer is multiplied with: w_s / n, or ⟨q_t, k_s⟩ w_s / (N_t + ε).
  std::vector<double> factors;
  std::vector<double> values;  ///< tanh(z_s), one channel of v_s, or its length
  std::vector<double> parts;   ///< factor · value: what it adds to the answer
  double total = 0.0;          ///< Σ parts; the length of the sum where values are lengths
  double recorded = 0.0;       ///< c / n, c, a channel of h or its length, as the model had it
  /// Between what the parts add up to and what was recorded; of a matrix the largest of its
  /// channels.
  double difference = 0.0;

  int last() const { return first + static_cast<int>(weights.size()) - 1; }
  /// Of a token, 0..1: of n where the cell divides by it, else of the sum of all weights.
  double share(int token, const WritingCell& cell) const;
  /// Of all tokens together.
  double share_sum(const WritingCell& cell) const;
};

/// The recordings a budget is made from; those that its cell does not name are empty.
struct WriteRecordings {
  RecordedSteps kept, weight, value, state, divisor, key, query, answer;
};

/// Of a unit. None where a number of this step is not recorded.
std::optional<WriteBudget> unit_budget(const WritingCell& cell, const WriteRecordings& from,
                                       int step, int head, int unit);
/// Of a matrix memory, read with the query of this step: of one value channel, or, with channel −1,
/// of all of them as lengths (signed as the factor is). `eps` is what is added to N.
std::optional<WriteBudget> head_budget(const WritingCell& cell, const WriteRecordings& from,
                                       double eps, int step, int head, int channel);

/// Which token covers each of `places` places of a bar from 0 to `whole` in which the tokens stand
/// one after the other, each as long as its weight, so that the newest one ends at `whole`: place p
/// is covered where (p + ½) / places of it is. kNoToken where none does, as where the oldest are
/// not recorded; kNoNumber everywhere where the sum of the weights is no number.
inline constexpr int kNoToken = -1, kNoNumber = -2;
std::vector<int> tokens_along(std::span<const double> kept, std::span<const double> weight,
                              int first, int step, double sum, double whole, int places);

/// Where a token's part of such a bar begins and ends at every step from its own up to `last`, as
/// shares of `whole` (one a step); `sums` are those of `weight_sums`.
struct TokenBand {
  std::vector<double> begin, end;
};
TokenBand token_band(std::span<const double> kept, std::span<const double> weight,
                     std::span<const double> sums, std::span<const double> whole, int token,
                     int last);

}  // namespace xlab
