// Sizes in bytes as people read them.
#pragma once

#include <string>

namespace xlab {

/// Three digits: "812 bytes", "3.40 MB", "126 GB".
std::string bytes_text(double bytes);

}  // namespace xlab
