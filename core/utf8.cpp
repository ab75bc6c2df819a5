// Strict UTF-8: reading one character at a time, and showing foreign text inside sentences.
#include "core/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace xlab {

std::optional<Utf8Character> decode_utf8(std::string_view text, std::size_t offset) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return Utf8Character{lead, 1};

  std::size_t bytes = 0;
  char32_t value = 0;
  char32_t smallest = 0;  // anything below is an overlong form
  if ((lead & 0xe0) == 0xc0) {
    bytes = 2, value = lead & 0x1f, smallest = 0x80;
  } else if ((lead & 0xf0) == 0xe0) {
    bytes = 3, value = lead & 0x0f, smallest = 0x800;
  } else if ((lead & 0xf8) == 0xf0) {
    bytes = 4, value = lead & 0x07, smallest = 0x10000;
  } else {
    return std::nullopt;
  }
  if (text.size() - offset < bytes) return std::nullopt;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
    value = (value << 6) | (byte(i) & 0x3f);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < smallest || surrogate || value > 0x10ffff) return std::nullopt;
  return Utf8Character{value, bytes};
}

std::string encode_utf8(char32_t code_point) {
  const auto tail = [&](int shift) {
    return static_cast<char>(0x80 | ((code_point >> shift) & 0x3f));
  };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xc0 | (code_point >> 6)), tail(0)};
  if (code_point < 0x10000) {
    return {static_cast<char>(0xe0 | (code_point >> 12)), tail(6), tail(0)};
  }
  return {static_cast<char>(0xf0 | (code_point >> 18)), tail(12), tail(6), tail(0)};
}

BrokenUtf8 broken_utf8(std::string_view text, std::size_t offset) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  const unsigned char lead = byte(0);
  const std::size_t wanted = lead >= 0xc2 && lead <= 0xdf   ? 2
                             : lead >= 0xe0 && lead <= 0xef ? 3
                             : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                            : 1;
  // The second byte decides against overlong forms, surrogates and values above U+10FFFF.
  const unsigned char first = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char last = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  BrokenUtf8 broken{1, false};
  const std::size_t left = text.size() - offset;
  while (broken.bytes < std::min(wanted, left)) {
    const unsigned char next = byte(broken.bytes);
    const bool fits = broken.bytes == 1 ? next >= first && next <= last : (next & 0xc0) == 0x80;
    if (!fits) return broken;
    ++broken.bytes;
  }
  broken.cut_off = broken.bytes < wanted;
  return broken;
}

std::string mended_utf8(std::string_view text) {
  std::string mended;
  mended.reserve(text.size());
  std::size_t kept = 0;  // what lies before is in `mended`
  for (std::size_t offset = 0; offset < text.size();) {
    if (const auto character = decode_utf8(text, offset)) {
      offset += character->bytes;
      continue;
    }
    mended += text.substr(kept, offset - kept);
    mended += "\xef\xbf\xbd";
    offset += broken_utf8(text, offset).bytes;
    kept = offset;
  }
  mended += text.substr(kept);
  return mended;
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  for (std::size_t offset = 0; offset < text.size();) {
    const auto character = decode_utf8(text, offset);
    if (!character) return offset;
    offset += character->bytes;
  }
  return std::nullopt;
}

std::string code_point_text(char32_t code_point) {
  return fmt::format("U+{:04X}", static_cast<std::uint32_t>(code_point));
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string shown;
  for (std::size_t offset = 0; offset < text.size();) {
    const auto character = decode_utf8(text, offset);
    const std::size_t bytes = character ? character->bytes : 1;
    if (shown.size() + bytes > limit) return shown + "…";
    const bool control = !character || character->code_point < 0x20 ||
                         (character->code_point >= 0x7f && character->code_point < 0xa0);
    shown += control ? std::string_view("?") : text.substr(offset, bytes);
    offset += bytes;
  }
  return shown;
}

}  // namespace xlab
