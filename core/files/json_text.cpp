// The one place where the parser and the writer of nlohmann-json are compiled.
#include "core/files/json_text.hpp"

#include "kernels/check.hpp"

namespace xlab {

nlohmann::json parse_json(const std::string& text, const std::string& what) {
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

std::string json_text(const nlohmann::json& json, int indent) {
  return json.dump(indent);
}

}  // namespace xlab
