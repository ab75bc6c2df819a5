// Reading JSON that may come from strangers.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "kernels/check.hpp"

namespace xlab {

/// Deeper than anything here is written; what walks a document may recurse this far.
inline constexpr int kMostJsonDepth = 16;

/// The JSON in `text`. Throws a sentence about `what` ("The specification") when it is none or is
/// nested deeper than `kMostJsonDepth`.
inline nlohmann::json parse_json(const std::string& text, const std::string& what) {
  const auto shallow = [&](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    check(depth <= kMostJsonDepth, "{} is nested deeper than {} levels.", what, kMostJsonDepth);
    return true;
  };
  try {
    return nlohmann::json::parse(text, shallow);
  } catch (const nlohmann::json::parse_error& e) {
    throw Error(
        fmt::format("{} is not valid JSON: what stands at byte {} fits nowhere.", what, e.byte));
  } catch (const nlohmann::json::exception&) {
    throw Error(fmt::format("{} is not valid JSON: a number in it is too large.", what));
  }
}

}  // namespace xlab
