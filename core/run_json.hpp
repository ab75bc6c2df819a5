// Parts of a run's description as JSON: clamps, tokens, the sampler, and numbers that are checked.
#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <vector>

#include "core/snapshot.hpp"
#include "kernels/check.hpp"

namespace xlab {

/// A number of the run description. JSON's own conversions cut off what does not fit.
template <typename T>
T number_in(const nlohmann::json& in, const char* key,
            double low = static_cast<double>(std::numeric_limits<T>::lowest()),
            double high = static_cast<double>(std::numeric_limits<T>::max())) {
  const nlohmann::json& value = in.at(key);
  check(value.is_number() && (std::is_floating_point_v<T> || value.is_number_integer()),
        "The run description's '{}' must be a {}.", key,
        std::is_floating_point_v<T> ? "number" : "whole number");
  const double x = value.get<double>();
  check(x >= low && x <= high, "The run description's '{}' is {}; it must lie between {} and {}.",
        key, x, low, high);
  return value.get<T>();
}

/// Each of these throws an `Error`, or what the JSON library throws, where the JSON is none of it.
/// Whether a model has these tokens and values is not known here.
std::vector<int> tokens_in(const nlohmann::json& in);
std::vector<Clamp> clamps_in(const nlohmann::json& in);
nlohmann::json json_of(const Clamp& clamp);
nlohmann::json json_of(const std::vector<Clamp>& clamps);
/// Whether one of them is more than a number that is held at one value: where readers know no more,
/// they would take it for that.
bool any_beyond_holding(const std::vector<Clamp>& clamps);
/// Throws a sentence for numbers that are none, no steps, and a curve that does not fit its steps.
void check_clamp(const Clamp& clamp);
SamplerSettings sampler_in(const nlohmann::json& in);
nlohmann::json json_of(const SamplerSettings& sampler);

}  // namespace xlab
