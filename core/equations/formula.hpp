// An equation as people write it, "f'_t = exp(log σ(f_t) + m_{t−1} − m_t)", as a tree: what else is
// made of it (LaTeX, a program) follows from the one text that is shown. Standard types only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xlab {

/// What a node of the tree is. `parts` are its operands, in the order in which they are written.
enum class Sign : std::uint8_t {
  words,           ///< text: "the first write"
  number,          ///< text, as `short_number` writes it
  symbol,          ///< text and its index: f' and "t−1"; σ without an argument
  minus,           ///< −a
  sum,             ///< a + b
  difference,      ///< a − b
  times,           ///< a · b
  product,         ///< a b, side by side
  quotient,        ///< a / b
  transposed,      ///< aᵀ
  brackets,        ///< (a)
  bars,            ///< |a|
  scalar_product,  ///< ⟨a, b⟩
  cell,            ///< a[3, 4]: the cell of a matrix
  root,            ///< √a
  call,            ///< text(a, b)
  of,              ///< text a: a function without brackets, as in log σ(f)
  equals,          ///< a = b, or more of them
  where,           ///< a where b
  list,            ///< a, b, or more of them
};

struct Formula {
  Sign sign = Sign::words;
  std::string text;   ///< of a number, a symbol, a function or words
  std::string index;  ///< of a symbol: "t", "t−1", "7"; empty: none
  std::vector<Formula> parts;
};

/// Never fails: what is no formula is words.
Formula formula_of(std::string_view plain);

/// The text it was read from; an index of more than one letter stands in braces again.
std::string plain_text(const Formula& formula);

}  // namespace xlab
