// The one place that knows yaml-cpp. Its parser tells what it finds piece by piece, so that limits
// are kept while it reads, and not only when everything is in memory.
#include "core/files/yaml_text.hpp"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "core/files/json_text.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

using nlohmann::json;

bool among(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// A number as JSON writes it, but for a sign or a point before or after the digits. What begins
/// with a needless 0 is octal to some programs and decimal to others: to these it is a text.
std::optional<json> number_of(std::string_view word) {
  std::string_view digits = word;
  if (digits.starts_with('+') || digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || (digits.size() > 1 && digits[0] == '0' && is_digit(digits[1])))
    return std::nullopt;
  if (word.starts_with('+')) word.remove_prefix(1);
  if (std::all_of(digits.begin(), digits.end(), is_digit)) {
    std::int64_t whole = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), whole);
    if (error == std::errc() && end == word.data() + word.size()) return json(whole);
  }
  if (std::none_of(digits.begin(), digits.end(), is_digit)) return std::nullopt;
  const bool plain = std::all_of(digits.begin(), digits.end(), [](char c) {
    return is_digit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
  });
  double fraction = 0.0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), fraction);
  if (!plain || error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return json(fraction);
}

/// What a word without quotes stands for.
json plain_value(const std::string& word) {
  if (among(word, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (among(word, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
  if (among(word, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) return false;
  return number_of(word).value_or(json(word));
}

/// Builds the JSON of what the parser tells.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const std::string& what) : what_(what) {}

  bool complete() const { return complete_; }
  json& document() { return document_; }

  void OnDocumentStart(const YAML::Mark&) override {
    check(!complete_, "{} holds several documents, and it is not said which one is meant.", what_);
  }
  void OnDocumentEnd() override { complete_ = true; }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, nullptr, "", anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    check(known != anchors_.end(), "{}, line {}: '*' repeats something that contains it.", what_,
          mark.line + 1);
    // Before it is copied: names of names multiply.
    count(known->second.nodes, known->second.bytes);
    const bool text = known->second.value.is_string();
    place(mark, known->second.value, text ? known->second.value.get<std::string>() : "", text);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // "?" is a plain word, "!" a quoted one.
    const bool quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!quoted && !tag.empty() && tag != "?") refuse_tag(mark, tag);
    add(mark, quoted ? json(value) : plain_value(value), value, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, json::array(), anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, json::object(), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  /// What was repeated would cost so much.
  struct Anchored {  // NOLINT(bugprone-exception-escape): moving a json throws nothing
    json value;
    std::size_t nodes = 0, bytes = 0;
  };
  /// An object or a list that is being filled.
  struct Level {
    json value;
    YAML::anchor_t anchor = 0;
    std::size_t nodes = 0, bytes = 0;  // counted when it was begun
    int line = 0;
    std::optional<std::string> key;  // of an object: the one whose value comes next
  };

  void count(std::size_t nodes, std::size_t bytes) {
    nodes_ += nodes;
    bytes_ += bytes;
    check(nodes_ <= kMostYamlNodes && bytes_ <= kMostYamlBytes,
          "{} is too large for a configuration: with all that it repeats it has more than {} "
          "values, or more than {} KiB of text.",
          what_, kMostYamlNodes, kMostYamlBytes >> 10);
  }
  [[noreturn]] void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    throw Error(
        fmt::format("{}, line {}: the tag '{}' asks for another kind of value, which is not "
                    "read here.",
                    what_, mark.line + 1, printable(tag, 60)));
  }
  void add(const YAML::Mark& mark, json value, const std::string& text, YAML::anchor_t anchor) {
    count(1, text.size());
    check(!find_invalid_utf8(text), "{}, line {}: a text that is no UTF-8.", what_, mark.line + 1);
    if (anchor != 0) anchors_[anchor] = {value, 1, text.size()};
    place(mark, std::move(value), text, true);
  }
  void open(const YAML::Mark& mark, const std::string& tag, json empty, YAML::anchor_t anchor) {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:map" &&
        tag != "tag:yaml.org,2002:seq")
      refuse_tag(mark, tag);
    check(levels_.size() < static_cast<std::size_t>(kMostJsonDepth),
          "{} is nested deeper than {} levels.", what_, kMostJsonDepth);
    const bool is_key = !levels_.empty() && levels_.back().value.is_object() && !levels_.back().key;
    check(!is_key, "{}, line {}: a key must be a word, not a list or an object.", what_,
          mark.line + 1);
    levels_.push_back({std::move(empty), anchor, nodes_, bytes_, mark.line, std::nullopt});
    count(1, 0);
  }
  void close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    if (level.anchor != 0)
      anchors_[level.anchor] = {level.value, nodes_ - level.nodes, bytes_ - level.bytes};
    YAML::Mark mark;
    mark.line = level.line;
    place(mark, std::move(level.value), "", false);
  }
  /// Puts a value where the parser is. `text` is what it reads as a key, where it can be one.
  void place(const YAML::Mark& mark, json value, const std::string& text, bool may_be_key) {
    if (levels_.empty()) {
      document_ = std::move(value);
      return;
    }
    Level& level = levels_.back();
    if (level.value.is_array()) {
      level.value.push_back(std::move(value));
    } else if (level.key) {
      level.value[*level.key] = std::move(value);
      level.key.reset();
    } else {
      check(may_be_key, "{}, line {}: a key must be a word, not a list or an object.", what_,
            mark.line + 1);
      check(text != "<<",
            "{}, line {}: '<<' takes over the keys of another object, which is not "
            "done here: write them out.",
            what_, mark.line + 1);
      check(!level.value.contains(text), "{}, line {}: the key '{}' stands there twice.", what_,
            mark.line + 1, printable(text, 60));
      level.key = text;
    }
  }

  const std::string& what_;
  json document_;
  bool complete_ = false;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t nodes_ = 0, bytes_ = 0;
};

}  // namespace

std::string json_of_yaml(const std::string& text, const std::string& what) {
  const auto broken = find_invalid_utf8(text);
  check(!broken && text.find('\0') == text.npos, "{} is no text in UTF-8.", what);
  check(text.size() <= kMostYamlBytes, "{} is larger than {} KiB.", what, kMostYamlBytes >> 10);
  Builder builder(what);
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    throw Error(fmt::format("{} is not valid YAML: line {}, column {}: {}.", what, e.mark.line + 1,
                            e.mark.column + 1, printable(e.msg, 100)));
  }
  check(builder.complete() && builder.document().is_object(),
        "{} must be a list of keys with values.", what);
  return json_text(builder.document());
}

}  // namespace xlab
