// The gate explorer: what its stories say is what its cells compute; it is one run like any other.
#include "core/explorer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/plain_course.hpp"
#include "core/engine/engine.hpp"
#include "core/run.hpp"
#include "tests/complaint.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using explorer::Story;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::size_t kUnit = 0, kHead = 1, kClassic = 2;  // the blocks, in their order

const Story& story_named(const std::string& name) {
  const auto found =
      std::ranges::find_if(explorer::stories(), [&](const Story& s) { return s.name == name; });
  EXPECT_NE(found, explorer::stories().end()) << name;
  return *found;
}

/// A story as the cells compute it.
struct ToldStory {
  explicit ToldStory(const std::string& name, int width = explorer::kWidth)
      : story(story_named(name)),
        run(make_run(make_task(explorer::kTask),
                     run_spec_from_json(explorer::spec_of_width(width)))) {
    for (const auto& [kind, variant] : explorer::variants_of(story, run->model->cards()))
      run->model->set_variant(kind, variant);
    run->sequence->set_clamps(explorer::clamps_of(story, run->model->cards()));
    run->sequence->compute_all();
    trace = run->sequence->trace();
    cards = run->model->cards();
    for (const BlockCard& card : cards) courses.push_back(plain_course(*trace, card, 0));
  }
  /// What a cell answers; of the head the first number.
  double answer(std::size_t block, int step) const {
    return courses[block].output[static_cast<std::size_t>(step)][0];
  }
  double memory(std::size_t block, int step) const {
    return courses[block].memory[static_cast<std::size_t>(step)][0];
  }
  double pre(std::size_t block, const char* name, int step) const {
    return static_cast<double>(trace->find(step, cards[block].path(name))->at(0, 0));
  }
  const Story& story;
  std::unique_ptr<Run> run;
  std::shared_ptr<const Trace> trace;
  std::vector<BlockCard> cards;
  std::vector<PlainCourse> courses;
};

constexpr int kLast = explorer::kSteps - 1;
constexpr double kClose = 2e-5;  // float32, and the eps of the head

double sigmoid_of(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

TEST(Explorer, HasOneUnitOneHeadAndAClassicUnit) {
  for (const int width : {explorer::kNarrowest, explorer::kWidth, explorer::kWidest}) {
    const ToldStory told("remember", width);
    ASSERT_EQ(told.cards.size(), 3u);
    EXPECT_EQ(told.cards[kUnit].title, "sLSTM");
    EXPECT_EQ(told.cards[kHead].title, "mLSTM");
    EXPECT_EQ(told.cards[kClassic].title, "LSTM");
    EXPECT_EQ(told.cards[kUnit].value_dim, 1);
    EXPECT_EQ(told.cards[kClassic].value_dim, 1);
    EXPECT_EQ(told.cards[kHead].heads, 1);
    EXPECT_EQ(told.cards[kHead].key_dim, width);
    EXPECT_EQ(told.cards[kHead].value_dim, width);
    EXPECT_EQ(explorer::width_of(told.cards), width);
  }
  EXPECT_THAT(complaint([] { explorer::spec_of_width(1); }), HasSubstr("2 to 16 wide, not 1"));
  EXPECT_THAT(complaint([] { explorer::spec_of_width(17); }), HasSubstr("not 17"));
}

TEST(Explorer, EveryGateIsThatOfTheStoryInEveryCell) {
  for (const Story& story : explorer::stories()) {
    const ToldStory told(story.name, 3);
    ASSERT_THAT(told.courses, Each(testing::Property(&PlainCourse::steps, explorer::kSteps)));
    for (std::size_t block = 0; block < told.cards.size(); ++block) {
      for (const ValueCard& card : told.cards[block].values->cards) {
        const std::vector<float>* curve = explorer::curve_of(story, card.name);
        if (!curve) continue;
        for (int step = 0; step < explorer::kSteps; ++step)
          EXPECT_NEAR(told.trace->find(step, told.cards[block].path(card.name))->at(0, 0),
                      (*curve)[static_cast<std::size_t>(step)],
                      story.format == NumberFormat::fp16 ? 0.01f : 0.0f)
              << story.name << " " << card.name << " " << step;
      }
    }
  }
}

TEST(Explorer, NoWeightDecidesAnything) {
  ToldStory told("change your mind");
  told.run->model->params().initialise(77);
  told.run->sequence->invalidate();
  told.run->sequence->compute_all();
  const auto again = told.run->sequence->trace();
  for (std::size_t block = 0; block < told.cards.size(); ++block) {
    const PlainCourse course = plain_course(*again, told.cards[block], 0);
    EXPECT_EQ(course.memory, told.courses[block].memory);
    EXPECT_EQ(course.output, told.courses[block].output);
  }
}

TEST(ExplorerStories, Remember) {
  const ToldStory told("remember");
  EXPECT_NEAR(told.answer(kUnit, kLast), 0.8, kClose);
  EXPECT_NEAR(told.answer(kHead, kLast), 0.8, kClose);
  const double written = sigmoid_of(3.0) * 0.8;
  EXPECT_NEAR(told.memory(kClassic, 5), written, kClose);
  EXPECT_NEAR(told.memory(kClassic, kLast), written * std::pow(sigmoid_of(8.0), 18), kClose);
  EXPECT_GT(told.memory(kClassic, kLast), 0.99 * written);
  for (const std::size_t block : {kUnit, kHead, kClassic})
    for (int step = 0; step < 5; ++step) EXPECT_NEAR(told.answer(block, step), 0.0, 1e-6);
}

TEST(ExplorerStories, Overwrite) {
  const ToldStory told("overwrite");
  for (const std::size_t block : {kUnit, kHead}) {
    EXPECT_NEAR(told.answer(block, 11), 0.8, kClose);
    for (int step = 12; step <= kLast; ++step) EXPECT_NEAR(told.answer(block, step), -0.5, kClose);
  }
  EXPECT_NEAR(told.memory(kClassic, 11), sigmoid_of(3.0) * 0.8, kClose);
  EXPECT_NEAR(told.memory(kClassic, kLast), sigmoid_of(3.0) * -0.5, kClose);
}

TEST(ExplorerStories, SlowLeak) {
  const ToldStory told("slow leak");
  for (const std::size_t block : {kUnit, kHead, kClassic})
    EXPECT_NEAR(half_life_between(told.memory(block, 5), told.memory(block, 19), 14), 14.27, 0.01);
  EXPECT_NEAR(told.memory(kUnit, 5), 0.8 * std::exp(3.0), 1e-4);
  for (const std::size_t block : {kUnit, kHead})
    for (int step = 5; step <= kLast; ++step) EXPECT_NEAR(told.answer(block, step), 0.8, kClose);
  EXPECT_LT(told.answer(kClassic, kLast), 0.6 * told.answer(kClassic, 5));
}

TEST(ExplorerStories, Diluted) {
  const ToldStory told("diluted");
  for (const std::size_t block : {kUnit, kHead}) {
    EXPECT_NEAR(told.answer(block, 5) / 0.8, 0.188, 5e-4);
    EXPECT_NEAR(told.answer(block, 19) / 0.8, 0.039, 5e-4);
  }
}

TEST(ExplorerStories, ChangeYourMind) {
  const ToldStory told("change your mind");
  const double share = 1.0 / (1.0 + std::exp(-4.6));
  EXPECT_NEAR(share, 0.99, 1e-3);
  for (const std::size_t block : {kUnit, kHead}) {
    EXPECT_NEAR(told.answer(block, 11), 0.8, kClose);
    EXPECT_NEAR(told.answer(block, kLast), 0.8 * (1.0 - share) - 0.8 * share, kClose);
  }
  EXPECT_NEAR(told.memory(kClassic, kLast), 0.8 * sigmoid_of(3.0) - 0.8 * sigmoid_of(7.6), kClose);
  EXPECT_LT(std::abs(told.memory(kClassic, kLast)), 0.04);
}

TEST(ExplorerStories, Saturation) {
  const ToldStory told("saturation");
  for (int write = 1; write < 6; ++write) {
    const int step = 2 + 4 * write;
    const double change = told.memory(kClassic, step) - told.memory(kClassic, step - 1);
    EXPECT_NEAR(std::abs(change), 0.8 * sigmoid_of(2.0 * write), kClose);
    // The share of the newest: what it moved the average by, of how far that could go.
    const double target = write % 2 == 0 ? 0.8 : -0.8;
    const double before = told.answer(kUnit, step - 1), after = told.answer(kUnit, step);
    const double share = (after - before) / (target - before);
    double weights = 0.0;
    for (int other = 0; other <= write; ++other) weights += std::exp(2.0 * (other - write));
    EXPECT_NEAR(share, 1.0 / weights, 1e-4);
    if (write >= 3) {
      EXPECT_NEAR(share, 0.86, 6e-3);
    }
    EXPECT_NEAR(told.answer(kHead, step), after, kClose);
  }
  const double last = told.memory(kClassic, 22) - told.memory(kClassic, 21);
  EXPECT_NEAR(last, -0.8, 1e-4);
}

TEST(ExplorerStories, TwoItems) {
  for (const int width : {2, 4, 16}) {
    const ToldStory told("two items", width);
    for (int step = 15; step < 19; ++step) EXPECT_NEAR(told.answer(kHead, step), 0.8, kClose);
    for (int step = 19; step <= kLast; ++step) EXPECT_NEAR(told.answer(kHead, step), -0.5, kClose);
    EXPECT_NEAR(told.answer(kUnit, kLast), 0.15, kClose);  // equal weights: the mean
    // The rows of two keys are filled, and nothing else.
    const std::vector<double>& C = told.courses[kHead].memory.back();
    for (int key = 0; key < width; ++key)
      for (int value = 0; value < width; ++value)
        EXPECT_EQ(std::abs(C[static_cast<std::size_t>(key * width + value)]) > 1e-3, key < 2);
  }
}

int first_that_is_none(const ToldStory& told, std::size_t block) {
  for (int step = 0; step < explorer::kSteps; ++step)
    if (!std::isfinite(told.answer(block, step))) return step;
  return -1;
}

TEST(ExplorerStories, Overflow) {
  struct Case {
    const char* story;
    double last_finite, first_none;
    double close;
  };
  for (const Case& c :
       {Case{"overflow", 88.7, 88.8, 1e-4}, {"overflow in fp16", 11.0, 11.1, 2e-3}}) {
    const ToldStory told(c.story);
    for (const std::size_t block : {kUnit, kHead}) {
      EXPECT_EQ(first_that_is_none(told, block), 12) << c.story << block;
      EXPECT_NEAR(told.pre(block, "input_gate_pre", 11), c.last_finite, c.close);
      EXPECT_NEAR(told.pre(block, "input_gate_pre", 12), c.first_none, c.close);
      for (int step = 0; step < 12; ++step)
        EXPECT_NEAR(told.answer(block, step), 0.8, c.close) << c.story << block << step;
      for (int step = 12; step <= kLast; ++step)
        EXPECT_TRUE(std::isnan(told.answer(block, step))) << c.story << block << step;
      EXPECT_FALSE(told.cards[block].variant.stabilizer);
    }
    EXPECT_EQ(first_that_is_none(told, kClassic), -1);
    EXPECT_NEAR(told.memory(kClassic, kLast), 0.8, c.close);
  }
}

TEST(ExplorerStories, SayWhatIsComputed) {
  EXPECT_THAT(explorer::stories(), SizeIs(testing::Ge(8u)));
  for (const Story& story : explorer::stories()) {
    for (const auto* curve : {&story.i, &story.f, &story.z, &story.o})
      EXPECT_THAT(*curve, SizeIs(explorer::kSteps)) << story.name;
    EXPECT_THAT(story.item, SizeIs(explorer::kSteps));
    EXPECT_THAT(story.asked, SizeIs(explorer::kSteps));
    EXPECT_THAT(story.look, testing::EndsWith("."));
  }
  EXPECT_THAT(story_named("slow leak").look, HasSubstr("14.3"));
  EXPECT_NEAR(std::log(0.5) / std::log(sigmoid_of(3.0)), 14.3, 0.05);
}

/// The explorer in the engine, as the window has it.
class ExplorerRuns : public testing::Test {
 protected:
  using SnapshotPtr = std::shared_ptr<const Snapshot>;
  ExplorerRuns() : engine_([] {}, "cpu", {.root = folder_ / "kept"}) {}

  template <typename... Commands>
  SnapshotPtr after(Commands... commands) {
    (engine_.send(std::move(commands)), ...);
    engine_.flush();
    return engine_.snapshot();
  }
  SnapshotPtr open() { return after(command::NewRun{.task = explorer::kTask, .spec_json = {}}); }
  SnapshotPtr tell(const std::string& name, const Snapshot& now) {
    return after(explorer::tell(story_named(name), now.model->blocks));
  }
  static std::string told(const Snapshot& now) {
    const Story* story = explorer::told_by(now.sequence.clamps, now.model->blocks);
    return story ? story->name : "";
  }
  static std::vector<std::vector<std::vector<double>>> outputs(const Snapshot& now) {
    std::vector<std::vector<std::vector<double>>> all;
    for (const BlockCard& block : now.model->blocks)
      all.push_back(plain_course(*now.trace, block, 0).output);
    return all;
  }

  TemporaryFolder folder_;
  Engine engine_;
};

TEST_F(ExplorerRuns, OpenWithTheFirstStoryAndAreNotTrained) {
  const auto now = open();
  EXPECT_EQ(now->failure.what, "");
  EXPECT_EQ(told(*now), explorer::stories().front().name);
  EXPECT_EQ(now->sequence.tokens.size(), static_cast<std::size_t>(explorer::kSteps));
  EXPECT_EQ(now->sequence.cursor, kLast);
  EXPECT_THAT(now->train.cannot_train, AllOf(HasSubstr("not trained"), HasSubstr("held by hand")));
  EXPECT_THAT(now->sequence.cannot_sample, Not(IsEmpty()));
  EXPECT_EQ(now->cannot_save, "");
  EXPECT_THAT(after(command::TrainOneStep{})->failure.what, HasSubstr("held by hand"));
  EXPECT_THAT(after(command::RestartRun{})->failure.what, HasSubstr("held by hand"));
}

TEST_F(ExplorerRuns, AStoryIsOneEditWithItsEquations) {
  const auto first = open();
  const auto second = tell("overflow", *first);
  EXPECT_EQ(told(*second), "overflow");
  EXPECT_EQ(second->undo_label, "Undo story");
  ASSERT_TRUE(second->history);
  EXPECT_EQ(second->history->past.back().about, "Overflow");
  EXPECT_FALSE(second->model->blocks[kUnit].variant.stabilizer);
  const auto third = tell("slow leak", *second);
  EXPECT_EQ(told(*third), "slow leak");
  EXPECT_TRUE(third->model->blocks[kUnit].variant.stabilizer);
  const auto back = after(command::Undo{});
  EXPECT_EQ(told(*back), "overflow");
  EXPECT_TRUE(std::isnan(outputs(*back)[kUnit].back()[0]));
  EXPECT_EQ(told(*after(command::Undo{})), "remember");
  EXPECT_EQ(outputs(*engine_.snapshot()), outputs(*first));
  EXPECT_EQ(told(*after(command::Redo{}, command::Redo{})), "slow leak");
  EXPECT_EQ(outputs(*engine_.snapshot()), outputs(*third));
}

TEST_F(ExplorerRuns, AStoryTakesTheStepsThatItNeeds) {
  const auto first = open();
  const auto shorter = after(command::SetPrompt{"0 1 2"});
  ASSERT_EQ(shorter->sequence.tokens.size(), 3u);
  const auto again = tell("two items", *shorter);
  EXPECT_EQ(again->sequence.tokens, first->sequence.tokens);
  EXPECT_EQ(after(command::Undo{})->sequence.tokens, shorter->sequence.tokens);
  EXPECT_EQ(told(*engine_.snapshot()), "remember");
}

TEST_F(ExplorerRuns, MoreStepsGoOnAsTheLastOneAndFewerAreCut) {
  const auto first = tell("slow leak", *open());
  const auto longer = after(explorer::over_all(first->sequence.clamps, explorer::kMostSteps));
  ASSERT_EQ(longer->failure.what, "");
  ASSERT_EQ(longer->trace->length(), explorer::kMostSteps);
  EXPECT_EQ(longer->undo_label, "Undo number of steps");
  for (const BlockCard& block : longer->model->blocks) {
    const std::string path = block.path("input_gate_pre");
    EXPECT_EQ(longer->trace->find(63, path)->at(0, 0), explorer::kShut);
    EXPECT_EQ(longer->trace->find(5, path)->at(0, 0), 3.0f);
  }
  // Nothing but time has passed: the leak goes on.
  const PlainCourse unit = plain_course(*longer->trace, longer->model->blocks[kUnit], 0);
  EXPECT_NEAR(half_life_between(unit.memory[5][0], unit.memory[63][0], 58), 14.27, 0.01);
  const auto shorter = after(explorer::over_all(longer->sequence.clamps, 8));
  EXPECT_EQ(shorter->trace->length(), 8);
  EXPECT_EQ(outputs(*shorter)[kUnit][7], outputs(*first)[kUnit][7]);
  EXPECT_EQ(after(command::Undo{}, command::Undo{})->sequence.clamps, first->sequence.clamps);
  EXPECT_THAT(complaint([&] { explorer::over_all({}, 65); }), HasSubstr("not 65"));
  EXPECT_THAT(complaint([&] { explorer::over_all({}, 0); }), HasSubstr("not 0"));
}

TEST_F(ExplorerRuns, WhatIsRefusedChangesNothing) {
  const auto first = open();
  command::HoldAll wrong = explorer::tell(story_named("overflow"), first->model->blocks);
  wrong.variants.push_back({.kind = "no such cell", .variant = {}});
  const auto now = after(wrong);
  EXPECT_THAT(now->failure.what, HasSubstr("no such cell"));
  EXPECT_EQ(told(*now), "remember");
  EXPECT_EQ(now->undo_label, first->undo_label);
  // Nor are other equations there that nobody was told of.
  tell("slow leak", *now);
  EXPECT_EQ(told(*after(command::Undo{})), "remember");
  wrong.variants.clear();
  wrong.tokens = {explorer::kMostSteps};
  EXPECT_THAT(after(wrong)->failure.what, HasSubstr("64"));
  EXPECT_EQ(told(*engine_.snapshot()), "remember");
  // Where weights would have to come back with the equations, it is no single edit.
  const auto other = after(command::NewRun{.task = "recall", .spec_json = {}});
  wrong.tokens.clear();
  EXPECT_THAT(after(wrong)->failure.what, HasSubstr("not trained"));
  EXPECT_EQ(engine_.snapshot()->sequence.clamps, other->sequence.clamps);
}

TEST_F(ExplorerRuns, ADragInAllCellsIsOneEdit) {
  const auto first = open();
  std::vector<float> curve(explorer::kSteps, 1.0f);
  for (const float value : {1.0f, 2.0f, 2.5f}) {
    curve[3] = value;
    after(command::AddClamps{
        explorer::drawn_together(first->model->blocks, "forget_gate_pre", curve), "drawing"});
  }
  const auto now = engine_.snapshot();
  EXPECT_EQ(now->history->past.size(), first->history ? first->history->past.size() + 1 : 1u);
  EXPECT_EQ(now->sequence.clamps.size(), first->sequence.clamps.size());
  for (const BlockCard& block : now->model->blocks) {
    const std::string path = block.path("forget_gate_pre");
    EXPECT_EQ(now->trace->find(3, path)->at(0, 0), 2.5f);
    EXPECT_EQ(now->trace->find(4, path)->at(0, 0), 1.0f);
  }
  // Something else at once is another one.
  after(command::AddClamps{explorer::drawn_together(first->model->blocks, "input_gate_pre", curve),
                           "drawing"});
  EXPECT_EQ(engine_.snapshot()->history->past.size(), now->history->past.size() + 1);
  after(command::Undo{});
  EXPECT_EQ(after(command::Undo{})->sequence.clamps, first->sequence.clamps);
  EXPECT_EQ(told(*engine_.snapshot()), "remember");
}

TEST_F(ExplorerRuns, AreSavedAndOpenedAgainWithEveryNumberAndWhatCanBeUndone) {
  const auto first = open();
  const auto saved = tell("overflow in fp16", *first);
  const auto path = folder_ / "explorer.xlab";
  EXPECT_EQ(after(command::Save{path})->failure.what, "");
  const auto other = after(command::NewRun{.task = "parity", .spec_json = {}});
  ASSERT_EQ(other->data->task, "parity");
  const auto again = after(command::OpenRun{.path = path, .bytes = {}});
  ASSERT_EQ(again->failure.what, "");
  EXPECT_EQ(again->data->task, explorer::kTask);
  EXPECT_EQ(told(*again), "overflow in fp16");
  EXPECT_EQ(again->sequence.clamps, saved->sequence.clamps);
  for (std::size_t block = 0; block < again->model->blocks.size(); ++block)
    EXPECT_EQ(again->model->blocks[block].variant, saved->model->blocks[block].variant);
  for (int step = 0; step < again->trace->length(); ++step)
    for (const auto& [name, value] : saved->trace->steps[static_cast<std::size_t>(step)]->values)
      for (std::size_t i = 0; i < value.values.size(); ++i) {
        const float a = value.values[i], b = again->trace->find(step, name)->values[i];
        EXPECT_TRUE(a == b || (std::isnan(a) && std::isnan(b))) << name << " " << step;
      }
}

TEST_F(ExplorerRuns, TheFileOfAnExplorerKnowsWhatCanBeUndone) {
  const auto first = open();
  tell("overflow", *first);
  const auto path = folder_ / "explorer.xlab";
  after(command::Save{path});
  Engine other([] {}, "cpu", {.root = folder_ / "other"});
  other.send(command::OpenRun{.path = path, .bytes = {}});
  other.flush();
  EXPECT_EQ(other.snapshot()->undo_label, "Undo story");
  other.send(command::Undo{});
  other.flush();
  EXPECT_EQ(told(*other.snapshot()), "remember");
  EXPECT_TRUE(other.snapshot()->model->blocks[kUnit].variant.stabilizer);
  EXPECT_EQ(outputs(*other.snapshot()), outputs(*first));
}

TEST_F(ExplorerRuns, AnotherWidthGoesOnWithWhatIsDrawn) {
  const auto first = open();
  tell("two items", *first);
  after(command::SetCursor{7});
  const auto wide =
      after(command::NewRun{.task = explorer::kTask, .spec_json = explorer::spec_of_width(12)});
  ASSERT_EQ(wide->failure.what, "");
  EXPECT_EQ(explorer::width_of(wide->model->blocks), 12);
  EXPECT_EQ(told(*wide), "two items");
  EXPECT_EQ(wide->sequence.cursor, 7);
  std::vector<float> curve(explorer::kSteps, 0.5f);
  const auto drawn = after(command::AddClamps{
      explorer::drawn_together(wide->model->blocks, "forget_gate_pre", curve), "drawing"});
  EXPECT_EQ(told(*drawn), "");
  const auto narrow =
      after(command::NewRun{.task = explorer::kTask, .spec_json = explorer::spec_of_width(2)});
  EXPECT_EQ(explorer::width_of(narrow->model->blocks), 2);
  for (const BlockCard& block : narrow->model->blocks)
    EXPECT_EQ(narrow->trace->find(7, block.path("forget_gate_pre"))->at(0, 0), 0.5f);
  // What a key of another width would need is not held in this one.
  for (const Clamp& clamp : narrow->sequence.clamps) EXPECT_LT(clamp.unit, 2);
  EXPECT_EQ(explorer::width_of(after(command::Undo{})->model->blocks), 12);
  EXPECT_EQ(engine_.snapshot()->sequence.clamps, drawn->sequence.clamps);
}

TEST(ExplorerSpecs, OtherMemoriesStandBesideTheSlstmInOneModel) {
  const auto read = [](const std::string& others) {
    return model_spec_from_json(
        R"({"vocab_size": 4, "embedding_dim": 8, "num_blocks": 3, "slstm_at": [0, 2],)"
        R"( "mlstm_block": {"mlstm": {"num_heads": 1, "round_proj_up_to_multiple_of": 4}},)"
        R"( "slstm_block": {"feedforward": null, "slstm": {"num_heads": 2, "stabilizer": false,)"
        R"( "others": )" +
        others + "}}}");
  };
  const ModelSpec spec = read(R"([{"function": "lstm", "blocks": [2], "number_format": "fp16"}])");
  EXPECT_EQ(to_json(model_spec_from_json(to_json(spec))), to_json(spec));
  EXPECT_THAT(keys_of_our_own(spec), testing::Contains("others"));
  EXPECT_EQ(title_of(spec), "xLSTM [1:2], with 1 LSTM");
  const auto cards = Model(spec).cards();
  EXPECT_EQ(cards[0].title, "sLSTM");
  EXPECT_FALSE(cards[0].variant.stabilizer);
  EXPECT_EQ(cards[2].title, "LSTM");
  EXPECT_TRUE(cards[2].variant.stabilizer);
  EXPECT_EQ(cards[2].variant.number_format, NumberFormat::fp16);
  const auto refusal = [&](const std::string& others) {
    return complaint([&] { validate(read(others)); });
  };
  EXPECT_THAT(refusal(R"({"function": "lstm"})"), HasSubstr("'others' must be a list"));
  EXPECT_THAT(refusal(R"([3])"), HasSubstr("must hold entries"));
  EXPECT_THAT(refusal(R"([{"function": "gru", "blocks": [2]}])"), HasSubstr("no function"));
  EXPECT_THAT(refusal(R"([{"function": "lstm"}])"), HasSubstr("list of block numbers"));
  EXPECT_THAT(refusal(R"([{"function": "lstm", "blocks": [-1]}])"), HasSubstr("-1"));
  EXPECT_THAT(refusal(R"([{"function": "lstm", "blocks": [1]}])"), HasSubstr("block 1"));
  EXPECT_THAT(refusal(R"([{"function": "lstm", "blocks": [2, 2]}])"), HasSubstr("twice"));
  EXPECT_THAT(refusal(R"([{"function": "lstm", "blocks": [2], "stabilizer": false}])"),
              HasSubstr("nothing to stabilise"));
  EXPECT_THAT(refusal(R"([{"function": "lstm", "blocks": [2], "colour": 3}])"),
              HasSubstr("colour"));
}

}  // namespace
}  // namespace xlab::tests
