// How much memory this computer has left.
#pragma once

#include <cstdint>

namespace xlab {

/// Bytes that can be taken without others being pushed out, as the system estimates it; where it
/// does not say, all it has.
std::uint64_t available_memory();

}  // namespace xlab
