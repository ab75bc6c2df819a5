// Numbers as text: short on screen, complete when copied.
#pragma once

#include <string>

namespace xlab::ui {

/// Three significant digits with a real minus sign: "0.0123", "−12.3", "1.23e−7", "NaN", "+Inf".
/// Whole numbers below 100,000 keep all their digits.
std::string short_number(double value);

/// A label of an axis: as few digits as the distance between ticks needs.
std::string tick_number(double value, double distance);

/// A number of the log domain with what it stands for: "e^3.2 (24.5)".
std::string log_number(double exponent);

/// Reading it back gives the same number: "0.1", "-3e-05", "nan", "inf".
std::string full_number(float value);
std::string full_number(double value);

}  // namespace xlab::ui
