// Trend, scale and patches of a series, and the way back.
#include "core/series/patches.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace xlab::series {
namespace {

constexpr double kLeastTrend = 1.5, kLeastFit = 0.87;
constexpr double kFlat = 1e-12;
constexpr std::size_t kFewest = 4;  // numbers that can have a trend
// The width of the bands: of a series itself, and of one that is foretold by its differences.
constexpr double kOwnBand = 0.90, kOwnGrowth = 0.52;
constexpr double kSummedBand = 1.68, kSummedGrowth = 0.51;
constexpr double kMostSquashed = 20.0;
constexpr double kFirstLeastScale = 1e-5;

double mean_of(const std::vector<double>& numbers) {
  double sum = 0.0;
  for (const double x : numbers) sum += x;
  return sum / static_cast<double>(numbers.size());
}

double squares_around(const std::vector<double>& numbers, double middle) {
  double sum = 0.0;
  for (const double x : numbers) sum += (x - middle) * (x - middle);
  return sum;
}

std::vector<double> there(std::span<const double> series) {
  std::vector<double> numbers;
  for (const double x : series)
    if (!std::isnan(x)) numbers.push_back(x);
  return numbers;
}

std::vector<double> differences(std::span<const double> series) {
  std::vector<double> steps(series.size(), 0.0);
  for (std::size_t t = 1; t < series.size(); ++t) steps[t] = series[t] - series[t - 1];
  return steps;
}

double deviation_around(const std::vector<double>& numbers, double middle) {
  return std::sqrt(squares_around(numbers, middle) / static_cast<double>(numbers.size()));
}

/// As TiRex does it: where all numbers are the same, they are divided by their size.
void set_first_scale(const std::vector<double>& numbers, Patches& out) {
  if (numbers.empty()) return;
  const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
  const bool flat = *least == *most;
  // A mean of equal numbers need not be that number, by a rounding that would be blown up then.
  out.mean = flat ? *least : mean_of(numbers);
  out.scale = flat ? std::abs(out.mean) + kFirstLeastScale : deviation_around(numbers, out.mean);
}

/// Mean and deviation of what is there.
void set_scale(const SeriesSpec& spec, const std::vector<double>& numbers, Patches& out) {
  if (spec.program == SeriesProgram::tirex) return set_first_scale(numbers, out);
  const bool binary =
      spec.leaves_binary &&
      std::all_of(numbers.begin(), numbers.end(), [](double x) { return x == 0.0 || x == 1.0; });
  out.squashed = spec.arcsinh && !binary;
  if (binary || numbers.empty()) {
    out.scale = binary ? 1.0 : std::max(1.0, spec.least_scale);
    return;
  }
  out.mean = mean_of(numbers);
  out.scale = std::max(deviation_around(numbers, out.mean), spec.least_scale);
}

/// Middle path, and the bands around it as wide as their squares add up to.
void add_up(const Patches& patches, std::vector<std::vector<double>>& q) {
  const std::vector<double> middle = q[q.size() / 2];
  for (std::vector<double>& row : q) {
    double side = 0.0, path = 0.0, squares = 0.0;
    for (std::size_t t = 0; t < row.size(); ++t) side += row[t] - middle[t];
    const double sign = side > 0.0 ? 1.0 : side < 0.0 ? -1.0 : 0.0;
    for (std::size_t t = 0; t < row.size(); ++t) {
      const double offset = row[t] - middle[t];
      path += middle[t];
      squares += offset * offset;
      const double growth = std::pow(static_cast<double>(t + 1), kSummedGrowth - 0.5);
      row[t] = patches.last + path + std::sqrt(kSummedBand) * sign * std::sqrt(squares) * growth;
    }
  }
}

void widen(std::vector<std::vector<double>>& q) {
  const std::vector<double> middle = q[q.size() / 2];
  for (std::vector<double>& row : q) {
    for (std::size_t t = 0; t < row.size(); ++t) {
      const double growth = std::pow(static_cast<double>(t + 1), kOwnGrowth - 0.5);
      row[t] = middle[t] + std::sqrt(kOwnBand) * growth * (row[t] - middle[t]);
    }
  }
}

}  // namespace

bool has_trend(std::span<const double> series) {
  const std::vector<double> numbers = there(series);
  if (numbers.size() < kFewest) return false;
  std::vector<double> at;
  for (std::size_t t = 0; t < series.size(); ++t)
    if (!std::isnan(series[t])) at.push_back(static_cast<double>(t));
  const double mean = mean_of(numbers), mean_at = mean_of(at);
  const double squares = squares_around(numbers, mean);
  const double deviation = std::sqrt(squares / static_cast<double>(numbers.size() - 1));
  if (deviation < kFlat) return false;
  double both = 0.0;
  for (std::size_t i = 0; i < numbers.size(); ++i) both += (at[i] - mean_at) * (numbers[i] - mean);
  const double across = squares_around(at, mean_at);
  const double slope = both / across;
  const double explained = both * both / across / squares;
  return std::abs(slope) / deviation * static_cast<double>(series.size()) >= kLeastTrend &&
         explained >= kLeastFit;
}

Patches patches_of(const SeriesSpec& spec, std::span<const double> series) {
  Patches out;
  const std::vector<double> known = there(series);
  out.last = known.empty() ? 0.0 : known.back();
  out.calibrated = spec.program == SeriesProgram::tirex2;
  out.differenced = spec.differences && has_trend(series);
  std::vector<double> read =
      out.differenced ? differences(series) : std::vector<double>(series.begin(), series.end());
  const auto context = static_cast<std::size_t>(spec.context);
  if (read.size() > context)
    read.erase(read.begin(), read.end() - static_cast<std::ptrdiff_t>(context));
  set_scale(spec, there(read), out);
  const auto patch = static_cast<std::size_t>(spec.patch);
  out.count = spec.patches();
  const std::size_t length = static_cast<std::size_t>(out.count) * patch;
  const std::size_t ahead = static_cast<std::size_t>(spec.patches_ahead()) * patch;
  const std::size_t begin = length - ahead - read.size();
  out.numbers.assign(2 * length, 0.0f);
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (std::isnan(read[i])) continue;
    const std::size_t at = begin + i, row = at / patch * 2 * patch;
    const double scaled = (read[i] - out.mean) / out.scale;
    out.numbers[row + at % patch] = static_cast<float>(out.squashed ? std::asinh(scaled) : scaled);
    out.numbers[row + patch + at % patch] = 1.0f;
  }
  return out;
}

std::vector<std::vector<double>> quantiles_from(const Patches& patches,
                                                std::vector<std::vector<double>> put_out) {
  for (std::vector<double>& row : put_out) {
    for (double& x : row) {
      if (patches.squashed) x = std::sinh(std::clamp(x, -kMostSquashed, kMostSquashed));
      x = x * patches.scale + patches.mean;
    }
  }
  if (put_out.empty()) return put_out;
  if (patches.differenced) {
    add_up(patches, put_out);
  } else if (patches.calibrated) {
    widen(put_out);
  }
  return put_out;
}

}  // namespace xlab::series
