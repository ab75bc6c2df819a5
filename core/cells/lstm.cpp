// The LSTM (Hochreiter and Schmidhuber 1997, with a forget gate) behind the gates of the sLSTM:
//
//   i, f, o = σ(...)   z = tanh(...)   c_t = f_t c_{t−1} + i_t z_t   h_t = o_t tanh(c_t)
#include <cmath>

#include "core/cells/right_side.hpp"
#include "core/cells/scalar.hpp"
#include "kernels/check.hpp"
#include "kernels/gates.hpp"

namespace xlab {
namespace {

using namespace scalar;
using Evaluated = std::optional<Side>;

ValueCard lstm_input_pre_card(const CellVariant& v) {
  ValueCard card = pre_activation(
      "input_gate_pre", "i", "input gate, pre-activation",
      "How strongly this token asks to be written, before squashing; it also sees what the head "
      "put out one token before.");
  if (v.gate_soft_cap <= 0.0) return card;
  return capped(card,
                "How strongly this token asks to be written, before squashing; softly capped.",
                "−c..c");
}

ValueCard input_share_card() {
  return {.name = "input_gate",
          .symbol = "σ(i)",
          .title = "input gate",
          .words = "The share of the cell input that is written.",
          .equation = "σ(i_t) = 1 / (1 + exp(−i_t))",
          .range = "0..1",
          .inputs = {"input_gate_pre"},
          .extent = Extent::unit,
          .role = Role::gate,
          .span = Span::share,
          .side = [](Place& p) -> Evaluated { return sigmoid_side(p, "input_gate_pre"); }};
}

ValueCard lstm_cell_card() {
  ValueCard card = cell_card();
  card.words = "What has been written so far, as far as it was kept.";
  card.equation = "c_t = σ(f_t) c_{t−1} + σ(i_t) tanh(z_t)";
  card.range = "any number";
  return card;
}

ValueCard lstm_output_card() {
  ValueCard card = output_card();
  card.words = "The squashed cell, as far as it is opened.";
  card.equation = "h_t = σ(o_t) · tanh(c_t)";
  card.inputs = {"output_gate", "c"};
  card.side = [](Place& p) -> Evaluated {
    const double o = p.now("output_gate"), c = p.now("c");
    return Side{number(o) + " · tanh(" + number(c) + ")", o * std::tanh(c)};
  };
  return card;
}

ValueCard squashed_cell_card() {
  ValueCard card = answer_card();
  card.symbol = "tanh(c)";
  card.title = "squashed cell";
  card.words = "What has been written and kept, squashed.";
  card.equation = "tanh(c_t)";
  card.range = "−1..1";
  card.inputs = {"c"};
  card.side = [](Place& p) -> Evaluated { return tanh_side(p, "c"); };
  return card;
}

/// Of c_t = σ(f_t) c_{t−1} + σ(i_t) tanh(z_t) and h_t = σ(o_t) tanh(c_t).
UnitSlopes lstm_slopes(const CellVariant&, const UnitStep& s) {
  const double written = std::tanh(s.pre[2]), read = std::tanh(s.memory);
  UnitSlopes d;
  d.kept = s.kept;
  d.memory = {s.weight * sigmoid(-s.pre[0]) * written,
              s.kept * sigmoid(-s.pre[1]) * s.memory_before, s.weight * (1.0 - written * written),
              0.0};
  d.output[3] = s.output * sigmoid(-s.pre[3]);
  d.output_by_memory = sigmoid(s.pre[3]) * (1.0 - read * read);
  return d;
}

CellValues lstm_values(const CellVariant& v) {
  return {.cards = after_token_cards(
              {lstm_input_pre_card(v), forget_pre_card(v), cell_input_pre_card(), output_pre_card(),
               input_share_card(), forget_share_card("forget_gate"), cell_input_card(),
               output_gate_card(), lstm_cell_card(), lstm_output_card(), squashed_cell_card()}),
          .rows = {squashed_row('i', "input gate", "input_gate", "i", "σ(i)", kInputWords),
                   squashed_row('f', "forget gate", "forget_gate", "f", "σ(f)", kForgetWords),
                   squashed_row('z', "cell input", "cell_input", "z", "tanh(z)", kCellInputWords),
                   squashed_row('o', "output gate", "output_gate", "o", "σ(o)", kOutputWords),
                   state_row('c',
                             {"cell c = σ(f) c₋₁ + σ(i) tanh(z), all units and one",
                              "cell c: all units and one", "cell c", "cell"},
                             "c", kCellWords)},
          .memory = {.state = "c",
                     .answer = "answer",
                     .write = {},
                     .keys = {},
                     .scale = {},
                     .words = "An LSTM keeps one number per unit, not a matrix: tanh(c), what has "
                              "been written and kept, squashed."},
          .mixing = mixing_card(v, lstm_slopes),
          .formula = {"input_gate", "forget_gate", "c", "h"},
          .choices = {Choice::gate_soft_cap, Choice::number_format}};
}

void check_equations(const CellVariant& variant) {
  check(variant.forget_gate == ForgetGate::sigmoid && variant.stabilizer,
        "slstm_block.slstm: the function 'lstm' has sigmoid gates and nothing to stabilise; leave "
        "'forget_gate' and 'stabilizer' out, or use the function 'slstm'.");
}

}  // namespace

const ScalarCell& lstm_cell() {
  static const ScalarCell cell{.memory = kernels::ScalarMemory::lstm,
                               .name = "lstm",
                               .title = "LSTM",
                               .states = 2,
                               .states_in_words = "the LSTM has 2 states, y and c",
                               .check = check_equations,
                               .values = lstm_values};
  return cell;
}

}  // namespace xlab
