// Equations as they are read on screen.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace xlab::ui {

/// Plain equations with real subscripts: "m_{t−1}" becomes "mₜ₋₁", "f'_7" becomes "f'₇". What has
/// no subscript character stays as it is.
std::string typeset_equation(std::string_view plain);

/// A symbol, a function or a sign in an equation as it is on screen.
struct SymbolSpan {
  std::size_t begin = 0, end = 0;  ///< bytes, with its index
  std::string symbol;              ///< without it: "f'", "exp", "σ"
  std::string index;               ///< "t", "t−1", "7"; empty: none
};
/// All of them from left to right; numbers and words are none.
std::vector<SymbolSpan> symbols_in(std::string_view typeset);

}  // namespace xlab::ui
