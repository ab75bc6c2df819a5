// Texts of people as the canvases can draw them.
#include "ui/drawable.hpp"

#include <fribidi.h>

#include <algorithm>
#include <vector>

#include "core/utf8.hpp"

namespace xlab::ui {
namespace {

/// Whether a character belongs to a script that is written from right to left.
bool from_right(char32_t c) {
  return (c >= 0x0590 && c <= 0x08ff) || (c >= 0xfb1d && c <= 0xfdff) ||
         (c >= 0xfe70 && c <= 0xfefc);
}

bool has(const ImFont& font, char32_t c) {
  if (c < 0x80) return true;
  return c <= IM_UNICODE_CODEPOINT_MAX &&
         font.FindGlyphNoFallback(static_cast<ImWchar>(c)) != nullptr;
}

/// In the order in which they stand from left to right.
std::vector<char32_t> in_visual_order(const std::vector<char32_t>& text) {
  const auto length = static_cast<FriBidiStrIndex>(text.size());
  const std::vector<FriBidiChar> logical(text.begin(), text.end());
  std::vector<FriBidiChar> visual(text.size() + 1);
  FriBidiParType direction = FRIBIDI_PAR_LTR;
  // Without memory for it: as it was.
  if (fribidi_log2vis(logical.data(), length, &direction, visual.data(), nullptr, nullptr,
                      nullptr) == 0)
    return text;
  visual.resize(text.size());
  std::erase(visual, static_cast<FriBidiChar>(FRIBIDI_CHAR_FILL));
  return {visual.begin(), visual.end()};
}

}  // namespace

std::optional<std::string> drawable(std::string_view text, const ImFont& font) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; })) return {};
  std::vector<char32_t> characters;
  bool turned = false, lacking = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::optional<Utf8Character> one = decode_utf8(text, at);
    characters.push_back(one ? one->code_point : U'\ufffd');
    // It would be taken for what shaping leaves where two letters have become one.
    if (characters.back() == U'\ufeff') {
      characters.pop_back();
      for (const char c : code_point_text(U'\ufeff'))
        characters.push_back(static_cast<char32_t>(c));
      lacking = true;
    }
    at += one ? one->bytes : broken_utf8(text, at).bytes;
    turned = turned || from_right(characters.back());
    lacking = lacking || !one || !has(font, characters.back());
  }
  if (!turned && !lacking) return {};
  if (turned) characters = in_visual_order(characters);
  std::string drawn;
  for (const char32_t c : characters) drawn += has(font, c) ? encode_utf8(c) : code_point_text(c);
  return drawn;
}

}  // namespace xlab::ui
