// Heat maps as one texture each, and the legend that says how to read their colours.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ui/paint.hpp"

namespace xlab::ui {

/// What the colours of a map cannot show.
struct Outside {
  bool below = false, above = false;  ///< finite values beyond the range
  int nan = 0, plus_inf = 0, minus_inf = 0;

  int not_numbers() const { return nan + plus_inf + minus_inf; }
};
Outside outside(std::span<const float> values, const ColourScale& scale);

/// The largest |value| among the finite ones, 0 when there are none.
double largest(std::span<const float> values);

struct HeatPixels {
  int width = 0, height = 0;
  std::vector<std::uint32_t> pixels;
  bool reduced = false;      ///< several values share a pixel: the one furthest from zero is shown
  std::uint64_t digest = 0;  ///< of the pixels: another one where they differ
};
/// Colours of (rows, columns) values in at most `max_height` x `max_width` pixels. What is no
/// number wins over what is one.
HeatPixels heat_pixels(std::span<const float> values, int rows, int columns, int max_height,
                       int max_width, const ColourScale& scale);

/// Draws (rows, columns) values, first row on top, as a texture named `key`. Cells that are no
/// number are hatched. Returns whether several values had to share a pixel.
bool draw_heat(Painter& painter, Images& images, const std::string& key, const Box& box,
               std::span<const float> values, int rows, int columns, const ColourScale& scale);

/// The same with the pixels that `heat_pixels` made of the values for a box of this size.
void draw_heat(Painter& painter, Images& images, const std::string& key, const Box& box,
               std::span<const float> values, int rows, int columns, const ColourScale& scale,
               const HeatPixels& heat);

/// What a legend says.
struct Legend {
  std::string unit;       ///< what the numbers are, e.g. "nats"
  std::string scope;      ///< what the range covers, e.g. "all heads, this step"
  std::string transform;  ///< anything done to the values before colouring; empty for nothing
  Outside outside;
  float number_width = 0.0f;  ///< room for each number at least, so that legends line up
  std::string brief;          ///< unit and scope in a word or two, where there is no room for more
  std::string more;           ///< a sentence for `explain_legend` alone
};
/// One line: lowest, a bar with zero and highest, arrow tips where values lie outside, then the
/// words. Where room is scarce words go first (the unit before the scope and the transform), then
/// digits; what does not fit is left out, never cut.
void draw_legend(Painter& painter, const Box& box, const ColourScale& scale, const Legend& legend);
/// Says in sentences how to read the colours while the mouse rests on the legend.
void explain_legend(const Scene& scene, const Box& box, const ColourScale& scale,
                    const Legend& legend);
/// The width a legend needs to show all of its words.
float legend_width(const Painter& painter, const ColourScale& scale, const Legend& legend);

}  // namespace xlab::ui
