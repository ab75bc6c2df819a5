// Equations as trees: what is read is what was written, it computes what the cells compute, and its
// LaTeX is well formed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/cells/right_side.hpp"
#include "core/equations/formula.hpp"
#include "core/equations/inputs.hpp"
#include "core/equations/latex.hpp"
#include "core/live_equation.hpp"
#include "tests/every_equation.hpp"

namespace xlab::tests {
namespace {

/// All words in a formula: what was not understood is among them.
void words_of(const Formula& f, std::set<std::string>& words) {
  if (f.sign == Sign::words) words.insert(f.text);
  for (const Formula& part : f.parts) words_of(part, words);
}

const std::set<std::string> kSaidInWords{"no m", "the first write", "nothing to keep yet"};

TEST(Formulas, OfEveryEquationAreUnderstoodAndLoseNothing) {
  const auto cards = every_card();
  EXPECT_GT(cards.size(), 5000u);
  std::set<std::string> words;
  for (const auto& [name, card] : cards) {
    for (const std::string& text : {card.equation, card.symbol}) {
      const Formula formula = formula_of(text);
      words_of(formula, words);
      EXPECT_EQ(plain_text(formula), text) << name;
    }
  }
  EXPECT_EQ(words, std::set<std::string>{"no m"});
}

TEST(Formulas, WithNumbersAreUnderstoodAndLoseNothing) {
  std::set<std::string> words;
  for (const Played& sequence : every_cell_played()) {
    at_every_place(
        sequence, [&](const BlockCard& block, const ValueCard& card, int step, int head, int unit) {
          const std::string text =
              live_equation(*sequence.trace, block, block.path(card.name), step, head, unit).text;
          const Formula formula = formula_of(text);
          words_of(formula, words);
          EXPECT_EQ(plain_text(formula), text) << sequence.name << " " << block.path(card.name);
        });
  }
  words.erase("");  // nothing was recorded, nothing is said
  EXPECT_THAT(words, testing::IsSubsetOf(kSaidInWords));
  EXPECT_EQ(words.size(), 2u);
}

TEST(Formulas, OfOddTextsAreWords) {
  for (const char* odd : {"(", "a +", "exp(", "⟨a, b", "|a", "m_", "m_{t", "a b)", "[1, 2]", "§",
                          "a = = b", "1..2", "C[1", "C[1, 2", "√", "−"}) {
    const Formula formula = formula_of(odd);
    EXPECT_EQ(formula.sign, Sign::words) << odd;
    EXPECT_EQ(formula.text, odd);
  }
  EXPECT_EQ(plain_text(formula_of("p = exp(z) / Σ exp(z') = exp(z − ln Σ exp(z'))")),
            "p = exp(z) / Σ exp(z') = exp(z − ln Σ exp(z'))");
  EXPECT_EQ(plain_text(formula_of("x = −Inf + NaN · (+Inf)")), "x = −Inf + NaN · (+Inf)");
}

/// Computes a tree from the inputs of a place, with none of the program's own arithmetic.
class Evaluated {
 public:
  Evaluated(const std::vector<EquationInput>& inputs, double eps, int step)
      : inputs_(inputs), eps_(eps), step_(step) {}

  /// The right side of an equation, with its clauses.
  double equation(const Formula& f) {
    if (f.sign != Sign::list) return number(right(f));
    const Formula& clause = f.parts[1];
    if (clause.sign == Sign::where)
      return number(clause.parts[1].parts[0]) == 0.0 ? number(right(clause.parts[0]))
                                                     : number(right(f.parts[0]));
    return number(right(step_ == 0 ? clause : f.parts[0]));
  }

 private:
  static const Formula& right(const Formula& f) {
    return f.sign == Sign::equals ? f.parts.back() : f;
  }
  /// The numbers of an input whose symbol, with the time of now or of before, this is.
  const std::vector<double>* input(const Formula& f) const {
    for (const EquationInput& one : inputs_) {
      std::string text = plain_text(f);
      const std::string now = "_" + std::to_string(step_);
      for (const std::string& index :
           one.before ? std::vector<std::string>{"_{t−1}"} : std::vector<std::string>{"_t", now}) {
        const std::size_t at = text.find(index);
        if (at == text.npos) continue;
        std::string bare = text;
        bare.erase(at, index.size());
        if (bare == one.symbol) return &one.numbers;
      }
    }
    return nullptr;
  }
  double number(const Formula& f) {
    const std::vector<double> all = numbers(f);
    return all.size() == 1 ? all.front() : std::numeric_limits<double>::quiet_NaN();
  }
  double times(const Formula& a, const Formula& b) {
    const std::vector<double> x = numbers(a), y = numbers(b);
    double sum = 0.0;
    EXPECT_EQ(x.size(), y.size());
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) sum += x[i] * y[i];
    return sum;
  }
  std::vector<double> numbers(const Formula& f) {
    if (const auto* known = input(f)) return *known;
    const auto part = [&](std::size_t i) { return number(f.parts[i]); };
    switch (f.sign) {
      case Sign::number: {
        std::string text = f.text;
        for (std::size_t at = 0; (at = text.find("−")) != text.npos;) text.replace(at, 3, "-");
        return {std::strtod(text.c_str(), nullptr)};
      }
      case Sign::symbol:
        EXPECT_EQ(f.text, "ε");
        return {eps_};
      case Sign::minus:
        return {-part(0)};
      case Sign::sum:
        return {part(0) + part(1)};
      case Sign::difference:
        return {part(0) - part(1)};
      case Sign::quotient:
        return {part(0) / part(1)};
      case Sign::bars:
        return {std::abs(part(0))};
      case Sign::brackets:
      case Sign::transposed:
        return numbers(f.parts[0]);
      case Sign::times:
      case Sign::product:
      case Sign::scalar_product:
        return {times(f.parts[0], f.parts[1])};
      case Sign::of:
      case Sign::call:
        return {function(f)};
      default:
        ADD_FAILURE() << "not to be computed: " << plain_text(f);
        return {};
    }
  }
  double function(const Formula& f) {
    const double x = number(f.parts[0]);
    if (f.text == "exp") return std::exp(x);
    if (f.text == "tanh") return std::tanh(x);
    if (f.text == "σ") return 1.0 / (1.0 + std::exp(-x));
    if (f.text == "log") return std::log(x);
    if (f.text == "max") return std::max(x, number(f.parts[1]));
    ADD_FAILURE() << "no such function: " << f.text;
    return 0.0;
  }

  const std::vector<EquationInput>& inputs_;
  double eps_;
  int step_;
};

TEST(Formulas, ComputeWhatTheCellsSayTheyCompute) {
  std::set<std::string> equations;
  for (const Played& sequence : every_cell_played()) {
    at_every_place(
        sequence, [&](const BlockCard& block, const ValueCard& card, int step, int head, int unit) {
          if (!card.side) return;
          SCOPED_TRACE(sequence.name + " " + block.path(card.name) + ": " + card.equation);
          Place place(*sequence.trace, block, step, head, unit);
          const std::optional<Side> side = card.side(place);
          ASSERT_TRUE(side && place.complete());
          const auto inputs = inputs_of(
              *sequence.trace, block, {block.path(card.name), step, head, unit}, Columns::replayed);
          Evaluated evaluated(inputs, block.variant.eps, step);
          EXPECT_NEAR(evaluated.equation(formula_of(card.equation)), side->value,
                      1e-9 * std::max(1.0, std::abs(side->value)))
              << "at " << step << ", " << head << ", " << unit;
          equations.insert(card.equation);
        });
  }
  EXPECT_GT(equations.size(), 30u);
}

TEST(Inputs, AreWhereTheyAreRecorded) {
  const Played sequence = played("mixed", small_mixed());
  const BlockCard& matrix = sequence.blocks[0];
  const int cell = 2 * matrix.value_dim + 3;
  const auto inputs =
      inputs_of(*sequence.trace, matrix, {matrix.path("C"), 3, 1, cell}, Columns::left_out);
  ASSERT_EQ(inputs.size(), 5u);
  const auto at = [&](const char* name, int step, int unit) {
    return static_cast<double>(sequence.trace->find(step, matrix.path(name))->at(1, unit));
  };
  EXPECT_EQ(inputs[0].numbers, std::vector<double>{at("forget_gate", 3, 0)});
  EXPECT_EQ(inputs[3].numbers, std::vector<double>{at("k", 3, 2)});
  EXPECT_EQ(inputs[4].numbers, std::vector<double>{at("v", 3, 3)});
  EXPECT_EQ(inputs[1].place.step, 2);
  EXPECT_EQ(inputs[1].place.unit, cell);
  EXPECT_EQ(inputs[1].title, "matrix memory, one step before");
  const LiveEquation before = live_equation(*sequence.trace, matrix, matrix.path("C"), 2, 1, cell);
  EXPECT_EQ(inputs[1].numbers, std::vector<double>{before.value});
  // A read-out takes a whole column and the whole query.
  const ValuePlace read{matrix.path("h"), 3, 1, 4};
  const auto short_list = inputs_of(*sequence.trace, matrix, read);
  EXPECT_TRUE(short_list[0].replayed && short_list[0].whole && short_list[0].numbers.empty());
  const auto list = inputs_of(*sequence.trace, matrix, read, Columns::replayed);
  ASSERT_EQ(list[0].numbers.size(), static_cast<std::size_t>(matrix.key_dim));
  EXPECT_EQ(list[1].numbers.size(), static_cast<std::size_t>(matrix.key_dim));
  EXPECT_EQ(
      list[0].numbers[1],
      live_equation(*sequence.trace, matrix, matrix.path("C"), 3, 1, matrix.value_dim + 4).value);
  // Before the first step states are zero; beyond the last nothing is recorded.
  EXPECT_EQ(inputs_of(*sequence.trace, matrix, {matrix.path("n"), 0, 0, 0})[1].numbers,
            std::vector<double>{0.0});
  for (const EquationInput& input :
       inputs_of(*sequence.trace, matrix, {matrix.path("n"), 99, 0, 0}))
    EXPECT_TRUE(input.numbers.empty()) << input.name;
  EXPECT_TRUE(inputs_of(*sequence.trace, matrix, {"no/such/path", 0, 0, 0}).empty());
}

/// Every command of a text in LaTeX.
std::set<std::string> commands_of(const std::string& latex) {
  std::set<std::string> commands;
  for (std::size_t at = 0; (at = latex.find('\\', at)) != latex.npos; ++at) {
    std::size_t end = at + 1;
    while (end < latex.size() && std::isalpha(static_cast<unsigned char>(latex[end])) != 0) ++end;
    if (end == at + 1) ++end;
    commands.insert(latex.substr(at, end - at));
    at = end - 1;
  }
  return commands;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
  return count;
}

void expect_well_formed(const std::string& latex) {
  static const std::set<std::string> kKnown{
      "\\sigma",  "\\sum",        "\\exp",   "\\log",   "\\ln",  "\\tanh",        "\\max",
      "\\min",    "\\frac",       "\\sqrt",  "\\text",  "\\top", "\\langle",      "\\rangle",
      "\\left",   "\\right",      "\\cdot",  "\\times", "\\,",   "\\quad",        "\\infty",
      "\\mathrm", "\\varepsilon", "\\begin", "\\end",   "\\\\",  "\\operatorname"};
  int depth = 0, fences = 0;
  for (const char c : latex) {
    EXPECT_GT(static_cast<signed char>(c), 0) << "not ASCII: " << latex;
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    fences += c == '(' ? 1 : c == ')' ? -1 : 0;
    EXPECT_GE(depth, 0) << latex;
  }
  EXPECT_EQ(depth, 0) << latex;
  EXPECT_EQ(fences, 0) << latex;
  EXPECT_EQ(count_of(latex, "\\left"), count_of(latex, "\\right")) << latex;
  EXPECT_EQ(count_of(latex, "\\begin{aligned}"), count_of(latex, "\\end{aligned}")) << latex;
  EXPECT_EQ(count_of(latex, "_"), count_of(latex, "_{")) << latex;
  EXPECT_THAT(commands_of(latex), testing::IsSubsetOf(kKnown)) << latex;
}

TEST(Latex, OfEveryEquationIsWellFormed) {
  for (const auto& [name, card] : every_card()) {
    SCOPED_TRACE(name);
    expect_well_formed(latex_of(card.equation));
    expect_well_formed(latex_of(card.symbol));
  }
  for (const Played& sequence : every_cell_played()) {
    at_every_place(
        sequence, [&](const BlockCard& block, const ValueCard& card, int step, int head, int unit) {
          const LiveEquation live =
              live_equation(*sequence.trace, block, block.path(card.name), step, head, unit);
          const std::string both = aligned_latex(card.equation, live.text);
          expect_well_formed(both);
          EXPECT_EQ(count_of(both, "&"), live.text.empty() ? 1u : 2u) << both;
        });
  }
}

TEST(Latex, SaysWhatTheTextSays) {
  const std::map<std::string, std::string> pairs{
      {"f'_t = exp(log σ(f_t) + m_{t−1} − m_t)",
       "f'_{t} = \\exp(\\log \\sigma(f_{t}) + m_{t-1} - m_{t})"},
      {"h_t = C_tᵀ q_t / (N_t + 1e−6)",
       "h_{t} = \\frac{C_{t}^{\\top} \\, q_{t}}{N_{t} + 1 \\times 10^{-6}}"},
      {"N_t = max(|s_t|, exp(−m_t))", "N_{t} = \\max(\\left|s_{t}\\right|, \\exp(-m_{t}))"},
      {"s_t = ⟨q_t, n_t⟩", "s_{t} = \\langle q_{t}, n_{t} \\rangle"},
      {"i_t = c · tanh((w · x_t + b) / c)",
       "i_{t} = c \\cdot \\tanh\\left(\\frac{w \\cdot x_{t} + b}{c}\\right)"},
      {"q_t = W x_t / √K", "q_{t} = \\frac{W \\, x_{t}}{\\sqrt{K}}"},
      {"SiLU(z_t) = z_t · σ(z_t)", "\\operatorname{SiLU}(z_{t}) = z_{t} \\cdot \\sigma(z_{t})"},
      {"f'_t = σ(f_t), 0 where n_{t−1} = 0",
       "f'_{t} = \\sigma(f_{t}),\\quad 0 \\text{ where } n_{t-1} = 0"},
      {"N_0 = max(|−0.250|, exp(−(−1))) = 2.72",
       "N_{0} = \\max(\\left|-0.250\\right|, \\exp(-(-1))) = 2.72"},
      {"m_0 = i, the first write = −Inf", "m_{0} = i,\\quad \\text{the first write} = -\\infty"},
      {"C_7[3, 4] = 0.5 · 1.23e−7 + NaN",
       "C_{7}[3, 4] = 0.5 \\cdot 1.23 \\times 10^{-7} + \\text{NaN}"},
      {"write_7[3, 4] = 1", "\\mathrm{write}_{7}[3, 4] = 1"},
      {"h_t = C_tᵀ q_t / (N_t + ε)",
       "h_{t} = \\frac{C_{t}^{\\top} \\, q_{t}}{N_{t} + \\varepsilon}"},
      {"p = exp(z − ln Σ exp(z'))", "p = \\exp(z - \\ln \\sum \\exp(z'))"}};
  for (const auto& [plain, latex] : pairs) EXPECT_EQ(latex_of(plain), latex);
  EXPECT_EQ(aligned_latex("exp(f_t)", "exp(f_2) = exp(1) = 2.72"),
            "\\begin{aligned}\n  & \\exp(f_{t}) \\\\\n  \\exp(f_{2}) &= \\exp(1) = 2.72\n"
            "\\end{aligned}");
  EXPECT_EQ(aligned_latex("", ""), "");
  // Whatever comes, no character is left that LaTeX would take for a command.
  EXPECT_EQ(latex_of("50 % of a_b & {c} \\d für $"),
            "\\text{50 \\% of a\\_b \\& \\{c\\} \\textbackslash d f?r \\$}");
}

}  // namespace
}  // namespace xlab::tests
