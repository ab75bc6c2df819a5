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

/// $XLAB_GOLDEN_BASELINES, or the folder that comes with the sources: of the cells and models that
/// stand beside the paper's.
inline std::filesystem::path golden_baselines_folder() {
  const char* chosen = std::getenv("XLAB_GOLDEN_BASELINES");
  return chosen && *chosen ? chosen : XLAB_GOLDEN_DEFAULT "_baselines";
}

/// Whether somebody chose a folder: then it may lack some kinds of files, and their tests skip.
inline bool golden_folder_is_chosen() {
  for (const char* name : {"XLAB_GOLDEN", "XLAB_GOLDEN_BASELINES"}) {
    const char* chosen = std::getenv(name);
    if (chosen && *chosen) return true;
  }
  return false;
}

}  // namespace xlab::tests
