// A series as a model reads it, and what is foretold after each of its patches.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/series/patches.hpp"
#include "core/snapshot.hpp"
#include "core/spec.hpp"

namespace xlab {

struct ReadSeries {
  std::shared_ptr<const SeriesCard> card;
  series::Patches patches;
  int last = 0;  ///< which token holds the last patch of the series itself
};

/// Cuts a series into the patches that such a model reads.
ReadSeries read_series(const SeriesSpec& spec, std::string name, std::vector<double> numbers);

/// What is foretold after token `at`: of the next patch, or from the last patch of the series on of
/// everything after it. `put_out` has a row (quantiles * patch) for each token that was computed.
Foretold foretold_after(const ReadSeries& series, int at,
                        std::span<const std::vector<float>* const> put_out);

}  // namespace xlab
