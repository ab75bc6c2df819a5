// What can be seen of the sLSTM: one number a unit of everything.
#include <cmath>

#include "core/cells/right_side.hpp"
#include "core/cells/scalar.hpp"
#include "kernels/gates.hpp"

namespace xlab {
namespace {

using namespace scalar;
using Evaluated = std::optional<Side>;

/// Whether the cell's normalizer was still zero: there is nothing yet to forget.
bool first_write(Place& p) {
  return p.before("n") == 0.0;
}

Evaluated unit_stabilizer(Place& p) {
  if (first_write(p)) return Side{"i, the first write", p.now("input_gate_pre")};
  return stabilizer_side(p);
}
Evaluated unit_forget_stabilised(Place& p) {
  if (first_write(p)) return Side{"nothing to keep yet", 0.0};
  return stabilised_forget_side(p);
}
Evaluated forget_plain(Place& p) {
  if (first_write(p)) return Side{"nothing to keep yet", 0.0};
  return sigmoid_side(p, "forget_gate_pre");
}
Evaluated forget_plain_exponential(Place& p) {
  if (first_write(p)) return Side{"nothing to keep yet", 0.0};
  return exponential_side(p, "forget_gate_pre");
}
Evaluated unit_input_stabilised(Place& p) {
  return stabilised_input_side(p);
}
Evaluated input_plain(Place& p) {
  return exponential_side(p, "input_gate_pre");
}

ValueCard slstm_input_pre_card(const CellVariant& v) {
  ValueCard card = pre_activation(
      "input_gate_pre", "i", "input gate, pre-activation",
      "How strongly this token asks to be written, as the logarithm of its weight; it also sees "
      "what the head put out one token before.");
  card.range = "log weight, any number";
  card.logarithm_of = "weight";
  if (v.gate_soft_cap <= 0.0) return card;
  return capped(card,
                "How strongly this token asks to be written, as the logarithm of its weight; "
                "softly capped.",
                "log weight, −c..c");
}

ValueCard input_gate_card(bool plain) {
  ValueCard card{.name = "input_gate",
                 .symbol = "i'",
                 .title = "input gate, stabilised",
                 .words =
                     "The weight with which this token is written, relative to the scale of "
                     "the cell.",
                 .equation = "i'_t = exp(i_t − m_t)",
                 .range = "0..1",
                 .inputs = {"input_gate_pre", "m"},
                 .extent = Extent::unit,
                 .role = Role::gate,
                 .span = Span::share,
                 .side = unit_input_stabilised};
  if (!plain) return card;
  card.title = "input gate";
  card.words = "The weight with which this token is written; large ones overflow.";
  card.equation = "i'_t = exp(i_t)";
  card.range = "above 0";
  card.inputs = {"input_gate_pre"};
  card.side = input_plain;
  return card;
}

ValueCard forget_gate_card(bool plain, bool exponential) {
  ValueCard card{.name = "forget_gate",
                 .symbol = "f'",
                 .title = "forget gate, stabilised",
                 .words =
                     "What the old cell is multiplied with: what is kept, moved to the new "
                     "scale.",
                 .equation = exponential
                                 ? "f'_t = exp(f_t + m_{t−1} − m_t), 0 where n_{t−1} = 0"
                                 : "f'_t = exp(log σ(f_t) + m_{t−1} − m_t), 0 where n_{t−1} = 0",
                 .range = "0..1",
                 .inputs = {"forget_gate_pre", "m@-1", "m", "n@-1"},
                 .extent = Extent::unit,
                 .role = Role::gate,
                 .span = Span::share,
                 .side = unit_forget_stabilised};
  if (!plain) return card;
  card.title = "forget gate";
  card.words = exponential ? "What the old cell is multiplied with; above 1 it grows."
                           : "What the old cell is multiplied with.";
  card.equation =
      exponential ? "f'_t = exp(f_t), 0 where n_{t−1} = 0" : "f'_t = σ(f_t), 0 where n_{t−1} = 0";
  card.range = exponential ? "above 0" : "0..1";
  card.inputs = {"forget_gate_pre", "n@-1"};
  card.side = exponential ? forget_plain_exponential : forget_plain;
  return card;
}

ValueCard forget_rate_card(bool exponential) {
  ValueCard card = forget_share_card("forget_gate_sigmoid");
  if (!exponential) return card;
  card.symbol = "exp(f)";
  card.title = "forget gate, exponential";
  card.words = "What the cell is multiplied with from one token to the next; above 1 it grows.";
  card.equation = "exp(f_t)";
  card.range = "above 0";
  card.side = [](Place& p) -> Evaluated { return exponential_side(p, "forget_gate_pre"); };
  return card;
}

ValueCard stabilizer_card(bool plain, bool exponential) {
  ValueCard card{.name = "m",
                 .symbol = "m",
                 .title = "stabilizer",
                 .extent = Extent::unit,
                 .role = Role::state,
                 .span = Span::logarithm,
                 .logarithm_of = "scale"};
  if (plain) {
    card.words = "Switched off: the cell is stored as it is.";
    card.equation = "m_t = 0";
    card.range = "0";
    return card;
  }
  card.words = exponential
                   ? "The scale of the cell, as a logarithm: everything is stored divided by "
                     "exp(m). At the first write it is i itself."
                   : "The scale of the cell, as a logarithm: everything is stored divided by "
                     "exp(m), so that no exponential overflows. At the first write it is i itself.";
  card.equation = exponential ? "m_t = max(f_t + m_{t−1}, i_t), m_t = i_t where n_{t−1} = 0"
                              : "m_t = max(log σ(f_t) + m_{t−1}, i_t), m_t = i_t where n_{t−1} = 0";
  card.range = "logarithm, any number";
  card.inputs = {"forget_gate_pre", "m@-1", "input_gate_pre", "n@-1"};
  card.side = unit_stabilizer;
  return card;
}

ValueCard slstm_cell_card() {
  ValueCard card = cell_card();
  card.words = "The weighted sum of everything written so far.";
  card.equation = "c_t = f'_t c_{t−1} + i'_t tanh(z_t)";
  card.range = "divided by exp(m)";
  return card;
}

ValueCard normalizer_card() {
  return {.name = "n",
          .symbol = "n",
          .title = "normalizer",
          .words = "The sum of the weights in the cell; c / n is their weighted mean.",
          .equation = "n_t = f'_t n_{t−1} + i'_t",
          .range = "1 or more",
          .inputs = {"forget_gate", "n@-1", "input_gate"},
          .extent = Extent::unit,
          .role = Role::state,
          .side = [](Place& p) -> Evaluated {
            const double forget = p.now("forget_gate"), before = p.before("n");
            const double input = p.now("input_gate");
            return Side{number(forget) + " · " + term(before) + " + " + number(input),
                        forget * before + input};
          }};
}

ValueCard slstm_output_card() {
  ValueCard card = output_card();
  card.words = "The weighted mean of what was written, as far as the cell is opened.";
  card.equation = "h_t = σ(o_t) · c_t / n_t";
  card.inputs = {"output_gate", "c", "n"};
  card.side = [](Place& p) -> Evaluated {
    const double o = p.now("output_gate"), c = p.now("c"), n = p.now("n");
    return Side{number(o) + " · " + term(c) + " / " + number(n), o * c / n};
  };
  return card;
}

ValueCard weighted_mean_card() {
  ValueCard card = answer_card();
  card.symbol = "c / n";
  card.title = "weighted mean";
  card.words = "The weighted mean of what was written.";
  card.equation = "c_t / n_t";
  card.range = "−1..1";
  card.inputs = {"c", "n"};
  card.side = [](Place& p) -> Evaluated {
    const double c = p.now("c"), n = p.now("n");
    return Side{number(c) + " / " + number(n), c / n};
  };
  return card;
}

std::vector<ValueRow> slstm_rows(bool plain, bool exponential) {
  const std::string share = exponential ? "exp(f)" : "σ(f)";
  const std::string log_share = exponential ? "f" : "log σ(f)";
  std::vector<std::string> scale = {
      "stabilizer m = max(" + log_share + " + m₋₁, i): the scale of the cell, as a logarithm",
      "stabilizer m: scale of the cell (log)", "stabilizer m (log)", "stabilizer"};
  if (plain) scale = {"stabilizer m: off, always 0", "stabilizer: off"};
  const std::string input = plain ? "exp(i)" : "exp(i − m)";
  return {
      {.letter = 'i',
       .titles = {"input gate: i' = " + input +
                      " of all units, pre-activation i (log weight) and i' of one",
                  "input gate: i' of all units, i (log weight) and i' of one",
                  "input gate: i and i'", "input gate"},
       .words = kInputWords,
       .lanes = {{Picture::strip, "input_gate"},
                 {Picture::curve, "input_gate_pre"},
                 {Picture::curve, "input_gate"}}},
      {.letter = 'f',
       .titles = {"forget gate: f' of all units, pre-activation f, " + share + " and f' of one",
                  "forget gate: f' of all units, f, " + share + " and f' of one",
                  "forget gate: f, " + share + " and f'", "forget gate"},
       .words = kForgetWords,
       .lanes = {{Picture::strip, "forget_gate"},
                 {Picture::curve, "forget_gate_pre"},
                 {Picture::curve, "forget_gate", "forget_gate_sigmoid"}}},
      squashed_row('z', "cell input", "cell_input", "z", "tanh(z)", kCellInputWords),
      squashed_row('o', "output gate", "output_gate", "o", "σ(o)", kOutputWords),
      state_row('c',
                {"cell c = f' c₋₁ + i' tanh(z), all units and one", "cell c: all units and one",
                 "cell c", "cell"},
                "c", kCellWords),
      state_row('m', std::move(scale), "m",
                "The scale everything is stored at, so that no exponential overflows."),
      state_row('n',
                {"normalizer n = f' n₋₁ + i', all units and one", "normalizer n: all units and one",
                 "normalizer n", "normalizer"},
                "n", "The sum of all weights written so far: what is read is divided by it."),
  };
}

/// Of c_t = f' c_{t−1} + i' tanh(z_t), n_t = f' n_{t−1} + i' and h_t = σ(o_t) c_t / n_t with m_t as
/// it is: d i' = i' d i, d f' = f' d log_forget.
UnitSlopes slstm_slopes(const CellVariant& v, const UnitStep& s) {
  const double written = std::tanh(s.pre[2]), open = sigmoid(s.pre[3]);
  const double forget = s.kept * (v.forget_gate == ForgetGate::sigmoid ? sigmoid(-s.pre[1]) : 1.0);
  UnitSlopes d;
  d.kept = s.kept;
  d.memory = {s.weight * written, forget * s.memory_before, s.weight * (1.0 - written * written),
              0.0};
  d.divisor = {s.weight, forget * s.divisor_before, 0.0, 0.0};
  d.output[3] = s.output * sigmoid(-s.pre[3]);
  d.output_by_memory = open / s.divisor;
  d.output_by_divisor = -s.output / s.divisor;
  return d;
}

CellValues slstm_values(const CellVariant& v) {
  const bool plain = !v.stabilizer, exponential = v.forget_gate == ForgetGate::exponential;
  return {.cards = after_token_cards(
              {slstm_input_pre_card(v), forget_pre_card(v), cell_input_pre_card(),
               output_pre_card(), input_gate_card(plain), forget_gate_card(plain, exponential),
               forget_rate_card(exponential), cell_input_card(), output_gate_card(),
               stabilizer_card(plain, exponential), slstm_cell_card(), normalizer_card(),
               slstm_output_card(), weighted_mean_card()}),
          .rows = slstm_rows(plain, exponential),
          .memory = {.state = "c",
                     .answer = "answer",
                     .write = {},
                     .keys = {},
                     .scale = "m",
                     .words = "An sLSTM keeps one number per unit, not a matrix: c / n, the "
                              "weighted mean of what was written."},
          .mixing = mixing_card(v, slstm_slopes),
          .formula = {"m", "input_gate", "forget_gate", "h"},
          .choices = {Choice::forget_gate, Choice::stabilizer, Choice::gate_soft_cap,
                      Choice::number_format}};
}

}  // namespace

const ScalarCell& slstm_cell() {
  static const ScalarCell cell{.memory = kernels::ScalarMemory::slstm,
                               .name = "slstm",
                               .title = "sLSTM",
                               .states = 4,
                               .states_in_words = "the sLSTM has 4 states, y, c, n and m",
                               .scan = Scan::slstm,
                               .values = slstm_values};
  return cell;
}

}  // namespace xlab
