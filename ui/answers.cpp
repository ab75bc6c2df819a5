// What a sequence asks the model for at each place, and how well it did.
#include "ui/answers.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace xlab::ui {
namespace {

template <typename T>
T number_of(const std::vector<T>& values, int t, T none) {
  const auto i = static_cast<std::size_t>(t);
  return i < values.size() ? values[i] : none;
}

}  // namespace

int expected_at(const SequenceStatus& sequence, int t) {
  return number_of(sequence.expected, t, -1);
}

int choice_at(const SequenceStatus& sequence, int t) {
  return number_of(sequence.top_choice, t, -1);
}

bool asked(const SequenceStatus& sequence, int t) {
  return sequence.expected.empty() ? t > 0 : expected_at(sequence, t) >= 0;
}

float surprise_at(const SequenceStatus& sequence, int t) {
  return number_of(sequence.surprise, t, 0.0f);
}

float asked_for(const SequenceStatus& sequence, int t) {
  return number_of(sequence.expected.empty() ? sequence.surprise : sequence.answer_surprise, t,
                   0.0f);
}

Verdict verdict(const SequenceStatus& sequence, int t) {
  const int expected = expected_at(sequence, t), choice = choice_at(sequence, t);
  if (expected < 0) return Verdict::not_asked;
  if (!std::isfinite(asked_for(sequence, t))) return Verdict::no_number;
  if (choice < 0) return Verdict::unknown;
  return choice == expected ? Verdict::right : Verdict::wrong;
}

const char* verdict_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::right:
      return "yes";
    case Verdict::wrong:
      return "no";
    case Verdict::no_number:
      return "no number";
    default:
      return "";
  }
}

bool computed(const Snapshot& now, int t) {
  return now.trace && t < now.trace->length();
}

bool known(const Snapshot& now, int t) {
  return now.sequence.expected.empty() ? computed(now, t)
                                       : verdict(now.sequence, t) != Verdict::unknown;
}

bool scored(const Snapshot& now, int t) {
  return asked(now.sequence, t) && known(now, t);
}

float shaded_at(const Snapshot& now, int t) {
  return scored(now, t) ? asked_for(now.sequence, t) : 0.0f;
}

}  // namespace xlab::ui
