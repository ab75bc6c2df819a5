// Large model folders are read beside everything else: what is told meanwhile, and giving it up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/files/disk.hpp"
#include "core/files/folder_run.hpp"
#include "core/keeping/kept_runs.hpp"
#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

bool eventually(const std::function<bool()>& wanted, std::chrono::nanoseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!wanted()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

/// Whether this process has files of a folder open.
bool is_open(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const auto file = std::filesystem::read_symlink(entry.path(), error);
    if (!error && file.string().starts_with(folder + "/")) return true;
  }
  return false;
}

/// Time on processors that this process has taken.
milliseconds computed_so_far() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto in_ms = [](const timeval& time) { return time.tv_sec * 1000 + time.tv_usec / 1000; };
  return milliseconds(in_ms(usage.ru_utime) + in_ms(usage.ru_stime));
}

std::set<int> threads() {
  std::set<int> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task"))
    all.insert(std::stoi(entry.path().filename().string()));
  return all;
}

/// Has a thread hang wherever it is, as one that waits for a disk that does not answer, until it is
/// released.
class HangingThread {
 public:
  explicit HangingThread(int thread) {
    hangs_ = false;
    released_ = false;
    struct sigaction action {};
    action.sa_handler = &hang;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR2, &action, &before_);
    ::syscall(SYS_tgkill, ::getpid(), thread, SIGUSR2);
  }
  ~HangingThread() {
    release();
    eventually([] { return !hangs_; }, seconds(10));
    ::sigaction(SIGUSR2, &before_, nullptr);
  }
  bool hangs() const { return hangs_; }
  void release() { released_ = true; }

 private:
  static void hang(int) {
    const int error = errno;
    hangs_ = true;
    const timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
    while (!released_) ::nanosleep(&pause, nullptr);
    hangs_ = false;
    errno = error;
  }
  static inline std::atomic<bool> hangs_ = false, released_ = false;
  struct sigaction before_ {};
};

class LargeFolders : public EngineStage {
 protected:
  /// About 90 MB.
  static ModelSpec large_spec() {
    ModelSpec spec = small_large();
    spec.vocab_size = 300;
    spec.embedding_dim = 1024;
    return spec;
  }

  LargeFolders() : path_((folder_ / "large")) {
    Model model(large_spec());
    model.params().initialise(3);
    write_model_folder(model, path_);
    signature_ = model.params().signature();
  }

  std::string path_;
  std::uint64_t signature_ = 0;
};

TEST_F(LargeFolders, AreReadBesideEverythingElse) {
  std::vector<OpeningStatus> told;
  const auto before = open_quick();
  engine_.send(OpenFolder{path_});
  engine_.send(StepForward{});
  wait_until([&](const Snapshot& now) {
    if (now.opening) told.push_back(*now.opening);
    return now.sequence.cursor > before->sequence.cursor || now.run_id != before->run_id;
  });
  EXPECT_EQ(engine_.snapshot()->run_id, before->run_id) << "commands are answered meanwhile";
  wait_until([&](const Snapshot& now) {
    if (now.opening) told.push_back(*now.opening);
    return now.run_id != before->run_id;
  });
  const auto opened = after();
  EXPECT_EQ(opened->failure.what, "");
  EXPECT_EQ(opened->opening, nullptr);
  EXPECT_THAT(opened->notice, HasSubstr("Opened the model in " + path_));
  EXPECT_EQ(opened->model->embedding_dim, 1024);
  EXPECT_EQ(opened->runs.size(), 1u);
  ASSERT_FALSE(told.empty());
  for (const OpeningStatus& status : told) {
    EXPECT_EQ(status.path, path_);
    EXPECT_LE(status.bytes, status.total);
  }
  EXPECT_EQ(signature(), signature_);
  // It can be taken back, like any opening.
  EXPECT_EQ(after(Undo{})->model->embedding_dim, before->model->embedding_dim);
}

TEST_F(LargeFolders, AreWaitedForByWhoWaitsForAllThatWasSent) {
  open_quick();
  const auto both = after(OpenFolder{path_ + "/", true});
  ASSERT_EQ(both->runs.size(), 2u);
  EXPECT_EQ(both->model->embedding_dim, 1024);
  EXPECT_EQ(both->runs[1]->name, "large") << "as its folder, however that is written";
}

TEST_F(LargeFolders, ACancelledOneLeavesEverythingAsItWas) {
  const auto before = open_quick();
  const auto after_that = after(OpenFolder{path_}, CancelOpening{});
  EXPECT_EQ(after_that->run_id, before->run_id);
  EXPECT_EQ(after_that->opening, nullptr);
  EXPECT_EQ(after_that->failure.what, "");
  EXPECT_THAT(after_that->notice, HasSubstr("was cancelled"));
  EXPECT_EQ(after_that->undo_label, before->undo_label);
  // With nothing to cancel nothing happens, and it can be opened after all.
  EXPECT_EQ(after(CancelOpening{})->failure.what, "");
  EXPECT_EQ(after(OpenFolder{path_})->model->embedding_dim, 1024);
}

TEST_F(LargeFolders, TheTimeLeftIsThatOfWhatIsStillToBeRead) {
  using Clock = std::chrono::steady_clock;
  open_quick();
  OpeningStatus told;
  std::chrono::duration<double> waited{};
  // The reader is stopped again and again, until it stands in the second half.
  for (int attempt = 0; attempt < 20 && told.seconds_left < 0.0; ++attempt) {
    const std::set<int> before = threads();
    const auto asked = Clock::now();
    engine_.send(OpenFolder{path_});
    int reader = 0;
    eventually(
        [&] {
          for (const int thread : threads())
            if (!before.contains(thread)) reader = thread;
          return reader != 0 && is_open(path_);
        },
        seconds(5));
    for (bool reading = reader != 0; reading;) {
      HangingThread hanging(reader);
      reading = eventually([&] { return hanging.hangs(); }, seconds(1));
      if (!reading) break;
      std::this_thread::sleep_for(milliseconds(500));  // what is told from now on stands still
      const auto now = engine_.snapshot()->opening;
      reading = now != nullptr;
      if (!reading || 2 * now->bytes < now->total || now->bytes == now->total) continue;
      reading = false;
      eventually(
          [&] {
            const auto later = engine_.snapshot()->opening;
            if (later) told = *later;
            waited = Clock::now() - asked;
            return told.seconds_left >= 0.0;
          },
          seconds(5));
    }
    after(CancelOpening{});
  }
  ASSERT_GE(told.seconds_left, 0.0);
  const auto read = static_cast<double>(told.bytes), all = static_cast<double>(told.total);
  const double so_far = told.seconds_left * read / (all - read);
  EXPECT_GE(so_far, 1.0);
  EXPECT_LE(so_far, waited.count());
}

TEST_F(LargeFolders, WhatWasWorkedOutMeanwhileIsNotReplaced) {
  open_quick();
  const auto both = after(OpenFolder{path_}, TrainOneStep{});
  ASSERT_EQ(both->runs.size(), 2u);
  EXPECT_EQ(both->model->embedding_dim, 1024);
  EXPECT_EQ(both->runs[0]->step, 1);
  EXPECT_THAT(both->notice, HasSubstr("beside the run that was worked on"));
  // What was there before, and nobody touched, gives its place as it was asked for.
  after(FocusRun{both->runs[0]->id});
  const auto replaced = after(OpenFolder{path_});
  EXPECT_EQ(replaced->runs.size(), 2u);
  EXPECT_EQ(replaced->runs[0]->step, 0);
}

TEST_F(LargeFolders, ARunThatTookThePlaceMeanwhileIsNotReplaced) {
  // What a session left of its work.
  const auto root = folder_ / "state";
  {
    Engine lost({}, "cpu", Keeping{root, std::chrono::hours(1)});
    lost.send(NewRun{"parity", quick_spec()});
    lost.send(TrainOneStep{});
    lost.flush();
    EXPECT_EQ(lost.keep_and_stop(), "");
  }
  const KeptRuns kept = kept_runs(root);
  ASSERT_EQ(kept.runs.size(), 1u);
  open_quick();
  const auto reopened = after(OpenFolder{path_}, ReopenRuns{{kept.runs[0].file.string()}});
  EXPECT_EQ(reopened->failure.what, "");
  ASSERT_EQ(reopened->runs.size(), 2u) << "it is in no file, and nobody was asked";
  EXPECT_EQ(reopened->runs[0]->task, "Parity");
  EXPECT_EQ(reopened->runs[0]->step, 1);
  EXPECT_EQ(reopened->model->embedding_dim, 1024);
  EXPECT_THAT(reopened->notice, HasSubstr("beside the run that came meanwhile"));
  // One that is begun with the model of now is in no file either.
  after(FocusRun{reopened->runs[0]->id});
  const auto begun =
      after(OpenFolder{path_}, NewRun{.task = "parity", .spec_json = {}, .from_model = true});
  EXPECT_EQ(begun->failure.what, "");
  ASSERT_EQ(begun->runs.size(), 3u);
  EXPECT_EQ(begun->runs[0]->task, "Parity");
  EXPECT_EQ(begun->runs[0]->step, 0);
}

TEST_F(LargeFolders, ARunThatIsLookedAtMeanwhileIsNotReplaced) {
  const int first = open_quick()->focused_run;
  const auto second = after(NewRun{"parity", quick_spec(), false, true});
  ASSERT_EQ(second->runs.size(), 2u);
  const auto all = after(OpenFolder{path_}, FocusRun{first});
  ASSERT_EQ(all->runs.size(), 3u) << "the folder was to take the place of the other one";
  EXPECT_EQ(all->runs[0]->id, first);
  EXPECT_EQ(all->runs[0]->task, second->runs[0]->task);
  EXPECT_EQ(all->runs[1]->id, all->focused_run);
  EXPECT_EQ(all->runs[2]->task, "Parity");
  EXPECT_EQ(all->model->embedding_dim, 1024);
  // Who looks at another run and comes back finds it replaced, as it was asked for.
  after(FocusRun{first});
  const auto back = after(OpenFolder{path_}, FocusRun{all->runs[2]->id}, FocusRun{first});
  ASSERT_EQ(back->runs.size(), 3u);
  EXPECT_EQ(back->runs[0]->id, first);
  EXPECT_EQ(back->focused_run, first);
  EXPECT_EQ(back->model->embedding_dim, 1024);
}

TEST_F(LargeFolders, OneThatComesWhileARunIsSavedLeavesTheFileToThatRun) {
  const auto root = folder_ / "state", file = folder_ / "run.xlab";
  std::filesystem::create_directories(root / "sessions");
  // As long as this is held nothing is kept, and what is saved after that waits.
  auto slow_disk = std::make_unique<FileLock>(root / "sessions" / "lock");
  ASSERT_TRUE(slow_disk->held());
  Engine engine({}, "cpu", Keeping{root, std::chrono::hours(1)});
  const auto here = [&](auto... commands) {
    (engine.send(std::move(commands)), ...);
    engine.flush();
    return engine.snapshot();
  };
  const auto before =
      here(NewRun{"recall", quick_spec()}, TrainOneStep{}, NewRun{"parity", quick_spec()});
  ASSERT_EQ(before->runs.size(), 1u);
  engine.send(OpenFolder{path_});
  engine.send(Save{file});
  ASSERT_TRUE(eventually([&] { return is_open(path_); }, kPatience));
  ASSERT_TRUE(eventually([&] { return !is_open(path_); }, kPatience));
  const milliseconds computed = computed_so_far();
  std::this_thread::sleep_for(milliseconds(1000));
  EXPECT_LT((computed_so_far() - computed).count(), 500)
      << "nobody waits by looking again and again";
  EXPECT_EQ(engine.snapshot()->run_id, before->run_id) << "it waits for the file";
  engine.send(StepForward{});
  EXPECT_TRUE(eventually(
      [&] { return engine.snapshot()->sequence.cursor > before->sequence.cursor; }, kPatience))
      << "nothing else does";
  slow_disk.reset();
  const auto opened = here();
  EXPECT_EQ(opened->failure.what, "");
  ASSERT_EQ(opened->runs.size(), 1u);
  EXPECT_EQ(opened->model->embedding_dim, 1024);
  EXPECT_EQ(opened->run_path, "") << "the file is that of the run before";
  EXPECT_THAT(here(Save{})->failure.what, HasSubstr("no file yet"));
  EXPECT_EQ(load_run(file)->task->title(), "Parity");
  const auto saved = here(Undo{});
  EXPECT_EQ(saved->runs[0]->task, "Parity");
  EXPECT_EQ(saved->run_path, file.string());
  EXPECT_FALSE(saved->unsaved);
}

TEST_F(LargeFolders, OneIsReadAtATime) {
  open_quick();
  const auto both = after(OpenFolder{path_}, OpenFolder{path_, true});
  EXPECT_EQ(both->failure.where, "open");
  EXPECT_THAT(both->failure.what, HasSubstr("is still being read"));
  EXPECT_EQ(both->runs.size(), 1u);
  EXPECT_EQ(both->model->embedding_dim, 1024);
}

TEST_F(LargeFolders, WhatCannotBeReadIsRefusedAsEver) {
  const auto before = open_quick();
  const auto weights = std::filesystem::path(path_) / "model.safetensors";
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) - 8);
  const auto refused = after(OpenFolder{path_});
  EXPECT_EQ(refused->run_id, before->run_id);
  EXPECT_EQ(refused->opening, nullptr);
  EXPECT_EQ(refused->failure.where, "open");
  EXPECT_THAT(refused->failure.what, HasSubstr("model.safetensors"));
}

TEST_F(LargeFolders, ReadingIsCountedAndGivenUpWhereItStands) {
  Reading reading;
  const auto run = open_folder_run(path_, FolderUse::read, &reading);
  EXPECT_GT(reading.total, 64u << 20);
  EXPECT_EQ(reading.bytes, reading.total);
  Reading cancelled;
  cancelled.cancelled = true;
  EXPECT_THROW(open_folder_run(path_, FolderUse::read, &cancelled), ReadingCancelled);
  EXPECT_EQ(cancelled.bytes, 0u);
}

/// A folder that is looked into for a long time before the first number is wanted: two large files
/// have to hold the same. They take no room on the disk.
class SlowFolders : public EngineStage {
 protected:
  static constexpr auto kSoon = seconds(5);  // reading all of it takes longer anywhere

  SlowFolders() {
    std::filesystem::create_directories(path_);
    const auto put = [&](const char* name) {
      constexpr std::uint64_t kBytes = 32ull << 30;
      std::string header = R"({"w":{"dtype":"F32","shape":[8589934592],"data_offsets":[0,)" +
                           std::to_string(kBytes) + "]}}";
      header.resize((header.size() + 7) / 8 * 8, ' ');
      const std::uint64_t length = header.size();
      std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
      put_file(std::filesystem::path(path_) / name, bytes + header);
      std::filesystem::resize_file(std::filesystem::path(path_) / name,
                                   bytes.size() + header.size() + kBytes);
    };
    put("model.safetensors");
    put("model-00001-of-00001.safetensors");
    put_file(folder_ / "slow" / "model.safetensors.index.json",
             R"({"weight_map": {"w": "model-00001-of-00001.safetensors"}})");
    put_file(folder_ / "slow" / "config.json", "{}");
  }

  std::string path_ = folder_ / "slow";
};

TEST_F(SlowFolders, AreGivenUpBeforeTheFirstNumberToo) {
  const auto before = open_quick();
  engine_.send(OpenFolder{path_});
  ASSERT_TRUE(eventually([&] { return is_open(path_); }, kPatience));
  engine_.send(CancelOpening{});
  EXPECT_TRUE(eventually([&] { return !is_open(path_); }, kSoon));
  const auto cancelled = after();
  EXPECT_EQ(cancelled->failure.what, "");
  EXPECT_THAT(cancelled->notice, HasSubstr("was cancelled"));
  EXPECT_EQ(cancelled->run_id, before->run_id);
}

TEST_F(SlowFolders, TheEngineMayEndMeanwhile) {
  auto engine = std::make_unique<Engine>(std::function<void()>(), "cpu");
  engine->send(OpenFolder{path_});
  ASSERT_TRUE(eventually([&] { return is_open(path_); }, kPatience));
  const auto begun = std::chrono::steady_clock::now();
  engine.reset();
  EXPECT_TRUE(eventually([&] { return !is_open(path_); }, kSoon)) << "nobody wants it any more";
  EXPECT_LT(std::chrono::steady_clock::now() - begun, kSoon);
}

TEST_F(SlowFolders, OneThatHangsKeepsNobodyFromEnding) {
  const auto root = folder_ / "state";
  auto engine = std::make_unique<Engine>(std::function<void()>(), "cpu",
                                         Keeping{root, std::chrono::hours(1)});
  engine->send(NewRun{"parity", quick_spec()});
  engine->send(TrainOneStep{});
  engine->flush();
  const std::set<int> before = threads();
  engine->send(OpenFolder{path_});
  int reader = 0;
  ASSERT_TRUE(eventually(
      [&] {
        for (const int thread : threads())
          if (!before.contains(thread)) reader = thread;
        return reader != 0 && is_open(path_);
      },
      kPatience));
  HangingThread hanging(reader);
  ASSERT_TRUE(eventually([&] { return hanging.hangs(); }, kPatience));
  std::future<std::string> ended = std::async(std::launch::async, [&] {
    const std::string problem = engine->keep_and_stop();
    engine.reset();
    return problem;
  });
  EXPECT_EQ(ended.wait_for(seconds(20)), std::future_status::ready);
  EXPECT_EQ(kept_runs(root).runs.size(), 1u) << "what was worked on is kept";
  EXPECT_TRUE(hanging.hangs());
  hanging.release();
  EXPECT_EQ(ended.get(), "");
  EXPECT_TRUE(eventually([&] { return !is_open(path_); }, kPatience));
}

}  // namespace
}  // namespace xlab::tests
