// Rows of a table by token number on CUDA devices.
#include "kernels/embed_cuda.hpp"

#include "kernels/cuda.cuh"

namespace xlab::cuda {
namespace {

constexpr int kThreads = 128;

__device__ inline float wide(std::uint16_t half) {
  return __int_as_float(static_cast<int>(static_cast<unsigned>(half) << 16));
}
template <typename T>
__device__ inline T wide(T x) {
  return x;
}

/// next[n] = the first position after n with the same id, or -1; later[m] = 1 for every m that is
/// some position's next. One warp for each n looks at 32 positions at a time.
__global__ void link_equal_ids(std::int64_t count, const std::int32_t* ids, std::int64_t* next,
                               std::int32_t* later) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t n = global_thread() / kWarp;
  if (n >= count) return;  // whole warps
  const std::int32_t id = ids[n];
  std::int64_t found = -1;
  for (std::int64_t begin = n + 1; begin < count && found < 0; begin += kWarp) {
    const std::int64_t m = begin + lane;
    const unsigned equal = __ballot_sync(kAllLanes, m < count && ids[m] == id);
    if (equal == 0) continue;
    int first = 0;
    while ((equal >> first & 1u) == 0) ++first;
    found = begin + first;
  }
  if (lane != 0) return;
  next[n] = found;
  if (found >= 0) later[found] = 1;
}

/// The blocks of the first position of every id walk along all positions of it, in order.
template <typename T>
__global__ void add_rows(std::int64_t vocabulary, std::int64_t width, const std::int32_t* ids,
                         const std::int64_t* next, const std::int32_t* later, const T* dout,
                         T* dtable) {
  const std::int64_t first = blockIdx.x;
  if (later[first] != 0) return;
  const std::int64_t id = ids[first];
  if (id < 0 || id >= vocabulary) return;
  for (std::int64_t j = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x; j < width;
       j += static_cast<std::int64_t>(gridDim.y) * kThreads) {
    T sum = dtable[id * width + j];
    for (std::int64_t n = first; n >= 0; n = next[n]) sum += dout[n * width + j];
    dtable[id * width + j] = sum;
  }
}

}  // namespace

template <typename From, typename To>
void take_rows(std::int64_t count, std::int64_t vocabulary, std::int64_t width,
               const std::int32_t* ids, const From* table, To* out) {
  for_each("embed_forward", count * width, [=] __device__(std::int64_t j) {
    const std::int64_t n = j / width, id = ids[n];
    out[j] = id >= 0 && id < vocabulary ? wide(table[id * width + j - n * width]) : To(NAN);
  });
}

template <typename T>
void embed_forward(std::int64_t count, std::int64_t vocabulary, std::int64_t width,
                   const std::int32_t* ids, const T* table, T* out) {
  take_rows(count, vocabulary, width, ids, table, out);
}

void embed_forward_bf16(std::int64_t count, std::int64_t vocabulary, std::int64_t width,
                        const std::int32_t* ids, const std::uint16_t* table, float* out) {
  take_rows(count, vocabulary, width, ids, table, out);
}

template <typename T>
void embed_backward(std::int64_t count, std::int64_t vocabulary, std::int64_t width,
                    const std::int32_t* ids, const T* dout, T* dtable) {
  if (count == 0 || width == 0) return;
  const Scratch next_scratch(static_cast<std::size_t>(count) * sizeof(std::int64_t));
  const Scratch later_scratch(static_cast<std::size_t>(count) * sizeof(std::int32_t));
  std::int64_t* const next = next_scratch.as<std::int64_t>();
  std::int32_t* const later = later_scratch.as<std::int32_t>();
  fill_zero(later, static_cast<std::size_t>(count) * sizeof(std::int32_t));
  constexpr int positions = kThreads / kWarp;
  launch("embed_backward", link_equal_ids,
         {dim3(static_cast<unsigned>((count + positions - 1) / positions)), kThreads}, count, ids,
         next, later);
  constexpr std::int64_t most_columns = 1 << 15;
  const std::int64_t columns = (width + kThreads - 1) / kThreads;
  launch("embed_backward", add_rows<T>,
         {dim3(static_cast<unsigned>(count),
               static_cast<unsigned>(columns < most_columns ? columns : most_columns)),
          kThreads},
         vocabulary, width, ids, next, later, dout, dtable);
}

#define XLAB_INSTANTIATE(T)                                                                   \
  template void embed_forward(std::int64_t, std::int64_t, std::int64_t, const std::int32_t*,  \
                              const T*, T*);                                                  \
  template void embed_backward(std::int64_t, std::int64_t, std::int64_t, const std::int32_t*, \
                               const T*, T*);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
