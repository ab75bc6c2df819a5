// Numbers as text: short on screen, complete when copied.
#pragma once

#include <string>
#include <vector>

#include "core/short_number.hpp"

namespace xlab::ui {

using xlab::short_number;

/// The ways to write a number where room is scarce, most digits first: three, two and one
/// significant digit, each in full and as a power of ten where that is shorter. Whole numbers below
/// 100,000 are written in full or as a power. The first is `short_number`.
std::vector<std::string> number_forms(double value);

/// A label of an axis: as few digits as the distance between ticks needs.
std::string tick_number(double value, double distance);

/// A number of the log domain with what it stands for: "e^3.2 (24.5)".
std::string log_number(double exponent);

/// Reading it back gives the same number: "0.1", "-3e-05", "nan", "inf".
std::string full_number(float value);
std::string full_number(double value);

}  // namespace xlab::ui
