// What tokenizers share that cut a text into pieces first.
#include "core/tokenizer/pieces.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/utf8.hpp"

namespace xlab {
namespace {

/// Pieces that are remembered while one text is encoded.
constexpr std::size_t kMostRemembered = 1 << 16, kLongestRemembered = 64;

}  // namespace

PieceTokenizer::PieceTokenizer(PiecesSpec spec, std::string (*text_of)(const std::string&))
    : pieces_(std::move(spec)) {
  bytes_.resize(pieces_.tokens.size());
  special_.resize(pieces_.tokens.size(), false);
  for (std::size_t id = 0; id < bytes_.size(); ++id)
    if (!pieces_.tokens[id].empty()) bytes_[id] = text_of(pieces_.tokens[id]);
  std::vector<AddedToken> plain, normal;
  std::vector<std::string> plain_patterns, normal_patterns;
  for (const AddedToken& token : pieces_.added) {
    const auto id = static_cast<std::size_t>(token.id);
    if (id >= bytes_.size()) {
      bytes_.resize(id + 1);
      special_.resize(id + 1, false);
    }
    special_[id] = special_[id] || token.special;
    std::string pattern = token.normalized ? in_normal_form(token.content) : token.content;
    bytes_[id] = text_of(pattern);
    if (pattern.empty()) continue;
    (token.normalized ? normal_patterns : plain_patterns).push_back(std::move(pattern));
    (token.normalized ? normal : plain).push_back(token);
  }
  plain_added_ = std::make_unique<AddedTokenSearch>(std::move(plain), plain_patterns);
  normal_added_ = std::make_unique<AddedTokenSearch>(std::move(normal), normal_patterns);
}

std::vector<std::int32_t> PieceTokenizer::encode(std::string_view text, bool framed) const {
  std::string mended;
  if (find_invalid_utf8(text)) {
    mended = mended_utf8(text);
    text = mended;
  }
  Numbers out;
  if (framed) out.insert(out.end(), pieces_.frame_begin.begin(), pieces_.frame_begin.end());
  Remembered remembered;
  PatternSteps steps(text.size());
  plain_added_->each_part(text, [&](std::string_view part, int id) {
    if (id >= 0) {
      out.push_back(id);
      return;
    }
    const std::string normal = in_normal_form(part);
    normal_added_->each_part(normal, [&](std::string_view between, int found) {
      if (found >= 0) {
        out.push_back(found);
      } else {
        cut(between, 0, steps, remembered, out);
      }
    });
  });
  if (framed) out.insert(out.end(), pieces_.frame_end.begin(), pieces_.frame_end.end());
  return out;
}

std::string_view PieceTokenizer::bytes(int token) const {
  check_token(token);
  return bytes_[static_cast<std::size_t>(token)];
}

bool PieceTokenizer::is_special(int token) const {
  return token >= 0 && token < vocab_size() && special_[static_cast<std::size_t>(token)];
}

std::string PieceTokenizer::count_of_tokens() const {
  std::vector<bool> named(bytes_.size(), false);
  for (std::size_t id = 0; id < pieces_.tokens.size(); ++id)
    named[id] = !pieces_.tokens[id].empty();
  for (const AddedToken& token : pieces_.added) named[static_cast<std::size_t>(token.id)] = true;
  const auto count = std::count(named.begin(), named.end(), true);
  std::string words = fmt::format("{} token{}", count, count == 1 ? "" : "s");
  if (count == vocab_size()) return words;
  return fmt::format("{} with numbers up to {}", words, vocab_size() - 1);
}

std::string PieceTokenizer::in_normal_form(std::string_view text) const {
  std::string out(text);
  for (const NormalForm form : pieces_.normal_forms) out = normalized(out, form);
  return out;
}

void PieceTokenizer::cut(std::string_view text, std::size_t rule, PatternSteps& steps,
                         Remembered& remembered, Numbers& out) const {
  if (text.empty()) return;
  if (rule == pieces_.splits.size()) {
    last_cut(text, steps, remembered, out);
    return;
  }
  pieces_.splits[rule].each_piece(
      text, steps, [&](std::string_view piece) { cut(piece, rule + 1, steps, remembered, out); });
}

void PieceTokenizer::last_cut(std::string_view text, PatternSteps&, Remembered& remembered,
                              Numbers& out) const {
  encode_one(text, remembered, out);
}

void PieceTokenizer::encode_one(std::string_view piece, Remembered& remembered,
                                Numbers& out) const {
  if (piece.size() > kLongestRemembered) {
    encode_piece(piece, out);
    return;
  }
  std::string key(piece);
  auto found = remembered.find(key);
  if (found == remembered.end()) {
    Numbers tokens;
    encode_piece(piece, tokens);
    if (remembered.size() >= kMostRemembered) remembered.clear();
    found = remembered.emplace(std::move(key), std::move(tokens)).first;
  }
  out.insert(out.end(), found->second.begin(), found->second.end());
}

}  // namespace xlab
