// Strict UTF-8: reading one character at a time, and showing foreign text inside sentences.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace xlab {

/// Stands before a text in some files, and is no part of it.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
/// The text that follows the mark, where there is one.
constexpr std::string_view without_byte_order_mark(std::string_view text) {
  return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

/// One decoded character.
struct Utf8Character {
  char32_t code_point = 0;
  std::size_t bytes = 0;  ///< how many bytes it takes, 1 to 4
};

/// The character that starts at `offset` (which must lie inside `text`), or nothing where the bytes
/// are no UTF-8: stray continuation bytes, cut-off or overlong sequences, surrogates, values above
/// U+10FFFF.
std::optional<Utf8Character> decode_utf8(std::string_view text, std::size_t offset);

/// A character (a code point that is no surrogate) as UTF-8.
std::string encode_utf8(char32_t code_point);

/// Bytes at a place where no character can be read.
struct BrokenUtf8 {
  std::size_t bytes = 0;  ///< how many belong together: the beginning of one character, or one byte
  bool cut_off = false;   ///< the text ends inside a character that more bytes could complete
};

/// What stands at `offset`, where decode_utf8 found no character.
BrokenUtf8 broken_utf8(std::string_view text, std::size_t offset);

/// The text with every broken place (see BrokenUtf8) replaced by U+FFFD, as Unicode recommends and
/// as decoders elsewhere do.
std::string mended_utf8(std::string_view text);

/// Where the first byte stands that is no UTF-8, or nothing when all of `text` is valid.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// "U+00E9"
std::string code_point_text(char32_t code_point);

/// Foreign text made fit for a sentence: control characters and invalid bytes become '?', and what
/// exceeds `limit` bytes is cut off with an ellipsis.
std::string printable(std::string_view text, std::size_t limit = 120);

}  // namespace xlab
