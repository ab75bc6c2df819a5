// Where the reference numbers lie.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace xlab::tests {

/// $XLAB_GOLDEN, or the folder that comes with the sources.
inline std::filesystem::path golden_folder() {
  const char* chosen = std::getenv("XLAB_GOLDEN");
  return chosen && *chosen ? chosen : XLAB_GOLDEN_DEFAULT;
}

/// Whether somebody chose the folder: then it may lack some kinds of files, and their tests skip.
inline bool golden_folder_is_chosen() {
  const char* chosen = std::getenv("XLAB_GOLDEN");
  return chosen && *chosen;
}

}  // namespace xlab::tests
