// Work that nobody saved: kept while it is made, offered after a crash, reopened, and never in the
// way of what somebody else keeps.
#include "core/keeping/autosave.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <functional>
#include <future>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/keeping/kept_runs.hpp"
#include "core/keeping/lost_runs.hpp"
#include "core/keeping/open_notes.hpp"
#include "core/keeping/session_folder.hpp"
#include "tests/failing_memory.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using SnapshotPtr = std::shared_ptr<const Snapshot>;
namespace fs = std::filesystem;

constexpr auto kLongestWait = std::chrono::seconds(60);

std::string mixed_spec() {
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  spec.train = TrainSpec{.batch_size = 2, .sequence_length = 8, .warmup_steps = 2};
  return "{\"model\": " + to_json(*spec.model) + ", \"train\": " + to_json(*spec.train) + "}";
}

/// One instance of the program, as far as the engine goes.
class Instance {
 public:
  explicit Instance(const fs::path& root, milliseconds interval = milliseconds(100))
      : engine_(
            [this] {
              const std::lock_guard lock(mutex_);
              ++published_;
              changed_.notify_all();
            },
            "cpu", Keeping{root, interval}) {}

  template <typename... Commands>
  SnapshotPtr after(Commands... commands) {
    (engine_.send(std::move(commands)), ...);
    engine_.flush();
    return engine_.snapshot();
  }
  SnapshotPtr open_small(const std::string& task = "recall") {
    return after(NewRun{task, mixed_spec()});
  }
  SnapshotPtr train_to(std::int64_t step) {
    engine_.send(Train{});
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kLongestWait,
                                  [&] { return engine_.snapshot()->train.step >= step; }));
    lock.unlock();
    return after(Pause{});
  }
  Engine& engine() { return engine_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t published_ = 0;
  Engine engine_;
};

class KeptWork : public testing::Test {
 protected:
  /// Waits until `wanted` is true of what lies there.
  static bool eventually(const std::function<bool()>& wanted) {
    const auto until = std::chrono::steady_clock::now() + kLongestWait;
    while (!wanted()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return true;
  }
  /// Files of kept runs, of living sessions too.
  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(root_, error)) {
      if (entry.path().extension() == ".xlab") found.push_back(entry.path());
    }
    return found;
  }
  /// A session that crashed with this much training.
  void crash_at(std::int64_t step, const std::string& task = "recall") {
    const std::vector<fs::path> before = files();
    Instance lost(root_);
    lost.open_small(task);
    lost.train_to(step);
    ASSERT_TRUE(eventually([&] {
      for (const fs::path& file : files()) {
        const bool old = std::find(before.begin(), before.end(), file) != before.end();
        if (!old && about_kept_run(file).step >= step) return true;
      }
      return false;
    }));
  }

  TemporaryFolder folder_;
  fs::path root_ = folder_ / "state";
};

TEST_F(KeptWork, TrainingIsKeptWhileItGoesOn) {
  std::int64_t reached = 0;
  {
    Instance lost(root_);
    lost.open_small();
    lost.engine().send(Train{});
    ASSERT_TRUE(eventually([&] { return files().size() == 2; }));
    reached = lost.after(Pause{})->train.step;
  }
  LostRuns found = claim_lost_runs(root_);
  EXPECT_THAT(found.problems, IsEmpty());
  ASSERT_EQ(found.runs.size(), 1u);
  const KeptRun& about = found.runs[0].about();
  EXPECT_EQ(about.title, "Associative recall");
  EXPECT_EQ(about.run_path, "");
  EXPECT_GT(about.step, 0);
  EXPECT_LE(about.step, reached);
  const Reopened reopened = load_kept_run(about.file);
  EXPECT_EQ(reopened.run->trainer->steps_done(), about.step);
  // The copy was taken between two steps: it is the run at that step, to the bit.
  const auto alone = make_run(make_task("recall"), run_spec_from_json(mixed_spec()));
  while (alone->trainer->steps_done() < about.step) alone->train_step();
  EXPECT_EQ(reopened.run->model->params().signature(), alone->model->params().signature());
  EXPECT_EQ(
      std::memcmp(reopened.run->trainer->second_moment().raw(),
                  alone->trainer->second_moment().raw(), alone->trainer->second_moment().bytes()),
      0);
  EXPECT_EQ(reopened.run->losses.size(), static_cast<std::size_t>(about.step));
}

TEST_F(KeptWork, AChangeByHandIsKeptWithoutTraining) {
  Instance here(root_, milliseconds(2000));
  here.open_small();
  here.after(SetPrompt{"a 3 b 4"}, SetCursor{2}, SetScreen{"{\"version\":1}"});
  ASSERT_TRUE(eventually([&] { return files().size() == 1; }));
  const Reopened reopened = load_kept_run(files()[0]);
  EXPECT_EQ(reopened.run->sequence->length(), 4);
  EXPECT_EQ(reopened.run->screen, "{\"version\":1}");
  EXPECT_EQ(reopened.run->cursor, 2);
}

TEST_F(KeptWork, LookingAroundIsNoWork) {
  Instance here(root_, milliseconds(20));
  here.open_small();
  here.after(SetCursor{1}, StepBack{}, Focus{0}, SetScreen{"{}"});
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(KeptWork, WhatIsSavedIsNotKeptAndNothingIsOffered) {
  {
    Instance here(root_);
    here.open_small();
    here.train_to(3);
    ASSERT_TRUE(eventually([&] { return !files().empty(); }));
    here.after(Save{folder_ / "run.xlab"});
    EXPECT_TRUE(eventually([&] { return files().empty(); }));
    EXPECT_EQ(here.engine().keep_and_stop(), "");
  }
  EXPECT_THAT(claim_lost_runs(root_).runs, IsEmpty());
  EXPECT_THAT(kept_runs(root_).runs, IsEmpty());
  EXPECT_TRUE(fs::is_empty(root_ / "sessions") || !fs::exists(root_ / "sessions/000001"));
}

TEST_F(KeptWork, AnOrderlyEndKeepsWhatIsNotSavedAndOffersNothing) {
  {
    Instance here(root_, std::chrono::hours(1));
    here.open_small("parity");
    here.train_to(5);
    EXPECT_EQ(here.engine().keep_and_stop(), "");
  }
  EXPECT_THAT(claim_lost_runs(root_).runs, IsEmpty());
  const KeptRuns kept = kept_runs(root_);
  ASSERT_EQ(kept.runs.size(), 1u);
  EXPECT_EQ(kept.runs[0].title, "Parity");
  EXPECT_GE(kept.runs[0].step, 5);
  EXPECT_FALSE(kept.runs[0].replaced);
}

TEST_F(KeptWork, AnEndThatNobodyAskedForOffersWhatIsNotSaved) {
  {
    Instance here(root_, std::chrono::hours(1));
    here.open_small("parity");
    here.train_to(5);
    EXPECT_EQ(here.engine().keep_and_stop({}, true), "");
  }
  const LostRuns lost = claim_lost_runs(root_);
  ASSERT_EQ(lost.runs.size(), 1u);
  EXPECT_EQ(lost.runs[0].about().title, "Parity");
  EXPECT_GE(lost.runs[0].about().step, 5);
}

TEST_F(KeptWork, NoSessionOverwritesAnother) {
  for (const int step : {3, 5, 7}) crash_at(step);
  const KeptRuns kept = kept_runs(root_);
  ASSERT_EQ(kept.runs.size(), 3u);
  EXPECT_GE(kept.runs[0].step, 7);
  EXPECT_GE(kept.runs[1].step, 5);
  EXPECT_GE(kept.runs[2].step, 3);
}

TEST_F(KeptWork, AReplacedRunIsKeptAtOnce) {
  Instance here(root_, std::chrono::hours(1));
  here.open_small();
  const auto trained = here.train_to(4);
  here.open_small("copy");
  ASSERT_TRUE(eventually([&] { return kept_runs(root_).runs.size() == 1; }));
  const KeptRun run = kept_runs(root_).runs[0];
  EXPECT_TRUE(run.replaced);
  EXPECT_EQ(run.title, "Associative recall");
  EXPECT_EQ(run.step, trained->train.step);
  // Restarting replaces a run too, and what replaced another one may be replaced.
  here.after(TrainOneStep{}, RestartRun{});
  ASSERT_TRUE(eventually([&] { return kept_runs(root_).runs.size() == 2; }));
  EXPECT_EQ(kept_runs(root_).runs[0].title, "Copy");
  EXPECT_EQ(kept_runs(root_).runs[0].step, 1);
  // It comes back, goes on, and is replaced by nothing on the way.
  const auto back = here.after(ReopenRuns{{run.file.string()}});
  EXPECT_EQ(back->failure.what, "");
  EXPECT_EQ(back->train.step, trained->train.step);
  EXPECT_EQ(back->next->logits, here.after()->next->logits);
  EXPECT_TRUE(back->unsaved);
  EXPECT_EQ(back->run_path, "");
}

TEST_F(KeptWork, ASavedRunWhoseFileIsWrittenOverIsKept) {
  const auto file = folder_ / "run.xlab";
  Instance here(root_, std::chrono::hours(1));
  here.open_small();
  const auto trained = here.train_to(6);
  here.after(Save{file}, RestartRun{});
  here.after(TrainOneStep{});
  EXPECT_THAT(kept_runs(root_).runs, IsEmpty()) << "the file has it still";
  EXPECT_EQ(here.after(Save{})->failure.what, "");
  ASSERT_TRUE(eventually([&] { return kept_runs(root_).runs.size() == 1; }));
  EXPECT_EQ(kept_runs(root_).runs[0].step, trained->train.step);
  EXPECT_TRUE(kept_runs(root_).runs[0].replaced);
}

TEST_F(KeptWork, AReplacedRunIsNotWhatACrashOffers) {
  {
    Instance lost(root_, milliseconds(20));
    lost.open_small();
    lost.train_to(4);
    lost.open_small("copy");
    ASSERT_TRUE(eventually([&] { return kept_runs(root_).runs.size() == 1; }));
  }
  EXPECT_THAT(claim_lost_runs(root_).runs, IsEmpty());
  EXPECT_EQ(kept_runs(root_).runs.size(), 1u) << "but it can be reopened";
}

TEST_F(KeptWork, OfManyReplacedRunsTheNewestAreKept) {
  Instance here(root_, milliseconds(2000));
  // Every run is trained one step more than the one before it.
  std::int64_t steps = 0;
  for (const int most = 12; steps < most;) {
    here.open_small(steps % 2 == 0 ? "recall" : "copy");
    ++steps;
    for (int i = 0; i < steps; ++i) here.after(TrainOneStep{});
  }
  const auto kept_steps = [&] {
    std::vector<std::int64_t> found;
    for (const KeptRun& run : kept_runs(root_).runs) found.push_back(run.step);
    return found;
  };
  ASSERT_TRUE(eventually([&] { return kept_steps().size() == 8 && kept_steps().front() == 11; }));
  EXPECT_THAT(kept_steps(), testing::ElementsAre(11, 10, 9, 8, 7, 6, 5, 4));
  // What Undo brings back comes whole and is kept on as the run of now; of the others none goes
  // that can be brought back.
  EXPECT_EQ(here.after(Undo{})->train.step, 11);
  for (int i = 0; i < 3; ++i) {
    here.after(RestartRun{}, TrainOneStep{});
    here.after(Undo{}, Undo{}, Redo{});
  }
  const auto now = here.after(TrainOneStep{});
  ASSERT_TRUE(eventually([&] {
    for (const fs::path& file : files()) {
      try {
        const KeptRun about = about_kept_run(file);
        if (!about.replaced && about.step == now->train.step) return true;
      } catch (const Error&) {
        // It was removed just now.
      }
    }
    return false;
  }));
  EXPECT_LE(kept_steps().size(), 8u);
  EXPECT_EQ(now->failure.what, "");
}

TEST_F(KeptWork, WhatIsInReachIsNotRemoved) {
  SessionFolder session(root_);
  const auto run = make_run(make_task("recall"), run_spec_from_json(mixed_spec()));
  const auto write = [&](int number, bool replaced) {
    session.write(record_of(*run),
                  {.file = {}, .number = number, .replaced = replaced, .stamp = {}});
  };
  for (int number = 1; number <= 6; ++number) write(number, true);
  write(7, false);
  write(2, true);  // again: it is no longer among the oldest
  session.limit_replaced(3, {1, 5});
  std::vector<std::string> names;
  for (const fs::path& file : files()) names.push_back(file.filename().string());
  EXPECT_THAT(names, testing::UnorderedElementsAre("run-1-a.xlab", "run-5-a.xlab", "run-2-a.xlab",
                                                   "run-2-b.xlab", "run-7-a.xlab"));
}

TEST_F(KeptWork, ReopeningDoesNotWaitForAnotherInstance) {
  crash_at(4);
  LostRuns found = claim_lost_runs(root_);
  ASSERT_EQ(found.runs.size(), 1u);
  const KeptRun about = found.runs[0].about();
  Instance here(root_, std::chrono::hours(1));
  std::future<SnapshotPtr> back;
  {
    // As another instance does while it looks at what there is, however long that takes.
    const FileLock busy(root_ / "sessions" / "lock", FileLock::Wait::yes);
    ASSERT_TRUE(busy.held());
    back = std::async(std::launch::async,
                      [&] { return here.after(ReopenRuns{{about.file.string()}}); });
    EXPECT_EQ(back.wait_for(std::chrono::seconds(20)), std::future_status::ready)
        << "the engine waits";
  }
  EXPECT_EQ(back.get()->train.step, about.step);
  EXPECT_EQ(here.after()->failure.what, "");
  EXPECT_TRUE(eventually([&] { return !fs::exists(about.file); })) << "it moves later";
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(KeptWork, WhatCannotBeCopiedIsToldAndDueAgain) {
  std::atomic<int> news = 0;
  Autosave autosave({root_, milliseconds(1)}, [&] { ++news; });
  const auto run = make_run(make_task("recall"), run_spec_from_json(mixed_spec()));
  run->kept_as = autosave.next_number();
  RunRecord broken = record_of(*run);
  broken.first_moment = run->model->params().values();  // and nothing where the second one lies
  Unkept unkept;
  EXPECT_FALSE(autosave.due(unkept));
  unkept.note_training();
  EXPECT_TRUE(autosave.due(unkept));
  autosave.keep(std::move(broken), {.file = {}, .number = 1, .stamp = {}}, false);
  autosave.settle();  // as training does before it goes on
  autosave.finish();
  EXPECT_THAT(files(), IsEmpty()) << "what was overwritten meanwhile is not written";
  const Autosave::News news_of_it = autosave.take_news();
  EXPECT_THAT(news_of_it.problem, HasSubstr("could not be kept"));
  EXPECT_THAT(news_of_it.lost, testing::ElementsAre(1));
  autosave.keep(record_of(*run), {.file = {}, .number = 1, .stamp = {}}, false);
  autosave.settle();
  autosave.finish();
  EXPECT_EQ(files().size(), 1u);
  const Autosave::News good = autosave.take_news();
  EXPECT_EQ(good.problem, "");
  EXPECT_THAT(good.lost, IsEmpty());
}

TEST_F(KeptWork, TrainingDoesNotWaitForTheCopyOfALargeRun) {
  Autosave autosave({root_, std::chrono::hours(1)}, [] {});
  const auto small = make_run(make_task("recall"), run_spec_from_json(mixed_spec()));
  RunSpec spec = run_spec_from_json(mixed_spec());
  spec.model->embedding_dim = 384;
  const auto large = make_run(make_task("recall"), spec);
  ASSERT_GT(3 * large->model->params().values().bytes(), Autosave::kCopiedAtOnce);
  fs::create_directories(root_ / "sessions");
  {
    // The writing thread is held up by another instance, with the small run.
    const FileLock busy(root_ / "sessions" / "lock", FileLock::Wait::yes);
    autosave.keep(record_of(*small), {.file = {}, .number = 1, .stamp = {}}, false);
    autosave.keep(record_of(*large), {.file = {}, .number = 2, .stamp = {}}, false);
    autosave.keep(record_of(*large), {.file = {}, .number = 3, .replaced = true, .stamp = {}},
                  false);
    autosave.settle();
    large->model->params().values().fill_zero();
  }
  autosave.finish();
  std::vector<std::string> names;
  for (const fs::path& file : files()) names.push_back(file.filename().string());
  EXPECT_THAT(names, testing::UnorderedElementsAre("run-1-a.xlab", "run-3-a.xlab"))
      << "what is not copied in time is not written, but for the last there is of a run";
  const Autosave::News news = autosave.take_news();
  EXPECT_EQ(news.problem, "") << "nothing to worry about";
  EXPECT_THAT(news.given_up, testing::ElementsAre(2));
  Unkept unkept;
  unkept.overdue = true;
  ASSERT_TRUE(autosave.due(unkept));
  EXPECT_LE(*autosave.due(unkept), Autosave::Clock::now()) << "it is begun again at once";
  autosave.keep(record_of(*large), {.file = {}, .number = 2, .stamp = {}}, false);
  autosave.finish();
  EXPECT_EQ(files().size(), 3u);
}

TEST_F(KeptWork, AFileIsWrittenFromTheRunItselfWhereThereIsNoMemoryForACopy) {
  Autosave autosave({}, [] {});
  RunSpec spec = run_spec_from_json(mixed_spec());
  spec.model->embedding_dim = 320;  // no block of that size lies ready
  const auto run = make_run(make_task("recall"), spec);
  const std::uint64_t signature = run->model->params().signature();
  const long failed = failed_memory;
  largest_memory = run->model->params().values().bytes();
  autosave.save(record_of(*run), folder_ / "run.xlab", false);
  autosave.settle();
  largest_memory = std::numeric_limits<std::size_t>::max();
  EXPECT_GT(failed_memory, failed);
  run->model->params().values().fill_zero();
  autosave.finish();
  const auto saved = autosave.take_saved();
  ASSERT_TRUE(saved.has_value());
  EXPECT_EQ(saved->problem, "");
  EXPECT_EQ(saved->stamp, stamp_of(folder_ / "run.xlab"));
  EXPECT_EQ(load_run(folder_ / "run.xlab")->model->params().signature(), signature);
  EXPECT_FALSE(autosave.take_saved().has_value());
}

TEST_F(KeptWork, AReopenedRunMovesIntoTheSession) {
  crash_at(6);
  LostRuns found = claim_lost_runs(root_);
  ASSERT_EQ(found.runs.size(), 1u);
  const KeptRun about = found.runs[0].about();
  Instance here(root_, std::chrono::hours(1));
  const auto back = here.after(ReopenRuns{{about.file.string()}});
  EXPECT_EQ(back->failure.what, "");
  EXPECT_EQ(back->train.step, about.step);
  found.runs[0].answer();
  EXPECT_EQ(files().size(), 1u) << "one run lies in one place";
  EXPECT_NE(files()[0], about.file);
  EXPECT_FALSE(fs::exists(about.file.parent_path())) << "nothing is left of the session";
  // Saving asks for a name: it has none of its own.
  EXPECT_THAT(here.after(Save{})->failure.what, HasSubstr("no file yet"));
  EXPECT_EQ(here.after(Save{folder_ / "saved.xlab"})->run_path, folder_ / "saved.xlab");
  EXPECT_TRUE(eventually([&] { return files().empty(); }));
}

TEST_F(KeptWork, StepsThatNoFileHoldsAreCountedFromTheStart) {
  crash_at(5);
  {
    LostRuns lost = claim_lost_runs(root_);
    ASSERT_EQ(lost.runs.size(), 1u);
    Instance here(root_, std::chrono::hours(1));
    here.open_small("copy");
    const auto back = here.after(
        ReopenRuns{.kept = {lost.runs[0].about().file.string()}, .beside = true, .ticket = 3});
    EXPECT_EQ(back->failure.what, "");
    EXPECT_EQ(back->reopened, 3u);
    EXPECT_EQ(back->train.saved_step, 0);
    EXPECT_GE(here.train_to(9)->train.step, 9);
    EXPECT_EQ(here.after()->train.saved_step, 0);
  }
}

TEST_F(KeptWork, NothingIsOfferedTwice) {
  crash_at(3);
  {
    LostRuns first = claim_lost_runs(root_);
    ASSERT_EQ(first.runs.size(), 1u);
    EXPECT_THAT(claim_lost_runs(root_).runs, IsEmpty()) << "another instance offers it now";
  }
  // Nobody answered: it is lost to nobody.
  LostRuns again = claim_lost_runs(root_);
  ASSERT_EQ(again.runs.size(), 1u);
  again.runs[0].answer();
  EXPECT_THAT(claim_lost_runs(root_).runs, IsEmpty());
  EXPECT_EQ(kept_runs(root_).runs.size(), 1u) << "declined is not deleted";
}

TEST_F(KeptWork, ALivingSessionIsNoCrash) {
  Instance living(root_, milliseconds(20));
  living.open_small();
  living.train_to(3);
  ASSERT_TRUE(eventually([&] { return !files().empty(); }));
  EXPECT_THAT(claim_lost_runs(root_).runs, IsEmpty());
  EXPECT_THAT(kept_runs(root_).runs, IsEmpty()) << "it is open already";
}

TEST_F(KeptWork, ADamagedRunIsToldAndTheOneBeforeItTaken) {
  {
    Instance lost(root_, milliseconds(20));
    lost.open_small();
    lost.engine().send(Train{});
    ASSERT_TRUE(eventually([&] { return files().size() == 2; }));
    lost.after(Pause{});
  }
  std::vector<fs::path> both = files();
  ASSERT_EQ(both.size(), 2u);
  std::vector<std::int64_t> steps;
  for (const fs::path& file : both) steps.push_back(about_kept_run(file).sequence);
  const fs::path newer = steps[0] > steps[1] ? both[0] : both[1];
  const fs::path older = steps[0] > steps[1] ? both[1] : both[0];
  const std::int64_t step = about_kept_run(older).step;
  {
    // The header is sound, what it describes is not.
    std::string bytes = bytes_of_file(newer);
    const std::size_t at = bytes.find("embedding_dim");
    ASSERT_NE(at, std::string::npos);
    bytes[at] = 'X';
    put_file(newer, bytes);
    const Reopened reopened = load_kept_run(newer);
    EXPECT_THAT(reopened.problem, HasSubstr("What was kept before that is opened"));
    EXPECT_EQ(reopened.run->trainer->steps_done(), step);
    EXPECT_EQ(reopened.about.file, older);
  }
  fs::resize_file(newer, 1000);
  LostRuns found = claim_lost_runs(root_);
  ASSERT_EQ(found.problems.size(), 1u);
  EXPECT_THAT(found.problems[0], HasSubstr(newer.string()));
  ASSERT_EQ(found.runs.size(), 1u);
  EXPECT_EQ(found.runs[0].about().file, older);
  found.runs.clear();
  fs::resize_file(older, 10);
  found = claim_lost_runs(root_);
  EXPECT_THAT(found.runs, IsEmpty());
  EXPECT_EQ(found.problems.size(), 2u);
  EXPECT_THAT(claim_lost_runs(root_).problems, IsEmpty()) << "said once";
}

TEST_F(KeptWork, ATextIsWrittenOnceAndComesBack) {
  const std::string text = "to be or not to be, that is the question";
  put_file(folder_ / "text.txt", text);
  fs::file_time_type written;
  std::string signature;
  {
    Instance lost(root_, milliseconds(20));
    lost.after(OpenText{folder_ / "text.txt"});
    lost.after(TrainOneStep{});
    ASSERT_TRUE(eventually([&] { return files().size() == 1; }));
    ASSERT_EQ(std::distance(fs::directory_iterator(root_ / "texts"), {}), 2);  // and the lock
    for (const auto& entry : fs::directory_iterator(root_ / "texts"))
      if (entry.path().extension() == ".safetensors") written = entry.last_write_time();
    EXPECT_THAT(bytes_of_file(files()[0]), Not(HasSubstr(text)));
    lost.after(TrainOneStep{});
    ASSERT_TRUE(eventually([&] { return files().size() == 2; }));
    // The same text in another session is the same file.
    Instance other(root_, milliseconds(20));
    other.after(OpenText{folder_ / "text.txt"}, TrainOneStep{});
    ASSERT_TRUE(eventually([&] { return files().size() == 3; }));
  }
  int texts = 0;
  for (const auto& entry : fs::directory_iterator(root_ / "texts")) {
    if (entry.path().extension() != ".safetensors") continue;
    ++texts;
    EXPECT_EQ(entry.last_write_time(), written);
  }
  EXPECT_EQ(texts, 1);
  fs::remove(folder_ / "text.txt");
  LostRuns found = claim_lost_runs(root_);
  ASSERT_EQ(found.runs.size(), 2u);
  const Reopened reopened = load_kept_run(found.runs[0].about().file);
  EXPECT_EQ(bytes_of(*reopened.run->task->text()), text);
  EXPECT_EQ(reopened.run->task->title(), "text.txt");
  // A text that is not what it was is not taken for it.
  for (const auto& entry : fs::directory_iterator(root_ / "texts")) {
    if (entry.path().extension() != ".safetensors") continue;
    std::string bytes = bytes_of_file(entry.path());
    bytes.back() = 'N';
    put_file(entry.path(), bytes);
  }
  try {
    load_kept_run(found.runs[0].about().file);
    ADD_FAILURE() << "a damaged text was taken";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("is damaged"));
  }
}

TEST_F(KeptWork, TextsThatNobodyNeedsGo) {
  put_file(folder_ / "text.txt", "to be or not to be");
  {
    Instance here(root_, milliseconds(20));
    here.after(OpenText{folder_ / "text.txt"}, TrainOneStep{});
    ASSERT_TRUE(eventually([&] { return files().size() == 1; }));
    claim_lost_runs(root_);
    EXPECT_EQ(std::distance(fs::directory_iterator(root_ / "texts"), {}), 2);
    here.after(Save{folder_ / "run.xlab"});
    here.engine().keep_and_stop();
  }
  claim_lost_runs(root_);
  EXPECT_EQ(std::distance(fs::directory_iterator(root_ / "texts"), {}), 1) << "the lock";
}

TEST_F(KeptWork, AFullOrForbiddenPlaceIsToldOnceAndTrainingGoesOn) {
  put_file(root_, "a file where a folder is needed");
  Instance here(root_, milliseconds(20));
  here.open_small();
  here.engine().send(Train{});
  ASSERT_TRUE(eventually([&] { return here.engine().snapshot()->failure.id > 0; }));
  EXPECT_THAT(here.engine().snapshot()->failure.what, HasSubstr("could not be kept"));
  const auto step = here.engine().snapshot()->train.step;
  ASSERT_TRUE(eventually([&] { return here.engine().snapshot()->train.step > step + 20; }));
  EXPECT_EQ(here.engine().snapshot()->failure.id, 1u);
  // It recovers by itself.
  fs::remove(root_);
  EXPECT_TRUE(eventually([&] { return !files().empty(); }));
  EXPECT_EQ(here.after(Pause{})->failure.id, 1u);
}

TEST_F(KeptWork, OldSessionsGoWhenTheyWereAnsweredLongAgoAndNoSooner) {
  for (int i = 0; i < 5; ++i) crash_at(2);
  {
    LostRuns found = claim_lost_runs(root_);
    ASSERT_EQ(found.runs.size(), 5u);
    for (LostRun& run : found.runs) run.answer();
  }
  const auto age = [&](int session, long long days) {
    put_file(root_ / "sessions" / fmt::format("{:06}", session) / "answered",
             std::to_string(std::time(nullptr) - days * 24 * 60 * 60));
  };
  age(1, 8);
  age(2, 6);
  age(3, -365);  // by a clock that was wrong
  age(5, 8);
  claim_lost_runs(root_);
  std::vector<int> left;
  for (const KeptRun& run : kept_runs(root_).runs) left.push_back(run.session);
  EXPECT_THAT(left, testing::ElementsAre(5, 4, 3, 2)) << "the newest stay whatever the clock says";
}

TEST_F(KeptWork, ASessionIsNotOfferedWhenItsFileWasSavedSince) {
  const auto path = folder_ / "run.xlab";
  fs::path kept;
  {
    Instance lost(root_, milliseconds(20));
    lost.open_small();
    lost.after(Save{path});
    lost.train_to(5);
    ASSERT_TRUE(eventually([&] { return !files().empty(); }));
  }
  {
    LostRuns found = claim_lost_runs(root_);
    ASSERT_EQ(found.runs.size(), 1u);
    EXPECT_EQ(found.runs[0].about().run_path, path);
    kept = found.runs[0].about().file;
  }
  // As when the program was killed after saving, before it forgot what it kept.
  save_run(*load_kept_run(kept).run, path);
  EXPECT_THAT(claim_lost_runs(root_).runs, IsEmpty());
  EXPECT_EQ(kept_runs(root_).runs.size(), 1u);
}

// ---- two instances on one file
// -------------------------------------------------------------------

TEST_F(KeptWork, AFileThatChangedIsNotOverwritten) {
  const auto path = folder_ / "run.xlab";
  Instance first(root_), second(root_);
  first.open_small();
  EXPECT_EQ(first.after(Save{path})->failure.what, "");
  // By another path, and told at once.
  fs::create_directory_symlink(folder_.path(), folder_ / "link");
  const auto opened = second.after(OpenRun{folder_ / "link" / "run.xlab", nullptr});
  EXPECT_THAT(opened->failure.what, HasSubstr("open in another window"));
  EXPECT_NE(opened->model, nullptr);
  const auto saved = first.after(TrainOneStep{}, Save{});
  EXPECT_FALSE(saved->unsaved);
  EXPECT_THAT(saved->failure.what, HasSubstr("open in another window"));
  const std::string bytes = bytes_of_file(path);

  const auto refused = second.after(SetPrompt{"a 3"}, Save{});
  EXPECT_THAT(refused->failure.what, HasSubstr("was changed by another program"));
  EXPECT_THAT(refused->failure.what, HasSubstr("Save as"));
  EXPECT_TRUE(refused->unsaved);
  EXPECT_EQ(bytes_of_file(path), bytes);
  const auto elsewhere = second.after(Save{folder_ / "other.xlab"});
  EXPECT_EQ(elsewhere->failure.id, refused->failure.id);
  EXPECT_EQ(elsewhere->run_path, folder_ / "other.xlab");
  EXPECT_EQ(first.after(TrainOneStep{}, Save{})->failure.id, saved->failure.id)
      << "nobody else has it open now";
  // Whoever names the file again means it.
  EXPECT_FALSE(second.after(SetPrompt{"b 4"}, Save{path})->unsaved);
  EXPECT_THAT(first.after(TrainOneStep{}, Save{})->failure.what, HasSubstr("was changed"));
}

TEST_F(KeptWork, AFileThatIsGoneIsWrittenAgain) {
  const auto path = folder_ / "run.xlab";
  Instance here(root_);
  here.open_small();
  here.after(Save{path});
  fs::remove(path);
  EXPECT_EQ(here.after(TrainOneStep{}, Save{})->failure.what, "");
  EXPECT_TRUE(fs::exists(path));
}

TEST_F(KeptWork, NotesOfTheDeadAreTidied) {
  const auto path = folder_ / "run.xlab";
  put_file(path, "x");
  fs::create_directories(root_ / "open");
  {
    const OpenNote note(root_, path);
    EXPECT_FALSE(note.others());
    put_file(root_ / "open" / "0123456789abcdef-1-1", "");
    const OpenNote second(root_, path);
    EXPECT_TRUE(second.others());
    EXPECT_TRUE(note.others());
    const OpenNote elsewhere(root_, folder_ / "other.xlab");
    EXPECT_FALSE(elsewhere.others());
  }
  EXPECT_TRUE(fs::is_empty(root_ / "open"));
}

}  // namespace
}  // namespace xlab::tests
