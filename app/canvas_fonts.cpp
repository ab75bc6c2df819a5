// Builds the font atlases with FreeType from the packaged DejaVu Sans.
#include "app/canvas_fonts.hpp"

#include <imgui_freetype.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>

#include "ui/glyphs.hpp"

namespace xlab::app {
namespace {

/// Height of DejaVu Sans from its highest to its lowest stroke, over its nominal size. FreeType is
/// asked for the former, while sizes on the screen are meant as the latter, as Qt means them.
constexpr float kHeightOverSize = 1.164f;

std::string font_file(const char* name) {
  for (const char* folder : {"/usr/share/fonts/truetype/dejavu/", "/usr/share/fonts/dejavu/",
                             "/usr/share/fonts/TTF/", "/usr/share/fonts/dejavu-sans-fonts/"}) {
    std::error_code ignored;
    if (std::filesystem::exists(std::string(folder) + name, ignored)) {
      return std::string(folder) + name;
    }
  }
  return {};
}

/// Text written beside pictures of the views: letters with marks of their own.
const ImWchar* letters() {
  static const ImVector<ImWchar> ranges = [] {
    constexpr ImWchar kMarks[] = {0x02B0, 0x036F, 0x1E00, 0x1EFF, 0x20A0, 0x20CF, 0};
    ImVector<ImWchar> built;
    ImFontGlyphRangesBuilder builder;
    builder.AddRanges(ui::glyph_ranges());
    builder.AddRanges(kMarks);
    builder.BuildRanges(&built);
    return built;
  }();
  return ranges.Data;
}

void build(ImFontAtlas& atlas, float pixels) {
  atlas.FontBuilderIO = ImGuiFreeType::GetBuilderForFreeType();
  atlas.Flags |= ImFontAtlasFlags_NoBakedLines | ImFontAtlasFlags_NoMouseCursors;
  ImFontConfig config;
  config.FontBuilderFlags = ImGuiFreeTypeBuilderFlags_LightHinting;
  const std::string regular = font_file("DejaVuSans.ttf");
  const std::string bold = font_file("DejaVuSans-Bold.ttf");
  if (regular.empty()) {
    config.SizePixels = pixels;
    atlas.AddFontDefault(&config);
    atlas.AddFontDefault(&config);
    atlas.Build();
    return;
  }
  const float height = std::round(pixels * kHeightOverSize);
  // Half of what the strokes need beyond the nominal size goes above it, half below.
  config.GlyphOffset.y = -std::floor((height - pixels) / 2);
  atlas.AddFontFromFileTTF(regular.c_str(), height, &config, letters());
  atlas.AddFontFromFileTTF((bold.empty() ? regular : bold).c_str(), height, &config, letters());
  atlas.Build();
  for (ImFont* font : atlas.Fonts) font->FontSize = pixels;
}

}  // namespace

std::shared_ptr<FontAtlas> font_atlas(float scale) {
  static std::map<int, std::weak_ptr<FontAtlas>> atlases;
  static std::uint64_t last_id = 0;
  const int pixels = std::max(6, static_cast<int>(std::lround(kTextPixels * scale)));
  std::shared_ptr<FontAtlas> fonts = atlases[pixels].lock();
  if (!fonts) {
    fonts = std::make_shared<FontAtlas>();
    fonts->id = ++last_id;
    build(fonts->atlas, static_cast<float>(pixels));
    atlases[pixels] = fonts;
  }
  return fonts;
}

}  // namespace xlab::app
