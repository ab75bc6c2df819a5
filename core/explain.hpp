// Equation cards: what a recorded value means, in words and as an equation. Standard types only.
#pragma once

#include <string>
#include <vector>

#include "core/trace.hpp"
#include "core/variant.hpp"

namespace xlab {

/// Three significant digits with a real minus sign: "0.0123", "−12.3", "1.23e−7", "NaN", "+Inf".
/// Whole numbers below 100,000 keep all their digits. The one way to write a number in equations
/// and on screen.
std::string short_number(double value);
/// A formatted number as it is printed: "-1.20e-07" becomes "−1.20e−7".
std::string typeset_number(const std::string& plain);

/// The explanation of one kind of value.
struct EquationCard {
  std::string symbol;    ///< e.g. "f'"
  std::string title;     ///< e.g. "forget gate (stabilised)"
  std::string words;     ///< one sentence
  std::string equation;  ///< plain text, e.g. "f'_t = exp(log σ(f̃_t) + m_{t-1} − m_t)"
  std::string range;     ///< unit or range, e.g. "0..1"
  /// Last parts of the paths it is computed from; "m@-1" is m one step before.
  std::vector<std::string> inputs;
};

/// The card of a path ("block0/mlstm/forget_gate") of a cell with these equations, or null when the
/// path is not known.
const EquationCard* explain(const std::string& path, const CellVariant& variant = {});

/// The card's equation with the numbers of one step, head and unit put in, e.g.
/// "f'_7 = exp(−0.049 + 1.2 − 1.151) = 1.00".
struct LiveEquation {
  std::string text;
  double value = 0.0;      ///< recorded
  double evaluated = 0.0;  ///< right-hand side from the recorded inputs
  bool complete = false;   ///< false when an input was not recorded (then only `value` holds)
};
LiveEquation live_equation(const Trace& trace, const std::string& path, int step, int head,
                           int unit, const CellVariant& variant = {});

}  // namespace xlab
