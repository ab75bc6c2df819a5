// Unicode normal forms, on utf8proc.
#include "core/tokenizer/normal.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

void append_normalized(std::string& out, std::string_view text, NormalForm form) {
  constexpr std::size_t kMostParts = 32;  // of one character; 18 is the longest there is
  int options = UTF8PROC_STABLE;
  if (form.compatible) options |= UTF8PROC_COMPAT;
  std::vector<utf8proc_int32_t> points;
  for (std::size_t at = 0; at < text.size();) {
    const auto character = decode_utf8(text, at);
    check(character.has_value(), "This text is not in UTF-8: the byte at position {} fits nowhere.",
          at);
    utf8proc_int32_t parts[kMostParts];
    const auto count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(character->code_point), parts, kMostParts,
        static_cast<utf8proc_option_t>(options | UTF8PROC_DECOMPOSE), nullptr);
    check(count >= 0 && count <= static_cast<utf8proc_ssize_t>(kMostParts),
          "The character {} cannot be normalised.", code_point_text(character->code_point));
    points.insert(points.end(), parts, parts + count);
    at += character->bytes;
  }
  // Marks in a row are ordered by class. Sorting keeps long rows of them from costing their square.
  const auto order = [](utf8proc_int32_t point) {
    return utf8proc_get_property(point)->combining_class;
  };
  for (auto begin = points.begin(); begin != points.end();) {
    if (order(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end =
        std::find_if(begin, points.end(), [&](auto point) { return order(point) == 0; });
    std::stable_sort(begin, end, [&](auto a, auto b) { return order(a) < order(b); });
    begin = end;
  }
  if (form.composed) {
    const auto count = utf8proc_normalize_utf32(
        points.data(), static_cast<utf8proc_ssize_t>(points.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    check(count >= 0, "The text cannot be normalised: {}.", utf8proc_errmsg(count));
    points.resize(static_cast<std::size_t>(count));
  }
  for (const utf8proc_int32_t point : points) out += encode_utf8(static_cast<char32_t>(point));
}

}  // namespace

std::string normalized(std::string_view text, NormalForm form) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    // ASCII stays as it is, but for the last character before others: marks may follow.
    std::size_t other = at;
    while (other < text.size() && is_ascii(text[other])) ++other;
    const std::size_t begin = other < text.size() && other > at ? other - 1 : other;
    out += text.substr(at, begin - at);
    std::size_t end = other;
    while (end < text.size() && !is_ascii(text[end])) ++end;
    if (begin < end) append_normalized(out, text.substr(begin, end - begin), form);
    at = end;
  }
  return out;
}

}  // namespace xlab
