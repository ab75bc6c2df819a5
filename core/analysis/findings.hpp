// What a model does with a sequence, in sentences that its recordings prove. Standard types only.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// Where the numbers of a finding can be looked at.
struct Evidence {
  std::string path;  ///< of a recorded value
  int step = 0, head = 0, unit = 0;

  bool operator==(const Evidence&) const = default;
};

/// Something measured. Nothing is guessed: what counts as much or little is named in the sentence.
struct Finding {
  /// "half-life", "input gate", "floor", "saturation", "fill", "answer" or "ablation".
  std::string about;
  int block = 0;
  std::string sentence;
  std::vector<std::pair<std::string, double>> numbers;  ///< those of the sentence, in full, by name
  std::optional<Evidence> evidence;
};

/// Above this share of the answers a head is said to use its floor.
inline constexpr double kMostlyFloor = 0.5;
/// Below this an output gate is shut.
inline constexpr double kNearlyShut = 0.01;

/// What the recordings of a sequence show, block by block: how long memories last, which tokens are
/// written, where the floor of the normalizer is in use, units that stay shut, how
/// much of a matrix memory is in use, and what the last answer hangs on. `tokens` are those of the
/// recordings, and the last answer is that after token `asked` (-1: the last one). Blocks whose
/// values are not recorded, or hold numbers that are none, are left out of what these would say.
std::vector<Finding> findings(const ModelCard& model, const std::shared_ptr<const Trace>& trace,
                              const std::vector<int>& tokens, int asked = -1);

/// How many directions of its (keys, values) a matrix uses: the participation ratio of its squared
/// singular values, (Σ σ²)² / Σ σ⁴, between 1 and the smaller of both; 0 for zeros.
double effective_rank(const std::vector<float>& matrix, int keys, int values);

}  // namespace xlab
