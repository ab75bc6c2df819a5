// Reading whole files without being trapped, and saving them so that no previous file is lost.
#include "core/files/disk.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace fs = std::filesystem;
namespace {

/// The kernel moves at most about 2 GiB in one call.
constexpr std::size_t kMostBytesPerCall = std::size_t{1} << 30;
constexpr std::uint64_t kMebibyte = 1u << 20;
constexpr std::string_view kTemporaryPrefix = ".xlab-save-";
constexpr std::string_view kTemporarySuffix = ".tmp";

std::string cause(int error) {
  return std::error_code(error, std::generic_category()).message();
}

/// What a file that is not a regular one is, in words.
const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// A save under way: a hidden file beside the target that becomes the target at the end, and goes
/// away if it does not.
class Save {
 public:
  explicit Save(const fs::path& path) : path_(path), target_(resolve(path)) {
    fs::path folder = target_.parent_path();
    folder_ = folder.empty() ? fs::path(".") : folder;
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
    create();
  }

  ~Save() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  Save(const Save&) = delete;
  Save& operator=(const Save&) = delete;

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto part = std::min(bytes.size(), kMostBytesPerCall);
      const auto written = retry([&] { return ::write(descriptor_, bytes.data(), part); });
      if (written < 0) refuse(cause(errno));
      if (written == 0) refuse("the disk takes no more bytes");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  /// Refuses when the disk has no room for so many bytes, where the file system can tell.
  void reserve(std::uint64_t bytes) {
    if (bytes == 0) return;
    const auto size = static_cast<off_t>(bytes);
    if (retry([&] { return ::fallocate(descriptor_, 0, 0, size); }) == 0) return;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) refuse(cause(errno));
  }

  void finish() {
    if (retry([&] { return ::fsync(descriptor_); }) != 0) refuse(cause(errno));
    // Renamed while still open: the lock is what tells other saves that this is no leftover.
    if (retry([&] { return ::rename(temporary_.c_str(), target_.c_str()); }) != 0) {
      refuse(cause(errno));
    }
    temporary_.clear();
    sync_folder();
  }

 private:
  /// Follows symbolic links to the file that is to be replaced, which need not exist.
  fs::path resolve(fs::path path) const {
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

  void create() {
    static std::atomic<std::uint64_t> counter{0};
    for (;;) {
      const fs::path name = folder_ / fmt::format("{}{}-{}{}", kTemporaryPrefix, ::getpid(),
                                                  counter.fetch_add(1), kTemporarySuffix);
      descriptor_ = retry([&] {
        return ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode_);
      });
      if (descriptor_ < 0 && errno == EEXIST) continue;
      if (descriptor_ < 0) refuse(cause(errno));
      // Another save may have taken the still unlocked file for a leftover: then begin again.
      const bool taken = ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
      struct stat status {};
      if (!taken && ::fstat(descriptor_, &status) == 0 && status.st_nlink > 0) {
        temporary_ = name;
        if (replaces_) (void)::fchmod(descriptor_, mode_);  // undoes the mask; only a nicety
        return;
      }
      ::close(std::exchange(descriptor_, -1));
    }
  }

  /// Makes the new name itself durable.
  void sync_folder() const {
    const int folder =
        retry([&] { return ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    int error = 0;
    if (folder < 0) {
      error = errno;
    } else {
      if (retry([&] { return ::fsync(folder); }) != 0) error = errno;
      ::close(folder);
    }
    // EINVAL: a file system without such a call. EACCES: a folder that may be written, not read.
    if (error != 0 && error != EINVAL && error != EACCES) {
      throw Error(
          fmt::format("'{}' was replaced by the new file, but the disk did not confirm it: "
                      "{}. Save again before switching the computer off.",
                      shown_path(path_), cause(error)));
    }
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(fmt::format("Could not save '{}': {}.{}", shown_path(path_), why,
                            replaces_ ? " The previous file is unchanged." : ""));
  }

  bool replaces_ = false;
  mode_t mode_ = 0666;
  int descriptor_ = -1;
  fs::path path_, target_, folder_, temporary_;
};

}  // namespace

bool is_file(const fs::path& a, const fs::path& b) {
  if (a.empty() || b.empty()) return false;
  std::error_code missing;
  return a == b || fs::equivalent(a, b, missing);
}

std::string shown_path(const fs::path& path) {
  return printable(path.string(), 512);
}

InputFile::InputFile(const fs::path& path) : path_(path) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  descriptor_ =
      retry([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); });
  check(descriptor_ >= 0, "Cannot read '{}': {}.", shown_path(path), cause(errno));
  struct stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (known && S_ISREG(status.st_mode)) {
    size_ = static_cast<std::uint64_t>(status.st_size);
    return;
  }
  const std::string why =
      known ? fmt::format("it is {}, not a file", kind_of(status.st_mode)) : cause(errno);
  ::close(descriptor_);
  throw Error(fmt::format("Cannot read '{}': {}.", shown_path(path), why));
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

std::size_t InputFile::read(std::span<std::byte> target) {
  std::size_t filled = 0;
  while (filled < target.size()) {
    const auto part = std::min(target.size() - filled, kMostBytesPerCall);
    const auto got = retry([&] { return ::read(descriptor_, target.data() + filled, part); });
    check(got >= 0, "Cannot read '{}': {}.", shown_path(path_), cause(errno));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

std::size_t InputFile::read_at(std::uint64_t offset, std::span<std::byte> target) const {
  std::size_t filled = 0;
  while (filled < target.size()) {
    const auto part = std::min(target.size() - filled, kMostBytesPerCall);
    const auto got = retry([&] {
      return ::pread(descriptor_, target.data() + filled, part,
                     static_cast<off_t>(offset + filled));
    });
    check(got >= 0, "Cannot read '{}': {}.", shown_path(path_), cause(errno));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

std::string read_text_file(const fs::path& path, std::uint64_t limit) {
  InputFile file(path);
  const auto refuse_size = [&](bool fits) {
    const bool whole = limit % kMebibyte == 0;
    check(fits, "Cannot read '{}': it is larger than {} {}, the most this program takes here.",
          shown_path(path), whole ? limit / kMebibyte : limit, whole ? "MiB" : "bytes");
  };
  refuse_size(file.size() <= limit);
  // Read to the end rather than to the stated size: the file may be growing, or, under /proc, state
  // no size at all.
  std::string text(file.size() + 1, '\0');
  std::size_t filled = 0;
  for (;;) {
    filled += file.read(std::as_writable_bytes(std::span(text).subspan(filled)));
    refuse_size(filled <= limit);
    if (filled < text.size()) break;
    text.resize(std::min<std::uint64_t>(text.size() * 2, limit + 1));
  }
  text.resize(filled);
  return text;
}

void write_file_atomically(const fs::path& path,
                           std::span<const std::span<const std::byte>> pieces) {
  Save save(path);
  for (const auto piece : pieces) save.write(piece);
  save.finish();
}

void check_can_write_file(const fs::path& path, std::uint64_t bytes) {
  Save(path).reserve(bytes);
}

/// Temporary files of saves that were killed. A living save holds a lock on its own.
void remove_save_leftovers(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(kTemporaryPrefix) || !name.ends_with(kTemporarySuffix)) continue;
    const int leftover =
        ::open(entry->path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (leftover < 0) continue;
    if (::flock(leftover, LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
    ::close(leftover);
  }
}

std::optional<FileStamp> stamp_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return FileStamp{
      .device = static_cast<std::uint64_t>(status.st_dev),
      .inode = static_cast<std::uint64_t>(status.st_ino),
      .size = static_cast<std::uint64_t>(status.st_size),
      .modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

FileLock::FileLock(const fs::path& path, Wait wait, Kind kind) {
  const int descriptor =
      retry([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600); });
  if (descriptor < 0) return;
  const int how = (kind == Kind::shared ? LOCK_SH : LOCK_EX) | (wait == Wait::no ? LOCK_NB : 0);
  if (retry([&] { return ::flock(descriptor, how); }) == 0) {
    descriptor_ = descriptor;
  } else {
    ::close(descriptor);
  }
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void FileLock::write(std::string_view text) const {
  if (descriptor_ < 0) return;
  // In this order a kill between the two leaves no empty file.
  (void)!::pwrite(descriptor_, text.data(), text.size(), 0);
  (void)!::ftruncate(descriptor_, static_cast<off_t>(text.size()));
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  const std::span<const std::byte> piece = std::as_bytes(std::span(text));
  write_file_atomically(path, std::span(&piece, 1));
}

}  // namespace xlab
