// Text to train on: a file of any script becomes the numbers of its tokens.
#include "core/tasks/training_text.hpp"

#include <algorithm>

#include "core/files/disk.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

constexpr char32_t kCodePoints = 0x110000;

[[noreturn]] void refuse_zero(const std::string& shown, std::size_t offset) {
  throw Error(fmt::format("'{}' holds binary data, not text: there is a zero byte at position {}.",
                          shown, offset));
}

/// A text in another encoding, or none.
struct NoUtf8 : Error {
  NoUtf8(const std::string& shown, std::size_t offset, unsigned byte)
      : Error(fmt::format(
            "'{}' is not a text in UTF-8: the byte at position {} (0x{:02X}) fits nowhere. Save it "
            "as UTF-8, choose a plain text file, or have it read by its bytes (--tokenizer "
            "bytes).",
            shown, offset, byte)),
        offset(offset),
        byte(byte) {}
  std::size_t offset;
  unsigned byte;
};

[[noreturn]] void refuse_byte(const std::string& shown, std::size_t offset, unsigned byte) {
  throw NoUtf8(shown, offset, byte);
}

/// Throws for what is no text.
void check_text(std::string_view text, const std::string& shown) {
  const std::size_t zero = text.find('\0');
  const auto invalid = find_invalid_utf8(text.substr(0, zero));
  if (invalid) refuse_byte(shown, *invalid, static_cast<unsigned char>(text[*invalid]));
  if (zero != text.npos) refuse_zero(shown, zero);
}

TextData parse_text(std::string_view text, const std::string& name) {
  const std::string shown = printable(name, 512);
  check(!text.empty(), "'{}' is empty. Choose a text with at least two characters.", shown);
  const std::size_t bom = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;

  TextData data;
  data.name = shown;
  // First every character's code point, then, once it is known which occur, its rank among them.
  data.ids.reserve(text.size() - bom);
  std::vector<std::int32_t> rank(kCodePoints, -1);
  for (std::size_t offset = bom; offset < text.size();) {
    const auto lead = static_cast<unsigned char>(text[offset]);
    Utf8Character character{lead, 1};
    if (lead == 0) refuse_zero(shown, offset);
    if (lead >= 0x80) {
      const auto decoded = decode_utf8(text, offset);
      if (!decoded) refuse_byte(shown, offset, lead);
      character = *decoded;
    }
    data.ids.push_back(static_cast<std::int32_t>(character.code_point));
    rank[character.code_point] = 0;
    offset += character.bytes;
  }
  check(data.ids.size() >= 2,
        "'{}' has {} character{}, too few to learn from: at least two are needed.", shown,
        data.ids.size(), data.ids.size() == 1 ? "" : "s");

  for (char32_t code_point = 0; code_point < kCodePoints; ++code_point) {
    if (rank[code_point] < 0) continue;
    rank[code_point] = static_cast<std::int32_t>(data.vocabulary.size());
    data.vocabulary.push_back(encode_utf8(code_point));
  }
  for (std::int32_t& id : data.ids) id = rank[static_cast<std::size_t>(id)];
  data.tokenizer = character_tokenizer(data.vocabulary);
  return data;
}

TextData parse_text(std::string_view text, const std::string& name,
                    std::shared_ptr<const Tokenizer> tokenizer) {
  if (!tokenizer) return parse_text(text, name);
  if (tokenizer->kind() != "bytes") {
    check_text(text, printable(name, 512));
    text = without_byte_order_mark(text);
  }
  std::vector<std::int32_t> tokens = tokenizer->encode(text);
  return text_from_tokens(std::move(tokens), name, std::move(tokenizer));
}

}  // namespace

TextData read_text(const std::filesystem::path& path, std::shared_ptr<const Tokenizer> tokenizer) {
  TextData data = parse_text(read_text_file(path, kMostTextBytes), path.filename().string(),
                             std::move(tokenizer));
  data.path = path.string();
  return data;
}

OpenedText open_text(const std::filesystem::path& path) {
  const std::string bytes = read_text_file(path, kMostTextBytes);
  const std::string name = path.filename().string();
  OpenedText opened;
  try {
    opened.text = parse_text(bytes, name);
  } catch (const NoUtf8& e) {
    const bool utf16 = bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff");
    const std::size_t zero = utf16 ? bytes.npos : bytes.find('\0');
    if (zero != bytes.npos) refuse_zero(printable(name, 512), zero);
    opened.text = parse_text(bytes, name, byte_tokenizer());
    opened.text.tokenizer_name = "bytes";
    opened.notice = fmt::format(
        "'{}' is not in UTF-8{}: the byte at position {} (0x{:02X}) fits nowhere. It is read as "
        "bytes; saved as UTF-8 it would be read as characters.",
        printable(name, 512), utf16 ? " but in UTF-16" : "", e.offset, e.byte);
  }
  opened.text.path = path.string();
  return opened;
}

void check_text_file(const std::filesystem::path& path, const Tokenizer* tokenizer) {
  const std::string text = read_text_file(path, kMostTextBytes);
  const std::string shown = printable(path.filename().string(), 512);
  check(!text.empty(), "'{}' is empty. Choose a text with at least two characters.", shown);
  if (tokenizer && tokenizer->kind() == "bytes") return;
  try {
    check_text(text, shown);
  } catch (const NoUtf8&) {
    // Without a tokenizer such a text is read as bytes, as by `open_text`.
    const bool utf16 = text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
    const std::size_t zero = utf16 ? text.npos : text.find('\0');
    if (tokenizer) throw;
    if (zero != text.npos) refuse_zero(shown, zero);
    return;
  }
  const std::size_t bom = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  // One token is too few; whether a longer text is, only the tokenizer can tell.
  const std::size_t characters = bom == text.size()                                   ? 0
                                 : bom + decode_utf8(text, bom)->bytes == text.size() ? 1
                                                                                      : 2;
  check(characters >= 2, "'{}' has {} character{}, too few to learn from: at least two are needed.",
        shown, characters, characters == 1 ? "" : "s");
}

TextData text_from_bytes(std::span<const std::byte> bytes, const std::string& name,
                         std::shared_ptr<const Tokenizer> tokenizer) {
  return parse_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name,
                    std::move(tokenizer));
}

TextData read_again(const TextData& text, std::shared_ptr<const Tokenizer> tokenizer) {
  if (!text.path.empty()) return read_text(text.path, std::move(tokenizer));
  check(text.tokenizer->between().empty(),
        "'{}' is known here only as the words of its tokenizer: open the file again to read it by "
        "another one.",
        printable(text.name, 512));
  return parse_text(bytes_of(text), text.name, std::move(tokenizer));
}

std::string bytes_of(const TextData& text) {
  std::string bytes;
  for (const std::int32_t id : text.ids) {
    if (!bytes.empty()) bytes += text.tokenizer->between();
    bytes += text.tokenizer->bytes(id);
  }
  return bytes;
}

std::string tokenizer_label(const TextData& text) {
  const std::string& name = text.tokenizer_name;
  if (name.empty() || name == "characters" || name == "bytes")
    return text.tokenizer->kind() == "bpe" ? text.tokenizer->title() : text.tokenizer->kind();
  // Every model's tokenizer.json has the same name: its folder tells more.
  std::filesystem::path file = std::filesystem::path(name).lexically_normal();
  if (file.filename().empty() || file.filename() == "tokenizer.json") {
    const std::filesystem::path folder = file.parent_path();
    if (!folder.filename().empty()) file = folder;
  }
  return fmt::format("{}, {} tokens", printable(file.filename().string(), 60),
                     text.tokenizer->vocab_size());
}

TextData text_from_tokens(std::vector<std::int32_t> tokens, const std::string& name,
                          std::shared_ptr<const Tokenizer> tokenizer) {
  TextData data;
  data.name = printable(name, 512);
  check(tokens.size() >= 2, "'{}' has {} token{}, too few to learn from: at least two are needed.",
        data.name, tokens.size(), tokens.size() == 1 ? "" : "s");
  for (const std::int32_t token : tokens)
    check(token >= 0 && token < tokenizer->vocab_size(),
          "'{}' holds the token {}, but its vocabulary has {}.", data.name, token,
          tokenizer->vocab_size());
  data.vocabulary = vocabulary_of(*tokenizer);
  data.tokenizer = std::move(tokenizer);
  data.ids = std::move(tokens);
  return data;
}

std::vector<std::string> vocabulary_of(const Tokenizer& tokenizer) {
  std::vector<std::string> vocabulary;
  vocabulary.reserve(static_cast<std::size_t>(tokenizer.vocab_size()));
  for (int token = 0; token < tokenizer.vocab_size(); ++token)
    vocabulary.emplace_back(tokenizer.bytes(token));
  return vocabulary;
}

std::vector<std::int32_t> encode_text(std::span<const std::string> vocabulary,
                                      std::string_view text) {
  std::vector<std::int32_t> ids;
  for (std::size_t offset = 0; offset < text.size();) {
    const auto character = decode_utf8(text, offset);
    check(character.has_value(), "This text is not in UTF-8: the byte at position {} fits nowhere.",
          offset);
    const std::string_view bytes = text.substr(offset, character->bytes);
    // The order of UTF-8 strings is the order of their code points.
    const auto found = std::lower_bound(vocabulary.begin(), vocabulary.end(), bytes);
    if (found == vocabulary.end() || *found != bytes) {
      const std::string code = code_point_text(character->code_point);
      const bool visible = printable(bytes) == bytes;
      throw Error(visible ? fmt::format("The model never saw the character '{}' ({}).", bytes, code)
                          : fmt::format("The model never saw the character {}.", code));
    }
    ids.push_back(static_cast<std::int32_t>(found - vocabulary.begin()));
    offset += character->bytes;
  }
  return ids;
}

std::string decode_text(std::span<const std::string> vocabulary,
                        std::span<const std::int32_t> ids) {
  std::string text;
  for (const std::int32_t id : ids) {
    check(id >= 0 && static_cast<std::size_t>(id) < vocabulary.size(),
          "There is no character number {}: the vocabulary has {}.", id, vocabulary.size());
    text += vocabulary[static_cast<std::size_t>(id)];
  }
  return text;
}

void check_vocabulary(std::span<const std::string> vocabulary) {
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    const std::string& entry = vocabulary[i];
    const auto character = entry.empty() ? std::nullopt : decode_utf8(entry, 0);
    check(character && character->bytes == entry.size(),
          "Entry {} of the vocabulary, '{}', is not one character.", i, printable(entry, 40));
    check(i == 0 || vocabulary[i - 1] < entry,
          "Entry {} of the vocabulary, '{}', does not come after the one before it.", i,
          printable(entry, 40));
  }
}

}  // namespace xlab
