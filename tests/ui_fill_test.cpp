// What the view of a memory's fill draws, held against the memory and the recordings.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/analysis/findings.hpp"
#include "core/analysis/memory_fill.hpp"
#include "core/analysis/recorded_head.hpp"
#include "core/analysis/singular_values.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

constexpr int kFilledHead = 1;

class FillDrawing : public ::testing::Test {
 protected:
  void draw(ImVec2 size = {820, 620}) {
    stage = std::make_unique<Stage>(snapshot);
    stage->size = size;
    stage->focus.head = kFilledHead;
    for (int i = 0; i < 400; ++i) {
      stage->frame(*view);
      if (!view->animating(stage->scene())) break;
    }
    stage->frame(*view);
  }
  bool says(const std::string& words, bool on_top = false) const {
    return std::any_of(stage->log.texts.begin(), stage->log.texts.end(),
                       [&](const DrawLog::Text& text) {
                         return text.on_top == on_top && text.shown.find(words) != text.shown.npos;
                       });
  }
  const BlockCard& block() const { return snapshot.model->blocks[0]; }
  /// C of the head in focus after a step, replayed here.
  std::vector<float> memory_after(int step) const {
    std::vector<float> memory(static_cast<std::size_t>(block().key_dim * block().value_dim));
    for (int t = 0; t <= step; ++t)
      EXPECT_TRUE(write_recorded(*snapshot.trace, block(), t, kFilledHead, memory));
    return memory;
  }
  const DrawLog::Heat* strip() const {
    for (const DrawLog::Heat& heat : stage->log.heats)
      if (heat.key == "fill/singular") return &heat;
    return nullptr;
  }
  /// The cosine of what the key of a token brings back at the cursor, written out.
  double cosine(int token) const {
    const std::vector<float> C = memory_after(snapshot.memory->step);
    const Recorded *k = snapshot.trace->find(token, block().path("k")),
                   *v = snapshot.trace->find(token, block().path("v"));
    double together = 0.0, of_answer = 0.0, of_value = 0.0;
    for (int j = 0; j < block().value_dim; ++j) {
      double answer = 0.0;
      for (int i = 0; i < block().key_dim; ++i)
        answer += static_cast<double>(k->at(kFilledHead, i)) *
                  C[static_cast<std::size_t>(i * block().value_dim + j)];
      together += answer * v->at(kFilledHead, j);
      of_answer += answer * answer;
      of_value += static_cast<double>(v->at(kFilledHead, j)) * v->at(kFilledHead, j);
    }
    return together / std::sqrt(of_answer * of_value);
  }
  /// The frame of the lane whose heading begins so.
  Box lane_below(const std::string& heading) const {
    const DrawLog::Text* title = nullptr;
    for (const DrawLog::Text& text : stage->log.texts)
      if (text.shown.starts_with(heading)) title = &text;
    Box best;
    for (const DrawLog::Outline& outline : stage->log.outlines) {
      const bool below = title && outline.box.min.y >= title->box.max.y - 2;
      if (below && (best.empty() || outline.box.min.y < best.min.y)) best = outline.box;
    }
    return best;
  }

  Snapshot snapshot = recall_scene();
  std::unique_ptr<View> view = make_fill_view();
  std::unique_ptr<Stage> stage;
};

TEST_F(FillDrawing, TheGaugeIsTheEffectiveRankAtTheCursor) {
  draw();
  const MemoryImage& image = *snapshot.memory;
  const auto size = static_cast<std::size_t>(image.key_dim * image.value_dim);
  const std::vector<float> C(
      image.C.begin() + static_cast<std::ptrdiff_t>(kFilledHead * size),
      image.C.begin() + static_cast<std::ptrdiff_t>((kFilledHead + 1) * size));
  const double rank = effective_rank(C, image.key_dim, image.value_dim);
  EXPECT_TRUE(says("t = 15: effective rank " + short_number(rank) + " of 12"));
  // The bar in its groove.
  const Palette& palette = stage->scene().palette;
  const auto groove = std::find_if(
      stage->log.fills.begin(), stage->log.fills.end(), [&](const DrawLog::Fill& fill) {
        return fill.colour == palette.control && fill.box.width() > 200 && fill.rounding > 0;
      });
  ASSERT_NE(groove, stage->log.fills.end());
  const auto bar = groove + 1;
  EXPECT_NEAR(bar->box.width() / groove->box.width(), rank / 12.0, 0.01);
  EXPECT_EQ(bar->colour, gate_style(palette, 'C').colour);
}

TEST_F(FillDrawing, RankAndSingularValuesAreThoseOfTheReplayedMemory) {
  draw();
  const DrawLog::Curve* ranks = nullptr;
  for (const DrawLog::Curve& curve : stage->log.curves)
    if (curve.stroke.dash == Dash::solid && curve.axis.low == 0.0) ranks = &curve;
  ASSERT_TRUE(ranks);
  ASSERT_TRUE(strip());
  EXPECT_EQ(strip()->rows, 12);
  EXPECT_EQ(strip()->columns, 17);
  ASSERT_EQ(ranks->ys.size(), 17u);
  for (int t = 0; t < 17; ++t) {
    const std::vector<double> singular = singular_values(memory_after(t), 12, 20);
    EXPECT_NEAR(ranks->ys[static_cast<std::size_t>(t)], participation_ratio(singular), 1e-5);
    for (std::size_t j = 0; j < 12; ++j) {
      const double relative = std::log10(singular[j] / singular[0]);
      const float shown = strip()->values[j * 17 + static_cast<std::size_t>(t)];
      if (relative > -5.0) {
        EXPECT_NEAR(shown, relative, 1e-3) << t << " " << j;
      } else {
        EXPECT_LT(shown, -4.9) << t << " " << j;
      }
    }
  }
  EXPECT_EQ(strip()->high, 0.0);
  EXPECT_TRUE(says("log₁₀ (σ / largest σ)"));
}

TEST_F(FillDrawing, ABarForEveryStoredKey) {
  draw();
  const Box lane = lane_below("mean");
  ASSERT_FALSE(lane.empty());
  const float zero = lane.centre().y, half = lane.height() / 2;
  double sum = 0.0;
  int bars = 0;
  for (const DrawLog::Fill& fill : stage->log.fills) {
    const bool inside = fill.box.min.y >= lane.min.y - 1 && fill.box.max.y <= lane.max.y + 1 &&
                        fill.box.min.x >= lane.min.x - 1 && fill.box.max.x <= lane.max.x + 1;
    if (!inside) continue;
    const double wanted = cosine(bars);
    const float shown =
        wanted >= 0 ? (zero - fill.box.min.y) / half : (zero - fill.box.max.y) / half;
    EXPECT_NEAR(shown, wanted, 0.02) << "token " << bars;
    sum += wanted;
    ++bars;
  }
  EXPECT_EQ(bars, 16) << "the one after the cursor is not stored yet";
  EXPECT_TRUE(says("mean " + short_number(sum / 16) + " of 16"));
  EXPECT_TRUE(says("1/√(1 + T/K) = " + short_number(1.0 / std::sqrt(1.0 + 16.0 / 12.0))));
  // Both are lines across.
  const auto across = [&](double level, Dash dash) {
    const float y = zero - half * static_cast<float>(level);
    return std::any_of(
        stage->log.lines.begin(), stage->log.lines.end(), [&](const DrawLog::Line& line) {
          return line.points.size() == 2 && line.stroke.dash == dash &&
                 std::abs(line.points[0].y - y) < 0.6f && std::abs(line.points[1].y - y) < 0.6f &&
                 line.points[1].x - line.points[0].x > lane.width() * 0.9f;
        });
  };
  EXPECT_TRUE(across(sum / 16, Dash::solid));
  EXPECT_TRUE(across(1.0 / std::sqrt(1.0 + 16.0 / 12.0), Dash::dashed));
}

TEST_F(FillDrawing, TheCardOfAKeySaysWhatComesBack) {
  draw();
  const Box lane = lane_below("mean");
  const float column = lane.width() / 17;
  stage->move(*view, lane.min.x + 3.5f * column, lane.centre().y);
  EXPECT_TRUE(says("t = 3", true));
  EXPECT_TRUE(says("cosine of what comes back and v: " + short_number(cosine(3)), true));
  EXPECT_TRUE(says("share of its own write in that answer: " +
                       short_number(own_share(*snapshot.trace, block(), kFilledHead, 15, 3)),
                   true));
  EXPECT_EQ(stage->focus.hovered, (ValueRef{block().path("input_gate"), 3, kFilledHead, 0}));
  stage->move(*view, lane.min.x + 16.5f * column, lane.centre().y);
  EXPECT_TRUE(says("not stored yet at the cursor", true));
  EXPECT_FALSE(stage->focus.hovered);
}

TEST_F(FillDrawing, DraggingMovesTheCursor) {
  draw();
  const Box lane = lane_below("Effective rank");
  ASSERT_FALSE(lane.empty());
  stage->move(*view, lane.min.x + 4.5f * lane.width() / 17, lane.centre().y);
  stage->button(*view, true);
  stage->button(*view, false);
  const auto sent = stage->all<command::SetCursor>();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].step, 4);
}

TEST_F(FillDrawing, TheTableHasTheSameNumbers) {
  draw();
  const Table table = view->table(stage->scene());
  ASSERT_EQ(table.rows.size(), 17u);
  ASSERT_EQ(table.columns.size(), 8u + 12u);
  for (int t = 0; t < 17; ++t) {
    const auto& row = table.rows[static_cast<std::size_t>(t)];
    const std::vector<double> singular = singular_values(memory_after(t), 12, 20);
    EXPECT_NEAR(std::stod(row[4]), participation_ratio(singular), 1e-9);
    EXPECT_EQ(std::stod(row[8]), singular[0]);
    if (t <= 15) {
      EXPECT_NEAR(std::stod(row[5]), cosine(t), 1e-4) << t;
    } else {
      EXPECT_EQ(row[5], "");
    }
  }
}

TEST_F(FillDrawing, WhatIsNoNumberIsMagenta) {
  auto trace = std::make_shared<Trace>(*snapshot.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[8]);
  step->values["block0/mlstm/v"].values[kFilledHead * 20 + 3] =
      std::numeric_limits<float>::quiet_NaN();
  trace->steps[8] = step;
  snapshot.trace = trace;
  auto image = std::make_shared<MemoryImage>(*snapshot.memory);
  image->C[kFilledHead * 240 + 7] = std::numeric_limits<float>::quiet_NaN();
  snapshot.memory = image;
  draw();
  EXPECT_TRUE(says("effective rank no number of 12"));
  EXPECT_TRUE(std::isfinite(strip()->values[7]));
  EXPECT_TRUE(std::isnan(strip()->values[8]));
  EXPECT_TRUE(std::any_of(stage->log.fills.begin(), stage->log.fills.end(),
                          [](const DrawLog::Fill& fill) { return fill.colour == kNotANumber; }));
}

TEST_F(FillDrawing, ABlockOfUnitsSaysWhyThereIsNothing) {
  stage = std::make_unique<Stage>(snapshot);
  stage->size = {820, 620};
  stage->focus.block = 1;
  stage->frame(*view);
  EXPECT_TRUE(says("one number a unit"));
  EXPECT_FALSE(strip());
  // A memory of another block than the one in focus is not asked.
  auto image = std::make_shared<MemoryImage>(*snapshot.memory);
  image->block = 1;
  snapshot.memory = image;
  draw();
  EXPECT_TRUE(says("The memory of block 0 is on its way"));
  EXPECT_TRUE(strip()) << "what is replayed is there";
}

TEST_F(FillDrawing, ALongOneIsComputedALittleInEveryFrame) {
  SceneShape shape;
  shape.heads = 2;
  shape.key_dim = 64;
  shape.value_dim = 64;
  shape.length = 40;
  shape.cursor = 30;
  snapshot = SceneBuilder(shape).build();
  stage = std::make_unique<Stage>(snapshot);
  stage->size = {820, 620};
  stage->focus.head = kFilledHead;
  stage->frame(*view);
  EXPECT_TRUE(view->animating(stage->scene()));
  EXPECT_TRUE(says("of 40 steps so far"));
  const int columns = strip() ? strip()->columns : 0;
  EXPECT_LT(columns, 20);
  draw();
  EXPECT_FALSE(view->animating(stage->scene()));
  EXPECT_EQ(strip()->columns, 40);
  EXPECT_FALSE(says("so far"));
  // A picture to keep is complete at once.
  view = make_fill_view();
  stage = std::make_unique<Stage>(snapshot);
  stage->size = {820, 620};
  stage->exporting = true;
  stage->frame(*view);
  EXPECT_FALSE(says("so far"));
}

}  // namespace
}  // namespace xlab::tests
