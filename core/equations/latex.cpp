// Writes the tree of an equation as LaTeX.
#include "core/equations/latex.hpp"

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/equations/formula.hpp"

namespace xlab {
namespace {

using Replaced = std::pair<std::string_view, std::string_view>;

/// Every character of a text by itself, in text mode or in an index.
std::string in_ascii(std::string_view text, bool in_text) {
  static constexpr std::array<Replaced, 12> kCharacters{{{"−", "-"},
                                                         {"&", "\\&"},
                                                         {"%", "\\%"},
                                                         {"$", "\\$"},
                                                         {"#", "\\#"},
                                                         {"_", "\\_"},
                                                         {"{", "\\{"},
                                                         {"}", "\\}"},
                                                         {"\\", "\\textbackslash "},
                                                         {"~", "\\textasciitilde "},
                                                         {"^", "\\textasciicircum "},
                                                         {"…", "..."}}};
  std::string result;
  while (!text.empty()) {
    std::size_t taken = 0;
    for (const auto& [plain, written] : kCharacters) {
      if (!text.starts_with(plain)) continue;
      result += plain == "−" && in_text ? "$-$" : written;
      taken = plain.size();
      break;
    }
    if (taken == 0) {
      const auto first = static_cast<unsigned char>(text.front());
      // Another character of UTF-8 has no name here: one mark for all of its bytes.
      if (first < 0x80) result += text.front();
      if (first >= 0xC0) result += '?';
      taken = 1;
    }
    text.remove_prefix(taken);
  }
  return result;
}

/// Fences grow where something high stands between them.
std::string fenced(std::string_view open, std::string_view close, const std::string& inner) {
  const bool high = inner.find("\\frac") != inner.npos || inner.find("\\sqrt") != inner.npos;
  if (!high) return std::string(open) + inner + std::string(close);
  return "\\left" + std::string(open) + inner + "\\right" + std::string(close);
}

std::string function_name(const std::string& name) {
  if (name == "σ") return "\\sigma";
  if (name == "Σ") return "\\sum";
  if (name == "SiLU") return "\\operatorname{SiLU}";
  return "\\" + name;
}

std::string number_latex(const std::string& text) {
  if (text == "NaN") return "\\text{NaN}";
  if (text.ends_with("Inf")) return text.starts_with("−") ? "-\\infty" : "\\infty";
  const std::size_t e = text.find('e');
  if (e == text.npos) return in_ascii(text, false);
  return in_ascii(text.substr(0, e), false) + " \\times 10^{" +
         in_ascii(text.substr(e + 1), false) + "}";
}

std::string symbol_latex(const Formula& symbol) {
  std::string name = symbol.text;
  std::string primes;
  while (name.ends_with('\'')) {
    name.pop_back();
    primes += '\'';
  }
  if (name == "ε") {
    name = "\\varepsilon";
  } else if (name.size() > 1) {
    name = "\\mathrm{" + in_ascii(name, false) + "}";
  }
  return name + primes + (symbol.index.empty() ? "" : "_{" + in_ascii(symbol.index, false) + "}");
}

std::string latex_node(const Formula& f);

std::string latex_list(const std::vector<Formula>& parts, std::string_view between) {
  std::string text;
  for (const Formula& part : parts) {
    if (&part != &parts.front()) text += between;
    text += latex_node(part);
  }
  return text;
}

/// A fraction's bar does what brackets did.
const Formula& unbracketed(const Formula& f) {
  return f.sign == Sign::brackets ? f.parts.front() : f;
}

std::string latex_node(const Formula& f) {
  const auto part = [&](std::size_t i) { return latex_node(f.parts[i]); };
  switch (f.sign) {
    case Sign::words:
      return "\\text{" + in_ascii(f.text, true) + "}";
    case Sign::number:
      return number_latex(f.text);
    case Sign::symbol:
      return symbol_latex(f);
    case Sign::minus:
      return "-" + part(0);
    case Sign::sum:
      return latex_list(f.parts, " + ");
    case Sign::difference:
      return latex_list(f.parts, " - ");
    case Sign::times:
      return latex_list(f.parts, " \\cdot ");
    case Sign::product:
      return latex_list(f.parts, " \\, ");
    case Sign::quotient:
      return "\\frac{" + latex_node(unbracketed(f.parts[0])) + "}{" +
             latex_node(unbracketed(f.parts[1])) + "}";
    case Sign::transposed:
      return part(0) + "^{\\top}";
    case Sign::brackets:
      return fenced("(", ")", part(0));
    case Sign::bars:
      // Always by the pair: a bar alone says not which one it is.
      return "\\left|" + part(0) + "\\right|";
    case Sign::scalar_product:
      return "\\langle " + latex_list(f.parts, ", ") + " \\rangle";
    case Sign::cell:
      return part(0) + "[" + part(1) + ", " + part(2) + "]";
    case Sign::root:
      return "\\sqrt{" + latex_node(unbracketed(f.parts[0])) + "}";
    case Sign::call:
      return function_name(f.text) + fenced("(", ")", latex_list(f.parts, ", "));
    case Sign::of:
      return function_name(f.text) + " " + part(0);
    case Sign::equals:
      return latex_list(f.parts, " = ");
    case Sign::where:
      return part(0) + " \\text{ where } " + part(1);
    case Sign::list:
      return latex_list(f.parts, ",\\quad ");
  }
  return {};
}

}  // namespace

std::string latex_of(std::string_view plain) {
  return latex_node(formula_of(plain));
}

std::string aligned_latex(std::string_view first, std::string_view second) {
  std::string lines;
  for (const std::string_view equation : {first, second}) {
    if (equation.empty()) continue;
    std::string line = latex_of(equation);
    const std::size_t equals = line.find(" = ");
    line.insert(equals == line.npos ? 0 : equals + 1, equals == line.npos ? "& " : "&");
    lines += (lines.empty() ? "  " : " \\\\\n  ") + line;
  }
  return lines.empty() ? lines : "\\begin{aligned}\n" + lines + "\n\\end{aligned}";
}

}  // namespace xlab
