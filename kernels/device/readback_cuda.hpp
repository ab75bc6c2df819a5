// Gathering on CUDA devices. C++17 only, because nvcc reads it too.
#pragma once

#include <cstdint>

namespace xlab::cuda {

/// A run of numbers on a device, and where they go in the common block.
struct GatherPiece {
  const void* from;
  std::int64_t to;
  std::int32_t count;
  std::int32_t is_double;
};
inline constexpr std::int64_t kGatherPiece = 2048;  ///< most numbers in a piece

/// out[piece.to + j] = (float)piece.from[j] for all pieces; the list lies on the device.
void gather(const GatherPiece* pieces, std::int64_t count, float* out);

}  // namespace xlab::cuda
