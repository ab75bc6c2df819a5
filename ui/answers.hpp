// What a sequence asks the model for at each place, and how well it did.
#pragma once

#include "core/snapshot.hpp"

namespace xlab::ui {

/// What the model's own top choice says about a place where an answer is asked for.
enum class AnswerVerdict {
  not_asked,
  right,
  wrong,
  no_number,  ///< the model gave no numbers there
  unknown,    ///< not computed yet
};

/// The token that is asked for at a place, and the model's own top choice there; -1 for none.
int expected_at(const SequenceStatus& sequence, int t);
int choice_at(const SequenceStatus& sequence, int t);

/// Whether the model was asked to guess this token. In a task only answers are: what it was never
/// trained to guess says nothing about its memory.
bool asked(const SequenceStatus& sequence, int t);

/// −log p of the token that stands here, in nats.
float surprise_at(const SequenceStatus& sequence, int t);
/// The surprise of what is asked for: in a task of the right answer, whatever token stands there,
/// in a text of the token itself.
float asked_for(const SequenceStatus& sequence, int t);

AnswerVerdict verdict(const SequenceStatus& sequence, int t);
/// "yes", "no", "no number"; empty where there is nothing to say.
const char* verdict_word(AnswerVerdict verdict);

/// Whether the model has read this token, so that its own surprise is known.
bool computed(const Snapshot& now, int t);
/// Whether the number for what is asked for here is there.
bool known(const Snapshot& now, int t);
/// Whether there is a surprise to show.
bool scored(const Snapshot& now, int t);
/// What is shaded: the surprise where a guess was asked for, else 0.
float shaded_at(const Snapshot& now, int t);

}  // namespace xlab::ui
