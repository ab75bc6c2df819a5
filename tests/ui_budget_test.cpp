// What the write budget draws, held against its snapshot: shares, what they carry, the layers over
// time, the parts of the answer, words and colours.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/forgetting.hpp"
#include "core/analysis/write_shares.hpp"
#include "tests/budget_drawing.hpp"
#include "tests/scenes.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

TEST_F(BudgetDrawing, PartsOfTheBarAreAsLongAsTheirShares) {
  for (const auto& [s, number] : {std::pair{recall_scene(), 1},
                                  {recall_scene(), 0},
                                  {lstm_scene(), 1},
                                  {clamped_scene(), 0}}) {
    draw(s, number, 1, "unit 3 channel -1 ordered", {1900, 700});
    const WriteBudget of = budget(number, 1, 3);
    const std::vector<DrawLog::Fill> parts = bar();
    ASSERT_FALSE(parts.empty()) << number;
    const float left = parts.front().box.min.x, right = parts.back().box.max.x;
    double end = 0.0;
    int alone = 0;
    for (const DrawLog::Fill& part : parts) {
      // Each part is one token, or a pile of narrow ones: so long as their shares together.
      const double begin = end;
      int first = -1, last = -1;
      for (int t = 0; t <= of.step; ++t) {
        double place = 0.0;
        for (int u = 0; u < t; ++u) place += of.share(u, cell(number));
        const double middle = place + of.share(t, cell(number)) / 2;
        const float x = left + (right - left) * static_cast<float>(middle);
        if (x < part.box.min.x || x >= part.box.max.x) continue;
        first = first < 0 ? t : first;
        last = t;
        end += of.share(t, cell(number));
      }
      EXPECT_NEAR(static_cast<double>(part.box.width()),
                  (end - begin) * static_cast<double>(right - left), 1.0);
      if (first != last || first < 0) continue;
      ++alone;
      EXPECT_EQ(part.colour, part_colour(first)) << first;
    }
    EXPECT_GT(alone, 6);
    EXPECT_NEAR(end, 1.0, 1e-6);
  }
}

TEST_F(BudgetDrawing, NeighboursDiffer) {
  for (int t = 0; t < 40; ++t) EXPECT_NE(part_colour(t), part_colour(t + 1));
  draw(recall_scene(), 1, 0, "unit 2 channel -1 ordered");
  const std::vector<DrawLog::Fill> parts = bar();
  ASSERT_GT(parts.size(), 4u);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    EXPECT_NE(parts[i].colour, parts[i - 1].colour);
    EXPECT_NEAR(parts[i].box.min.x, parts[i - 1].box.max.x, 0.01f) << "no gap, no overlap";
  }
}

TEST_F(BudgetDrawing, SaysThatSharesSumToOneAndAddUpToWhatWasRecorded) {
  draw(recall_scene(), 1, 2, "unit 4 channel -1 ordered");
  const WriteBudget of = budget(1, 2, 4);
  EXPECT_TRUE(says("shares sum to 1.0000000")) << all();
  EXPECT_TRUE(says("parts add up to the recorded c/n = " + short_number(of.recorded) +
                   ", largest difference " + short_number(of.difference)))
      << all();
  EXPECT_FALSE(says("relative to the sum"));
  EXPECT_TRUE(says("what each token adds to c/n = " + short_number(of.recorded))) << all();
  EXPECT_TRUE(says("tanh(z), what each token wrote · fixed range")) << all();
}

TEST_F(BudgetDrawing, SaysWhatIsNoShare) {
  draw(lstm_scene(), 1, 0, "unit 3 channel -1 ordered");
  const WriteBudget lstm = budget(1, 0, 3);
  EXPECT_TRUE(says("no normalizer: weights sum to " + short_number(lstm.weight_sum))) << all();
  EXPECT_TRUE(says("relative to the sum of the weights"));
  EXPECT_FALSE(says("shares sum"));
  EXPECT_TRUE(says("recorded c = " + short_number(lstm.recorded))) << all();
  draw(recall_scene(), 0, 2, "unit 3 channel 5 ordered");
  const WriteBudget matrix = budget(0, 2, 0, 5);
  EXPECT_TRUE(says("weights sum to " + short_number(matrix.weight_sum) + ", not divided by it"))
      << all();
  EXPECT_TRUE(says("what each token adds to h[5] = " + short_number(matrix.recorded) +
                   ": signed, not a probability"))
      << all();
  EXPECT_FALSE(says("shares sum"));
}

TEST_F(BudgetDrawing, WarnsWhereThePartsDoNotAddUp) {
  Snapshot s = recall_scene();
  auto trace = std::make_shared<Trace>(*s.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[15]);
  for (float& c : step->values["block1/slstm/c"].values) c += 3.0f;
  trace->steps[15] = step;
  s.trace = trace;
  draw(s, 1, 0, "unit 3 channel -1 ordered");
  const DrawLog::Text* warning = text("the parts do not add up");
  ASSERT_TRUE(warning) << all();
  EXPECT_EQ(warning->colour, stage->scene().palette.warning);
  // Where every step is rounded to few bits, that is the reason.
  for (const NumberFormat format : {NumberFormat::bf16, NumberFormat::fp32}) {
    auto model = std::make_shared<ModelCard>(*s.model);
    model->blocks[1].variant.number_format = format;
    s.model = model;
    draw(s, 1, 0, "unit 3 channel -1 ordered", {1200, 640});
    EXPECT_EQ(says("the cell rounds to bf16 at every step"), format == NumberFormat::bf16);
    EXPECT_EQ(says("do not add up"), format != NumberFormat::bf16) << all();
  }
  // A read-out that is held by hand is another matter.
  s = recall_scene();
  trace = std::make_shared<Trace>(*s.trace);
  step = std::make_shared<TokenTrace>(*trace->steps[15]);
  for (float& h : step->values["block0/mlstm/h"].values) h = 7.0f;
  trace->steps[15] = step;
  s.trace = trace;
  s.sequence.clamps = {{"block0/mlstm/h", 1, 0, 15, 16, 7.0f}};
  draw(s, 0, 1, "unit 3 channel 0 ordered");
  EXPECT_TRUE(says("h[0] is held by hand here: the parts add up to what it would be, " +
                   short_number(budget(0, 1, 0, 0).total)))
      << all();
  EXPECT_FALSE(says("do not add up"));
  draw(s, 0, 2, "unit 3 channel 0 ordered");
  EXPECT_TRUE(says("do not add up")) << "another head is not held";
}

TEST_F(BudgetDrawing, WhatIsNotRecordedIsNotMadeUp) {
  Snapshot s = recall_scene();
  auto trace = std::make_shared<Trace>(*s.trace);
  trace->steps[6] = nullptr;
  s.trace = trace;
  draw(s, 1, 1, "unit 1 channel -1 ordered");
  EXPECT_TRUE(says("tokens before 7 are not recorded")) << all();
  EXPECT_FALSE(says("do not add up"));
  EXPECT_FALSE(says("shares sum to 1.0000000"));
  ASSERT_TRUE(layers());
  const auto lowest = [&](int t) {
    return layers()->values[static_cast<std::size_t>((layers()->rows - 1) * layers()->columns + t)];
  };
  EXPECT_EQ(lowest(7), static_cast<float>(kNoToken)) << "the oldest part is nobody's";
  EXPECT_EQ(lowest(3), static_cast<float>(kNoToken));
  EXPECT_EQ(layers()->values[7], 7.0f) << "the newest lies on top";
}

TEST_F(BudgetDrawing, WhatEachPartCarriesIsColouredAsItsNumber) {
  draw(recall_scene(), 1, 1, "unit 3 channel -1 ordered", {1900, 700});
  const WriteBudget of = budget(1, 1, 3);
  const ColourScale scale(stage->scene().palette, MapName::signed_values, -1.0, 1.0);
  const std::vector<DrawLog::Fill> parts = bar();
  ASSERT_FALSE(parts.empty());
  const float left = parts.front().box.min.x, right = parts.back().box.max.x;
  const float below = parts.front().box.max.y;
  double place = 0.0;
  int negative = 0, positive = 0;
  for (int t = 0; t <= of.step; ++t) {
    const double share = of.share(t, cell(1));
    const float x = left + (right - left) * static_cast<float>(place + share / 2);
    place += share;
    if (share < 0.02) continue;
    const double z = of.values[static_cast<std::size_t>(t)];
    int found = 0;
    for (const DrawLog::Fill& under : log().fills) {
      const bool here = under.box.min.x < x && x < under.box.max.x && under.box.min.y >= below &&
                        under.box.min.y < below + 4;
      if (!here) continue;
      ++found;
      EXPECT_EQ(under.colour, scale(z)) << "token " << t << " wrote " << z;
    }
    EXPECT_EQ(found, 1) << t;
    ++(z < 0.0 ? negative : positive);
  }
  EXPECT_GE(negative, 2);
  EXPECT_GE(positive, 2);
}

TEST_F(BudgetDrawing, LayersAreTheBarOfEveryStep) {
  for (const auto& [s, number] :
       {std::pair{recall_scene(), 1}, {recall_scene(), 0}, {lstm_scene(), 1}}) {
    draw(s, number, 1, "unit 3 channel -1 ordered", {900, 900});
    const DrawLog::Heat* heat = layers();
    ASSERT_TRUE(heat);
    ASSERT_EQ(heat->columns, 17);
    ASSERT_GT(heat->rows, 60);
    for (int t = 0; t < 17; ++t) {
      Snapshot then = scene;
      then.sequence.cursor = t;
      BudgetShown shown;
      shown.use(then, block(number), {1, 3, -1});
      for (int token = 0; token <= t; ++token) {
        int count = 0, lowest = heat->rows;
        for (int y = 0; y < heat->rows; ++y) {
          const auto i = static_cast<std::size_t>(y * heat->columns + t);
          if (heat->values[i] != static_cast<float>(token)) continue;
          ++count;
          lowest = std::min(lowest, heat->rows - 1 - y);
          ASSERT_EQ(heat->pixels[i], part_colour(token));
        }
        EXPECT_NEAR(static_cast<double>(count) / heat->rows,
                    shown.budget()->share(token, cell(number)), 1.01 / heat->rows)
            << "token " << token << " at " << t;
        double before = 0.0;
        for (int u = 0; u < token; ++u) before += shown.budget()->share(u, cell(number));
        if (count > 0) {
          EXPECT_NEAR(static_cast<double>(lowest) / heat->rows, before, 1.01 / heat->rows)
              << "the oldest lies at the bottom";
        }
      }
    }
  }
}

TEST_F(BudgetDrawing, OneLargeInputGateTakesTheWholeBar) {
  // Lesson: D = 10 over what is stored is a share of 1 / (1 + e^−10).
  Snapshot s = recall_scene();
  auto trace = std::make_shared<Trace>();
  double m = 0.0, n = 0.0;
  for (int t = 0; t < 17; ++t) {
    auto step = std::make_shared<TokenTrace>(*s.trace->steps[static_cast<std::size_t>(t)]);
    const double i = t == 6 ? m + std::log(n) + 10.0 : 0.0, f = 0.0;  // log σ(f): nothing forgotten
    const double now = t == 0 ? i : std::max(f + m, i);
    const double kept = t == 0 ? 0.0 : std::exp(f + m - now), weight = std::exp(i - now);
    n = kept * n + weight;
    m = now;
    for (const auto& [name, value] :
         {std::pair{"input_gate", weight}, {"forget_gate", kept}, {"n", n}})
      for (float& x : step->values[std::string("block1/slstm/") + name].values)
        x = static_cast<float>(value);
    trace->steps.push_back(step);
  }
  s.trace = trace;
  s.sequence.cursor = 6;
  draw(s, 1, 0, "unit 0 channel -1 ordered");
  EXPECT_NEAR(budget(1, 0, 0).share(6, cell(1)), 1.0 / (1.0 + std::exp(-10.0)), 1e-6);
  EXPECT_NEAR(budget(1, 0, 0).share_sum(cell(1)), 1.0, 1e-6);
  ASSERT_TRUE(layers());
  for (int y = 0; y < layers()->rows; ++y)
    EXPECT_EQ(layers()->values[static_cast<std::size_t>(y * layers()->columns + 6)], 6.0f);
}

TEST_F(BudgetDrawing, PartsOfTheAnswerStandAtTheirHeight) {
  for (const auto& [number, channel] : {std::pair{1, -1}, {0, -1}, {0, 7}}) {
    draw(recall_scene(), number, 2, "unit 5 channel " + std::to_string(channel) + " ordered");
    const WriteBudget of = budget(number, 2, 5, channel);
    ASSERT_TRUE(layers());
    const float top = layers()->box.max.y, column = layers()->box.width() / 17;
    double most = 0.0;
    for (const double part : of.parts) most = std::max(most, std::abs(part));
    // One scale for all of them, and the sign is the side of zero.
    double scale = 0.0;
    for (int pass = 0; pass < 2; ++pass) {
      int checked = 0;
      for (int t = 0; t <= of.step; ++t) {
        const double part = of.parts[static_cast<std::size_t>(t)];
        if (std::abs(part) < 0.2 * most) continue;
        for (const DrawLog::Fill& fill : log().fills) {
          const float x = layers()->box.min.x + column * (static_cast<float>(t) + 0.5f);
          if (fill.colour != part_colour(t) || fill.box.min.y < top || fill.box.min.x > x ||
              fill.box.max.x < x)
            continue;
          ++checked;
          if (std::abs(part) == most) scale = static_cast<double>(fill.box.height()) / most;
          if (pass == 1) {
            EXPECT_NEAR(static_cast<double>(fill.box.height()), std::abs(part) * scale, 1.0);
          }
        }
      }
      EXPECT_GE(checked, 2) << number << ", " << channel;
    }
  }
}

TEST_F(BudgetDrawing, WhatIsNoNumberIsMarkedAndSaid) {
  Snapshot s = recall_scene();
  auto trace = std::make_shared<Trace>(*s.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[9]);
  for (float& x : step->values["block1/slstm/input_gate"].values) x = INFINITY;
  trace->steps[9] = step;
  s.trace = trace;
  draw(s, 1, 0, "unit 3 channel -1 ordered");
  EXPECT_TRUE(says("The weights sum to +Inf and are divided by")) << all();
  EXPECT_FALSE(says("shares sum to"));
  ASSERT_TRUE(layers());
  for (int t = 0; t < 17; ++t)
    EXPECT_EQ(layers()->pixels[static_cast<std::size_t>(t)] == kNotANumber, t >= 9) << t;
}

TEST_F(BudgetDrawing, PointingAtAPartTellsAndFramesItEverywhere) {
  draw(recall_scene(), 1, 1, "unit 3 channel -1 ordered");
  const WriteBudget of = budget(1, 1, 3);
  const DrawLog::Fill last = bar().back();
  stage->move(*view, last.box.centre().x, last.box.centre().y);
  stage->frame(*view);
  EXPECT_NE(card().find("token 15 ?: "), std::string::npos) << card();
  for (const double number : {of.weights[15], of.divisor, of.values[15], of.parts[15]})
    EXPECT_NE(card().find(short_number(number)), std::string::npos) << number << card();
  EXPECT_EQ(stage->focus.hovered, (ValueRef{"block1/slstm/input_gate", 15, 1, 3}));
  const auto framed = std::count_if(
      log().outlines.begin(), log().outlines.end(),
      [&](const DrawLog::Outline& o) { return o.colour == stage->scene().palette.text; });
  EXPECT_GE(framed, 2) << "in the bar and among the parts";
  stage->click(*view, last.box.centre().x, last.box.centre().y);
  EXPECT_EQ(stage->focus.pinned, (ValueRef{"block1/slstm/input_gate", 15, 1, 3}));
  EXPECT_TRUE(stage->sent.empty());
}

TEST_F(BudgetDrawing, DraggingLayersMovesTheCursor) {
  draw(recall_scene(), 1, 1, "unit 3 channel -1 ordered");
  const Box box = layers()->box;
  const float column = box.width() / 17;
  stage->click(*view, box.min.x + column * 4.5f, box.centre().y);
  const auto moves = stage->all<command::SetCursor>();
  ASSERT_EQ(moves.size(), 1u);
  EXPECT_EQ(moves.front().step, 4);
  stage->move(*view, box.min.x + column * 4.5f, box.centre().y);
  EXPECT_NE(card().find("t = 4: token "), std::string::npos) << card();
}

TEST_F(BudgetDrawing, TheTableIsWhatIsDrawn) {
  for (const auto& [number, channel] : {std::pair{1, -1}, {0, 4}}) {
    draw(recall_scene(), number, 1, "unit 3 channel " + std::to_string(channel) + " ordered");
    const Table table = view->table(stage->scene());
    const WriteBudget of = budget(number, 1, 3, channel);
    const std::vector<double> lives = half_lives(*scene.trace, block(number), 15);
    ASSERT_EQ(table.rows.size(), 16u + lives.size());
    for (int t = 0; t < 16; ++t) {
      const auto& row = table.rows[static_cast<std::size_t>(t)];
      const auto i = static_cast<std::size_t>(t);
      EXPECT_EQ(row[0], std::to_string(t));
      EXPECT_EQ(row[1], token_label(scene.model.get(), scene.sequence.tokens[i]));
      EXPECT_EQ(std::stod(row[4]), of.weights[i]);
      EXPECT_EQ(std::stod(row[5]), of.share(t, cell(number)));
      EXPECT_EQ(std::stod(row[6]), of.factors[i]);
      EXPECT_EQ(std::stod(row[7]), of.values[i]);
      EXPECT_EQ(std::stod(row[8]), of.parts[i]);
    }
    for (std::size_t i = 0; i < lives.size(); ++i) {
      const auto& row = table.rows[16 + i];
      EXPECT_EQ(std::stod(row[9]), lives[i]);
      EXPECT_FALSE(row[10].empty());
    }
    Scene short_scene = stage->scene();
    short_scene.most_rows = 5;
    EXPECT_EQ(view->table(short_scene).rows.size(), 5u + std::min<std::size_t>(lives.size(), 5));
    EXPECT_NE(view->table(short_scene).note.find("Tokens 11 to 15"), std::string::npos);
  }
}

TEST_F(BudgetDrawing, WhatAPersonChoseIsKept) {
  draw(recall_scene(), 1, 1, "unit 6 channel 2 sorted");
  EXPECT_EQ(view->kept(), "unit 6 channel 2 sorted");
  for (const char* strange : {"", "unit", "unit -3 channel 2 sorted", "unit 1 channel 2 other",
                              "unit 1 channel -7 sorted", "unit x channel 0 sorted"}) {
    view->restore(strange);
    EXPECT_EQ(view->kept(), "unit 6 channel 2 sorted") << strange;
  }
  EXPECT_TRUE(says("unit 6 of head 1"));
}

}  // namespace
}  // namespace xlab::tests
