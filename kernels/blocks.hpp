// Weights in 8 and in 4 bits: blocks of numbers that share a scale. For weights that are only read;
// arithmetic is done in float32.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/bf16.hpp"

namespace xlab {

/// So many neighbours of a row share a scale.
inline constexpr std::int64_t kBlock = 64;

/// Number j is scale * numbers[j]; these lie between -127 and 127.
struct Block8 {
  static constexpr int kMost = 127;
  Bf16 scale;
  std::int8_t numbers[kBlock];
};

/// Number j is scale * (n - 8), where n, between 1 and 15, is the lower half of pairs[j], or the
/// upper half of pairs[j - 32].
struct Block4 {
  static constexpr int kMost = 7;
  Bf16 scale;
  std::uint8_t pairs[kBlock / 2];
};

static_assert(sizeof(Block8) == 66 && sizeof(Block4) == 34, "tensors hold them without gaps");

template <typename T>
inline constexpr bool kIsBlock = std::is_same_v<T, Block8> || std::is_same_v<T, Block4>;

/// The numbers of a block: w becomes the nearest multiple of the scale, which is the bf16 number
/// next to max |w| / kMost. So no number is off by more than half a scale, and what came out of a
/// block goes into the same block again. (Where 64 numbers are all below 1e-36 in size the scale
/// has few digits or is 0, and they are off by up to 1e-38.) Where one of them is NaN or infinite,
/// the scale is NaN: then all of them are when they come back.
void pack_block(const float* from, Block8& to);
void pack_block(const float* from, Block4& to);

/// The 64 numbers, each exactly what scale times whole number is.
void unpack_block(const Block8& from, float* to);
void unpack_block(const Block4& from, float* to);

}  // namespace xlab
