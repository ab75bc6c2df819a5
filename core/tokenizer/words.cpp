// Tokenizers that know whole words.
#include "core/tokenizer/words.hpp"

#include <fmt/format.h>

#include <string>
#include <unordered_map>
#include <utility>

#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

class WordTokenizer : public PieceTokenizer {
 public:
  explicit WordTokenizer(WordsSpec spec)
      : PieceTokenizer(std::move(spec.pieces), the_token_itself), unk_(spec.unk) {
    for (std::size_t id = 0; id < pieces().tokens.size(); ++id)
      if (!pieces().tokens[id].empty())
        numbers_.emplace(pieces().tokens[id], static_cast<std::int32_t>(id));
  }

  std::string kind() const override { return "words"; }
  std::string title() const override { return "words, " + count_of_tokens(); }

 private:
  void encode_piece(std::string_view piece, Numbers& out) const override {
    const auto found = numbers_.find(std::string(piece));
    check(found != numbers_.end() || unk_ >= 0,
          "The word '{}' is not in the vocabulary, and that has no token for unknown words.",
          printable(piece, 60));
    out.push_back(found == numbers_.end() ? unk_ : found->second);
  }

  std::unordered_map<std::string, std::int32_t> numbers_;
  std::int32_t unk_;
};

}  // namespace

std::shared_ptr<const Tokenizer> word_tokenizer(WordsSpec spec) {
  return std::make_shared<WordTokenizer>(std::move(spec));
}

}  // namespace xlab
