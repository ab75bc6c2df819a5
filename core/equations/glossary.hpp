// What symbols and terms mean, a sentence each, in one place. Standard types only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

struct GlossaryEntry {
  std::string symbol;    ///< empty: it has none
  std::string term;      ///< "forget gate, stabilised (mLSTM)"
  std::string sentence;  ///< ends with a full stop
};

/// Terms by their names, then the symbols of equations, then the values of these blocks, a kind of
/// block once. What a value is called and what it means is what its card says.
std::vector<GlossaryEntry> glossary(const std::vector<BlockCard>& blocks);

/// What a symbol of an equation of this block means: a value where it has an index (m_t, m_7), else
/// what it is in all equations. Null: nothing is known. `index`: "t", "t−1", "7" or empty.
struct SymbolMeaning {
  std::string term, sentence;
  const ValueCard* value = nullptr;  ///< of the block; null for functions, weights and sizes
};
SymbolMeaning meaning_of(const BlockCard& block, std::string_view symbol, std::string_view index);

/// The entry of a term, as "perplexity"; null where there is none.
const GlossaryEntry* term_named(std::string_view term);

}  // namespace xlab
