// Builds the font atlases with FreeType from the packaged DejaVu Sans.
#include "app/canvas_fonts.hpp"

#include <imgui_freetype.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>

namespace xlab::app {
namespace {

// Pairs of first and last letter, ended by zero. What the views write: text, mathematics, marks.
constexpr std::array<ImWchar, 39> kRanges = {0x0020, 0x00FF,  // Latin and Latin-1
                                             0x0100, 0x017F,  // Latin extended A
                                             0x02B0, 0x02FF,  // modifier letters
                                             0x0300, 0x036F,  // combining marks
                                             0x0370, 0x03FF,  // Greek
                                             0x0400, 0x04FF,  // Cyrillic, for texts
                                             0x1D2C, 0x1D7F,  // small raised and lowered letters
                                             0x1E00, 0x1EFF,  // Latin with marks
                                             0x2000, 0x206F,  // punctuation
                                             0x2070, 0x209F,  // superscripts and subscripts
                                             0x20A0, 0x20CF,  // currency
                                             0x2100, 0x218F,  // letter-like, fractions
                                             0x2190, 0x22FF,  // arrows, operators
                                             0x2300, 0x23FF,  // technical
                                             0x2500, 0x25FF,  // boxes and shapes
                                             0x2600, 0x266F,  // symbols
                                             0x2713, 0x2718,  // ticks and crosses
                                             0x27E6, 0x27EF,  // brackets
                                             0xFFFD, 0xFFFD,  // replacement
                                             0};

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
  } else {
    atlas.AddFontFromFileTTF(regular.c_str(), pixels, &config, kRanges.data());
    atlas.AddFontFromFileTTF((bold.empty() ? regular : bold).c_str(), pixels, &config,
                             kRanges.data());
  }
  atlas.Build();
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
