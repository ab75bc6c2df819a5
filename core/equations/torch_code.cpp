// The tree of an equation becomes an expression of PyTorch, its inputs become variables.
#include "core/equations/torch_code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "core/cells/right_side.hpp"
#include "core/equations/formula.hpp"

namespace xlab {
namespace {

/// A number in its shortest form that is the same float, as Python reads it.
std::string literal(double number) {
  if (std::isnan(number)) return "float(\"nan\")";
  if (std::isinf(number)) return number > 0 ? "float(\"inf\")" : "float(\"-inf\")";
  // What came as a float is written as short as a float can be.
  const auto narrow = static_cast<float>(number);
  std::string text =
      static_cast<double>(narrow) == number ? fmt::format("{}", narrow) : fmt::format("{}", number);
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

/// "0.1, 0.2" in lines of a readable length.
std::string literals(const std::vector<double>& numbers) {
  constexpr std::size_t kLine = 92;
  std::string text, line;
  for (const double number : numbers) {
    const std::string next = literal(number) + ", ";
    if (line.size() + next.size() > kLine) {
      text += "\n    " + line;
      line.clear();
    }
    line += next;
  }
  return text + "\n    " + line + "\n";
}

/// Every symbol of the time `index` without one.
Formula timeless(Formula f, std::string_view index, bool& all) {
  if (f.sign == Sign::symbol) {
    all &= f.index == index;
    f.index.clear();
  }
  for (Formula& part : f.parts) part = timeless(std::move(part), index, all);
  return f;
}

/// The value's name where its symbol is a formula itself ("tanh(z)"), else its letter.
std::string variable_of(const std::string& symbol, const std::string& name, bool before) {
  std::string variable = symbol;
  std::string prime;
  if (variable.ends_with('\'')) {
    variable.pop_back();
    prime = "_prime";
  }
  if (variable.size() != 1) return name + (before ? "_before" : "");
  return variable + prime + (before ? "_before" : "");
}

struct Variable {
  const EquationInput* input;
  std::string name;
  bool used = false;
};

/// Writes one side of an equation as Python. What it does not know makes it `unknown`.
class TorchWriter {
 public:
  TorchWriter(const std::vector<EquationInput>& inputs, double eps, int step)
      : eps_(eps), step_(step) {
    for (const EquationInput& input : inputs)
      variables_.push_back({&input, variable_of(input.symbol, input.name, input.before)});
  }

  /// An expression that is a tensor, numbers included.
  std::string tensor(const Formula& f) {
    const std::string text = write(f);
    return f.sign == Sign::number ? "torch.tensor(" + text + ")" : text;
  }
  const std::vector<Variable>& variables() const { return variables_; }
  bool unknown() const { return unknown_; }

 private:
  Variable* find(const Formula& f) {
    for (Variable& variable : variables_) {
      // "m_0" in a clause of the first token is that of now.
      for (const std::string& index : variable.input->before
                                          ? std::vector<std::string>{"t−1"}
                                          : std::vector<std::string>{"t", std::to_string(step_)}) {
        bool all = true;
        const std::string text = plain_text(timeless(f, index, all));
        if (all && text == variable.input->symbol) return &variable;
      }
    }
    return nullptr;
  }
  bool is_vector(const Formula& f) {
    if (const Variable* variable = find(f)) return variable->input->whole;
    return f.sign == Sign::transposed && is_vector(f.parts[0]);
  }

  std::string both(const Formula& f, std::string_view sign) {
    return write(f.parts[0]) + std::string(sign) + write(f.parts[1]);
  }
  std::string product(const Formula& f) {
    if (is_vector(f.parts[0]) && is_vector(f.parts[1])) return "torch.dot(" + both(f, ", ") + ")";
    return both(f, " * ");
  }
  std::string call(const Formula& f) {
    if (f.text == "max")
      return "torch.maximum(" + tensor(f.parts[0]) + ", " + tensor(f.parts[1]) + ")";
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kNames{
        {{"exp", "torch.exp"},
         {"tanh", "torch.tanh"},
         {"σ", "torch.sigmoid"},
         {"log", "torch.log"},
         {"SiLU", "torch.nn.functional.silu"}}};
    for (const auto& [name, written] : kNames)
      if (f.text == name) return std::string(written) + "(" + tensor(f.parts[0]) + ")";
    unknown_ = true;
    return {};
  }

  std::string write(const Formula& f) {
    if (Variable* variable = find(f)) {
      variable->used = true;
      return variable->name;
    }
    switch (f.sign) {
      case Sign::number: {
        std::string text = f.text;
        for (std::size_t at; (at = text.find("−")) != text.npos;)
          text.replace(at, std::string_view("−").size(), "-");
        return text.find_first_of(".e") == text.npos ? text + ".0" : text;
      }
      case Sign::symbol:
        if (f.text == "ε") return literal(eps_);
        break;
      case Sign::minus:
        return "-" + write(f.parts[0]);
      case Sign::sum:
        return both(f, " + ");
      case Sign::difference:
        return both(f, " - ");
      case Sign::times:
      case Sign::product:
        return product(f);
      case Sign::quotient:
        return both(f, " / ");
      case Sign::transposed:
        return write(f.parts[0]);
      case Sign::brackets:
        return "(" + write(f.parts[0]) + ")";
      case Sign::bars:
        return "torch.abs(" + write(f.parts[0]) + ")";
      case Sign::scalar_product:
        return "torch.dot(" + both(f, ", ") + ")";
      case Sign::call:
        return call(f);
      case Sign::of:
        // log σ(x), where σ alone may be too small to have a logarithm.
        if (f.text == "log" && f.parts[0].sign == Sign::call && f.parts[0].text == "σ")
          return "torch.nn.functional.logsigmoid(" + write(f.parts[0].parts[0]) + ")";
        return call(f);
      default:
        break;
    }
    unknown_ = true;
    return {};
  }

  std::vector<Variable> variables_;
  double eps_;
  int step_;
  bool unknown_ = false;
};

/// The right side of an equation: its last one.
const Formula& right_side_of(const Formula& f) {
  return f.sign == Sign::equals ? f.parts.back() : f;
}

/// The expression of an equation with its clauses: one for the first token, or one with a
/// condition.
std::string expression(const Formula& equation, TorchWriter& writer, int step) {
  if (equation.sign != Sign::list) return writer.tensor(right_side_of(equation));
  const Formula& clause = equation.parts[1];
  if (clause.sign != Sign::where)
    return writer.tensor(right_side_of(step == 0 ? clause : equation.parts[0]));
  const Formula& condition = clause.parts[1];
  const std::string of = writer.tensor(condition.parts[0]);
  const std::string zero = writer.tensor(right_side_of(clause.parts[0]));
  return "torch.where(" + of + " == 0, " + zero + ", " +
         writer.tensor(right_side_of(equation.parts[0])) + ")";
}

std::string place_text(const BlockCard& block, const ValueCard& card, const ValuePlace& place) {
  std::string text = fmt::format("t = {}, head {}", place.step, place.head);
  const int values = std::max(block.value_dim, 1);
  if (card.extent == Extent::key_by_value)
    return text + fmt::format(", key {}, value {}", place.unit / values, place.unit % values);
  return card.extent == Extent::head ? text : text + fmt::format(", unit {}", place.unit);
}

/// The lines that read a vector from a recording; a column of the memory is written there again.
std::string read_from_recording(const BlockCard& block, const Variable& variable) {
  const ValuePlace& at = variable.input->place;
  const auto recorded = [&](const std::string& name, const std::string& steps) {
    return fmt::format("recorded[\"{}\"][{}, {}", block.path(name), steps, at.head);
  };
  if (!variable.input->replayed)
    return fmt::format("{} = {}].double()  # {}\n", variable.name,
                       recorded(variable.input->name, std::to_string(at.step)),
                       variable.input->title);
  const std::string until = fmt::format(":{}", at.step + 1);
  return fmt::format(
      "{0} = 0.0  # {1}, column {2}: written again\n"
      "for f, i, k, v in zip({3}, 0], {4}, 0], {5}], {6}, {2}]):\n"
      "    {0} = f.double() * {0} + i.double() * k.double() * v.double()\n",
      variable.name, variable.input->title, at.unit, recorded("forget_gate", until),
      recorded("input_gate", until), recorded("k", until), recorded("v", until));
}

std::string assignments(const BlockCard& block, const TorchWriter& writer, std::size_t longest) {
  std::string lines, read;
  for (const Variable& variable : writer.variables()) {
    if (!variable.used) continue;
    const EquationInput& input = *variable.input;
    if (!input.whole) {
      lines += fmt::format("{} = torch.tensor({})  # {}\n", variable.name,
                           literal(input.numbers.front()), input.title);
    } else if (input.numbers.size() <= longest) {
      lines += fmt::format("{} = torch.tensor([  # {}{}{}])\n", variable.name, input.title,
                           input.replayed ? fmt::format(", column {}", input.place.unit) : "",
                           literals(input.numbers));
    } else {
      read += read_from_recording(block, variable);
    }
  }
  if (read.empty()) return lines;
  return lines +
         "\n# Too many numbers to write out: they are read from a recording of this sequence, made "
         "by\n"
         "# File > Export recording, or by xlstm trace RUN --prompt TEXT --out "
         "recording.safetensors\n"
         "from safetensors.torch import load_file\n"
         "recorded = load_file(\"recording.safetensors\")\n" +
         read;
}

std::string begin_program(const std::string& what, const std::string& equation) {
  return "# " + what + "\n# " + equation +
         "\nimport torch\ntorch.set_default_dtype(torch.float64)\n\n";
}

std::string end_program(const std::string& name, double shown, bool recorded) {
  return fmt::format("print(f\"computed {{{}.item():.9g}}, {} {}\")\n", name,
                     recorded ? "recorded" : "shown", [&] {
                       // Inside a text of Python a number needs no marks of its own.
                       if (std::isnan(shown)) return std::string("nan");
                       if (std::isinf(shown)) return std::string(shown > 0 ? "inf" : "-inf");
                       return literal(shown);
                     }());
}

}  // namespace

TorchCode torch_code(const Trace& trace, const BlockCard& block, const ValuePlace& place,
                     std::size_t longest) {
  const ValueCard* card = block.value_at(place.path);
  if (!card) return {{}, "There is no equation for this value."};
  if (card->inputs.empty() || !card->side)
    return {{},
            "What this value is computed from is not recorded: it comes from outside the cell."};
  Place at(trace, block, place.step, place.head, place.unit);
  double shown = card->recorded ? at.now(card->name) : 0.0;
  if (!card->recorded) {
    const std::optional<Side> side = card->side(at);
    if (side) shown = side->value;
    if (!side) return {{}, "Not everything that this value is computed from is recorded."};
  }
  const std::vector<EquationInput> inputs = inputs_of(trace, block, place, Columns::replayed);
  const bool missing = std::any_of(inputs.begin(), inputs.end(), [](const EquationInput& input) {
    return input.numbers.empty();
  });
  if (missing || !at.complete())
    return {{}, "Not everything that this value is computed from is recorded."};

  TorchWriter writer(inputs, block.variant.eps, place.step);
  const std::string right = expression(formula_of(card->equation), writer, place.step);
  if (writer.unknown()) return {{}, "This equation has no program."};
  const std::string name = variable_of(card->symbol, card->name, false);
  std::string text = begin_program(
      fmt::format("{}: {}, {}", card->title, place.path, place_text(block, *card, place)),
      card->equation);
  text += assignments(block, writer, longest);
  text += "\n" + name + " = " + right + "\n";
  if (block.variant.number_format != NumberFormat::native)
    text += fmt::format("# The cell rounds every operation to {}; here nothing is rounded.\n",
                        name_of(block.variant.number_format));
  return {text + end_program(name, shown, card->recorded), {}};
}

TorchCode softmax_code(const std::vector<float>& logits, int token, float probability,
                       std::size_t longest) {
  if (token < 0 || token >= static_cast<int>(logits.size())) return {{}, "There is no such token."};
  std::string text = begin_program("probability of the next token, number " + std::to_string(token),
                                   "p = exp(z) / Σ exp(z')");
  const auto at = static_cast<std::size_t>(token);
  if (logits.size() <= longest) {
    const std::vector<double> all(logits.begin(), logits.end());
    text += "z = torch.tensor([  # the logits of all tokens" + literals(all) + "])\n\n";
    text += fmt::format("p = torch.softmax(z, dim=0)[{}]\n", token);
  } else {
    const double most = *std::max_element(logits.begin(), logits.end());
    double sum = 0.0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - most);
    text += fmt::format("z = torch.tensor({})  # the token's logit\n", literal(logits[at]));
    text += fmt::format("log_sum = torch.tensor({})  # ln Σ exp(z') over all {} logits\n\n",
                        literal(most + std::log(sum)), logits.size());
    text += "p = torch.exp(z - log_sum)\n";
  }
  return {text + end_program("p", probability, true), {}};
}

}  // namespace xlab
