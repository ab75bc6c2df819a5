// Several runs on one sequence: the same tokens and one cursor, each with its own weights and
// clamps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/bench_file.hpp"
#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kWider = R"({"model": {"embedding_dim": 24, "num_blocks": 2, "mlstm_block":
    {"mlstm": {"num_heads": 4}}}, "train": {"batch_size": 3, "sequence_length": 11, "seed": 5}})";

class Follow : public EngineStage {
 protected:
  /// Two runs with the same tokens but other sizes and weights; the first one is on screen, and the
  /// second one follows it.
  void open_two() {
    first_ = open_quick("recall")->focused_run;
    train(2);
    second_ = after(NewRun{"recall", kWider, false, true})->focused_run;
    train(3);
    const auto follows = after(FocusRun{first_}, FollowSequence{second_});
    ASSERT_EQ(follows->failure.what, "");
  }
  static const RunCard& card(const SnapshotPtr& snapshot, int id) {
    for (const auto& run : snapshot->runs)
      if (run->id == id) return *run;
    ADD_FAILURE() << "there is no run " << id;
    return *snapshot->runs.front();
  }
  static Clamp clamp(int begin, int end, float value) {
    return {"block0/mlstm/forget_gate_pre", 1, 0, begin, end, value, true};
  }
  /// What a run without an engine makes of its sequence.
  static std::vector<SequenceStep> steps_of(const std::string& path) {
    const auto run = load_run(path);
    run->sequence->compute_all();
    return run->sequence->steps();
  }
  /// Both runs have the sequence of the snapshot, and what is told of the one that follows is what
  /// it is told of when it is looked at, and what it computes alone.
  void expect_in_step() {
    const auto here = after();
    ASSERT_THAT(here->followers, SizeIs(1));
    const FollowerView& view = *here->followers.front();
    EXPECT_EQ(view.run, second_);
    EXPECT_EQ(view.trace->length(), static_cast<int>(here->sequence.tokens.size()));
    const std::string path = folder_ / "second.xlab";
    const auto there = after(FocusRun{second_});
    EXPECT_EQ(there->sequence.tokens, here->sequence.tokens);
    EXPECT_EQ(there->sequence.prompt_length, here->sequence.prompt_length);
    EXPECT_EQ(there->sequence.cursor, here->sequence.cursor);
    EXPECT_EQ(there->sequence.clamps, view.clamps);
    EXPECT_EQ(there->sequence.surprise, view.surprise);
    EXPECT_EQ(there->model, view.model);
    ASSERT_NE(view.next, nullptr);
    EXPECT_EQ(there->next->logits, view.next->logits);
    EXPECT_EQ(there->next->unclamped, view.next->unclamped);
    EXPECT_EQ(there->next->kl_nats, view.next->kl_nats);
    after(Save{path});
    const std::vector<SequenceStep> alone = steps_of(path);
    ASSERT_EQ(alone.size(), static_cast<std::size_t>(view.trace->length()));
    EXPECT_EQ(alone[static_cast<std::size_t>(here->sequence.cursor)].logits, view.next->logits);
    for (std::size_t t = 0; t < alone.size(); ++t)
      for (const auto& [name, recorded] : alone[t].trace->values)
        ASSERT_EQ(view.trace->find(static_cast<int>(t), name)->values, recorded.values) << name;
    after(FocusRun{first_});
  }

  int first_ = 0, second_ = 0;
};

TEST_F(Follow, WhatIsDoneToTheSequenceIsDoneForAll) {
  open_two();
  EXPECT_NE(card(after(), first_).sequence, 0);
  EXPECT_EQ(card(after(), first_).sequence, card(after(), second_).sequence);
  expect_in_step();
  after(SetPrompt{"a 3 b 7 a"}, SetCursor{2});
  expect_in_step();
  after(SetClamp{clamp(1, 4, -3.0f)});
  expect_in_step();
  after(FocusRun{second_}, SetClamp{clamp(0, 2, 0.5f)}, FocusRun{first_});
  EXPECT_THAT(after()->sequence.clamps, ElementsAre(clamp(1, 4, -3.0f))) << "clamps are its own";
  expect_in_step();
  after(TakeToken{12});
  expect_in_step();
  after(NewSample{}, SetCursor{3});
  expect_in_step();
  // One writes, the others read.
  const auto before = after(SetCursor{1000}, SetSampler{{.greedy = false, .seed = 4}});
  const auto written = after(StepForward{}, StepForward{}, StepForward{});
  ASSERT_EQ(written->sequence.tokens.size(), before->sequence.tokens.size() + 3);
  expect_in_step();
  after(Rewind{}, StepForward{});
  EXPECT_EQ(after(FocusRun{second_})->sequence.cursor, 1);
}

TEST_F(Follow, NewSamplesGoOnWhoeverTakesThem) {
  open_two();
  after(NewSample{});
  const auto second = after(FocusRun{second_}, NewSample{});
  const auto alone =
      after(FollowSequence{second_, false}, FocusRun{first_}, FocusRun{second_}, NewSample{});
  EXPECT_NE(second->sequence.tokens, alone->sequence.tokens);
  EXPECT_NE(second->sequence.tokens, after(FocusRun{first_}, NewSample{})->sequence.tokens);
}

TEST_F(Follow, AnEditIsUndoneOnceForAll) {
  open_two();
  const auto before = after(SetPrompt{"a 3 b 7 a"});
  after(SetPrompt{"c 1"});
  const auto undone = after(Undo{});
  EXPECT_EQ(undone->sequence.tokens, before->sequence.tokens);
  EXPECT_EQ(undone->undo_label, "Undo new prompt") << "there was one edit, not one for each";
  expect_in_step();
  // Looked at from the other run too.
  after(SetPrompt{"d 2"}, FocusRun{second_});
  EXPECT_EQ(after(Undo{})->sequence.tokens, before->sequence.tokens);
  expect_in_step();
}

TEST_F(Follow, FollowingIsUndoneWithTheTokensOfBefore) {
  first_ = open_quick("recall")->focused_run;
  second_ = after(NewRun{"recall", kWider, false, true})->focused_run;
  const auto own = after(SetPrompt{"d 9 c"}, SetCursor{1});
  const auto shared = after(FocusRun{first_}, SetPrompt{"a 1 b 2"}, FollowSequence{second_});
  EXPECT_EQ(shared->undo_label, "Undo following a sequence");
  const auto undone = after(Undo{});
  EXPECT_THAT(undone->followers, IsEmpty());
  EXPECT_EQ(card(undone, first_).sequence, 0);
  EXPECT_EQ(undone->sequence.tokens, shared->sequence.tokens);
  const auto there = after(FocusRun{second_});
  EXPECT_EQ(there->sequence.tokens, own->sequence.tokens);
  EXPECT_EQ(there->sequence.cursor, 1);
  after(FocusRun{first_}, StepForward{});
  const auto again = after(Redo{});
  EXPECT_THAT(again->followers, SizeIs(1));
  expect_in_step();
  // Who leaves keeps the tokens, and goes its own way.
  const auto left = after(FollowSequence{second_, false}, SetPrompt{"b 4"});
  EXPECT_THAT(left->followers, IsEmpty());
  EXPECT_EQ(after(FocusRun{second_})->sequence.tokens, again->sequence.tokens);
  after(Undo{}, Undo{}, FocusRun{first_});
  expect_in_step();
}

TEST_F(Follow, OtherTokensAreRefused) {
  open_two();
  const int parity = after(NewRun{"parity", quick_spec(), false, true})->focused_run;
  const auto own = after(FocusRun{parity})->sequence.tokens;
  const auto refused = after(FocusRun{first_}, FollowSequence{parity});
  EXPECT_EQ(refused->failure.where, "sequence");
  EXPECT_THAT(refused->failure.what, HasSubstr("other tokens"));
  EXPECT_THAT(refused->followers, SizeIs(1));
  EXPECT_EQ(after(FocusRun{parity})->sequence.tokens, own);
  after(FocusRun{first_});
  EXPECT_THAT(after(FollowSequence{first_})->failure.what, HasSubstr("choose another"));
  EXPECT_THAT(after(FollowSequence{77})->failure.what, HasSubstr("no run number 77"));
}

TEST_F(Follow, AnotherRunInThePlaceOfOneGoesOnWhereItCan) {
  open_two();
  const auto before = after(SetPrompt{"a 3 b 7 a"});
  const auto restarted = after(NewSeed{});
  EXPECT_EQ(restarted->sequence.tokens, before->sequence.tokens);
  expect_in_step();
  // A new run has a sequence of its own at first, but here there is one.
  EXPECT_EQ(after(NewRun{"recall", quick_spec()})->sequence.tokens, before->sequence.tokens);
  expect_in_step();
  const auto other = after(NewRun{"parity", quick_spec()});
  EXPECT_THAT(other->notice, HasSubstr("no longer follows the shared sequence"));
  EXPECT_THAT(other->followers, IsEmpty());
  EXPECT_EQ(card(other, second_).sequence, 0);
  EXPECT_EQ(after(FocusRun{second_})->sequence.tokens, before->sequence.tokens);
  after(Undo{});
  expect_in_step();
}

TEST_F(Follow, WhoComesBackFindsTheSequenceAsItIs) {
  open_two();
  after(SetPrompt{"a 3 b 7 a"}, RemoveRun{second_});
  EXPECT_THAT(after()->followers, IsEmpty());
  const auto on = after(StepForward{}, StepForward{});  // no edits: they stay
  EXPECT_EQ(after(Undo{})->focused_run, second_);
  EXPECT_EQ(after()->sequence.tokens, on->sequence.tokens);
  after(FocusRun{first_});
  expect_in_step();
}

TEST_F(Follow, FollowingChangesNoBitOfATraining) {
  const int alone = open_quick("recall")->focused_run;
  train(9);
  const std::uint64_t wanted = signature();
  open_quick("recall");
  first_ = alone;
  second_ = after(NewRun{"recall", kWider, false, true})->focused_run;
  after(FocusRun{first_}, FollowSequence{second_}, SetClamp{clamp(0, 3, 1.0f)});
  for (const int run : {first_, second_}) after(FocusRun{run}, SetStepLimit{9});
  after(SetPlaySpeed{200.0}, Play{});
  after(TrainAll{true});
  wait_until([](const Snapshot& s) {
    return std::all_of(s.runs.begin(), s.runs.end(),
                       [](const auto& run) { return run->state == TrainState::finished; });
  });
  after(StopPlaying{}, FocusRun{first_});
  EXPECT_EQ(signature(), wanted);
  expect_in_step();
}

TEST_F(Follow, OneThatTrainsIsShownWithNewerWeights) {
  open_two();
  const auto before = after();
  after(TrainRun{second_, true});
  wait_until([&](const Snapshot& s) {
    return !s.followers.empty() &&
           s.followers.front()->trace_id != before->followers.front()->trace_id;
  });
  after(TrainRun{second_, false});
  expect_in_step();
}

TEST_F(Follow, ViewsAreTheSameObjectsWhileNothingInThemChanges) {
  open_two();
  const auto before = after();
  const auto clamped = after(SetClamp{clamp(1, 4, -3.0f)});
  EXPECT_EQ(clamped->followers.front(), before->followers.front());
  const auto moved = after(SetCursor{1});
  EXPECT_NE(moved->followers.front(), before->followers.front());
  EXPECT_EQ(moved->followers.front()->trace, before->followers.front()->trace);
}

TEST_F(Follow, OneSequencePlaysOnWhoeverIsLookedAt) {
  open_two();
  after(SetPrompt{"a 3 b"}, SetPlaySpeed{100.0}, Play{});
  wait_until([](const Snapshot& s) { return s.sequence.tokens.size() > 6; });
  const auto there = after(FocusRun{second_});
  EXPECT_TRUE(there->sequence.playing);
  const std::size_t reached = there->sequence.tokens.size();
  wait_until([&](const Snapshot& s) { return s.sequence.tokens.size() > reached + 3; });
  after(StopPlaying{}, FocusRun{first_});
  EXPECT_GT(after()->sequence.tokens.size(), reached + 3);
  expect_in_step();
}

TEST_F(Follow, ManyFollowAndTheFileOfTheBenchKnowsIt) {
  open_two();
  const int third = after(DuplicateRun{second_, true})->focused_run;
  const int apart = after(DuplicateRun{first_})->focused_run;
  after(FocusRun{second_}, FollowSequence{third});
  const auto before = after(SetPrompt{"a 3 b 7 a"}, SetCursor{3}, SaveBench{folder_ / "b.xlab"});
  ASSERT_THAT(before->followers, SizeIs(2));
  const auto opened = after(OpenRun{folder_ / "b.xlab", nullptr});
  ASSERT_EQ(opened->failure.what, "");
  ASSERT_THAT(opened->runs, SizeIs(4));
  ASSERT_THAT(opened->followers, SizeIs(2));
  EXPECT_FALSE(opened->unsaved);
  std::vector<bool> shares;
  for (const auto& run : opened->runs) shares.push_back(run->sequence != 0);
  std::vector<bool> wanted;
  for (const auto& run : before->runs) wanted.push_back(run->id != apart);
  EXPECT_EQ(shares, wanted);
  const auto prompted = after(SetPrompt{"d 1 d"});
  for (const auto& run : opened->runs) {
    const bool same = after(FocusRun{run->id})->sequence.tokens == prompted->sequence.tokens;
    EXPECT_EQ(same, run->sequence != 0) << run->name;
  }
}

TEST_F(Follow, ThirtyTwoReadEachToken) {
  first_ = open_quick("recall")->focused_run;
  for (int i = 1; i < 32; ++i) after(DuplicateRun{first_, true}, FocusRun{first_});
  const auto opened = after();
  for (const auto& run : opened->runs)
    if (run->id != first_) after(FollowSequence{run->id});
  const auto all = after(SetPrompt{"a 3 b 7 a"}, StepForward{}, StepForward{});
  ASSERT_EQ(all->failure.what, "");
  ASSERT_THAT(all->followers, SizeIs(31));
  for (const auto& view : all->followers) EXPECT_EQ(view->trace->length(), 7);
}

}  // namespace
}  // namespace xlab::tests
