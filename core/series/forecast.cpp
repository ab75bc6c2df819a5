// One pass, or two: the series, and the series upside down; or one for each patch.
#include "core/series/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/generation/stepper.hpp"

namespace xlab {
namespace {

void check_series(const Model& model, std::span<const double> series) {
  check(model.spec().series.has_value(),
        "This model reads tokens, not a series of numbers: it foretells no numbers.");
  check(std::none_of(series.begin(), series.end(), [](double x) { return std::isinf(x); }),
        "The series holds an infinite number.");
}

Forecast foretold(Model& model, std::span<const double> series, int steps) {
  const SeriesSpec& spec = *model.spec().series;
  const series::Patches patches = series::patches_of(spec, series);
  set_patches(model, patches);
  std::vector<int> tokens(static_cast<std::size_t>(patches.count));
  std::iota(tokens.begin(), tokens.end(), 0);
  const std::vector<float> put_out = Stepper(model).feed_for_all(tokens);
  // Each patch foretells the one after it.
  const int first = patches.count - 1 - spec.patches_ahead();
  std::vector<std::vector<double>> rows(spec.quantiles.size());
  for (std::size_t q = 0; q < rows.size(); ++q) {
    for (int step = 0; step < steps; ++step) {
      const int row = first + step / spec.patch;
      const std::size_t at = static_cast<std::size_t>(row) * rows.size() + q;
      rows[q].push_back(static_cast<double>(put_out[at * static_cast<std::size_t>(spec.patch) +
                                                    static_cast<std::size_t>(step % spec.patch)]));
    }
  }
  return {spec.quantiles, series::quantiles_from(patches, std::move(rows)), patches.differenced};
}

/// As TiRex goes on: what was foretold is not read, a patch of missing numbers stands for it.
Forecast patch_after_patch(Model& model, std::span<const double> series, int steps) {
  const int patch = model.spec().series->patch;
  std::vector<double> read(series.begin(), series.end());
  Forecast out;
  for (int done = 0; done < steps; done += patch) {
    Forecast next = foretold(model, read, std::min(patch, steps - done));
    if (done == 0) {
      out = std::move(next);
    } else {
      for (std::size_t q = 0; q < out.quantiles.size(); ++q)
        out.quantiles[q].insert(out.quantiles[q].end(), next.quantiles[q].begin(),
                                next.quantiles[q].end());
    }
    read.insert(read.end(), static_cast<std::size_t>(patch),
                std::numeric_limits<double>::quiet_NaN());
  }
  return out;
}

}  // namespace

void set_patches(Model& model, const series::Patches& patches) {
  Tensor numbers =
      Tensor::empty({patches.count, 2 * std::int64_t{model.spec().series->patch}}, DType::f32);
  std::copy(patches.numbers.begin(), patches.numbers.end(), numbers.data<float>());
  model.set_patches(numbers);
}

Forecast forecast(Model& model, std::span<const double> series, int steps) {
  check_series(model, series);
  const SeriesSpec& spec = *model.spec().series;
  check(steps >= 1 && steps <= spec.most_steps(), "This model foretells 1 to {} numbers, not {}.",
        spec.most_steps(), steps);
  if (!spec.reads_ahead()) return patch_after_patch(model, series, steps);
  Forecast out = foretold(model, series, steps);
  if (!spec.flips) return out;
  std::vector<double> flipped(series.begin(), series.end());
  for (double& x : flipped) x = -x;
  const Forecast other = foretold(model, flipped, steps);
  for (std::size_t q = 0; q < out.quantiles.size(); ++q) {
    const std::vector<double>& turned = other.quantiles[other.quantiles.size() - 1 - q];
    for (std::size_t t = 0; t < turned.size(); ++t)
      out.quantiles[q][t] = (out.quantiles[q][t] - turned[t]) / 2.0;
  }
  return out;
}

}  // namespace xlab
