// Reading whole files without being trapped, and saving them so that no previous file is lost.
#include "core/files/disk.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/files/file_save.hpp"
#include "core/files/system_call.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMebibyte = 1u << 20;

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
  FileSave save(path);
  for (const auto piece : pieces) save.write(piece);
  save.finish();
}

void check_can_write_file(const fs::path& path, std::uint64_t bytes) {
  FileSave(path).reserve(bytes);
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
