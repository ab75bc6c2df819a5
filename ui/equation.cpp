// Equations as they are read on screen.
#include "ui/equation.hpp"

#include <array>
#include <cctype>
#include <utility>

namespace xlab::ui {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kSubscripts{{{"0", "₀"},
                                                                                     {"1", "₁"},
                                                                                     {"2", "₂"},
                                                                                     {"3", "₃"},
                                                                                     {"4", "₄"},
                                                                                     {"5", "₅"},
                                                                                     {"6", "₆"},
                                                                                     {"7", "₇"},
                                                                                     {"8", "₈"},
                                                                                     {"9", "₉"},
                                                                                     {"t", "ₜ"},
                                                                                     {"+", "₊"},
                                                                                     {"-", "₋"},
                                                                                     {"−", "₋"}}};

/// The text as subscripts, or nothing when a character has none.
std::string lowered(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    bool found = false;
    for (const auto& [plain, low] : kSubscripts) {
      if (!text.starts_with(plain)) continue;
      result += low;
      text.remove_prefix(plain.size());
      found = true;
      break;
    }
    if (!found) return {};
  }
  return result;
}

}  // namespace

std::string typeset_equation(std::string_view plain) {
  std::string result;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (plain[i] != '_' || i + 1 >= plain.size()) {
      result += plain[i];
      continue;
    }
    std::size_t begin = i + 1, end = begin + 1, after = end;
    if (plain[begin] == '{') {
      const std::size_t close = plain.find('}', begin);
      if (close == std::string_view::npos) {
        result += plain[i];
        continue;
      }
      ++begin;
      end = close;
      after = close + 1;
    } else if (std::isdigit(static_cast<unsigned char>(plain[begin]))) {
      while (end < plain.size() && std::isdigit(static_cast<unsigned char>(plain[end]))) ++end;
      after = end;
    }
    const std::string low = lowered(plain.substr(begin, end - begin));
    if (low.empty()) {
      result += plain[i];
      continue;
    }
    result += low;
    i = after - 1;
  }
  return result;
}

}  // namespace xlab::ui
