// Numbers as people read them.
#include "core/short_number.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace xlab {

std::string typeset_number(const std::string& plain) {
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

std::string short_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "−Inf";
  if (value == 0.0) return "0";
  const double size = std::abs(value);
  if (size < 1e5 && value == std::round(value)) return typeset_number(fmt::format("{:.0f}", value));
  if (size >= 99999.5 || size < 9.995e-5) return typeset_number(fmt::format("{:.2e}", value));
  int before = static_cast<int>(std::floor(std::log10(size)));
  // Rounding may add a digit in front: 9.996 is 10.0, not 10.00.
  if (std::round(size * std::pow(10.0, 2 - before)) >= 1000.0) ++before;
  return typeset_number(fmt::format("{:.{}f}", value, std::max(0, 2 - before)));
}

}  // namespace xlab
