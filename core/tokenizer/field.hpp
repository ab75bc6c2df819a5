// A value in a tokenizer.json and where it stands, so that sentences can say so.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/tokenizer/tokenizer.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {

/// A value of the file and where it stands, for sentences about it.
struct Field {
  const nlohmann::json& value;
  std::string where;  ///< "model.vocab"; empty for the whole file

  std::string name() const {
    return where.empty() ? "the file" : fmt::format("'{}'", printable(where, 200));
  }
  void expect(bool good, const char* wanted) const {
    check(good, "{} must be {}.", name(), wanted);
  }
  /// A member of an object, or nothing where it is missing or null.
  std::optional<Field> find(const char* key) const {
    expect(value.is_object(), "an object");
    const auto found = value.find(key);
    if (found == value.end() || found->is_null()) return std::nullopt;
    return Field{*found, where.empty() ? key : where + "." + key};
  }
  Field at(const char* key) const {
    const auto found = find(key);
    check(found.has_value(), "{} has no '{}'.", name(), key);
    return *found;
  }
  Field item(std::size_t i) const { return {value[i], fmt::format("{}[{}]", where, i)}; }
  std::size_t length() const {
    expect(value.is_array(), "a list");
    return value.size();
  }
  const std::string& text() const {
    expect(value.is_string(), "a text");
    return value.get_ref<const std::string&>();
  }
  bool flag() const {
    expect(value.is_boolean(), "true or false");
    return value.get<bool>();
  }
  /// The number of a token.
  int token() const {
    check(
        value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() < kMostTokens,
        "{} must be the number of a token, from 0 to {}.", name(), kMostTokens - 1);
    return value.get<int>();
  }
  bool flag(const char* key, bool otherwise) const {
    const auto found = find(key);
    return found ? found->flag() : otherwise;
  }
  std::string type() const { return at("type").text(); }
  [[noreturn]] void refuse_type(const char* known) const {
    throw Error(fmt::format("{} is of type '{}', which is not read here; known are {}.", name(),
                            printable(type(), 60), known));
  }
};

}  // namespace xlab
