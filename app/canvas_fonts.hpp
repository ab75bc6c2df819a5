// The fonts of all canvases: one Dear ImGui atlas for each text size, shared by whoever draws at
// it.
#pragma once

#include <imgui.h>

#include <cstdint>
#include <memory>

namespace xlab::app {

/// Size of text at 100 %, in pixels; Qt's widgets use the same.
inline constexpr float kTextPixels = 13.0f;

/// An atlas with its identity. `Fonts[0]` is the text font, `Fonts[1]` its bold face.
struct FontAtlas {
  ImFontAtlas atlas;
  std::uint64_t id = 0;  ///< never used twice; for caches of what was made from the atlas
};

/// The atlas for text `scale` times as large as at 100 %. Built at the first call and kept as long
/// as anybody holds it. GUI thread only.
std::shared_ptr<FontAtlas> font_atlas(float scale);

}  // namespace xlab::app
