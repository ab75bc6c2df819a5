// What both directions of the chunkwise mLSTM on CUDA devices share: products of gates, the walk of
// the memory from chunk to chunk, and the rows that a chunk gets from both. For .cu files only.
//
// Gates lie head by head, (heads, T). Heads are taken in groups, so that the memory before every
// chunk has room.
#pragma once

#include "kernels/mlstm/chunkwise_cuda.hpp"
#include "kernels/mlstm/gates.cuh"
#include "kernels/product/tile_product.cuh"

namespace xlab::cuda::chunkwise {

/// How the work is cut: chunks of `length` steps, and `heads` of all heads at a time.
struct Cut {
  std::int64_t length, chunks, heads;
};

/// Chunks longer than a tile are cut: `copies` is how many memories and scores each chunk needs.
inline Cut cut(const MlstmRules& z, std::int64_t chunk, std::size_t bytes_per_number,
               std::int64_t copies) {
  // Little where it is emulated, so that tests see groups.
  constexpr std::int64_t kMostBytes = std::int64_t{1} << (kEmulated ? 17 : 29),
                         kMostHeads = 1 << 15;
  const std::int64_t longest = z.T < kTile ? z.T : kTile;
  const std::int64_t length = chunk < longest ? chunk : longest;
  const std::int64_t chunks = (z.T + length - 1) / length;
  const std::int64_t numbers = copies * chunks * (z.K * z.V + z.K + kTile * kTile);
  const std::int64_t fit = kMostBytes / (numbers * static_cast<std::int64_t>(bytes_per_number));
  const std::int64_t all = z.B * z.H, most = fit < kMostHeads ? fit : kMostHeads;
  const std::int64_t heads = most < 1 ? 1 : most < all ? most : all;
  return {length, chunks, heads};
}

inline std::int64_t tiles(std::int64_t width) {
  return (width + kTile - 1) / kTile;
}
/// Numbers of one memory: C, and n after it.
__host__ __device__ inline std::int64_t memory_size(const MlstmRules& z) {
  return z.K * z.V + z.K;
}
// ---- gates

/// Gates and their products, (heads, T) each.
template <typename T>
struct Products {
  const T *input_gate, *forget_gate;
  T* beta;   ///< product of the forget gates from the begin of the chunk on
  T* alpha;  ///< what of a step is left at the end of its chunk
};

/// beta and alpha of every chunk, step by step as the products are defined.
template <typename T>
void multiply_gates(const MlstmRules& z, const Cut& cut, const Products<T>& gates) {
  const std::int64_t steps = z.T, length = cut.length, chunks = cut.chunks;
  for_each("mlstm_chunk_gates", z.B * z.H * chunks, [=] __device__(std::int64_t j) {
    const std::int64_t begin = j % chunks * length,
                       end = begin + length < steps ? begin + length : steps;
    const std::int64_t first = j / chunks * steps;
    T product = T(1);
    for (std::int64_t t = begin; t < end; ++t) {
      gates.beta[first + t] = product *= gates.forget_gate[first + t];
    }
    product = T(1);
    for (std::int64_t t = end - 1; t >= begin; --t) {
      gates.alpha[first + t] = product * gates.input_gate[first + t];
      product *= gates.forget_gate[first + t];
    }
  });
}

/// D of one chunk into shared memory, lines of kTile + 1, zeros outside of it. Threads below kTile
/// come here.
template <typename T>
__device__ void fill_decays(const T* input_gate, const T* forget_gate, int size, T* decays) {
  const int j = static_cast<int>(threadIdx.x);
  T decay = T(0);
  for (int t = 0; t < kTile; ++t) {
    if (t < size) decay = t == j ? input_gate[t] : t > j ? forget_gate[t] * decay : T(0);
    decays[t * (kTile + 1) + j] = t < size ? decay : T(0);
  }
}

/// Numbers of shared memory where scores are made: decays behind the factors.
template <typename T>
inline constexpr int kScoreNumbers = kFactorNumbers<T> + kTile*(kTile + 1);

// ---- the memory

/// A memory C (K x V) and n that go from chunk to chunk, forwards or backwards:
///   C <- beta_L C + sum_j x_j (y_weight_j y_j)^T      n <- beta_L n + sum_j x_weight_j x_j
/// Forwards (x, y) = (k, v); backwards, of the gradients, (q, dh).
template <typename T>
struct Walk {
  const T *x, *y;
  const T *x_weight, *y_weight;  ///< (heads, T)
  const T* beta;
  MlstmMemory<const T> from;  ///< per head; null: zeros
  T* memories;                ///< those before every chunk on the way, of each head of the group
  MlstmMemory<T> to;          ///< what comes out behind the last chunk; null: nobody asks
  bool add;                   ///< to what is there
  bool backwards;
  const T* other;  ///< memories that these are multiplied with, or null ...
  T* products;     ///< ... and the products, kProductParts of every chunk and tile
};

/// Every warp adds up its own share of a product of memories.
inline constexpr int kProductParts = kTileThreads / kWarp;
/// Parts of the product of two memories: those of all tiles of C, and of n.
inline std::int64_t product_parts(const MlstmRules& z) {
  return (tiles(z.K) * tiles(z.V) + 1) * kProductParts;
}

template <typename T>
__device__ inline void keep_product(T share, T* to) {
  share = warp_sum(share);
  if (static_cast<int>(threadIdx.x) % kWarp == 0) to[static_cast<int>(threadIdx.x) / kWarp] = share;
}

/// One block for n, of one head: every thread has its own keys.
template <typename T>
__device__ void walk_n(const MlstmRules& z, const Cut& cut, std::int64_t first_head,
                       const Walk<T>& w, std::int64_t parts) {
  const std::int64_t own = blockIdx.y, head = first_head + own, size = memory_size(z);
  const T* const weights = w.x_weight + head * z.T;
  for (std::int64_t n = 0; n < cut.chunks; ++n) {
    const std::int64_t chunk = w.backwards ? cut.chunks - 1 - n : n;
    const std::int64_t next = w.backwards ? chunk - 1 : chunk + 1;
    const std::int64_t begin = chunk * cut.length,
                       end = begin + cut.length < z.T ? begin + cut.length : z.T;
    const bool last = n + 1 == cut.chunks;
    const std::int64_t at = (own * cut.chunks + chunk) * size + z.K * z.V,
                       next_at = (own * cut.chunks + next) * size + z.K * z.V;
    const T keep = w.beta[head * z.T + end - 1];
    T share = T(0);
    for (std::int64_t e = threadIdx.x; e < z.K; e += kTileThreads) {
      if (n == 0) w.memories[at + e] = w.from.n != nullptr ? w.from.n[head * z.K + e] : T(0);
      const T before = w.memories[at + e];
      if (w.other != nullptr) share += before * w.other[at + e];
      if (last && w.to.n == nullptr) continue;
      T sum = T(0);
      for (std::int64_t t = begin; t < end; ++t) {
        sum += weights[t] * w.x[mlstm_row(z, head, t) * z.K + e];
      }
      const T after = keep * before + sum;
      if (!last) {
        w.memories[next_at + e] = after;
      } else if (w.add) {
        w.to.n[head * z.K + e] += after;
      } else {
        w.to.n[head * z.K + e] = after;
      }
    }
    if (w.other != nullptr) {
      keep_product(share, w.products + (own * cut.chunks + chunk) * parts + parts - kProductParts);
    }
  }
}

/// Blocks (tiles of C and one for n, heads of the group).
template <typename T, typename Product>
__global__ void __launch_bounds__(kTileThreads, 2)
    walk_memory(MlstmRules z, Cut cut, std::int64_t first_head, Walk<T> w) {
  XLAB_SHARED(T, memory);
  const std::int64_t across = (z.V + kTile - 1) / kTile, tile = blockIdx.x;
  const std::int64_t parts = static_cast<std::int64_t>(gridDim.x) * kProductParts;
  if (tile + 1 == gridDim.x) {
    walk_n(z, cut, first_head, w, parts);
    return;
  }
  const std::int64_t own = blockIdx.y, head = first_head + own;
  const std::int64_t row = tile / across * kTile, column = tile % across * kTile;
  const std::int64_t rows = z.K - row < kTile ? z.K - row : kTile,
                     columns = z.V - column < kTile ? z.V - column : kTile;
  const int thread = static_cast<int>(threadIdx.x);
  const auto each = [&](const auto& body) {
    for (int at = thread; at < kTile * kTile; at += kTileThreads) {
      const int r = at / kTile, c = at % kTile;
      if (r < rows && c < columns) body(r * kTileLine + c, (row + r) * z.V + column + c);
    }
  };

  Product product(memory);
  if (w.from.C != nullptr) {
    const T* const from = w.from.C + head * z.K * z.V;
    for (int at = thread; at < kTile * kTileLine; at += kTileThreads) memory[at] = T(0);
    __syncthreads();
    each([&](int place, std::int64_t at) { memory[place] = from[at]; });
    __syncthreads();
    product.take();
  }
  for (std::int64_t n = 0; n < cut.chunks; ++n) {
    const std::int64_t chunk = w.backwards ? cut.chunks - 1 - n : n;
    const std::int64_t begin = chunk * cut.length,
                       end = begin + cut.length < z.T ? begin + cut.length : z.T;
    const std::int64_t first = (own * cut.chunks + chunk) * memory_size(z);
    const T* const spread = product.spread();
    T share = T(0);
    each([&](int place, std::int64_t at) {
      w.memories[first + at] = spread[place];
      if (w.other != nullptr) share += spread[place] * w.other[first + at];
    });
    if (w.other != nullptr) {
      keep_product(share, w.products + (own * cut.chunks + chunk) * parts + tile * kProductParts);
    }
    if (n + 1 == cut.chunks && w.to.C == nullptr) return;
    product.scale(w.beta[head * z.T + end - 1]);
    const std::int64_t at = mlstm_row(z, head, begin);
    product.add({w.x + at * z.K + row, z.H * z.K, 1, end - begin, rows},
                {w.y + at * z.V + column, z.H * z.V, 1, end - begin, columns,
                 w.y_weight + head * z.T + begin});
  }
  const T* const spread = product.spread();
  T* const to = w.to.C + head * z.K * z.V;
  each(
      [&](int place, std::int64_t at) { to[at] = w.add ? to[at] + spread[place] : spread[place]; });
}

/// Walks through all chunks of the heads [first_head, first_head + heads).
template <typename T, typename Product>
void walk(const char* name, const MlstmRules& z, const Cut& cut, std::int64_t first_head,
          std::int64_t heads, const Walk<T>& w) {
  launch(name, walk_memory<T, Product>,
         {dim3(static_cast<unsigned>(tiles(z.K) * tiles(z.V) + 1), static_cast<unsigned>(heads)),
          kTileThreads, kProductNumbers<T> * sizeof(T)},
         z, cut, first_head, w);
}

// ---- rows from the memory and from the chunk

/// Rows that every step of a chunk gets from the memory M beside it and from the other steps:
///   out_t = out_weight_t (M^T (x_weight_t x_t) + sum_j scores_tj y_j) + side_weight_t side
/// M may stand for its transposed, and scores too; `side` is the vector beside M.
template <typename T>
struct Rows {
  const T *x, *x_weight;
  std::int64_t inner, width;  ///< of x, and of y and out
  const T* memories;          ///< of each head of the group and chunk
  std::int64_t empty;         ///< the chunk whose memory is empty, or -1
  bool across;                ///< M^T is M: its rows are the numbers of `out`
  const T* scores;            ///< kTile x kTile numbers of each head of the group and chunk
  bool scores_across;
  const T* y;
  T* out;
  const T* out_weight;   ///< or null: 1
  bool add;              ///< to what is there
  const T* side_weight;  ///< or null
  const T* with;         ///< rows that what comes from the memory is multiplied with, or null ...
  T* products;           ///< ... and the products, (tiles, heads, T)
};

/// Blocks (tiles and chunks, heads of the group).
template <typename T, typename Product>
__global__ void __launch_bounds__(kTileThreads, 2)
    make_rows(MlstmRules z, Cut cut, std::int64_t first_head, Rows<T> r) {
  XLAB_SHARED(T, memory);
  const std::int64_t across = (r.width + kTile - 1) / kTile;
  const std::int64_t tile = blockIdx.x % across, chunk = blockIdx.x / across;
  const std::int64_t own = blockIdx.y, head = first_head + own, column = tile * kTile;
  const std::int64_t begin = chunk * cut.length,
                     end = begin + cut.length < z.T ? begin + cut.length : z.T;
  const std::int64_t size = end - begin,
                     columns = r.width - column < kTile ? r.width - column : kTile;
  const std::int64_t first = mlstm_row(z, head, begin), weights = head * z.T + begin;
  const T* const M = r.memories + (own * cut.chunks + chunk) * memory_size(z);
  const T* const side = M + z.K * z.V + column;
  const bool empty = chunk == r.empty;
  const int warp = static_cast<int>(threadIdx.x) / kWarp,
            lane = static_cast<int>(threadIdx.x) % kWarp;

  Product product(memory);
  if (!empty) {
    const Factor<T> from_memory{r.across ? M + column * z.V : M + column, r.across ? 1 : z.V,
                                r.across ? z.V : 1, r.inner, columns};
    product.add(
        {r.x + first * r.inner, 1, z.H * r.inner, r.inner, size, nullptr, r.x_weight + weights},
        from_memory);
  }
  if (r.with != nullptr) {
    const T* const spread = empty ? nullptr : product.spread();
    for (int t = warp; t < size; t += kTileThreads / kWarp) {
      T sum = T(0);
      for (int c = lane; c < columns && !empty; c += kWarp) {
        T x = spread[t * kTileLine + c];
        if (r.side_weight != nullptr) x += r.side_weight[weights + t] * side[c];
        sum += x * r.with[(first + t * z.H) * r.width + column + c];
      }
      sum = warp_sum(sum);
      if (lane == 0) r.products[tile * z.B * z.H * z.T + weights + t] = sum;
    }
  }
  const T* const scores = r.scores + (own * cut.chunks + chunk) * kTile * kTile;
  product.add({scores, r.scores_across ? kTile : 1, r.scores_across ? 1 : kTile, size, size},
              {r.y + first * r.width + column, z.H * r.width, 1, size, columns});
  const T* const spread = product.spread();
  for (int t = warp; t < size; t += kTileThreads / kWarp) {
    T* const out = r.out + (first + t * z.H) * r.width + column;
    const T weight = r.out_weight != nullptr ? r.out_weight[weights + t] : T(1);
    const bool has_side = r.side_weight != nullptr && !empty;
    for (int c = lane; c < columns; c += kWarp) {
      T x = weight * spread[t * kTileLine + c];
      if (has_side) x += r.side_weight[weights + t] * side[c];
      out[c] = r.add ? out[c] + x : x;
    }
  }
}

template <typename T, typename Product>
void rows(const char* name, const MlstmRules& z, const Cut& cut, std::int64_t first_head,
          std::int64_t heads, const Rows<T>& r) {
  launch(name, make_rows<T, Product>,
         {dim3(static_cast<unsigned>(tiles(r.width) * cut.chunks), static_cast<unsigned>(heads)),
          kTileThreads, kProductNumbers<T> * sizeof(T)},
         z, cut, first_head, r);
}

}  // namespace xlab::cuda::chunkwise
