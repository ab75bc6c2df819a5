// What a person does to a value by hand. Standard types only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xlab {

/// What an edit does with a number: sets it, adds to it, or multiplies it.
enum class Change : std::uint8_t { set, add, scale };

constexpr const char* name_of(Change change) {
  switch (change) {
    case Change::add:
      return "add";
    case Change::scale:
      return "scale";
    case Change::set:
      break;
  }
  return "set";
}

/// A value changed by hand over a range of time steps. Several on one number act one after the
/// other, in the order of their list.
struct Clamp {
  static constexpr int kAll = -1;
  std::string path;    ///< of a value that can be held, e.g. "block0/mlstm/forget_gate_pre"
  int head = 0;        ///< kAll: every head
  int unit = 0;        ///< within the head, 0 for values with one number a head; kAll: every unit
  int begin = 0;       ///< first time step
  int end = 0;         ///< one past the last time step
  float value = 0.0f;  ///< what the number is set to, what is added, or what it is multiplied with
  bool enabled = true;
  Change change = Change::set;
  /// Another value at each of the steps, in their order, in the place of `value`; empty: the same
  /// at all. As many as there are steps.
  std::vector<float> curve = {};

  bool operator==(const Clamp&) const = default;

  /// Whether it acts at this step.
  bool acts_at(int step) const { return enabled && step >= begin && step < end; }
  bool is_on_head(int which) const { return head == kAll || head == which; }
  bool is_on(int which_head, int which_unit) const {
    return is_on_head(which_head) && (unit == kAll || unit == which_unit);
  }
  /// The value at a step of its range.
  float value_at(int step) const {
    const auto at = static_cast<std::size_t>(step - begin);
    return step >= begin && at < curve.size() ? curve[at] : value;
  }
  /// A number as it is after the edit, at a step of its range.
  template <typename T>
  T applied(T number, int step) const {
    const T by = static_cast<T>(value_at(step));
    return change == Change::add ? number + by : change == Change::scale ? number * by : by;
  }
};

}  // namespace xlab
