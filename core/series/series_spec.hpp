// The specification of forecasting models, in the layout of TiRex-2; for spec.cpp.
#pragma once

#include <nlohmann/json.hpp>

#include "core/spec.hpp"
#include "core/what_was_read.hpp"

namespace xlab::series {

/// Whether the JSON is of this family.
bool describes(const nlohmann::json& object);
/// Throws a sentence naming the key that is missing, lies outside its limits or stands for
/// something that is not computed here. `keys`: see SpecReader.
ModelSpec read(const nlohmann::json& object, ReadKeys* keys);
nlohmann::json as_json(const ModelSpec& spec);
/// Numbers in what stands before and behind the blocks.
double parameter_count_around(const ModelSpec& spec);

}  // namespace xlab::series
