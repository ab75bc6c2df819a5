// Reading the members of a JSON object into the fields of a specification.
#pragma once

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "core/utf8.hpp"
#include "core/variant.hpp"
#include "kernels/check.hpp"

namespace xlab {

/// Reads the members of one JSON object and refuses what it does not know.
class SpecReader {
 public:
  using json = nlohmann::json;

  SpecReader(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    check(object.is_object(), "{} must be a JSON object.", where_);
  }

  template <typename T>
  void number(const char* key, T& out, double low, double high) {
    const json* value = find(key);
    if (!value) return;
    check(value->is_number(), "{}: '{}' must be a number.", where_, key);
    const double x = value->get<double>();
    if constexpr (std::is_integral_v<T>)
      check(x == std::floor(x), "{}: '{}' must be a whole number, not {}.", where_, key, x);
    check(x >= low && x <= high, "{}: '{}' is {}; it must lie between {} and {}.", where_, key, x,
          low, high);
    out = value->get<T>();
  }
  void boolean(const char* key, bool& out) {
    const json* value = find(key);
    if (!value) return;
    check(value->is_boolean(), "{}: '{}' must be true or false.", where_, key);
    out = value->get<bool>();
  }
  void choice(const char* key, std::string& out, const std::vector<std::string>& choices) {
    const json* value = find(key);
    if (!value) return;
    check(value->is_string(), "{}: '{}' must be a text.", where_, key);
    const std::string text = value->get<std::string>();
    check(std::find(choices.begin(), choices.end(), text) != choices.end(),
          "{}: '{}' is '{}'; use one of {}.", where_, key, printable(text, 40),
          fmt::join(choices, ", "));
    out = text;
  }
  /// The member, or null when it is missing or null.
  const json* find(const char* key) {
    known_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  /// Keys of the official files that decide nothing here.
  void ignore(std::initializer_list<const char*> keys) { known_.insert(keys.begin(), keys.end()); }
  void finish() const {
    for (const auto& [key, value] : object_.items()) {
      check(known_.count(key) != 0 || key.starts_with("_"),
            "{}: the key '{}' is unknown. Known keys: {}.", where_, printable(key, 60),
            fmt::join(known_, ", "));
    }
  }

 private:
  const json& object_;
  std::string where_;
  std::set<std::string> known_;
};

/// What every cell has a choice of, but for the cap of the gates.
inline void read_variant(SpecReader& in, CellVariant& variant) {
  in.choice("forget_gate", variant.forget_gate, {"sigmoid", "exponential"});
  in.boolean("stabilizer", variant.stabilizer);
  in.choice("number_format", variant.number_format, {"native", "fp64", "fp32", "bf16", "fp16"});
}
inline void read_mlstm_variant(SpecReader& in, CellVariant& variant) {
  read_variant(in, variant);
  in.choice("denominator_floor", variant.denominator_floor, {"stabilizer", "one"});
  in.choice("scale", variant.scale, {"keys", "queries"});
  in.number("eps", variant.eps, 0, 1);
}
/// Adds what differs from the reference, so that other programs can read what does not.
inline void write_variant(const CellVariant& variant, const CellVariant& reference,
                          nlohmann::json& out) {
  const auto add = [&](const char* key, const auto& value, const auto& usual) {
    if (value != usual) out[key] = value;
  };
  add("forget_gate", variant.forget_gate, reference.forget_gate);
  add("stabilizer", variant.stabilizer, reference.stabilizer);
  add("denominator_floor", variant.denominator_floor, reference.denominator_floor);
  add("scale", variant.scale, reference.scale);
  add("eps", variant.eps, reference.eps);
  add("gate_soft_cap", variant.gate_soft_cap, reference.gate_soft_cap);
  add("number_format", variant.number_format, reference.number_format);
}

}  // namespace xlab
