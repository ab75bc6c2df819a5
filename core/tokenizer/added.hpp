// Added tokens: texts that are looked for in the whole text before anything else is done with it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace xlab {

struct AddedToken {
  int id = -1;
  std::string content;
  bool special = false;
  bool single_word = false;  ///< only where no word goes on before or after it
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< takes the white space after it along
  bool normalized = false;   ///< is looked for in the normalised text, not in the text as it is
};

/// The most bytes of one added token, and of all of them together.
inline constexpr std::size_t kMostAddedTokenBytes = 512, kMostAddedBytes = std::size_t{4} << 20;

/// Finds added tokens in a text: from left to right, the longest one where several begin, the one
/// listed first where several look the same.
class AddedTokenSearch {
 public:
  /// `patterns[i]` is what `tokens[i]` looks like in the texts that will be searched. Patterns are
  /// not empty. Throws `Error` when they hold more than `kMostAddedBytes`.
  AddedTokenSearch(std::vector<AddedToken> tokens, const std::vector<std::string>& patterns);

  /// Calls `part(text, id)` for every part from left to right, with id -1 for what lies between the
  /// tokens. Where white space was taken along twice, parts overlap.
  void each_part(std::string_view text,
                 const std::function<void(std::string_view, int)>& part) const;

 private:
  /// One node of a tree of the patterns read backwards. Nodes are numbered level by level, so the
  /// children of a node stand in a row, sorted by byte; node 0 is the root.
  struct Node {
    int first_child = 0, children = 0;
    int shorter = 0;  ///< the node of the longest shorter text that ends the same way
    int token = -1;   ///< the longest one that begins here, as an index into tokens_
    unsigned char byte = 0;
  };
  void build(const std::vector<std::string>& patterns);
  int child(int node, unsigned char byte) const;
  int step(int node, unsigned char byte) const;
  /// Which token is the longest at each of the places from `begin` on, for as many as `longest`
  /// has.
  void find_longest(std::string_view text, std::size_t begin, std::vector<int>& longest) const;

  std::vector<AddedToken> tokens_;
  std::vector<std::size_t> sizes_;  ///< of the patterns
  std::size_t largest_ = 0;
  std::vector<Node> nodes_;
};

}  // namespace xlab
