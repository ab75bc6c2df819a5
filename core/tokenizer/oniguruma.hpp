// Patterns in the syntax of Oniguruma, which tokenizers are written in, for PCRE2.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace xlab {

inline constexpr std::size_t kMostPatternBytes = 16384;

/// What \w means in Oniguruma, as the inside of a class in brackets; but for a few characters that
/// belong to it where it stands alone.
inline constexpr std::string_view kWordClass = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";

/// A pattern that PCRE2 reads as Oniguruma reads the one it was made of.
struct PcrePattern {
  std::string expression;
  bool knows_lines = false;  ///< it asks where lines begin or end
};

/// Only what both read in the same way, or what can be spelled out, gets through; the rest is
/// refused with a sentence (`Error`).
PcrePattern for_pcre(std::string_view pattern);

}  // namespace xlab
