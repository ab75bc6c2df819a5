// Reading the members of a JSON object into the fields of a specification.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/utf8.hpp"
#include "core/variant.hpp"
#include "core/what_was_read.hpp"
#include "kernels/check.hpp"

namespace xlab {

/// Reads the members of one JSON object, so that none of them changes the numbers silently. This is
/// the one rule for the keys of a configuration:
///
/// - known and meaningful: it is read (`number`, `boolean`, `choice`, `find`);
/// - known and of no consequence: `ignore`, or `usual` where one value of it stands for nothing;
/// - known and not supported: `only` refuses by name every value that stands for other equations
///   than those computed here;
/// - unknown: refused in specifications of one's own. Where a list is given, which is for the
///   folders of other programs, it is named there with its value instead, once, unless that value
///   asks for nothing; so are the values that `usual` does not know.
///
/// The list gets all other keys too, each with what became of it, and those that are missing.
/// A value like "${dataset.length}" refers to another place of an experiment's files, and stands
/// for nothing here: it is refused where the key is meaningful, and named where it is not.
class SpecReader {
 public:
  using json = nlohmann::json;
  using Values = std::vector<json>;

  SpecReader(const json& object, std::string where, ReadKeys* keys = nullptr);

  template <typename T>
  void number(const char* key, T& out, double low, double high) {
    const json* value = find(key);
    if (!value) return assume(key, out);
    refuse_reference(key, *value);
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
    if (!value) return assume(key, out);
    refuse_reference(key, *value);
    check(value->is_boolean(), "{}: '{}' must be true or false.", where_, key);
    out = value->get<bool>();
  }
  void choice(const char* key, std::string& out, const std::vector<std::string>& choices) {
    const json* value = find(key);
    if (!value) return assume(key, out);
    refuse_reference(key, *value);
    check(value->is_string(), "{}: '{}' must be a text.", where_, key);
    const std::string text = value->get<std::string>();
    check(std::find(choices.begin(), choices.end(), text) != choices.end(),
          "{}: '{}' is '{}'; use one of {}.", where_, key, printable(text, 40),
          fmt::join(choices, ", "));
    out = text;
  }
  /// A choice that has a type of its own, by the names of `choices`.
  template <typename E>
  void choice_of(const char* key, E& out, std::initializer_list<E> choices) {
    std::vector<std::string> names;
    for (const E one : choices) names.emplace_back(name_of(one));
    std::string name = name_of(out);
    choice(key, name, names);
    for (const E one : choices)
      if (name == name_of(one)) out = one;
  }
  /// The member, or null when it is missing or null.
  const json* find(const char* key) {
    read_.insert(key);
    return look_up(key);
  }
  /// Keys of the official files that decide nothing here.
  void ignore(std::initializer_list<const char*> keys) { known_.insert(keys.begin(), keys.end()); }
  /// A key that says nothing where it is null or has one of these values.
  void usual(const char* key, const Values& values);
  /// A key that, where it is null or has one of these values, stands for what is computed here.
  /// What it stands for else goes on the sentence "... 'key' is value: ".
  void only(const char* key, const Values& values, std::string_view otherwise);
  /// What other programs store or compute numbers in. Here that is f32 and the variant's format.
  void number_type(const char* key);
  /// Notes what usually stands under a key that is missing.
  void assume(const char* key, const json& usual);
  /// Reads keys that only this program writes, or that only few write: where they are missing,
  /// nobody misses them.
  template <typename Read>
  void our_own(Read read) {
    const bool before = std::exchange(notes_missing_, false);
    read();
    notes_missing_ = before;
  }
  /// Names or refuses what has not been asked for, and notes what became of the other keys. Keys
  /// that begin with _ are other programs' own.
  void finish() const;

 private:
  const json* look_up(const char* key) {
    known_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  void note(const std::string& key, const json& value, KeyUse use) const;
  void refuse_reference(const char* key, const json& value) const;
  [[noreturn]] void refuse_unknown(const std::string& key) const;

  const json& object_;
  std::string where_;
  ReadKeys* keys_;
  bool notes_missing_ = true;
  std::set<std::string> known_;   // keys that may stand there
  std::set<std::string> read_;    // of these, what something is made of
  std::set<std::string> agrees_;  // and what says the same as something else
  std::set<std::string> named_;   // and what is noted already
};

/// Keys that the configurations of both families may have.
void read_common_keys(SpecReader& in);

/// What every cell has a choice of, but for the cap of the gates.
inline void read_variant(SpecReader& in, CellVariant& variant) {
  in.our_own([&] {
    in.choice_of("forget_gate", variant.forget_gate,
                 {ForgetGate::sigmoid, ForgetGate::exponential});
    in.boolean("stabilizer", variant.stabilizer);
    in.choice_of("number_format", variant.number_format,
                 {NumberFormat::native, NumberFormat::fp64, NumberFormat::fp32, NumberFormat::bf16,
                  NumberFormat::fp16});
  });
}
inline void read_mlstm_variant(SpecReader& in, CellVariant& variant) {
  read_variant(in, variant);
  in.our_own([&] {
    in.choice_of("input_gate", variant.input_gate, {InputGate::exponential, InputGate::sigmoid});
    in.boolean("normalizer", variant.normalizer);
    in.choice_of("denominator_floor", variant.denominator_floor,
                 {DenominatorFloor::stabilizer, DenominatorFloor::one});
    in.choice_of("scale", variant.scale, {Scaled::keys, Scaled::queries});
    in.number("eps", variant.eps, 0, 1);
  });
}
/// The cap of the paper's cells, which their own program does not have.
inline void read_own_cap(SpecReader& in, CellVariant& variant) {
  in.our_own([&] { in.number("gate_soft_cap", variant.gate_soft_cap, 0, 1e6); });
}
/// Adds what differs from the reference, so that other programs can read what does not.
inline void write_variant(const CellVariant& variant, const CellVariant& reference,
                          nlohmann::json& out) {
  const auto add = [&](const char* key, const auto& value, const auto& usual) {
    if (value == usual) return;
    if constexpr (std::is_enum_v<std::decay_t<decltype(value)>>) {
      out[key] = name_of(value);
    } else {
      out[key] = value;
    }
  };
  add("forget_gate", variant.forget_gate, reference.forget_gate);
  add("stabilizer", variant.stabilizer, reference.stabilizer);
  add("input_gate", variant.input_gate, reference.input_gate);
  add("normalizer", variant.normalizer, reference.normalizer);
  add("denominator_floor", variant.denominator_floor, reference.denominator_floor);
  add("scale", variant.scale, reference.scale);
  add("eps", variant.eps, reference.eps);
  add("gate_soft_cap", variant.gate_soft_cap, reference.gate_soft_cap);
  add("number_format", variant.number_format, reference.number_format);
}

}  // namespace xlab
