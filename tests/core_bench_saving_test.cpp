// The engine and the file of a bench: all runs go into it and come back, by which command whatever
// is saved where, and nothing that is open is lost for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/bench_file.hpp"
#include "core/keeping/lost_runs.hpp"
#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class BenchSaving : public EngineStage {
 protected:
  static const RunCard& card(const SnapshotPtr& snapshot, int id) {
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
  static std::vector<std::string> names(const SnapshotPtr& snapshot) {
    std::vector<std::string> all;
    for (const auto& run : snapshot->runs) all.push_back(run->name);
    return all;
  }
  /// Three runs of which no two are alike; the second one is on screen.
  std::vector<int> open_three() {
    open_quick("recall");
    train(3);
    const int first = after(SetPrompt{"a 1 b 2 a"}, SetClamp{clamp(0, -2.5f)})->focused_run;
    after(RenameRun{first, "Große Gates"}, SetScreen{R"({"room": "generate"})"});
    const auto spec = R"({"model": {"embedding_dim": 24, "num_blocks": 2, "mlstm_block":
        {"mlstm": {"num_heads": 4}}}, "train": {"batch_size": 3, "sequence_length": 11}})";
    const int second = after(NewRun{"copy", spec, false, true})->focused_run;
    train(2);
    after(SetClamp{clamp(1, 0.75f)}, SetClamp{clamp(2, 1.25f)}, SetCursor{4},
          SetSampler{{.greedy = false, .temperature = 0.7, .seed = 11}},
          SetScreen{R"({"room": "train"})"});
    const int third = after(NewRun{"parity", quick_spec(), false, true})->focused_run;
    EXPECT_EQ(after(ShowCurve{third, false}, FocusRun{second})->failure.what, "");
    return {first, second, third};
  }
  static Clamp clamp(int head, float value) {
    return {"block0/mlstm/forget_gate_pre", head % 2, 0, head, head + 3, value, head != 2};
  }
  std::uint64_t signature_of(int run) {
    after(FocusRun{run});
    const auto path = folder_ / "one.xlab";
    after(DuplicateRun{run}, Save{path});
    const std::uint64_t weights = load_run(path)->model->params().signature();
    after(Undo{}, FocusRun{run});
    return weights;
  }

  std::string bench_ = folder_ / "bench.xlab";
};

TEST_F(BenchSaving, TheWholeBenchComesBack) {
  const std::vector<int> runs = open_three();
  const auto before = after(SaveBench{bench_});
  ASSERT_EQ(before->failure.what, "");
  EXPECT_THAT(before->notice, HasSubstr("Saved 3 runs to " + bench_));
  std::map<int, SnapshotPtr> seen;
  for (const int run : runs) seen[run] = after(FocusRun{run});
  for (const auto& run : before->runs) {
    EXPECT_FALSE(run->unsaved);
    EXPECT_EQ(run->path, bench_);
  }
  Engine other({}, "cpu");
  const auto there = [&](auto... commands) {
    (other.send(std::move(commands)), ...);
    other.flush();
    return other.snapshot();
  };
  const auto opened = there(OpenRun{bench_, nullptr});
  ASSERT_EQ(opened->failure.what, "");
  ASSERT_EQ(opened->runs.size(), 3u);
  EXPECT_EQ(opened->focused_run, opened->runs[1]->id) << "the one that was on screen";
  EXPECT_TRUE(opened->file_holds_bench);
  EXPECT_FALSE(opened->unsaved);
  ASSERT_NE(opened->screen, nullptr);
  EXPECT_EQ(*opened->screen, R"({"room": "train"})");
  EXPECT_FALSE(opened->only_selected) << "the layout comes back";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    SCOPED_TRACE(i);
    const RunCard &was = card(before, runs[i]), &is = *opened->runs[i];
    EXPECT_EQ(is.name, was.name);
    EXPECT_EQ(is.colour, was.colour);
    EXPECT_EQ(is.shown, was.shown);
    EXPECT_EQ(is.step, was.step);
    EXPECT_EQ(is.loss, was.loss);
    EXPECT_EQ(is.path, bench_);
    const auto same = there(FocusRun{is.id}), old = seen[runs[i]];
    EXPECT_EQ(same->sequence.tokens, old->sequence.tokens);
    EXPECT_EQ(same->sequence.clamps, old->sequence.clamps);
    EXPECT_EQ(same->sequence.cursor, old->sequence.cursor);
    EXPECT_EQ(same->sequence.sampler, old->sequence.sampler);
    EXPECT_EQ(same->next->logits, old->next->logits);
    // Training goes on as if nothing had been.
    there(TrainOneStep{}, Save{folder_ / "theirs.xlab"});
    after(FocusRun{runs[i]}, TrainOneStep{}, Save{folder_ / "mine.xlab"});
    EXPECT_EQ(load_run(folder_ / "theirs.xlab")->model->params().signature(),
              load_run(folder_ / "mine.xlab")->model->params().signature());
  }
}

TEST_F(BenchSaving, SaveWritesAllRunsWhereTheFileHoldsAll) {
  const std::vector<int> runs = open_three();
  EXPECT_FALSE(after()->file_holds_bench);
  const auto refused = after(Save{});
  EXPECT_THAT(refused->failure.what, HasSubstr("no file yet"));
  after(SaveBench{bench_});
  after(FocusRun{runs[0]}, TrainOneStep{}, FocusRun{runs[2]}, SetPrompt{"0 1 1"});
  EXPECT_TRUE(card(after(), runs[0]).unsaved);
  const auto saved = after(Save{});
  ASSERT_EQ(saved->failure.id, refused->failure.id) << saved->failure.what;
  for (const auto& run : saved->runs) EXPECT_FALSE(run->unsaved) << run->name;
  const OpenedBench opened = load_bench(read_safetensors(bench_));
  EXPECT_EQ(opened.runs[0].run->trainer->steps_done(), 4);
  EXPECT_EQ(opened.runs[2].run->sequence->tokens().size(), 3u);
  EXPECT_EQ(opened.focus, 2);
}

TEST_F(BenchSaving, WhatIsBegunBesideBelongsToTheFileAndWhatHasOneKeepsIt) {
  const std::vector<int> runs = open_three();
  after(SaveBench{bench_});
  const int copy = after(DuplicateRun{runs[0]})->focused_run;
  EXPECT_EQ(card(after(), copy).path, bench_);
  EXPECT_TRUE(card(after(), copy).unsaved) << "it is not in there yet";
  after(FocusRun{runs[2]});
  const std::string own = folder_ / "own.xlab";
  const auto alone = after(TrainOneStep{}, Save{own});
  EXPECT_EQ(card(alone, runs[2]).path, own);
  EXPECT_FALSE(alone->file_holds_bench);
  EXPECT_EQ(load_bench(read_safetensors(bench_)).runs.size(), 3u) << "the bench was not touched";
  // It is saved in both from now on, and its own file is its own.
  after(TrainOneStep{});
  EXPECT_EQ(after(FocusRun{copy}, Save{})->failure.what, "");
  const OpenedBench all = load_bench(read_safetensors(bench_));
  ASSERT_EQ(all.runs.size(), 4u);
  EXPECT_EQ(all.runs[3].run->trainer->steps_done(), 2);
  EXPECT_EQ(card(after(), runs[2]).path, own);
  EXPECT_FALSE(card(after(), copy).unsaved);
  after(FocusRun{runs[2]}, Save{});
  EXPECT_EQ(load_run(own)->trainer->steps_done(), 2);
  // Asked for by name, the file is that of all.
  after(SaveBench{folder_ / "other.xlab"});
  for (const auto& run : after()->runs) EXPECT_EQ(run->path, folder_ / "other.xlab");
}

TEST_F(BenchSaving, OneRunIsNeverWrittenOverTheFileOfAll) {
  const std::vector<int> runs = open_three();
  after(SaveBench{bench_}, TrainOneStep{}, Save{bench_});
  EXPECT_EQ(load_bench(read_safetensors(bench_)).runs.size(), 3u);
  after(TrainOneStep{}, Save{bench_});
  const OpenedBench opened = load_bench(read_safetensors(bench_));
  ASSERT_EQ(opened.runs.size(), 3u);
  EXPECT_EQ(opened.runs[1].run->trainer->steps_done(), 4);
}

TEST_F(BenchSaving, ARunIsNotWrittenOverTheFileThatAnotherOpenOneIsIn) {
  open_quick("recall");
  train(2);
  const std::string path = folder_ / "one.xlab";
  const int first = after(RenameRun{after()->focused_run, "Left"}, Save{path})->focused_run;
  const int second = after(OpenRun{.path = path, .bytes = {}, .beside = true})->focused_run;
  ASSERT_NE(second, first);
  train(1);
  const auto refused = after(Save{});
  EXPECT_THAT(refused->failure.what, AllOf(HasSubstr("'Left'"), HasSubstr("Save as")));
  EXPECT_TRUE(refused->unsaved);
  EXPECT_EQ(load_run(path)->trainer->steps_done(), 2);
  // Once the other one has work that is in no file, it has its own reasons to save.
  after(FocusRun{first}, TrainOneStep{}, TrainOneStep{}, FocusRun{second});
  EXPECT_EQ(after(Save{})->failure.id, refused->failure.id);
  EXPECT_EQ(load_run(path)->trainer->steps_done(), 3);
  EXPECT_TRUE(card(after(), first).unsaved);
  // Now that one would be written over.
  EXPECT_NE(after(FocusRun{first}, Save{})->failure.id, refused->failure.id);
  EXPECT_EQ(load_run(path)->trainer->steps_done(), 3);
  // By name a person may.
  after(Save{path});
  EXPECT_EQ(load_run(path)->trainer->steps_done(), 4);
}

TEST_F(BenchSaving, ABenchThatAnotherProgramChangedIsNotOverwritten) {
  open_three();
  after(SaveBench{bench_}, TrainOneStep{});
  std::filesystem::remove(bench_);
  put_file(bench_, "something else");
  EXPECT_THAT(after(Save{})->failure.what, HasSubstr("changed by another program"));
  EXPECT_TRUE(after()->unsaved);
  EXPECT_EQ(bytes_of_file(bench_), "something else");
}

TEST_F(BenchSaving, OpeningABenchTakesThePlaceOfAllAndUndoBringsThemBack) {
  open_three();
  after(SaveBench{bench_}, TrainAll{false});
  const auto saved = after();
  // Other runs, with work in no file.
  const int first = open_quick("recall")->focused_run;
  for (const auto& run : saved->runs)
    if (run->id != first) after(RemoveRun{run->id});
  train(5);
  const int twin = after(DuplicateRun{first})->focused_run;
  const auto before = after(SetPrompt{"b 4 a"}, FocusRun{twin});
  ASSERT_THAT(ids(before), ElementsAre(first, twin));
  const auto opened = after(OpenRun{bench_, nullptr});
  ASSERT_EQ(opened->failure.what, "");
  EXPECT_EQ(names(opened), names(saved));
  EXPECT_EQ(opened->undo_label, "Undo opening runs");
  const auto back = after(Undo{});
  EXPECT_THAT(ids(back), ElementsAre(first, twin));
  EXPECT_EQ(back->focused_run, twin);
  EXPECT_EQ(back->train.step, 5);
  EXPECT_EQ(back->sequence.tokens, before->sequence.tokens);
  EXPECT_EQ(back->next->logits, before->next->logits);
  EXPECT_EQ(back->undo_label, before->undo_label);
  EXPECT_TRUE(back->unsaved);
  EXPECT_EQ(names(after(Redo{})), names(saved));
  EXPECT_TRUE(after()->file_holds_bench);
  after(Undo{}, Undo{});
  EXPECT_NE(after()->sequence.tokens, before->sequence.tokens) << "what was done before it, too";
}

TEST_F(BenchSaving, ABenchOpenedBesideIsAddedWholeOrNotAtAll) {
  const std::vector<int> runs = open_three();
  after(SaveBench{bench_}, FocusRun{runs[0]}, Save{folder_ / "first.xlab"});
  after(RemoveRun{runs[1]}, RemoveRun{runs[2]});
  const auto added = after(OpenRun{bench_, nullptr, true});
  ASSERT_EQ(added->failure.what, "");
  EXPECT_THAT(names(added), ElementsAre("Große Gates", "Große Gates", "Copy", "Parity"));
  EXPECT_EQ(added->focused_run, added->runs[2]->id);
  EXPECT_EQ(added->runs[2]->path, "") << "the file stays as it is";
  EXPECT_FALSE(added->file_holds_bench);
  // What their file can undo comes first.
  while (after()->undo_label.find("opening runs") == std::string::npos) after(Undo{});
  EXPECT_EQ(after()->runs.size(), 4u);
  EXPECT_THAT(ids(after(Undo{})), ElementsAre(runs[0])) << "in one step";
  EXPECT_EQ(after()->focused_run, runs[0]);
  EXPECT_EQ(after(Redo{})->runs.size(), 4u);
  while (after()->runs.size() < 30) after(DuplicateRun{runs[0]});
  const auto refused = after(OpenRun{bench_, nullptr, true});
  EXPECT_THAT(refused->failure.what, HasSubstr("There are 30 runs already, and 3 more do not fit"));
  EXPECT_EQ(refused->runs.size(), 30u);
}

TEST_F(BenchSaving, ADamagedBenchChangesNothing) {
  const std::vector<int> runs = open_three();
  after(SaveBench{bench_});
  std::string bytes = bytes_of_file(bench_);
  bytes.replace(bytes.find("\\\"focus\\\":2"), 11, "\\\"focus\\\":9");
  put_file(folder_ / "bad.xlab", bytes);
  const auto refused = after(OpenRun{folder_ / "bad.xlab", nullptr});
  EXPECT_THAT(refused->failure.what, AllOf(HasSubstr("bad.xlab"), HasSubstr("'focus'")));
  EXPECT_EQ(ids(refused), runs);
  EXPECT_EQ(refused->run_path, bench_);
}

TEST_F(BenchSaving, WhatCannotBeWrittenStaysUnsaved) {
  open_three();
  const auto failed = after(SaveBench{folder_ / "no" / "such" / "bench.xlab"});
  EXPECT_EQ(failed->failure.where, "save");
  EXPECT_THAT(failed->failure.what, HasSubstr("bench.xlab"));
  EXPECT_EQ(failed->run_path, "");
  EXPECT_TRUE(failed->unsaved);
  EXPECT_EQ(failed->saves, 0u);
}

TEST_F(BenchSaving, RunsThatTrainMeanwhileAreSavedAtOneOfTheirSteps) {
  const int first = open_quick()->focused_run;
  const int second = after(DuplicateRun{first, true})->focused_run;
  after(DuplicateRun{first}, TrainAll{true});
  wait_until([](const Snapshot& s) {
    return std::all_of(s.runs.begin(), s.runs.end(), [](const auto& run) { return run->step > 5; });
  });
  engine_.send(SaveBench{bench_});
  wait_until([](const Snapshot& s) { return s.saves == 1; });
  const auto saved = engine_.snapshot();
  // Which of them trains when is a matter of time.
  wait_until([&](const Snapshot& s) {
    return std::equal(s.runs.begin(), s.runs.end(), saved->runs.begin(),
                      [](const auto& a, const auto& b) { return a->step > b->step + 5; });
  });
  after(TrainAll{false});
  const OpenedBench opened = load_bench(read_safetensors(bench_));
  ASSERT_EQ(opened.runs.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    SCOPED_TRACE(i);
    const auto& run = *opened.runs[i].run;
    EXPECT_GT(run.trainer->steps_done(), 5);
    RunSpec spec = run_spec_from_json(quick_spec());
    // In the place behind the first run stands what was made of it last.
    spec.train->seed = run.trainer->spec().seed;
    const auto alone = make_run(make_task("recall"), spec);
    while (alone->trainer->steps_done() < run.trainer->steps_done()) alone->train_step();
    EXPECT_EQ(run.model->params().signature(), alone->model->params().signature());
    EXPECT_EQ(run.losses.size(), static_cast<std::size_t>(run.trainer->steps_done()));
  }
  EXPECT_TRUE(card(after(), second).unsaved) << "what was trained since is in no file";
}

TEST_F(BenchSaving, AnUndoneRemovalBelongsToTheFileAgain) {
  const std::vector<int> runs = open_three();
  after(SaveBench{bench_});
  after(RemoveRun{runs[2]});
  EXPECT_EQ(after(FocusRun{runs[0]}, Save{})->failure.what, "");
  EXPECT_EQ(load_bench(read_safetensors(bench_)).runs.size(), 2u);
  const auto back = after(Undo{});
  EXPECT_EQ(ids(back), runs);
  EXPECT_TRUE(card(back, runs[2]).unsaved) << "the file was written without it";
  EXPECT_EQ(after(Save{})->failure.what, "");
  EXPECT_EQ(load_bench(read_safetensors(bench_)).runs.size(), 3u);
}

TEST_F(BenchSaving, WithARunRemovedTheFileHoldsSomethingElse) {
  const std::vector<int> runs = open_three();
  EXPECT_FALSE(after(SaveBench{bench_})->unsaved);
  auto removed = after(RemoveRun{runs[0]});
  EXPECT_TRUE(removed->unsaved) << "the one on screen tells it";
  EXPECT_FALSE(card(removed, runs[2]).unsaved) << "one is enough: saving it writes all";
  EXPECT_FALSE(after(Save{})->unsaved);
  // The run on screen goes itself: another one tells it.
  removed = after(RemoveRun{runs[1]});
  EXPECT_EQ(removed->focused_run, runs[2]);
  EXPECT_TRUE(removed->unsaved);
  // Runs that are in no such file have nothing to do with it.
  after(SaveBench{bench_}, NewRun{"parity", quick_spec(), false, true});
  const int alone = after(Save{folder_ / "alone.xlab"})->focused_run;
  EXPECT_FALSE(card(after(RemoveRun{alone}), runs[2]).unsaved);
  // A bench that was replaced comes back as its file has it.
  const auto saved = after(FocusRun{runs[2]}, SaveBench{bench_});
  after(OpenRun{.path = bench_});
  const auto back = after(Undo{});
  EXPECT_EQ(ids(back), ids(saved));
  EXPECT_FALSE(back->unsaved);
}

TEST_F(BenchSaving, WhatIsInTheFileIsWhatCountsAsSaved) {
  const std::vector<int> runs = open_three();
  const auto any_unsaved = [](const SnapshotPtr& s) {
    return std::any_of(s->runs.begin(), s->runs.end(),
                       [](const auto& run) { return run->unsaved; });
  };
  ASSERT_FALSE(any_unsaved(after(SaveBench{bench_})));
  // A duplicate that was taken back was never in the file.
  EXPECT_TRUE(any_unsaved(after(DuplicateRun{runs[1]})));
  EXPECT_FALSE(any_unsaved(after(Undo{})));
  // A run that another one takes the place of is, and the others tell that it goes.
  const auto replaced = after(NewRun{"parity", quick_spec()});
  EXPECT_TRUE(any_unsaved(replaced));
  EXPECT_FALSE(card(replaced, replaced->focused_run).unsaved) << "a new run is nothing to lose";
  EXPECT_EQ(after(Undo{})->failure.what, "");
  // Who shares a sequence is in the file too.
  const auto quick = after(SaveBench{bench_}, FocusRun{runs[0]}, DuplicateRun{runs[0]});
  const int twin = quick->focused_run;
  after(FocusRun{runs[0]}, SaveBench{bench_});
  EXPECT_TRUE(card(after(FollowSequence{twin, true}), twin).unsaved);
  ASSERT_FALSE(any_unsaved(after(SaveBench{bench_})));
  EXPECT_TRUE(card(after(FollowSequence{twin, false}), twin).unsaved);
}

TEST_F(BenchSaving, AFileIsTheSameByEveryName) {
  const std::string path = folder_ / "run.xlab", link = folder_ / "link.xlab";
  open_quick();
  const int first = after(Save{path})->focused_run;
  std::filesystem::create_symlink(path, link);
  const int second = after(OpenRun{.path = link, .beside = true})->focused_run;
  ASSERT_NE(first, second);
  EXPECT_THAT(after(TrainOneStep{}, Save{})->failure.what, HasSubstr("which is open too"));
  // Asked for by name it is written over, and the other one knows.
  const auto named = after(Save{link});
  EXPECT_FALSE(card(named, second).unsaved);
  EXPECT_TRUE(card(named, first).unsaved);
}

TEST_F(BenchSaving, ASaveIsKnownByItsTicket) {
  open_quick();
  EXPECT_EQ(after(Save{folder_ / "run.xlab", 7})->saved, 7u);
  EXPECT_EQ(after(SaveBench{bench_, 9})->saved, 9u);
  EXPECT_EQ(after(Save{folder_ / "no/such/folder.xlab", 11})->saved, 9u);
}

TEST_F(BenchSaving, WhatACrashLeftStandsAsItStood) {
  const auto root = folder_ / "kept";
  SnapshotPtr before;
  {
    Engine engine({}, "cpu", {.root = root});
    const auto go = [&](auto... commands) {
      (engine.send(std::move(commands)), ...);
      engine.flush();
      return engine.snapshot();
    };
    const int first = go(NewRun{"recall", quick_spec()})->focused_run;
    const int second = go(DuplicateRun{first})->focused_run;
    const int third = go(DuplicateRun{first, true})->focused_run;
    const int other = go(NewRun{"copy", quick_spec(), false, true})->focused_run;
    // Worked on, and so kept, in another order than they stand in; two share a sequence.
    for (const int run : {other, second, third, first}) go(FocusRun{run}, TrainOneStep{});
    go(FocusRun{third}, FollowSequence{first}, ShowCurve{second, false}, SetCursor{3});
    before = go(SetPrompt{"a 1 b 2 a"});
    EXPECT_EQ(engine.keep_and_stop({}, true), "");
  }
  const auto reopened_from = [&](const LostRuns& lost) {
    std::vector<KeptRun> runs;
    for (const LostRun& run : lost.runs) runs.push_back(run.about());
    std::ranges::sort(runs, {}, [](const KeptRun& run) { return run.stood->place; });
    ReopenRuns reopen;
    for (const KeptRun& run : runs) reopen.kept.push_back(run.file.string());
    return reopen;
  };
  const LostRuns lost = claim_lost_runs(root);
  ASSERT_EQ(lost.runs.size(), 4u);
  for (const LostRun& run : lost.runs) ASSERT_TRUE(run.about().stood);
  ReopenRuns reopen = reopened_from(lost);
  // One more that cannot be read keeps no other one away.
  reopen.kept.insert(reopen.kept.begin() + 1, folder_ / "none.xlab");
  const auto back = after(reopen);
  EXPECT_THAT(back->failure.what, HasSubstr("none.xlab"));
  ASSERT_EQ(names(back), names(before));
  for (std::size_t i = 0; i < back->runs.size(); ++i) {
    EXPECT_EQ(back->runs[i]->colour, before->runs[i]->colour) << i;
    EXPECT_EQ(back->runs[i]->shown, before->runs[i]->shown) << i;
    EXPECT_EQ(back->runs[i]->step, before->runs[i]->step) << i;
    EXPECT_EQ(back->runs[i]->sequence != 0, before->runs[i]->sequence != 0) << i;
    EXPECT_EQ(back->runs[i]->id == back->focused_run, before->runs[i]->id == before->focused_run)
        << i;
    EXPECT_TRUE(back->runs[i]->unsaved);
  }
  EXPECT_EQ(back->followers.size(), 1u);
  EXPECT_EQ(back->sequence.tokens, before->sequence.tokens);
}

TEST_F(BenchSaving, RunsOfSeveralSessionsAreToldApart) {
  const auto root = folder_ / "kept";
  for (int session = 0; session < 2; ++session) {
    Engine engine({}, "cpu", {.root = root});
    engine.send(NewRun{"recall", quick_spec()});
    engine.send(TrainOneStep{});
    engine.flush();
    EXPECT_EQ(engine.keep_and_stop({}, true), "");
  }
  const LostRuns lost = claim_lost_runs(root);
  ASSERT_EQ(lost.runs.size(), 2u);
  // Of one of them nobody knows how it stood.
  std::filesystem::remove(lost.runs[0].about().file.parent_path() / "bench.json");
  // Nothing is open yet: there is nothing that they could stand beside.
  const auto back = after(
      ReopenRuns{.kept = {lost.runs[0].about().file.string(), lost.runs[1].about().file.string()},
                 .beside = true});
  EXPECT_EQ(back->failure.what, "");
  ASSERT_EQ(back->runs.size(), 2u);
  EXPECT_NE(back->runs[0]->colour, back->runs[1]->colour);
  // Beside others they get colours that nobody has.
  const auto more = after(NewRun{"copy", quick_spec(), false, true});
  EXPECT_EQ(more->runs.size(), 3u);
}

TEST_F(BenchSaving, ALostRunOfABenchIsNotWrittenOverTheOthers) {
  const auto root = folder_ / "kept";
  {
    Engine engine({}, "cpu", {.root = root, .interval = std::chrono::milliseconds(40)});
    const auto go = [&](auto... commands) {
      (engine.send(std::move(commands)), ...);
      engine.flush();
      return engine.snapshot();
    };
    go(NewRun{"recall", quick_spec()});
    const int first = go()->focused_run;
    go(DuplicateRun{first}, SaveBench{bench_}, TrainOneStep{}, TrainOneStep{});
    const auto kept = [&] {
      std::error_code error;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(root, error))
        if (entry.path().filename().string().starts_with("run-")) return true;
      return false;
    };
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!kept() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  }  // as in a crash
  LostRuns lost = claim_lost_runs(root);
  ASSERT_EQ(lost.runs.size(), 1u);
  EXPECT_TRUE(lost.runs[0].about().in_bench);
  EXPECT_EQ(lost.runs[0].about().run_path, bench_);
  const auto reopened = after(ReopenRuns{{lost.runs[0].about().file.string()}});
  ASSERT_EQ(reopened->failure.what, "");
  EXPECT_GT(reopened->train.step, 0);
  EXPECT_EQ(reopened->run_path, "");
  EXPECT_THAT(after(Save{})->failure.what, HasSubstr("no file yet"));
  EXPECT_EQ(load_bench(read_safetensors(bench_)).runs.size(), 2u);
}

}  // namespace
}  // namespace xlab::tests
