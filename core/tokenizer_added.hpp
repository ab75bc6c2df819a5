// Added tokens: texts that are looked for in the whole text before anything else is done with it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
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

/// Finds added tokens in a text: from left to right, the longest one where several begin.
class AddedTokenSearch {
 public:
  /// `patterns[i]` is what `tokens[i]` looks like in the texts that will be searched. Patterns are
  /// at most `kMostAddedTokenBytes` long, and not empty.
  AddedTokenSearch(std::vector<AddedToken> tokens, const std::vector<std::string>& patterns);

  /// Calls `part(text, id)` for every part from left to right, with id -1 for what lies between the
  /// tokens. Where white space was taken along twice, parts overlap.
  void each_part(std::string_view text,
                 const std::function<void(std::string_view, int)>& part) const;

 private:
  struct Match {
    std::size_t end = 0;
    const AddedToken* token = nullptr;
  };
  Match longest_at(std::string_view text, std::size_t begin) const;

  std::vector<AddedToken> tokens_;
  /// A tree of bytes: (node, byte) to node; node 0 is the root.
  std::unordered_map<std::uint64_t, int> branches_;
  std::vector<int> token_at_;  ///< per node: index into tokens_, or -1
};

inline constexpr std::size_t kMostAddedTokenBytes = 512;

}  // namespace xlab
