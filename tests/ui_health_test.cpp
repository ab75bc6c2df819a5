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
