// Matrix products on CUDA devices: tiles of the result in registers where there are many rows,
// streams of numbers that pass by once where there are few.
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/device/column_sums.cuh"
#include "kernels/product/cublas.hpp"
#include "kernels/product/gemm_cuda.hpp"

namespace xlab::cuda {
namespace products {

/// A product as the kernels see it: each matrix by the distances of its rows and columns, so that a
/// transposed one is nothing special, and of its neighbours in a batch. b may be of bf16, given by
/// its bits. Each of c's numbers starts from one of `start`, or from zero where that is null. Long
/// sums are cut into `splits` pieces of `steps` each, which lie in c one after the other.
template <typename T, typename B>
struct Task {
  std::int64_t m, n, k;
  const T* a;
  std::int64_t a_row, a_column, a_next;
  const B* b;
  std::int64_t b_row, b_column, b_next;
  T* c;
  std::int64_t c_row, c_column, c_next;
  const T* start;
  std::int64_t start_row, start_column, start_next;
  std::int64_t count, splits, steps;
};

/// The piece of index z among all pieces of all products of a batch.
template <typename T, typename B>
__device__ inline Task<T, B> piece_of(Task<T, B> task, std::int64_t z) {
  const std::int64_t index = z / task.splits, first = z % task.splits * task.steps;
  task.a += index * task.a_next + first * task.a_column;
  task.b += index * task.b_next + first * task.b_row;
  task.c += z * task.c_next;
  if (task.start != nullptr) task.start += index * task.start_next;
  if (task.k - first < task.steps) {
    task.k -= first;
  } else {
    task.k = task.steps;
  }
  return task;
}

template <typename T>
__device__ inline T widened(T x) {
  return x;
}
template <typename T>
__device__ inline T widened(std::uint16_t bits) {
  return __int_as_float(static_cast<int>(static_cast<unsigned>(bits) << 16));
}

template <typename T, typename B>
__device__ inline void finish(const Task<T, B>& task, std::int64_t i, std::int64_t j, T sum) {
  if (task.start != nullptr) sum += task.start[i * task.start_row + j * task.start_column];
  task.c[i * task.c_row + j * task.c_column] = sum;
}

// --- Many rows and columns: square tiles of the result, a few steps of both factors at a time. ---

constexpr int kTileThreads = 256;
constexpr int kDepth = 16;

/// Which numbers of a tile of a factor a thread brings to shared memory: neighbours in memory by
/// neighbouring threads. A line is a row of a or a column of b.
struct Portion {
  int line, step, line_by, step_by;
};

template <int kTile>
__device__ inline Portion portion(bool steps_are_neighbours) {
  const int thread = static_cast<int>(threadIdx.x);
  if (steps_are_neighbours) return {thread / kDepth, thread % kDepth, kTileThreads / kDepth, 0};
  return {thread % kTile, thread / kTile, 0, kTileThreads / kTile};
}

/// A thread's numbers of a tile that begins at x; zeros where the factor has ended.
template <int kLoads, typename T, typename X>
__device__ inline void fetch(const X* x, std::int64_t by_line, std::int64_t by_step,
                             std::int64_t lines, std::int64_t steps, const Portion& own,
                             T (&to)[kLoads]) {
  x += own.line * by_line + own.step * by_step;
  const std::int64_t by = own.line_by * by_line + own.step_by * by_step;
#pragma unroll
  for (int e = 0; e < kLoads; ++e) {
    const bool inside = own.line + e * own.line_by < lines && own.step + e * own.step_by < steps;
    to[e] = inside ? widened<T>(x[e * by]) : T(0);
  }
}

template <int kLoads, int kWidth, typename T>
__device__ inline void put(const T (&from)[kLoads], const Portion& own, T (*to)[kWidth]) {
#pragma unroll
  for (int e = 0; e < kLoads; ++e)
    to[own.step + e * own.step_by][own.line + e * own.line_by] = from[e];
}

/// A block computes a tile of 64 kGroups rows and columns, a thread of it kGroups times 4 rows and
/// columns that lie 64 apart: what a warp reads of shared memory together is in different banks.
template <int kGroups, typename T, typename B>
__global__ void __launch_bounds__(kTileThreads)
    product_tiles(Task<T, B> whole, std::int64_t first, std::int64_t tiles_across) {
  constexpr int kTile = 64 * kGroups, kOwn = 4 * kGroups;
  constexpr int kLoads = kTile * kDepth / kTileThreads;
  // Rows keep the alignment of four numbers.
  constexpr int kWidth = kTile + 4;
  alignas(16) __shared__ T a_tile[kDepth][kWidth];
  alignas(16) __shared__ T b_tile[kDepth][kWidth];

  const Task<T, B> task = piece_of(whole, first + blockIdx.z);
  const std::int64_t i0 = blockIdx.x / tiles_across * kTile, j0 = blockIdx.x % tiles_across * kTile;
  const Portion a_own = portion<kTile>(task.a_column == 1), b_own = portion<kTile>(task.b_row == 1);
  const int i = static_cast<int>(threadIdx.x) / 16 * 4, j = static_cast<int>(threadIdx.x) % 16 * 4;

  T sums[kOwn][kOwn] = {};
  T a_coming[kLoads], b_coming[kLoads];
  fetch(task.a + i0 * task.a_row, task.a_row, task.a_column, task.m - i0, task.k, a_own, a_coming);
  fetch(task.b + j0 * task.b_column, task.b_column, task.b_row, task.n - j0, task.k, b_own,
        b_coming);
  for (std::int64_t p = 0; p < task.k; p += kDepth) {
    put(a_coming, a_own, a_tile);
    put(b_coming, b_own, b_tile);
    __syncthreads();
    // The next numbers are on their way while these are multiplied.
    const std::int64_t next = p + kDepth;
    if (next < task.k) {
      fetch(task.a + i0 * task.a_row + next * task.a_column, task.a_row, task.a_column, task.m - i0,
            task.k - next, a_own, a_coming);
      fetch(task.b + j0 * task.b_column + next * task.b_row, task.b_column, task.b_row, task.n - j0,
            task.k - next, b_own, b_coming);
    }
#pragma unroll
    for (int step = 0; step < kDepth; ++step) {
      T a[kOwn], b[kOwn];
#pragma unroll
      for (int e = 0; e < kOwn; ++e) {
        a[e] = a_tile[step][e / 4 * 64 + i + e % 4];
        b[e] = b_tile[step][e / 4 * 64 + j + e % 4];
      }
#pragma unroll
      for (int r = 0; r < kOwn; ++r) {
#pragma unroll
        for (int c = 0; c < kOwn; ++c) sums[r][c] += a[r] * b[c];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < kOwn; ++r) {
    const std::int64_t row = i0 + r / 4 * 64 + i + r % 4;
#pragma unroll
    for (int c = 0; c < kOwn; ++c) {
      const std::int64_t column = j0 + c / 4 * 64 + j + c % 4;
      if (row < task.m && column < task.n) finish(task, row, column, sums[r][c]);
    }
  }
}

// --- Few rows: every number of b is read once, and multiplied with all rows of a. ---

constexpr int kMostRows = 8;
constexpr int kStreamWarps = 8;

/// As many numbers as one load brings.
template <typename X>
constexpr int kPack = 16 / sizeof(X);

/// kCount neighbours; with one load of 16 bytes, or a few, where they are aligned for that.
template <bool kAligned, int kCount, typename T, typename X>
__device__ inline void load(const X* from, std::int64_t by, T (&to)[kCount]) {
  if constexpr (kAligned) {
    struct alignas(16) Whole {
      X numbers[kCount];
    };
    const Whole whole = *reinterpret_cast<const Whole*>(from);
#pragma unroll
    for (int e = 0; e < kCount; ++e) to[e] = widened<T>(whole.numbers[e]);
  } else {
#pragma unroll
    for (int e = 0; e < kCount; ++e) to[e] = widened<T>(from[e * by]);
  }
}

/// For b whose columns lie in one piece each: kWarps warps for every column. The lanes add up the
/// same numbers in the same order whether or not these are aligned; products and sums are fused by
/// name, because a compiler might do it in one case only.
template <int kRows, int kWarps, bool kAligned, typename T, typename B>
__global__ void __launch_bounds__(kStreamWarps* kWarp)
    product_dots(Task<T, B> whole, std::int64_t first) {
  __shared__ T parts[kRows][kStreamWarps];
  constexpr int kLanes = kWarps * kWarp, kLine = kPack<B>;
  const Task<T, B> task = piece_of(whole, first + blockIdx.z);
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const std::int64_t column =
      static_cast<std::int64_t>(blockIdx.x) * (kStreamWarps / kWarps) + threadIdx.x / kLanes;
  // Never some warps of a column alone: those have a block to themselves.
  if (column >= task.n) return;
  const B* const b = task.b + column * task.b_column;
  const std::int64_t packed = task.k / kLine * kLine;
  T sums[kRows] = {};
#pragma unroll(kRows <= 2 ? 4 : 2)
  for (std::int64_t p = lane * kLine; p < packed; p += kLanes * kLine) {
    T line[kLine];
    load<kAligned>(b + p, 1, line);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      // Rows that are not there are computed like the last one, and forgotten.
      const std::int64_t row = r < task.m ? r : task.m - 1;
      T numbers[kLine];
      load<kAligned>(task.a + row * task.a_row + p * task.a_column, task.a_column, numbers);
#pragma unroll
      for (int e = 0; e < kLine; ++e) sums[r] = std::fma(numbers[e], line[e], sums[r]);
    }
  }
  if (packed + lane < task.k) {
    const T last = widened<T>(b[packed + lane]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const std::int64_t row = r < task.m ? r : task.m - 1;
      sums[r] = std::fma(task.a[row * task.a_row + (packed + lane) * task.a_column], last, sums[r]);
    }
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) sums[r] = warp_sum(sums[r]);
  if constexpr (kWarps == 1) {
    if (lane != 0) return;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (r < task.m) finish(task, r, column, sums[r]);
    }
  } else {
    if (lane % kWarp == 0) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) parts[r][lane / kWarp] = sums[r];
    }
    __syncthreads();
    if (lane >= kRows || lane >= task.m) return;
    T sum = parts[lane][0];
    for (int w = 1; w < kWarps; ++w) sum += parts[lane][w];
    finish(task, lane, column, sum);
  }
}

/// For b whose rows lie in one piece each: a lane for every column, and the steps dealt out to the
/// warps of a block.
template <int kRows, typename T, typename B>
__global__ void __launch_bounds__(kStreamWarps* kWarp)
    product_lines(Task<T, B> whole, std::int64_t first) {
  __shared__ T parts[kStreamWarps][kRows][kWarp];
  const Task<T, B> task = piece_of(whole, first + blockIdx.z);
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kWarp + lane;
  T sums[kRows] = {};
  if (column < task.n) {
#pragma unroll 4
    for (std::int64_t p = warp; p < task.k; p += kStreamWarps) {
      const T line = widened<T>(task.b[p * task.b_row + column * task.b_column]);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const std::int64_t row = r < task.m ? r : task.m - 1;
        sums[r] += task.a[row * task.a_row + p * task.a_column] * line;
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) parts[warp][r][lane] = sums[r];
  __syncthreads();
  // One warp for each row.
  if (warp >= kRows || warp >= task.m || column >= task.n) return;
  T sum = parts[0][warp][lane];
  for (int w = 1; w < kStreamWarps; ++w) sum += parts[w][warp][lane];
  finish(task, warp, column, sum);
}

// --- Choosing among them, by the sizes alone. ---

constexpr std::int64_t kMostInZ = 65535;
// A long sum is cut where the result alone would leave the device idle.
constexpr std::int64_t kBusyBlocks = 256, kLeastSteps = 256, kMostSplits = 32;
// Fewer columns than this, this long at least, get a block each.
constexpr std::int64_t kFewColumns = 512, kLongColumn = 1024;
// Up to here one thread for each number of the result is as good as any tile.
constexpr std::int64_t kFewSteps = 4, kSmallSide = 32;

/// Calls `body(first, count)` for runs of indices that fit the third axis of a grid.
template <typename Body>
void for_layers(std::int64_t count, Body&& body) {
  for (std::int64_t first = 0; first < count; first += kMostInZ)
    body(first, static_cast<unsigned>(count - first < kMostInZ ? count - first : kMostInZ));
}

template <int kGroups, typename T, typename B>
void run_tiles(const Task<T, B>& task) {
  constexpr std::int64_t tile = 64 * kGroups;
  const std::int64_t across = (task.n + tile - 1) / tile, down = (task.m + tile - 1) / tile;
  for_layers(task.count * task.splits, [&](std::int64_t first, unsigned layers) {
    launch("product_tiles", product_tiles<kGroups, T, B>,
           {dim3(static_cast<unsigned>(across * down), 1, layers), kTileThreads}, task, first,
           across);
  });
}

template <typename X>
bool aligned(const X* x, std::int64_t by, std::int64_t next) {
  return reinterpret_cast<std::uintptr_t>(x) % 16 == 0 && by * sizeof(X) % 16 == 0 &&
         next * sizeof(X) % 16 == 0;
}

template <int kRows, typename T, typename B>
void run_lines(const Task<T, B>& task) {
  const auto blocks = static_cast<unsigned>((task.n + kWarp - 1) / kWarp);
  for_layers(task.count * task.splits, [&](std::int64_t first, unsigned layers) {
    launch("product_lines", product_lines<kRows, T, B>,
           {dim3(blocks, 1, layers), kStreamWarps * kWarp}, task, first);
  });
}

template <int kRows, int kWarps, typename T, typename B>
void run_dots_by(const Task<T, B>& task) {
  const bool whole = task.a_column == 1 && aligned(task.a, task.a_row, task.a_next) &&
                     aligned(task.b, task.b_column, task.b_next);
  constexpr std::int64_t columns = kStreamWarps / kWarps;
  const auto blocks = static_cast<unsigned>((task.n + columns - 1) / columns);
  const auto kernel =
      whole ? product_dots<kRows, kWarps, true, T, B> : product_dots<kRows, kWarps, false, T, B>;
  for_layers(task.count, [&](std::int64_t first, unsigned layers) {
    launch("product_dots", kernel, {dim3(blocks, 1, layers), kStreamWarps * kWarp}, task, first);
  });
}

template <int kRows, typename T, typename B>
void run_dots(const Task<T, B>& task) {
  // Few long columns would leave most of the device idle with a warp for each.
  if (task.n * task.count <= kFewColumns && task.k >= kLongColumn) {
    run_dots_by<kRows, kStreamWarps>(task);
  } else {
    run_dots_by<kRows, 1>(task);
  }
}

template <typename T, typename B>
void run_few_rows_of_lines(const Task<T, B>& task) {
  if (task.m == 1) return run_lines<1>(task);
  if (task.m == 2) return run_lines<2>(task);
  if (task.m <= 4) return run_lines<4>(task);
  run_lines<kMostRows>(task);
}

template <typename T, typename B>
void run_few_rows_of_dots(const Task<T, B>& task) {
  if (task.m == 1) return run_dots<1>(task);
  if (task.m == 2) return run_dots<2>(task);
  if (task.m <= 4) return run_dots<4>(task);
  run_dots<kMostRows>(task);
}

/// One thread for each number of the result.
template <typename T, typename B>
void run_each(const Task<T, B>& task) {
  const std::int64_t m = task.m, n = task.n, count = task.count;
  // Neighbouring threads write neighbours: a batch may lie side by side in the rows of c.
  const bool side_by_side = task.c_next < task.c_row;
  for_each("product_each", count * m * n, [=] __device__(std::int64_t at) {
    const std::int64_t j = at % n, outer = at / n;
    const std::int64_t index = side_by_side ? outer % count : outer / m,
                       i = side_by_side ? outer / count : outer % m;
    const Task<T, B> one = piece_of(task, index);
    T sum = T(0);
    for (std::int64_t p = 0; p < one.k; ++p)
      sum += one.a[i * one.a_row + p * one.a_column] *
             widened<T>(one.b[p * one.b_row + j * one.b_column]);
    finish(one, i, j, sum);
  });
}

/// Runs `task` with its sums cut, and adds up the pieces in order.
template <typename T, typename B>
void run_split(const Task<T, B>& task, std::int64_t splits, void (*run)(const Task<T, B>&)) {
  const std::int64_t m = task.m, n = task.n, size = m * n;
  const Scratch scratch(static_cast<std::size_t>(task.count * splits * size) * sizeof(T));
  T* const pieces = scratch.as<T>();
  Task<T, B> cut = task;
  cut.splits = splits;
  // Whole packs, so that pieces are aligned where the whole is.
  cut.steps = ((task.k + splits - 1) / splits + kDepth - 1) / kDepth * kDepth;
  cut.splits = (task.k + cut.steps - 1) / cut.steps;
  cut.c = pieces;
  cut.c_row = n;
  cut.c_column = 1;
  cut.c_next = size;
  cut.start = nullptr;
  run(cut);
  const std::int64_t used = cut.splits;
  for_each("product_pieces", task.count * size, [=] __device__(std::int64_t at) {
    const std::int64_t index = at / size, within = at % size;
    const T* const from = pieces + index * used * size + within;
    T sum = T(0);
    for (std::int64_t s = 0; s < used; ++s) sum += from[s * size];
    finish(piece_of(task, index), within / n, within % n, sum);
  });
}

/// Runs `task`, cut into as many pieces as bring `blocks` blocks to a busy number.
template <typename T, typename B>
void run_busy(const Task<T, B>& task, std::int64_t blocks, void (*run)(const Task<T, B>&)) {
  std::int64_t splits = kBusyBlocks / blocks;
  if (splits > task.k / kLeastSteps) splits = task.k / kLeastSteps;
  if (splits > kMostSplits) splits = kMostSplits;
  if (splits > 1) {
    run_split(task, splits, run);
  } else {
    run(task);
  }
}

template <typename T, typename B>
void run(const Task<T, B>& task) {
  const std::int64_t tiles = (task.m + 63) / 64 * ((task.n + 63) / 64) * task.count;
  if (task.k <= kFewSteps || (task.k <= kSmallSide && task.n <= kSmallSide)) {
    run_each(task);
  } else if (task.m <= kMostRows && task.b_row == 1) {
    run_few_rows_of_dots(task);
  } else if (task.m <= kMostRows) {
    run_busy(task, (task.n + kWarp - 1) / kWarp * task.count, run_few_rows_of_lines<T, B>);
  } else if (std::is_same<T, float>::value && task.m > 64 && task.n > 64 &&
             tiles >= 4 * kBusyBlocks) {
    // Sums of f64 in tiles that large do not fit the registers.
    if constexpr (std::is_same<T, float>::value) run_tiles<2>(task);
  } else {
    run_busy(task, tiles, run_tiles<1, T, B>);
  }
}

/// The gradient of small blocks over many rows: c += a b with c in one piece, as sums over columns.
template <typename T>
void run_column_sums(const Task<T, T>& task) {
  const std::int64_t n = task.n, size = task.m * n;
  add_column_sums("product_sums", task.k, task.count * size, task.c,
                  [=] __device__(std::int64_t p, std::int64_t at) {
                    const std::int64_t index = at / size, i = at % size / n, j = at % n;
                    return task.a[index * task.a_next + i * task.a_row + p * task.a_column] *
                           task.b[index * task.b_next + p * task.b_row + j * task.b_column];
                  });
}

// With so many rows it costs little to widen the weights first, so many at a time: 64 MiB in f32.
constexpr std::int64_t kWidenedRows = 256, kWidened = 1 << 24;

/// linear_bf16 as products of f32.
inline void widened_linear(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
                           const std::uint16_t* w, const float* bias, float* y) {
  std::int64_t piece = in > 0 ? kWidened / in : out;
  if (piece < 1) piece = 1;
  if (piece > out) piece = out;
  const Scratch scratch(static_cast<std::size_t>(piece * in) * sizeof(float));
  float* const wide = scratch.as<float>();
  for (std::int64_t begin = 0; begin < out; begin += piece) {
    const std::int64_t count = out - begin < piece ? out - begin : piece;
    const std::uint16_t* const from = w + begin * in;
    for_each("widen", count * in,
             [=] __device__(std::int64_t j) { wide[j] = widened<float>(from[j]); });
    kernels::Product<float> product{};
    product.m = rows;
    product.n = count;
    product.k = in;
    product.a = {x, in, false};
    product.b = {wide, in, true};
    product.c = y + begin;
    product.c_stride = out;
    product.bias = bias == nullptr ? nullptr : bias + begin;
    cuda::gemm(product);
  }
}

}  // namespace products

template <typename T>
void gemm(const kernels::Product<T>& x, const Batch& batch) {
  if (x.m <= 0 || x.n <= 0 || batch.count <= 0) return;
  if (cublas_gemm(x, batch)) return;
  products::Task<T, T> task{};
  task.m = x.m;
  task.n = x.n;
  task.k = x.k;
  task.a = x.a.data;
  task.a_row = x.a.transposed ? 1 : x.a.stride;
  task.a_column = x.a.transposed ? x.a.stride : 1;
  task.a_next = batch.a;
  task.b = x.b.data;
  task.b_row = x.b.transposed ? 1 : x.b.stride;
  task.b_column = x.b.transposed ? x.b.stride : 1;
  task.b_next = batch.b;
  task.c = x.c;
  task.c_row = x.c_stride;
  task.c_column = 1;
  task.c_next = batch.c;
  if (x.accumulate) {
    task.start = x.c;
    task.start_row = x.c_stride;
    task.start_column = 1;
    task.start_next = batch.c;
  } else if (x.bias != nullptr) {
    task.start = x.bias;
    task.start_column = 1;
    task.start_next = batch.bias;
  }
  task.count = batch.count;
  task.splits = 1;
  task.steps = x.k;

  constexpr std::int64_t small = 16;
  if (x.accumulate && x.m <= small && x.n <= small && batch.count > 1 && x.k > small &&
      x.c_stride == x.n && batch.c == x.m * x.n) {
    products::run_column_sums(task);
    return;
  }
  if (task.n <= products::kMostRows && task.m > products::kMostRows &&
      task.k > products::kSmallSide) {
    // Few columns are few rows of the transposed product.
    products::Task<T, T> turned = task;
    turned.m = task.n;
    turned.n = task.m;
    turned.a = task.b;
    turned.a_row = task.b_column;
    turned.a_column = task.b_row;
    turned.a_next = task.b_next;
    turned.b = task.a;
    turned.b_row = task.a_column;
    turned.b_column = task.a_row;
    turned.b_next = task.a_next;
    turned.c_row = task.c_column;
    turned.c_column = task.c_row;
    turned.start_row = task.start_column;
    turned.start_column = task.start_row;
    products::run(turned);
    return;
  }
  products::run(task);
}
template void gemm(const kernels::Product<float>&, const Batch&);
template void gemm(const kernels::Product<double>&, const Batch&);

void linear_bf16(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
                 const std::uint16_t* w, const float* bias, float* y) {
  if (rows <= 0 || out <= 0) return;
  if (rows >= products::kWidenedRows) {
    products::widened_linear(rows, in, out, x, w, bias, y);
    return;
  }
  products::Task<float, std::uint16_t> task{};
  task.m = rows;
  task.n = out;
  task.k = in;
  task.a = x;
  task.a_row = in;
  task.a_column = 1;
  task.b = w;
  task.b_row = 1;
  task.b_column = in;
  task.c = y;
  task.c_row = out;
  task.c_column = 1;
  task.start = bias;
  task.start_column = 1;
  task.count = 1;
  task.splits = 1;
  task.steps = in;
  products::run(task);
}

}  // namespace xlab::cuda
