// The threads that work on one row together: a warp, or a whole block for long rows; for .cu files
// only.
#pragma once

#include "kernels/device/cuda.cuh"

namespace xlab::cuda {

/// Rows up to this length get a warp each, longer ones a block each.
inline constexpr std::int64_t kLongestForWarp = 512;

/// The place of a thread in its team. Teams take rows `first`, `first + step`, ...: all members of
/// a team (and, with kBlock, of the block) make the same turns, so that they meet at every sum.
template <bool kBlock>
struct Team {
  static constexpr int kThreads = kBlock ? 256 : 128;  ///< of a block
  static constexpr int kSize = kBlock ? kThreads : kWarp;
  static constexpr int kTeams = kThreads / kSize;

  int member;
  std::int64_t first, step;

  __device__ Team()
      : member(static_cast<int>(threadIdx.x) % kSize),
        first(static_cast<std::int64_t>(blockIdx.x) * kTeams +
              static_cast<int>(threadIdx.x) / kSize),
        step(static_cast<std::int64_t>(gridDim.x) * kTeams) {}

  /// The sum over the members, in every one of them. `partial`: see block_sum.
  template <typename T>
  __device__ T sum(T x, T* partial) const {
    if constexpr (kBlock) return block_sum(x, partial);
    return warp_sum(x);
  }
  /// The largest of the members' numbers, in every one of them.
  template <typename T>
  __device__ T largest(T x, T* partial) const {
    x = warp_max(x);
    if constexpr (kBlock) {
      const int lane = static_cast<int>(threadIdx.x) % kWarp,
                warp = static_cast<int>(threadIdx.x) / kWarp;
      __syncthreads();  // whoever still reads an earlier result
      if (lane == 0) partial[warp] = x;
      __syncthreads();
      for (int w = 0; w < kThreads / kWarp; ++w) x = partial[w] > x ? partial[w] : x;
    }
    return x;
  }

  /// The layout of a kernel in which every row gets a team.
  static Layout layout(std::int64_t rows) {
    constexpr std::int64_t most_blocks = 1 << 20;
    const std::int64_t blocks = (rows + kTeams - 1) / kTeams;
    return {dim3(static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks)), kThreads};
  }
};

}  // namespace xlab::cuda
