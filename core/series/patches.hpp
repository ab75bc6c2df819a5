// A series into the patches that a forecasting model reads, and what the model puts out back into
// quantiles of the series. The rules are those of TiRex and TiRex-2.
#pragma once

#include <span>
#include <vector>

#include "core/spec.hpp"

namespace xlab::series {

/// A series as its model reads it. A number that is not there is NaN.
struct Patches {
  /// (patches, 2 * patch): the numbers of each patch, then 1 for each that is there; else 0.
  std::vector<float> numbers;
  int count = 0;
  double mean = 0.0, scale = 1.0;  ///< what was taken away, and divided by
  bool squashed = false;           ///< by arcsinh, after that
  bool differenced = false;        ///< they are differences of the series
  bool calibrated = false;         ///< the bands of its quantiles are widened
  double last = 0.0;               ///< the last number that is there; 0 without one
};

/// Whether a series has a trend: of its numbers, in units of their deviation, a straight line rises
/// or falls by 1.5 at least over the whole, and leaves 13 % of their variance at most.
bool has_trend(std::span<const double> series);

/// The last `context` numbers of a series and the patches ahead, whose numbers are not there,
/// filled up at the front.
Patches patches_of(const SeriesSpec& spec, std::span<const double> series);

/// Quantiles (levels, steps) of the numbers after the series, from what the model put out of them
/// (levels, steps): scaled back, calibrated, and added up where they are differences.
std::vector<std::vector<double>> quantiles_from(const Patches& patches,
                                                std::vector<std::vector<double>> put_out);

}  // namespace xlab::series
