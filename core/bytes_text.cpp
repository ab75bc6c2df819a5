// Sizes in bytes as people read them.
#include "core/bytes_text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace xlab {

std::string bytes_text(double bytes) {
  if (bytes < 999.5)
    return fmt::format("{:.0f} byte{}", bytes, std::round(bytes) == 1.0 ? "" : "s");
  const char* unit = "kB";
  double size = bytes / 1e3;
  for (const char* larger : {"MB", "GB", "TB"}) {
    if (size < 999.5) break;
    unit = larger;
    size /= 1e3;
  }
  return fmt::format("{:.{}f} {}", size, size < 9.995 ? 2 : size < 99.95 ? 1 : 0, unit);
}

}  // namespace xlab
