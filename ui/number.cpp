// Numbers as text: short on screen, complete when copied.
#include "ui/number.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace xlab::ui {
namespace {

std::string not_finite(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "+Inf" : "−Inf";
}

}  // namespace

std::vector<std::string> number_forms(double value) {
  std::vector<std::string> forms{short_number(value)};
  if (!std::isfinite(value) || value == 0.0) return forms;
  const auto letters = [](const std::string& text) {
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  };
  const auto add = [&](std::string form) {
    // A form that is no shorter than the one before it is of no use.
    if (letters(form) < letters(forms.back())) forms.push_back(std::move(form));
  };
  const double size = std::abs(value);
  const bool whole = size < 1e5 && value == std::round(value);
  for (int digits = 3; digits >= 1; --digits) {
    if (!whole && size < 99999.5 && size >= 9.995e-5) {
      const std::string power = fmt::format("{:.{}e}", value, digits - 1);
      const int before = std::stoi(power.substr(power.find('e') + 1));
      // Digits before the point are never rounded away: 123 with two digits would be 120.
      if (before < digits) add(typeset_number(fmt::format("{:.{}f}", value, digits - 1 - before)));
    }
    add(typeset_number(fmt::format("{:.{}e}", value, digits - 1)));
  }
  return forms;
}

std::string tick_number(double value, double distance) {
  if (!std::isfinite(value)) return not_finite(value);
  if (std::abs(value) < std::abs(distance) * 1e-6) return "0";
  const double size = std::max(std::abs(value), std::abs(distance));
  if (size >= 1e6 || size < 1e-4) return typeset_number(fmt::format("{:.3g}", value));
  const double digits = -std::floor(std::log10(std::max(std::abs(distance), 1e-12)) + 1e-9);
  return typeset_number(
      fmt::format("{:.{}f}", value, static_cast<int>(std::clamp(digits, 0.0, 8.0))));
}

std::string log_number(double exponent) {
  if (std::isnan(exponent)) return "NaN";
  if (std::isinf(exponent)) return exponent > 0 ? "e^+Inf (+Inf)" : "e^−Inf (0)";
  const std::string power =
      typeset_number(fmt::format("{:.{}f}", exponent, std::abs(exponent) < 1.0 ? 2 : 1));
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
