// What a model does with a sequence, in sentences that its recordings prove. Standard types only.
#pragma once

#include <memory>
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

/// The same piece by piece, for whoever has little time at once.
class FindingsInPieces {
 public:
  FindingsInPieces(std::shared_ptr<const ModelCard> model, std::shared_ptr<const Trace> trace,
                   std::vector<int> tokens, int asked = -1);
  ~FindingsInPieces();
  FindingsInPieces(FindingsInPieces&&) noexcept;
  FindingsInPieces& operator=(FindingsInPieces&&) noexcept;

  /// Goes on for about so much work, counted in multiplications, and for one piece at least: a
  /// token of a block, or a head. Returns whether everything is found.
  bool go_on(double work);
  bool complete() const;
  /// How much of the work is done, 0..1.
  double share() const;
  /// What is found so far, in the order of `findings`.
  const std::vector<Finding>& found() const;

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

/// The same choice of the last answer as for a probe: that after the last token after which the
/// task asks for one; -1 where it asks for none.
int last_asked(const SequenceStatus& sequence);

/// What a head or a block is worth, where the loss is `loss` as it is.
Finding finding_of(const ModelCard& model, const Ablation& ablation, double loss);

/// How many directions of its (keys, values) a matrix uses: the participation ratio of its squared
/// singular values, (Σ σ²)² / Σ σ⁴, between 1 and the smaller of both; 0 for zeros.
double effective_rank(const std::vector<float>& matrix, int keys, int values);

}  // namespace xlab
