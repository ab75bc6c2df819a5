// What the memory mixing draws, held against the snapshot: maps, bars, where an output goes, and
// the words for what is not there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/analysis/mixing.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

class MixingDrawing : public ::testing::Test {
 protected:
  void draw(const Snapshot& snapshot, int head = 2, const std::string& kept = "to 3 from 6 weights",
            ImVec2 size = {1000, 700}, int block = 1) {
    view = make_mixing_view();
    view->restore(kept);
    scene = snapshot;
    stage = std::make_unique<Stage>(scene);
    stage->size = size;
    stage->focus.block = block;
    stage->focus.head = head;
    stage->frame(*view);
    stage->frame(*view);
  }
  /// Recall with the cursor in the middle, so that something comes after it.
  static Snapshot middle(SceneShape shape = {}, const std::vector<Clamp>& clamps = {}) {
    shape.cursor = 9;
    return SceneBuilder(shape).build(clamps);
  }
  /// The same with R changed.
  template <typename Change>
  static Snapshot with_R(Snapshot s, Change change) {
    auto image = std::make_shared<MixingImage>(*s.mixing);
    change(*image);
    s.mixing = image;
    return s;
  }
  const DrawLog& log() const { return stage->log; }
  const BlockCard& block() const { return scene.model->blocks[1]; }
  PreParts parts(int gate, int head, int unit) const {
    return parts_of(*scene.trace, block(), *scene.mixing, scene.sequence.clamps,
                    {gate, scene.sequence.cursor, head, unit})
        .value();
  }
  const DrawLog::Heat* heat(const std::string& key) const {
    for (const DrawLog::Heat& one : log().heats)
      if (one.key == key) return &one;
    return nullptr;
  }
  std::string all() const {
    std::string words;
    for (const DrawLog::Text& t : log().texts) words += t.shown + "\n";
    return words;
  }
  bool says(const std::string& words) const { return all().find(words) != std::string::npos; }
  std::string card() const {
    std::string words;
    for (const DrawLog::Text& t : log().texts)
      if (t.on_top) words += t.shown + "\n";
    return words;
  }
  const DrawLog::Text* text(const std::string& words) const {
    for (const DrawLog::Text& t : log().texts)
      if (t.shown == words && !t.on_top) return &t;
    return nullptr;
  }
  /// The numbers in the row of a gate, among the bars.
  std::vector<DrawLog::Text> row(const std::string& title) const {
    const DrawLog::Text* name = text(title);
    std::vector<DrawLog::Text> found;
    if (!name) return found;
    for (const DrawLog::Text& t : log().texts)
      if (!t.on_top && t.box.min.x > name->box.max.x &&
          std::abs(t.box.centre().y - name->box.centre().y) < 3)
        found.push_back(t);
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return a.box.min.x < b.box.min.x; });
    return found;
  }
  /// The filled parts of its bar, in the order in which they were drawn.
  std::vector<DrawLog::Fill> bar(const std::string& title) const {
    const DrawLog::Text* name = text(title);
    std::vector<DrawLog::Fill> found;
    if (!name) return found;
    const float y = name->box.centre().y;
    for (const DrawLog::Fill& fill : log().fills)
      if (fill.box.min.x > name->box.max.x && fill.box.min.y < y && fill.box.max.y > y &&
          fill.box.height() > 8 && fill.box.height() < 30)
        found.push_back(fill);
    return found;
  }
  /// The upright mark of what was recorded.
  const DrawLog::Line* mark(const std::string& title) const {
    const DrawLog::Text* name = text(title);
    const DrawLog::Line* last = nullptr;
    for (const DrawLog::Line& line : log().lines)
      if (name && line.points.size() == 2 && line.points[0].x == line.points[1].x &&
          line.stroke.colour == stage->scene().palette.text && line.stroke.width > 2 &&
          line.points[0].y < name->box.centre().y && line.points[1].y > name->box.centre().y)
        last = &line;
    return last;
  }

  Snapshot scene;
  std::unique_ptr<View> view;
  std::unique_ptr<Stage> stage;
};

const char* const kTitles[] = {"input gate", "forget gate", "cell input", "output gate"};

TEST_F(MixingDrawing, AMapForEachGateShowsROfTheHead) {
  for (const int head : {0, 1, 2, 3}) {
    draw(middle(), head);
    double largest = 0.0;
    for (int gate = 0; gate < 4; ++gate) {
      const DrawLog::Heat* map = heat("mixing/" + std::to_string(gate));
      ASSERT_TRUE(map);
      ASSERT_EQ(map->rows, 10);
      ASSERT_EQ(map->columns, 10);
      for (int to = 0; to < 10; ++to)
        for (int from = 0; from < 10; ++from) {
          const float weight = scene.mixing->weight(gate, head, to, from);
          EXPECT_EQ(map->values[static_cast<std::size_t>(to * 10 + from)], weight);
          largest = std::max(largest, static_cast<double>(std::abs(weight)));
        }
      EXPECT_TRUE(says("R of the " + std::string(kTitles[gate])));
    }
    for (int gate = 0; gate < 4; ++gate) {
      EXPECT_EQ(heat("mixing/" + std::to_string(gate))->high, largest) << "one range for all";
      EXPECT_EQ(heat("mixing/" + std::to_string(gate))->low, -largest);
    }
    EXPECT_TRUE(says(short_number(largest)));
    EXPECT_TRUE(says("all gates of this head"));
  }
}

TEST_F(MixingDrawing, ProductsAreWeightsTimesTheOutputsBefore) {
  draw(middle(), 1, "to 3 from 6 products");
  const Recorded& before = *scene.trace->find(8, "block1/slstm/h");
  for (int gate = 0; gate < 4; ++gate) {
    const DrawLog::Heat* map = heat("mixing/" + std::to_string(gate));
    ASSERT_TRUE(map);
    for (int to = 0; to < 10; ++to)
      for (int from = 0; from < 10; ++from)
        EXPECT_FLOAT_EQ(map->values[static_cast<std::size_t>(to * 10 + from)],
                        scene.mixing->weight(gate, 1, to, from) * before.at(1, from));
  }
  EXPECT_TRUE(says("R · h, what each unit adds at t = 9"));
}

TEST_F(MixingDrawing, BarsAreThePartsOfEachPreActivation) {
  draw(middle());
  for (int gate = 0; gate < 4; ++gate) {
    const PreParts made = parts(gate, 2, 3);
    const auto numbers = row(kTitles[gate]);
    ASSERT_EQ(numbers.size(), 4u) << all();
    const double wanted[] = {made.token, made.mixed, made.bias, made.recorded};
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(numbers[i].shown, short_number(wanted[i]));
    // The widths are to one another as the numbers.
    const auto fills = bar(kTitles[gate]);
    ASSERT_EQ(fills.size(), 3u);
    const double sum = std::abs(made.token) + std::abs(made.mixed) + std::abs(made.bias);
    const float width = fills[0].box.width() + fills[1].box.width() + fills[2].box.width();
    double right = 0.0, left = 0.0;
    const float zero = made.token >= 0 ? fills[0].box.min.x : fills[0].box.max.x;
    const float unit = width / static_cast<float>(sum);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(fills[i].box.width(), width * static_cast<float>(std::abs(wanted[i]) / sum), 0.1);
      double& edge = wanted[i] >= 0 ? right : left;
      edge += wanted[i];
      EXPECT_NEAR(wanted[i] >= 0 ? fills[i].box.max.x : fills[i].box.min.x,
                  zero + unit * static_cast<float>(edge), 0.2);
    }
    EXPECT_EQ(fills[1].colour, stage->scene().palette.accent) << "R h stands out";
    const DrawLog::Line* recorded = mark(kTitles[gate]);
    ASSERT_TRUE(recorded);
    EXPECT_NEAR(recorded->points[0].x, zero + unit * static_cast<float>(made.recorded), 0.2);
  }
  EXPECT_TRUE(says("the sum is the recorded pre-activation"));
}

TEST_F(MixingDrawing, WhatDoesNotAddUpIsSaid) {
  draw(with_R(middle(), [](MixingImage& image) { image.b[image.at(1, 2, 3)] += 0.5f; }));
  EXPECT_TRUE(says("the parts do not add up"));
  const DrawLog::Text* said = nullptr;
  for (const DrawLog::Text& t : log().texts)
    if (t.shown.starts_with("the parts do not add up")) said = &t;
  ASSERT_TRUE(said);
  EXPECT_EQ(said->colour, stage->scene().palette.warning);
  EXPECT_TRUE(said->shown.find("0.5") != std::string::npos) << said->shown;
}

TEST_F(MixingDrawing, AHeldPreActivationHasPaleParts) {
  draw(middle({}, {{"block1/slstm/forget_gate_pre", 2, 3, 8, 11, -2.5f}}));
  EXPECT_TRUE(says("f held by hand"));
  EXPECT_EQ(row("forget gate").back().shown, short_number(-2.5));
  const auto held = bar("forget gate"), free = bar("input gate");
  ASSERT_EQ(held.size(), 3u);
  EXPECT_EQ(held[1].colour, with_alpha(stage->scene().palette.accent, 0.35f));
  EXPECT_EQ(free[1].colour >> 24, 255u);
  EXPECT_FALSE(says("do not add up"));
}

TEST_F(MixingDrawing, TheCardOfRhNamesTheUnitsThatAddMost) {
  draw(middle());
  const auto fills = bar("output gate");
  ASSERT_EQ(fills.size(), 3u);
  const ImVec2 at = fills[1].box.centre();
  stage->move(*view, at.x, at.y);
  const auto largest =
      largest_sources(sources_of(*scene.trace, block(), *scene.mixing, {3, 9, 2, 3}), 5);
  std::size_t from = 0;
  for (const MixedSource& source : largest) {
    const std::string line = "from unit " + std::to_string(source.unit) + ": R " +
                             short_number(source.weight) + " · h " + short_number(source.output) +
                             " = " + short_number(source.product);
    const std::size_t found = card().find(line, from);
    ASSERT_NE(found, std::string::npos) << line << " in\n" << card();
    from = found;
  }
  EXPECT_NE(card().find("R h of the output gate = " + short_number(parts(3, 2, 3).mixed)),
            std::string::npos);
  ASSERT_TRUE(stage->focus.hovered);
  EXPECT_EQ(stage->focus.hovered->path, "block1/slstm/output_gate_pre");
  EXPECT_EQ(*stage->focus.hovered, (ValueRef{"block1/slstm/output_gate_pre", 9, 2, 3}));
  // W x is a recorded value of its own, and can be pinned.
  const ImVec2 token = fills[0].box.centre();
  stage->move(*view, token.x, token.y);
  EXPECT_EQ(stage->focus.hovered->path, "block1/slstm/output_gate_wx");
  stage->click(*view, token.x, token.y);
  ASSERT_TRUE(stage->focus.pinned);
  EXPECT_EQ(stage->focus.pinned->path, "block1/slstm/output_gate_wx");
}

TEST_F(MixingDrawing, ACellOfAMapIsExplainedAndChoosesBothUnits) {
  draw(middle());
  const Box box = heat("mixing/2")->box;
  // Row 4, column 7.
  const float x = box.min.x + box.width() * 0.75f, y = box.min.y + box.height() * 0.45f;
  stage->move(*view, x, y);
  const float weight = scene.mixing->weight(2, 2, 4, 7);
  const float before = scene.trace->find(8, "block1/slstm/h")->at(2, 7);
  EXPECT_NE(card().find("R of the cell input: from unit 7 to unit 4 = " + short_number(weight)),
            std::string::npos)
      << card();
  EXPECT_NE(card().find(short_number(static_cast<double>(weight) * static_cast<double>(before))),
            std::string::npos);
  EXPECT_NE(card().find(short_number(before)), std::string::npos);
  stage->click(*view, x, y);
  EXPECT_EQ(view->kept(), "to 4 from 7 weights");
  stage->move(*view, 1, 1);
  EXPECT_TRUE(says("unit 4"));
  EXPECT_EQ(row("cell input").back().shown, short_number(parts(2, 2, 4).recorded));
}

TEST_F(MixingDrawing, InfluenceIsDrawnFromTheCursorOn) {
  draw(middle());
  Influence wanted;
  wanted.follow(scene.trace, block(), scene.mixing, {}, 9, 2, 6);
  wanted.advance(1e18);
  const DrawLog::Heat* map = heat("mixing/influence");
  ASSERT_TRUE(map);
  ASSERT_EQ(map->rows, 10);
  ASSERT_EQ(map->columns, 7) << "steps 10 to 16";
  double largest = 0.0;
  for (int t = 10; t < 17; ++t)
    for (int unit = 0; unit < 10; ++unit) {
      const float change = wanted.changes(t)[static_cast<std::size_t>(unit)];
      EXPECT_EQ(map->values[static_cast<std::size_t>(unit * 7 + t - 10)], change);
      largest = std::max(largest, static_cast<double>(std::abs(change)));
    }
  EXPECT_GT(largest, 0.0);
  EXPECT_EQ(map->high, largest);
  ASSERT_FALSE(log().curves.empty());
  const DrawLog::Curve& curve = log().curves.back();
  EXPECT_TRUE(curve.axis.logarithmic);
  ASSERT_EQ(curve.ys.size(), 8u);
  for (int t = 9; t < 17; ++t)
    EXPECT_FLOAT_EQ(curve.ys[static_cast<std::size_t>(t - 9)], static_cast<float>(wanted.size(t)));
  EXPECT_TRUE(says("log scale"));
  EXPECT_TRUE(says(short_number(wanted.size(16)) + " of the start is left at t = 16, 7 tokens on"));
}

TEST_F(MixingDrawing, WhatFadedIsSaidWithItsStep) {
  draw(with_R(middle(), [](MixingImage& image) {
    for (float& weight : image.R) weight *= 1e-7f;
  }));
  EXPECT_TRUE(says("below a millionth of the start after 1 token, and it stays so")) << all();
}

TEST_F(MixingDrawing, AtTheLastTokenNothingComesAfter) {
  SceneShape shape;
  shape.cursor = 16;
  draw(SceneBuilder(shape).build());
  EXPECT_TRUE(says("Nothing comes after the time cursor yet"));
}

TEST_F(MixingDrawing, DraggingInTheStripMovesTheCursor) {
  draw(middle());
  const Box box = heat("mixing/influence")->box;
  const float x = box.min.x + box.width() * 2.5f / 7, y = box.centre().y;
  stage->move(*view, x, y);
  Influence wanted;
  wanted.follow(scene.trace, block(), scene.mixing, {}, 9, 2, 6);
  wanted.advance(1e18);
  EXPECT_NE(card().find("at t = 12"), std::string::npos) << card();
  EXPECT_NE(card().find("size " + short_number(wanted.size(12))), std::string::npos);
  stage->button(*view, true);
  stage->frame(*view);
  stage->button(*view, false);
  ASSERT_EQ(stage->sent.size(), 1u);
  ASSERT_TRUE(std::holds_alternative<command::SetCursor>(stage->sent[0]));
  EXPECT_EQ(std::get<command::SetCursor>(stage->sent[0]).step, 12);
}

TEST_F(MixingDrawing, ZerosAreSaidInsteadOfEmptyPictures) {
  draw(with_R(middle(),
              [](MixingImage& image) { std::fill(image.R.begin(), image.R.end(), 0.0f); }));
  EXPECT_TRUE(says("R of head 2 is all zeros: no mixing yet"));
  EXPECT_FALSE(heat("mixing/0"));
  EXPECT_TRUE(says("R is all zeros: no later step sees it."));
  EXPECT_EQ(row("input gate")[1].shown, "0") << "R h";
  // Another head may have learned already.
  draw(with_R(middle(),
              [](MixingImage& image) {
                std::fill(image.R.begin(), image.R.end(), 0.0f);
                image.R[image.at(3, 1, 0) * 10] = 0.25f;
              }),
       1);
  EXPECT_FALSE(says("all zeros"));
  EXPECT_TRUE(heat("mixing/3"));
}

TEST_F(MixingDrawing, WhatIsNoNumberIsMarked) {
  draw(with_R(middle(), [](MixingImage& image) {
    image.R[image.at(0, 2, 3) * 10 + 5] = std::numeric_limits<float>::quiet_NaN();
  }));
  EXPECT_TRUE(says("1 NaN"));
  const DrawLog::Heat* map = heat("mixing/0");
  ASSERT_TRUE(map);
  EXPECT_NE(std::find(map->pixels.begin(), map->pixels.end(), kNotANumber), map->pixels.end());
  const auto odd = bar("input gate");
  ASSERT_EQ(odd.size(), 1u);
  EXPECT_EQ(odd[0].colour, kNotANumber);
  EXPECT_FALSE(log().hatches.empty());
  EXPECT_EQ(row("input gate")[1].shown, "NaN");
  EXPECT_TRUE(says("no numbers: there is nothing to compare"));
}

TEST_F(MixingDrawing, AnLstmMixesTheSameWay) {
  SceneShape shape;
  shape.lstm = true;
  shape.slstm_heads = 5;
  shape.units = 9;
  draw(middle(shape), 4, "to 8 from 1 weights");
  Influence wanted;
  wanted.follow(scene.trace, block(), scene.mixing, {}, 9, 4, 1);
  wanted.advance(1e18);
  ASSERT_EQ(wanted.end(), 17);
  EXPECT_FLOAT_EQ(log().curves.back().ys[4], static_cast<float>(wanted.size(13)));
  EXPECT_EQ(row("forget gate")[3].shown, short_number(parts(1, 4, 8).recorded));
}

TEST_F(MixingDrawing, ManyUnitsShareAPixelAndItIsSaid) {
  SceneShape shape;
  shape.slstm_heads = 2;
  shape.units = 256;
  draw(middle(shape), 1, "to 255 from 200 weights");
  EXPECT_TRUE(says("largest |x| of a pixel"));
  EXPECT_TRUE(heat("mixing/0"));
}

TEST_F(MixingDrawing, OneUnitIsEnough) {
  SceneShape shape;
  shape.slstm_heads = shape.units = 1;
  draw(middle(shape), 0, "to 5 from 5 weights");
  EXPECT_EQ(row("cell input").back().shown, short_number(parts(2, 0, 0).recorded));
  ASSERT_TRUE(heat("mixing/influence"));
  EXPECT_EQ(heat("mixing/influence")->rows, 1);
}

TEST_F(MixingDrawing, OtherBlocksSayWhichOneMixes) {
  draw(middle(), 0, "", {1000, 700}, 0);
  EXPECT_TRUE(says("Block 0 (mLSTM) has no recurrent matrix"));
  EXPECT_TRUE(says("Block 1 (sLSTM) has one."));
  SceneShape shape;
  shape.with_slstm = false;
  draw(middle(shape), 0, "", {1000, 700}, 0);
  EXPECT_TRUE(says("No block of this model has one."));
}

TEST_F(MixingDrawing, WhatIsNotHereIsSaid) {
  Snapshot s = middle();
  s.mixing = nullptr;
  draw(s);
  EXPECT_TRUE(says("is not here yet"));
  draw(with_R(middle(), [](MixingImage& image) {
    image.R.clear();
    image.b.clear();
    image.left_out = "They take 70 MB: they are shown up to 64 MB only.";
  }));
  EXPECT_TRUE(says("They take 70 MB"));
  draw(with_R(middle(), [](MixingImage& image) { image.R.pop_back(); }));
  EXPECT_TRUE(says("other sizes"));
  draw(with_R(middle(), [](MixingImage& image) { image.block = 0; }));
  EXPECT_TRUE(says("is not here yet"));
}

TEST_F(MixingDrawing, LittleRoomShowsTheBarsAlone) {
  draw(middle(), 2, "to 3 from 6 weights", {420, 190});
  EXPECT_FALSE(heat("mixing/0"));
  EXPECT_FALSE(heat("mixing/influence"));
  EXPECT_EQ(row("input gate").back().shown, short_number(parts(0, 2, 3).recorded));
  draw(middle(), 2, "to 3 from 6 weights", {420, 330});
  EXPECT_TRUE(heat("mixing/0"));
  EXPECT_FALSE(heat("mixing/influence"));
  draw(middle(), 2, "to 3 from 6 weights", {420, 640});
  EXPECT_TRUE(heat("mixing/0"));
  EXPECT_TRUE(heat("mixing/influence"));
}

TEST_F(MixingDrawing, APinnedPreActivationShowsItsUnit) {
  draw(middle());
  stage->focus.pinned = ValueRef{"block1/slstm/forget_gate_pre", 9, 2, 8};
  stage->frame(*view);
  EXPECT_EQ(view->kept(), "to 8 from 6 weights");
  stage->focus.pinned = ValueRef{"block1/slstm/c", 9, 2, 1};
  stage->frame(*view);
  EXPECT_EQ(view->kept(), "to 8 from 6 weights");
}

TEST_F(MixingDrawing, WhatWasKeptComesBackAndNothingElse) {
  draw(middle());
  for (const char* strange : {"", "to 1", "to -1 from 2 weights", "to 1 from 2 other",
                              "to 1 from 2 weightsandproducts", "unit 3 channel 4 sorted"}) {
    view->restore(strange);
    EXPECT_EQ(view->kept(), "to 3 from 6 weights") << strange;
  }
  view->restore("to 9 from 0 products");
  EXPECT_EQ(view->kept(), "to 9 from 0 products");
}

TEST_F(MixingDrawing, TheTableHasTheSameNumbers) {
  draw(middle());
  const Table table = view->table(stage->scene());
  ASSERT_EQ(table.columns.size(), 14u);
  // Parts of all units and gates, sources of one unit, and the steps of the influence.
  ASSERT_EQ(table.rows.size(), 40u + 40u + 7u);
  const PreParts made = parts(1, 2, 3);
  const auto& parts_row = table.rows[3 * 4 + 1];
  EXPECT_EQ(parts_row[2], "forget gate");
  EXPECT_EQ(parts_row[4], "3");
  EXPECT_EQ(parts_row[5], full_number(made.token));
  EXPECT_EQ(parts_row[6], full_number(made.mixed));
  EXPECT_EQ(parts_row[7], full_number(made.bias));
  EXPECT_EQ(parts_row[8], full_number(made.recorded));
  const auto sources = sources_of(*scene.trace, block(), *scene.mixing, {2, 9, 2, 3});
  const auto& source_row = table.rows[40 + 2 * 10 + 7];
  EXPECT_EQ(source_row[3], "7");
  EXPECT_EQ(source_row[10], full_number(sources[7].weight));
  EXPECT_EQ(source_row[12], full_number(sources[7].product));
  Influence wanted;
  wanted.follow(scene.trace, block(), scene.mixing, {}, 9, 2, 6);
  wanted.advance(1e18);
  EXPECT_EQ(table.rows.back()[0], "16");
  EXPECT_EQ(table.rows.back()[13], full_number(wanted.size(16)));
  EXPECT_EQ(table.rows.back()[4], std::to_string(wanted.largest(16)));
}

TEST_F(MixingDrawing, ALongInfluenceComesInPieces) {
  SceneShape shape;
  shape.slstm_heads = 1;
  shape.units = 64;
  shape.length = 1200;
  shape.cursor = 100;
  draw(SceneBuilder(shape).build(), 0, "to 3 from 6 weights");
  EXPECT_TRUE(view->animating(stage->scene()));
  EXPECT_TRUE(says("computed up to t = ")) << all();
  for (int frame = 0; frame < 40; ++frame) stage->frame(*view);
  EXPECT_FALSE(view->animating(stage->scene()));
  EXPECT_FALSE(says("computed up to t = "));
}

}  // namespace
}  // namespace xlab::tests
