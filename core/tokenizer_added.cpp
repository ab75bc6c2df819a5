// Added tokens, found by walking a tree of their bytes.
#include "core/tokenizer_added.hpp"

#include <algorithm>

#include "core/tokenizer_pattern.hpp"

namespace xlab {
namespace {

std::uint64_t branch(int node, char byte) {
  return static_cast<std::uint64_t>(node) << 8 | static_cast<unsigned char>(byte);
}

}  // namespace

AddedTokenSearch::AddedTokenSearch(std::vector<AddedToken> tokens,
                                   const std::vector<std::string>& patterns)
    : tokens_(std::move(tokens)), token_at_{-1} {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    int node = 0;
    for (const char byte : patterns[i]) {
      const auto [found, fresh] =
          branches_.try_emplace(branch(node, byte), static_cast<int>(token_at_.size()));
      if (fresh) token_at_.push_back(-1);
      node = found->second;
    }
    int& token = token_at_[static_cast<std::size_t>(node)];
    if (token < 0) token = static_cast<int>(i);
  }
}

AddedTokenSearch::Match AddedTokenSearch::longest_at(std::string_view text,
                                                     std::size_t begin) const {
  Match longest;
  int node = 0;
  for (std::size_t at = begin; at < text.size(); ++at) {
    const auto found = branches_.find(branch(node, text[at]));
    if (found == branches_.end()) break;
    node = found->second;
    const int token = token_at_[static_cast<std::size_t>(node)];
    if (token >= 0) longest = {at + 1, &tokens_[static_cast<std::size_t>(token)]};
  }
  return longest;
}

void AddedTokenSearch::each_part(std::string_view text,
                                 const std::function<void(std::string_view, int)>& part) const {
  std::size_t done = 0;
  std::size_t space_end = 0;  // white space that was taken along reaches to here
  for (std::size_t at = 0; at < text.size() && !tokens_.empty();) {
    const Match match = longest_at(text, at);
    if (!match.token) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = match.end;
    at = end;
    if (match.token->single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end))))
      continue;
    if (match.token->lstrip && begin > done)
      begin = done + trailing_space(text.substr(done, begin - done));
    if (match.token->rstrip) {
      if (end >= space_end) space_end = end + leading_space(text.substr(end));
      end = space_end;
    }
    if (done < begin) part(text.substr(done, begin - done), -1);
    if (begin < end) part(text.substr(begin, end - begin), match.token->id);
    done = end;
  }
  if (done < text.size()) part(text.substr(done), -1);
}

}  // namespace xlab
