// The gate explorer as it is drawn and used: every curve is that of the recordings, drawing and
// stories send what they should, and a file keeps what was chosen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "core/analysis/plain_course.hpp"
#include "core/explorer.hpp"
#include "core/run.hpp"
#include "tests/legibility.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// A story on the screen.
Snapshot story_scene(const std::string& name, int width = explorer::kWidth) {
  const auto& all = explorer::stories();
  const auto story =
      std::ranges::find_if(all, [&](const explorer::Story& s) { return s.name == name; });
  EXPECT_NE(story, all.end()) << name;
  const auto run =
      make_run(make_task(explorer::kTask), run_spec_from_json(explorer::spec_of_width(width)));
  for (const auto& [kind, variant] : explorer::variants_of(*story, run->model->cards()))
    run->model->set_variant(kind, variant);
  run->sequence->set_clamps(explorer::clamps_of(*story, run->model->cards()));
  run->sequence->compute_all();
  Snapshot snapshot;
  snapshot.id = 1;
  snapshot.run_id = 1;
  snapshot.model = model_card(*run);
  snapshot.data = data_card(*run);
  snapshot.trace = run->sequence->trace();
  snapshot.trace_id = 1;
  snapshot.sequence.tokens = run->sequence->tokens();
  snapshot.sequence.prompt_length = run->prompt_length;
  snapshot.sequence.cursor = 19;
  snapshot.sequence.clamps = run->sequence->clamps();
  return snapshot;
}

bool reads(const DrawLog& log, const std::string& words) {
  return std::ranges::any_of(log.texts, [&](const DrawLog::Text& text) {
    return text.shown.find(words) != std::string::npos;
  });
}

/// The words of the paragraph that a drawing has.
std::string all_words(const DrawLog& log) {
  std::string all;
  for (const DrawLog::Text& text : log.texts) all += text.shown + " ";
  return all;
}

ImVec2 place_of(const DrawLog& log, const std::string& words) {
  for (const DrawLog::Text& text : log.texts)
    if (text.shown == words) return text.box.centre();
  ADD_FAILURE() << "nothing says " << words;
  return {};
}

class ExplorerDrawing : public testing::Test {
 protected:
  void show(const Snapshot& snapshot, ImVec2 size = {1000, 660}) {
    snapshot_ = snapshot;
    stage = std::make_unique<Stage>(snapshot_);
    stage->size = size;
    stage->focus.block = 0;
    stage->frame(*view);
    stage->frame(*view);
  }
  const DrawLog& log() const { return stage->log; }
  bool has_curve(const std::vector<float>& values) const {
    return std::ranges::any_of(log().curves, [&](const DrawLog::Curve& curve) {
      return std::ranges::equal(curve.ys, values, [](float a, float b) {
        return a == b || (std::isnan(a) && std::isnan(b));
      });
    });
  }
  std::vector<float> recorded_curve(const std::string& path, int unit = 0) const {
    std::vector<float> values;
    for (int t = 0; t < snapshot_.trace->length(); ++t)
      values.push_back(snapshot_.trace->find(t, path)->at(0, unit));
    return values;
  }
  const DrawLog::Curve& curve_of(const std::vector<float>& values) const {
    for (const DrawLog::Curve& curve : log().curves)
      if (curve.ys == values) return curve;
    ADD_FAILURE() << "no such curve";
    return log().curves.front();
  }

  std::unique_ptr<View> view = make_explorer_view();
  std::unique_ptr<Stage> stage;
  Snapshot snapshot_;
};

TEST_F(ExplorerDrawing, SaysWhatItIsAndOpensItBesideAnotherRun) {
  show(recall_scene());
  EXPECT_THAT(all_words(log()), HasSubstr("one mLSTM head"));
  const ImVec2 at = place_of(log(), "Open the gate explorer");
  stage->click(*view, at.x, at.y);
  const auto opened = stage->all<command::NewRun>();
  ASSERT_THAT(opened, SizeIs(1));
  EXPECT_EQ(opened[0].task, explorer::kTask);
  EXPECT_TRUE(opened[0].beside);
  EXPECT_THAT(view->table(stage->scene()).rows, IsEmpty());
  show(Snapshot{});
  const ImVec2 again = place_of(log(), "Open the gate explorer");
  stage->click(*view, again.x, again.y);
  ASSERT_THAT(stage->all<command::NewRun>(), SizeIs(1));
  EXPECT_FALSE(stage->all<command::NewRun>()[0].beside) << "there is none to stand beside";
}

TEST_F(ExplorerDrawing, EveryCurveIsThatOfTheRecordings) {
  for (const char* story : {"slow leak", "change your mind", "overflow"}) {
    show(story_scene(story));
    const auto& blocks = snapshot_.model->blocks;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      stage->focus.block = static_cast<int>(b);
      stage->frame(*view);
      stage->frame(*view);
      for (const ValueCard& card : blocks[b].values->cards) {
        const bool drawn = card.clampable && card.role == Role::pre_activation;
        EXPECT_TRUE(!drawn || has_curve(recorded_curve(blocks[b].path(card.name))))
            << story << " " << blocks[b].path(card.name);
      }
      for (const BlockCard& block : blocks) {
        const PlainCourse course = plain_course(*snapshot_.trace, block, 0);
        std::vector<float> memory, divisor;
        const double largest = std::max(course.largest_memory(), course.largest_normalizer());
        const double unit = largest > 1e30 ? std::pow(10.0, std::floor(std::log10(largest))) : 1.0;
        for (int t = 0; t < course.steps(); ++t) {
          const auto at = static_cast<std::size_t>(t);
          memory.push_back(static_cast<float>(
              (block.has_matrix ? course.size(t) : course.memory[at][0]) / unit));
          if (!course.normalizer.empty())
            divisor.push_back(static_cast<float>(course.size_of_normalizer(t) / unit));
        }
        EXPECT_TRUE(has_curve(memory)) << story << " " << block.title;
        EXPECT_TRUE(divisor.empty() || has_curve(divisor)) << story << " " << block.title;
        EXPECT_TRUE(has_curve(recorded_curve(block.path("h")))) << story << " " << block.title;
      }
    }
  }
}

TEST_F(ExplorerDrawing, TheMemoryAtTheCursorIsThereAsItIs) {
  show(story_scene("two items", 3));
  const BlockCard& head = snapshot_.model->blocks[1];
  const PlainCourse course = plain_course(*snapshot_.trace, head, 0);
  for (const int step : {3, 4, 19}) {
    snapshot_.sequence.cursor = step;
    stage->frame(*view);
    bool found = false;
    for (const DrawLog::Heat& heat : log().heats) {
      if (heat.rows != 3 || heat.columns != 3) continue;
      found = true;
      for (std::size_t i = 0; i < heat.values.size(); ++i)
        EXPECT_EQ(heat.values[i],
                  static_cast<float>(course.memory[static_cast<std::size_t>(step)][i]));
      EXPECT_DOUBLE_EQ(heat.high, course.largest_memory()) << "colours stay from step to step";
    }
    EXPECT_TRUE(found);
    EXPECT_TRUE(reads(log(), "C at t = " + std::to_string(step)));
  }
}

TEST_F(ExplorerDrawing, ALargeNumberIsDrawnInPowersOfTen) {
  // With the stabilizer nothing overflows, however far it would without.
  const auto run = make_run(make_task(explorer::kTask));
  std::vector<Clamp> clamps = run->sequence->clamps();
  for (const Clamp& clamp : explorer::drawn_together(run->model->cards(), "input_gate_pre",
                                                     std::vector<float>(explorer::kSteps, 98.0f)))
    clamps.push_back(clamp);
  run->sequence->set_clamps(clamps);
  run->sequence->compute_all();
  Snapshot snapshot = story_scene("remember");
  snapshot.trace = run->sequence->trace();
  snapshot.sequence.clamps = clamps;
  show(snapshot);
  EXPECT_TRUE(reads(log(), "c · exp(m) / 1e")) << all_words(log());
  for (const DrawLog::Curve& curve : log().curves)
    EXPECT_TRUE(std::ranges::all_of(curve.ys, [](float y) { return std::isfinite(y); }));
  EXPECT_TRUE(log().hatches.empty());
  EXPECT_FALSE(reads(log(), "no number"));
}

TEST_F(ExplorerDrawing, SaysWhereAnswersEnd) {
  show(story_scene("overflow"));
  EXPECT_EQ(std::ranges::count_if(log().texts,
                                  [](const DrawLog::Text& text) {
                                    return text.shown == "no number from step 12 on" ||
                                           text.shown == "no number: 12";
                                  }),
            2)
      << "of the unit and of the head, not of the LSTM";
  show(story_scene("remember"));
  EXPECT_FALSE(reads(log(), "no number"));
}

TEST_F(ExplorerDrawing, AStoryIsOneClickAndItsSentenceIsThere) {
  show(story_scene("remember"));
  EXPECT_THAT(all_words(log()), HasSubstr("every cell still holds"));
  const ImVec2 at = place_of(log(), "Slow leak");
  stage->click(*view, at.x, at.y);
  const auto told = stage->all<command::HoldAll>();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].name, "story");
  EXPECT_EQ(told[0].about, "Slow leak");
  EXPECT_EQ(told[0].clamps, story_scene("slow leak").sequence.clamps);
  EXPECT_THAT(told[0].variants, SizeIs(3));
  // The one that is told is not told again.
  const ImVec2 now = place_of(log(), "Remember");
  stage->click(*view, now.x, now.y);
  EXPECT_THAT(stage->all<command::HoldAll>(), SizeIs(1));
  // What is drawn by hand is no story.
  Snapshot drawn = story_scene("remember");
  drawn.sequence.clamps.front().value += 1.0f;
  show(drawn);
  EXPECT_THAT(all_words(log()), HasSubstr("Drawn by hand"));
}

TEST_F(ExplorerDrawing, DrawingHoldsTheGateInAllCellsThatHaveIt) {
  show(story_scene("slow leak"));
  const BlockCard& unit = snapshot_.model->blocks[0];
  const DrawLog::Curve curve = curve_of(recorded_curve(unit.path("forget_gate_pre")));
  const float x = curve.xs[10], to = curve.xs[14];
  // Whole pixels, as a mouse has them.
  const float above = std::floor(curve.box.min.y + 10),
              below = std::floor(curve.box.centre().y - 8);
  stage->move(*view, x, above);
  EXPECT_EQ(stage->focus.hovered, (ValueRef{unit.path("forget_gate_pre"), 10, 0, 0}));
  stage->button(*view, true);
  stage->frame(*view);
  stage->move(*view, to, below);
  stage->button(*view, false);
  const auto held = stage->all<command::AddClamps>();
  ASSERT_THAT(held, SizeIs(testing::Ge(2u)));
  const command::AddClamps& last = held.back();
  ASSERT_THAT(last.clamps, SizeIs(3));
  for (std::size_t b = 0; b < 3; ++b) {
    EXPECT_EQ(last.clamps[b].path, snapshot_.model->blocks[b].path("forget_gate_pre"));
    EXPECT_EQ(last.clamps[b].curve, last.clamps[0].curve);
    ASSERT_THAT(last.clamps[b].curve, SizeIs(explorer::kSteps));
  }
  const std::vector<float>& drawn = last.clamps[0].curve;
  const double top = curve.axis.value(above, curve.box),
               bottom = curve.axis.value(below, curve.box);
  EXPECT_NEAR(drawn[10], top, 0.006);
  EXPECT_NEAR(drawn[12], (top + bottom) / 2, 0.011) << "on the line between";
  EXPECT_NEAR(drawn[14], bottom, 0.006);
  EXPECT_EQ(drawn[9], 3.0f) << "elsewhere it stays";
  EXPECT_EQ(drawn[15], 3.0f);
  // They stand where the story holds them, so that they take its place.
  for (const Clamp& clamp : last.clamps)
    EXPECT_TRUE(std::ranges::any_of(snapshot_.sequence.clamps, [&](const Clamp& c) {
      return c.path == clamp.path && c.head == clamp.head && c.unit == clamp.unit &&
             c.begin == clamp.begin && c.end == clamp.end;
    })) << clamp.path;
}

TEST_F(ExplorerDrawing, DrawingBeyondTheEdgeGoesOn) {
  show(story_scene("slow leak"));
  const DrawLog::Curve curve =
      curve_of(recorded_curve(snapshot_.model->blocks[0].path("forget_gate_pre")));
  stage->move(*view, curve.xs[3], curve.box.centre().y);
  stage->button(*view, true);
  stage->move(*view, curve.xs[3], curve.box.min.y - 30);
  stage->button(*view, false);
  const auto held = stage->all<command::AddClamps>();
  ASSERT_FALSE(held.empty());
  EXPECT_GT(held.back().clamps[0].curve[3], curve.axis.high);
}

TEST_F(ExplorerDrawing, AloneItIsDrawnInOneCell) {
  show(story_scene("slow leak"));
  const ImVec2 tick = place_of(log(), "same gates for all cells");
  stage->click(*view, tick.x, tick.y);
  EXPECT_EQ(view->kept(), "alone 0 0");
  const DrawLog::Curve curve =
      curve_of(recorded_curve(snapshot_.model->blocks[0].path("forget_gate_pre")));
  stage->click(*view, curve.xs[3], curve.box.min.y + 12);
  const auto held = stage->all<command::AddClamps>();
  ASSERT_FALSE(held.empty());
  ASSERT_THAT(held.back().clamps, SizeIs(1));
  EXPECT_EQ(held.back().clamps[0].path, snapshot_.model->blocks[0].path("forget_gate_pre"));
}

TEST_F(ExplorerDrawing, OneNumberOfAVectorIsDrawn) {
  show(story_scene("two items", 3));
  const BlockCard& head = snapshot_.model->blocks[1];
  const ImVec2 column = place_of(log(), "mLSTM: one head, 3 × 3");
  stage->click(*view, column.x, column.y);
  EXPECT_EQ(stage->focus.block, 1);
  for (const auto& [kept, name, number] :
       {std::tuple{"together 0 1", "q", 1}, {"together 1 0", "k", 0}, {"together 2 2", "v", 2}}) {
    view->restore(kept);
    stage->frame(*view);
    stage->frame(*view);
    const auto values = recorded_curve(head.path(name), number);
    EXPECT_TRUE(has_curve(values)) << name;
    const DrawLog::Curve curve = curve_of(values);
    stage->sent.clear();
    stage->click(*view, curve.xs[8], curve.box.centre().y);
    const auto held = stage->all<command::AddClamps>();
    ASSERT_FALSE(held.empty()) << name;
    ASSERT_THAT(held.back().clamps, SizeIs(1)) << "of this number alone";
    EXPECT_EQ(held.back().clamps[0].path, head.path(name));
    EXPECT_EQ(held.back().clamps[0].unit, number);
  }
}

TEST_F(ExplorerDrawing, AnotherWidthIsAnotherRunInItsPlace) {
  show(story_scene("remember"));
  const ImVec2 at = place_of(log(), "8");
  stage->click(*view, at.x, at.y);
  const auto wanted = stage->all<command::NewRun>();
  ASSERT_THAT(wanted, SizeIs(1));
  EXPECT_FALSE(wanted[0].beside);
  EXPECT_EQ(wanted[0].spec_json, explorer::spec_of_width(8));
}

TEST_F(ExplorerDrawing, AnotherNumberOfStepsIsOneEdit) {
  show(story_scene("remember"));
  const ImVec2 at = place_of(log(), "64");
  stage->click(*view, at.x, at.y);
  const auto wanted = stage->all<command::HoldAll>();
  ASSERT_THAT(wanted, SizeIs(1));
  EXPECT_THAT(wanted[0].tokens, SizeIs(64));
  EXPECT_THAT(wanted[0].variants, IsEmpty());
  EXPECT_EQ(wanted[0].clamps, explorer::over_all(snapshot_.sequence.clamps, 64).clamps);
}

TEST_F(ExplorerDrawing, TheCursorIsDraggedAndAnswersArePinned) {
  show(story_scene("slow leak"));
  const BlockCard& unit = snapshot_.model->blocks[0];
  const DrawLog::Curve curve = curve_of(recorded_curve(unit.path("h")));
  stage->click(*view, curve.xs[7], curve.box.centre().y);
  ASSERT_THAT(stage->all<command::SetCursor>(), SizeIs(testing::Ge(1u)));
  EXPECT_EQ(stage->all<command::SetCursor>().back().step, 7);
  EXPECT_EQ(stage->focus.pinned, (ValueRef{unit.path("h"), 7, 0, 0}));
  stage->move(*view, curve.xs[9], curve.box.centre().y);
  EXPECT_TRUE(reads(log(), "t = 9"));
  EXPECT_TRUE(
      reads(log(), "h = " + short_number(static_cast<double>(recorded_curve(unit.path("h"))[9]))));
}

TEST_F(ExplorerDrawing, TheTableHoldsTheSameNumbers) {
  show(story_scene("slow leak"));
  const Table table = view->table(stage->scene());
  ASSERT_THAT(table.rows, SizeIs(3 * explorer::kSteps));
  ASSERT_THAT(table.columns, SizeIs(10));
  const auto& row = table.rows[3 * 9 + 2];
  const BlockCard& classic = snapshot_.model->blocks[2];
  const PlainCourse course = plain_course(*snapshot_.trace, classic, 0);
  EXPECT_THAT(row, ElementsAre("9", "2", "LSTM", full_number(-15.0f), "3", "0", "15",
                               full_number(course.memory[9][0]), "",
                               full_number(static_cast<float>(course.output[9][0]))));
  const auto& of_head = table.rows[3 * 9 + 1];
  EXPECT_EQ(of_head[5], "") << "a head has no cell input";
  EXPECT_EQ(of_head[7],
            full_number(plain_course(*snapshot_.trace, snapshot_.model->blocks[1], 0).size(9)));
}

TEST_F(ExplorerDrawing, WhatWasChosenIsKeptAndNonsenseIsNot) {
  EXPECT_EQ(view->kept(), "together 0 0");
  view->restore("alone 2 11");
  EXPECT_EQ(view->kept(), "alone 2 11");
  for (const char* nonsense : {"", "alone", "alone 2", "both 1 1", "alone x 1", "alone 1 -1",
                               "alone 1 100", "alone  1", "together 1 1 1"}) {
    view->restore(nonsense);
    EXPECT_EQ(view->kept(), "alone 2 11") << nonsense;
  }
  show(story_scene("remember", 2));
  EXPECT_TRUE(stage->finite()) << "a number that this width has not";
}

TEST_F(ExplorerDrawing, IsLegibleAtEverySize) {
  for (const char* story : {"remember", "overflow", "saturation"}) {
    const Snapshot snapshot = story_scene(story, std::string(story) == "remember" ? 16 : 4);
    Stage small(snapshot);
    for (const ImVec2 size : {ImVec2{160, 120},
                              {240, 160},
                              {320, 240},
                              {430, 200},
                              {300, 520},
                              {640, 150},
                              {640, 400},
                              {900, 520},
                              {1000, 660},
                              {1500, 900}}) {
      for (const float scale : {1.0f, 1.5f, 2.5f}) {
        for (const int block : {0, 1, 2}) {
          small.size = size;
          small.scale = scale;
          small.focus.block = block;
          small.frame(*view);
          small.frame(*view);
          EXPECT_TRUE(small.finite());
          for (const std::string& found : stumbles(small.log))
            ADD_FAILURE() << story << ", block " << block << ", " << size.x << " x " << size.y
                          << " at " << scale << ": " << found;
        }
      }
    }
    EXPECT_EQ(small.images.wrong, 0);
    EXPECT_TRUE(small.sent.empty());
  }
}

TEST_F(ExplorerDrawing, APictureToKeepHasNothingToPress) {
  show(story_scene("slow leak"));
  stage->exporting = true;
  stage->frame(*view);
  EXPECT_TRUE(reads(log(), "Story: Slow leak"));
  EXPECT_FALSE(reads(log(), "Change your mind"));
  EXPECT_FALSE(reads(log(), "same gates"));
  EXPECT_FALSE(reads(log(), "all steps:"));
}

}  // namespace
}  // namespace xlab::tests
