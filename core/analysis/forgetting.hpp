// How long a memory lasts. Standard types only.
#pragma once

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

}  // namespace xlab
