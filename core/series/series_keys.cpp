// Keys and sizes that all forecasting models have.
#include "core/series/series_keys.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/check.hpp"

namespace xlab::series {

using nlohmann::json;

const json& needed(SpecReader& in, const std::string& where, const char* key) {
  const json* value = in.find(key);
  check(value != nullptr, "{}: '{}' is missing.", where, key);
  return *value;
}

std::vector<double> read_quantiles(const json& value) {
  const auto level = [](const json& one) {
    return one.is_number() && one.get<double>() > 0.0 && one.get<double>() < 1.0;
  };
  check(value.is_array() && !value.empty() && value.size() <= 1000 &&
            std::all_of(value.begin(), value.end(), level),
        "{}: 'quantiles' must be a list of numbers between 0 and 1.", kWhere);
  auto quantiles = value.get<std::vector<double>>();
  check(std::adjacent_find(quantiles.begin(), quantiles.end(), std::greater_equal<>()) ==
            quantiles.end(),
        "{}: 'quantiles' must rise, each above the one before it.", kWhere);
  return quantiles;
}

void check_put_out(const ModelSpec& spec) {
  constexpr double kMost = 1 << 26;
  const int patches = spec.series->patches();
  check(static_cast<double>(patches) * spec.vocab_size <= kMost,
        "{}: {} patches with {} numbers foretold after each are more than fit here.", kWhere,
        patches, spec.vocab_size);
}

double factor_of(int inner_width, int width) {
  double factor = static_cast<double>(inner_width) / width;
  while (static_cast<int>(width * factor) < inner_width)
    factor = std::nextafter(factor, 2.0 * factor);
  return factor;
}

FeedforwardSpec feedforward_of(int width, double factor, int multiple) {
  const auto inner = static_cast<double>(feedforward_width_above(width * factor, multiple));
  // A quarter more, so that rounding never ends one below.
  return {.proj_factor = (inner + 0.25) / width,
          .act_fn = "swish",
          .bias = false,
          .round_proj_up_dim_up = false,
          .round_proj_up_to_multiple_of = 1};
}

int feedforward_width(const ModelSpec& spec) {
  const FeedforwardSpec& f = *spec.feedforward;
  return static_cast<int>(rounded_width(f.proj_factor, spec.embedding_dim, f.round_proj_up_dim_up,
                                        f.round_proj_up_to_multiple_of));
}

}  // namespace xlab::series
