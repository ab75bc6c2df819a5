// Added tokens, found by walking a tree of their bytes from the end of the text to its beginning.
#include "core/tokenizer/added.hpp"

#include <algorithm>
#include <numeric>

#include "core/tokenizer/pattern.hpp"
#include "kernels/check.hpp"

namespace xlab {

AddedTokenSearch::AddedTokenSearch(std::vector<AddedToken> tokens,
                                   const std::vector<std::string>& patterns)
    : tokens_(std::move(tokens)) {
  std::size_t bytes = 0;
  for (const std::string& pattern : patterns) {
    sizes_.push_back(pattern.size());
    largest_ = std::max(largest_, pattern.size());
    bytes += pattern.size();
  }
  check(bytes <= kMostAddedBytes, "The added tokens hold more than {} MiB in their normal form.",
        kMostAddedBytes >> 20);
  build(patterns);
}

void AddedTokenSearch::build(const std::vector<std::string>& patterns) {
  // Sorted by their bytes read backwards, the patterns below a node are a range.
  std::vector<int> order(patterns.size());
  std::iota(order.begin(), order.end(), 0);
  const auto backwards = [&](int i) -> const std::string& {
    return patterns[static_cast<std::size_t>(i)];
  };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return std::lexicographical_compare(
        backwards(a).rbegin(), backwards(a).rend(), backwards(b).rbegin(), backwards(b).rend(),
        [](char x, char y) {
          return static_cast<unsigned char>(x) < static_cast<unsigned char>(y);
        });
  });
  struct Range {
    std::size_t begin = 0, end = 0;
  };
  std::vector<Range> level = {{0, order.size()}}, next;
  nodes_.resize(1);
  std::size_t node = 0;  // of the range that is taken up
  for (std::size_t depth = 0; !level.empty(); ++depth, level.swap(next)) {
    next.clear();
    for (const Range range : level) {
      std::size_t begin = range.begin;
      // Of equal patterns the sort left the first one first.
      for (; begin < range.end && backwards(order[begin]).size() == depth; ++begin)
        if (nodes_[node].token < 0) nodes_[node].token = order[begin];
      nodes_[node].first_child = static_cast<int>(nodes_.size());
      while (begin < range.end) {
        const auto byte_of = [&](std::size_t i) {
          const std::string& pattern = backwards(order[i]);
          return static_cast<unsigned char>(pattern[pattern.size() - 1 - depth]);
        };
        const unsigned char byte = byte_of(begin);
        std::size_t end = begin + 1;
        while (end < range.end && byte_of(end) == byte) ++end;
        nodes_.push_back({.byte = byte});
        ++nodes_[node].children;
        next.push_back({begin, end});
        begin = end;
      }
      ++node;
    }
  }
  for (std::size_t parent = 0; parent < nodes_.size(); ++parent) {
    const int first = nodes_[parent].first_child, count = nodes_[parent].children;
    for (int at = first; at < first + count; ++at) {
      Node& made = nodes_[static_cast<std::size_t>(at)];
      if (parent > 0) made.shorter = step(nodes_[parent].shorter, made.byte);
      if (made.token < 0) made.token = nodes_[static_cast<std::size_t>(made.shorter)].token;
    }
  }
}

int AddedTokenSearch::child(int node, unsigned char byte) const {
  const Node& from = nodes_[static_cast<std::size_t>(node)];
  const auto begin = nodes_.begin() + from.first_child, end = begin + from.children;
  const auto found = std::lower_bound(
      begin, end, byte, [](const Node& a, unsigned char wanted) { return a.byte < wanted; });
  return found != end && found->byte == byte ? static_cast<int>(found - nodes_.begin()) : -1;
}

int AddedTokenSearch::step(int node, unsigned char byte) const {
  for (;;) {
    if (const int to = child(node, byte); to >= 0) return to;
    if (node == 0) return 0;
    node = nodes_[static_cast<std::size_t>(node)].shorter;
  }
}

void AddedTokenSearch::find_longest(std::string_view text, std::size_t begin,
                                    std::vector<int>& longest) const {
  // What begins in these places ends at most a token's length behind them.
  std::size_t at = std::min(text.size(), begin + longest.size() + largest_);
  for (int node = 0; at > begin;) {
    node = step(node, static_cast<unsigned char>(text[--at]));
    if (at - begin < longest.size())
      longest[at - begin] = nodes_[static_cast<std::size_t>(node)].token;
  }
}

void AddedTokenSearch::each_part(std::string_view text,
                                 const std::function<void(std::string_view, int)>& part) const {
  constexpr std::size_t kBlockBytes = 1 << 16;
  std::vector<int> longest(tokens_.empty() ? 0 : std::min(text.size(), kBlockBytes));
  std::size_t block = 0, block_end = 0;
  std::size_t done = 0;
  std::size_t space_end = 0;  // white space that was taken along reaches to here
  for (std::size_t at = 0; at < text.size() && !tokens_.empty();) {
    if (at >= block_end) {
      block = at;
      block_end = at + longest.size();
      find_longest(text, block, longest);
    }
    const int found = longest[at - block];
    if (found < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(found)];
    std::size_t begin = at, end = at + sizes_[static_cast<std::size_t>(found)];
    at = end;
    if (token.single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end))))
      continue;
    if (token.lstrip)
      begin = done < begin ? done + trailing_space(text.substr(done, begin - done)) : done;
    if (token.rstrip) {
      if (end >= space_end) space_end = end + leading_space(text.substr(end));
      end = space_end;
    }
    // The token before may have taken all of this one along.
    if (begin >= end) continue;
    if (done < begin) part(text.substr(done, begin - done), -1);
    part(text.substr(begin, end - begin), token.id);
    done = end;
  }
  if (done < text.size()) part(text.substr(done), -1);
}

}  // namespace xlab
