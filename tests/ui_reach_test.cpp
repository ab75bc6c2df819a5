// What the gradient's reach draws, held against its report: curves, bars, words, colours, what it
// asks for and when.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tests/reach_drawing.hpp"
#include "ui/number.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

TEST_F(ReachDrawing, CurvesAreLogarithmsRelativeToTheLastStep) {
  draw(with_reach(recall_scene(), 0, 1), 0, 1);
  const ReachReport& report = *scene.reach;
  // The focused head on top of the others, in the colour of memories.
  const std::vector<DrawLog::Curve> solid = curves(Dash::solid);
  ASSERT_EQ(solid.size(), static_cast<std::size_t>(report.heads));
  const DrawLog::Curve& strong = solid.back();
  const ImU32 memory = gate_style(stage->scene().palette, 'c').colour;
  EXPECT_EQ(strong.stroke.colour, memory);
  EXPECT_GT(strong.stroke.width, 2 * solid.front().stroke.width);
  const auto steps = static_cast<int>(report.tokens.size());
  ASSERT_EQ(strong.ys.size(), static_cast<std::size_t>(steps));
  const std::vector<DrawLog::Curve> dashed = curves(Dash::dashed), dotted = curves(Dash::dotted);
  ASSERT_EQ(dashed.size(), 1u);
  ASSERT_EQ(dotted.size(), 1u);
  EXPECT_EQ(dashed[0].stroke.colour, stage->scene().palette.text);
  for (int t = 0; t < steps; ++t) {
    const auto i = static_cast<std::size_t>(t);
    const double back = steps - 1 - t;
    EXPECT_NEAR(dashed[0].ys[i], -back * std::log10(3.0), 1e-5);
    EXPECT_NEAR(strong.ys[i], -back * std::log10(3.0) + 0.1 * back / std::log(10.0), 1e-5);
    EXPECT_NEAR(dotted[0].ys[i], -2.0 * back / std::log(10.0), 1e-5);
  }
  // In the order of the heads, without the strong one: head 0 keeps a half.
  EXPECT_NEAR(solid[0].ys[0], (steps - 1) * (0.1 / std::log(10.0) - std::log10(2.0)), 1e-4);
  // Whole powers of ten around all of them.
  EXPECT_EQ(strong.axis.high, 0.0);
  EXPECT_EQ(strong.axis.low, std::floor(strong.axis.low));
  for (const DrawLog::Curve& curve : log().curves) {
    EXPECT_EQ(curve.axis.low, strong.axis.low);
    for (const float y : curve.ys) EXPECT_GE(y, strong.axis.low);
  }
}

TEST_F(ReachDrawing, SaysWhatIsDrawnAndHowItWasTransformed) {
  draw(with_reach(recall_scene(), 0, 1), 0, 1);
  EXPECT_TRUE(
      says("|d loss / d (C, n)| over t, relative to t = T: log₁₀, states in units of step T"))
      << all();
  EXPECT_TRUE(says("product of forget gates"));
  EXPECT_TRUE(says("head 1"));
  EXPECT_TRUE(says("other heads"));
  EXPECT_TRUE(says("d loss / d h_t"));
  EXPECT_TRUE(says("|d h_T / d x_t| of head 1: Frobenius norm, log₁₀, all")) << all();
  EXPECT_TRUE(says("loss at T = " + std::to_string(scene.reach->step) + ": −log p(")) << all();
  EXPECT_TRUE(says("= 1.25 nats")) << all();
  EXPECT_TRUE(says("in float64"));
  // A half of head 1 is left after ln 2 / (ln 3 - 0.1) tokens, alone after ln 2 / ln 3.
  EXPECT_TRUE(says("of the gradient half is left after " +
                   short_number(std::log(2.0) / (std::log(3.0) - 0.1)) + " tokens"))
      << all();
  EXPECT_TRUE(
      says("alone half is left after " + short_number(std::log(2.0) / std::log(3.0)) + " tokens"))
      << all();
  EXPECT_TRUE(says("Where the solid line lies on the dashed one"));
  EXPECT_FALSE(says("exactly 0"));
  EXPECT_FALSE(says("held by hand"));
  draw(with_reach(recall_scene(), 1, 0), 1, 0);
  EXPECT_TRUE(says("|d loss / d (c, n)| over t")) << all();
  EXPECT_TRUE(says("through forget gates alone"));
  draw(with_reach(clamped_scene(), 0, 0), 0, 0);
  EXPECT_TRUE(says("What is held by hand is held here too")) << all();
}

TEST_F(ReachDrawing, SaysWhereTheMemoryIsTheOnlyWay) {
  Snapshot s = with_reach(recall_scene(), 0, 0);
  ReachReport report = *s.reach;
  report.memory = report.alone;
  for (std::size_t i = 0; i < report.output.size(); ++i)
    if (i % report.tokens.size() + 1 < report.tokens.size())
      report.output[i] = -std::numeric_limits<double>::infinity();
  s.reach = std::make_shared<const ReachReport>(report);
  draw(s, 0, 0);
  EXPECT_TRUE(
      says("The solid line lies on the dashed one: the gradient travels through the memory"))
      << all();
  EXPECT_TRUE(curves(Dash::dotted).empty()) << "nothing reads h_t on the way";
  EXPECT_FALSE(says("d loss / d h_t"));
}

TEST_F(ReachDrawing, BarsAreAsHighAsTheLogarithms) {
  draw(with_reach(recall_scene(), 0, 0), 0, 0);
  const DrawLog::Text* title = text("|d h_T");
  ASSERT_TRUE(title);
  std::vector<DrawLog::Fill> bars;
  const float line = title->box.max.y - title->box.min.y;
  for (const DrawLog::Fill& fill : log().fills)
    if (fill.box.min.y > title->box.max.y - line && fill.box.height() > 1.0f &&
        fill.box.width() > 4.0f)
      bars.push_back(fill);
  const auto steps = static_cast<int>(scene.reach->tokens.size());
  // Those of the first ones are as low as the axis at most; the last is the highest.
  ASSERT_GE(static_cast<int>(bars.size()), steps - 1);
  const float bottom = bars[1].box.max.y;
  const float unit = (bars[2].box.min.y - bars[1].box.min.y);
  for (int i = 1; i + 1 < std::min(steps - 1, 5); ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_EQ(bars[at].box.max.y, bottom);
    EXPECT_NEAR(bars[at + 1].box.min.y - bars[at].box.min.y, unit, 0.6f) << "a factor e^0.5 each";
  }
  EXPECT_LT(unit, 0.0f);
}

TEST_F(ReachDrawing, WhatIsNoNumberIsMagentaAndWhatIsZeroIsSaid) {
  draw(with_odd_reach(recall_scene(), 0, 1), 0, 1);
  EXPECT_TRUE(says("exactly 0 (not drawn) at 1 of")) << all();
  EXPECT_TRUE(says("below 10⁻³⁰ (under the picture) at 1 of")) << all();
  EXPECT_TRUE(says("no number (magenta) at 1 of")) << all();
  const auto magenta = std::count_if(log().fills.begin(), log().fills.end(),
                                     [](const auto& fill) { return fill.colour == kNotANumber; });
  EXPECT_EQ(magenta, 2) << "one in each picture";
  EXPECT_GE(log().hatches.size(), 2u);
  // Zero ends the line; it is no mark.
  for (const DrawLog::Curve& curve : log().curves)
    for (const float y : curve.ys) EXPECT_FALSE(std::isinf(y));
  EXPECT_EQ(curves(Dash::solid).back().axis.low, -30.0);
}

TEST_F(ReachDrawing, SaysThatNothingDependsOnAHead) {
  Snapshot s = with_reach(recall_scene(), 0, 1);
  ReachReport report = *s.reach;
  std::fill_n(report.memory.begin() + static_cast<std::ptrdiff_t>(report.tokens.size()),
              report.tokens.size(), -std::numeric_limits<double>::infinity());
  s.reach = std::make_shared<const ReachReport>(report);
  draw(s, 0, 1);
  EXPECT_TRUE(says("exactly 0 at T: the loss does not depend on head 1")) << all();
  EXPECT_FALSE(says("Going back from T"));
  for (const DrawLog::Fill& fill : log().fills) EXPECT_NE(fill.colour, kNotANumber);
}

TEST_F(ReachDrawing, AsksAgainWhereverSomethingHasChanged) {
  const auto sent = [&] { return stage->all<command::ComputeReach>(); };
  view->restore("follow");
  draw(recall_scene(), 0, 1);
  ASSERT_EQ(sent().size(), 1u) << "once, not in every frame";
  EXPECT_EQ(sent()[0].block, 0);
  EXPECT_EQ(sent()[0].head, 1);
  stage->focus.head = 2;
  again();
  ASSERT_EQ(sent().size(), 2u);
  EXPECT_EQ(sent()[1].head, 2);
  stage->focus.block = 1;
  again();
  ASSERT_EQ(sent().size(), 3u);
  EXPECT_EQ(sent()[2].block, 1);

  // What is known is not asked again; what is running is waited for.
  draw(with_reach(recall_scene(), 0, 1), 0, 1);
  EXPECT_TRUE(sent().empty());
  Snapshot running = recall_scene();
  running.reach_running = true;
  ++running.id;
  draw(running, 0, 1);
  EXPECT_TRUE(sent().empty());
  EXPECT_TRUE(says("Computing…"));
  // A refusal is an answer.
  Snapshot refused = with_reach(recall_scene(), 0, 1);
  ReachReport report = *refused.reach;
  report.failure = "This model is only read.";
  refused.reach = std::make_shared<const ReachReport>(report);
  refused.id += 2;
  draw(refused, 0, 1);
  EXPECT_TRUE(sent().empty());
  EXPECT_TRUE(says("This model is only read.")) << all();
  EXPECT_TRUE(log().curves.empty());
}

TEST_F(ReachDrawing, WantsToBeComputedOnceWhereThereIsNothing) {
  const Focus focus{.block = 1, .head = 2, .hovered = {}, .pinned = {}};
  const auto wanted = view->wants(recall_scene(), focus);
  ASSERT_TRUE(wanted);
  const auto* asked = std::get_if<command::ComputeReach>(&*wanted);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->block, 1);
  EXPECT_EQ(asked->head, 2);
  EXPECT_FALSE(view->wants(with_reach(recall_scene(), 0, 0), focus));
  EXPECT_FALSE(view->wants(Snapshot{}, focus));
}

TEST_F(ReachDrawing, AsksOnlyWhenPressedUnlessItFollows) {
  EXPECT_EQ(view->kept(), "ask");
  draw(recall_scene(), 0, 1);
  EXPECT_TRUE(stage->all<command::ComputeReach>().empty());
  EXPECT_TRUE(says("Press Compute to see it")) << all();
  const DrawLog::Text* button = text("Compute");
  ASSERT_TRUE(button);
  const ImVec2 at = button->box.centre();
  stage->click(*view, at.x, at.y);
  ASSERT_EQ(stage->all<command::ComputeReach>().size(), 1u);
  const DrawLog::Text* tick = text("follow the cursor");
  ASSERT_TRUE(tick);
  const ImVec2 there = tick->box.centre();
  stage->click(*view, there.x, there.y);
  EXPECT_EQ(view->kept(), "follow");
  view->restore("nonsense");
  EXPECT_EQ(view->kept(), "follow");
}

TEST_F(ReachDrawing, SaysWhatItIsOfWhereThatIsNotOnScreen) {
  Snapshot s = with_reach(recall_scene(), 0, 1);
  s.train.step += 40;
  draw(s, 0, 1);
  const DrawLog::Text* of = text("it is of the weights 40 training steps ago");
  ASSERT_TRUE(of) << all();
  EXPECT_EQ(of->colour, stage->scene().palette.warning);
  EXPECT_FALSE(curves(Dash::solid).empty());
  Snapshot moved = with_reach(recall_scene(), 0, 1);
  moved.sequence.cursor -= 3;
  draw(moved, 0, 1);
  EXPECT_TRUE(says("it is of step t = " + std::to_string(moved.reach->step))) << all();
  EXPECT_TRUE(says("T"));
  // Of another block, or of other tokens, nothing is drawn.
  draw(with_reach(recall_scene(), 0, 1), 1, 1);
  EXPECT_TRUE(says("What was computed last is of block 0")) << all();
  EXPECT_TRUE(log().curves.empty());
  Snapshot other = with_reach(recall_scene(), 0, 1);
  other.sequence.tokens[0] = (other.sequence.tokens[0] + 1) % 5;
  draw(other, 0, 1);
  EXPECT_TRUE(says("other tokens")) << all();
  EXPECT_TRUE(log().curves.empty());
}

TEST_F(ReachDrawing, TheCardHasTheNumbersAndADragMovesTheCursor) {
  draw(with_reach(recall_scene(), 0, 1), 0, 1);
  const DrawLog::Curve strong = curves(Dash::solid).back();
  const auto steps = static_cast<int>(scene.reach->tokens.size());
  const int t = steps - 3;
  stage->move(*view, strong.xs[static_cast<std::size_t>(t)], strong.box.centre().y);
  EXPECT_NE(card().find("t = " + std::to_string(t)), std::string::npos) << card();
  EXPECT_NE(card().find(short_number(std::exp(0.2) / 9.0) + " of that at T"), std::string::npos)
      << card();
  EXPECT_NE(card().find("product of forget gates: " + short_number(1.0 / 9.0)), std::string::npos)
      << card();
  EXPECT_NE(card().find("with all other ways " + short_number(std::exp(0.2)) + " times that"),
            std::string::npos)
      << card();
  ASSERT_TRUE(stage->focus.hovered);
  EXPECT_EQ(stage->focus.hovered->step, t);
  EXPECT_EQ(stage->focus.hovered->head, 1);
  EXPECT_EQ(stage->focus.hovered->path, scene.model->blocks[0].path("forget_gate_pre"));
  stage->button(*view, true);
  stage->button(*view, false);
  const auto moved = stage->all<command::SetCursor>();
  ASSERT_EQ(moved.size(), 1u);
  EXPECT_EQ(moved[0].step, t);
}

TEST_F(ReachDrawing, TheTableHasWhatIsDrawn) {
  scene = with_reach(recall_scene(), 0, 1);
  stage = std::make_unique<Stage>(scene);
  const Table table = view->table(stage->scene());
  const ReachReport& report = *scene.reach;
  const std::size_t steps = report.tokens.size(), heads = static_cast<std::size_t>(report.heads);
  ASSERT_EQ(table.rows.size(), steps * heads);
  EXPECT_EQ(table.columns.size(), table.titles.size());
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t h = 0; h < heads; ++h) {
      const auto& row = table.rows[t * heads + h];
      ASSERT_EQ(row.size(), table.columns.size());
      EXPECT_EQ(row[0], std::to_string(t));
      EXPECT_EQ(row[3], std::to_string(h));
      EXPECT_EQ(row[6], full_number(report.memory[h * steps + t]));
      EXPECT_EQ(row[7], full_number(report.output[h * steps + t]));
      EXPECT_EQ(row[8], h == 1 ? full_number(report.input[t]) : "");
      EXPECT_NEAR(std::stod(row[5]),
                  -static_cast<double>(steps - 1 - t) * std::log10(static_cast<double>(h) + 2.0),
                  1e-9);
    }
  }
  Scene few = stage->scene();
  few.most_rows = 2 * heads;
  const Table end = view->table(few);
  EXPECT_EQ(end.rows.size(), 2 * heads);
  EXPECT_EQ(end.rows.back()[0], std::to_string(report.step));
  EXPECT_FALSE(end.note.empty());
}

TEST_F(ReachDrawing, APictureToKeepHoldsNoButtonsAndAsksForNothing) {
  view->restore("follow");
  for (const bool known : {false, true}) {
    scene = known ? with_reach(recall_scene(), 0, 1) : recall_scene();
    stage = std::make_unique<Stage>(scene);
    stage->exporting = true;
    stage->size = {1000, 640};
    stage->focus.head = 1;
    again();
    EXPECT_TRUE(stage->all<command::ComputeReach>().empty());
    EXPECT_FALSE(text("Compute"));
    EXPECT_FALSE(text("follow"));
    EXPECT_EQ(known, !log().curves.empty());
  }
}

TEST_F(ReachDrawing, NothingIsCutAtAnySize) {
  for (const Snapshot& s : {with_reach(recall_scene(), 0, 1), with_odd_reach(recall_scene(), 0, 1),
                            with_reach(long_scene(), 0, 0)}) {
    for (const ImVec2 size : {ImVec2{320, 220}, {480, 300}, {700, 420}, {1280, 800}}) {
      draw(s, 0, 1, size);
      for (const DrawLog::Text& t : log().texts) {
        EXPECT_EQ(t.shown, t.wanted) << size.x << " x " << size.y;
        EXPECT_GE(t.box.min.x, -0.5f) << t.shown;
        EXPECT_LE(t.box.max.x, size.x + 0.5f) << t.shown;
      }
    }
  }
}

}  // namespace
}  // namespace xlab::tests
