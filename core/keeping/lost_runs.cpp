// Runs that a crash left.
#include "core/keeping/lost_runs.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <system_error>
#include <utility>

#include "core/keeping/kept_files.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace fs = std::filesystem;

namespace {

/// Whether the run's own file was written after the run was kept, with as much training in it: as
/// when the program ended between saving and forgetting.
bool saved_since(const KeptRun& run) {
  // Which of a bench's runs it was is not known: better offered once too often.
  if (run.in_bench) return false;
  const auto now = run.run_path.empty() ? std::nullopt : stamp_of(run.run_path);
  const auto kept = stamp_of(run.file);
  if (!now || !kept || now == run.stamp || now->modified_ns < kept->modified_ns) return false;
  try {
    return about_kept_run(run.run_path).step >= run.step;
  } catch (const Error&) {
    return false;
  }
}

void remove_old_sessions(const fs::path& root) {
  const std::map<int, fs::path> folders = kept::session_folders(root);
  const std::int64_t oldest = kept::seconds_now() - std::int64_t{kKeptDays} * 24 * 60 * 60;
  std::size_t newer = folders.size();
  for (const auto& [number, folder] : folders) {
    --newer;
    const auto at =
        std::max(kept::marked_at(folder / kept::kEnded), kept::marked_at(folder / kept::kAnswered));
    std::error_code ignored;
    std::vector<std::string> problems;
    const bool empty = kept::runs_in(folder, number, problems).empty() && problems.empty();
    const bool old = at && *at < oldest && newer >= kLeastSessions;
    if ((empty || old) && !kept::lives(folder)) fs::remove_all(folder, ignored);
  }
}

void remove_unused_texts(const fs::path& root) {
  std::error_code ignored;
  if (!fs::exists(root / "texts", ignored)) return;
  const FileLock removing(root / "texts" / kept::kLock);
  if (!removing.held()) return;  // somebody writes one: next time, then
  std::set<fs::path> used;
  for (const auto& [number, folder] : kept::session_folders(root)) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (kept::run_number(entry->path().filename().string()) == 0) continue;
      std::vector<std::string> problems;
      const auto about = kept::about_or_problem(entry->path(), problems);
      // What cannot be read may need any text.
      if (!about) return;
      if (!about->text.empty()) used.insert(kept::text_file(root, about->text));
    }
  }
  remove_save_leftovers(root / "texts");
  std::vector<fs::path> unused;
  std::error_code error;
  for (fs::directory_iterator entry(root / "texts", error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".safetensors" && !used.contains(entry->path()))
      unused.push_back(entry->path());
  }
  for (const fs::path& text : unused) fs::remove(text, error);
}

}  // namespace

void LostRun::answer() {
  const std::shared_ptr<Session> session = std::move(session_);
  if (!session) return;
  const fs::path& folder = session->folder;
  const std::lock_guard lock(session->mutex);
  const bool last = --session->unanswered <= 0;
  std::error_code ignored;
  std::vector<std::string> problems;
  if (last && kept::runs_in(folder, 0, problems).empty() && problems.empty()) {
    fs::remove_all(folder, ignored);
    return;
  }
  try {
    kept::mark(last ? folder / kept::kAnswered : kept::answered(folder, about_.number));
  } catch (const Error&) {
    // Then it is offered once more.
  }
}

LostRuns claim_lost_runs(const fs::path& root) {
  LostRuns lost;
  std::error_code ignored;
  if (!fs::exists(kept::sessions_of(root), ignored)) return lost;
  const FileLock claiming(kept::sessions_of(root) / kept::kLock, FileLock::Wait::yes);
  // Where nothing can be locked nobody can tell the living from the dead.
  if (!claiming.held()) return lost;
  const auto folders = kept::session_folders(root);
  for (auto entry = folders.rbegin(); entry != folders.rend(); ++entry) {
    const int number = entry->first;
    const fs::path& folder = entry->second;
    if (kept::marked_at(folder / kept::kEnded) || kept::marked_at(folder / kept::kAnswered) ||
        kept::lives(folder))
      continue;
    remove_save_leftovers(folder);
    FileLock claim(folder / kept::kClaim);
    if (!claim.held()) continue;
    const std::size_t before = lost.problems.size();
    std::vector<KeptRun> runs = kept::runs_in(folder, number, lost.problems);
    const bool holds_something = !runs.empty() || lost.problems.size() > before;
    std::erase_if(runs, [&](const KeptRun& run) {
      return run.replaced || saved_since(run) ||
             kept::marked_at(kept::answered(folder, run.number));
    });
    auto session =
        std::make_shared<LostRun::Session>(folder, std::move(claim), static_cast<int>(runs.size()));
    for (KeptRun& run : runs) lost.runs.emplace_back(std::move(run), session);
    // Nothing to offer, but it can be reopened from the menu.
    if (runs.empty() && holds_something) LostRun({}, std::move(session)).answer();
  }
  remove_old_sessions(root);
  remove_unused_texts(root);
  return lost;
}

}  // namespace xlab
