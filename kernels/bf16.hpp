// Numbers in 16 bits.
#pragma once

#include <bit>
#include <cstdint>

namespace xlab {

/// A number in 16 bits: the upper half of a float32. For weights that are only read; arithmetic is
/// done in float32.
struct Bf16 {
  std::uint16_t bits = 0;

  Bf16() = default;
  /// The nearest one, ties to even; NaN stays NaN.
  explicit Bf16(float value) {
    const auto wide = std::bit_cast<std::uint32_t>(value);
    const bool nan = (wide & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<std::uint16_t>(nan ? (wide >> 16) | 0x40u
                                          : (wide + 0x7fffu + ((wide >> 16) & 1u)) >> 16);
  }
  /// Exact.
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

}  // namespace xlab
