// The specification of the first TiRex (NX-AI, 2025), as its own program stores it.
#pragma once

#include <nlohmann/json.hpp>

#include "core/spec.hpp"
#include "core/what_was_read.hpp"

namespace xlab::series::tirex {

/// Whether the JSON is that of such a model: "model_config" and "train_ctx_len", which its file of
/// Lightning holds as "hyper_parameters"; or both in one object.
bool describes(const nlohmann::json& object);
/// Throws a sentence naming the key that is missing, lies outside its limits or stands for
/// something that is not computed here. `keys`: see SpecReader.
ModelSpec read(const nlohmann::json& object, ReadKeys* keys);
nlohmann::json as_json(const ModelSpec& spec);

}  // namespace xlab::series::tirex
