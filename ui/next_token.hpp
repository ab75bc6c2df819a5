// The next token's probabilities as values that can be pointed at and explained.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/focus.hpp"

namespace xlab::ui {

/// The path of a probability after the time cursor: `step` is the cursor's, `unit` the token.
inline constexpr const char* kNextProbability = "next/probability";

/// The number of a token in a list with one for each token; 0 where the list is shorter.
float value_of(const std::vector<float>& values, int token);
/// ln Σ exp(logits).
double log_sum(const std::vector<float>& logits);
/// The right answer for the place after the cursor, or -1.
int expected_next(const SequenceStatus& sequence);
/// The probability at a place, where it is one of the snapshot's own: after its cursor, of a token
/// that it has.
std::optional<float> next_probability(const Snapshot& snapshot, const ValueRef& ref);

/// What one such probability means, and how it comes about. All numbers are of the snapshot.
struct NextCard {
  struct Row {
    std::string label, text;
    bool wrong = false;
  };
  std::string symbol, title, place, words, equation, with_numbers;
  std::vector<Row> rows;
};
/// Nothing where there is no such probability.
std::optional<NextCard> next_card(const Snapshot& snapshot, const ValueRef& ref);

/// The most probable tokens, best first. What is no number comes first: it has to be seen.
std::vector<int> most_probable(const std::vector<float>& probabilities, int count);

}  // namespace xlab::ui
