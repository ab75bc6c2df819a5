// What the proof draws, held against the report: marks, numbers, colours and words of every check.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tests/legibility.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

Check passed(const std::string& name, double largest, double limit) {
  return {.name = name, .largest = largest, .limit = limit, .passed = true, .sentence = "Same."};
}
Check failed(const std::string& name, double largest, double limit) {
  return {.name = name, .largest = largest, .limit = limit, .sentence = "They differ in m."};
}
Check uncompared(const std::string& name) {
  return {.name = name, .largest = std::nan(""), .limit = 1e-4, .sentence = "No finite number."};
}

class HealthDrawing : public ::testing::Test {
 protected:
  void draw(std::vector<Check> checks, bool stabilized = true, ImVec2 size = {640, 420},
            float scale = 1.0f) {
    auto model = std::make_shared<ModelCard>(*snapshot.model);
    model->blocks[0].variant.stabilizer = stabilized;
    snapshot.model = model;
    auto report = std::make_shared<HealthReport>();
    report->step = snapshot.train.step;
    report->checks = std::move(checks);
    snapshot.health = report;
    stage = std::make_unique<Stage>(snapshot);
    stage->size = size;
    stage->scale = scale;
    stage->frame(*view);
    stage->frame(*view);
  }
  /// The same with what some bits cost; 320 of 340 first choices and so on are made up.
  void draw_rounded(std::vector<RoundingCost> costs, bool drawn = false, ImVec2 size = {640, 560}) {
    draw({passed("Forms", 3e-7, 1e-4)});
    auto report = std::make_shared<HealthReport>(*snapshot.health);
    report->rounded_to = "4 bits";
    report->rounding_tokens = 64;
    report->tokens_drawn = drawn;
    report->rounding = std::move(costs);
    snapshot.health = report;
    stage = std::make_unique<Stage>(snapshot);
    stage->size = size;
    stage->frame(*view);
    stage->frame(*view);
  }
  /// Where the bar of a row ends, as a share of its track.
  float bar(const std::string& name) const {
    const DrawLog::Text* row = text(name);
    if (!row) return -1.0f;
    const DrawLog::Line* track = nullptr;
    const DrawLog::Fill* bar = nullptr;
    const auto beside = [&](float y) { return y > row->box.min.y && y < row->box.max.y; };
    for (const DrawLog::Line& line : stage->log.lines)
      if (line.points.size() == 2 && line.points[0].y == line.points[1].y &&
          beside(line.points[0].y))
        track = &line;
    for (const DrawLog::Fill& fill : stage->log.fills)
      if (beside(fill.box.min.y) && beside(fill.box.max.y)) bar = &fill;
    if (!track || !bar) return -1.0f;
    return (bar->box.max.x - track->points[0].x) / (track->points[1].x - track->points[0].x);
  }
  const DrawLog::Text* text(const std::string& words) const {
    for (const DrawLog::Text& t : stage->log.texts) {
      if (t.shown == words) return &t;
    }
    return nullptr;
  }
  std::string all() const {
    std::string words;
    for (const DrawLog::Text& t : stage->log.texts) words += t.shown + " ";
    return words;
  }
  /// Colours of the lines of a row's mark.
  std::vector<ImU32> mark(const std::string& name) const {
    std::vector<ImU32> colours;
    const DrawLog::Text* row = text(name);
    for (const DrawLog::Line& line : stage->log.lines) {
      if (row && line.points.front().x < row->box.min.x &&
          line.points.front().y > row->box.min.y - 3 && line.points.front().y < row->box.max.y + 3)
        colours.push_back(line.stroke.colour);
    }
    return colours;
  }
  bool red() const {
    const ImU32 warning = stage->scene().palette.warning;
    return std::any_of(stage->log.texts.begin(), stage->log.texts.end(),
                       [&](const DrawLog::Text& t) { return t.colour == warning; }) ||
           std::any_of(stage->log.lines.begin(), stage->log.lines.end(),
                       [&](const DrawLog::Line& l) { return l.stroke.colour == warning; });
  }

  Snapshot snapshot = recall_scene();
  std::unique_ptr<View> view = make_health_view();
  std::unique_ptr<Stage> stage;
};

TEST_F(HealthDrawing, AgreementAndDisagreementLookAsWhatTheyAre) {
  draw({passed("Forms", 3e-7, 1e-4), failed("Plain", 0.2, 1e-9), passed("Bits", 0.0, 0.0)});
  const Palette& palette = stage->scene().palette;
  ASSERT_TRUE(text("1 of 3 do not agree"));
  EXPECT_EQ(text("1 of 3 do not agree")->colour, palette.warning);
  ASSERT_TRUE(text("0.200"));
  EXPECT_EQ(text("0.200")->colour, palette.warning);
  ASSERT_TRUE(text("3.00e−7"));
  EXPECT_EQ(text("3.00e−7")->colour, palette.text);
  EXPECT_EQ(mark("Plain"), (std::vector<ImU32>{palette.warning, palette.warning})) << "a cross";
  EXPECT_EQ(mark("Forms"), (std::vector<ImU32>{palette.accent})) << "a tick";
  EXPECT_EQ(mark("Bits"), (std::vector<ImU32>{palette.accent}));
  draw({passed("Forms", 3e-7, 1e-4), passed("Bits", 0.0, 0.0)});
  ASSERT_TRUE(text("2 of 2 agree"));
  EXPECT_FALSE(red());
}

TEST_F(HealthDrawing, WhatCannotBeComparedIsNeitherTickNorCross) {
  const std::string why = "the stabilizer of block0/mlstm is switched off";
  draw({uncompared("Forms"), passed("Bits", 0.0, 0.0), uncompared("Plain")}, false);
  const Palette& palette = stage->scene().palette;
  EXPECT_FALSE(red()) << "nobody did anything wrong";
  ASSERT_TRUE(text("1 of 3 hold; 2 cannot be compared")) << all();
  EXPECT_NE(all().find("The model's numbers are not finite because " + why), std::string::npos)
      << all();
  EXPECT_EQ(mark("Forms"), (std::vector<ImU32>{palette.muted_text})) << "a dash";
  ASSERT_TRUE(text("no number"));
  EXPECT_EQ(text("no number")->colour, palette.muted_text);
  const Table table = view->table(stage->scene());
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[0][3], "cannot be compared");
  EXPECT_EQ(table.rows[1][3], "yes");
  // A real failure beside them stays red.
  draw({uncompared("Forms"), failed("Plain", 0.5, 1e-9)}, false);
  EXPECT_TRUE(text("1 of 2 do not agree; 1 cannot be compared")) << all();
  EXPECT_TRUE(red());
  // Without a choice that explains it, the sentence names no one.
  draw({uncompared("Forms")});
  EXPECT_NE(all().find("Weights that grew too large"), std::string::npos) << all();
  EXPECT_EQ(all().find("because"), std::string::npos);
}

TEST_F(HealthDrawing, EveryColumnOfTheTableIsThatOfTheReport) {
  const std::vector<Check> checks{passed("Forms", 3e-7, 1e-4), failed("Plain", 0.2, 1e-9),
                                  passed("Bits", 0.0, 0.0)};
  draw(checks);
  const Table table = view->table(stage->scene());
  ASSERT_EQ(table.rows.size(), checks.size());
  for (std::size_t i = 0; i < checks.size(); ++i) {
    EXPECT_EQ(table.rows[i][0], checks[i].name);
    EXPECT_EQ(std::stod(table.rows[i][1]), checks[i].largest);
    if (checks[i].limit == 0.0) {
      EXPECT_EQ(table.rows[i][2], "same bits");
    } else {
      EXPECT_EQ(std::stod(table.rows[i][2]), checks[i].limit);
    }
    EXPECT_EQ(table.rows[i][3], checks[i].passed ? "yes" : "no");
    EXPECT_EQ(table.rows[i][4], checks[i].sentence);
  }
}

TEST_F(HealthDrawing, WhatFewerBitsCostIsThatOfTheReport) {
  draw_rounded({{"embedding and head", 1e-5, 1e-4, 1.0, 8e8, 4e8},
                {"block 3", 1e-2, 0.25, 0.96875, 4e8, 1e8},
                {"block 7", std::nan(""), std::nan(""), 0.0, 4e8, 1e8},
                {"all", 0.1, 2.0, 0.875, 1.6e9, 6e8}});
  EXPECT_TRUE(text("What 4 bits cost")) << all();
  EXPECT_NE(all().find("after each of 64 tokens, in nats"), std::string::npos) << all();
  ASSERT_TRUE(text("All weights") && text("Embedding and head") && text("Block 3"));
  EXPECT_LT(text("All weights")->box.min.y, text("Embedding and head")->box.min.y)
      << "the whole comes first";
  EXPECT_LT(text("Embedding and head")->box.min.y, text("Block 3")->box.min.y);
  for (const auto& [name, number] : {std::pair{"All weights", "0.100"},
                                     {"Embedding and head", "1.00e−5"},
                                     {"Block 3", "0.0100"},
                                     {"Block 7", "no number"}}) {
    ASSERT_TRUE(text(number)) << number << ": " << all();
    EXPECT_NEAR(text(number)->box.centre().y, text(name)->box.centre().y, 1.0f) << name;
  }
  // Nine decades from 1e-8 to 10.
  EXPECT_NEAR(bar("Embedding and head"), 3.0f / 9, 0.01f);
  EXPECT_NEAR(bar("Block 3"), 6.0f / 9, 0.01f);
  EXPECT_NEAR(bar("All weights"), 7.0f / 9, 0.01f);
  EXPECT_EQ(bar("Block 7"), -1.0f) << "what is no number has no bar";
  EXPECT_FALSE(red());

  const Table table = view->table(stage->scene());
  ASSERT_EQ(table.rows.size(), 5u);
  EXPECT_EQ(table.rows[1][0], "All weights in 4 bits: mean KL in nats");
  EXPECT_EQ(std::stod(table.rows[1][1]), 0.1);
  EXPECT_EQ(table.rows[3][0], "Block 3 in 4 bits: mean KL in nats");
  EXPECT_EQ(std::stod(table.rows[3][1]), 1e-2);

  const DrawLog::Text* row = text("Block 3");
  stage->move(*view, row->box.min.x + 5, row->box.centre().y);
  std::string card;
  for (const DrawLog::Text& t : stage->log.texts)
    if (t.on_top) card += t.shown + " ";
  for (const char* said :
       {"Block 3 in 4 bits", "0.250 nats at worst", "after 96.9% of them", "100 MB", "400 MB"})
    EXPECT_NE(card.find(said), std::string::npos) << said << " in: " << card;
}

TEST_F(HealthDrawing, WhatWasFoundBeforeAFailureStays) {
  draw_rounded({{"all", 0.1, 2.0, 0.875, 1.6e9, 6e8}});
  auto report = std::make_shared<HealthReport>(*snapshot.health);
  report->failure = "There is no memory left.";
  snapshot.health = report;
  stage = std::make_unique<Stage>(snapshot);
  stage->size = {640, 560};
  stage->frame(*view);
  EXPECT_NE(all().find("There is no memory left."), std::string::npos) << all();
  EXPECT_TRUE(text("All weights") && text("Forms"));
}

TEST_F(HealthDrawing, WhatFewerBitsCostSaysThatTokensWereDrawn) {
  draw_rounded({{"all", 0.1, 2.0, 0.875, 1.6e9, 6e8}}, true);
  EXPECT_NE(all().find("after each of 64 drawn tokens"), std::string::npos) << all();
  // Before the first comparison there is the heading alone.
  draw_rounded({});
  EXPECT_TRUE(text("What 4 bits cost")) << all();
  EXPECT_FALSE(text("mean, | largest"));
  draw({passed("Forms", 3e-7, 1e-4)});
  EXPECT_EQ(all().find("bits cost"), std::string::npos);
}

TEST_F(HealthDrawing, EveryRowIsReachedAtLargeText) {
  std::vector<Check> checks;
  for (int i = 0; i < 8; ++i)
    checks.push_back(passed("Comparison " + std::to_string(i), 1e-6, 1e-4));
  for (const ImVec2 size : {ImVec2{700, 300}, ImVec2{300, 500}, ImVec2{240, 160}}) {
    draw(checks, true, size, 2.5f);
    std::string seen;
    for (int i = 0; i < 60; ++i) {
      for (const DrawLog::Text& t : stage->log.texts) {
        if (!overlap(t.box, t.clip).empty()) seen += t.shown + " ";
      }
      EXPECT_EQ(stumbles(stage->log), std::vector<std::string>{});
      stage->move(*view, size.x / 2, size.y / 2);
      stage->wheel(*view, -3.0f);
    }
    for (const Check& check : checks) {
      const bool found =
          seen.find(check.name) != std::string::npos || seen.find("Compar") != std::string::npos;
      EXPECT_TRUE(found) << check.name << " at " << size.x;
    }
  }
}

TEST_F(HealthDrawing, TheSentenceIsReadWholeUnderTheMouse) {
  Check check = failed("Plain", 0.25, 1e-9);
  check.sentence =
      "Outputs of all cells in double precision, with the stabilizer and with raw exponentials; "
      "they differ most in block0/mlstm.";
  for (const float scale : {1.0f, 2.5f}) {
    draw({check}, true, {640, 400}, scale);
    const DrawLog::Text* row = text("Plain");
    ASSERT_TRUE(row);
    stage->move(*view, row->box.min.x + 5, row->box.centre().y);
    std::string card;
    for (const DrawLog::Text& t : stage->log.texts) {
      if (!t.on_top) continue;
      card += t.shown + " ";
      EXPECT_GE(t.box.min.x, 0.0f);
      EXPECT_LE(t.box.max.x, stage->size.x) << t.shown;
    }
    EXPECT_NE(card.find(check.sentence), std::string::npos) << card;
    EXPECT_NE(card.find("Largest difference 0.250 of 1.00e−9 allowed"), std::string::npos) << card;
  }
}

}  // namespace
}  // namespace xlab::tests
