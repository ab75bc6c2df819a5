// Reading whole files without being trapped, and saving them so that no previous file is lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace xlab {

/// Whether two paths that are not empty lead to one file.
bool is_file(const std::filesystem::path& a, const std::filesystem::path& b);
/// A path as messages show it.
std::string shown_path(const std::filesystem::path& path);

/// A regular file opened for reading. Directories, pipes, devices and sockets are refused at once,
/// never waited for. Errors name the path and the cause.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// Size in bytes when it was opened.
  std::uint64_t size() const { return size_; }
  /// Fills `target` with the next bytes and returns how many there were; fewer than asked means
  /// that the file ends there.
  std::size_t read(std::span<std::byte> target);
  /// The same from byte `offset` of the file on; moves nothing, and may be called by several
  /// threads.
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> target) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// The bytes of a text file (not checked for encoding). Refuses files larger than `limit` bytes.
std::string read_text_file(const std::filesystem::path& path, std::uint64_t limit);

/// Replaces the file at `path` by `pieces`, one after the other: whatever happens (a full disk, a
/// kill, a power cut), either the old or the new content is there, complete. Symbolic links are
/// followed, so the link stays and its target is replaced. Throws `Error` with the path and the
/// cause; the old file is then untouched.
void write_file_atomically(const std::filesystem::path& path,
                           std::span<const std::span<const std::byte>> pieces);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// Throws the sentence that a save of `bytes` bytes to `path` would end with, as far as it can be
/// known beforehand: what stands there cannot be replaced, or the disk has no room. Changes
/// nothing.
void check_can_write_file(const std::filesystem::path& path, std::uint64_t bytes);

/// Removes what killed saves left in a folder. Those under way are left alone.
void remove_save_leftovers(const std::filesystem::path& folder);

/// Which content stands under a name at one moment: another save, by whomever, gives another stamp.
struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0;  ///< since 1970

  bool operator==(const FileStamp&) const = default;
};
/// Nothing when there is no such file. Symbolic links are followed.
std::optional<FileStamp> stamp_of(const std::filesystem::path& path);

/// A lock file held by this process, and given up when the process ends, however it ends. Two
/// holders in one process are two as well.
class FileLock {
 public:
  enum class Wait { no, yes };
  enum class Kind { exclusive, shared };
  FileLock() = default;
  /// Makes the file if need be. `held()` is false when somebody else holds it, or where locks are
  /// not possible at all.
  explicit FileLock(const std::filesystem::path& path, Wait wait = Wait::no,
                    Kind kind = Kind::exclusive);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;

  bool held() const { return descriptor_ >= 0; }
  /// Puts a few words into the file, for those who find it locked.
  void write(std::string_view text) const;

 private:
  int descriptor_ = -1;
};

}  // namespace xlab
