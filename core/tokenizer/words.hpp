// Tokenizers that know whole words (WordLevel in a tokenizer.json): every piece of the text is one
// token, or the unknown one.
#pragma once

#include <memory>

#include "core/tokenizer/pieces.hpp"

namespace xlab {

struct WordsSpec {
  PiecesSpec pieces;
  int unk = -1;  ///< stands for words that the vocabulary lacks; -1: those are refused
};

std::shared_ptr<const Tokenizer> word_tokenizer(WordsSpec spec);

}  // namespace xlab
