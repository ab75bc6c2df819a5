// Several files of one folder, saved together: all of them take their places, or none does.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xlab {

class FileSave;

/// A folder that is not there is made beside its place and stands there, complete, at the end. In
/// one that is there every file is written under a hidden name and takes its place at the end, in
/// the order of the calls; what else is in it stays. Whatever fails, everything is then as it was
/// before: no new folder, no new file. (A process killed between the last few renames can leave
/// some files of before beside new ones.) Every call throws `Error` with the path and the cause.
class FolderSave {
 public:
  explicit FolderSave(const std::filesystem::path& folder);
  ~FolderSave();
  FolderSave(const FolderSave&) = delete;
  FolderSave& operator=(const FolderSave&) = delete;

  /// Where the folder is in the end.
  const std::filesystem::path& folder() const { return folder_; }
  void write(const std::string& name, std::span<const std::span<const std::byte>> pieces);
  void write(const std::string& name, std::string_view text);
  /// Takes a file away that may be there.
  void remove(const std::string& name);
  void finish();

 private:
  /// One file that is to be written or, without a save, taken away.
  struct Change {
    std::filesystem::path path = {};
    std::unique_ptr<FileSave> save;
    std::filesystem::path before = {};  ///< the hidden name of what stood there; empty: nothing did
    bool done = false;
  };
  void make_beside();
  void show_new_folder();
  void put_aside(Change& change);
  /// Other saves take what has a hidden name for a leftover unless it is locked.
  void lock(const std::filesystem::path& path);
  void unlock() noexcept;
  void undo() noexcept;

  std::filesystem::path folder_;
  /// Of a new folder: the hidden one it is written in, what that becomes (the folder or the first
  /// one above it that is missing), and the folder to write to within it.
  std::filesystem::path hidden_, becomes_, within_;
  int lock_ = -1;           // on `hidden_`
  std::vector<int> locks_;  // on what was put aside
  std::vector<Change> changes_;
};

}  // namespace xlab
