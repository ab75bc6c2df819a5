// What kernels are written with: launching, walking over indices, sums of warps and blocks. For .cu
// files only. They are read twice: by nvcc, and as plain C++ by a build whose CUDA runtime is
// emulated on the CPU, so that the tests can run them without a card.
//
// Rules that keep one seed at one result: no floating-point atomics, every sum in an order that
// depends on sizes alone; no fast-math.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/device/cuda.hpp"
#include "kernels/gates.hpp"

namespace xlab::cuda {

/// Throws the sentence for a call that did not succeed.
void check_call(const char* what, cudaError_t result);
/// The stream of the device in use on this thread.
cudaStream_t stream();
/// Whether what this thread asks for is recorded for later; then `stream` is another one.
void set_recording(bool on);
/// Shared memory one block may have on the device in use.
std::size_t most_shared_bytes();
/// How many blocks the device in use works on at the same time, at least.
int multiprocessors();

/// How a kernel is spread out.
struct Layout {
  dim3 blocks;
  int threads = 1;
  std::size_t shared_bytes = 0;  ///< of dynamic shared memory, for XLAB_SHARED
};

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

/// Runs `kernel` with a layout. Every kernel of the project is started here.
#ifdef __CUDACC__
inline constexpr bool kEmulated = false;

#define XLAB_SHARED(T, name)                                          \
  extern __shared__ __align__(32) unsigned char xlab_shared_memory[]; \
  T* const name = reinterpret_cast<T*>(xlab_shared_memory)

template <typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const Layout& layout,
            const Arguments&... arguments) {
  // More than 48 KiB has to be asked for.
  if (layout.shared_bytes > 48 * 1024) {
    check_call(name, cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                          cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          static_cast<int>(layout.shared_bytes)));
  }
  kernel<<<layout.blocks, layout.threads, layout.shared_bytes, stream()>>>(arguments...);
  check_call(name, cudaGetLastError());
}
#else
inline constexpr bool kEmulated = true;

#define XLAB_SHARED(T, name) T* const name = reinterpret_cast<T*>(emulation::shared_memory())

template <typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const Layout& layout,
            const Arguments&... arguments) {
  check_call(name, emulation::launch(name, layout.blocks, layout.threads, layout.shared_bytes,
                                     [=] { kernel(arguments...); }));
}
#endif

/// Index and number of all threads along the first axis of blocks.
__device__ inline std::int64_t global_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t global_threads() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

template <typename Body>
__global__ void each_index(std::int64_t count, Body body) {
  for (std::int64_t j = global_thread(); j < count; j += global_threads()) body(j);
}

/// Calls `body(j)` on the device for every j in [0, count), in any order and side by side.
/// `body` is a lambda marked __device__ that captures by value.
template <typename Body>
void for_each(const char* name, std::int64_t count, Body body) {
  if (count <= 0) return;
  // Emulated threads cost more than the work of one index.
  constexpr int threads = kEmulated ? 1 : 256;
  constexpr std::int64_t most_blocks = kEmulated ? 1 : 1 << 14;
  const std::int64_t blocks = (count + threads - 1) / threads;
  launch(name, each_index<Body>,
         {dim3(static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks)), threads}, count,
         body);
}

/// The sum over the 32 lanes of a warp, in every lane. All lanes take part.
template <typename T>
__device__ inline T warp_sum(T x) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(kAllLanes, x, offset);
  return x;
}

/// The largest of a warp, in every lane.
template <typename T>
__device__ inline T warp_max(T x) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, x, offset);
    x = other > x ? other : x;
  }
  return x;
}

/// The sum over all threads of a block (a multiple of 32, at most 1024), in every thread. `partial`
/// is shared memory for 32 numbers, free again after the next barrier.
template <typename T>
__device__ inline T block_sum(T x, T* partial) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  x = warp_sum(x);
  __syncthreads();  // whoever still reads an earlier sum
  if (lane == 0) partial[warp] = x;
  __syncthreads();
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  T total = T(0);
  for (int w = 0; w < warps; ++w) total += partial[w];
  return total;
}

}  // namespace xlab::cuda
