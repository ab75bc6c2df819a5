// Several runs at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using testing::ElementsAre;
using testing::HasSubstr;

class Bench : public EngineStage {
 protected:
  static RunCard card(const SnapshotPtr& snapshot, int id) {
    for (const auto& run : snapshot->runs)
      if (run->id == id) return *run;
    ADD_FAILURE() << "there is no run " << id;
    return *snapshot->runs.front();
  }
  static std::vector<int> ids(const SnapshotPtr& snapshot) {
    std::vector<int> all;
    for (const auto& run : snapshot->runs) all.push_back(run->id);
    return all;
  }
  std::uint64_t signature_of(int run) {
    after(FocusRun{run});
    return signature();
  }
};

TEST_F(Bench, ARunIsAloneAtFirst) {
  EXPECT_TRUE(engine_.snapshot()->runs.empty());
  const auto opened = open_quick();
  ASSERT_EQ(ids(opened), std::vector<int>{opened->focused_run});
  const RunCard only = card(opened, opened->focused_run);
  EXPECT_EQ(only.name, opened->data->title);
  EXPECT_EQ(only.task, opened->data->title);
  EXPECT_EQ(only.model, opened->model->name);
  EXPECT_EQ(only.step, 0);
  EXPECT_EQ(only.state, TrainState::idle);
  EXPECT_EQ(only.device, "cpu");
  EXPECT_EQ(only.seed, 1u);
  EXPECT_TRUE(only.shown);
  const auto trained = train(3);
  EXPECT_EQ(card(trained, only.id).step, 3);
  EXPECT_EQ(card(trained, only.id).loss, trained->train.loss);
  EXPECT_EQ(card(trained, only.id).losses, trained->losses) << "the same object, not another copy";
  // In its place another one keeps the number, and comes back with Undo.
  EXPECT_EQ(ids(open_quick("copy")), ids(opened));
  EXPECT_EQ(card(after(Undo{}), only.id).step, 3);
}

TEST_F(Bench, ADuplicateHasTheSameNumbersAndGoesItsOwnWay) {
  const int first = open_quick()->focused_run;
  train(4);
  after(SetPrompt{"a 1 b 2 a"}, SetCursor{2});
  const auto before = after();
  const auto twin = after(DuplicateRun{first});
  ASSERT_EQ(twin->failure.what, "");
  ASSERT_EQ(ids(twin).size(), 2u);
  const int second = twin->focused_run;
  EXPECT_THAT(ids(twin), ElementsAre(first, second));
  EXPECT_NE(card(twin, first).colour, card(twin, second).colour);
  EXPECT_EQ(card(twin, second).name, card(twin, first).name + ", copy");
  EXPECT_EQ(card(twin, second).path, "");
  EXPECT_TRUE(card(twin, second).unsaved);
  EXPECT_NE(twin->run_id, before->run_id);
  EXPECT_EQ(twin->sequence.tokens, before->sequence.tokens);
  EXPECT_EQ(twin->sequence.cursor, 2);
  EXPECT_EQ(twin->next->logits, before->next->logits);
  EXPECT_EQ(twin->train.step, 4);
  EXPECT_EQ(twin->losses->size(), 4u);
  // What one does is no matter of the other.
  after(TakeToken{3}, SetLearningRateScale{2.0});
  train(2);
  const auto back = after(FocusRun{first});
  EXPECT_EQ(back->train.step, 4);
  EXPECT_EQ(back->train.learning_rate_scale, 1.0);
  EXPECT_EQ(back->sequence.tokens, before->sequence.tokens);
  EXPECT_EQ(back->next->logits, before->next->logits);
  EXPECT_EQ(card(back, second).step, 6);
}

TEST_F(Bench, AnotherSeedBesideIsTheRunBeforeItsFirstStep) {
  const int first = open_quick()->focused_run;
  train(2);
  const auto other = after(DuplicateRun{first, true});
  EXPECT_EQ(other->train.step, 0);
  EXPECT_EQ(other->train.seed, 2u);
  EXPECT_EQ(card(other, first).step, 2);
  EXPECT_THAT(card(other, other->focused_run).name, HasSubstr("seed 2"));
  const std::uint64_t beside = signature();
  // Once more it is one that no run has, and copies can be told apart.
  EXPECT_EQ(after(DuplicateRun{first, true})->train.seed, 3u);
  EXPECT_EQ(after(Undo{})->runs.size(), 2u);
  const auto copy = after(DuplicateRun{first}), again = after(DuplicateRun{first});
  EXPECT_EQ(card(again, again->focused_run).name, card(copy, copy->focused_run).name + " 2");
  after(Undo{}, Undo{}, FocusRun{other->focused_run});
  after(FocusRun{first}, NewSeed{});
  EXPECT_EQ(signature(), beside) << "as if it had taken the place of the first";
}

TEST_F(Bench, RunsTrainTogetherToTheSameBitsAsAlone) {
  const int first = open_quick()->focused_run;
  train(7);
  const std::uint64_t alone = signature();
  open_quick();
  const int second = after(DuplicateRun{first, true})->focused_run;
  const int third = after(FocusRun{first}, DuplicateRun{first})->focused_run;
  for (const int run : {first, second, third}) after(FocusRun{run}, SetStepLimit{7});
  after(TrainAll{true});
  wait_until([&](const Snapshot& s) {
    return std::all_of(s.runs.begin(), s.runs.end(),
                       [](const auto& run) { return run->state == TrainState::finished; });
  });
  const auto trained = after();
  for (const auto& run : trained->runs) EXPECT_EQ(run->step, 7);
  EXPECT_EQ(signature_of(first), alone);
  EXPECT_EQ(signature_of(third), alone);
  EXPECT_NE(signature_of(second), alone);
}

TEST_F(Bench, TimeIsSharedByTimeNotByStep) {
  const int small = open_quick()->focused_run;
  const int large = after(DuplicateRun{small})->focused_run;
  // A step of this one takes many times as long.
  const auto begun = after(NewRun{"recall", R"({"model": {"embedding_dim": 192, "num_blocks": 2,
                             "mlstm_block": {"mlstm": {"num_heads": 4}}},
                             "train": {"batch_size": 16, "sequence_length": 64}})"});
  ASSERT_EQ(begun->failure.what, "");
  ASSERT_EQ(begun->model->embedding_dim, 192);
  const int rest =
      after(DuplicateRun{small})->focused_run;  // on screen, so that nobody is favoured
  after(TrainRun{small, true}, TrainRun{large, true});
  wait_until([&](const Snapshot& s) {
    for (const auto& run : s.runs)
      if (run->id == large && run->step >= 5) return true;
    return false;
  });
  const auto paused = after(TrainAll{false});
  EXPECT_GT(card(paused, small).step, 3 * card(paused, large).step);
  EXPECT_EQ(card(paused, rest).step, 0) << "it was not told to train";
  for (const auto& run : paused->runs) EXPECT_EQ(run->state, TrainState::idle);
}

TEST_F(Bench, CopiesOfCopiesAreNumberedAndDoNotPileUp) {
  const int first = open_quick()->focused_run;
  const std::string name = card(after(), first).name;
  const auto named = [&](int run) { return card(after(), run).name; };
  const int copy = after(DuplicateRun{first})->focused_run;
  EXPECT_EQ(named(copy), name + ", copy");
  EXPECT_EQ(named(after(DuplicateRun{copy})->focused_run), name + ", copy 2");
  const int seeded = after(DuplicateRun{copy, true})->focused_run;
  EXPECT_TRUE(named(seeded).starts_with(name + ", seed ")) << named(seeded);
  const std::string other = named(after(DuplicateRun{seeded, true})->focused_run);
  EXPECT_EQ(other.find("seed", other.find("seed") + 1), other.npos) << other;
  EXPECT_EQ(named(after(DuplicateRun{seeded})->focused_run), named(seeded) + ", copy");
  // Words of a person's own stay.
  after(RenameRun{first, "First, copy of mine"});
  EXPECT_EQ(named(after(DuplicateRun{first})->focused_run), "First, copy of mine, copy");
}

TEST_F(Bench, WhoTrainedAloneBeforeTrainsOnBesideOthers) {
  const int first = open_quick()->focused_run;
  const auto steps = [&](const Snapshot& s, int id) {
    for (const auto& run : s.runs)
      if (run->id == id) return run->step;
    return std::int64_t{0};
  };
  after(TrainRun{first, true});
  wait_until([&](const Snapshot& s) { return steps(s, first) >= 4000; });
  after(TrainAll{false});
  const int second = after(DuplicateRun{first, true})->focused_run;
  after(DuplicateRun{first});  // on screen, so that nobody is favoured
  const std::int64_t before = steps(*after(), first);
  after(TrainRun{second, true});
  wait_until([&](const Snapshot& s) { return steps(s, second) >= 10; });
  const std::int64_t joined = steps(*after(TrainRun{first, true}), second);
  wait_until([&](const Snapshot& s) { return steps(s, second) >= joined + 100; });
  EXPECT_GT(steps(*after(TrainAll{false}), first), before + 30);
}

TEST_F(Bench, ARunIsRemovedAndComesBack) {
  const int first = open_quick()->focused_run;
  EXPECT_THAT(after(RemoveRun{first})->failure.what, HasSubstr("The last run stays"));
  train(2);
  const int second = after(DuplicateRun{first})->focused_run;
  after(SetPrompt{"b 4 a"});
  train(1);
  const auto before = after();
  const auto removed = after(RemoveRun{second});
  EXPECT_THAT(ids(removed), ElementsAre(first));
  EXPECT_EQ(removed->focused_run, first);
  EXPECT_EQ(removed->train.step, 2);
  EXPECT_EQ(removed->undo_label, "Undo removing a run");
  const auto back = after(Undo{});
  EXPECT_THAT(ids(back), ElementsAre(first, second));
  EXPECT_EQ(back->focused_run, second);
  EXPECT_EQ(back->train.step, 3);
  EXPECT_EQ(back->sequence.tokens, before->sequence.tokens);
  EXPECT_EQ(back->next->logits, before->next->logits);
  EXPECT_THAT(ids(after(Redo{})), ElementsAre(first));
  EXPECT_THAT(ids(after(Undo{})), ElementsAre(first, second));
  // Then what was done before: the prompt, and the duplicate itself.
  EXPECT_EQ(after(Undo{})->undo_label, "Undo duplicate");
  EXPECT_THAT(ids(after(Undo{})), ElementsAre(first));
  const auto again = after(Redo{});
  EXPECT_THAT(ids(again), ElementsAre(first, second));
  EXPECT_EQ(again->train.step, 3) << "it is the run that it was";
}

TEST_F(Bench, AnEditIsTakenBackInTheRunItWasMadeIn) {
  const int first = open_quick()->focused_run;
  const int second = after(DuplicateRun{first})->focused_run;
  after(FocusRun{first}, SetPrompt{"a 1 b"});
  const auto tokens = after()->sequence.tokens;
  after(SetLearningRateScale{0.5}, FocusRun{second}, SetPrompt{"c 5"});
  after(FocusRun{second}, Undo{});
  const auto undone = after(Undo{});
  EXPECT_EQ(undone->focused_run, first) << "what is taken back is seen";
  EXPECT_EQ(undone->train.learning_rate_scale, 1.0);
  EXPECT_EQ(undone->sequence.tokens, tokens);
  EXPECT_EQ(after(FocusRun{second})->train.learning_rate_scale, 1.0);
}

TEST_F(Bench, AVariantIsTakenBackWithTheWeightsOfItsOwnRun) {
  const auto opened = open_quick();
  const int first = opened->focused_run;
  train(2);
  const int second = after(DuplicateRun{first})->focused_run;
  CellVariant other = opened->model->blocks.front().variant;
  other.stabilizer = false;
  after(SetVariant{opened->model->blocks.front().kind, other});
  const std::uint64_t before = signature();
  after(FocusRun{first});
  train(3);
  const std::uint64_t trained = signature();
  after(FocusRun{second});
  train(4);
  EXPECT_NE(signature(), before);
  const auto undone = after(FocusRun{first}, Undo{});
  EXPECT_EQ(undone->focused_run, second);
  EXPECT_EQ(undone->train.step, 2);
  EXPECT_EQ(signature(), before);
  EXPECT_EQ(signature_of(first), trained);
}

TEST_F(Bench, TheWordsOfAnEditAreAboutItsOwnRunWhicheverIsOnScreen) {
  const auto opened = open_quick();
  const int first = opened->focused_run;
  train(2);
  const int second = after(DuplicateRun{first})->focused_run;
  const BlockCard& block = opened->model->blocks.front();
  CellVariant other = block.variant;
  other.stabilizer = false;
  CellVariant third = other;
  third.eps = 0.01f;
  after(SetVariant{block.kind, other}, SetVariant{block.kind, third});
  train(3);
  EXPECT_THAT(after()->undo_label, HasSubstr("with the weights of step 2"));
  // The weights of then are back, so the edit before takes none with it.
  const auto undone = after(Undo{});
  ASSERT_EQ(undone->undo_label.find("weights"), std::string::npos) << undone->undo_label;
  EXPECT_EQ(after(FocusRun{first})->undo_label, undone->undo_label);
  EXPECT_EQ(after()->redo_label, undone->redo_label);
  EXPECT_EQ(after(FocusRun{second})->undo_label, undone->undo_label);
}

TEST_F(Bench, NamesAreGivenTakenBackAndSaved) {
  const int run = open_quick()->focused_run;
  const std::string usual = card(after(), run).name;
  EXPECT_EQ(card(after(RenameRun{run, "Große Gates"}), run).name, "Große Gates");
  after(Save{folder_ / "named.xlab"});
  EXPECT_EQ(load_run(folder_ / "named.xlab")->name, "Große Gates");
  EXPECT_EQ(card(after(Undo{}), run).name, usual);
  EXPECT_EQ(card(after(Redo{}), run).name, "Große Gates");
  EXPECT_THAT(after(RenameRun{run, std::string(300, 'x')})->failure.what, HasSubstr("at most 200"));
  EXPECT_THAT(after(RenameRun{run, "\xff"})->failure.what, HasSubstr("text"));
  EXPECT_THAT(after(FocusRun{77})->failure.what, HasSubstr("no run number 77"));
}

TEST_F(Bench, WhatFailsFailsAlone) {
  const int first = open_quick()->focused_run;
  const auto path = folder_ / "bad.xlab";
  after(Save{path});
  const auto bad = load_run(path);
  bad->model->params().values().data<float>()[0] = std::nanf("");
  save_run(*bad, path);
  const int second = after(DuplicateRun{first})->focused_run;
  after(OpenRun{path, nullptr}, FocusRun{first}, SetStepLimit{30}, TrainAll{true});
  wait_until([&](const Snapshot& s) {
    return std::all_of(s.runs.begin(), s.runs.end(), [](const auto& run) {
      return run->state == TrainState::failed || run->state == TrainState::finished;
    });
  });
  const auto ended = after();
  EXPECT_EQ(card(ended, first).state, TrainState::finished);
  EXPECT_EQ(card(ended, first).failure, "");
  EXPECT_EQ(card(ended, second).state, TrainState::failed);
  EXPECT_THAT(card(ended, second).failure, HasSubstr("not finite"));
  EXPECT_THAT(ended->failure.what, HasSubstr(card(ended, second).name + ": Training paused"));
}

TEST_F(Bench, CardsAreTheSameObjectsWhileNothingInThemChanges) {
  const int first = open_quick()->focused_run;
  const int second = after(DuplicateRun{first})->focused_run;
  const auto before = after();
  const auto later = after(TrainOneStep{});
  EXPECT_EQ(before->runs[0], later->runs[0]) << "nothing happened to it";
  EXPECT_NE(before->runs[1], later->runs[1]);
  EXPECT_FALSE(card(after(ShowCurve{second, false}), second).shown);
  EXPECT_TRUE(card(after(), first).shown);
}

TEST_F(Bench, WhatIsOpenedBesideLeavesTheOthersAlone) {
  const int first = open_quick()->focused_run;
  train(2);
  after(Save{folder_ / "first.xlab"});
  const auto beside = after(NewRun{.task = "copy", .spec_json = quick_spec(), .beside = true});
  ASSERT_EQ(beside->failure.what, "");
  ASSERT_EQ(beside->runs.size(), 2u);
  EXPECT_EQ(beside->data->task, "copy");
  EXPECT_EQ(card(beside, first).step, 2);
  const auto opened = after(OpenRun{.path = folder_ / "first.xlab", .bytes = {}, .beside = true});
  ASSERT_EQ(opened->runs.size(), 3u);
  EXPECT_EQ(opened->train.step, 2);
  EXPECT_EQ(opened->run_path, folder_ / "first.xlab");
  EXPECT_EQ(opened->undo_label, "Undo opening a run");
  EXPECT_EQ(after(Undo{})->runs.size(), 2u);
  EXPECT_EQ(ids(after(Undo{})), std::vector<int>{first});
}

TEST_F(Bench, ThereIsRoomForThirtyTwo) {
  const int first = open_quick()->focused_run;
  for (int i = 1; i < 32; ++i) after(DuplicateRun{first});
  const auto full = after();
  ASSERT_EQ(full->runs.size(), 32u);
  std::vector<int> used(RunCard::kColours);
  for (const auto& run : full->runs) ++used[static_cast<std::size_t>(run->colour)];
  EXPECT_THAT(used, testing::Each(4));
  EXPECT_THAT(after(DuplicateRun{first})->failure.what, HasSubstr("32 runs"));
}

}  // namespace
}  // namespace xlab::tests
