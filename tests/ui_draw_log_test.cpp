// The log of a drawing says what was drawn, and what in it cannot be read.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/legibility.hpp"
#include "tests/ui_stage.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/plot.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

/// A view that is one function.
class Sketch : public View {
 public:
  explicit Sketch(std::function<void(Scene&, Painter&, Box)> paint) : paint_(std::move(paint)) {}
  std::string name() const override { return "sketch"; }
  std::string title() const override { return "Sketch"; }
  void draw(Scene& scene, ImVec2 size) override {
    Panel panel(scene, "sketch", size);
    Painter painter(scene);
    paint_(scene, painter, panel.content());
  }
  Table table(const Scene&) const override { return {}; }

 private:
  std::function<void(Scene&, Painter&, Box)> paint_;
};

struct Drawing {
  explicit Drawing(std::function<void(Scene&, Painter&, Box)> paint) : stage(snapshot) {
    Sketch sketch(std::move(paint));
    stage.frame(sketch);
  }
  const DrawLog& log() const { return stage.log; }
  Snapshot snapshot;
  Stage stage;
};

TEST(DrawLogs, TextIsKeptAsDrawnAndAsWanted) {
  const Drawing drawing([](Scene&, Painter& painter, Box) {
    painter.text({20, 30}, IM_COL32(1, 2, 3, 255), "forget gate", Weight::bold);
    painter.text_in({{20, 60}, {80, 80}}, IM_COL32_BLACK, "a sentence too long for its box");
    painter.text_up({{200, 20}, {220, 200}}, IM_COL32_BLACK, "upwards", Align::left);
  });
  ASSERT_EQ(drawing.log().texts.size(), 3u);
  const DrawLog::Text& first = drawing.log().texts[0];
  EXPECT_EQ(first.shown, "forget gate");
  EXPECT_EQ(first.wanted, "forget gate");
  EXPECT_EQ(first.colour, IM_COL32(1, 2, 3, 255));
  EXPECT_EQ(first.weight, Weight::bold);
  EXPECT_EQ(first.box.min.x, 20.0f);
  EXPECT_EQ(first.box.min.y, 30.0f);
  EXPECT_GT(first.box.width(), 50.0f);
  const DrawLog::Text& second = drawing.log().texts[1];
  EXPECT_EQ(second.wanted, "a sentence too long for its box");
  EXPECT_TRUE(second.shown.ends_with("…")) << second.shown;
  EXPECT_LE(second.box.max.x, 80.5f);
  const DrawLog::Text& third = drawing.log().texts[2];
  EXPECT_TRUE(third.upwards);
  EXPECT_GE(third.box.min.x, 199.0f);
  EXPECT_LE(third.box.max.x, 221.0f);
  EXPECT_NEAR(third.box.max.y, 200.0f, 1.0f) << "it begins at the bottom";
  EXPECT_GT(third.box.height(), third.box.width());
  EXPECT_LT(first.order, second.order);
  EXPECT_LT(second.order, third.order);
}

TEST(DrawLogs, CurvesKeepTheirValues) {
  const float xs[] = {10, 20, 30};
  const float ys[] = {1, std::numeric_limits<float>::quiet_NaN(), 3};
  const Drawing drawing([&](Scene&, Painter& painter, Box) {
    draw_curve(painter, {{10, 10}, {110, 110}}, {0.0, 4.0}, xs, ys, {IM_COL32(9, 9, 9, 255), 2.0f});
  });
  ASSERT_EQ(drawing.log().curves.size(), 1u);
  const DrawLog::Curve& curve = drawing.log().curves[0];
  EXPECT_EQ(curve.xs, std::vector<float>(std::begin(xs), std::end(xs)));
  ASSERT_EQ(curve.ys.size(), 3u);
  EXPECT_EQ(curve.ys[0], 1.0f);
  EXPECT_TRUE(std::isnan(curve.ys[1]));
  EXPECT_EQ(curve.axis.high, 4.0);
  EXPECT_EQ(curve.stroke.colour, IM_COL32(9, 9, 9, 255));
  EXPECT_EQ(drawing.log().hatches.size(), 1u) << "what is no number is hatched";
}

TEST(DrawLogs, HeatMapsKeepValuesRangeAndColours) {
  const float values[] = {-1.0f, 0.0f, 0.5f, 1.0f, 2.0f, -2.0f};
  std::vector<std::uint32_t> expected;
  const Drawing drawing([&](Scene& scene, Painter& painter, Box) {
    const ColourScale scale(painter.palette(), MapName::signed_values, -2.0, 2.0);
    for (const float value : values) expected.push_back(scale(value));
    draw_heat(painter, scene.images, "m", {{10, 10}, {110, 210}}, values, 3, 2, scale);
  });
  ASSERT_EQ(drawing.log().heats.size(), 1u);
  const DrawLog::Heat& heat = drawing.log().heats[0];
  EXPECT_EQ(heat.key, "m");
  EXPECT_EQ(heat.rows, 3);
  EXPECT_EQ(heat.columns, 2);
  EXPECT_EQ(heat.low, -2.0);
  EXPECT_EQ(heat.high, 2.0);
  EXPECT_EQ(heat.values, std::vector<float>(std::begin(values), std::end(values)));
  EXPECT_EQ(heat.pixels, expected);
}

TEST(DrawLogs, NumbersAndAxesAreWhole) {
  for (const float width : {4.0f, 8.0f, 12.0f, 16.0f, 22.0f, 30.0f, 44.0f, 70.0f}) {
    const Drawing drawing([&](Scene&, Painter& painter, Box) {
      float y = 10;
      for (const double value : {-0.03125, 2000.0, 1.9419446e-9, 0.0, -123456.0}) {
        const std::string words = painter.fit_number(value, width + 0.5f);
        EXPECT_EQ(painter.number_in({{20, y}, {20 + width, y + 16}}, 0xff000000, value),
                  !words.empty());
        y += 20;
      }
      painter.number_in({{20, y}, {20 + width, y + 16}}, 0xff000000, 0.123, Align::left,
                        Weight::regular, "m = ");
    });
    for (const DrawLog::Text& text : drawing.log().texts) {
      EXPECT_EQ(text.shown, text.wanted);
      EXPECT_LE(text.box.max.x, 20 + width + 1.0f) << text.shown;
    }
    EXPECT_TRUE(stumbles(drawing.log()).empty());
    if (width > 60) {
      EXPECT_EQ(drawing.log().texts.back().shown, "m = 0.123");
    }
  }
  for (const Axis& axis :
       {Axis{-6.7, 6.7}, Axis{0, 2000}, Axis{-3e-9, 4e-9}, Axis{1e-7, 5.0, true}, padded(0, 0)}) {
    // As wide as it asks for, every label stands there; in less, none is cut.
    for (const float share : {1.0f, 0.6f, 0.2f}) {
      std::size_t expected = 0;
      const Drawing drawing([&](Scene&, Painter& painter, Box) {
        const Box box{{200, 20}, {400, 120}};
        expected = ticks(axis, 5).size();
        draw_axis(painter, box, axis, axis_margin(painter, box.height(), axis) * share);
      });
      EXPECT_TRUE(stumbles(drawing.log()).empty());
      if (share == 1.0f) {
        EXPECT_GE(drawing.log().texts.size(), std::min<std::size_t>(expected, 2))
            << axis.low << " to " << axis.high;
      }
      for (const DrawLog::Text& text : drawing.log().texts) EXPECT_EQ(text.shown, text.wanted);
    }
  }
}

TEST(DrawLogs, AConstantIsAThinLine) {
  // A stepped curve meets every point twice where it is flat.
  const Drawing drawing([](Scene&, Painter& painter, Box) {
    const ImVec2 points[] = {{20, 50}, {60, 50}, {100, 50}, {140, 50}};
    const int first = painter.list().VtxBuffer.Size;
    painter.curve(points, {0xff000000, 2.0f, Dash::solid, true});
    for (int i = first; i < painter.list().VtxBuffer.Size; ++i) {
      EXPECT_NEAR(painter.list().VtxBuffer[i].pos.y, 50.0f, 3.0f);
    }
  });
}

TEST(DrawLogs, AFrameBeginsAnew) {
  Snapshot snapshot;
  Stage stage(snapshot);
  Sketch sketch([](Scene&, Painter& painter, Box) { painter.text({5, 5}, 0xffffffff, "once"); });
  stage.frame(sketch);
  stage.frame(sketch);
  EXPECT_EQ(stage.log.texts.size(), 1u);
}

TEST(Legibility, NumbersMayNotBeCutWordsMay) {
  EXPECT_FALSE(cuts_a_number("input gate", "input gate"));
  EXPECT_FALSE(cuts_a_number("input ga…", "input gate"));
  EXPECT_FALSE(cuts_a_number("block 0, the first…", "block 0, the first 3 of 7"));
  EXPECT_TRUE(cuts_a_number("m = −0.03…", "m = −0.0312"));
  EXPECT_TRUE(cuts_a_number("m =…", "m = −0.0312"));
  EXPECT_TRUE(cuts_a_number("20…", "2000"));
  EXPECT_TRUE(cuts_a_number("1e…", "1e−3"));
  EXPECT_TRUE(cuts_a_number("1…", "1e−3"));
  EXPECT_TRUE(cuts_a_number("−…", "−3"));
  EXPECT_TRUE(cuts_a_number("…", "42"));
}

TEST(Legibility, WritingOverOtherWordsIsFound) {
  const auto found = [](std::function<void(Painter&)> paint) {
    const Drawing drawing([&](Scene&, Painter& painter, Box) { paint(painter); });
    return stumbles(drawing.log());
  };
  EXPECT_TRUE(found([](Painter& p) {
                p.text({10, 10}, 0xff000000, "one");
                p.text({10, 30}, 0xff000000, "two");
              }).empty());
  const auto over = found([](Painter& p) {
    p.text({10, 10}, 0xff000000, "uniform guess 1.94");
    p.text({60, 12}, 0xff000000, "0.02");
  });
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0], "\"uniform guess 1.94\" and \"0.02\" are written over each other");
  EXPECT_TRUE(found([](Painter& p) {
                p.text({10, 10}, 0xff000000, "beneath");
                p.fill({{5, 5}, {200, 40}}, 0xffffffff);
                p.text({10, 12}, 0xff000000, "a label with a ground of its own");
              }).empty());
  const auto out = found([](Painter& p) { p.text({600, 10}, 0xff000000, "beyond the edge"); });
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0], "\"beyond the edge\" runs out of its panel");
}

}  // namespace
}  // namespace xlab::tests
