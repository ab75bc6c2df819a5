// A save under way: a hidden file that becomes the target at the end.
#include "core/files/file_save.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "core/files/disk.hpp"
#include "core/files/system_call.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace fs = std::filesystem;
namespace {

fs::path folder_of(const fs::path& path) {
  const fs::path folder = path.parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

}  // namespace

fs::path temporary_name(const fs::path& folder) {
  static std::atomic<std::uint64_t> counter{0};
  return folder / fmt::format("{}{}-{}{}", kTemporaryPrefix, ::getpid(), counter.fetch_add(1),
                              kTemporarySuffix);
}

int make_temporary(const fs::path& folder, const std::function<int(const fs::path&)>& make,
                   fs::path& name) {
  for (;;) {
    name = temporary_name(folder);
    const int descriptor = make(name);
    if (descriptor < 0 && errno == EEXIST) continue;
    if (descriptor < 0) return -1;
    // Another save may have taken the still unlocked file for a leftover: then begin again.
    const bool taken = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    struct stat status {};
    if (!taken && ::fstat(descriptor, &status) == 0 && status.st_nlink > 0) return descriptor;
    ::close(descriptor);
  }
}

int sync_names(const fs::path& folder) {
  const int descriptor =
      retry([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  // EACCES: a folder that may be written, not read.
  if (descriptor < 0) return errno == EACCES ? 0 : errno;
  const int error = retry([&] { return ::fsync(descriptor); }) == 0 ? 0 : errno;
  ::close(descriptor);
  return error == EINVAL ? 0 : error;
}

FileSave::FileSave(const fs::path& path, const fs::path& shown)
    : shown_(shown.empty() ? path : shown), target_(resolve(path)), folder_(folder_of(target_)) {
  struct stat status {};
  if (::stat(target_.c_str(), &status) == 0) {
    if (!S_ISREG(status.st_mode)) refuse("it is " + std::string(kind_of(status.st_mode)));
    mode_ = status.st_mode & 0777;
    replaces_ = true;
    // Renaming asks only for the folder's permission, but a read-only file is meant to stay.
    if (::access(target_.c_str(), W_OK) != 0) refuse(cause(errno));
  } else if (errno != ENOENT) {
    refuse(cause(errno));
  }
  remove_save_leftovers(folder_);
  fs::path name;
  descriptor_ = make_temporary(
      folder_,
      [this](const fs::path& fresh) {
        return retry([&] {
          return ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode_);
        });
      },
      name);
  if (descriptor_ < 0) refuse(cause(errno));
  temporary_ = std::move(name);
  if (replaces_) (void)::fchmod(descriptor_, mode_);  // undoes the mask; only a nicety
}

FileSave::~FileSave() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileSave::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto part = std::min(bytes.size(), kMostBytesPerCall);
    const auto written = retry([&] { return ::write(descriptor_, bytes.data(), part); });
    if (written < 0) refuse(cause(errno));
    if (written == 0) refuse("the disk takes no more bytes");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void FileSave::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto part = std::min(bytes.size(), kMostBytesPerCall);
    const auto written = retry(
        [&] { return ::pwrite(descriptor_, bytes.data(), part, static_cast<off_t>(offset)); });
    if (written < 0) refuse(cause(errno));
    if (written == 0) refuse("the disk takes no more bytes");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

void FileSave::reserve(std::uint64_t bytes) {
  if (bytes == 0) return;
  const auto size = static_cast<off_t>(bytes);
  if (retry([&] { return ::fallocate(descriptor_, 0, 0, size); }) == 0) return;
  if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) refuse(cause(errno));
}

void FileSave::sync() {
  if (retry([&] { return ::fsync(descriptor_); }) != 0) refuse(cause(errno));
}

void FileSave::take_place() {
  // Renamed while still open: the lock is what tells other saves that this is no leftover.
  if (retry([&] { return ::rename(temporary_.c_str(), target_.c_str()); }) != 0) {
    refuse(cause(errno));
  }
  temporary_.clear();
}

void FileSave::sync_folder() const {
  const int error = sync_names(folder_);
  check(error == 0,
        "'{}' was replaced by the new file, but the disk did not confirm it: {}. Save again before "
        "switching the computer off.",
        shown_path(shown_), cause(error));
}

void FileSave::finish() {
  sync();
  take_place();
  sync_folder();
}

fs::path FileSave::resolve(fs::path path) const {
  constexpr int kMostLinks = 40;
  for (int i = 0; i < kMostLinks; ++i) {
    std::error_code error;
    if (!fs::is_symlink(fs::symlink_status(path, error))) return path;
    const fs::path link = fs::read_symlink(path, error);
    if (error) refuse(error.message());
    path = path.parent_path() / link;
  }
  refuse(cause(ELOOP));
}

void FileSave::refuse(const std::string& why) const {
  throw Error(fmt::format("Could not save '{}': {}.{}", shown_path(shown_), why,
                          replaces_ ? " The previous file is unchanged." : ""));
}

/// A living save holds a lock on its own.
void remove_save_leftovers(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(kTemporaryPrefix) || !name.ends_with(kTemporarySuffix)) continue;
    const int leftover =
        ::open(entry->path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (leftover < 0) continue;
    std::error_code ignored;
    if (::flock(leftover, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry->path(), ignored);
    ::close(leftover);
  }
}

}  // namespace xlab
