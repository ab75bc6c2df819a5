// The one place where the parser and the writer of nlohmann-json are compiled.
#include "core/files/json_text.hpp"

#include <cstddef>

#include "kernels/check.hpp"

namespace xlab {
namespace {

/// Whether brackets may be open inside each other beyond the limit. The parser counts them too, but
/// takes twice the time then.
bool may_be_too_deep(const std::string& text) {
  int depth = 0;
  bool in_text = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_text) {
      if (c == '\\') ++at;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMostJsonDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

}  // namespace

nlohmann::json parse_json(const std::string& text, const std::string& what) {
  const auto shallow = [&](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    check(depth <= kMostJsonDepth, "{} is nested deeper than {} levels.", what, kMostJsonDepth);
    return true;
  };
  try {
    return may_be_too_deep(text) ? nlohmann::json::parse(text, shallow)
                                 : nlohmann::json::parse(text);
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
