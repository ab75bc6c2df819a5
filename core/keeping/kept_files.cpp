// The files of kept runs.
#include "core/keeping/kept_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <system_error>
#include <utility>

#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab::kept {
namespace fs = std::filesystem;

fs::path sessions_of(const fs::path& root) {
  return root / "sessions";
}
fs::path answered(const fs::path& folder, int number) {
  return folder / fmt::format("{}-{}", kAnswered, number);
}

fs::path text_file(const fs::path& root, const std::string& name) {
  return root / "texts" / (name + ".safetensors");
}

std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return number;
}

int run_number(const std::string& name) {
  constexpr std::string_view kBefore = "run-";
  if (!name.starts_with(kBefore) || (!name.ends_with("-a.xlab") && !name.ends_with("-b.xlab")))
    return 0;
  const auto number =
      number_in(std::string_view(name).substr(kBefore.size(), name.size() - kBefore.size() - 7));
  return number && *number > 0 && *number < kMostNumber ? static_cast<int>(*number) : 0;
}

fs::path other_generation(const fs::path& file) {
  std::string name = file.filename().string();
  if (run_number(name) == 0) return {};
  char& letter = name[name.size() - std::string_view("a.xlab").size()];
  letter = letter == 'a' ? 'b' : 'a';
  return file.parent_path() / name;
}

std::map<int, fs::path> session_folders(const fs::path& root) {
  std::map<int, fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator entry(sessions_of(root), error), end; !error && entry != end;
       entry.increment(error)) {
    const auto number = number_in(entry->path().filename().string());
    std::error_code ignored;
    if (number && *number > 0 && *number < kMostNumber && entry->is_directory(ignored))
      folders[static_cast<int>(*number)] = entry->path();
  }
  return folders;
}

bool lives(const fs::path& folder) {
  // Without its lock a session has just been made, or something took the file away: to be on the
  // safe side it lives, until somebody who may lock it finds out.
  return !FileLock(folder / kLock, FileLock::Wait::no, FileLock::Kind::shared).held();
}

bool own(const fs::path& folder) {
  try {
    return number_in(read_text_file(folder / kLock, 64)) == ::getpid();
  } catch (const Error&) {
    return false;
  }
}

void mark(const fs::path& file) {
  write_file_atomically(file, std::to_string(seconds_now()));
}

std::optional<std::int64_t> marked_at(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return {};
  try {
    return number_in(read_text_file(file, 64)).value_or(0);
  } catch (const Error&) {
    return 0;
  }
}

std::optional<KeptRun> about_or_problem(const fs::path& path, std::vector<std::string>& problems) {
  try {
    return about_kept_run(path);
  } catch (const Error& e) {
    problems.push_back(
        fmt::format("A run that was kept cannot be read and is left out. {}", e.what()));
    return {};
  }
}

std::vector<KeptRun> runs_in(const fs::path& folder, int session,
                             std::vector<std::string>& problems) {
  std::map<int, KeptRun> newest;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const int number = run_number(entry->path().filename().string());
    if (number == 0) continue;
    std::optional<KeptRun> about = about_or_problem(entry->path(), problems);
    if (!about) continue;
    about->session = session;
    about->number = number;
    const auto [place, fresh] = newest.try_emplace(number, *about);
    if (!fresh && place->second.sequence < about->sequence) place->second = *std::move(about);
  }
  std::vector<KeptRun> runs;
  runs.reserve(newest.size());
  for (auto& [number, about] : newest) runs.push_back(std::move(about));
  std::sort(runs.begin(), runs.end(), [](const KeptRun& a, const KeptRun& b) {
    return std::pair(!a.replaced, a.sequence) > std::pair(!b.replaced, b.sequence);
  });
  return runs;
}

}  // namespace xlab::kept
