// What can be seen of a cell, as data: its values with their names, meanings, equations and sizes,
// how they are laid out over time, and what its memory looks like. Standard types only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xlab {

struct CellVariant;  // the choices in a cell's equations: core/variant.hpp
class Place;         // one step, head and unit of a cell's recordings: core/cells/right_side.hpp
struct Side;         // a right-hand side with numbers in it: core/cells/right_side.hpp

/// How many numbers a value has in each head.
enum class Extent : std::uint8_t {
  head,          ///< one
  key,           ///< one for each of the K numbers of a key
  value,         ///< one for each of the V numbers of a value
  unit,          ///< one for each unit of a head
  key_by_value,  ///< a matrix (K, V)
};

/// What a value is to its cell.
enum class Role : std::uint8_t {
  projection,      ///< what the token brings: query, key, value
  pre_activation,  ///< what the token asks of a gate, before it is squashed
  gate,            ///< what is multiplied with, and what is let in
  state,           ///< carried from one token to the next
  writing,         ///< what a token adds to the memory
  reading,         ///< how the memory is read: overlap, denominator, answer
};

/// Which numbers a value usually takes.
enum class Span : std::uint8_t {
  any,
  share,           ///< 0..1
  signed_share,    ///< -1..1
  pre_activation,  ///< around -6..6, and beyond
  logarithm,       ///< of a scale
};

/// The right-hand side of a value's equation with the numbers of a place; nothing when they are not
/// all recorded. Null for what comes from outside the cell.
using RightHandSide = std::optional<Side> (*)(Place&);

/// One value of a cell.
struct ValueCard {
  std::string name;      ///< last part of its path, e.g. "forget_gate"
  std::string symbol;    ///< e.g. "f'"
  std::string title;     ///< e.g. "forget gate, stabilised"
  std::string words;     ///< one sentence
  std::string equation;  ///< plain text, e.g. "f'_t = exp(log σ(f_t) + m_{t−1} − m_t)"
  std::string range;     ///< unit or range, e.g. "0..1"
  /// Names of the values it is computed from; "m@-1" is m one step before.
  std::vector<std::string> inputs;
  Extent extent = Extent::head;
  Role role = Role::reading;
  Span span = Span::any;
  /// It stands in the trace of every token. What does not is evaluated from what does.
  bool recorded = true;
  /// A clamp replaces it.
  bool clampable = false;
  /// Of a pre-activation: held at this, what it opens is closed. The default leaves 1e-26 of a
  /// sigmoid or an exponential.
  float closed_at = -60.0f;
  /// What its exponential is: "weight", "scale"; empty when it is no logarithm.
  std::string logarithm_of;
  RightHandSide side = nullptr;
};

/// A picture of a value over time.
enum class Picture : std::uint8_t {
  curve,  ///< of one unit, or of every head where there is one number a head
  strip,  ///< colours, all units of a head
};

/// One band of a row.
struct ValueLane {
  Picture picture = Picture::curve;
  std::string value;   ///< its name
  std::string beside;  ///< another one, drawn thin with it; may be empty
};

/// What is drawn together over time, most often a gate.
struct ValueRow {
  char letter = ' ';                ///< i, f, z, o, c, m or n: how it is drawn everywhere
  std::vector<std::string> titles;  ///< long to short
  std::string words;                ///< one sentence
  std::vector<ValueLane> lanes;
};

/// A choice in a cell's equations, a member of CellVariant.
enum class Choice : std::uint8_t {
  forget_gate,
  stabilizer,
  input_gate,
  normalizer,
  denominator_floor,
  scale,
  eps,
  gate_soft_cap,
  number_format
};

/// What a cell remembers with. All are names of values; may be empty but for `state`.
struct MemoryCard {
  std::string state;   ///< what is remembered: a matrix, or one number a unit
  std::string answer;  ///< of numbers: what they answer when they are read, -1..1
  std::string write;   ///< of a matrix: what a token adds, the product of the inputs of that value
  std::string keys;    ///< of a matrix: one number for each key, drawn beside it
  std::string scale;   ///< the logarithm of what everything is stored divided by
  std::string words;   ///< of numbers: what they are, in a sentence
};

/// A pre-activation that also sees what the head put out one token before:
/// W x_t + R h_{t−1} + b, softly capped where `capped`, replaced where it is clamped. Names of
/// values.
struct MixedGate {
  char letter = ' ';    ///< how it is drawn everywhere
  std::string title;    ///< e.g. "input gate"
  std::string pre;      ///< what the three parts come to
  std::string token;    ///< W x_t alone
  bool capped = false;  ///< c · tanh(sum / c), with the soft cap of the cell's equations
};

/// At most so many pre-activations of a unit are mixed.
inline constexpr std::size_t kMostMixed = 4;

/// What a step of one unit computed, as recorded.
struct UnitStep {
  std::array<double, kMostMixed> pre{};  ///< in the order of MixingCard::gates
  double weight = 0.0;                   ///< what the write was multiplied with
  double kept = 0.0;                     ///< what the memory before was multiplied with
  double memory = 0.0, memory_before = 0.0;
  double divisor = 0.0, divisor_before = 0.0;  ///< 0 where the cell has none
  double output = 0.0;
};

/// First derivatives of one step of one unit, of its memory, its divisor and its output; 0 where
/// nothing depends on it. A stabilizer counts as a constant: no output depends on it.
struct UnitSlopes {
  double kept = 0.0;  ///< d memory_t / d memory_{t−1}, and the same of the divisor
  std::array<double, kMostMixed> memory{}, divisor{}, output{};  ///< by each pre-activation
  double output_by_memory = 0.0, output_by_divisor = 0.0;
};
using SlopesOf = UnitSlopes (*)(const CellVariant& variant, const UnitStep& step);

/// How the units of a head see one another through a recurrent matrix R.
struct MixingCard {
  std::vector<MixedGate> gates;  ///< in the order of R; none: there is no R
  std::string output;            ///< h, what R is multiplied with one token later
  SlopesOf slopes = nullptr;
};

/// All that can be seen of a cell with some choice of equations.
struct CellValues {
  std::vector<ValueCard> cards;
  std::vector<ValueRow> rows;
  MemoryCard memory;
  MixingCard mixing;
  std::vector<std::string> formula;  ///< values whose equations, in this order, make the cell
  std::vector<Choice> choices;       ///< which its equations have
  std::vector<Choice> idle;          ///< of these, which change nothing as the others stand

  /// The value of this name, or null.
  const ValueCard* find(std::string_view name) const {
    for (const ValueCard& card : cards)
      if (card.name == name) return &card;
    return nullptr;
  }
  bool has(Choice choice) const {
    return std::find(choices.begin(), choices.end(), choice) != choices.end();
  }
  bool is_idle(Choice choice) const {
    return std::find(idle.begin(), idle.end(), choice) != idle.end();
  }
};

/// Of a cell that shows nothing.
inline std::shared_ptr<const CellValues> no_values() {
  static const auto none = std::make_shared<const CellValues>();
  return none;
}

}  // namespace xlab
