// The patterns by which tokenizers cut text into words, and what becomes of a match.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace xlab {

/// How much patterns may still do in one text: bad ones would take its square. It grows with the
/// text, far beyond what patterns of real tokenizers need.
class PatternSteps {
 public:
  explicit PatternSteps(std::size_t text_bytes);
  std::size_t left() const { return left_; }
  /// Whether there were that many, which are gone now.
  bool take(std::size_t steps);

 private:
  std::size_t left_;
};

/// A compiled pattern. Immutable, so any thread may use it.
class Pattern {
 public:
  /// A regular expression as tokenizer.json files hold it, in the syntax of Oniguruma. What means
  /// something else here than there, or would let a file run wild, is refused with a sentence.
  static Pattern regex(const std::string& expression);
  /// A text that is looked for as it is. It must not be empty, nor longer than 16 KiB.
  static Pattern literal(std::string text);

  /// Calls `found(begin, end)` for every match from left to right, without overlaps; a match may be
  /// empty. `text` must be UTF-8. Throws `Error` when `steps` do not suffice.
  void each_match(std::string_view text, PatternSteps& steps,
                  const std::function<void(std::size_t, std::size_t)>& found) const;

 private:
  struct Compiled;
  Pattern() = default;
  std::string literal_;
  std::shared_ptr<const Compiled> compiled_;  ///< null for a literal
};

/// What becomes of a match when a text is cut by a pattern.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// A rule that cuts text into pieces.
struct SplitRule {
  Pattern pattern;
  SplitBehavior behavior = SplitBehavior::isolated;
  bool invert = false;  ///< what lies between the matches counts as a match

  /// Calls `piece` for every piece that is not empty, from left to right.
  void each_piece(std::string_view text, PatternSteps& steps,
                  const std::function<void(std::string_view)>& piece) const;
};

/// Whether a text ends in, or begins with, a character of a word: a letter, mark, digit or
/// connector.
bool ends_with_word(std::string_view text);
bool starts_with_word(std::string_view text);
/// Where the white space at the end of a text begins, and how long that at its beginning is.
std::size_t trailing_space(std::string_view text);
std::size_t leading_space(std::string_view text);

}  // namespace xlab
