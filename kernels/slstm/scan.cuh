// What the ways forward and back of the sLSTM on a card have in common; for .cu files only.
//
// A warp has four units of up to eight sequences. Its lanes first share the products with R of all
// of them, each lane a part of the inner index. Adding up the parts leaves every lane with the sum
// of one unit of one sequence, whose cell it then works out.
#pragma once

#include <cstring>

#include "kernels/device/cuda.cuh"
#include "kernels/slstm/cuda.hpp"

namespace xlab::cuda {

inline constexpr int kSlstmGates = 4;
/// Units of a warp, and lanes of a unit.
inline constexpr int kWarpUnits = 4;
inline constexpr int kUnitLanes = kWarp / kWarpUnits;
/// Threads of a block: so few that each may have 128 registers.
inline constexpr int kMostSlstmThreads = 512;

/// As many numbers as one instruction loads.
template <typename T>
inline constexpr int kChunk = 16 / static_cast<int>(sizeof(T));
template <typename T>
struct alignas(16) Chunk {
  T at[kChunk<T>];
};

__host__ __device__ inline bool is_aligned(const void* memory) {
  return reinterpret_cast<std::uintptr_t>(memory) % 16 == 0;
}

/// A chunk that begins where chunks may.
template <typename T>
__device__ inline Chunk<T> whole_chunk(const T* from) {
#ifdef __CUDACC__
  return *reinterpret_cast<const Chunk<T>*>(from);
#else
  // g++ may take the alignment it is told of here for that of loads in another branch.
  if (!is_aligned(from)) __builtin_trap();
  Chunk<T> chunk;
  std::memcpy(&chunk, from, sizeof chunk);
  return chunk;
#endif
}

/// The numbers from `from` on, and zeros after the first `valid`. `aligned` when every chunk can be
/// loaded at once.
template <typename T>
__device__ inline Chunk<T> load_chunk(const T* from, int valid, bool aligned) {
  if (aligned) return whole_chunk(from);
  Chunk<T> chunk;
#pragma unroll
  for (int e = 0; e < kChunk<T>; ++e) chunk.at[e] = e < valid ? from[e] : T(0);
  return chunk;
}

/// Adds up Count sums over the lanes that differ in the bits of `First` and below. Where there are
/// several, each lane keeps only the half that its bit stands for: the sum left in sums[0] is the
/// one with the lane's highest bits as its index. The order of the additions is the same for every
/// Count.
template <int Count, int First, typename T>
__device__ inline void scatter_sums(T* sums, int lane) {
  if constexpr (First > 0) {
    if constexpr (Count > 1) {
      constexpr int half = Count / 2;
      const bool upper = (lane & First) != 0;
#pragma unroll
      for (int j = 0; j < half; ++j) {
        const T given = upper ? sums[j] : sums[j + half];
        const T kept = upper ? sums[j + half] : sums[j];
        sums[j] = kept + __shfl_xor_sync(kAllLanes, given, First);
      }
      scatter_sums<half, First / 2>(sums, lane);
    } else {
      sums[0] += __shfl_xor_sync(kAllLanes, sums[0], First);
      scatter_sums<1, First / 2>(sums, lane);
    }
  }
}

/// What a thread of a block with G sequences has to do.
template <int G>
struct SlstmThread {
  __device__ explicit SlstmThread(const SlstmSizes& z)
      : lane(static_cast<int>(threadIdx.x) % kWarp),
        part(lane % kUnitLanes),
        first_unit(static_cast<int>(threadIdx.x) / kWarp * kWarpUnits),
        step(static_cast<int>(blockDim.x) / kWarp * kWarpUnits),
        head(blockIdx.x % z.H),
        first(blockIdx.x / z.H * G),
        rows(z.B - first < G ? static_cast<int>(z.B - first) : G),
        row(part / (kUnitLanes / G)),
        owner(part % (kUnitLanes / G) == 0 && row < rows),
        sequence(first + (row < rows ? row : 0)) {}

  int lane;
  int part;        ///< of the inner index, in the product of its unit
  int first_unit;  ///< of the four of its warp, in the first round
  int step;        ///< units of all warps
  std::int64_t head;
  std::int64_t first;  ///< sequence of the block
  int rows;            ///< sequences of the block that are there
  int row;             ///< its own sequence among them, if it owns any
  bool owner;          ///< whether it works out the cell
  std::int64_t sequence;
};

template <typename T>
struct OpenGate {
  T m, input_gate, forget_gate;
};

/// The gates of the LSTM, or stabilise() with the rule of the first step: where n is 0 there is
/// nothing to forget.
template <typename T>
__device__ inline OpenGate<T> open_gates(const SlstmGates& gates, T i, T f, T m_prev, T n_prev) {
  if (gates.memory == kernels::ScalarMemory::lstm) return {T(0), sigmoid(i), sigmoid(f)};
  const T log_forget = gates.forget_gate == kernels::ForgetGate::sigmoid ? log_sigmoid(f) : f;
  const bool first = n_prev == T(0);
  if (!gates.stabilizer) {
    return {T(0), std::exp(i), first ? T(0) : std::exp(log_forget + m_prev)};
  }
  if (first) return {i, T(1), T(0)};
  const StabilisedGates<T> open = stabilise(i, log_forget, m_prev);
  return {open.m, open.input_gate, open.forget_gate};
}

/// Threads of a block for heads of D units.
inline int slstm_threads(std::int64_t D) {
  const std::int64_t threads = (D + kWarpUnits - 1) / kWarpUnits * kWarp;
  return static_cast<int>(threads < kMostSlstmThreads ? threads : kMostSlstmThreads);
}

/// As few sequences a block as still leave all blocks at work at the same time.
inline int slstm_sequences(const SlstmSizes& z) {
  const std::int64_t room =
      std::int64_t{multiprocessors()} * (kMostSlstmThreads / slstm_threads(z.D));
  int sequences = 1;
  while (sequences < kUnitLanes && z.H * ((z.B + sequences - 1) / sequences) > room) sequences *= 2;
  return sequences;
}

inline unsigned slstm_blocks(const SlstmSizes& z, int sequences) {
  return static_cast<unsigned>(z.H * ((z.B + sequences - 1) / sequences));
}

}  // namespace xlab::cuda
