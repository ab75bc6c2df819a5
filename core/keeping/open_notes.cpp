// One small locked file for every open file and instance, named after the file's true path.
#include "core/keeping/open_notes.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <system_error>
#include <utility>

#include "core/hash.hpp"

namespace xlab {
namespace {

namespace fs = std::filesystem;

/// Removes notes of instances that ended. Nobody holds their locks.
void remove_dead(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    // Held until it is removed, so that nobody takes it for his own in between.
    if (const FileLock lock(entry->path()); lock.held()) fs::remove(entry->path(), ignored);
  }
}

}  // namespace

OpenNote::OpenNote(const fs::path& root, const fs::path& path) {
  if (root.empty() || path.empty()) return;
  std::error_code error;
  const fs::path folder = root / "open";
  fs::create_directories(folder, error);
  const fs::path whole = fs::weakly_canonical(path, error);
  if (error) return;
  remove_dead(folder);
  static std::atomic<std::uint64_t> counter{0};
  const std::string name = whole.string();
  file_ = fmt::format("{:016x}-", hash_bytes(std::as_bytes(std::span(name))));
  constexpr int kTries = 10;
  for (int i = 0; i < kTries && !lock_.held(); ++i) {
    const fs::path note = folder / fmt::format("{}{}-{}", file_, ::getpid(), ++counter);
    FileLock lock(note);
    // Somebody who tidies may have taken it for one of the dead before it was locked.
    if (!lock.held() || !fs::exists(note, error)) continue;
    folder_ = folder;
    note_ = note;
    lock_ = std::move(lock);
  }
}

OpenNote::~OpenNote() {
  std::error_code ignored;
  if (lock_.held()) fs::remove(note_, ignored);
}

OpenNote::OpenNote(OpenNote&& other) noexcept
    : folder_(std::move(other.folder_)),
      note_(std::move(other.note_)),
      file_(std::move(other.file_)),
      lock_(std::move(other.lock_)) {}

OpenNote& OpenNote::operator=(OpenNote&& other) noexcept {
  std::swap(folder_, other.folder_);
  std::swap(note_, other.note_);
  std::swap(file_, other.file_);
  std::swap(lock_, other.lock_);
  return *this;
}

bool OpenNote::others() const {
  if (!lock_.held()) return false;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path() == note_ || !entry->path().filename().string().starts_with(file_)) continue;
    std::error_code ignored;
    if (FileLock lock(entry->path()); !lock.held()) return true;
    fs::remove(entry->path(), ignored);
  }
  return false;
}

}  // namespace xlab
