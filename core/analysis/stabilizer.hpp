// What the stabilizer m of a cell does: the two arguments of its maximum and who wins, the
// exponents that are left, the range of numbers that the cell would need without it, and the floor
// of the read-out. Standard types only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// Whose scale is meant: a head of a matrix memory, which has one m, and the value channel that is
/// read from it; or one unit of a scalar memory, each of which has its own.
struct ScalePlace {
  int head = 0;
  int unit = 0;

  bool operator==(const ScalePlace&) const = default;
};

/// Why a cell has no stabilizer, and needs none, as a sentence; empty when it has one, switched on
/// or off.
std::string why_no_stabilizer(const BlockCard& block);

/// Which argument of m_t = max(log σ(f_t) + m_{t−1}, i_t) is the larger one.
enum class ScaleWinner : std::uint8_t {
  none,     ///< not recorded, or no number
  input,    ///< i: this token sets the scale
  decayed,  ///< log σ(f) + m of before: the memory keeps it
  first     ///< nothing is stored yet, m is i itself
};

/// m at one step, and what it comes from; natural logarithms.
struct ScaleStep {
  double input = 0.0;     ///< i_t
  double log_keep = 0.0;  ///< log σ(f_t), or f_t where the forget gate is an exponential
  double decayed = 0.0;   ///< log_keep + m_{t−1}; −infinity where nothing is stored yet
  double m = 0.0;
  ScaleWinner winner = ScaleWinner::none;

  /// Of the stabilised input gate, i_t − m_t: never above 0.
  double input_exponent() const { return input - m; }
  /// Of the stabilised forget gate, log_keep + m_{t−1} − m_t: never above 0.
  double decayed_exponent() const { return decayed - m; }
};

/// m over a sequence, in double precision, from the recorded pre-activations: also what it would be
/// where it is switched off. A matrix memory begins at m = 0, or at its first write where the
/// forget gate is an exponential; a unit at its first write. Steps that are not recorded, and cells
/// without a stabilizer, give NaN and no winner.
std::vector<ScaleStep> scale_steps(const Trace& trace, const BlockCard& block, ScalePlace place);
/// Goes on with them where they end, by at most `most` steps; returns whether there are more.
bool extend(std::vector<ScaleStep>& steps, const Trace& trace, const BlockCard& block,
            ScalePlace place, int most);

/// What a number format can hold. Native is what the CPU computes in, fp32.
struct FormatLimits {
  double largest = 0.0;
  double smallest_normal = 0.0;  ///< below it digits are lost
  double smallest = 0.0;         ///< below half of it everything is 0
};
FormatLimits limits_of(NumberFormat format);

/// Whether the read-out of a matrix memory is divided by its floor.
struct FloorUse {
  double overlap = 0.0;     ///< |s| = |⟨q, n⟩|
  double normalizer = 0.0;  ///< N, what it is divided by
  bool floor_one = false;   ///< the floor is 1, else exp(−m)
  bool always = false;      ///< this cell's N is its floor whatever s is
  bool uses = false;        ///< N is the floor and not |s|: the answer is shorter than the mean

  /// How long the answer is, compared with one divided by |s|: |s| / N, at most 1.
  double share() const { return normalizer > 0.0 ? overlap / normalizer : 0.0; }
};
/// From the recorded s and N of a step; nothing where they are not recorded or are no numbers, and
/// for cells that have none.
std::optional<FloorUse> floor_use(const Trace& trace, const BlockCard& block, int step, int head);

}  // namespace xlab
