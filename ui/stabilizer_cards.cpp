// The cards of the stabilizer lab.
#include "ui/stabilizer_cards.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <utility>

#include "ui/number.hpp"
#include "ui/stabilizer_keys.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

void point_at(StabilizerFrame& frame, const char* value, int step, int unit) {
  const std::string path = frame.block.path(value);
  const ValueRef ref{path, step, frame.head(), unit};
  if (number_at(frame.snapshot().trace.get(), ref)) frame.hovered = ref;
}

/// The value whose number is nearest to where the mouse is.
const char* nearest_of(double pointed,
                       std::initializer_list<std::pair<const char*, double>> values) {
  const char* nearest = values.begin()->first;
  double least = INFINITY;
  for (const auto& [name, number] : values) {
    const double away = std::abs(number - pointed);
    if (!(away < least)) continue;
    least = away;
    nearest = name;
  }
  return nearest;
}

const ScaleStep* scale_at(const StabilizerFrame& frame, int step) {
  const auto& steps = frame.shown.scale();
  return step >= 0 && step < static_cast<int>(steps.size()) ? &steps[static_cast<std::size_t>(step)]
                                                            : nullptr;
}

std::string decayed_words(const StabilizerFrame& frame, const ScaleStep& step) {
  if (step.winner == ScaleWinner::first) return "nothing is stored yet that could decay";
  return fmt::format("{} + m₋₁ = {} + {} = {}", frame.log_keep(), short_number(step.log_keep),
                     short_number(step.decayed - step.log_keep), short_number(step.decayed));
}

}  // namespace

std::string winner_words(const StabilizerFrame& frame, const ScaleStep& step) {
  switch (step.winner) {
    case ScaleWinner::input:
      return "i is larger: what is written now sets the scale.";
    case ScaleWinner::decayed:
      return fmt::format("{} + m₋₁ is larger: the memory keeps its scale, decayed.",
                         frame.log_keep());
    case ScaleWinner::first:
      return "The first write: m is i itself.";
    case ScaleWinner::none:
      break;
  }
  return "Not recorded, or no number.";
}

std::string floor_words(const FloorUse& use) {
  const std::string floor = use.floor_one ? "1" : "exp(−m)";
  const std::string N = short_number(use.normalizer), s = short_number(use.overlap);
  if (use.always)
    return fmt::format("This cell is never divided by |q·n|: N is its floor {} = {}.", floor, N);
  if (!use.uses) return fmt::format("|q·n| = {} decides, it is above the floor {}.", s, floor);
  return fmt::format(
      "The floor {} = {} decides, |q·n| = {} is below it: the answer is {} of the weighted mean.",
      floor, N, s, percent(use.share()));
}

std::string error_words(double h, double exact) {
  const double off = relative_error(h, exact);
  if (std::isnan(off)) return "there is no exact answer";
  if (std::isinf(off) && !std::isfinite(h)) return "no number";
  return off == 0.0 ? "exact" : fmt::format("off by {}", percent(off));
}

void describe_scale(StabilizerFrame& frame, int step, double pointed) {
  const ScaleStep* now = scale_at(frame, step);
  if (!now) return;
  frame.card.add(fmt::format("m = {}", short_number(now->m)), true);
  if (std::isfinite(now->m)) frame.card.add("scale " + log_number(now->m));
  frame.card.add(fmt::format("i = {}", short_number(now->input)));
  frame.card.add(decayed_words(frame, *now));
  frame.card.add(winner_words(frame, *now));
  if (!frame.block.variant.stabilised())
    frame.card.add("Switched off in the model: this is what it would be.");
  frame.card.add(frame.where(step));
  const bool first = now->winner == ScaleWinner::first;
  point_at(frame,
           nearest_of(pointed, {{"m", now->m},
                                {"input_gate_pre", now->input},
                                {"forget_gate_pre", first ? INFINITY : now->decayed}}),
           step, frame.scale_unit());
}

void describe_exponents(StabilizerFrame& frame, int step, double pointed) {
  const ScaleStep* now = scale_at(frame, step);
  if (!now) return;
  const double input = now->input_exponent(), decayed = now->decayed_exponent();
  frame.card.add(fmt::format("i − m = {}", short_number(input)), true);
  frame.card.add(fmt::format("input gate exp(i − m) = {}", short_number(std::exp(input))));
  if (now->winner != ScaleWinner::first) {
    frame.card.add(fmt::format("{} + m₋₁ − m = {}", frame.log_keep(), short_number(decayed)), true);
    frame.card.add(fmt::format("forget gate, stabilised: {}", short_number(std::exp(decayed))));
  }
  frame.card.add(frame.where(step));
  const bool first = now->winner == ScaleWinner::first;
  point_at(
      frame,
      nearest_of(pointed, {{"input_gate", input}, {"forget_gate", first ? INFINITY : decayed}}),
      step, frame.scale_unit());
}

void describe_winner(StabilizerFrame& frame, int step) {
  const ScaleStep* now = scale_at(frame, step);
  if (!now) return;
  frame.card.add(winner_words(frame, *now), true);
  frame.card.add(fmt::format("i = {}", short_number(now->input)));
  frame.card.add(decayed_words(frame, *now));
  frame.card.add(frame.where(step));
  point_at(frame, "m", step, frame.scale_unit());
}

void describe_answers(StabilizerFrame& frame, int step) {
  const StabilizerShown& shown = frame.shown;
  if (step >= shown.length()) return;
  const auto t = static_cast<std::size_t>(step);
  const double exact = shown.exact().steps[t].h;
  const char* const format = xlab::name_of(frame.choice.format);
  const auto line = [&](const char* which, double h) {
    return fmt::format("{} in {}: {} ({})", which, format,
                       std::isfinite(h) ? short_number(h) : not_a_number(h), error_words(h, exact));
  };
  frame.card.add(line("with m", shown.stabilised().steps[t].h), true);
  frame.card.add(line("without m", shown.plain().steps[t].h), true);
  frame.card.add(fmt::format("in fp64, exact to 15 digits: {}", short_number(exact)));
  const Agreement agreement = shown.agreement(step);
  if (agreement == Agreement::wrong)
    frame.card.add("Quietly wrong: nothing tells that this number is not the answer.");
  if (agreement == Agreement::format)
    frame.card.add("The stabilizer does not help here: the format has no more digits.");
  if (const auto& bad = shown.plain().bad; bad && bad->step <= step) {
    frame.card.add(fmt::format("It began at t = {}: {} was {}.", bad->step,
                               xlab::name_of(bad->what, frame.block, false),
                               not_a_number(bad->value)));
  }
  frame.card.add(frame.where(step));
  point_at(frame, "h", step, shown.place().unit);
}

void describe_floor(StabilizerFrame& frame, int step) {
  const auto& floors = frame.shown.floors();
  if (step >= static_cast<int>(floors.size())) return;
  const auto& use = floors[static_cast<std::size_t>(step)];
  frame.card.add(use ? floor_words(*use) : std::string("N is not recorded, or no number."), true);
  if (use && use->uses && !use->always) frame.card.add("It points the right way and is too short.");
  frame.card.add(frame.where(step));
  point_at(frame, "normalizer", step, 0);
}

}  // namespace xlab::ui
