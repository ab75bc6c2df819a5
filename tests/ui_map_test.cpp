// What the model map draws, held against its snapshot: rows and groups, parts, lengths, half-lives,
// numbers, and the block that a click puts in focus.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/analysis/activity.hpp"
#include "core/analysis/forgetting.hpp"
#include "tests/legibility.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/map_row.hpp"
#include "ui/map_rows.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

/// So many blocks, every eighth from the sixth on with one number a unit, with a residual vector
/// whose length goes up and down.
Snapshot stacked(int blocks) {
  Snapshot s = recall_scene();
  auto model = std::make_shared<ModelCard>(*s.model);
  const std::vector<BlockCard> two = model->blocks;
  model->blocks.clear();
  for (int b = 0; b < blocks; ++b) {
    const bool scalar = b % 8 == 5;
    BlockCard card = two[scalar ? 1 : 0];
    card.prefix = "block" + std::to_string(b) + (scalar ? "/slstm" : "/mlstm");
    card.window = scalar ? 0 : 4;
    card.feedforward_width = scalar ? 96 : 0;
    card.parameters = 1000 + b;
    model->blocks.push_back(card);
  }
  auto trace = std::make_shared<Trace>();
  for (int t = 0; t < s.trace->length(); ++t) {
    auto step = std::make_shared<TokenTrace>();
    for (const auto& [path, value] : s.trace->steps[static_cast<std::size_t>(t)]->values) {
      for (int b = 0; b < blocks; ++b) {
        const std::string& prefix = model->blocks[static_cast<std::size_t>(b)].prefix;
        const std::string cell = prefix.substr(prefix.find('/'));
        const std::size_t slash = path.find('/');
        if (path.compare(slash, cell.size(), cell) != 0) continue;
        Recorded copy = value;
        for (float& x : copy.values) x += 0.01f * static_cast<float>(b);
        step->values["block" + std::to_string(b) + path.substr(slash)] = copy;
      }
    }
    Recorded lengths{1, blocks + 1, {}};
    Noise noise(static_cast<std::uint64_t>(t) + 40);
    for (int b = 0; b <= blocks; ++b)
      lengths.values.push_back(static_cast<float>(9.0 + 6.0 * noise.next()));
    step->values[kResidualNorm] = lengths;
    trace->steps.push_back(step);
  }
  s.trace = trace;
  s.model = model;
  return s;
}

class MapDrawing : public ::testing::Test {
 protected:
  void draw(const Snapshot& snapshot, ImVec2 size = {1280, 800}, int block = 0) {
    view = make_map_view();
    scene = snapshot;
    stage = std::make_unique<Stage>(scene);
    stage->size = size;
    stage->focus.block = block;
    stage->frame(*view);
    stage->frame(*view);
  }
  const DrawLog& log() const { return stage->log; }
  const DrawLog::Text* text(const std::string& words) const {
    for (const DrawLog::Text& t : log().texts)
      if (t.shown == words && !t.on_top) return &t;
    return nullptr;
  }
  std::string all() const {
    std::string words;
    for (const DrawLog::Text& t : log().texts) words += t.shown + "\n";
    return words;
  }
  std::string card() const {
    std::string words;
    for (const DrawLog::Text& t : log().texts)
      if (t.on_top) words += t.shown + "\n";
    return words;
  }
  /// All words in the row of this text.
  std::string row(const std::string& name) const {
    const DrawLog::Text* at = text(name);
    std::string words = "|";
    for (const DrawLog::Text& t : log().texts)
      if (at && !t.on_top && std::abs(t.box.centre().y - at->box.centre().y) < 3)
        words += t.shown + "|";
    return words;
  }
  std::vector<DrawLog::Fill> fills(const std::string& name, ImU32 colour) const {
    const DrawLog::Text* at = text(name);
    std::vector<DrawLog::Fill> found;
    for (const DrawLog::Fill& f : log().fills)
      if (at && f.colour == colour && f.box.min.y < at->box.centre().y &&
          f.box.max.y > at->box.centre().y)
        found.push_back(f);
    return found;
  }

  Snapshot scene;
  std::unique_ptr<View> view;
  std::unique_ptr<Stage> stage;
};

TEST_F(MapDrawing, EveryNumberOfARowIsThatOfItsBlock) {
  draw(stacked(7));
  for (int b = 0; b < 7; ++b) {
    const BlockCard& block = scene.model->blocks[static_cast<std::size_t>(b)];
    const std::string name = "block " + std::to_string(b) + " " + block.title;
    const std::string words = row(name);
    const BlockActivity activity = block_activity(*scene.trace, *scene.model, b, 15);
    const Spread lives = spread_of(half_lives(*scene.trace, block, 15));
    const std::string change = short_number(activity.change());
    for (const std::string& wanted :
         {short_number(activity.after), activity.change() > 0 ? "+" + change : change,
          short_number(activity.read_out), short_number(lives.median), count_words(1000 + b),
          count_words(block.state_numbers()), std::string(b == 5 ? "s" : "m")})
      EXPECT_NE(words.find("|" + wanted + "|"), std::string::npos) << wanted << " in " << words;
  }
  EXPECT_TRUE(text("embedding"));
  EXPECT_TRUE(text("last norm and head"));
  EXPECT_NE(
      row("embedding").find(short_number(block_activity(*scene.trace, *scene.model, 0, 15).before)),
      std::string::npos);
}

TEST_F(MapDrawing, PartsAreThoseOfTheCard) {
  draw(stacked(7));
  EXPECT_NE(row("block 0 mLSTM").find("|norm|conv 4|gates|cell|"), std::string::npos)
      << row("block 0 mLSTM");
  EXPECT_NE(row("block 5 sLSTM").find("|norm|gates|cell|norm|feed-forward 96|"), std::string::npos)
      << row("block 5 sLSTM");
}

TEST_F(MapDrawing, BarsAreLengthsAndTheirColourIsTheSignOfTheChange) {
  draw(stacked(7));
  const ColourScale signs(stage->scene().palette, MapName::signed_values, -1.0, 1.0);
  const ImU32 grey = mix(stage->scene().palette.panel, stage->scene().palette.muted_text, 0.55f);
  double longest = 0.0;
  for (const float x : scene.trace->find(15, kResidualNorm)->values)
    longest = std::max(longest, static_cast<double>(x));
  const auto whole = fills("embedding", grey);
  ASSERT_EQ(whole.size(), 1u);
  const double pixels = static_cast<double>(whole.front().box.width()) /
                        static_cast<double>(scene.trace->find(15, kResidualNorm)->values.front());
  int longer = 0, shorter = 0;
  for (int b = 0; b < 7; ++b) {
    const std::string name = "block " + std::to_string(b) + (b == 5 ? " sLSTM" : " mLSTM");
    const BlockActivity activity = block_activity(*scene.trace, *scene.model, b, 15);
    const auto up = fills(name, signs(1.0)), down = fills(name, signs(-1.0));
    ASSERT_EQ(fills(name, grey).size(), 1u) << name;
    EXPECT_EQ(up.size(), activity.change() > 0.0 ? 1u : 0u) << name;
    EXPECT_EQ(down.size(), activity.change() < 0.0 ? 1u : 0u) << name;
    const DrawLog::Fill& changed = activity.change() > 0.0 ? up.front() : down.front();
    const DrawLog::Fill base = fills(name, grey).front();
    EXPECT_NEAR(static_cast<double>(changed.box.width()), std::abs(activity.change()) * pixels,
                1.0);
    EXPECT_NEAR(static_cast<double>(base.box.width()),
                std::min(activity.before, activity.after) * pixels, 1.0);
    EXPECT_NEAR(changed.box.min.x, base.box.max.x, 0.01f);
    ++(activity.change() > 0.0 ? longer : shorter);
  }
  EXPECT_GT(longer, 0);
  EXPECT_GT(shorter, 0);
  EXPECT_NE(all().find("length of the residual vector, 0…" + short_number(longest)),
            std::string::npos)
      << all();
}

TEST_F(MapDrawing, HalfLivesReachFromTheShortestToTheLongest) {
  draw(stacked(7));
  const Palette& palette = stage->scene().palette;
  const ImU32 pale = mix(palette.panel, gate_style(palette, 'f').colour, 0.4f);
  double most = 0.0;
  for (const BlockCard& block : scene.model->blocks)
    for (const double life : half_lives(*scene.trace, block, 15)) most = std::max(most, life);
  EXPECT_NE(all().find("half-lives, 0.1…" + short_number(most) + " (log)"), std::string::npos);
  const auto place = [&](double life) {
    return std::log(std::max(life, 0.1) / 0.1) / std::log(most / 0.1);
  };
  // The longest of all ends where the axis ends.
  float left = 0.0f, right = 0.0f;
  for (const DrawLog::Fill& f : log().fills)
    if (f.colour == pale) right = std::max(right, f.box.max.x);
  for (const DrawLog::Line& l : log().lines)
    if (l.points.size() == 2 && std::abs(l.points[1].x - right) < 0.6f &&
        l.points[0].y == l.points[1].y)
      left = l.points[0].x;
  ASSERT_GT(left, 0.0f);
  for (const int b : {1, 5}) {
    const auto bars = fills("block " + std::to_string(b) + (b == 5 ? " sLSTM" : " mLSTM"), pale);
    ASSERT_EQ(bars.size(), 1u);
    const Spread lives =
        spread_of(half_lives(*scene.trace, scene.model->blocks[static_cast<std::size_t>(b)], 15));
    const double width = static_cast<double>(right - left);
    EXPECT_NEAR(static_cast<double>(bars.front().box.min.x - left), place(lives.low) * width, 1.0);
    EXPECT_NEAR(static_cast<double>(bars.front().box.max.x - left), place(lives.high) * width, 1.0);
  }
}

TEST_F(MapDrawing, AClickPutsABlockInFocusAndMarksIt) {
  draw(stacked(7));
  const DrawLog::Text* name = text("block 5 sLSTM");
  ASSERT_TRUE(name);
  const float y = name->box.centre().y;
  stage->move(*view, name->box.centre().x, y);
  EXPECT_EQ(stage->focus.block, 0) << "pointing changes nothing";
  EXPECT_EQ(stage->focus.hovered, (ValueRef{kResidualNorm, 15, 0, 6}));
  EXPECT_NE(card().find("block 5, sLSTM"), std::string::npos) << card();
  const BlockActivity activity = block_activity(*scene.trace, *scene.model, 5, 15);
  for (const double number : {activity.before, activity.after, activity.read_out})
    EXPECT_NE(card().find(short_number(number)), std::string::npos) << card();
  EXPECT_NE(card().find("half-lives of 40 forget gates"), std::string::npos) << card();
  stage->click(*view, name->box.centre().x, y);
  EXPECT_EQ(stage->focus.block, 5);
  EXPECT_TRUE(stage->sent.empty()) << "the window tells the engine, no view does";
  const ImU32 accent = stage->scene().palette.accent;
  int marks = 0;
  for (const DrawLog::Outline& o : log().outlines)
    if (o.colour == accent) marks += o.box.min.y < y && o.box.max.y > y ? 1 : 100;
  EXPECT_EQ(marks, 1) << "one block is marked, and it is this one";
}

TEST_F(MapDrawing, LargeModelsAreGroupedByARuleThatIsSaid) {
  for (const int blocks : {1, 2, 13, 48, 100, 256}) {
    for (const ImVec2 size : {ImVec2{1280, 800}, {220, 700}, {220, 300}, {500, 400}}) {
      const int focused = blocks * 2 / 3;
      draw(stacked(blocks), size, focused);
      EXPECT_TRUE(stumbles(log()).empty())
          << blocks << " blocks: " << stumbles(log()).front() << ", " << size.x;
      EXPECT_LE(log().fills.size(), 3u * kMostBoxes + 10u);
    }
  }
  const Snapshot s = stacked(256);
  const MapPlan plan = map_plan(*s.model, 100, 35, true);
  EXPECT_EQ(plan.group, 16);
  EXPECT_LE(plan.rows.size(), 35u);
  EXPECT_LE(plan.boxes, kMostBoxes);
  int next = 0;
  for (const MapRow& one : plan.rows) {
    EXPECT_EQ(one.first, next) << "every block stands in one row";
    next = one.last + 1;
    EXPECT_EQ(one.one(), one.first >= 96 && one.last < 112) << "that in focus is opened";
  }
  EXPECT_EQ(next, 256);
  // Boxes are few even where rows have room.
  EXPECT_LE(map_plan(*s.model, 0, 1000, true).boxes, kMostBoxes);
  EXPECT_EQ(map_plan(*stacked(30).model, 0, 1000, true).group, 1);
  draw(s, {1280, 800}, 100);
  EXPECT_NE(all().find("in groups of 16 neighbours, that in focus opened"), std::string::npos);
  EXPECT_TRUE(text("0–15"));
  ASSERT_TRUE(text("112–127"));
  EXPECT_NE(row("112–127").find(count_words(16 * 1000 + 16 * 112 + 120)), std::string::npos)
      << "the sum of its parameters: " << row("112–127");
  stage->click(*view, text("112–127")->box.centre().x, text("112–127")->box.centre().y);
  EXPECT_EQ(stage->focus.block, 112);
  EXPECT_TRUE(text("block 113 mLSTM")) << all();
  EXPECT_TRUE(text("96–111"));
}

TEST_F(MapDrawing, ANarrowColumnKeepsLengthAndHalfLife) {
  draw(stacked(9), {220, 500}, 5);
  EXPECT_EQ(stumbles(log()), std::vector<std::string>{});
  const BlockActivity activity = block_activity(*scene.trace, *scene.model, 2, 15);
  const std::string words = row("2");
  EXPECT_NE(words.find(short_number(activity.after).substr(0, 3)), std::string::npos) << words;
  EXPECT_NE(words.find(short_number(
                spread_of(half_lives(*scene.trace, scene.model->blocks[2], 15)).median)),
            std::string::npos)
      << words;
}

TEST_F(MapDrawing, WhatIsNoNumberIsMarked) {
  Snapshot s = stacked(3);
  auto trace = std::make_shared<Trace>(*s.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[15]);
  step->values[kResidualNorm].values[2] = INFINITY;
  for (float& f : step->values["block2/mlstm/forget_gate_pre"].values) f = std::nanf("");
  trace->steps[15] = step;
  s.trace = trace;
  draw(s);
  EXPECT_EQ(fills("block 0 mLSTM", kNotANumber).size(), 0u);
  EXPECT_EQ(fills("block 1 mLSTM", kNotANumber).size(), 1u) << "its length";
  EXPECT_EQ(fills("block 2 mLSTM", kNotANumber).size(), 1u) << "its half-lives";
  EXPECT_NE(row("block 2 mLSTM").find("|NaN|"), std::string::npos) << row("block 2 mLSTM");
}

TEST_F(MapDrawing, WithoutRecordingsTheModelIsThere) {
  Snapshot s = stacked(3);
  s.trace = nullptr;
  s.sequence = {};
  draw(s);
  EXPECT_NE(all().find("nothing recorded yet"), std::string::npos) << all();
  EXPECT_NE(row("block 1 mLSTM").find("|1,001|"), std::string::npos);
  EXPECT_TRUE(fills("block 1 mLSTM", kNotANumber).empty()) << "nothing is wrong";
  stage->move(*view, 400, text("block 1 mLSTM")->box.centre().y);
  EXPECT_FALSE(stage->focus.hovered);
}

TEST_F(MapDrawing, TheTableIsThatOfTheSnapshot) {
  draw(stacked(7));
  const Table table = view->table(stage->scene());
  ASSERT_EQ(table.rows.size(), 7u);
  for (int b = 0; b < 7; ++b) {
    const auto& line = table.rows[static_cast<std::size_t>(b)];
    const BlockActivity activity = block_activity(*scene.trace, *scene.model, b, 15);
    const BlockCard& block = scene.model->blocks[static_cast<std::size_t>(b)];
    const Spread lives = spread_of(half_lives(*scene.trace, block, 15));
    ASSERT_EQ(line.size(), table.columns.size());
    EXPECT_EQ(line[1], block.title);
    EXPECT_EQ(std::stod(line[3]), activity.before);
    EXPECT_EQ(std::stod(line[4]), activity.after);
    EXPECT_EQ(std::stod(line[5]), activity.change());
    EXPECT_EQ(std::stod(line[6]), activity.read_out);
    EXPECT_EQ(std::stod(line[7]), lives.low);
    EXPECT_EQ(std::stod(line[8]), lives.median);
    EXPECT_EQ(std::stod(line[9]), lives.high);
    EXPECT_EQ(line[11], std::to_string(1000 + b));
    EXPECT_EQ(line[12], std::to_string(block.state_numbers()));
  }
}

TEST_F(MapDrawing, TheInspectorExplainsTheResidualVector) {
  Snapshot s = stacked(3);
  Stage other(s);
  other.focus.pinned = ValueRef{kResidualNorm, 15, 0, 2};
  const auto inspector = make_inspector_view();
  other.frame(*inspector);
  other.frame(*inspector);
  std::string words;
  for (const DrawLog::Text& t : other.log.texts) words += t.shown + "\n";
  EXPECT_NE(words.find("length of the residual vector"), std::string::npos) << words;
  EXPECT_NE(
      words.find(short_number(static_cast<double>(s.trace->find(15, kResidualNorm)->values[2]))),
      std::string::npos)
      << words;
}

TEST(Counts, AreWrittenForPeople) {
  EXPECT_EQ(count_words(7), "7");
  EXPECT_EQ(count_words(999), "999");
  EXPECT_EQ(count_words(12345), "12,345");
  EXPECT_EQ(count_words(1234567), "1.23 M");
  EXPECT_EQ(count_words(6865424896), "6.87 G");
}

}  // namespace
}  // namespace xlab::tests
