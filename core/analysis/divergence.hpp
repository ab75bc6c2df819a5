// How far two expectations are apart. Standard types only.
#pragma once

#include <vector>

namespace xlab {

/// KL(p || q) = Σ p ln(p / q) in nats, of two distributions over the same tokens: 0 where they are
/// the same, infinite where q rules out what p expects.
double kl_nats(const std::vector<float>& p, const std::vector<float>& q);

}  // namespace xlab
