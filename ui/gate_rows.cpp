// Which values of a cell are shown over time, in which rows and lanes.
#include "ui/gate_rows.hpp"

#include <array>

namespace xlab::ui {
namespace {

Lane strip_of(const char* value, char gate, const char* label, LaneRange range, MapName map) {
  return {LaneKind::strip, {{value, gate, label}}, range, true, false, map};
}

Lane curve_of(const char* value, char gate, const char* label, LaneRange range, bool per_unit) {
  return {LaneKind::curves, {{value, gate, label}}, range, per_unit, false};
}

Lane draggable(const char* value, char gate, const char* label, bool per_unit) {
  return {LaneKind::curves, {{value, gate, label}}, LaneRange::pre_activation, per_unit, true};
}

Lane forget_values(bool per_unit) {
  return {LaneKind::curves,
          {{"forget_gate", 'f', "f'"}, {"forget_gate_sigmoid", ' ', "σ(f)", true}},
          LaneRange::unit,
          per_unit};
}

std::vector<GateRow> mlstm_rows() {
  return {
      {'i',
       {"input gate: pre-activation i (log weight) and i' = exp(i − m)",
        "input gate: i (log weight), i' = exp(i − m)", "input gate: i and i'", "input gate"},
       {draggable("input_gate_pre", 'i', "i", false),
        curve_of("input_gate", 'i', "i'", LaneRange::unit, false)}},
      {'f',
       {"forget gate: pre-activation f, σ(f) and f' = exp(log σ(f) + m₋₁ − m)",
        "forget gate: pre-activation f, then σ(f) and f'", "forget gate: f, σ(f) and f'",
        "forget gate"},
       {draggable("forget_gate_pre", 'f', "f", false), forget_values(false)}},
      {'o',
       {"output gate: SiLU(z) of all units, pre-activation z and SiLU(z) of one",
        "output gate: SiLU(z), pre-activation z", "output gate: z, SiLU(z)", "output gate"},
       {strip_of("output_gate", 'o', "units", LaneRange::around_zero, MapName::signed_values),
        {LaneKind::curves,
         {{"output_gate", 'o', "SiLU(z)"}, {"output_gate_pre", ' ', "z", true}},
         LaneRange::around_zero,
         true}}},
      {'m',
       {"stabilizer m = max(log σ(f) + m₋₁, i): the scale of the memory, as a logarithm",
        "stabilizer m: scale of the memory (log)", "stabilizer m (log)", "stabilizer"},
       {curve_of("m", 'm', "m", LaneRange::around_zero, false)}},
      {'n',
       {"normalizer: vector n over the keys, and N = max(|⟨q, n⟩|, exp(−m))",
        "normalizer: vector n, and N", "normalizer: n, N", "normalizer"},
       {strip_of("n", 'n', "keys", LaneRange::around_zero, MapName::signed_values),
        curve_of("normalizer", 'n', "N", LaneRange::around_zero, false)}},
  };
}

/// The large family's mLSTM: another output gate.
std::vector<GateRow> large_rows() {
  std::vector<GateRow> rows = mlstm_rows();
  for (GateRow& row : rows) {
    if (row.gate != 'o') continue;
    row.titles = {"output gate: σ(o) of all units, pre-activation o and σ(o) of one",
                  "output gate: pre-activation o, σ(o)", "output gate: o, σ(o)", "output gate"};
    row.lanes = {strip_of("output_gate", 'o', "units", LaneRange::unit, MapName::unit),
                 draggable("output_gate_pre", 'o', "o", true),
                 curve_of("output_gate", 'o', "σ(o)", LaneRange::unit, true)};
  }
  return rows;
}

std::vector<GateRow> slstm_rows() {
  return {
      {'i',
       {"input gate: i' = exp(i − m) of all units, pre-activation i (log weight) and i' of one",
        "input gate: i' of all units, i (log weight) and i' of one", "input gate: i and i'",
        "input gate"},
       {strip_of("input_gate", 'i', "units", LaneRange::unit, MapName::unit),
        draggable("input_gate_pre", 'i', "i", true),
        curve_of("input_gate", 'i', "i'", LaneRange::unit, true)}},
      {'f',
       {"forget gate: f' of all units, pre-activation f, σ(f) and f' of one",
        "forget gate: f' of all units, f, σ(f) and f' of one", "forget gate: f, σ(f) and f'",
        "forget gate"},
       {strip_of("forget_gate", 'f', "units", LaneRange::unit, MapName::unit),
        draggable("forget_gate_pre", 'f', "f", true), forget_values(true)}},
      {'z',
       {"cell input: tanh(z) of all units, pre-activation z and tanh(z) of one",
        "cell input: pre-activation z, tanh(z)", "cell input: z, tanh(z)", "cell input"},
       {strip_of("cell_input", 'z', "units", LaneRange::signed_unit, MapName::signed_values),
        draggable("cell_input_pre", 'z', "z", true),
        curve_of("cell_input", 'z', "tanh(z)", LaneRange::signed_unit, true)}},
      {'o',
       {"output gate: σ(o) of all units, pre-activation o and σ(o) of one",
        "output gate: pre-activation o, σ(o)", "output gate: o, σ(o)", "output gate"},
       {strip_of("output_gate", 'o', "units", LaneRange::unit, MapName::unit),
        draggable("output_gate_pre", 'o', "o", true),
        curve_of("output_gate", 'o', "σ(o)", LaneRange::unit, true)}},
      {'c',
       {"cell c = f' c₋₁ + i' tanh(z), all units and one", "cell c: all units and one", "cell c",
        "cell"},
       {strip_of("c", 'c', "units", LaneRange::around_zero, MapName::signed_values),
        curve_of("c", 'c', "c", LaneRange::around_zero, true)}},
      {'m',
       {"stabilizer m = max(log σ(f) + m₋₁, i): the scale of the cell, as a logarithm",
        "stabilizer m: scale of the cell (log)", "stabilizer m (log)", "stabilizer"},
       {strip_of("m", 'm', "units", LaneRange::shown, MapName::log_domain),
        curve_of("m", 'm', "m", LaneRange::around_zero, true)}},
      {'n',
       {"normalizer n = f' n₋₁ + i', all units and one", "normalizer n: all units and one",
        "normalizer n", "normalizer"},
       {strip_of("n", 'n', "units", LaneRange::around_zero, MapName::signed_values),
        curve_of("n", 'n', "n", LaneRange::around_zero, true)}},
  };
}

/// The LSTM's: no exponential, so neither stabilizer nor normalizer.
std::vector<GateRow> lstm_rows() {
  const auto squashed = [](const char* value, char gate, LaneRange range, MapName map,
                           const std::string& pre, const char* label,
                           const std::string& name) -> GateRow {
    const std::string value_name(value), shown(label);
    return {
        gate,
        {name + ": " + shown + " of all units, pre-activation " + pre + " and " + shown + " of one",
         name + ": pre-activation " + pre + ", " + shown, name + ": " + pre + ", " + shown, name},
        {strip_of(value, gate, "units", range, map),
         draggable((value_name + "_pre").c_str(), gate, pre.c_str(), true),
         curve_of(value, gate, label, range, true)}};
  };
  std::vector<GateRow> rows = {
      squashed("input_gate", 'i', LaneRange::unit, MapName::unit, "i", "σ(i)", "input gate"),
      squashed("forget_gate", 'f', LaneRange::unit, MapName::unit, "f", "σ(f)", "forget gate"),
      squashed("cell_input", 'z', LaneRange::signed_unit, MapName::signed_values, "z", "tanh(z)",
               "cell input"),
      squashed("output_gate", 'o', LaneRange::unit, MapName::unit, "o", "σ(o)", "output gate")};
  rows.push_back({'c',
                  {"cell c = σ(f) c₋₁ + σ(i) tanh(z), all units and one",
                   "cell c: all units and one", "cell c", "cell"},
                  {strip_of("c", 'c', "units", LaneRange::around_zero, MapName::signed_values),
                   curve_of("c", 'c', "c", LaneRange::around_zero, true)}});
  return rows;
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  if (const std::size_t at = text.find(from); at != std::string::npos)
    text.replace(at, from.size(), to);
}

/// The rows in the words of other equations.
std::vector<GateRow> in_words_of(std::vector<GateRow> rows, bool exponential, bool plain,
                                 bool floor_is_one) {
  const auto adapt = [&](std::string& text) {
    if (exponential) {
      replace(text, "log σ(f)", "f");
      replace(text, "σ(f)", "exp(f)");
    }
    if (plain) {
      replace(text, "exp(i − m)", "exp(i)");
      replace(text, " + m₋₁ − m", "");
    }
    if (floor_is_one || plain) replace(text, "exp(−m)", "1");
  };
  for (GateRow& row : rows) {
    if (plain && row.gate == 'm') row.titles = {"stabilizer m: off, always 0", "stabilizer: off"};
    for (std::string& title : row.titles) adapt(title);
    for (Lane& lane : row.lanes)
      for (LaneCurve& curve : lane.curves) adapt(curve.label);
  }
  return rows;
}

}  // namespace

std::string gate_sentence(char gate) {
  switch (gate) {
    case 'i':
      return "How strongly what comes in now is written into the memory.";
    case 'f':
      return "How much of what was stored before is kept.";
    case 'z':
      return "What is written.";
    case 'o':
      return "How much of what is read from the memory leaves the cell.";
    case 'c':
      return "The memory itself, one number a unit.";
    case 'm':
      return "The scale everything is stored at, so that no exponential overflows.";
    case 'n':
      return "The sum of all weights written so far: what is read is divided by it.";
    default:
      return {};
  }
}

const std::vector<GateRow>& gate_rows(const BlockCard& block) {
  // All of them made once: a row is asked for in every frame.
  using Variants = std::array<std::vector<GateRow>, 8>;
  const auto variants = [](const std::vector<GateRow>& rows) {
    Variants all;
    for (unsigned v = 0; v < all.size(); ++v)
      all[v] = in_words_of(rows, (v & 1) != 0, (v & 2) != 0, (v & 4) != 0);
    return all;
  };
  static const Variants mlstm = variants(mlstm_rows()), large = variants(large_rows()),
                        slstm = variants(slstm_rows());
  static const std::vector<GateRow> none, lstm = lstm_rows();
  const std::size_t variant = (block.variant.forget_gate == "exponential" ? 1U : 0U) +
                              (block.variant.stabilizer ? 0U : 2U) +
                              (block.variant.denominator_floor == "one" ? 4U : 0U);
  if (block.kind == "slstm") return slstm[variant];
  if (block.kind == "lstm") return lstm;
  if (block.kind != "mlstm") return none;
  return (block.prefix.ends_with("mlstm_large") ? large : mlstm)[variant];
}

}  // namespace xlab::ui
