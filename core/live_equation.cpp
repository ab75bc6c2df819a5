// Evaluates the right-hand sides that cells give for their values.
#include "core/live_equation.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

#include "core/cells/right_side.hpp"
#include "core/equations/formula.hpp"
#include "core/short_number.hpp"

namespace xlab {
namespace {

/// "f'" at step 7 as "f'_7", "σ(f)" as "σ(f_7)", "c / n" as "c_7 / n_7".
Formula with_step(Formula symbol, int step) {
  if (symbol.sign == Sign::symbol) symbol.index = std::to_string(step);
  for (Formula& part : symbol.parts) part = with_step(std::move(part), step);
  return symbol;
}
std::string symbol_at(const std::string& symbol, int step) {
  return plain_text(with_step(formula_of(symbol), step));
}

/// The left-hand side: of a matrix with the indices of its cell, by its name where its symbol is a
/// product.
std::string left_side(const ValueCard& card, Place& place) {
  const auto cell = card.extent == Extent::key_by_value ? matrix_cell(place) : std::nullopt;
  if (!cell) return symbol_at(card.symbol, place.step());
  const bool product = card.symbol.find(' ') != std::string::npos;
  return fmt::format("{}_{}[{}, {}]", product ? card.name : card.symbol, place.step(), cell->first,
                     cell->second);
}

}  // namespace

LiveEquation live_equation(const Trace& trace, const BlockCard& block, const std::string& path,
                           int step, int head, int unit) {
  LiveEquation live;
  const ValueCard* card = block.value_at(path);
  if (!card) return live;
  Place place(trace, block, step, head, unit);
  if (card->recorded) live.value = place.now(card->name);
  const bool has_value = place.complete();
  const std::optional<Side> side = card->side ? card->side(place) : std::nullopt;
  const std::string left = left_side(*card, place);
  if (side && place.complete()) {
    live.evaluated = side->value;
    live.complete = true;
    live.right = side->text;
    // What is not recorded token by token is what its equation says.
    if (!card->recorded) live.value = side->value;
    live.text = fmt::format("{} = {} = {}", left, side->text, short_number(side->value));
  } else if (has_value && card->recorded) {
    live.evaluated = live.value;
    live.text = fmt::format("{} = {}", left, short_number(live.value));
  }
  return live;
}

std::vector<float> numbers_at(const Trace& trace, const BlockCard& block, const ValueCard& value,
                              int step, int head) {
  std::vector<float> numbers;
  for (int unit = 0; unit < static_cast<int>(block.numbers(value.extent)); ++unit) {
    Place place(trace, block, step, head, unit);
    double number = std::numeric_limits<double>::quiet_NaN();
    if (value.recorded) {
      number = place.now(value.name);
    } else if (const auto side = value.side ? value.side(place) : std::nullopt) {
      if (place.complete()) number = side->value;
    }
    numbers.push_back(static_cast<float>(number));
  }
  return numbers;
}

}  // namespace xlab
