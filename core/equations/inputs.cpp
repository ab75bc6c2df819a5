// Looks the inputs of an equation up where they are recorded.
#include "core/equations/inputs.hpp"

#include <algorithm>
#include <cstddef>

#include "core/cells/right_side.hpp"

namespace xlab {
namespace {

constexpr std::string_view kBefore = "@-1";

bool is_cell_of_matrix(const ValueCard& card) {
  return card.extent == Extent::key_by_value;
}

/// The numbers of a matrix: one cell for a cell of a matrix, else the column of a value.
void read_matrix(const Trace& trace, const BlockCard& block, const ValueCard& of, Columns columns,
                 EquationInput& input) {
  input.replayed = true;
  const int values = std::max(block.value_dim, 1);
  input.whole = !is_cell_of_matrix(of);
  if (input.place.step < 0) {
    input.numbers = {0.0};
    return;
  }
  if (input.whole && columns == Columns::left_out) return;
  const int value = input.place.unit % values;
  Place place(trace, block, input.place.step, input.place.head, input.place.unit);
  const std::vector<double> column = memory_column(place, input.place.step, value);
  if (!place.complete()) return;
  if (input.whole) {
    input.numbers = column;
    return;
  }
  const auto key = static_cast<std::size_t>(input.place.unit / values);
  if (key < column.size()) input.numbers = {column[key]};
}

void read_recorded(const Trace& trace, const BlockCard& block, const ValueCard& of,
                   const ValueCard& card, EquationInput& input) {
  const int values = std::max(block.value_dim, 1);
  if (is_cell_of_matrix(of) && card.extent == Extent::key) input.place.unit /= values;
  if (is_cell_of_matrix(of) && card.extent == Extent::value) input.place.unit %= values;
  // What has no keys itself sums over all of them.
  input.whole = card.extent == Extent::key && of.extent != Extent::key && !is_cell_of_matrix(of);
  if (card.extent == Extent::head || input.whole) input.place.unit = 0;
  if (input.place.step < 0) {
    input.numbers = {0.0};
    return;
  }
  Place place(trace, block, input.place.step, input.place.head, input.place.unit);
  int size = 0;
  const float* numbers = place.head_values(input.name, input.place.step, &size);
  if (!numbers || input.place.unit < 0) return;
  const int first = size == 1 ? 0 : input.place.unit, count = input.whole ? size : 1;
  if (first + count <= size) input.numbers.assign(numbers + first, numbers + first + count);
}

}  // namespace

std::vector<EquationInput> inputs_of(const Trace& trace, const BlockCard& block,
                                     const ValuePlace& place, Columns columns) {
  std::vector<EquationInput> inputs;
  const ValueCard* of = block.value_at(place.path);
  if (!of) return inputs;
  for (std::string name : of->inputs) {
    EquationInput input;
    input.before = name.ends_with(kBefore);
    if (input.before) name.resize(name.size() - kBefore.size());
    input.name = name;
    input.place = {block.path(name), place.step - (input.before ? 1 : 0), place.head, place.unit};
    input.symbol = name;
    if (const ValueCard* card = block.values->find(name)) {
      input.symbol = card->symbol;
      input.title = card->title;
      if (is_cell_of_matrix(*card)) {
        read_matrix(trace, block, *of, columns, input);
      } else {
        read_recorded(trace, block, *of, *card, input);
      }
    }
    if (input.before) input.title += ", one step before";
    inputs.push_back(std::move(input));
  }
  return inputs;
}

}  // namespace xlab
