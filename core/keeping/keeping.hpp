// Where a session keeps the work that is not saved, and how often.
#pragma once

#include <chrono>
#include <filesystem>

namespace xlab {

struct Keeping {
  std::filesystem::path root;  ///< see kept_runs.hpp; empty: nothing is kept
  /// How much training is lost at most when the program is killed, but for the time of writing.
  std::chrono::milliseconds interval{20'000};
};

}  // namespace xlab
