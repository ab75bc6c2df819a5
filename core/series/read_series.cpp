// What the model puts out after a patch, in units of the series.
#include "core/series/read_series.hpp"

#include <algorithm>
#include <cmath>

namespace xlab {
namespace {

/// The last number that is there before place `end`; 0 without one.
double last_before(const std::vector<double>& numbers, int end) {
  for (int i = std::min(end, static_cast<int>(numbers.size())) - 1; i >= 0; --i)
    if (!std::isnan(numbers[static_cast<std::size_t>(i)]))
      return numbers[static_cast<std::size_t>(i)];
  return 0.0;
}

}  // namespace

ReadSeries read_series(const SeriesSpec& spec, std::string name, std::vector<double> numbers) {
  ReadSeries read;
  read.patches = series::patches_of(spec, numbers);
  auto card = std::make_shared<SeriesCard>();
  card->name = std::move(name);
  card->patch = spec.patch;
  card->future = spec.future;
  card->begin =
      static_cast<int>(numbers.size()) + (spec.patches_ahead() - read.patches.count) * spec.patch;
  read.last = read.patches.count - 1 - spec.patches_ahead();
  card->numbers = std::move(numbers);
  card->quantiles = spec.quantiles;
  card->differenced = read.patches.differenced;
  card->flips = spec.flips;
  read.card = std::move(card);
  return read;
}

Foretold foretold_after(const ReadSeries& series, int at,
                        std::span<const std::vector<float>* const> put_out) {
  const SeriesCard& card = *series.card;
  const int last = series.last, first = std::min(at, last);
  const int patches = at < last ? 1 : card.future / card.patch;
  Foretold out;
  out.begin = card.begin + (first + 1) * card.patch;
  std::vector<std::vector<double>> rows(card.quantiles.size());
  for (int p = first; p < first + patches && p < static_cast<int>(put_out.size()); ++p) {
    const std::vector<float>& row = *put_out[static_cast<std::size_t>(p)];
    for (std::size_t q = 0; q < rows.size(); ++q) {
      const auto begin = row.begin() + static_cast<std::ptrdiff_t>(q) * card.patch;
      rows[q].insert(rows[q].end(), begin, begin + card.patch);
    }
  }
  series::Patches patches_here = series.patches;
  patches_here.last = last_before(card.numbers, out.begin);
  out.quantiles = series::quantiles_from(patches_here, std::move(rows));
  return out;
}

}  // namespace xlab
