// One small hash, for signatures of weights and files. It guards against accidents, not attackers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace xlab {

inline constexpr std::uint64_t kHashSeed = 0xcbf29ce484222325u;

/// FNV-1a, 64 bits. Pass the result of one call as the seed of the next to hash several pieces as
/// if they were one.
inline std::uint64_t hash_bytes(std::span<const std::byte> bytes, std::uint64_t seed = kHashSeed) {
  std::uint64_t hash = seed;
  for (const std::byte byte : bytes) {
    hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3u;
  }
  return hash;
}

}  // namespace xlab
