// Runs that a crash left: found at the next start, offered, and kept for a while whatever the
// answer.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/files/disk.hpp"
#include "core/keeping/kept_runs.hpp"

namespace xlab {

/// For how long what nobody wants is kept all the same, and how many sessions whatever their age.
inline constexpr int kKeptDays = 7;
inline constexpr std::size_t kLeastSessions = 3;

/// A run that a crash left, claimed by this process with all others of its session: no other one
/// offers them meanwhile. Unless it is answered, it can be claimed again afterwards.
class LostRun {
 public:
  /// What the runs of a session share.
  struct Session {
    Session(std::filesystem::path folder, FileLock claim, int unanswered)
        : folder(std::move(folder)), claim(std::move(claim)), unanswered(unanswered) {}
    const std::filesystem::path folder;
    FileLock claim;
    std::mutex mutex;
    int unanswered;  // guarded by mutex
  };
  LostRun(KeptRun about, std::shared_ptr<Session> session)
      : about_(std::move(about)), session_(std::move(session)) {}
  const KeptRun& about() const { return about_; }
  /// It was reopened, or nobody wants it now: it is not offered again, and kept for `kKeptDays`.
  /// Writes, and may wait for the disk; those of a session may be answered by several threads.
  void answer();

 private:
  KeptRun about_;
  std::shared_ptr<Session> session_;
};

struct LostRuns {
  std::vector<LostRun> runs;  ///< newest first
  std::vector<std::string> problems;
};

/// Looks for sessions that ended without a word, and tidies: removes sessions that ended or were
/// answered more than `kKeptDays` ago, and texts that no run needs. Never throws: what cannot be
/// done is left, and told. Waits for other processes that do the same.
LostRuns claim_lost_runs(const std::filesystem::path& root);

}  // namespace xlab
