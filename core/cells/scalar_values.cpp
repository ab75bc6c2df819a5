// What the cells behind the sLSTM's gates have in common of what can be seen of them.
#include <iterator>
#include <utility>

#include "core/cells/right_side.hpp"
#include "core/cells/scalar.hpp"

namespace xlab::scalar {

using Evaluated = std::optional<Side>;

namespace {

/// What the token alone asks for.
ValueCard token_card(const char* name, const std::string& symbol, const std::string& gate) {
  return {.name = name,
          .symbol = "W x (" + symbol + ")",
          .title = gate + ", from the token",
          .words =
              "What the token alone asks for, before what the head put out one token before "
              "and the bias are added.",
          .equation = "w · x_t",
          .range = "any number",
          .extent = Extent::unit,
          .role = Role::projection,
          .span = Span::pre_activation};
}

}  // namespace

ValueCard pre_activation(const char* name, const char* symbol, const char* title,
                         const char* words) {
  const std::string of = symbol;
  return {.name = name,
          .symbol = of,
          .title = title,
          .words = words,
          .equation = of + "_t = w · x_t + R h_{t−1} + b",
          .range = "any number",
          .extent = Extent::unit,
          .role = Role::pre_activation,
          .span = Span::pre_activation,
          .clampable = true};
}

std::vector<ValueCard> after_token_cards(std::vector<ValueCard> cards) {
  std::vector<ValueCard> all = {token_card("input_gate_wx", "i", "input gate"),
                                token_card("forget_gate_wx", "f", "forget gate"),
                                token_card("cell_input_wx", "z", "cell input"),
                                token_card("output_gate_wx", "o", "output gate")};
  std::move(cards.begin(), cards.end(), std::back_inserter(all));
  return all;
}

MixingCard mixing_card(const CellVariant& v, SlopesOf slopes) {
  const bool capped = v.gate_soft_cap > 0.0;
  return {.gates = {{'i', "input gate", "input_gate_pre", "input_gate_wx", capped},
                    {'f', "forget gate", "forget_gate_pre", "forget_gate_wx", capped},
                    {'z', "cell input", "cell_input_pre", "cell_input_wx"},
                    {'o', "output gate", "output_gate_pre", "output_gate_wx"}},
          .output = "h",
          .slopes = slopes};
}

ValueCard capped(ValueCard card, const char* words, const char* range) {
  card.words = words;
  card.equation = card.symbol + "_t = c · tanh((w · x_t + R h_{t−1} + b) / c)";
  card.range = range;
  return card;
}

ValueCard forget_pre_card(const CellVariant& v) {
  ValueCard card = pre_activation(
      "forget_gate_pre", "f", "forget gate, pre-activation",
      "How much of the cell is kept, before squashing: +5 keeps nearly all, −5 nearly nothing.");
  if (v.gate_soft_cap <= 0.0) return card;
  return capped(card, "How much of the cell is kept, before squashing; softly capped.", "−c..c");
}

ValueCard cell_input_pre_card() {
  ValueCard card = pre_activation("cell_input_pre", "z", "cell input, pre-activation",
                                  "What is to be written, before squashing.");
  card.closed_at = 0.0f;
  return card;
}

ValueCard output_pre_card() {
  return pre_activation("output_gate_pre", "o", "output gate, pre-activation",
                        "How far the cell is opened, before squashing.");
}

ValueCard cell_input_card() {
  return {.name = "cell_input",
          .symbol = "tanh(z)",
          .title = "cell input",
          .words = "What is written.",
          .equation = "tanh(z_t)",
          .range = "−1..1",
          .inputs = {"cell_input_pre"},
          .extent = Extent::unit,
          .role = Role::gate,
          .span = Span::signed_share,
          .side = [](Place& p) -> Evaluated { return tanh_side(p, "cell_input_pre"); }};
}

ValueCard output_gate_card() {
  return {.name = "output_gate",
          .symbol = "σ(o)",
          .title = "output gate",
          .words = "How far the cell is opened.",
          .equation = "σ(o_t) = 1 / (1 + exp(−o_t))",
          .range = "0..1",
          .inputs = {"output_gate_pre"},
          .extent = Extent::unit,
          .role = Role::gate,
          .span = Span::share,
          .side = [](Place& p) -> Evaluated { return sigmoid_side(p, "output_gate_pre"); }};
}

ValueCard forget_share_card(const char* name) {
  return {.name = name,
          .symbol = "σ(f)",
          .title = "forget gate",
          .words = "The share of the cell that is kept from one token to the next.",
          .equation = "σ(f_t) = 1 / (1 + exp(−f_t))",
          .range = "0..1",
          .inputs = {"forget_gate_pre"},
          .extent = Extent::unit,
          .role = Role::gate,
          .span = Span::share,
          .side = [](Place& p) -> Evaluated { return sigmoid_side(p, "forget_gate_pre"); }};
}

ValueCard cell_card() {
  return {.name = "c",
          .symbol = "c",
          .title = "cell",
          .inputs = {"forget_gate", "c@-1", "input_gate", "cell_input"},
          .extent = Extent::unit,
          .role = Role::state,
          .side = [](Place& p) -> Evaluated {
            return mixed(p.now("forget_gate"), p.before("c"), p.now("input_gate"),
                         p.now("cell_input"));
          }};
}

ValueCard output_card() {
  return {.name = "h",
          .symbol = "h",
          .title = "output",
          .range = "−1..1",
          .extent = Extent::unit,
          .role = Role::state,
          .span = Span::signed_share};
}

ValueCard answer_card() {
  return {.name = "answer",
          .extent = Extent::unit,
          .role = Role::reading,
          .span = Span::signed_share,
          .recorded = false};
}

ValueRow squashed_row(char letter, const std::string& title, const std::string& value,
                      const std::string& pre, const std::string& shown, const char* words) {
  return {.letter = letter,
          .titles = {title + ": " + shown + " of all units, pre-activation " + pre + " and " +
                         shown + " of one",
                     title + ": pre-activation " + pre + ", " + shown,
                     title + ": " + pre + ", " + shown, title},
          .words = words,
          .lanes = {
              {Picture::strip, value}, {Picture::curve, value + "_pre"}, {Picture::curve, value}}};
}

ValueRow state_row(char letter, std::vector<std::string> titles, const std::string& value,
                   const char* words) {
  return {.letter = letter,
          .titles = std::move(titles),
          .words = words,
          .lanes = {{Picture::strip, value}, {Picture::curve, value}}};
}

}  // namespace xlab::scalar
