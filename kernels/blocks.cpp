// Numbers into blocks, and back.
#include "kernels/blocks.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace xlab {
namespace {

constexpr std::int64_t kHalfBlock = kBlock / 2;

/// The size of the largest number as bits, which are in the order of sizes; NaN and infinity come
/// out as the largest of all.
std::uint32_t largest_size(const float* from) {
  std::uint32_t most = 0;
  for (std::int64_t j = 0; j < kBlock; ++j)
    most = std::max(most, std::bit_cast<std::uint32_t>(from[j]) & 0x7fffffffu);
  return most;
}

/// The nearest whole number, ties to even, for sizes below 2^22: the sum has no room for more.
float nearest_whole(float x) {
  constexpr float kNoRoom = 12582912.0f;  // 1.5 * 2^23
  return (x + kNoRoom) - kNoRoom;
}

/// The scale of 64 numbers, and what they are in it.
template <int kMost>
Bf16 scale_and_wholes(const float* from, float* wholes) {
  const std::uint32_t most = largest_size(from);
  std::fill_n(wholes, kBlock, 0.0f);
  constexpr std::uint32_t kInfinity = 0x7f800000u;
  if (most >= kInfinity) return Bf16(std::numeric_limits<float>::quiet_NaN());
  const Bf16 rounded(std::bit_cast<float>(most) / static_cast<float>(kMost));
  const auto scale = static_cast<float>(rounded);
  if (scale == 0.0f) return rounded;
  // Only a scale with few digits leaves anything to be cut.
  constexpr float kEnd = kMost;
  for (std::int64_t j = 0; j < kBlock; ++j)
    wholes[j] = nearest_whole(std::min(kEnd, std::max(-kEnd, from[j] / scale)));
  return rounded;
}

}  // namespace

void pack_block(const float* from, Block8& to) {
  float wholes[kBlock];
  to.scale = scale_and_wholes<Block8::kMost>(from, wholes);
  for (std::int64_t j = 0; j < kBlock; ++j)
    to.numbers[j] = static_cast<std::int8_t>(static_cast<int>(wholes[j]));
}

void pack_block(const float* from, Block4& to) {
  float wholes[kBlock];
  to.scale = scale_and_wholes<Block4::kMost>(from, wholes);
  for (std::int64_t j = 0; j < kHalfBlock; ++j) {
    const int low = static_cast<int>(wholes[j]) + 8,
              high = static_cast<int>(wholes[j + kHalfBlock]) + 8;
    to.pairs[j] = static_cast<std::uint8_t>(low | high << 4);
  }
}

void unpack_block(const Block8& from, float* to) {
  const auto scale = static_cast<float>(from.scale);
  for (std::int64_t j = 0; j < kBlock; ++j) to[j] = scale * static_cast<float>(from.numbers[j]);
}

void unpack_block(const Block4& from, float* to) {
  const auto scale = static_cast<float>(from.scale);
  for (std::int64_t j = 0; j < kHalfBlock; ++j) {
    const int pair = from.pairs[j];
    to[j] = scale * static_cast<float>((pair & 15) - 8);
    to[j + kHalfBlock] = scale * static_cast<float>((pair >> 4) - 8);
  }
}

}  // namespace xlab
