// Of each text only the beginning is read and kept.
#include "core/files/shown_texts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/files/disk.hpp"
#include "core/files/json_text.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace fs = std::filesystem;

namespace {

using nlohmann::json;

constexpr std::size_t kMostShown = 8u << 10;     // bytes of each text
constexpr std::uint64_t kMostConfig = 4u << 20;  // of a configuration that is searched
constexpr std::size_t kMostTemplates = 16;

constexpr const char* kTemplate = "chat template";

/// The beginning of a text, with everything in it that can be seen, and its lines.
std::string shown(std::string_view text) {
  const bool whole = text.size() <= kMostShown;
  std::string seen = mended_utf8(text.substr(0, kMostShown));
  // A character that the limit cuts through is left out.
  while (!whole && seen.ends_with("\xef\xbf\xbd")) seen.resize(seen.size() - 3);
  std::string fit;
  for (std::size_t at = 0; at < seen.size();) {
    const Utf8Character one = decode_utf8(seen, at).value_or(Utf8Character{U'?', 1});
    const char32_t c = one.code_point;
    const bool control = (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c <= 0x9f);
    // These turn what follows them around.
    const bool turns = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    if (c != '\r') fit += control || turns ? "?" : seen.substr(at, one.bytes);
    at += one.bytes;
  }
  return whole ? fit : fit + "…";
}

std::optional<ShownText> text_of_file(const fs::path& folder, const char* name, const char* what) {
  std::error_code error;
  if (!fs::is_regular_file(folder / name, error)) return {};
  try {
    InputFile file(folder / name);
    std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), kMostShown + 1)),
                     '\0');
    head.resize(file.read(std::as_writable_bytes(std::span(head))));
    return ShownText{name, what, file.size(), shown(head)};
  } catch (const Error&) {
    return {};
  }
}

/// What a configuration says of it: one template, or several with names.
void add_templates(const fs::path& folder, const char* name, std::vector<ShownText>& texts) {
  std::error_code error;
  if (!fs::is_regular_file(folder / name, error)) return;
  try {
    const json config = parse_json(read_text_file(folder / name, kMostConfig), name);
    const auto found = config.is_object() ? config.find("chat_template") : config.end();
    if (found == config.end()) return;
    const auto add = [&](const std::string& which, const json& text) {
      if (!text.is_string() || texts.size() >= kMostTemplates) return;
      const std::string& words = text.get_ref<const std::string&>();
      texts.push_back({fmt::format("{} of {}", printable(which, 60), name), kTemplate, words.size(),
                       shown(words)});
    };
    if (found->is_string()) add("chat_template", *found);
    if (!found->is_array()) return;
    for (const json& one : *found) {
      if (!one.is_object() || !one.contains("template")) continue;
      const json which = one.value("name", json("chat_template"));
      add(which.is_string() ? which.get<std::string>() : "chat_template", one.at("template"));
    }
  } catch (const Error&) {
    // It is another reader's to say what is wrong with it.
  }
}

}  // namespace

std::vector<ShownText> texts_beside(const fs::path& folder) {
  std::vector<ShownText> texts;
  if (auto text = text_of_file(folder, "chat_template.jinja", kTemplate))
    texts.push_back(*std::move(text));
  for (const char* name : {"chat_template.json", "tokenizer_config.json"})
    add_templates(folder, name, texts);
  for (const char* name : {"vocab.json", "vocab.txt", "merges.txt", "added_tokens.json"})
    if (auto text = text_of_file(folder, name, "vocabulary")) texts.push_back(*std::move(text));
  return texts;
}

}  // namespace xlab
