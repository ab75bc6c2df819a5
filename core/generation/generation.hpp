// What a run writes: which tokens may be drawn, which one is drawn, and where the text ends.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "core/spec.hpp"
#include "core/tasks/task.hpp"

namespace xlab {

/// The tokens of a model, as far as its text is concerned.
struct WritableTokens {
  /// Whether each token stands for something to write; empty: all of them do. A model may know more
  /// tokens than its data or its tokenizer.
  std::vector<bool> writable;
  std::vector<int> ends;  ///< the tokens that end a text; empty: texts go on

  bool all() const { return writable.empty(); }
  bool ends_text(int token) const;
};

/// A text ends at the tokenizer's own end, and at those that the model's specification names as
/// long as the tokenizer writes nothing for them: published specifications name ordinary tokens.
WritableTokens writable_tokens(const Task& task, const ModelSpec& model);

/// What the next token is drawn from: `sampling_distribution` of the tokens that can be written, 0
/// for the others. As long as `logits`.
std::vector<float> drawing_distribution(std::span<const float> logits, const WritableTokens& tokens,
                                        const SamplerSettings& settings);

struct DrawnToken {
  int token = 0;
  bool ends = false;  ///< the text ends there: written only with `SamplerSettings::past_end`
};
/// Draws token number `position` of a sequence: a function of the logits, the settings and the
/// position alone. Throws a sentence when the logits are no numbers.
DrawnToken next_token(std::span<const float> logits, const WritableTokens& tokens,
                      const SamplerSettings& settings, std::uint64_t position);
/// Says that a text ended, and with which token: `end` as the vocabulary shows it.
std::string end_of_text(const std::string& end);

}  // namespace xlab
