// What tokenizers share that cut a text into pieces first: added tokens, normal form, rules for
// cutting, what goes around a text, and the texts that tokens stand for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/tokenizer/added.hpp"
#include "core/tokenizer/normal.hpp"
#include "core/tokenizer/pattern.hpp"
#include "core/tokenizer/tokenizer.hpp"

namespace xlab {

/// What a tokenizer.json says, checked: every number lies in the vocabulary.
struct PiecesSpec {
  /// By number, as the file writes them; empty where there is none.
  std::vector<std::string> tokens;
  std::vector<AddedToken> added;
  std::vector<NormalForm> normal_forms;
  std::vector<SplitRule> splits;            ///< applied one after the other
  std::vector<int> frame_begin, frame_end;  ///< what goes around a text that is framed
  SpecialTokens special;
  std::string between;  ///< stands between the texts of two tokens
  std::string json;     ///< the file itself
};

/// What a token stands for where a vocabulary holds texts.
inline std::string the_token_itself(const std::string& token) {
  return token;
}

/// The texts of a file as that one writes them, and every piece as `encode_piece` does.
class PieceTokenizer : public Tokenizer {
 public:
  int vocab_size() const override { return static_cast<int>(bytes_.size()); }
  std::vector<std::int32_t> encode(std::string_view text, bool framed) const override;
  std::string_view bytes(int token) const override;
  bool is_special(int token) const override;
  std::string_view between() const override { return pieces_.between; }
  SpecialTokens special_tokens() const override { return pieces_.special; }
  std::string to_json() const override { return pieces_.json; }

 protected:
  using Remembered = std::unordered_map<std::string, std::vector<std::int32_t>>;
  using Numbers = std::vector<std::int32_t>;

  /// `text_of`: what a token of the vocabulary stands for, and what an added one does.
  PieceTokenizer(PiecesSpec spec, std::string (*text_of)(const std::string&));

  /// The tokens of a piece that no rule cuts any more; `out` has those before it.
  virtual void encode_piece(std::string_view piece, Numbers& out) const = 0;
  /// What is done with what the rules leave, before it is encoded piece by piece.
  virtual void last_cut(std::string_view text, PatternSteps& steps, Remembered& remembered,
                        Numbers& out) const;
  /// A piece that may have come before.
  void encode_one(std::string_view piece, Remembered& remembered, Numbers& out) const;
  const PiecesSpec& pieces() const { return pieces_; }
  /// "17 tokens", and up to which number where some have none.
  std::string count_of_tokens() const;

 private:
  std::string in_normal_form(std::string_view text) const;
  /// Cuts by the rules from `rule` on, then encodes each piece.
  void cut(std::string_view text, std::size_t rule, PatternSteps& steps, Remembered& remembered,
           Numbers& out) const;

  PiecesSpec pieces_;
  std::vector<std::string> bytes_;  ///< by token
  std::vector<bool> special_;
  std::unique_ptr<AddedTokenSearch> plain_added_, normal_added_;
};

}  // namespace xlab
