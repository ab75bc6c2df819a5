// Equations as LaTeX, from the text that is shown, so that both say the same. Standard types only.
#pragma once

#include <string>
#include <string_view>

namespace xlab {

/// For math mode, with the commands of amsmath: "f'_t = exp(−m_t)" becomes
/// "f'_{t} = \exp(-m_{t})". ASCII, whatever stands in `plain`.
std::string latex_of(std::string_view plain);

/// Several equations below each other, aligned where they say "=", for math mode; empty ones are
/// left out.
std::string aligned_latex(std::string_view first, std::string_view second);

}  // namespace xlab
