// Keeps the work that is in no file: copies of the run at step boundaries, written by a thread of
// their own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "core/keeping.hpp"
#include "core/kept_runs.hpp"
#include "core/run.hpp"

namespace xlab {

/// Belongs to one thread, which also trains the run; only `settle` may come from another. What is
/// handed over is written by a thread of its own, in order. Training goes on while its numbers are
/// copied: they are read from the end of one step to the update of the next, which waits for the
/// copy in `settle`.
class Autosave {
 public:
  using Clock = std::chrono::steady_clock;

  /// `on_news` is called by the writing thread after each run written or not written; it must
  /// return at once.
  Autosave(Keeping keeping, std::function<void()> on_news);
  /// Waits for what was handed over; the session ends without a word, as in a crash.
  ~Autosave();
  Autosave(const Autosave&) = delete;
  Autosave& operator=(const Autosave&) = delete;

  bool keeps() const { return !keeping_.root.empty(); }
  const std::filesystem::path& root() const { return keeping_.root; }

  /// The run was trained, or changed by hand: by then it has to be kept. Changes by hand are kept
  /// sooner, since they cannot be repeated.
  void trained() { work(trained_); }
  void changed() { work(changed_); }
  /// There is nothing any more that would be lost.
  void saved();
  /// When `keep` is to be called next; nothing while there is nothing to keep or a run is being
  /// written.
  std::optional<Clock::time_point> due() const;

  /// Hands a run over. `record` shares its numbers with the run, unless `own_numbers`. Returns at
  /// once.
  void keep(RunRecord record, KeptRun about, bool own_numbers);
  /// The run's work is in its file now.
  void forget(int number);
  /// A number for a run that has none yet.
  int next_number() { return ++numbers_; }
  /// See SessionFolder::adopt.
  void adopt(const KeptRun& run, int number);

  /// Before anything overwrites numbers of runs that were handed over: returns when they have been
  /// copied.
  void settle();
  /// Waits until everything handed over is written.
  void finish();
  /// The same; then the session has ended in order, and nothing can be kept any more.
  void end();

  /// What went wrong since the last call, as a sentence; empty when nothing did, or only the same
  /// again. What could not be written is due again.
  std::string take_news();

 private:
  struct Keep {
    RunRecord record;
    KeptRun about;
    std::once_flag copied;
    bool own_numbers = false;
    void copy();
  };
  struct Forget {
    int number = 0;
  };
  using Job = std::variant<std::shared_ptr<Keep>, Forget>;

  void work(std::optional<Clock::time_point>& since);
  void write_jobs();
  void write(Keep& job);

  Keeping keeping_;
  std::function<void()> on_news_;
  int numbers_ = 0;
  std::optional<Clock::time_point> trained_, changed_;  // the first that is not handed over

  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<Job> jobs_;
  std::deque<std::weak_ptr<Keep>> uncopied_;
  bool writing_ = false, stop_ = false;
  bool failed_ = false;  // the last run could not be written
  bool lost_ = false;    // nor is it due again yet
  std::string problem_, last_problem_;
  Clock::duration took_{};  // the last writing

  SessionFolder folder_;
  std::thread thread_;
};

}  // namespace xlab
