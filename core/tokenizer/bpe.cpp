// BPE: pieces, bytes or characters, merges.
#include "core/tokenizer/bpe.hpp"

#include <algorithm>
#include <queue>
#include <unordered_map>

#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

/// How GPT-2 cuts text into words, before bytes are merged.
constexpr const char* kByteLevelWords =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct Alphabet {
  std::array<std::string, 256> characters;
  std::unordered_map<char32_t, unsigned char> bytes;
};

/// Printable bytes of Latin-1 stand for themselves, the others for U+0100 and on, in order.
const Alphabet& alphabet() {
  static const Alphabet known = [] {
    Alphabet made;
    char32_t next = 0x100;
    for (char32_t byte = 0; byte < 256; ++byte) {
      const bool itself = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) ||
                          (byte >= 0xae && byte <= 0xff);
      const char32_t character = itself ? byte : next++;
      made.characters[byte] = encode_utf8(character);
      made.bytes[character] = static_cast<unsigned char>(byte);
    }
    return made;
  }();
  return known;
}

std::optional<std::string> from_byte_level(std::string_view token) {
  std::string bytes;
  for (std::size_t at = 0; at < token.size();) {
    const auto character = decode_utf8(token, at);
    if (!character) return std::nullopt;
    const auto found = alphabet().bytes.find(character->code_point);
    if (found == alphabet().bytes.end()) return std::nullopt;
    bytes += static_cast<char>(found->second);
    at += character->bytes;
  }
  return bytes;
}

/// Merges sorted by their parts, so that a pair is found without hashing what a file chose.
class MergeTable {
 public:
  struct Entry {
    int right = 0, rank = 0, merged = 0;
  };

  MergeTable() = default;
  MergeTable(const std::vector<BpeMerge>& merges, std::size_t tokens) : first_(tokens + 1, 0) {
    for (const BpeMerge& merge : merges) ++first_[static_cast<std::size_t>(merge.left) + 1];
    for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
    entries_.resize(merges.size());
    std::vector<std::size_t> next(first_.begin(), first_.end());
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      const BpeMerge& merge = merges[rank];
      entries_[next[static_cast<std::size_t>(merge.left)]++] = {merge.right, static_cast<int>(rank),
                                                                merge.merged};
    }
    for (std::size_t left = 0; left < tokens; ++left)
      std::sort(entries_.begin() + static_cast<std::ptrdiff_t>(first_[left]),
                entries_.begin() + static_cast<std::ptrdiff_t>(first_[left + 1]), earlier);
  }

  /// The merge of a pair, or null. Of a pair that is listed twice, the last counts.
  const Entry* find(int left, int right) const {
    const auto end =
        entries_.begin() + static_cast<std::ptrdiff_t>(first_[static_cast<std::size_t>(left) + 1]);
    const auto begin =
        entries_.begin() + static_cast<std::ptrdiff_t>(first_[static_cast<std::size_t>(left)]);
    const auto found = std::upper_bound(
        begin, end, right, [](int wanted, const Entry& e) { return wanted < e.right; });
    return found != begin && std::prev(found)->right == right ? &*std::prev(found) : nullptr;
  }

 private:
  static bool earlier(const Entry& a, const Entry& b) {
    return a.right != b.right ? a.right < b.right : a.rank < b.rank;
  }

  std::vector<std::size_t> first_;  ///< per left token: where its entries begin
  std::vector<Entry> entries_;
};

/// One symbol of a piece while it is merged: a link in a list, gone when its token is -1.
struct Symbol {
  int token = -1, before = -1, after = -1;
};

/// A merge that may be done, if the pair still stands when its turn comes.
struct Candidate {
  int rank = 0, at = 0, merged = 0;
};

struct LaterCandidate {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  }
};

void merge_symbols(std::vector<Symbol>& symbols, const MergeTable& merges) {
  std::priority_queue<Candidate, std::vector<Candidate>, LaterCandidate> candidates;
  const auto consider = [&](int left, int right) {
    const auto* merge = merges.find(symbols[static_cast<std::size_t>(left)].token,
                                    symbols[static_cast<std::size_t>(right)].token);
    if (merge) candidates.push({merge->rank, left, merge->merged});
  };
  for (int i = 0; i + 1 < static_cast<int>(symbols.size()); ++i) consider(i, i + 1);
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[static_cast<std::size_t>(best.at)];
    if (left.token < 0 || left.after < 0) continue;
    Symbol& right = symbols[static_cast<std::size_t>(left.after)];
    const auto* merge = merges.find(left.token, right.token);
    if (!merge || merge->merged != best.merged) continue;
    left.token = best.merged;
    left.after = right.after;
    right.token = -1;
    if (left.after >= 0) {
      symbols[static_cast<std::size_t>(left.after)].before = best.at;
      consider(best.at, left.after);
    }
    if (left.before >= 0) consider(left.before, best.at);
  }
}

std::string by_bytes(const std::string& token) {
  return byte_level_bytes(token);
}

class BpeTokenizer : public PieceTokenizer {
 public:
  explicit BpeTokenizer(BpeSpec spec)
      : PieceTokenizer(std::move(spec.pieces), spec.byte_level ? by_bytes : the_token_itself),
        spec_(std::move(spec)),
        merges_(spec_.merges, pieces().tokens.size()) {
    byte_tokens_.fill(-1);
    by_text_.reserve(pieces().tokens.size());
    for (std::size_t id = 0; id < pieces().tokens.size(); ++id) {
      const std::string& token = pieces().tokens[id];
      if (token.empty()) continue;
      const auto text = spec_.byte_level ? from_byte_level(token) : std::optional(token);
      if (!text) continue;
      if (spec_.byte_level && text->size() == 1)
        byte_tokens_[static_cast<unsigned char>(text->front())] = static_cast<int>(id);
      by_text_.emplace(*text, static_cast<int>(id));
    }
    if (spec_.byte_level && spec_.split_words) words_ = SplitRule{Pattern::regex(kByteLevelWords)};
  }

  std::string kind() const override { return "bpe"; }
  std::string title() const override {
    return fmt::format("{}BPE, {}", spec_.byte_level ? "byte-level " : "", count_of_tokens());
  }

 private:
  void last_cut(std::string_view text, PatternSteps& steps, Remembered& remembered,
                Numbers& out) const override {
    std::string prefixed;
    if (spec_.add_prefix_space && !text.starts_with(' ')) {
      prefixed = ' ' + std::string(text);
      text = prefixed;
    }
    if (words_) {
      words_->each_piece(text, steps,
                         [&](std::string_view piece) { encode_one(piece, remembered, out); });
    } else {
      encode_one(text, remembered, out);
    }
  }

  /// Calls `found` with the token of every byte or character, -1 where there is none.
  template <typename Found>
  void each_symbol(std::string_view piece, Found&& found) const {
    if (spec_.byte_level) {
      for (const char byte : piece) found(byte_tokens_[static_cast<unsigned char>(byte)]);
      return;
    }
    for (std::size_t at = 0; at < piece.size();) {
      const auto character = decode_utf8(piece, at);
      const std::size_t size = character ? character->bytes : 1;
      const auto known = by_text_.find(std::string(piece.substr(at, size)));
      found(known == by_text_.end() ? -1 : known->second);
      at += size;
    }
  }

  void encode_piece(std::string_view piece, Numbers& out) const override {
    if (spec_.ignore_merges) {
      if (const auto found = by_text_.find(std::string(piece)); found != by_text_.end()) {
        out.push_back(found->second);
        return;
      }
    }
    std::vector<Symbol> symbols;
    symbols.reserve(piece.size());
    bool unknown_before = false;
    each_symbol(piece, [&](int known) {
      const bool joins = known < 0 && (spec_.unk < 0 || (spec_.fuse_unk && unknown_before));
      if (spec_.unk >= 0) unknown_before = known < 0;
      if (!joins) symbols.push_back({known < 0 ? spec_.unk : known});
    });
    const int count = static_cast<int>(symbols.size());
    for (int i = 0; i < count; ++i) {
      symbols[static_cast<std::size_t>(i)].before = i - 1;
      symbols[static_cast<std::size_t>(i)].after = i + 1 < count ? i + 1 : -1;
    }
    merge_symbols(symbols, merges_);
    for (const Symbol& symbol : symbols)
      if (symbol.token >= 0) out.push_back(symbol.token);
  }

  BpeSpec spec_;  // without its pieces
  MergeTable merges_;
  std::array<int, 256> byte_tokens_{};
  std::unordered_map<std::string, int> by_text_;
  std::optional<SplitRule> words_;
};

}  // namespace

std::string byte_level_bytes(std::string_view token) {
  return from_byte_level(token).value_or(std::string(token));
}

const std::string& byte_level_character(unsigned char byte) {
  return alphabet().characters[byte];
}

std::shared_ptr<const Tokenizer> bpe_tokenizer(BpeSpec spec) {
  return std::make_shared<BpeTokenizer>(std::move(spec));
}

}  // namespace xlab
