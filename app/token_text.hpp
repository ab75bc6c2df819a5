// Tokens as text that can be read and copied: their bytes joined, since a character may need
// several tokens, and what is no character written as \x01; and the way back.
#pragma once

#include <QString>
#include <memory>
#include <string>

#include "core/snapshot.hpp"

namespace xlab::app {

/// Turns tokens into text one after the other, so that text that is known already need not be made
/// again when tokens are added.
class TokenText {
 public:
  /// `as_text`: tokens are pieces of a text; else words with blanks between them. `begins`: nothing
  /// was written before.
  explicit TokenText(std::shared_ptr<const ModelCard> model = nullptr, bool as_text = false,
                     bool begins = true);

  /// What a token adds. Bytes that may still become a character with the next token are kept back.
  QString add(int token);
  /// The bytes that were kept back, as they are if no more tokens come. They stay kept back.
  QString rest() const;
  /// Whether nothing is kept back: text up to here never changes again.
  bool complete() const { return kept_.empty(); }

 private:
  std::shared_ptr<const ModelCard> model_;
  bool as_text_;
  bool begins_;
  std::string kept_;
};

/// The first `count` tokens as they can be typed as a prompt: `typed_prompt` of it are their bytes
/// again.
QString text_of_tokens(const Snapshot& snapshot, std::size_t count);
/// What was typed for this model: in a text \x0d stands for the byte, else every letter for itself.
std::string typed_prompt(const Snapshot& snapshot, const QString& text);

}  // namespace xlab::app
