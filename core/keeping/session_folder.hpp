// The folder into which a session of the program keeps its runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "core/files/disk.hpp"
#include "core/keeping/kept_runs.hpp"

namespace xlab {

/// The place of one session. The folder is made when there is something to keep. May be used by
/// several threads, each run by one at a time.
class SessionFolder {
 public:
  explicit SessionFolder(std::filesystem::path root) : root_(std::move(root)) {}

  /// Writes a run, its text too if that is not there yet. Whatever happens, the generation before
  /// stays whole until the new one is.
  void write(const RunRecord& record, KeptRun about);
  void remove(int number);
  /// Of the runs that others took the place of, at most `most` stay: those written first go, but
  /// for those in `needed`.
  void limit_replaced(std::size_t most, const std::vector<int>& needed);
  /// A kept run of an earlier session goes on in this one, as run `number`: its file moves here.
  void adopt(const KeptRun& run, int number);
  /// How its runs stand side by side, from now on.
  void write_bench(KeptBench bench);
  /// The session ended in order: nothing is offered, what is kept stays for `kKeptDays`.
  void end();

 private:
  struct Generations {
    bool second = false;  // whether the newest is the second one
    std::int64_t sequence = 0;
    bool replaced = false;
  };
  void make();
  /// With mutex_ held. A bench that cannot be written is no reason not to keep the runs.
  void write_bench_if_new();
  std::filesystem::path place(int number, bool second) const;

  std::mutex mutex_;  // nobody writes a run while holding it
  std::filesystem::path root_, folder_;
  FileLock lock_;
  std::int64_t sequence_ = 0;
  std::map<int, Generations> newest_;
  KeptBench bench_;
  bool bench_written_ = true;
};

}  // namespace xlab
