// How the units of a head mix: what R adds to each pre-activation, and where a change of one unit's
// output goes. Standard types only, double precision throughout.
//
//   pre_t = W x_t + R h_{t−1} + b      of every mixed gate, softly capped where the cell does that
//
// A change of h_s goes on as the first derivative of the recorded steps: through R into all mixed
// pre-activations of the next step, from there into memory, divisor and output (`UnitSlopes`).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// One pre-activation at one step.
struct MixedPlace {
  int gate = 0;  ///< index into MixingCard::gates
  int step = 0, head = 0, unit = 0;
};

/// Whether R and b of this block are there, with the sizes that the block has.
bool has_mixing(const MixingImage* image, const BlockCard& block);

/// What a pre-activation is made of.
struct PreParts {
  double token = 0.0;  ///< W x_t
  double mixed = 0.0;  ///< R h_{t−1}; 0 at step 0
  double bias = 0.0;   ///< b
  double cap = 0.0;    ///< soft cap; 0: none
  bool held = false;   ///< a clamp stands in its place
  /// What edits make of it that work on what it is: scale · (what the parts come to) + plus.
  double scale = 1.0, plus = 0.0;
  double recorded = 0.0;

  double sum() const { return token + mixed + bias; }
  bool edited() const { return scale != 1.0 || plus != 0.0; }
  /// What the sum comes to: cap · tanh(sum / cap) where there is a cap, and what edits make of that
  /// where it is not held.
  double expected() const;
  /// Of the recorded value, what the parts do not make. Of one that is held, what holding adds.
  double difference() const { return recorded - expected(); }
};

/// None where something of it is not recorded.
std::optional<PreParts> parts_of(const Trace& trace, const BlockCard& block,
                                 const MixingImage& image, std::span<const Clamp> clamps,
                                 const MixedPlace& place);

/// What one unit adds to a pre-activation of another one.
struct MixedSource {
  int unit = 0;          ///< of the same head
  double weight = 0.0;   ///< R[gate, to, unit]
  double output = 0.0;   ///< h_{t−1} of that unit; 0 at step 0
  double product = 0.0;  ///< weight · output
};

/// All units of the head, in their order; empty where their output is not recorded.
std::vector<MixedSource> sources_of(const Trace& trace, const BlockCard& block,
                                    const MixingImage& image, const MixedPlace& place);
/// The `most` of them that add most, whichever the sign, the largest first; what is no number comes
/// before what is one.
std::vector<MixedSource> largest_sources(std::vector<MixedSource> sources, std::size_t most);

/// Where a change of one unit's output goes: d h_t / d h_s for t = s, s + 1, … of all units of its
/// head, everything that the head carries being as recorded. What is held does not change, what is
/// multiplied by hand changes so many times as much. The other way on, through the layers above and
/// the next token, is not in it: they come after h.
class Influence {
 public:
  /// Follows one unit from a step on, in these recordings. What they have in common with those
  /// before stays.
  void follow(const std::shared_ptr<const Trace>& trace, const BlockCard& block,
              const std::shared_ptr<const MixingImage>& image, std::vector<Clamp> clamps, int step,
              int head, int unit);
  /// Goes on for about so many products; false when there is nothing left.
  bool advance(double most_products);

  int step() const { return step_; }
  int units() const { return units_; }
  /// Steps it has reached: `changes` has those from `step()` up to, not including, `end()`.
  int end() const { return step_ + static_cast<int>(sizes_.size()); }
  /// Some step after that was not recorded.
  bool ended_early() const { return ended_; }
  /// d h_t / d h_s of every unit of the head; at t = s one 1. Numbers below 1e-100 are 0.
  std::span<const float> changes(int t) const;
  /// Its length, the root of the sum of squares; 1 at t = s. NaN where one is no number.
  double size(int t) const { return sizes_[static_cast<std::size_t>(t - step_)]; }
  /// The unit that changes most at a step, the first one in a tie.
  int largest(int t) const;

 private:
  struct Numbers;
  bool one_step(int t);
  void begin();

  std::shared_ptr<const Trace> trace_;
  std::shared_ptr<const MixingImage> image_;
  BlockCard block_;
  std::vector<Clamp> clamps_;
  int step_ = 0, head_ = -1, unit_ = -1, units_ = 0;
  bool ended_ = false;
  std::vector<double> memory_, divisor_, output_;  // changes after the last step
  std::vector<float> changes_;                     // (steps, units)
  std::vector<double> sizes_;
};

/// The first step from which on the influence stays below a share of its start, up to its end;
/// none where it has not been so at its end.
std::optional<int> faded_at(const Influence& influence, double share);

}  // namespace xlab
