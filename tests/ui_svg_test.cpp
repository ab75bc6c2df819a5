// A drawing as SVG: everything that was drawn is in it, in its order, where it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/svg.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

std::string written(const DrawLog& drawing) {
  const SvgPage page{
      .size = {200, 100}, .text_pixels = 13, .ground = IM_COL32(1, 2, 3, 255), .title = "A & B"};
  return svg_of(drawing, page, [](std::span<const std::uint32_t> pixels, int width, int height) {
    return "png" + std::to_string(pixels.size()) + " " + std::to_string(width) + " " +
           std::to_string(height);
  });
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

bool holds_part(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

const Box kPage{{0, 0}, {200, 100}};

TEST(Svg, HasAPageWithATitleAndAGround) {
  const std::string svg = written({});
  EXPECT_TRUE(svg.starts_with("<?xml"));
  EXPECT_TRUE(holds_part(svg, "viewBox=\"0 0 200 100\"")) << svg;
  EXPECT_TRUE(holds_part(svg, "<title>A &amp; B</title>"));
  EXPECT_TRUE(holds_part(svg, "<rect width=\"200\" height=\"100\" fill=\"#010203\"/>"));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
}

TEST(Svg, TextStaysText) {
  DrawLog log;
  log.texts.push_back({.shown = "a < b & \"c\"",
                       .box = {{10, 20}, {60, 33}},
                       .clip = kPage,
                       .colour = IM_COL32(255, 0, 16, 128),
                       .weight = Weight::bold,
                       .order = 0,
                       .ascent = 10});
  log.texts.push_back({.shown = "up",
                       .box = {{5, 40}, {18, 90}},
                       .clip = kPage,
                       .colour = IM_COL32(0, 0, 0, 255),
                       .upwards = true,
                       .order = 1,
                       .ascent = 10});
  const std::string svg = written(log);
  EXPECT_TRUE(
      holds_part(svg,
                 "<text x=\"10\" y=\"30\" textLength=\"50\" lengthAdjust=\"spacingAndGlyphs\" "
                 "font-weight=\"bold\" fill=\"#ff0010\" fill-opacity=\"0.5\">"
                 "a &lt; b &amp; &quot;c&quot;</text>"))
      << svg;
  EXPECT_TRUE(holds_part(svg, "<text transform=\"translate(15 90) rotate(-90)\" textLength=\"50\""))
      << svg;
}

TEST(Svg, WhatIsCutOffStaysCutOff) {
  const Box half{{0, 0}, {200, 30}};
  DrawLog log;
  log.heats.push_back({.key = "k",
                       .box = {{20, 20}, {40, 60}},
                       .width = 1,
                       .height = 1,
                       .pixels = {1},
                       .order = 0,
                       .clip = half});
  log.texts.push_back(
      {.shown = "up", .box = {{5, 10}, {18, 90}}, .clip = half, .upwards = true, .order = 1});
  log.hatches.push_back({{{60, 20}, {70, 70}}, 2, false, half});
  const float none = std::numeric_limits<float>::quiet_NaN();
  log.polygons.push_back({{{1, none}, {3, 4}, {5, 0}}, 0, kPage, 3});
  log.circles.push_back({{none, 40}, 5, 0, 0.0f, kPage, 4});
  const std::string svg = written(log);
  EXPECT_TRUE(holds_part(svg, "base64,cG5n")) << svg;
  EXPECT_EQ(times(svg, "clip-path=\"url(#c0)\""), 3u) << svg;
  // What cuts a turned text off is not turned with it.
  EXPECT_TRUE(holds_part(svg, "<g clip-path=\"url(#c0)\"><text transform="));
  EXPECT_FALSE(holds_part(svg, "nan")) << svg;
  EXPECT_FALSE(holds_part(svg, "<circle"));
}

TEST(Svg, LinesAreInterruptedWhereThereIsNoNumber) {
  const float none = std::numeric_limits<float>::quiet_NaN();
  DrawLog log;
  log.lines.push_back({{{1, 1}, {2, 3}, {3, none}, {4, 5}, {5, none}, {6, 7}, {7, 8.25f}},
                       {.colour = IM_COL32(0, 0, 255, 255), .width = 2, .dash = Dash::dashed},
                       kPage,
                       0});
  log.lines.push_back({{{1, 1}, {9, 4}}, {.width = 1, .stepped = true}, kPage, 1});
  const std::string svg = written(log);
  EXPECT_TRUE(holds_part(svg, "d=\"M1 1 L2 3\"")) << svg;
  EXPECT_TRUE(holds_part(svg, "d=\"M6 7 L7 8.25\""));
  EXPECT_TRUE(holds_part(svg, "<circle cx=\"4\" cy=\"5\" r=\"2\" fill=\"#0000ff\""));
  EXPECT_EQ(times(svg, "stroke-dasharray=\"10 6\""), 2u);
  EXPECT_TRUE(holds_part(svg, "d=\"M1 1 L9 1 L9 4\""));
}

TEST(Svg, ShapesHaveTheirOrderTheirColoursAndTheirEnds) {
  DrawLog log;
  log.outlines.push_back({{{1, 1}, {11, 21}}, kPage, IM_COL32(9, 9, 9, 255), 3, 2.0f, 4.0f});
  log.fills.push_back({.box = {{0, 0}, {300, 50}},
                       .clip = {{10, 10}, {50, 50}},
                       .colour = IM_COL32(1, 1, 1, 255),
                       .order = 1});
  log.fills.push_back({.box = {{0, 0}, {3, 5}}, .clip = kPage, .order = 9, .listed = true});
  log.fills.push_back({.box = {{70, 70}, {80, 80}}, .clip = {{10, 10}, {10, 50}}, .order = 9});
  log.polygons.push_back({{{1, 2}, {3, 4}, {5, 0}}, IM_COL32(2, 2, 2, 255), kPage, 2});
  log.circles.push_back({{30, 40}, 5, IM_COL32(3, 3, 3, 255), 1.5f, kPage, 0});
  log.hatches.push_back({{{60, 60}, {70, 70}}, 5});
  log.hatches.push_back({{{80, 80}, {90, 90}}, 6, true});
  log.heats.push_back({.key = "k",
                       .box = {{20, 20}, {40, 30}},
                       .width = 2,
                       .height = 1,
                       .pixels = {1, 2},
                       .order = 4});
  const std::string svg = written(log);
  const auto place = [&](const std::string& part) {
    EXPECT_TRUE(holds_part(svg, part)) << part << "\n" << svg;
    return svg.find(part);
  };
  const std::vector<std::size_t> order = {
      place("<circle cx=\"30\" cy=\"40\" r=\"5\" fill=\"none\" stroke=\"#030303\" "
            "stroke-width=\"1.5\"/>"),
      place("<rect x=\"0\" y=\"0\" width=\"300\" height=\"50\" shape-rendering=\"crispEdges\" "
            "fill=\"#010101\" "
            "clip-path=\"url(#c0)\"/>"),
      place("<polygon points=\"1,2 3,4 5,0\" fill=\"#020202\"/>"),
      place("<rect x=\"1.5\" y=\"1.5\" width=\"9\" height=\"19\" rx=\"4\" fill=\"none\" "
            "stroke=\"#090909\" stroke-width=\"2\"/>"),
      // "png200 20 10" in base 64: every cell has as many pixels as it covers.
      place("xlink:href=\"data:image/png;base64,cG5nMjAwIDIwIDEw\""),
      place("<rect x=\"60\" y=\"60\" width=\"10\" height=\"10\" fill=\"url(#hatch)\"/>")};
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_TRUE(
      holds_part(svg, "<clipPath id=\"c0\"><rect x=\"10\" y=\"10\" width=\"40\" height=\"40\"/>"));
  EXPECT_TRUE(holds_part(svg, "<pattern id=\"hatch\""));
  EXPECT_EQ(times(svg, "<rect"), 5u) << svg;
}

TEST(Svg, HoldsEveryWordThatAViewDraws) {
  const Snapshot snapshot = recall_scene();
  for (const std::unique_ptr<View>& view : make_views()) {
    SCOPED_TRACE(view->name());
    Stage stage(snapshot);
    stage.size = {700, 500};
    stage.frame(*view);
    stage.frame(*view);
    const std::string svg = written(stage.log);
    EXPECT_GE(stage.log.texts.size(), 1u);
    std::size_t inside = 0;
    for (const DrawLog::Text& text : stage.log.texts)
      inside += text.clip.empty() || text.shown.empty() ? 0 : 1;
    EXPECT_EQ(times(svg, "</text>"), inside);
    EXPECT_FALSE(holds_part(svg, "nan"));
    EXPECT_EQ(times(svg, "<image"), stage.log.heats.size());
  }
}

}  // namespace
}  // namespace xlab::tests
