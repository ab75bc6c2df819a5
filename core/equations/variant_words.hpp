// Which of its equations a block has, said exactly. Standard types only.
#pragma once

#include <string>

#include "core/snapshot.hpp"

namespace xlab {

/// "mLSTM as in the official program: input gate exp(i), …", or first what is otherwise there. Only
/// choices that the cell has and that change something are named.
std::string variant_words(const BlockCard& block);

}  // namespace xlab
