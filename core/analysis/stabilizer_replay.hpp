// A cell computed once more from its own recordings, with the stabilizer or without it, in a number
// format of choice: where both agree, where the plain one is quietly wrong, and where it ends.
// Standard types only.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/analysis/stabilizer.hpp"
#include "core/snapshot.hpp"

namespace xlab {

struct ReplayOptions {
  NumberFormat format = NumberFormat::fp64;  ///< of every operation; native is refused
  bool stabilizer = true;
  /// What the plain equations mean: nothing is added to N, and its floor is exp(−m). Else both are
  /// those of the cell.
  bool exact = false;

  bool operator==(const ReplayOptions&) const = default;
};

/// What a cell computes on the way to its answer, in this order.
enum class CellQuantity : std::uint8_t {
  given,        ///< what comes in: pre-activations, q, k, v
  input_gate,   ///< exp(i), or exp(i − m)
  forget_gate,  ///< σ(f) or exp(f), or the exponential with m
  memory,       ///< one column of C, or c
  normalizer,   ///< the vector n, or n
  overlap,      ///< s = ⟨q, n⟩
  read,         ///< Cᵀ q
  answer        ///< the quotient
};

/// A quantity in words: "input gate exp(i)", "normalizer n".
std::string name_of(CellQuantity what, const BlockCard& block, bool stabilizer);
/// The line of the equations that it comes from, with the stabilizer or without: "C_t = ...".
std::string equation_of(CellQuantity what, const BlockCard& block, bool stabilizer);

/// One step of the cell. A column of C and the vector n are told by their largest |number|, or by
/// one that is none.
struct ReplayStep {
  double m = 0.0;
  double input_gate = 0.0, forget_gate = 0.0;
  double memory = 0.0, normalizer = 0.0;
  double overlap = 0.0, divisor = 1.0;  ///< s and N + ε, of a matrix memory
  double h = 0.0;
};

/// The first number that is none.
struct BadNumber {
  int step = 0;
  CellQuantity what = CellQuantity::answer;
  double value = 0.0;  ///< NaN or an infinity

  bool operator==(const BadNumber&) const = default;
};

struct CellReplay {
  ReplayOptions options;
  ScalePlace place;
  std::vector<ReplayStep> steps;
  std::optional<BadNumber> bad;
  /// What is carried to the next step: C (one column) and n over the keys, or c and n of a unit;
  /// empty before the first step.
  std::vector<double> C, n;
  double m = 0.0;
};

/// Goes on with a replay where its steps end, as far as the trace has what is needed, by the same
/// kernels that compute the model in that format, on the CPU: from the same inputs h is bit for bit
/// theirs. (A model's memory lies between two tokens in the numbers of its tensors, float32: there
/// this one keeps fp64 to the last digit and beyond the range of float32.) A matrix memory takes
/// K operations a step and not K * V: of its columns one is computed. Cells without a stabilizer
/// have no replay. At most `most` steps at once, all by default; returns whether there may be more.
bool extend(CellReplay& replay, const Trace& trace, const BlockCard& block,
            int most = std::numeric_limits<int>::max());

/// How a replay of the plain cell stands beside the exact answer at one step.
enum class Agreement : std::uint8_t {
  unknown,  ///< there is no exact answer
  same,     ///< off by no more than the threshold
  format,   ///< off, and with the stabilizer it is about as far off: the digits of the format
  wrong,    ///< quietly wrong: finite, and off because m is missing
  bad       ///< no number
};

/// |h − exact| / |exact|: 0 where both are 0, NaN where the exact answer is no number, infinite
/// where only h is none.
double relative_error(double h, double exact);

/// `wrong` where the plain cell is off by more than `threshold` and more than twice as far as the
/// stabilised one in the same format; `format` where the stabilised one is as bad.
Agreement agreement_of(double exact, double plain, double stabilised, double threshold);

/// What the plain cell's numbers would be at a step, as decimal logarithms: of its input gate, its
/// forget gate, the largest of its memory and of its normalizer; −infinity for 0.
struct PlainNeeds {
  static constexpr std::size_t kCount = 4;
  static constexpr std::array<CellQuantity, kCount> kOf = {
      CellQuantity::input_gate, CellQuantity::forget_gate, CellQuantity::memory,
      CellQuantity::normalizer};
  std::array<double, kCount> log10{};
};
/// Of a step of m, and of the same step of the exact replay.
PlainNeeds plain_needs(const ScaleStep& scale, const ReplayStep& exact);

/// Whether a format holds the numbers that the plain cell needs.
enum class Fit : std::uint8_t {
  fits,
  loses,  ///< all of the memory or of the normalizer is so small that digits are lost
  overflows
};
Fit fit_of(const PlainNeeds& needs, NumberFormat format);

}  // namespace xlab
