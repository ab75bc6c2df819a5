// How long a memory lasts. Standard types only.
#pragma once

#include <span>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// How many tokens pass until half of a memory is left, where every one of them keeps this share of
/// it: ln ½ / ln(share). 0 where nothing is kept, infinite where all is (or it grows); NaN for what
/// is no share.
double half_life(double share_kept);

/// The share that a token keeps of what a head (or, where each unit has a forget gate of its own, a
/// unit) remembers: σ(f) or exp(f) as its cell has it, before any stabilizer. NaN where it is not
/// recorded.
double share_kept(const Trace& trace, const BlockCard& block, int step, int head, int unit);

/// The half-lives of all forget gates of a block at a step, (heads, gates of a head); empty where
/// they are not recorded.
std::vector<double> half_lives(const Trace& trace, const BlockCard& block, int step);

/// Adds ln(share kept) of every forget gate of a block at one token to `sums`, which has one number
/// a gate, or is empty before the first. `pre` is what was recorded of their pre-activations.
void add_log_shares(const Recorded& pre, ForgetGate gate, std::vector<double>& sums);
/// The half-life of a gate that keeps, token after token, the geometric mean of what it kept of
/// `tokens` tokens: what repeated forgetting came to.
double mean_half_life(double log_share_sum, int tokens);

/// The number in the middle, or of an even count the mean of the two there; NaN of none. None of
/// them may be NaN.
double median_of(std::vector<double> numbers);

/// Many numbers in three, and what is outside of any order.
struct Spread {
  int count = 0;                               ///< of numbers, infinite ones too
  double low = 0.0, median = 0.0, high = 0.0;  ///< NaN where there is none
  int unknown = 0;                             ///< NaN
};
Spread spread_of(std::span<const double> numbers);

}  // namespace xlab
