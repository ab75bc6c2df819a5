// Tells instances of the program apart that have the same file open.
#pragma once

#include <filesystem>
#include <string>

#include "core/files/disk.hpp"

namespace xlab {

/// Says, as long as it lives, that a file is open here; ends with the process, however that ends.
/// Whatever cannot be done (a folder that is read-only) is left: then nobody is told.
class OpenNote {
 public:
  OpenNote() = default;
  /// `root`: the folder where instances meet, made if need be; empty: no note. `path` may lead to
  /// the file by links.
  OpenNote(const std::filesystem::path& root, const std::filesystem::path& path);
  ~OpenNote();
  OpenNote(OpenNote&& other) noexcept;
  OpenNote& operator=(OpenNote&& other) noexcept;

  /// Whether another note says now that the same file is open.
  bool others() const;

 private:
  std::filesystem::path folder_, note_;
  std::string file_;  // begin of the names of all notes on the same file
  FileLock lock_;
};

}  // namespace xlab
