// A folder that is gone with its object.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "kernels/check.hpp"

namespace xlab {

/// A folder that is gone with this object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code missing;
    const std::filesystem::path folder = std::filesystem::temp_directory_path(missing);
    check(!missing,
          "There is no folder for temporary files: point the environment's TMPDIR to one.");
    std::string name = (folder / "xlstm-XXXXXX").string();
    check(::mkdtemp(name.data()) != nullptr,
          "No folder can be made in '{}': point the environment's TMPDIR to one that takes it.",
          folder.string());
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace xlab
