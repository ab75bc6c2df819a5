// The softmax that turns logits into probabilities, with the numbers of one token.
#include "ui/next_token.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <numeric>

#include "core/short_number.hpp"
#include "ui/follower_marks.hpp"
#include "ui/values.hpp"

namespace xlab::ui {

float value_of(const std::vector<float>& values, int token) {
  const auto i = static_cast<std::size_t>(token);
  return i < values.size() ? values[i] : 0.0f;
}

double log_sum(const std::vector<float>& logits) {
  double most = -std::numeric_limits<double>::infinity(), sum = 0.0;
  for (const float logit : logits) most = std::max(most, static_cast<double>(logit));
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - most);
  return most + std::log(sum);
}

std::vector<int> most_probable(const std::vector<float>& probabilities, int count) {
  std::vector<int> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  const auto weight = [&](int token) {
    const float p = probabilities[static_cast<std::size_t>(token)];
    return std::isfinite(p) ? p : 2.0f;
  };
  const auto end = order.begin() + std::clamp<std::ptrdiff_t>(count, 0, std::ssize(order));
  std::partial_sort(order.begin(), end, order.end(), [&](int a, int b) {
    return weight(a) != weight(b) ? weight(a) > weight(b) : a < b;
  });
  order.erase(end, order.end());
  return order;
}

int expected_next(const SequenceStatus& sequence) {
  const auto next = static_cast<std::size_t>(sequence.cursor) + 1;
  return sequence.cursor >= 0 && next < sequence.expected.size() ? sequence.expected[next] : -1;
}

std::optional<float> next_probability(const Snapshot& snapshot, const ValueRef& ref) {
  if (ref.path != kNextProbability || !snapshot.next || ref.step != snapshot.sequence.cursor ||
      ref.unit < 0 || ref.unit >= static_cast<int>(snapshot.next->probabilities.size())) {
    return std::nullopt;
  }
  return value_of(snapshot.next->probabilities, ref.unit);
}

std::optional<NextCard> next_card(const Snapshot& snapshot, const ValueRef& ref) {
  const std::optional<float> recorded = next_probability(snapshot, ref);
  if (!recorded) return std::nullopt;
  const NextToken& next = *snapshot.next;
  const SequenceStatus& sequence = snapshot.sequence;
  const double p = static_cast<double>(*recorded);
  const double logit = static_cast<double>(value_of(next.logits, ref.unit));
  const double all = log_sum(next.logits), evaluated = std::exp(logit - all);
  const std::string label = token_label(snapshot.model.get(), ref.unit);

  NextCard card;
  card.symbol = "p";
  card.title = "probability of the next token";
  card.place = fmt::format("next token {} (number {})", label, ref.unit);
  if (ref.step >= 0 && ref.step < static_cast<int>(sequence.tokens.size())) {
    card.place += fmt::format(
        ", after t = {}, token {}", ref.step,
        token_label(snapshot.model.get(), sequence.tokens[static_cast<std::size_t>(ref.step)]));
  }
  card.words =
      "How likely the model finds this token after those before it. Softmax: the exponential of "
      "the token's logit, divided by the sum of the exponentials of all logits, so that all "
      "probabilities together are 1.";
  card.equation = "p = exp(z) / Σ exp(z') = exp(z − ln Σ exp(z'))";
  const std::string sum = all < 0.0 ? "(" + short_number(all) + ")" : short_number(all);
  // The difference by itself: of three digits each, both are often the same.
  card.with_numbers = fmt::format("p = exp({} − {}) = exp({}) = {}", short_number(logit), sum,
                                  short_number(logit - all), short_number(evaluated));
  const auto add = [&](const std::string& name, const std::string& text, bool wrong = false) {
    card.rows.push_back({name, text, wrong});
  };
  add("recorded", short_number(p));
  const bool agrees = std::abs(evaluated - p) <= 1e-4;
  if (std::isfinite(evaluated)) {
    add("evaluated",
        short_number(evaluated) + (agrees ? " ✓ agrees" : " ✗ differs from the recorded one"),
        !agrees);
  }
  add("logit z", short_number(logit));
  add("ln Σ exp(z')", short_number(all));
  const auto before = std::count_if(next.probabilities.begin(), next.probabilities.end(),
                                    [&](float other) { return other > *recorded; });
  add("rank", fmt::format("{} of {}", before + 1, next.probabilities.size()));
  if (p > 0.0) add("surprise, −ln p", short_number(0.0 - std::log(p)) + " nats");
  if (!next.sampling.empty())
    add("drawn with", short_number(static_cast<double>(value_of(next.sampling, ref.unit))));
  if (!next.unclamped.empty())
    add("without clamps", short_number(static_cast<double>(value_of(next.unclamped, ref.unit))));
  for (const Follower& follower : followers_of(snapshot)) {
    if (!follower.probabilities) continue;
    add(follower.name,
        short_number(static_cast<double>(value_of(*follower.probabilities, ref.unit))));
  }
  if (const int expected = expected_next(sequence); expected >= 0)
    add("right answer", expected == ref.unit
                            ? "this token"
                            : "another one: " + token_label(snapshot.model.get(), expected));
  add("range, unit", "0..1");
  return card;
}

}  // namespace xlab::ui
