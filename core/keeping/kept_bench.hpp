// How the runs of a session stood side by side: kept beside the kept runs, so that a crash changes
// neither their order nor who reads whose sequence.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

namespace xlab {

/// How a run stood among those of its session.
struct BenchPlace {
  int number = 0;      ///< of the run within its session, see KeptRun
  int colour = 0;      ///< see RunCard
  bool shown = true;   ///< among the curves
  int sequence = 0;    ///< runs with the same number share one; 0: its own
  bool focus = false;  ///< it was on screen
  std::size_t place = 0;
  bool operator==(const BenchPlace&) const = default;
};
using KeptBench = std::vector<BenchPlace>;

namespace kept {

/// Into a file of the session's folder. Throws a sentence when it cannot be written.
void write_bench(const std::filesystem::path& folder, const KeptBench& bench);
/// Empty where there is none, or what there is cannot be read: runs are worth more than their
/// order.
KeptBench read_bench(const std::filesystem::path& folder);

}  // namespace kept
}  // namespace xlab
