// Rows of a table by token number on CUDA devices.
#include "kernels/embed_cuda.hpp"

#include "kernels/device/cuda.cuh"

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

/// Positions whose rows are added up before the pieces' sums are added in order: an id that is
/// everywhere would otherwise make one long chain.
constexpr std::int64_t kPiece = 128;

/// How the positions of equal ids hang together.
struct Links {
  std::int64_t* next;    ///< the next position of the id in its piece, or -1
  std::int64_t* follow;  ///< of an id's first position in a piece: that in a later piece, or -1
  std::int32_t* later;   ///< 1 where `follow` of some position leads, otherwise 0
};
/// In `follow`, of positions that are not the first in their piece.
constexpr std::int64_t kNotFirst = -2;

/// The first of the positions [begin, end) with this id, or -1; looked for by a whole warp.
__device__ inline std::int64_t first_equal(const std::int32_t* ids, std::int32_t id,
                                           std::int64_t begin, std::int64_t end) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (; begin < end; begin += kWarp) {
    const std::int64_t m = begin + lane;
    const unsigned equal = __ballot_sync(kAllLanes, m < end && ids[m] == id);
    if (equal == 0) continue;
    int first = 0;
    while ((equal >> first & 1u) == 0) ++first;
    return begin + first;
  }
  return -1;
}

/// One warp for every position; `later` holds zeros before.
__global__ void link_equal_ids(std::int64_t count, const std::int32_t* ids, Links links) {
  const std::int64_t n = global_thread() / kWarp;
  if (n >= count) return;  // whole warps
  const std::int32_t id = ids[n];
  const std::int64_t begin = n / kPiece * kPiece;
  const std::int64_t end = begin + kPiece < count ? begin + kPiece : count;
  const std::int64_t next = first_equal(ids, id, n + 1, end);
  const bool first = first_equal(ids, id, begin, n) < 0;
  const std::int64_t follow = first ? first_equal(ids, id, end, count) : kNotFirst;
  if (static_cast<int>(threadIdx.x) % kWarp != 0) return;
  links.next[n] = next;
  links.follow[n] = follow;
  if (follow >= 0) links.later[follow] = 1;
}

/// sums[n] = the rows of an id in its piece, for every n that is the first of several there.
template <typename T>
__global__ void sum_in_pieces(std::int64_t width, Links links, const T* dout, T* sums) {
  const std::int64_t first = blockIdx.x;
  if (links.follow[first] == kNotFirst || links.next[first] < 0) return;
  for (std::int64_t j = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x; j < width;
       j += static_cast<std::int64_t>(gridDim.y) * kThreads) {
    T sum = T(0);
    for (std::int64_t n = first; n >= 0; n = links.next[n]) sum += dout[n * width + j];
    sums[first * width + j] = sum;
  }
}

/// The blocks of the very first position of an id walk along its pieces.
template <typename T>
__global__ void add_pieces(std::int64_t vocabulary, std::int64_t width, const std::int32_t* ids,
                           Links links, const T* dout, const T* sums, T* dtable) {
  const std::int64_t first = blockIdx.x, id = ids[first];
  if (links.follow[first] == kNotFirst || links.later[first] != 0) return;
  if (id < 0 || id >= vocabulary) return;
  for (std::int64_t j = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x; j < width;
       j += static_cast<std::int64_t>(gridDim.y) * kThreads) {
    T sum = dtable[id * width + j];
    for (std::int64_t n = first; n >= 0; n = links.follow[n]) {
      sum += (links.next[n] < 0 ? dout : sums)[n * width + j];
    }
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
  const auto numbers = static_cast<std::size_t>(count);
  const Scratch next(numbers * sizeof(std::int64_t)), follow(numbers * sizeof(std::int64_t)),
      later(numbers * sizeof(std::int32_t)),
      sums(numbers * static_cast<std::size_t>(width) * sizeof(T));
  const Links links{next.as<std::int64_t>(), follow.as<std::int64_t>(), later.as<std::int32_t>()};
  fill_zero(links.later, numbers * sizeof(std::int32_t));
  constexpr int positions = kThreads / kWarp;
  launch("embed_backward", link_equal_ids,
         {dim3(static_cast<unsigned>((count + positions - 1) / positions)), kThreads}, count, ids,
         links);
  constexpr std::int64_t most_columns = 1 << 15;
  const std::int64_t columns = (width + kThreads - 1) / kThreads;
  const Layout layout{dim3(static_cast<unsigned>(count),
                           static_cast<unsigned>(columns < most_columns ? columns : most_columns)),
                      kThreads};
  launch("embed_backward", sum_in_pieces<T>, layout, width, links, dout, sums.as<T>());
  launch("embed_backward", add_pieces<T>, layout, vocabulary, width, ids, links, dout, sums.as<T>(),
         dtable);
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
