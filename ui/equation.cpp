// Equations as they are read on screen.
#include "ui/equation.hpp"

#include <algorithm>
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

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}
bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

/// A subscript as it is written on a line; moves `at` behind it.
std::string raised(std::string_view text, std::size_t& at) {
  std::string result;
  for (bool found = true; found;) {
    found = false;
    for (const auto& [plain, low] : kSubscripts) {
      // Both minus signs have one subscript; the typographic one is meant.
      if (plain == "-" || !text.substr(at).starts_with(low)) continue;
      result += plain;
      at += low.size();
      found = true;
      break;
    }
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

std::vector<SymbolSpan> symbols_in(std::string_view text) {
  static constexpr std::array<std::string_view, 7> kSigns{"σ", "Σ", "ε", "√", "ᵀ", "⟨", "⟩"};
  static constexpr std::array<std::string_view, 7> kFunctions{"exp", "log", "ln",  "tanh",
                                                              "max", "min", "SiLU"};
  std::vector<SymbolSpan> found;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    if (is_digit(text[at])) {
      // The e of a power of ten is no symbol.
      while (at < text.size() && (is_digit(text[at]) || text[at] == '.' || text[at] == 'e')) ++at;
      continue;
    }
    for (const std::string_view sign : kSigns) {
      if (!text.substr(at).starts_with(sign)) continue;
      at += sign.size();
      found.push_back({begin, at, std::string(sign == "⟩" ? "⟨" : sign), {}});
      break;
    }
    if (at > begin) continue;
    while (at < text.size() && is_letter(text[at])) ++at;
    if (at == begin) {
      ++at;
      continue;
    }
    const std::string_view run = text.substr(begin, at - begin);
    const bool function = std::find(kFunctions.begin(), kFunctions.end(), run) != kFunctions.end();
    if (!function && run.size() > 1) continue;
    SymbolSpan span{begin, at, std::string(run), {}};
    while (at < text.size() && text[at] == '\'') span.symbol += text[at++];
    span.index = raised(text, at);
    span.end = at;
    found.push_back(std::move(span));
  }
  return found;
}

}  // namespace xlab::ui
