// The large family's part of a specification; for spec.cpp only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/spec.hpp"
#include "core/what_was_read.hpp"

namespace xlab::large {

/// Whether the JSON is of this family. Throws for a model type this program does not know.
bool describes(const nlohmann::json& object);
/// Without a list unknown keys are refused and a missing vocabulary is 0; with one, they are named
/// there and it is the official one.
ModelSpec read(const nlohmann::json& object, ReadKeys* keys);
nlohmann::json as_json(const ModelSpec& spec);
nlohmann::json as_config(const ModelSpec& spec, const std::string& torch_dtype);
/// Numbers in the norm after the last block.
double last_norm(const ModelSpec& spec);

}  // namespace xlab::large
