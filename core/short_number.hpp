// Numbers as people read them. Standard types only.
#pragma once

#include <string>

namespace xlab {

/// Three significant digits with a real minus sign: "0.0123", "−12.3", "1.23e−7", "NaN", "+Inf".
/// Whole numbers below 100,000 keep all their digits. The one way to write a number in equations
/// and on screen.
std::string short_number(double value);
/// A formatted number as it is printed: "-1.20e-07" becomes "−1.20e−7".
std::string typeset_number(const std::string& plain);

}  // namespace xlab
