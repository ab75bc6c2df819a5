// The choices of a cell in a sentence.
#include "core/equations/variant_words.hpp"

#include <fmt/format.h>

#include <array>

#include "core/short_number.hpp"

namespace xlab {
namespace {

/// One choice as people say it; empty where there is nothing to say.
std::string choice_words(Choice choice, const CellVariant& v) {
  switch (choice) {
    case Choice::input_gate:
      return v.input_gate == InputGate::sigmoid ? "input gate σ(i)" : "input gate exp(i)";
    case Choice::forget_gate:
      return v.forget_gate == ForgetGate::exponential ? "forget gate exp(f)" : "forget gate σ(f)";
    case Choice::stabilizer:
      return v.stabilizer ? "stabilizer on" : "no stabilizer";
    case Choice::normalizer:
      return v.normalizer ? "divided by N" : "not divided by N";
    case Choice::denominator_floor: {
      const bool one = !v.stabilised() || v.denominator_floor == DenominatorFloor::one;
      return one ? "floor 1" : "floor exp(−m)";
    }
    case Choice::scale:
      return v.scale == Scaled::queries ? "queries scaled by 1/√K" : "keys scaled by 1/√K";
    case Choice::eps:
      return "ε = " + typeset_number(fmt::format("{:g}", v.eps));
    case Choice::gate_soft_cap:
      return v.gate_soft_cap > 0.0 ? "gates capped at " + short_number(v.gate_soft_cap) : "no cap";
    case Choice::number_format:
      return v.number_format == NumberFormat::native
                 ? std::string("numbers as the model has them")
                 : std::string("rounded to ") + name_of(v.number_format);
  }
  return {};
}

/// What goes without saying where it is as usual.
bool is_silent(Choice choice, const CellVariant& v) {
  return (choice == Choice::gate_soft_cap && v.gate_soft_cap <= 0.0) ||
         (choice == Choice::number_format && v.number_format == NumberFormat::native);
}

void append(std::string& list, const std::string& words) {
  if (!list.empty()) list += ", ";
  list += words;
}

}  // namespace

std::string variant_words(const BlockCard& block) {
  static constexpr std::array kOrder{
      Choice::input_gate, Choice::forget_gate,       Choice::stabilizer,
      Choice::normalizer, Choice::denominator_floor, Choice::scale,
      Choice::eps,        Choice::gate_soft_cap,     Choice::number_format};
  std::string usual, changed;
  for (const Choice choice : kOrder) {
    if (!block.values->has(choice) || block.values->is_idle(choice)) continue;
    const std::string words = choice_words(choice, block.variant);
    if (words != choice_words(choice, block.usual)) {
      append(changed, words);
    } else if (!is_silent(choice, block.variant)) {
      append(usual, words);
    }
  }
  std::string text = block.title;
  if (changed.empty()) {
    text += " as in the official program";
    return usual.empty() ? text : text + ": " + usual;
  }
  text += ", other than in the official program: " + changed;
  return usual.empty() ? text : text + "; as there: " + usual;
}

}  // namespace xlab
