// What a comparison of a model with itself came to: three answers, and why the third one is given.
#pragma once

#include <string>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

enum class Verdict {
  passed,
  failed,          ///< the two ways differ by more than allowed, or one alone is finite
  not_comparable,  ///< neither way leads to finite numbers: nothing holds and nothing fails
};

Verdict verdict(const Check& check);

/// Which choice of a person makes numbers that are not finite no surprise, as the end of a sentence
/// ("the stabilizer of block0/mlstm is switched off"); empty when no block has such a choice.
std::string why_not_finite(const std::vector<BlockCard>& blocks);

}  // namespace xlab
