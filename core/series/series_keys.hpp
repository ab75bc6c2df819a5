// What the configurations of all forecasting models have in common.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/spec.hpp"
#include "core/spec_reader.hpp"

namespace xlab::series {

inline constexpr const char* kWhere = "The model specification";

/// The member, which has to be there.
const nlohmann::json& needed(SpecReader& in, const std::string& where, const char* key);
std::vector<double> read_quantiles(const nlohmann::json& value);
/// Throws a sentence when the model would put out more than can be kept.
void check_put_out(const ModelSpec& spec);

/// What `width` has to be multiplied with so that it is rounded down to this one.
double factor_of(int inner_width, int width);
/// Gate, up and down, as the large family has them.
FeedforwardSpec feedforward_of(int width, double factor, int multiple);
int feedforward_width(const ModelSpec& spec);

}  // namespace xlab::series
