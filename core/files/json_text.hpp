// Reading JSON that may come from strangers, and writing JSON. Compiled once: the parser is large.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace xlab {

/// Deeper than anything here is written; what walks a document may recurse this far.
inline constexpr int kMostJsonDepth = 16;

/// The JSON in `text`. Throws a sentence about `what` ("The specification") when it is none or is
/// nested deeper than `kMostJsonDepth`.
nlohmann::json parse_json(const std::string& text, const std::string& what);

/// The text of `json`: on one line, or indented by as many spaces as `indent` says.
std::string json_text(const nlohmann::json& json, int indent = -1);

}  // namespace xlab
