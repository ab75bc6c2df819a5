// Keeps the work that is in no file, and writes runs into their files: copies of the run at step
// boundaries, written by a thread of their own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/bench_file.hpp"
#include "core/keeping/keeping.hpp"
#include "core/keeping/kept_runs.hpp"
#include "core/keeping/session_folder.hpp"
#include "core/run.hpp"

namespace xlab {

/// Since when a run has work that is kept nowhere. Changes by hand are kept sooner than training,
/// since they cannot be repeated.
struct Unkept {
  using Time = std::chrono::steady_clock::time_point;
  std::optional<Time> trained, changed;
  bool overdue = false;  ///< it was to be kept, and was not

  void note_training();
  void note_change();
  void clear() { *this = {}; }
};

/// Belongs to one thread, which also trains the runs; only `settle` may come from another. What is
/// handed over is written by a thread of its own, in order. Training goes on while its numbers are
/// copied: they are read from the end of one step to the update of the next. A copy that is not
/// there by then is given up and made in a later step, where its memory is no longer new; after
/// `Keeping::interval / kPatience` the update waits for it in `settle`.
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

  /// When `keep` is to be called next for a run; nothing while there is nothing to keep or a run is
  /// being written.
  std::optional<Clock::time_point> due(const Unkept& unkept) const;

  /// Hands a run over. `record` shares its numbers with the run, unless `own_numbers`. Returns at
  /// once.
  void keep(RunRecord record, KeptRun about, bool own_numbers);
  /// How the runs stand side by side, from now on. Returns at once.
  void keep_bench(KeptBench bench);
  /// What was kept of a run is of no use any more, as when its work is in its file now.
  void drop(int number);
  /// See SessionFolder::limit_replaced.
  void limit_replaced(std::size_t most, std::vector<int> needed);
  /// A number for a run that has none yet.
  int next_number() { return ++numbers_; }
  /// See SessionFolder::adopt. Returns when it is done or after `kLongestWait`: then another
  /// process is in the way, and it is done when that allows it.
  void adopt(const KeptRun& run, int number);
  static constexpr std::chrono::milliseconds kLongestWait{100};

  /// Writes a run into its file, after what was handed over before; also where nothing is kept.
  /// Returns at once. What came of it is told by `take_saved`, to be asked when there are news; one
  /// file at a time.
  void save(RunRecord record, std::filesystem::path path, bool own_numbers);
  /// The same for a bench; `own_numbers` of each run.
  void save(BenchRecord record, std::filesystem::path path, const std::vector<bool>& own_numbers);
  struct Saved {
    std::optional<FileStamp> stamp;  ///< of the file
    std::string problem;             ///< why there is none; empty when there is
  };
  std::optional<Saved> take_saved();

  /// Before anything overwrites numbers that were handed over: returns when they have been copied,
  /// or are given up and due again. `weights`: where those of the run in question lie; null: those
  /// of any run.
  void settle(const void* weights = nullptr);
  static constexpr int kPatience = 4;
  /// A run of fewer bytes is copied in no time.
  static constexpr std::size_t kCopiedAtOnce = std::size_t{4} << 20;
  /// Waits until everything handed over is written.
  void finish();
  /// The same; then the session has ended in order, and nothing can be kept any more.
  void end();

  /// What came of what was handed over since the last call.
  struct News {
    std::string problem;        ///< a sentence; empty when all went well, or only the same again
    std::vector<int> lost;      ///< numbers of runs that could not be written
    std::vector<int> given_up;  ///< of those whose copies were not there in time: to keep at once
  };
  News take_news();
  /// Whether a run was kept since the last call.
  bool take_kept();

 private:
  /// A run on its way to the disk. What is not its own of the numbers is copied once, by whoever
  /// needs that first.
  struct Handed {
    RunRecord record;
    const void* weights = nullptr;  // where those of the run lay when it was handed over
    bool own_numbers = false;
    bool may_be_lost = false;   // rather than that training waits for the disk
    bool may_be_later = false;  // rather than that training waits for the copy
    std::mutex reading;         // held while a piece is copied
    bool in_time = true;        // guarded by it; no longer: the copy is given up
    bool given_up = false;
    std::once_flag copied;
    std::string problem;   // why the numbers could not be copied
    bool settled = false;  // guarded by mutex_
    void copy();

   private:
    /// Nothing once it is given up.
    Tensor copied_of(const Tensor& shared);
  };

  static std::shared_ptr<Handed> handed(RunRecord record, bool own_numbers, bool may_be_lost);
  /// Has `job` done by the writing thread; `handed` is what it writes, if anything.
  void add(std::function<void()> job, const std::vector<std::shared_ptr<Handed>>& handed = {});
  void write_jobs();
  void write_kept(Handed& handed, const KeptRun& about);
  /// `write` makes the file when the numbers of all runs have been copied.
  void write_saved(const std::vector<std::shared_ptr<Handed>>& handed,
                   const std::filesystem::path& path, const std::function<void()>& write);
  /// Both with mutex_ held.
  void settled(Handed& handed);
  void tell(const std::string& problem);

  Keeping keeping_;
  std::function<void()> on_news_;
  int numbers_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::function<void()>> jobs_;
  std::deque<std::shared_ptr<Handed>> unsettled_;  // they may still share numbers with the run
  bool writing_ = false, stop_ = false;
  bool failed_ = false;                         // the last run could not be written
  bool kept_ = false;                           // one was since take_kept
  std::optional<Clock::time_point> giving_up_;  // since then no copy was there in time
  News news_;
  std::string last_problem_;
  std::optional<Saved> saved_;
  Clock::duration took_{};  // the last writing of a kept run

  SessionFolder folder_;
  std::thread thread_;
};

}  // namespace xlab
