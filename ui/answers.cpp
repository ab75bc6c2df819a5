// What a sequence asks the model for at each place, and how well it did.
#include "ui/answers.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace xlab::ui {
namespace {

template <typename T>
T told_at(const std::vector<T>& values, int t, T none) {
  const auto i = static_cast<std::size_t>(t);
  return i < values.size() ? values[i] : none;
}

}  // namespace

int expected_at(const SequenceStatus& sequence, int t) {
  return told_at(sequence.expected, t, -1);
}

int choice_at(const SequenceStatus& sequence, int t) {
  return told_at(sequence.top_choice, t, -1);
}

bool asked(const SequenceStatus& sequence, int t) {
  return sequence.expected.empty() ? t > 0 : expected_at(sequence, t) >= 0;
}

float surprise_at(const SequenceStatus& sequence, int t) {
  return told_at(sequence.surprise, t, 0.0f);
}

float asked_for(const SequenceStatus& sequence, int t) {
  return told_at(sequence.expected.empty() ? sequence.surprise : sequence.answer_surprise, t, 0.0f);
}

AnswerVerdict verdict(const SequenceStatus& sequence, int t) {
  const int expected = expected_at(sequence, t), choice = choice_at(sequence, t);
  if (expected < 0) return AnswerVerdict::not_asked;
  if (!std::isfinite(asked_for(sequence, t))) return AnswerVerdict::no_number;
  if (choice < 0) return AnswerVerdict::unknown;
  return choice == expected ? AnswerVerdict::right : AnswerVerdict::wrong;
}

const char* verdict_word(AnswerVerdict verdict) {
  switch (verdict) {
    case AnswerVerdict::right:
      return "yes";
    case AnswerVerdict::wrong:
      return "no";
    case AnswerVerdict::no_number:
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
                                       : verdict(now.sequence, t) != AnswerVerdict::unknown;
}

bool scored(const Snapshot& now, int t) {
  return asked(now.sequence, t) && known(now, t);
}

float shaded_at(const Snapshot& now, int t) {
  return scored(now, t) ? asked_for(now.sequence, t) : 0.0f;
}

}  // namespace xlab::ui
