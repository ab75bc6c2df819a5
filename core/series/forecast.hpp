// What a forecasting model expects of the numbers after a series (TiRex, and TiRex-2 for one
// series).
#pragma once

#include <span>
#include <vector>

#include "core/model.hpp"
#include "core/series/patches.hpp"

namespace xlab {

struct Forecast {
  std::vector<double> levels;                  ///< of the quantiles, rising
  std::vector<std::vector<double>> quantiles;  ///< (levels, steps), in units of the series
  bool differenced = false;                    ///< the series has a trend: see SeriesSpec
};

/// Foretells `steps` numbers. Of the series the last `context` are read; NaN stands for one that is
/// not there. Throws a sentence when the model reads no series, when there are none or more steps
/// than it foretells, and for an infinite number.
Forecast forecast(Model& model, std::span<const double> series, int steps);

/// Has a forecasting model read these patches from now on: its tokens are their numbers.
void set_patches(Model& model, const series::Patches& patches);

}  // namespace xlab
