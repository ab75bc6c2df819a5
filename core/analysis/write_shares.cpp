// What a memory is made of: how much of it each past token wrote.
#include "core/analysis/write_shares.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace xlab {
namespace {

constexpr double kNotRecorded = std::numeric_limits<double>::quiet_NaN();

const Recorded* at(RecordedSteps recorded, int step) {
  const bool there = step >= 0 && step < static_cast<int>(recorded.size());
  return there ? recorded[static_cast<std::size_t>(step)] : nullptr;
}

/// The numbers of one head, empty where they are not recorded.
std::span<const float> head_of(const Recorded* recorded, int head) {
  if (!recorded || head < 0 || head >= recorded->heads || recorded->dim < 1) return {};
  const auto size = static_cast<std::size_t>(recorded->dim);
  if (recorded->values.size() < size * static_cast<std::size_t>(recorded->heads)) return {};
  return std::span(recorded->values).subspan(static_cast<std::size_t>(head) * size, size);
}

double recorded_number(RecordedSteps recorded, int step, int head, int unit) {
  const std::span<const float> values = head_of(at(recorded, step), head);
  const int place = values.size() == 1 ? 0 : unit;
  if (place < 0 || place >= static_cast<int>(values.size())) return kNotRecorded;
  return static_cast<double>(values[static_cast<std::size_t>(place)]);
}

double product_of(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

bool before_itself(const std::vector<std::string>& inputs, std::size_t place,
                   const std::string& state) {
  return inputs.size() > place && inputs[place] == state + "@-1";
}

/// What the tokens of a budget weigh, and from which one on that is known.
WriteBudget weighed(const WriteRecordings& from, int step, int head, int unit) {
  WriteBudget budget;
  budget.step = step;
  budget.first = first_recorded(from.kept, from.weight, step);
  const auto steps = static_cast<std::size_t>(step) + 1;
  budget.weights =
      write_weights(numbers_of(from.kept.first(steps), head, unit),
                    numbers_of(from.weight.first(steps), head, unit), budget.first, step);
  for (const double w : budget.weights) budget.weight_sum += w;
  return budget;
}

bool has_step(const WriteRecordings& from, int step) {
  return at(from.kept, step) && at(from.weight, step) && at(from.value, step);
}

double distance(double a, double b) {
  return a == b ? 0.0 : std::abs(a - b);  // two infinities are no distance apart
}

}  // namespace

std::optional<WritingCell> writing_cell(const BlockCard& block) {
  const CellValues& values = *block.values;
  const ValueCard* state = values.find(values.memory.state);
  if (!state || !before_itself(state->inputs, 1, state->name)) return std::nullopt;
  const std::vector<std::string>& made = state->inputs;  // f', itself one step before, i', writes
  if (made.size() != (block.has_matrix ? 5u : 4u)) return std::nullopt;
  const ValueCard* kept = values.find(made[0]);
  const ValueCard* weight = values.find(made[2]);
  if (!kept || !weight || kept->role != Role::gate || weight->role != Role::gate)
    return std::nullopt;
  WritingCell cell{.kept = made[0],
                   .weight = made[2],
                   .value = made.back(),
                   .state = state->name,
                   .divisor = {},
                   .key = {},
                   .query = {},
                   .answer = {}};
  if (!block.has_matrix) {
    const ValueCard* answer = values.find(values.memory.answer);
    if (!answer || answer->inputs.size() < 2 || answer->inputs[0] != state->name) return cell;
    // It is divided by the sum of the same weights, or this is no share.
    const ValueCard* n = values.find(answer->inputs[1]);
    const bool sum = n && n->inputs.size() == 3 && n->inputs[0] == cell.kept &&
                     before_itself(n->inputs, 1, n->name) && n->inputs[2] == cell.weight;
    if (!sum) return std::nullopt;
    cell.divisor = n->name;
    return cell;
  }
  cell.key = made[3];
  for (const ValueCard& card : values.cards) {
    if (card.inputs.size() != 3 || card.inputs[0] != state->name || !card.recorded) continue;
    cell.query = card.inputs[1];
    cell.divisor = card.inputs[2];
    cell.answer = card.name;
    return cell;
  }
  return std::nullopt;
}

std::vector<double> numbers_of(RecordedSteps recorded, int head, int unit) {
  std::vector<double> numbers(recorded.size());
  for (std::size_t t = 0; t < recorded.size(); ++t)
    numbers[t] = recorded_number(recorded, static_cast<int>(t), head, unit);
  return numbers;
}

int first_recorded(RecordedSteps kept, RecordedSteps weight, int step) {
  int first = step;
  while (first > 0 && at(kept, first - 1) && at(weight, first - 1)) --first;
  return first;
}

std::vector<double> write_weights(std::span<const double> kept, std::span<const double> weight,
                                  int first, int step) {
  std::vector<double> weights(static_cast<std::size_t>(step - first + 1));
  double product = 1.0;  // f' of all steps after the token
  for (int s = step; s >= first; --s) {
    weights[static_cast<std::size_t>(s - first)] = weight[static_cast<std::size_t>(s)] * product;
    product *= kept[static_cast<std::size_t>(s)];
  }
  return weights;
}

std::vector<double> weight_sums(std::span<const double> kept, std::span<const double> weight,
                                int first) {
  std::vector<double> sums(weight.size(), 0.0);
  double sum = 0.0;
  for (auto t = static_cast<std::size_t>(std::max(first, 0)); t < weight.size(); ++t) {
    sum = static_cast<int>(t) == first ? weight[t] : kept[t] * sum + weight[t];
    sums[t] = sum;
  }
  return sums;
}

double WriteBudget::share(int token, const WritingCell& cell) const {
  if (token < first || token > last()) return kNotRecorded;
  return weights[static_cast<std::size_t>(token - first)] / (cell.shares() ? divisor : weight_sum);
}

double WriteBudget::share_sum(const WritingCell& cell) const {
  return weight_sum / (cell.shares() ? divisor : weight_sum);
}

std::optional<WriteBudget> unit_budget(const WritingCell& cell, const WriteRecordings& from,
                                       int step, int head, int unit) {
  const bool whole = has_step(from, step) && at(from.state, step) &&
                     (cell.divisor.empty() || at(from.divisor, step));
  if (!whole) return std::nullopt;
  WriteBudget budget = weighed(from, step, head, unit);
  if (!cell.divisor.empty()) budget.divisor = recorded_number(from.divisor, step, head, unit);
  for (int s = budget.first; s <= step; ++s) {
    const double w = budget.weights[static_cast<std::size_t>(s - budget.first)];
    const double value = recorded_number(from.value, s, head, unit);
    budget.factors.push_back(w / budget.divisor);
    budget.values.push_back(value);
    budget.parts.push_back(budget.factors.back() * value);
    budget.total += budget.parts.back();
  }
  budget.recorded = recorded_number(from.state, step, head, unit) / budget.divisor;
  budget.difference = distance(budget.total, budget.recorded);
  return budget;
}

std::optional<WriteBudget> head_budget(const WritingCell& cell, const WriteRecordings& from,
                                       double eps, int step, int head, int channel) {
  const bool whole = cell.matrix() && has_step(from, step) && at(from.key, step) &&
                     at(from.query, step) && at(from.divisor, step) && at(from.answer, step);
  if (!whole) return std::nullopt;
  const std::span<const float> query = head_of(at(from.query, step), head);
  const std::span<const float> answer = head_of(at(from.answer, step), head);
  if (query.empty() || answer.empty() || channel >= static_cast<int>(answer.size()))
    return std::nullopt;
  WriteBudget budget = weighed(from, step, head, 0);
  budget.divisor = recorded_number(from.divisor, step, head, 0) + eps;
  std::vector<double> sums(answer.size(), 0.0);
  for (int s = budget.first; s <= step; ++s) {
    const std::span<const float> key = head_of(at(from.key, s), head);
    const std::span<const float> value = head_of(at(from.value, s), head);
    if (key.size() != query.size() || value.size() != answer.size()) return std::nullopt;
    const double factor = product_of(query, key) *
                          budget.weights[static_cast<std::size_t>(s - budget.first)] /
                          budget.divisor;
    for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += factor * static_cast<double>(value[c]);
    budget.factors.push_back(factor);
    budget.values.push_back(channel < 0
                                ? std::sqrt(product_of(value, value))
                                : static_cast<double>(value[static_cast<std::size_t>(channel)]));
    budget.parts.push_back(factor * budget.values.back());
  }
  double squares = 0.0;
  for (std::size_t c = 0; c < sums.size(); ++c) {
    const double apart = distance(sums[c], static_cast<double>(answer[c]));
    if (!(apart <= budget.difference)) budget.difference = apart;
    squares += sums[c] * sums[c];
  }
  const auto chosen = static_cast<std::size_t>(std::max(channel, 0));
  budget.total = channel < 0 ? std::sqrt(squares) : sums[chosen];
  budget.recorded =
      channel < 0 ? std::sqrt(product_of(answer, answer)) : static_cast<double>(answer[chosen]);
  return budget;
}

std::vector<int> tokens_along(std::span<const double> kept, std::span<const double> weight,
                              int first, int step, double sum, double whole, int places) {
  std::vector<int> covering(static_cast<std::size_t>(std::max(places, 0)), kNoToken);
  if (!std::isfinite(sum) || !std::isfinite(whole) || !(whole > 0.0)) {
    std::fill(covering.begin(), covering.end(), kNoNumber);
    return covering;
  }
  // From the newest down, so that the many old tokens below the lowest place are never asked for.
  double end = 1.0, product = 1.0;
  int place = places - 1;
  const auto middle = [&] { return (static_cast<double>(place) + 0.5) / places; };
  for (int s = step; s >= first && place >= 0; --s) {
    const double begin = end - weight[static_cast<std::size_t>(s)] * product / whole;
    while (place >= 0 && middle() > begin) covering[static_cast<std::size_t>(place--)] = s;
    end = begin;
    product *= kept[static_cast<std::size_t>(s)];
  }
  return covering;
}

TokenBand token_band(std::span<const double> kept, std::span<const double> weight,
                     std::span<const double> sums, std::span<const double> whole, int token,
                     int last) {
  TokenBand band;
  const auto own = static_cast<std::size_t>(token);
  // The weight of all tokens before it; nothing is kept of nothing, whatever the gate says.
  double before = token > 0 && sums[own - 1] != 0.0 ? sums[own - 1] * kept[own] : 0.0;
  double mine = weight[own];
  for (auto t = own; t <= static_cast<std::size_t>(last); ++t) {
    if (t > own) {
      before *= kept[t];
      mine *= kept[t];
    }
    band.begin.push_back(1.0 - (sums[t] - before) / whole[t]);
    band.end.push_back(band.begin.back() + mine / whole[t]);
  }
  return band;
}

}  // namespace xlab
