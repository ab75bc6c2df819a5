// Taking back: every edit, in order, exactly, without losing what was trained or written since.
#include "core/engine/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

/// Every run has these weights.
History::WeightsOf weights(std::uint64_t id) {
  return [id](int) { return id; };
}

using namespace command;
using testing::HasSubstr;
CellVariant other_variant(const Snapshot& snapshot, const std::string& kind) {
  CellVariant variant;
  for (const BlockCard& card : snapshot.model->blocks)
    if (card.kind == kind) variant = card.variant;
  variant.stabilizer = !variant.stabilizer;
  return variant;
}

class GoingBack : public EngineStage {
 protected:
  /// Everything a person sees of the sequence is the same.
  static void expect_same(const SnapshotPtr& a, const SnapshotPtr& b) {
    EXPECT_EQ(a->sequence.tokens, b->sequence.tokens);
    EXPECT_EQ(a->sequence.prompt_length, b->sequence.prompt_length);
    EXPECT_EQ(a->sequence.cursor, b->sequence.cursor);
    EXPECT_EQ(a->sequence.clamps, b->sequence.clamps);
    EXPECT_EQ(a->sequence.sampler, b->sequence.sampler);
    EXPECT_EQ(a->sequence.surprise, b->sequence.surprise);
    EXPECT_EQ(a->train.step, b->train.step);
    EXPECT_EQ(a->train.learning_rate_scale, b->train.learning_rate_scale);
    ASSERT_TRUE(a->next && b->next);
    EXPECT_EQ(a->next->logits, b->next->logits);
  }
  /// An edit is taken back to the bit, and made again to the bit.
  void expect_undone(const std::string& name, const std::vector<Command>& edit) {
    SCOPED_TRACE(name);
    const auto before = after();
    for (const Command& command : edit) engine_.send(command);
    const auto edited = after();
    ASSERT_EQ(edited->failure.id, before->failure.id) << edited->failure.what;
    EXPECT_EQ(edited->undo_label, "Undo " + name);
    EXPECT_EQ(edited->redo_label, "");
    const auto undone = after(Undo{});
    EXPECT_EQ(undone->undo_label, before->undo_label);
    EXPECT_EQ(undone->redo_label, "Redo " + name);
    EXPECT_TRUE(undone->unsaved);
    expect_same(undone, before);
    const auto redone = after(Redo{});
    EXPECT_EQ(redone->redo_label, "");
    EXPECT_EQ(redone->undo_label, edited->undo_label);
    expect_same(redone, edited);
  }
};

TEST_F(GoingBack, WithoutEditsThereIsNothingToTakeBack) {
  EXPECT_THAT(after(Undo{})->failure.what, HasSubstr("no run"));
  const auto opened = after(NewRun{"recall", quick_spec()});
  EXPECT_EQ(opened->undo_label, "");
  EXPECT_EQ(opened->redo_label, "");
  EXPECT_THAT(after(Undo{})->failure.what, HasSubstr("nothing to undo"));
  EXPECT_THAT(after(Redo{})->failure.what, HasSubstr("nothing to redo"));
  // Looking and training are no edits.
  const auto looked = after(SetCursor{3}, StepBack{}, TrainOneStep{}, SetPlaySpeed{8.0}, Focus{1},
                            Rewind{}, SetStepLimit{100}, Selfcheck{});
  EXPECT_EQ(looked->undo_label, "");
}

TEST_F(GoingBack, EveryEditOfASequence) {
  open_quick();
  after(SetPrompt{"a 3 b 7 a ?"}, SetCursor{2});
  expect_undone("new sample", {NewSample{}});
  expect_undone("new prompt", {SetPrompt{"c 1 d 9 c ?"}});
  after(SetCursor{2});
  expect_undone("taking another token", {TakeToken{5}});
  expect_undone("taking a token", {TakeToken{12}});
  expect_undone("sampler",
                {SetSampler{{.greedy = false, .temperature = 0.5, .top_k = 3, .seed = 7}}});
  expect_undone("learning rate", {SetLearningRateScale{0.25}});
  expect_undone("clamp", {SetClamp{{"block0/mlstm/input_gate_pre", 1, 0, 1, 3, 2.5f, true}}});
  expect_undone("changing a clamp",
                {ReplaceClamp{0, {"block0/mlstm/input_gate_pre", 1, 0, 2, 5, 1.5f, true}}});
  expect_undone("switching a clamp", {EnableClamp{0, false}});
  expect_undone("removing a clamp", {RemoveClamp{0}});
  after(SetClamp{{"block0/mlstm/forget_gate_pre", 0, 0, 0, 4, -3.0f, true}});
  expect_undone("clearing clamps", {ClearClamps{}});
  int edits = 0;
  for (; !after()->undo_label.empty(); ++edits) after(Undo{});
  EXPECT_EQ(edits, 13);
  const auto first = after();
  EXPECT_TRUE(first->sequence.clamps.empty());
}

TEST_F(GoingBack, ToWhatIsSavedThereIsNothingToSave) {
  open_quick();
  const auto path = folder_ / "run.xlab";
  const auto opened = after(SetPrompt{"a 3 b 7 a ?"}, Save{path});
  const std::vector<Command> edits = {
      NewSample{},
      SetPrompt{"c 1 d 9 c ?"},
      TakeToken{5},
      SetSampler{{.greedy = false, .temperature = 0.5, .top_k = 3, .seed = 7}},
      SetLearningRateScale{0.25},
      SetClamp{{"block0/mlstm/input_gate_pre", 1, 0, 1, 3, 2.5f, true}},
      RenameRun{opened->focused_run, "another name"},
      SetVariant{"mlstm", other_variant(*opened, "mlstm")}};
  for (const Command& edit : edits) {
    SCOPED_TRACE(edit.index());
    EXPECT_TRUE(after(edit)->unsaved);
    EXPECT_FALSE(after(Undo{})->unsaved);
    EXPECT_TRUE(after(Redo{})->unsaved);
    // Saved like that it is the other way round.
    EXPECT_FALSE(after(Save{})->unsaved);
    EXPECT_TRUE(after(Undo{})->unsaved);
    EXPECT_FALSE(after(Redo{})->unsaved);
    after(Undo{}, Save{});
  }
  // The weights of before come back with the equations.
  EXPECT_TRUE(after(SetVariant{"mlstm", other_variant(*opened, "mlstm")}, TrainOneStep{})->unsaved);
  EXPECT_FALSE(after(Undo{})->unsaved);
  // What was trained or written meanwhile is not taken back.
  EXPECT_TRUE(after(SetPrompt{"c 1 d"}, TrainOneStep{}, Undo{})->unsaved);
  EXPECT_FALSE(after(Save{})->unsaved);
  EXPECT_TRUE(after(SetLearningRateScale{0.5}, StepForward{}, StepForward{}, StepForward{},
                    StepForward{}, StepForward{}, StepForward{}, StepForward{}, Undo{})
                  ->unsaved);
  // As it was opened it has nothing to save either.
  after(OpenRun{path, nullptr});
  EXPECT_TRUE(after(NewSample{})->unsaved);
  EXPECT_FALSE(after(Undo{})->unsaved);
  // Nor is a file it does not stand in any more.
  after(SaveBench{folder_ / "bench.xlab"});
  EXPECT_TRUE(after(NewSample{}, Undo{})->unsaved) << "a bench is more than this run";
}

TEST_F(GoingBack, ACutSequenceComesBack) {
  // One click at t = 0 cuts everything behind it.
  open_quick("copy");
  const auto whole = after(SetPrompt{"a b c d e f | a b c d e f"}, Rewind{});
  const auto cut = after(TakeToken{3});
  EXPECT_EQ(cut->sequence.tokens.size(), 2u);
  expect_same(after(Undo{}), whole);
}

TEST_F(GoingBack, WhatWasWrittenSinceAnEditStays) {
  open_quick();
  after(SetPrompt{"a 3 b 7"}, SetClamp{{"block0/mlstm/input_gate_pre", 0, 0, 0, 2, 1.0f, true}});
  const auto written = after(StepForward{}, StepForward{});
  ASSERT_EQ(written->sequence.tokens.size(), 6u);
  const auto undone = after(Undo{});
  EXPECT_TRUE(undone->sequence.clamps.empty());
  EXPECT_EQ(undone->sequence.tokens, written->sequence.tokens);
  // A branch that is taken back stands aside with all that was written on it.
  const auto back = after(SetCursor{3}, TakeToken{4}, StepForward{}, Undo{});
  EXPECT_EQ(back->sequence.tokens, written->sequence.tokens);
  const auto again = after(Redo{});
  EXPECT_EQ(again->sequence.tokens.size(), 6u);
  EXPECT_EQ(again->sequence.tokens[4], 4);
}

TEST_F(GoingBack, WhatWasTrainedSinceAnEditStays) {
  open_quick();
  after(SetPrompt{"a 3 b 7 a ?"}, TakeToken{13});
  train(3);
  const std::uint64_t trained = signature();
  const auto undone = after(Undo{});
  EXPECT_EQ(undone->train.step, 3);
  EXPECT_EQ(undone->sequence.tokens.size(), 6u);
  EXPECT_EQ(signature(), trained);
}

TEST_F(GoingBack, ADragIsOneEdit) {
  open_quick();
  const Clamp start{"block0/mlstm/forget_gate_pre", 0, 0, 0, 4, 0.0f, true};
  for (int i = 0; i < 20; ++i) {
    Clamp clamp = start;
    clamp.value = static_cast<float>(i) / 10.0f;
    after(SetClamp{clamp});
  }
  EXPECT_EQ(after()->sequence.clamps.front().value, 1.9f);
  const auto undone = after(Undo{});
  EXPECT_TRUE(undone->sequence.clamps.empty());
  EXPECT_EQ(undone->undo_label, "");
  EXPECT_EQ(after(Redo{})->sequence.clamps.front().value, 1.9f);
  // Another place is another edit, also at once.
  Clamp other = start;
  other.head = 1;
  after(SetClamp{other});
  EXPECT_EQ(after(Undo{})->sequence.clamps.size(), 1u);
}

TEST_F(GoingBack, ANewEditEndsRedoing) {
  open_quick();
  after(SetPrompt{"a 3"}, SetPrompt{"b 4"}, Undo{});
  EXPECT_EQ(after()->redo_label, "Redo new prompt");
  const auto edited = after(SetPrompt{"c 5"});
  EXPECT_EQ(edited->redo_label, "");
  EXPECT_EQ(after(Undo{})->sequence.tokens.size(), 2u);
  EXPECT_THAT(after(Redo{}, Redo{})->failure.what, HasSubstr("nothing to redo"));
}

TEST_F(GoingBack, WhatChangesNothingIsNoEdit) {
  open_quick();
  const Clamp clamp{"block0/mlstm/forget_gate_pre", 0, 0, 0, 4, 0.5f, true};
  const auto set = after(SetPrompt{"a 3 b 4"}, SetClamp{clamp}, Save{folder_ / "run.xlab"});
  const auto same =
      after(SetPrompt{"a 3 b 4"}, SetSampler{set->sequence.sampler}, SetLearningRateScale{1.0},
            SetClamp{clamp}, EnableClamp{0, true},
            SetVariant{"mlstm", set->model->blocks.front().variant}, SetCursor{0}, TakeToken{13});
  EXPECT_EQ(set->undo_label, "Undo clamp");
  EXPECT_EQ(same->undo_label, "Undo taking another token") << "that did change something";
  EXPECT_EQ(after(Undo{})->undo_label, "Undo clamp");
}

TEST_F(GoingBack, TheSameEquationsAgainLeaveOldTokensKnown) {
  const auto opened = open_quick();
  constexpr int kLength = Sequence::kAllOfTheLast + 144, kOld = 57;
  std::string prompt = "a 3";
  for (int t = 2; t < kLength; t += 2) prompt += t % 6 == 0 ? " b 7" : " a 4";
  const auto set = after(SetPrompt{prompt}, SetCursor{kOld - 1});
  ASSERT_EQ(set->sequence.tokens.size(), static_cast<std::size_t>(kLength));
  const auto known = after(SetCursor{kOld})->memory;
  ASSERT_NE(known, nullptr);
  after(SetCursor{kOld + 1}, SetVariant{"mlstm", opened->model->blocks.front().variant});
  const auto again = after(SetCursor{kOld});
  ASSERT_NE(again->memory, nullptr);
  EXPECT_EQ(again->memory->C, known->C);
  const auto taken = after(TakeToken{13});
  EXPECT_EQ(taken->failure.what, "");
  EXPECT_EQ(taken->sequence.tokens.size(), static_cast<std::size_t>(kOld) + 2);
  EXPECT_EQ(taken->sequence.tokens.back(), 13);
}

TEST_F(GoingBack, AVariantBringsBackTheWeightsOfBefore) {
  const auto opened = open_quick();
  const CellVariant usual = opened->model->blocks.front().variant;
  const CellVariant other = other_variant(*opened, "mlstm");
  train(4);
  const std::uint64_t before = signature();
  const auto losses = engine_.snapshot()->losses;
  const auto changed = after(SetVariant{"mlstm", other});
  EXPECT_EQ(changed->undo_label, "Undo variant") << "nothing was trained under it yet";
  const auto trained = train(3);
  EXPECT_EQ(trained->undo_label, "Undo variant (with the weights of step 4)");
  const std::uint64_t spoiled = signature();
  ASSERT_NE(spoiled, before);

  const auto undone = after(Undo{});
  EXPECT_EQ(undone->train.step, 4);
  EXPECT_EQ(undone->model->blocks.front().variant, usual);
  EXPECT_EQ(undone->losses->size(), losses->size());
  EXPECT_EQ(undone->redo_label, "Redo variant (with the weights of step 7)");
  EXPECT_EQ(signature(), before);
  const auto redone = after(Redo{});
  EXPECT_EQ(redone->train.step, 7);
  EXPECT_EQ(redone->model->blocks.front().variant, other);
  EXPECT_EQ(redone->losses->size(), 7u);
  EXPECT_EQ(signature(), spoiled);
}

TEST_F(GoingBack, TrainingGoesOnFromTheWeightsOfBefore) {
  // As if the variant had never been tried: moments and step count come back too.
  const auto opened = open_quick();
  train(4);
  after(SetVariant{"mlstm", other_variant(*opened, "mlstm")});
  train(3);
  after(Undo{});
  train(5);
  const auto run = make_run(make_task("recall"), run_spec_from_json(quick_spec()));
  for (int i = 0; i < 9; ++i) run->train_step();
  EXPECT_EQ(signature(), run->model->params().signature());
}

TEST_F(GoingBack, AVariantNobodyTrainedWithLeavesTheWeights) {
  const auto opened = open_quick();
  train(2);
  after(SetVariant{"mlstm", other_variant(*opened, "mlstm")}, Undo{});
  train(3);
  const std::uint64_t trained = signature();
  const auto redone = after(Redo{});
  EXPECT_EQ(redone->train.step, 5) << "what was trained meanwhile is not lost";
  EXPECT_EQ(signature(), trained);
  // From here on it is a variant like any other.
  train(1);
  after(Undo{});
  EXPECT_EQ(signature(), trained);
}

TEST_F(GoingBack, AVariantWhileTrainingRuns) {
  const auto opened = open_quick();
  engine_.send(Train{});
  wait_until([](const Snapshot& s) { return s.train.step >= 10; });
  after(SetVariant{"mlstm", other_variant(*opened, "mlstm")});
  const std::int64_t reached = engine_.snapshot()->train.step;
  wait_until([&](const Snapshot& s) { return s.train.step >= reached + 10; });
  after(Pause{}, Undo{});
  const std::int64_t step = engine_.snapshot()->train.step;
  EXPECT_LE(step, reached);
  EXPECT_GE(step, 10);
  const auto run = make_run(make_task("recall"), run_spec_from_json(quick_spec()));
  while (run->trainer->steps_done() < step) run->train_step();
  EXPECT_EQ(signature(), run->model->params().signature());
}

TEST_F(GoingBack, AReplacedRunComesBackWhole) {
  open_quick();
  after(SetPrompt{"a 3 b 7 a ?"},
        SetClamp{{"block0/mlstm/forget_gate_pre", 0, 0, 0, 4, 0.5f, true}},
        Save{folder_ / "mine.xlab"});
  const std::uint64_t saved = signature();
  train(2);
  after(Save{folder_ / "mine.xlab"}, TrainOneStep{}, SetSampler{{.greedy = false, .seed = 9}});
  const auto before = after(SetCursor{3}, Focus{2});
  const std::uint64_t weights = [&] {
    // Looked at without being saved over.
    const auto run = make_run(make_task("recall"), run_spec_from_json(quick_spec()));
    while (run->trainer->steps_done() < 3) run->train_step();
    return run->model->params().signature();
  }();
  EXPECT_NE(weights, saved);

  const auto other = after(NewRun{"parity", ""});
  EXPECT_EQ(other->undo_label, "Undo new run");
  EXPECT_EQ(other->run_path, "");
  const auto back = after(Undo{});
  expect_same(back, before);
  EXPECT_EQ(back->run_path, folder_ / "mine.xlab");
  EXPECT_TRUE(back->unsaved);
  EXPECT_EQ(back->train.saved_step, 2);
  EXPECT_EQ(back->data->task, "recall");
  EXPECT_NE(back->run_id, before->run_id) << "another run is on screen";
  EXPECT_EQ(back->undo_label, before->undo_label);
  EXPECT_EQ(back->redo_label, "Redo new run");
  EXPECT_EQ(back->memory->block, 2) << "the block that was looked at";
  // Redo goes forward, to what was done there, and back again.
  const auto forward = after(Redo{}, TrainOneStep{});
  EXPECT_EQ(forward->data->task, "parity");
  after(Undo{});
  expect_same(after(), before);
  EXPECT_EQ(after(Redo{})->train.step, 1);
  after(Undo{});
  EXPECT_EQ(signature(), weights);
}

TEST_F(GoingBack, EveryWayToReplaceARun) {
  put_file(folder_ / "text.txt", "to be or not to be, that is the question");
  open_quick();
  after(Save{folder_ / "run.xlab"}, ExportFolder{folder_ / "model"});
  const auto before = after(SetPrompt{"b 4 c 5"}, TrainOneStep{});
  const std::vector<std::pair<std::string, Command>> ways = {
      {"new run", NewRun{"copy", quick_spec()}},
      {"opening a run", OpenRun{folder_ / "run.xlab", nullptr}},
      {"opening a text", OpenText{folder_ / "text.txt"}},
      {"opening a model", OpenFolder{folder_ / "model"}},
      {"restart", RestartRun{}},
      {"new seed", NewSeed{}}};
  for (const auto& [name, way] : ways) {
    SCOPED_TRACE(name);
    const auto replaced = after(way);
    ASSERT_EQ(replaced->failure.what, before->failure.what);
    EXPECT_EQ(replaced->undo_label, "Undo " + name);
    EXPECT_EQ(replaced->train.step, 0);
    const auto back = after(Undo{});
    expect_same(back, before);
    EXPECT_EQ(back->unsaved, before->unsaved);
    EXPECT_EQ(back->run_path, before->run_path);
  }
}

TEST_F(GoingBack, AFileSavedOverIsNoLongerThatOfTheRunBefore) {
  open_quick();
  const auto path = folder_ / "run.xlab";
  const auto saved = after(TrainOneStep{}, Save{path});
  EXPECT_FALSE(saved->unsaved);
  EXPECT_EQ(saved->train.saved_step, 1);
  // The run before is what the file holds, until another is saved there.
  EXPECT_FALSE(after(RestartRun{}, Undo{})->unsaved);
  const auto back = after(Redo{}, Save{path}, Undo{});
  EXPECT_EQ(back->train.step, 1);
  EXPECT_TRUE(back->unsaved);
  EXPECT_EQ(back->train.saved_step, 0);
}

TEST_F(GoingBack, AtMostFourRunsAreKept) {
  for (const char* prompt : {"a 1", "a 2", "a 3", "a 4", "a 5", "a 6"})
    after(NewRun{"recall", quick_spec()}, SetPrompt{prompt});
  int runs = 0;
  int last = 0;
  for (SnapshotPtr now = after(); !now->undo_label.empty(); now = after(Undo{})) {
    if (now->undo_label != "Undo new run") continue;
    ++runs;
    last = after(Undo{})->sequence.tokens[1];
    after(Redo{});
  }
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(last, 12) << "the one with a 2";
}

TEST_F(GoingBack, AFailedOpeningIsNoEdit) {
  open_quick();
  const auto before = after(SetPrompt{"a 3"});
  const auto failed =
      after(OpenRun{folder_ / "missing.xlab", nullptr}, NewRun{"sorting", ""}, SetPrompt{"zebra"},
            SetClamp{{"block0/mlstm/forget_gate_pre", 0, 0, 0, 4, std::nanf(""), true}},
            SetVariant{"lstm", {}});
  EXPECT_EQ(failed->failure.id, before->failure.id + 5);
  EXPECT_EQ(failed->undo_label, "Undo new prompt");
}

// ---- what is too large --------------------------------------------------------------------------

std::string spec_of_width(int width) {
  RunSpec spec = run_spec_from_json(quick_spec());
  spec.model->embedding_dim = width;
  spec.train->batch_size = 1;
  return "{\"model\": " + to_json(*spec.model) + ", \"train\": " + to_json(*spec.train) + "}";
}

TEST_F(GoingBack, WhatIsForgottenForLargeWeightsIsTold) {
  // A run that just fits beside nothing much, and weights of another one that are too much beside
  // it.
  const auto large = after(NewRun{"copy", spec_of_width(1600)});
  ASSERT_EQ(large->failure.what, "");
  ASSERT_LT(large->model->parameters * 20, 1 << 30);
  after(SetPrompt{"a b |"});
  const auto opened = after(NewRun{"recall", spec_of_width(512)});
  ASSERT_GT(large->model->parameters * 20 + opened->model->parameters * 12, 1 << 30);
  EXPECT_EQ(opened->undo_label, "Undo new run");
  after(SetPrompt{"a 3 b 7"}, SetVariant{"mlstm", other_variant(*opened, "mlstm")});
  EXPECT_EQ(engine_.snapshot()->notice_id, 0u);
  const auto trained = after(TrainOneStep{});
  EXPECT_EQ(trained->failure.what, "");
  EXPECT_THAT(
      trained->notice,
      HasSubstr("the 2 edits before that, from 'new run' back to 'new prompt', can no longer "
                "be undone"));
  EXPECT_EQ(after(TrainOneStep{})->notice_id, trained->notice_id) << "told once";
  EXPECT_EQ(after(Undo{})->train.step, 0) << "the weights of before come back";
  EXPECT_EQ(after(Undo{})->undo_label, "");
}

TEST_F(GoingBack, ARunTooLargeToBeKeptIsToldBesideAnythingElse) {
  put_file(folder_ / "text.txt", std::string("caf\xe9 au lait, caf\xe9 cr\xe8me"));
  const auto large = after(NewRun{"recall", spec_of_width(1664)});
  ASSERT_EQ(large->failure.what, "");
  ASSERT_GT(large->model->parameters * 20, 1 << 30);
  const auto text = after(OpenText{folder_ / "text.txt"});
  EXPECT_EQ(text->failure.what, "");
  EXPECT_EQ(text->undo_label, "");
  EXPECT_THAT(text->notice, HasSubstr("no way back to it with Undo"));
  EXPECT_THAT(text->notice, HasSubstr("not in UTF-8"));
  // What is done at once afterwards does not take the words away either.
  const auto saved = after(Save{folder_ / "run.xlab"});
  EXPECT_THAT(saved->notice, HasSubstr("no way back to it with Undo"));
  EXPECT_THAT(saved->notice, HasSubstr("Saved to "));
}

// ---- the list itself ----------------------------------------------------------------------------

TEST(Histories, DragsJoinWithinAPause) {
  History history;
  History::Time now{};
  const auto edit = [](double x) { return Edit{"learning rate", x}; };
  const auto step = [&](std::chrono::milliseconds pause) { return now += pause; };
  const auto depth = [&] {
    int count = 0;
    while (!history.undo_label(weights(0)).empty()) {
      history.undo([](Edit&) {});
      ++count;
    }
    return count;
  };
  history.add(edit(1), step(std::chrono::milliseconds(0)), "x");
  history.add(edit(2), step(std::chrono::milliseconds(699)), "x");
  history.add(edit(3), step(std::chrono::milliseconds(699)), "x");
  EXPECT_EQ(depth(), 1);
  history.add(edit(1), step(std::chrono::milliseconds(0)), "x");
  history.add(edit(2), step(std::chrono::milliseconds(700)), "x");
  history.add(edit(3), step(std::chrono::milliseconds(1)), "y");
  history.add(edit(3), step(std::chrono::milliseconds(1)));
  history.add(edit(3), step(std::chrono::milliseconds(1)));
  EXPECT_EQ(depth(), 5);
}

TEST(Histories, DragsInTwoRunsAreTwoEdits) {
  History history;
  const History::Time now{};
  history.add({.name = "learning rate", .before = 1.0, .run = 1}, now, "learning rate");
  history.add({.name = "learning rate", .before = 2.0, .run = 2}, now, "learning rate");
  std::vector<int> runs;
  while (!history.undo_label(weights(0)).empty())
    history.undo([&](Edit& edit) { runs.push_back(edit.run); });
  EXPECT_EQ(runs, (std::vector<int>{2, 1}));
}

TEST(Histories, AnUndoEndsADrag) {
  History history;
  const History::Time now{};
  history.add({"learning rate", 1.0}, now, "x");
  history.undo([](Edit&) {});
  history.redo([](Edit&) {});
  history.add({"learning rate", 2.0}, now, "x");
  double last = 0.0;
  history.undo([&](Edit& edit) { last = std::get<double>(edit.before); });
  EXPECT_EQ(last, 2.0);
}

TEST(Histories, TheOldestEditsAreForgotten) {
  History history;
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(history.add({"sampler", double(i)}, {}));
  int count = 0;
  double last = 0.0;
  while (!history.undo_label(weights(0)).empty()) {
    history.undo([&](Edit& edit) { last = std::get<double>(edit.before); });
    ++count;
  }
  EXPECT_EQ(count, 200);
  EXPECT_EQ(last, 300.0);
}

TEST(Histories, MemoryIsBounded) {
  History history;
  const auto megabytes = [](std::size_t count) {
    return TokensBefore{.tokens = std::vector<int>(count << 18)};
  };
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(history.add({"new prompt", megabytes(400)}, {}));
  int count = 0;
  while (!history.undo_label(weights(0)).empty()) {
    history.undo([&](Edit&) {});
    ++count;
  }
  EXPECT_EQ(count, 2);
  EXPECT_FALSE(history.add({"new prompt", megabytes(1025)}, {})) << "too much for itself";
  EXPECT_EQ(history.undo_label(weights(0)), "");
}

/// Weights that take so many MiB, and say so alone: the memory is never touched.
std::shared_ptr<const TrainedNumbers> numbers_of(std::int64_t mebibytes) {
  auto numbers = std::make_shared<TrainedNumbers>();
  numbers->weights_id = 7;
  numbers->step = 3;
  numbers->values = Tensor::empty({mebibytes << 18}, DType::f32);
  return numbers;
}

TEST(Histories, WeightsThatPushOutOlderEditsNameThem) {
  History history;
  history.add({"new prompt", TokensBefore{.tokens = std::vector<int>(100 << 18)}}, {});
  history.add({"sampler", SamplerSettings{}}, {});
  EXPECT_FALSE(history.wants_numbers(0));
  history.add({"variant", VariantBefore{.kind = "mlstm"}}, {});
  history.add({"learning rate", 0.5}, {});
  EXPECT_TRUE(history.wants_numbers(0));
  EXPECT_TRUE(history.has_room_for_numbers(0, std::size_t{900} << 20));
  EXPECT_THAT(history.take_numbers(0, numbers_of(900)), testing::IsEmpty());
  EXPECT_FALSE(history.wants_numbers(0));
  history.add({"variant", VariantBefore{.kind = "mlstm"}}, {});
  EXPECT_TRUE(history.has_room_for_numbers(0, std::size_t{200} << 20));
  EXPECT_THAT(history.take_numbers(0, numbers_of(200)),
              testing::ElementsAre("variant", "sampler", "new prompt"));
  std::vector<std::string> left;
  for (std::string label; !(label = history.undo_label(weights(7))).empty();
       history.undo([](Edit&) {}))
    left.push_back(label);
  EXPECT_THAT(left, testing::ElementsAre("Undo variant", "Undo learning rate"));
}

TEST(Histories, WeightsWithoutRoomTakeNothingAway) {
  History history;
  history.add({"sampler", SamplerSettings{}}, {});
  history.add({"variant", VariantBefore{.kind = "mlstm"}}, {});
  history.add({"new prompt", TokensBefore{.tokens = std::vector<int>(100 << 18)}}, {});
  EXPECT_FALSE(history.has_room_for_numbers(0, std::size_t{925} << 20)) << "the prompt is younger";
  EXPECT_TRUE(history.has_room_for_numbers(0, std::size_t{900} << 20));
  history.go_without_numbers(0);
  EXPECT_FALSE(history.wants_numbers(0)) << "asked once";
  history.undo([](Edit&) {});
  EXPECT_EQ(history.undo_label(weights(0)), "Undo variant (with the weights of now)");
  history.undo([](Edit&) {});
  EXPECT_EQ(history.undo_label(weights(0)), "Undo sampler");
}

TEST(Histories, WhatThrowsStaysWhereItWas) {
  History history;
  history.add({"sampler", 1.0}, {});
  const auto fail = [](Edit&) { throw Error("no"); };
  EXPECT_THROW(history.undo(fail), Error);
  EXPECT_EQ(history.undo_label(weights(0)), "Undo sampler");
  history.undo([](Edit&) {});
  EXPECT_THROW(history.redo(fail), Error);
  EXPECT_EQ(history.redo_label(weights(0)), "Redo sampler");
}

}  // namespace
}  // namespace xlab::tests
