// Reads equations from left to right: lists of equations of sums of products.
#include "core/equations/formula.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <optional>
#include <utility>

namespace xlab {
namespace {

constexpr std::array<std::string_view, 7> kFunctions{"exp", "log", "ln",  "tanh",
                                                     "max", "min", "SiLU"};
constexpr std::array<std::string_view, 2> kGreekFunctions{"σ", "Σ"};

Formula node(Sign sign, std::vector<Formula> parts) {
  return {sign, {}, {}, std::move(parts)};
}

bool is_a_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}
bool is_a_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

/// Reads one text; after a text that it does not understand `failed` is true.
class FormulaReader {
 public:
  explicit FormulaReader(std::string_view text) : rest_(text) {}

  std::optional<Formula> read() {
    Formula formula = list();
    blanks();
    if (failed_ || !rest_.empty()) return std::nullopt;
    return formula;
  }

 private:
  void blanks() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
  }
  /// Takes these letters where they come next.
  bool take(std::string_view wanted) {
    blanks();
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }
  bool comes(std::string_view wanted) {
    blanks();
    return rest_.starts_with(wanted);
  }
  void expect(std::string_view wanted) { failed_ |= !take(wanted); }

  Formula list() {
    std::vector<Formula> items{clause()};
    while (!failed_ && take(",")) items.push_back(clause());
    return items.size() == 1 ? std::move(items.front()) : node(Sign::list, std::move(items));
  }
  Formula clause() {
    Formula equation = chain();
    if (!take("where ")) return equation;
    return node(Sign::where, {std::move(equation), chain()});
  }
  Formula chain() {
    std::vector<Formula> sides{sum()};
    while (!failed_ && take("=")) sides.push_back(sum());
    return sides.size() == 1 ? std::move(sides.front()) : node(Sign::equals, std::move(sides));
  }
  Formula sum() {
    if (auto words = words_here()) return std::move(*words);
    Formula left = product();
    while (!failed_) {
      if (take("+")) {
        left = node(Sign::sum, {std::move(left), product()});
      } else if (take("−")) {
        left = node(Sign::difference, {std::move(left), product()});
      } else {
        break;
      }
    }
    return left;
  }
  Formula product() {
    Formula left = factor();
    while (!failed_) {
      if (take("·")) {
        left = node(Sign::times, {std::move(left), factor()});
      } else if (take("/")) {
        left = node(Sign::quotient, {std::move(left), factor()});
      } else if (begins_factor()) {
        left = node(Sign::product, {std::move(left), factor()});
      } else {
        break;
      }
    }
    return left;
  }
  /// Whether what comes next is another factor and not a sign, a bar or the end.
  bool begins_factor() {
    blanks();
    if (rest_.empty() || rest_.starts_with("where ")) return false;
    const char c = rest_.front();
    return is_a_letter(c) || is_a_digit(c) || c == '(' || rest_.starts_with("σ") ||
           rest_.starts_with("ε") || rest_.starts_with("⟨") || rest_.starts_with("√");
  }

  Formula factor() {
    if (take("−")) {
      // "−Inf" and "−1.2" are numbers.
      Formula of = factor();
      if (of.sign != Sign::number) return node(Sign::minus, {std::move(of)});
      of.text = "−" + of.text;
      return of;
    }
    if (comes("+Inf")) {
      rest_.remove_prefix(4);
      return {Sign::number, "+Inf", {}, {}};
    }
    Formula of = primary();
    while (!failed_) {
      if (rest_.starts_with("ᵀ")) {
        take("ᵀ");
        of = node(Sign::transposed, {std::move(of)});
      } else if (rest_.starts_with('[')) {
        take("[");
        Formula row = sum();
        expect(",");
        Formula column = sum();
        expect("]");
        of = node(Sign::cell, {std::move(of), std::move(row), std::move(column)});
      } else {
        break;
      }
    }
    return of;
  }

  Formula enclosed(Sign sign, std::string_view close) {
    Formula inner = sum();
    expect(close);
    return node(sign, {std::move(inner)});
  }

  Formula primary() {
    blanks();
    if (rest_.empty()) {
      failed_ = true;
      return {};
    }
    if (take("(")) return enclosed(Sign::brackets, ")");
    if (take("|")) return enclosed(Sign::bars, "|");
    if (take("√")) return node(Sign::root, {primary()});
    if (take("⟨")) {
      Formula a = sum();
      expect(",");
      Formula b = sum();
      expect("⟩");
      return node(Sign::scalar_product, {std::move(a), std::move(b)});
    }
    if (take("ε")) return {Sign::symbol, "ε", {}, {}};
    for (const std::string_view greek : kGreekFunctions)
      if (take(greek)) return function(greek);
    if (is_a_digit(rest_.front())) return number();
    if (is_a_letter(rest_.front())) return name();
    failed_ = true;
    return {};
  }

  /// Its argument in brackets, or what follows it.
  Formula function(std::string_view name) {
    if (!rest_.starts_with('(')) return {Sign::of, std::string(name), {}, {primary()}};
    take("(");
    Formula call{Sign::call, std::string(name), {}, {sum()}};
    while (!failed_ && take(",")) call.parts.push_back(sum());
    expect(")");
    return call;
  }

  std::size_t digits(std::size_t at) const {
    while (at < rest_.size() && is_a_digit(rest_[at])) ++at;
    return at;
  }
  Formula number() {
    std::size_t end = digits(0);
    if (end + 1 < rest_.size() && rest_[end] == '.' && is_a_digit(rest_[end + 1]))
      end = digits(end + 1);
    if (end < rest_.size() && rest_[end] == 'e') {
      constexpr std::string_view kMinus = "−";
      const std::size_t sign = rest_.substr(end + 1).starts_with(kMinus) ? kMinus.size() : 0;
      const std::size_t after = digits(end + 1 + sign);
      if (after > end + 1 + sign) end = after;
    }
    Formula number{Sign::number, std::string(rest_.substr(0, end)), {}, {}};
    rest_.remove_prefix(end);
    return number;
  }

  std::size_t letters() const {
    return static_cast<std::size_t>(std::find_if_not(rest_.begin(), rest_.end(), is_a_letter) -
                                    rest_.begin());
  }
  Formula name() {
    std::size_t end = letters();
    const std::string_view run = rest_.substr(0, end);
    if (run == "NaN" || run == "Inf") {
      rest_.remove_prefix(end);
      return {Sign::number, std::string(run), {}, {}};
    }
    if (std::find(kFunctions.begin(), kFunctions.end(), run) != kFunctions.end()) {
      rest_.remove_prefix(end);
      return function(run);
    }
    // Of several letters only with an index: "write_7". Others are words.
    if (end > 1 && !rest_.substr(end).starts_with('_')) {
      failed_ = true;
      return {};
    }
    while (end < rest_.size() && rest_[end] == '\'') ++end;
    Formula symbol{Sign::symbol, std::string(rest_.substr(0, end)), {}, {}};
    rest_.remove_prefix(end);
    if (rest_.starts_with('_')) symbol.index = index();
    return symbol;
  }
  std::string index() {
    rest_.remove_prefix(1);
    std::size_t begin = 0, end = 0, after = 0;
    if (rest_.starts_with('{')) {
      begin = 1;
      end = std::min(rest_.find('}'), rest_.size());
      after = std::min(end + 1, rest_.size());
      failed_ |= after == end;
    } else if (!rest_.empty() && is_a_digit(rest_.front())) {
      end = after = digits(0);
    } else {
      end = after = std::min<std::size_t>(1, rest_.size());
      failed_ |= rest_.empty() || !is_a_letter(rest_.front());
    }
    std::string index(rest_.substr(begin, end - begin));
    rest_.remove_prefix(after);
    return index;
  }

  /// A side of an equation that is said in words: it begins with a word that is no name.
  std::optional<Formula> words_here() {
    blanks();
    const std::size_t end = letters();
    const std::string_view run = rest_.substr(0, end);
    if (end < 2 || rest_.substr(end).starts_with('_') || run == "NaN" || run == "Inf" ||
        std::find(kFunctions.begin(), kFunctions.end(), run) != kFunctions.end())
      return std::nullopt;
    const std::size_t length = std::min(rest_.find_first_of(",="), rest_.size());
    std::string text(rest_.substr(0, length));
    while (text.ends_with(' ')) text.pop_back();
    rest_.remove_prefix(length);
    return Formula{Sign::words, std::move(text), {}, {}};
  }

  std::string_view rest_;
  bool failed_ = false;
};

std::string plain_list(const std::vector<Formula>& parts, std::string_view between) {
  std::string text;
  for (const Formula& part : parts) {
    if (&part != &parts.front()) text += between;
    text += plain_text(part);
  }
  return text;
}

}  // namespace

Formula formula_of(std::string_view plain) {
  if (auto formula = FormulaReader(plain).read()) return std::move(*formula);
  return {Sign::words, std::string(plain), {}, {}};
}

std::string plain_text(const Formula& f) {
  const auto part = [&](std::size_t i) { return plain_text(f.parts[i]); };
  switch (f.sign) {
    case Sign::words:
    case Sign::number:
      return f.text;
    case Sign::symbol: {
      if (f.index.empty()) return f.text;
      const bool plain = f.index == "t" || std::all_of(f.index.begin(), f.index.end(), is_a_digit);
      return f.text + (plain ? "_" + f.index : "_{" + f.index + "}");
    }
    case Sign::minus:
      return "−" + part(0);
    case Sign::sum:
      return plain_list(f.parts, " + ");
    case Sign::difference:
      return plain_list(f.parts, " − ");
    case Sign::times:
      return plain_list(f.parts, " · ");
    case Sign::product:
      return plain_list(f.parts, " ");
    case Sign::quotient:
      return plain_list(f.parts, " / ");
    case Sign::transposed:
      return part(0) + "ᵀ";
    case Sign::brackets:
      return "(" + part(0) + ")";
    case Sign::bars:
      return "|" + part(0) + "|";
    case Sign::scalar_product:
      return "⟨" + plain_list(f.parts, ", ") + "⟩";
    case Sign::cell:
      return part(0) + "[" + part(1) + ", " + part(2) + "]";
    case Sign::root:
      return "√" + part(0);
    case Sign::call:
      return f.text + "(" + plain_list(f.parts, ", ") + ")";
    case Sign::of:
      return f.text + " " + part(0);
    case Sign::equals:
      return plain_list(f.parts, " = ");
    case Sign::where:
      return plain_list(f.parts, " where ");
    case Sign::list:
      return plain_list(f.parts, ", ");
  }
  return {};
}

}  // namespace xlab
