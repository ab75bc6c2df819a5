// A save under way: the new file stands under a hidden name until it is complete.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace xlab {

/// What hidden files and folders of saves under way are called; see remove_save_leftovers.
inline constexpr std::string_view kTemporaryPrefix = ".xlab-save-";
inline constexpr std::string_view kTemporarySuffix = ".tmp";

/// A name in this folder that no save of this process has had.
std::filesystem::path temporary_name(const std::filesystem::path& folder);
/// Opens what `make` has made, as long as it takes to have it for oneself: until then another
/// process may take it for a leftover. Returns a locked descriptor; `make` gets a name in `folder`
/// and returns a descriptor, or -1 with errno set. On failure -1 with errno set. `name`: where it
/// stands.
int make_temporary(const std::filesystem::path& folder,
                   const std::function<int(const std::filesystem::path&)>& make,
                   std::filesystem::path& name);

/// Makes the names in a folder durable. Returns 0 or what the disk has against it, as errno; file
/// systems without such a call have nothing against it.
int sync_names(const std::filesystem::path& folder);

/// A hidden file beside the target that becomes the target at the end, and goes away if it does
/// not. Symbolic links are followed, so the link stays and its target is replaced. Every call
/// throws `Error` with the path and the cause; the old file is then untouched.
class FileSave {
 public:
  /// Refuses at once what cannot be replaced. `shown`: the path in messages; empty: `path`.
  explicit FileSave(const std::filesystem::path& path, const std::filesystem::path& shown = {});
  ~FileSave();
  FileSave(const FileSave&) = delete;
  FileSave& operator=(const FileSave&) = delete;

  /// Behind what was written before.
  void write(std::span<const std::byte> bytes);
  /// From byte `offset` of the file on; what is never written is zero.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Takes the room for so many bytes. Refuses when the disk has none, where the file system can
  /// tell.
  void reserve(std::uint64_t bytes);

  /// The three parts of `finish`: everything written is on the disk; the file stands under its
  /// name; that name is on the disk, too.
  void sync();
  void take_place();
  void sync_folder() const;
  void finish();

  /// The file that is replaced, which no symbolic link stands for.
  const std::filesystem::path& target() const { return target_; }

 private:
  /// Follows symbolic links to the file that is to be replaced, which need not exist.
  std::filesystem::path resolve(std::filesystem::path path) const;
  [[noreturn]] void refuse(const std::string& why) const;

  bool replaces_ = false;
  mode_t mode_ = 0666;
  int descriptor_ = -1;
  std::filesystem::path shown_, target_, folder_, temporary_;
};

}  // namespace xlab
