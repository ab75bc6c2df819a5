// Numbers as text: short on screen, complete when copied.
#include "ui/number.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace xlab::ui {
namespace {

/// Replaces the hyphen by a minus sign and shortens the exponent: "1.20e-07" becomes "1.20e−7".
std::string typeset(const std::string& plain) {
  std::string text;
  bool leading = false;  // zeros of an exponent that say nothing
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const char c = plain[i];
    if (c == 'e') {
      text += c;
      leading = true;
    } else if (c == '-') {
      text += "−";
    } else if (c == '+' || (leading && c == '0' && i + 1 < plain.size())) {
      continue;
    } else {
      text += c;
      leading = false;
    }
  }
  return text;
}

std::string not_finite(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "+Inf" : "−Inf";
}

}  // namespace

std::string short_number(double value) {
  if (!std::isfinite(value)) return not_finite(value);
  if (value == 0.0) return "0";
  const double size = std::abs(value);
  if (size < 1e5 && value == std::round(value)) return typeset(fmt::format("{:.0f}", value));
  if (size >= 99999.5 || size < 9.995e-5) return typeset(fmt::format("{:.2e}", value));
  int before = static_cast<int>(std::floor(std::log10(size)));
  // Rounding may add a digit in front: 9.996 is 10.0, not 10.00.
  if (std::round(size * std::pow(10.0, 2 - before)) >= 1000.0) ++before;
  return typeset(fmt::format("{:.{}f}", value, std::max(0, 2 - before)));
}

std::string tick_number(double value, double distance) {
  if (!std::isfinite(value)) return not_finite(value);
  if (std::abs(value) < std::abs(distance) * 1e-6) return "0";
  const double size = std::max(std::abs(value), std::abs(distance));
  if (size >= 1e6 || size < 1e-4) return typeset(fmt::format("{:.3g}", value));
  const double digits = -std::floor(std::log10(std::max(std::abs(distance), 1e-12)) + 1e-9);
  return typeset(fmt::format("{:.{}f}", value, static_cast<int>(std::clamp(digits, 0.0, 8.0))));
}

std::string log_number(double exponent) {
  if (std::isnan(exponent)) return "NaN";
  if (std::isinf(exponent)) return exponent > 0 ? "e^+Inf (+Inf)" : "e^−Inf (0)";
  const std::string power =
      typeset(fmt::format("{:.{}f}", exponent, std::abs(exponent) < 1.0 ? 2 : 1));
  const double value = std::exp(exponent);
  if (std::isinf(value)) return fmt::format("e^{} (> 1e308)", power);
  if (value < 1e-307) return fmt::format("e^{} (< 1e−307)", power);
  return fmt::format("e^{} ({})", power, short_number(value));
}

std::string full_number(float value) {
  return std::isnan(value) ? "nan" : fmt::format("{}", value);
}

std::string full_number(double value) {
  return std::isnan(value) ? "nan" : fmt::format("{}", value);
}

}  // namespace xlab::ui
