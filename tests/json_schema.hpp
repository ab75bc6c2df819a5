// A validator for JSON Schemas (draft 2020-12) of exactly the keywords that ours use. One that it
// does not know is an error, never taken for fulfilled.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace xlab::tests {

class JsonSchema {
 public:
  using json = nlohmann::json;

  /// Throws std::runtime_error when the schema has a keyword that is not known here, anywhere.
  explicit JsonSchema(json schema) : root_(std::move(schema)) { look_through(root_, "#"); }

  /// What is wrong with a value, each with its place; empty when it is valid.
  std::vector<std::string> problems(const json& value) const {
    std::vector<std::string> found;
    check(root_, value, "", found);
    return found;
  }

 private:
  static void look_through(const json& schema, const std::string& place) {
    static const std::set<std::string> known = {"$schema",
                                                "title",
                                                "description",
                                                "type",
                                                "required",
                                                "properties",
                                                "additionalProperties",
                                                "items",
                                                "enum",
                                                "const",
                                                "minimum",
                                                "$ref",
                                                "$defs",
                                                "oneOf"};
    if (!schema.is_object()) throw std::runtime_error(place + " is no object");
    for (const auto& [key, value] : schema.items()) {
      if (!known.contains(key)) throw std::runtime_error(place + " has the keyword " + key);
      if (key == "properties" || key == "$defs")
        for (const auto& [name, inner] : value.items())
          look_through(inner, place + "/" + key + "/" + name);
      if (key == "items") look_through(value, place + "/items");
      if (key == "oneOf")
        for (const json& inner : value) look_through(inner, place + "/oneOf");
      if (key == "additionalProperties" && value != json(false))
        throw std::runtime_error(place + " allows more members");
    }
  }

  static bool is_of(const json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "null") return value.is_null();
    throw std::runtime_error("a type " + type);
  }

  const json& meant(const std::string& ref) const {
    const json::json_pointer place(ref.substr(ref.find('#') + 1));
    return root_.at(place);
  }

  void check(const json& schema, const json& value, const std::string& place,
             std::vector<std::string>& found) const {
    const auto wrong = [&](const std::string& what) { found.push_back(place + ": " + what); };
    if (schema.contains("$ref")) check(meant(schema["$ref"]), value, place, found);
    if (schema.contains("oneOf")) {
      int fitting = 0;
      std::vector<std::string> all;
      for (const json& one : schema["oneOf"]) {
        std::vector<std::string> inner;
        check(one, value, place, inner);
        fitting += inner.empty() ? 1 : 0;
        all.insert(all.end(), inner.begin(), inner.end());
      }
      if (fitting != 1) {
        wrong("fits " + std::to_string(fitting) + " of several forms");
        found.insert(found.end(), all.begin(), all.end());
      }
    }
    if (schema.contains("const") && value != schema["const"]) wrong("is not the one value");
    if (schema.contains("enum")) {
      const json& all = schema["enum"];
      if (std::find(all.begin(), all.end(), value) == all.end())
        wrong(value.dump() + " is none of the list");
    }
    if (schema.contains("type")) {
      const json types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
      bool fits = false;
      for (const json& type : types) fits = fits || is_of(value, type);
      if (!fits) wrong("is of another type: " + value.dump().substr(0, 60));
    }
    if (schema.contains("minimum") && value.is_number() && value < schema["minimum"])
      wrong("is too small");
    if (value.is_object()) {
      if (schema.contains("required"))
        for (const json& key : schema["required"])
          if (!value.contains(key.get<std::string>())) wrong("lacks " + key.get<std::string>());
      for (const auto& [key, member] : value.items()) {
        if (schema.contains("properties") && schema["properties"].contains(key)) {
          check(schema["properties"][key], member, place + "/" + key, found);
        } else if (schema.contains("additionalProperties")) {
          wrong("has the unknown member " + key);
        }
      }
    }
    if (value.is_array() && schema.contains("items")) {
      for (std::size_t i = 0; i < value.size(); ++i)
        check(schema["items"], value[i], place + "/" + std::to_string(i), found);
    }
  }

  json root_;
};

}  // namespace xlab::tests
