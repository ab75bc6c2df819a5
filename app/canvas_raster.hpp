// Draws Dear ImGui's triangles into memory with the CPU.
#pragma once

#include <imgui.h>

#include <cstdint>
#include <vector>

namespace xlab::app {

/// A texture: RGBA8, row by row, top first. A `ImTextureID` of the software presenter points here;
/// null stands for the font atlas.
struct RasterTexture {
  int width = 0, height = 0;
  std::vector<std::uint32_t> pixels;
};

/// An opaque picture: 0xffRRGGBB, row by row, top first.
struct RasterTarget {
  std::uint32_t* pixels = nullptr;
  int width = 0, height = 0;
  int stride = 0;  ///< pixels from one row to the next
};

/// Draws over what `target` holds. Pixels are covered when their centre is; textures are sampled
/// without interpolation, glyphs with it where they do not fall on whole pixels.
void rasterise(const ImDrawData& data, const ImFontAtlas& fonts, const RasterTarget& target);

}  // namespace xlab::app
