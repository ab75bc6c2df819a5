// Text for character models: a file of any script becomes numbers, one per character, and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xlab {

/// The largest text a model can be trained on here, in bytes.
inline constexpr std::uint64_t kMostTextBytes = std::uint64_t{256} << 20;

/// A text as a character model sees it. A character is one Unicode code point.
struct TextData {
  std::string name;                     ///< for people: the name of the file
  std::vector<std::int32_t> ids;        ///< one per character: its index in `vocabulary`
  std::vector<std::string> vocabulary;  ///< every character that occurs, as UTF-8, by code point
};

/// Reads a UTF-8 text file. A byte order mark at the start is dropped; everything else is kept as
/// it is, line ends included. Throws `Error` for a file that cannot be read, is larger than
/// `kMostTextBytes`, holds binary data or fewer than two characters.
TextData read_text(const std::filesystem::path& path);

/// The same for bytes in memory; `name` is for messages and becomes TextData::name.
TextData text_from_bytes(std::span<const std::byte> bytes, const std::string& name);

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
