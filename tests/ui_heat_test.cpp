// Heat maps hatch whatever is no number, wherever it is, and legends say how to read the colours.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/legibility.hpp"
#include "tests/ui_stage.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/number.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

/// A view that is one function.
class Plate : public View {
 public:
  explicit Plate(std::function<void(Scene&, Painter&)> paint) : paint_(std::move(paint)) {}
  std::string name() const override { return "sketch"; }
  std::string title() const override { return "Sketch"; }
  void draw(Scene& scene, ImVec2 size) override {
    Panel panel(scene, "sketch", size);
    Painter painter(scene);
    paint_(scene, painter);
  }
  Table table(const Scene&) const override { return {}; }

 private:
  std::function<void(Scene&, Painter&)> paint_;
};

/// Draws a map of (rows, columns) values into a box.
struct HeatStage {
  HeatStage(std::vector<float> values, int rows, int columns, Box box)
      : stage(snapshot), sketch([=](Scene& scene, Painter& painter) {
          const ColourScale scale(painter.palette(), MapName::signed_values, -1.0, 1.0);
          draw_heat(painter, scene.images, "m", box, values, rows, columns, scale);
        }) {
    stage.size = {700, 700};
    stage.frame(sketch);
  }
  /// How much of the hatch passes a cell, in pixels along x.
  float hatched(Box cell) const {
    float length = 0.0f;
    for (const DrawLog::Line& line : stage.log.lines) {
      const ImVec2 a = line.points[0], b = line.points[1];
      for (float x = a.x; x < b.x; x += 0.25f) {
        const float y = a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x);
        if (cell.contains({x, y})) length += 0.25f;
      }
    }
    return length;
  }
  Snapshot snapshot;
  Stage stage;
  Plate sketch;
};

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(Heat, EveryCellThatIsNoNumberIsHatched) {
  for (const int side : {3, 32, 48}) {
    const Box box{{20, 30}, {20 + 13.0f * side, 30 + 13.0f * side}};
    HeatStage all(std::vector<float>(static_cast<std::size_t>(side * side), kNaN), side, side, box);
    for (const auto& [row, column] : {std::pair{0, 0},
                                      {0, side - 1},
                                      {side - 1, 0},
                                      {side - 1, side - 1},
                                      {side / 2, side / 3},
                                      {side - 2, 1}}) {
      const ImVec2 corner{box.min.x + 13.0f * column, box.min.y + 13.0f * row};
      EXPECT_GT(all.hatched({corner, {corner.x + 13, corner.y + 13}}), 5.0f)
          << row << ", " << column << " of " << side;
    }
    EXPECT_TRUE(all.stage.finite());
  }
}

TEST(Heat, OnlyWhatIsNoNumberIsHatched) {
  const int rows = 9, columns = 7;
  std::vector<float> values(static_cast<std::size_t>(rows * columns), 0.5f);
  const float odd[] = {kNaN, std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (std::size_t i = 0; i < values.size(); i += 3) values[i] = odd[i / 3 % 3];
  const Box box{{10, 10}, {10 + 20.0f * columns, 10 + 16.0f * rows}};
  HeatStage some(values, rows, columns, box);
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const ImVec2 corner{box.min.x + 20.0f * column, box.min.y + 16.0f * row};
      const float length =
          some.hatched({{corner.x + 0.5f, corner.y + 0.5f}, {corner.x + 19.5f, corner.y + 15.5f}});
      const bool number = std::isfinite(values[static_cast<std::size_t>(row * columns + column)]);
      if (number) {
        EXPECT_EQ(length, 0.0f) << row << ", " << column;
      } else {
        EXPECT_GT(length, 10.0f) << row << ", " << column;
      }
    }
  }
}

TEST(Heat, AMapFullOfNoNumbersStaysCheap) {
  const int side = 128;
  const Box box{{10, 10}, {650, 650}};
  const std::vector<float> none(static_cast<std::size_t>(side * side), kNaN);
  HeatStage full(none, side, side, box);
  EXPECT_LT(full.stage.vertices(), 6000);
  std::vector<float> half = none;
  for (std::size_t i = 0; i < half.size(); ++i) {
    if ((i * 2654435761u >> 13) % 2 == 0) half[i] = 0.1f;
  }
  HeatStage speckled(half, side, side, box);
  EXPECT_LT(speckled.stage.vertices(), 120000);
}

/// A legend in a row of a width, and what was written.
std::vector<std::string> written(const Legend& legend, const ColourScale& scale, float width,
                                 float size) {
  const Snapshot snapshot;
  Stage stage(snapshot);
  stage.size = {1000, 80};
  stage.scale = size;
  Plate sketch([&](Scene&, Painter& painter) {
    draw_legend(painter, {{4, 10}, {4 + width, 10 + painter.line_height()}}, scale, legend);
  });
  stage.frame(sketch);
  for (const std::string& found : stumbles(stage.log)) ADD_FAILURE() << found << " at " << width;
  std::vector<std::string> words;
  for (const DrawLog::Text& text : stage.log.texts) {
    EXPECT_EQ(text.shown, text.wanted) << "at " << width;
    EXPECT_LE(text.box.max.x, 4 + width + 1.5f) << text.shown;
    words.push_back(text.shown);
  }
  return words;
}

TEST(Legends, LoseWordsBeforeNumbersAndCutNeither) {
  const ColourScale scale(palette(PaletteName::light), MapName::signed_values, 0, 0.012345);
  Legend legend{"C / exp(m)", "all heads, range set at t = 12", "largest |x| of a pixel", {}};
  legend.brief = "locked";
  legend.outside.nan = 7;
  legend.outside.minus_inf = 2;
  for (const float size : {1.0f, 1.5f, 2.5f}) {
    for (float width = 5; width < 990; width += 11) written(legend, scale, width, size);
  }
  const std::vector<std::string> full = written(legend, scale, 900, 1.0f);
  EXPECT_EQ(full, (std::vector<std::string>{
                      "−0.0123", "0", "0.0123", "7 NaN, 2 −Inf",
                      "C / exp(m) · all heads, range set at t = 12 · largest |x| of a pixel"}));
  const std::vector<std::string> narrow = written(legend, scale, 180, 1.0f);
  ASSERT_GE(narrow.size(), 3u);
  EXPECT_EQ(narrow[0], "−0.0123");
  EXPECT_EQ(narrow[2], "0.0123");
}

}  // namespace
}  // namespace xlab::tests
