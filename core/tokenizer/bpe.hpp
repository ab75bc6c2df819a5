// BPE, of bytes or of characters: the parts of a tokenizer.json of that kind, and the tokenizer
// made of them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tokenizer/pieces.hpp"

namespace xlab {

/// One merge: two neighbours become one token. Their order is their rank.
struct BpeMerge {
  int left = 0, right = 0, merged = 0;
};

struct BpeSpec {
  PiecesSpec pieces;
  std::vector<BpeMerge> merges;
  int unk = -1;
  bool fuse_unk = false;       ///< what is unknown in a row becomes one unknown token
  bool ignore_merges = false;  ///< a piece that is a token is taken without merging
  bool byte_level = true;      ///< merges bytes; else characters
  bool add_prefix_space = false;
  bool split_words = true;  ///< the byte level's own pattern, after the prefix
};

/// The bytes that a token of the byte-level alphabet stands for: each byte is written as one
/// printable character. A text with any other character stands for itself.
std::string byte_level_bytes(std::string_view token);
/// The byte-level character of a byte, as UTF-8.
const std::string& byte_level_character(unsigned char byte);
std::shared_ptr<const Tokenizer> bpe_tokenizer(BpeSpec spec);

}  // namespace xlab
