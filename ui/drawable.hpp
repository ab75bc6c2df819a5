// Texts of people as the canvases can draw them.
#pragma once

#include <imgui.h>

#include <optional>
#include <string>
#include <string_view>

namespace xlab::ui {

/// The text as it is drawn in one line: Hebrew from right to left, Arabic also with its letters
/// joined, and of each character that the font lacks its code point ("U+6F22"), so that no two look
/// alike. Nothing for what is drawn as it is.
std::optional<std::string> drawable(std::string_view text, const ImFont& font);

}  // namespace xlab::ui
