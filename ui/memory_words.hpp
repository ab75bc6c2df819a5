// What the view of a matrix memory says of its blocks, in words.
#pragma once

#include <string>

#include "core/snapshot.hpp"

namespace xlab::ui {

/// "mLSTM blocks have a matrix memory, sLSTM blocks one number per unit."
std::string memories_in_words(const ModelCard& model);
/// "the input gate times key times value": what a write is the product of.
std::string factors_in_words(const BlockCard& block);
/// "C / exp(m)": what is stored is divided by the scale of its memory.
std::string in_its_scale(const BlockCard& block, const std::string& name);
/// "f' C₋₁, in the scale of now": what the forget gate left of the memory before.
std::string left_in_words(const BlockCard& block);

/// Which of keys and queries are divided by √K, which decides how large C is for the same answers:
/// in a word and in a sentence, both empty for a cell without that choice.
struct ScaleWords {
  std::string brief, sentence;
};
ScaleWords scale_words(const BlockCard& block);

}  // namespace xlab::ui
