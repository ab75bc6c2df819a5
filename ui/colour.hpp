// Palettes and colour maps.
#pragma once

#include <cstdint>
#include <string>

#include <imgui.h>

namespace xlab::ui {

enum class PaletteName { light, dark, projector };

/// The colours of the window's canvases. `projector` is light with stronger lines and larger
/// contrast.
struct Palette {
  PaletteName name = PaletteName::light;
  ImU32 background = 0, panel = 0, text = 0, muted_text = 0, grid = 0, accent = 0, cursor = 0,
        warning = 0;
  float line_width = 1.5f;
};

const Palette& palette(PaletteName name);
/// Throws when the name is not light, dark or projector.
PaletteName palette_name(const std::string& text);

}  // namespace xlab::ui
