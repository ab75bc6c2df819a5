// The place of one session's kept runs.
#include "core/keeping/session_folder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "core/files/safetensors.hpp"
#include "core/keeping/kept_files.hpp"
#include "core/run_data.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace fs = std::filesystem;

namespace {

using nlohmann::json;

json stamp_json(const FileStamp& stamp) {
  return {stamp.device, stamp.inode, stamp.size, stamp.modified_ns};
}

}  // namespace

fs::path SessionFolder::place(int number, bool second) const {
  return folder_ / fmt::format("run-{}-{}.xlab", number, second ? 'b' : 'a');
}

void SessionFolder::make() {
  if (!folder_.empty()) return;
  std::error_code error;
  fs::create_directories(kept::sessions_of(root_), error);
  check(!error, "Cannot make the folder '{}': {}.",
        printable(kept::sessions_of(root_).string(), 512), error.message());
  // Nobody takes a session that has no lock yet for one that has ended.
  const FileLock making(kept::sessions_of(root_) / kept::kLock, FileLock::Wait::yes);
  // The lock file holds the last number, so that none is given twice.
  const auto folders = kept::session_folders(root_);
  int last = folders.empty() ? 0 : folders.rbegin()->first;
  try {
    const auto given = kept::number_in(read_text_file(kept::sessions_of(root_) / kept::kLock, 64));
    if (given && *given < kept::kMostNumber) last = std::max(last, static_cast<int>(*given));
  } catch (const Error&) {
    // Nobody has been given one yet.
  }
  for (int number = last + 1;; ++number) {
    const fs::path folder = kept::sessions_of(root_) / fmt::format("{:06}", number);
    if (fs::create_directory(folder, error)) {
      making.write(std::to_string(number));
      lock_ = FileLock(folder / kept::kLock, FileLock::Wait::yes);
      lock_.write(std::to_string(::getpid()));
      folder_ = folder;
      return;
    }
    check(!error, "Cannot make the folder '{}': {}.", printable(folder.string(), 512),
          error.message());
  }
}

void SessionFolder::write(const RunRecord& record, KeptRun about) {
  fs::path target;
  std::int64_t sequence = 0;
  {
    const std::lock_guard lock(mutex_);
    make();
    const auto newest = newest_.find(about.number);
    target = place(about.number, newest != newest_.end() && !newest->second.second);
    sequence = ++sequence_;
  }
  about.text = record.task->name();
  FileLock keeping;
  if (!about.text.empty()) {
    const fs::path text = kept::text_file(root_, about.text);
    fs::create_directories(text.parent_path());
    // Nobody removes the text before a run that needs it is there.
    keeping =
        FileLock(text.parent_path() / kept::kLock, FileLock::Wait::yes, FileLock::Kind::shared);
    std::uint64_t bytes = 0;
    for (const StoredTensor& tensor : record.task->tensors()) bytes += tensor.bytes.size();
    const auto there = stamp_of(text);
    if (!there || there->size < bytes) write_safetensors(text, record.task->tensors());
  }
  const json words = {{"title", about.title},
                      {"run_path", about.run_path},
                      {"step", about.step},
                      {"saved_step", about.saved_step},
                      {"at", kept::seconds_now()},
                      {"sequence", sequence},
                      {"replaced", about.replaced},
                      {"bench", about.in_bench},
                      {"in_file", about.in_file},
                      {"text", about.text},
                      {"stamp", about.stamp ? stamp_json(*about.stamp) : json(nullptr)}};
  RecordFile contents = file_of(record);
  // Names in other encodings than UTF-8 do not keep a run from being kept.
  write_safetensors(target, std::move(contents.tensors),
                    {{"format", "pt"},
                     {"xlab", contents.description},
                     {kept::kAbout, words.dump(-1, ' ', false, json::error_handler_t::replace)}});
  const std::lock_guard lock(mutex_);
  newest_[about.number] = {target == place(about.number, true), sequence, about.replaced};
  write_bench_if_new();
}

void SessionFolder::write_bench(KeptBench bench) {
  const std::lock_guard lock(mutex_);
  bench_ = std::move(bench);
  bench_written_ = false;
  write_bench_if_new();
}

void SessionFolder::write_bench_if_new() {
  if (folder_.empty() || bench_written_) return;
  try {
    kept::write_bench(folder_, bench_);
    bench_written_ = true;
  } catch (const Error&) {
    // Tried again with the next run.
  }
}

void SessionFolder::remove(int number) {
  const std::lock_guard lock(mutex_);
  newest_.erase(number);
  if (folder_.empty()) return;
  std::error_code ignored;
  for (const bool second : {false, true}) fs::remove(place(number, second), ignored);
}

void SessionFolder::limit_replaced(std::size_t most, const std::vector<int>& needed) {
  std::vector<std::pair<std::int64_t, int>> replaced;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, newest] : newest_)
      if (newest.replaced) replaced.emplace_back(newest.sequence, number);
  }
  std::sort(replaced.begin(), replaced.end());
  std::size_t left = replaced.size();
  for (const auto& [sequence, number] : replaced) {
    if (left <= most) return;
    if (std::find(needed.begin(), needed.end(), number) != needed.end()) continue;
    remove(number);
    --left;
  }
}

void SessionFolder::adopt(const KeptRun& run, int number) {
  const std::lock_guard lock(mutex_);
  make();
  // The generation before it has served, and goes first: left behind by a crash it would be offered
  // as another run. What cannot be read is left to those who can.
  std::error_code error;
  std::vector<std::string> problems;
  if (const fs::path other = kept::other_generation(run.file); !other.empty() && stamp_of(other)) {
    const auto before = kept::about_or_problem(other, problems);
    if (before && before->sequence < run.sequence) fs::remove(other, error);
  }
  fs::rename(run.file, place(number, false), error);
  if (error) return;  // it stays where it is, and is written here when there is more to keep
  sequence_ = std::max(sequence_, run.sequence);
  newest_[number] = {false, run.sequence, false};
  // It may have been one of this session, which goes on under another number.
  if (run.file.parent_path() == folder_)
    newest_.erase(kept::run_number(run.file.filename().string()));
}

void SessionFolder::end() {
  const std::lock_guard lock(mutex_);
  if (folder_.empty()) return;
  std::vector<std::string> problems;
  std::error_code ignored;
  if (kept::runs_in(folder_, 0, problems).empty() && problems.empty()) {
    fs::remove_all(folder_, ignored);
  } else {
    kept::mark(folder_ / kept::kEnded);
  }
  folder_.clear();
  lock_ = FileLock();
}

}  // namespace xlab
