// A drawing as SVG: lines stay lines and text stays text, for papers.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "ui/draw_log.hpp"

namespace xlab::ui {

struct SvgPage {
  ImVec2 size{0, 0};          ///< pixels, as drawn
  float text_pixels = 13.0f;  ///< of all letters
  ImU32 ground = 0;
  std::string title;  ///< what screen readers say of it
};

/// A picture of (height, width) pixels as a PNG file: heat maps lie in the SVG as these.
using PngOf =
    std::function<std::string(std::span<const std::uint32_t> pixels, int width, int height)>;

/// What was drawn, in the order in which it was. Letters are those of DejaVu Sans where that is
/// installed, else of another font without serifs, at the same places and of the same width.
std::string svg_of(const DrawLog& drawing, const SvgPage& page, const PngOf& png_of);

}  // namespace xlab::ui
