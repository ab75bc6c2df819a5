// Text to train on: a file of any script becomes the numbers of its tokens. Without another
// tokenizer every character is one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tokenizer/tokenizer.hpp"

namespace xlab {

/// The largest text a model can be trained on here, in bytes.
inline constexpr std::uint64_t kMostTextBytes = std::uint64_t{256} << 20;

/// A text as a model sees it.
struct TextData {
  std::string name;                            ///< for people: the name of the file
  std::shared_ptr<const Tokenizer> tokenizer;  ///< never null
  std::vector<std::int32_t> ids;               ///< one per token: its index in `vocabulary`
  /// The bytes of every token. Where characters are the tokens, a character being one Unicode code
  /// point, these are the characters that occur, by code point.
  std::vector<std::string> vocabulary;
  std::string path;  ///< the file it was read from; empty: it came from elsewhere
  /// What named the tokenizer, as for `tokenizer_named`; empty where nobody did.
  std::string tokenizer_name;
};

/// Reads a text file. Without a tokenizer its characters become the vocabulary. It must be UTF-8,
/// but for the tokenizer of bytes, which keeps every byte of any file; otherwise a byte order mark
/// at the start is dropped, and everything else is kept as it is, line ends included. Throws
/// `Error` for a file that cannot be read, is larger than `kMostTextBytes`, holds binary data or
/// fewer than two tokens.
TextData read_text(const std::filesystem::path& path,
                   std::shared_ptr<const Tokenizer> tokenizer = nullptr);

/// A text as it was found to be readable.
struct OpenedText {
  TextData text;
  std::string notice;  ///< what is unusual about it, in a sentence; empty when nothing is
};
/// Reads a text file by its characters or, where it is no UTF-8, by its bytes, which the notice
/// says with the first byte that fits nowhere. Throws `Error` as `read_text` does for everything
/// else; zero bytes are text in UTF-16 only.
OpenedText open_text(const std::filesystem::path& path);

/// Throws what `read_text` or, without a tokenizer, `open_text` would throw for what is in the
/// file, without making tokens of it.
void check_text_file(const std::filesystem::path& path, const Tokenizer* tokenizer);

/// `read_text` for bytes in memory; `name` is for messages and becomes TextData::name.
TextData text_from_bytes(std::span<const std::byte> bytes, const std::string& name,
                         std::shared_ptr<const Tokenizer> tokenizer = nullptr);

/// Reads a text again with another tokenizer (see `tokenizer_named`): its file, or what its tokens
/// stand for when it came from elsewhere. Throws `Error` as `read_text` does.
TextData read_again(const TextData& text, std::shared_ptr<const Tokenizer> tokenizer);

/// The bytes that the tokens of a text stand for, joined.
std::string bytes_of(const TextData& text);

/// What reads a text, for people: "characters", "bytes", or the kind or the file of another
/// tokenizer with the size of its vocabulary.
std::string tokenizer_label(const TextData& text);

/// A text that has been encoded already. Throws `Error` for tokens outside the vocabulary.
TextData text_from_tokens(std::vector<std::int32_t> tokens, const std::string& name,
                          std::shared_ptr<const Tokenizer> tokenizer);

/// The bytes of every token, by number.
std::vector<std::string> vocabulary_of(const Tokenizer& tokenizer);

/// The index of every character of `text` in `vocabulary`, which must be sorted by code point (see
/// check_vocabulary). Throws `Error` naming the first character that is not in it, or the byte that
/// is no UTF-8.
std::vector<std::int32_t> encode_text(std::span<const std::string> vocabulary,
                                      std::string_view text);

/// The characters behind `ids`, joined. Throws `Error` for an id outside the vocabulary.
std::string decode_text(std::span<const std::string> vocabulary, std::span<const std::int32_t> ids);

/// For vocabularies from files: throws `Error` unless each entry is exactly one character and they
/// ascend by code point.
void check_vocabulary(std::span<const std::string> vocabulary);

}  // namespace xlab
