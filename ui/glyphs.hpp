// Which characters the font of the canvases must hold.
#pragma once

#include <imgui.h>

namespace xlab::ui {

/// Ranges for ImFontAtlas::AddFontFromFileTTF: Latin, Greek, Cyrillic, Armenian,
/// Hebrew, Arabic, Georgian, punctuation, super- and
/// subscripts, arrows, mathematical operators and the marks the views draw. Lives for ever.
const ImWchar* glyph_ranges();

}  // namespace xlab::ui
