// What the write budget draws of half-lives, held against its snapshot: lengths, names, order.
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
#include "tests/budget_drawing.hpp"
#include "tests/scenes.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

class HalfLifeDrawing : public BudgetDrawing {};

TEST_F(HalfLifeDrawing, HalfLivesAreLengthsOnTheTimeAxis) {
  draw(recall_scene(), 0, 1, "unit 0 channel -1 ordered", {1200, 800});
  const std::vector<double> lives = half_lives(*scene.trace, block(0), 15);
  const float column = layers()->box.width() / 17;
  for (int head = 0; head < 3; ++head) {
    const DrawLog::Text* name = text("head " + std::to_string(head));
    for (const DrawLog::Text& t : log().texts)
      if (t.shown == "head " + std::to_string(head) && t.box.min.y > 500) name = &t;
    ASSERT_TRUE(name);
    const double life = lives[static_cast<std::size_t>(head)];
    EXPECT_TRUE(says(short_number(life) + " tokens")) << life << " in " << all();
    const float cursor = layers()->box.min.x + column * 15.5f;
    bool found = false;
    for (const DrawLog::Fill& fill : log().fills) {
      if (fill.box.min.y > name->box.centre().y || fill.box.max.y < name->box.centre().y) continue;
      if (std::abs(fill.box.max.x - cursor) > 1.0f) continue;
      found = true;
      const float wanted =
          std::min(static_cast<float>(life) * column, cursor - layers()->box.min.x);
      EXPECT_NEAR(fill.box.width(), wanted, 1.0f) << head;
    }
    EXPECT_TRUE(found) << head;
  }
}

TEST_F(HalfLifeDrawing, EndsOfHalfLivesHaveNames) {
  Snapshot s = recall_scene();
  auto trace = std::make_shared<Trace>(*s.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[15]);
  step->values["block0/mlstm/forget_gate_pre"].values = {1e4f, -1e30f, std::nanf("")};
  trace->steps[15] = step;
  s.trace = trace;
  draw(s, 0, 0, "unit 0 channel -1 ordered", {1200, 800});
  EXPECT_TRUE(says("never forgets")) << all();
  EXPECT_TRUE(says("keeps nothing")) << all();
  EXPECT_TRUE(says("no number")) << all();
  EXPECT_TRUE(std::any_of(log().fills.begin(), log().fills.end(),
                          [](const DrawLog::Fill& f) { return f.colour == kNotANumber; }));
  EXPECT_FALSE(log().hatches.empty() && log().lines.empty());
}

TEST_F(HalfLifeDrawing, ManyGatesShareALineAndSaySo) {
  draw(wide_scene(), 1, 0, "unit 0 channel -1 sorted", {700, 560});
  EXPECT_TRUE(says("median, pale from shortest to longest")) << all();
  EXPECT_TRUE(says("1024")) << "gates";
  // Longest first: bars get no longer from top to bottom.
  const DrawLog::Text* title = text("half-lives");
  ASSERT_TRUE(title);
  const Palette& palette = stage->scene().palette;
  const ImU32 bar_colour = mix(palette.panel, gate_style(palette, 'f').colour, 0.5f);
  std::vector<DrawLog::Fill> bars;
  for (const DrawLog::Fill& fill : log().fills)
    if (fill.colour == bar_colour) bars.push_back(fill);
  ASSERT_GT(bars.size(), 20u);
  for (std::size_t i = 1; i < bars.size(); ++i)
    EXPECT_LE(bars[i].box.width(), bars[i - 1].box.width() + 0.01f);
  draw(wide_scene(), 1, 0, "unit 0 channel -1 ordered", {700, 560});
  bool shuffled = false;
  std::vector<DrawLog::Fill> ordered;
  for (const DrawLog::Fill& fill : log().fills)
    if (fill.colour == bar_colour) ordered.push_back(fill);
  for (std::size_t i = 1; i < ordered.size(); ++i)
    shuffled |= ordered[i].box.width() > ordered[i - 1].box.width() + 1.0f;
  EXPECT_TRUE(shuffled);
}

TEST_F(HalfLifeDrawing, AClickOnAHalfLifeShowsThatHead) {
  draw(recall_scene(), 0, 0, "unit 0 channel -1 ordered", {1200, 800});
  const DrawLog::Text* name = nullptr;
  for (const DrawLog::Text& t : log().texts)
    if (t.shown == "head 2" && t.box.min.y > 500) name = &t;
  ASSERT_TRUE(name);
  stage->click(*view, layers()->box.centre().x, name->box.centre().y);
  EXPECT_EQ(stage->focus.head, 2);
  EXPECT_TRUE(says("what C of head 2 is made of")) << all();
}

TEST(HalfLives, FollowTokensThatAreAdded) {
  Snapshot s = recall_scene();
  const auto whole = s.trace;
  auto part = std::make_shared<Trace>(*whole);
  part->steps.resize(9);
  s.trace = part;
  s.sequence.cursor = 8;
  BudgetShown shown;
  shown.use(s, s.model->blocks[1], {1, 3, -1});
  EXPECT_EQ(shown.lives().tokens, 9);
  const int made = shown.revision();
  shown.use(s, s.model->blocks[1], {1, 3, -1});
  EXPECT_EQ(shown.revision(), made) << "nothing is made again while nothing changes";
  s.trace = whole;
  shown.use(s, s.model->blocks[1], {1, 3, -1});
  BudgetShown fresh;
  fresh.use(s, s.model->blocks[1], {1, 3, -1});
  EXPECT_EQ(shown.lives().tokens, 17);
  EXPECT_EQ(shown.lives().mean, fresh.lives().mean);
  // A token that is another one now is not counted twice.
  auto other = std::make_shared<Trace>(*whole);
  auto step = std::make_shared<TokenTrace>(*other->steps[2]);
  for (float& f : step->values["block1/slstm/forget_gate_pre"].values) f = -2.0f;
  other->steps[2] = step;
  s.trace = other;
  shown.use(s, s.model->blocks[1], {1, 3, -1});
  BudgetShown again;
  again.use(s, s.model->blocks[1], {1, 3, -1});
  EXPECT_EQ(shown.lives().mean, again.lives().mean);
  EXPECT_NE(shown.lives().mean, fresh.lives().mean);
}

}  // namespace
}  // namespace xlab::tests
