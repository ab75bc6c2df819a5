// YAML from strangers, as JSON: configurations that other programs write that way.
#pragma once

#include <cstddef>
#include <string>

namespace xlab {

/// No configuration comes near these: nodes and bytes are counted with everything that aliases
/// repeat.
inline constexpr std::size_t kMostYamlNodes = 10'000;
inline constexpr std::size_t kMostYamlBytes = std::size_t{1} << 20;

/// The one document in `text` as the text of a JSON object. Plain words become what Python's
/// programs read them as: null, true and false (yes, no, on and off too), whole numbers and
/// fractions; everything else, and all that is quoted, is a text. Throws a sentence about `what`
/// ("The model's config.yaml") when it is no YAML, holds no object or several documents, is nested
/// deeper than `kMostJsonDepth`, or asks for what JSON does not have: tags, merged keys, keys that
/// stand twice or are no texts.
std::string json_of_yaml(const std::string& text, const std::string& what);

}  // namespace xlab
