// What all kinds of tokenizer.json have around their models: added tokens, normal forms, cutting,
// what goes around a text, and how texts of tokens are joined.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "core/tokenizer/field.hpp"
#include "core/tokenizer/pieces.hpp"

namespace xlab {

/// The numbers of a vocabulary's tokens.
using TokenNumbers = std::unordered_map<std::string, int>;

/// What the pre-tokenizers of a file come to.
struct Cutting {
  std::vector<SplitRule> splits;
  /// The byte level, which must come last: after it the text is no longer text.
  bool byte_level = false, add_prefix_space = false, split_words = true;
};

/// Reads all that stands around the model, which must have been read: `numbers` are those of its
/// tokens. Throws a sentence that names the place.
Cutting read_pieces(const Field& file, const std::string& text, PiecesSpec& spec,
                    TokenNumbers& numbers);

/// The largest number that a token has.
int largest_token(const PiecesSpec& spec);

}  // namespace xlab
