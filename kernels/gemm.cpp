// The matrix product: b is rearranged once into panels a few registers wide, then every tile of the
// result is kept in registers while it is summed.
#include "kernels/gemm.hpp"

#include <algorithm>

#include "kernels/arrays.hpp"
#include "kernels/registers.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

// A tile of the result: with 32 registers 16 hold sums, 2 a row of b and 1 a number of a; with 16
// registers 8 hold sums. Eight sums at least keep two multipliers of latency 4 busy.
constexpr int kTileRows = kRegisters == 32 ? 8 : 4;
constexpr int kTileRegisters = 2;
template <typename T>
constexpr std::int64_t kPanel = kTileRegisters* kWidth<T>;

// A panel of b this deep stays in the first-level cache while kRowBlock rows of a, which stay in
// the second-level one, pass by.
constexpr std::int64_t kDepth = 256;
constexpr std::int64_t kRowBlock = 96;

// Multiply-adds per chunk: about 40 us.
constexpr std::int64_t kChunkWork = 1 << 21;
// Rearranged numbers per chunk.
constexpr std::int64_t kPackGrain = 65536;

// Fewer rows or columns than this are bound by reading the other factor, not by arithmetic.
constexpr std::int64_t kThin = 4;

std::int64_t round_up(std::int64_t x, std::int64_t step) {
  return (x + step - 1) / step * step;
}

/// One tile: c = start + a b over k steps. `a` steps by `row` from row to row and by `column` from
/// step to step; `b` is a panel; `start` steps by `start_row`.
template <int kRows, int kColumns, typename T>
void tile(std::int64_t k, const T* a, std::int64_t row, std::int64_t column, const T* b,
          const T* start, std::int64_t start_row, T* c, std::int64_t c_row) {
  Register<T> sums[kRows][kColumns];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kColumns; ++j) load(start + i * start_row + j * kWidth<T>, sums[i][j]);
  }
  for (std::int64_t p = 0; p < k; ++p, a += column, b += kColumns * kWidth<T>) {
    Register<T> line[kColumns];
#pragma GCC unroll 2
    for (int j = 0; j < kColumns; ++j) load(b + j * kWidth<T>, line[j]);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const T factor = a[i * row];
#pragma GCC unroll 2
      for (int j = 0; j < kColumns; ++j) sums[i][j] += factor * line[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kColumns; ++j) store(c + i * c_row + j * kWidth<T>, sums[i][j]);
  }
}

/// Where the rows of a block of a lie, as `tile` steps through them.
template <typename T>
struct Steps {
  const T* data;
  std::int64_t row, column;
};

/// `rows` rows of the result for one panel, in tiles as high as possible.
template <int kRows, int kColumns, typename T>
void tiles(std::int64_t rows, std::int64_t k, Steps<T> a, const T* b, const T* start,
           std::int64_t start_row, T* c, std::int64_t c_row) {
  std::int64_t i = 0;
  for (; i + kRows <= rows; i += kRows) {
    tile<kRows, kColumns, T>(k, a.data + i * a.row, a.row, a.column, b, start + i * start_row,
                             start_row, c + i * c_row, c_row);
  }
  if constexpr (kRows > 1) {
    if (i < rows) {
      tiles<kRows / 2, kColumns, T>(rows - i, k, {a.data + i * a.row, a.row, a.column}, b,
                                    start + i * start_row, start_row, c + i * c_row, c_row);
    }
  }
}

/// The last panel, narrower than its registers: computed beside the result and copied.
template <int kColumns, typename T>
void narrow_tiles(std::int64_t rows, std::int64_t width, std::int64_t k, Steps<T> a, const T* b,
                  const T* start, std::int64_t start_row, T* c, std::int64_t c_row) {
  T beside[kTileRows * kColumns * kWidth<T>] = {};
  constexpr std::int64_t beside_row = kColumns * kWidth<T>;
  for (std::int64_t i = 0; i < rows; i += kTileRows) {
    const std::int64_t count = std::min<std::int64_t>(kTileRows, rows - i);
    for (std::int64_t r = 0; r < count; ++r) {
      std::copy_n(start + (i + r) * start_row, width, beside + r * beside_row);
    }
    tiles<kTileRows, kColumns, T>(count, k, {a.data + i * a.row, a.row, a.column}, b, beside,
                                  beside_row, beside, beside_row);
    for (std::int64_t r = 0; r < count; ++r) {
      std::copy_n(beside + r * beside_row, width, c + (i + r) * c_row);
    }
  }
}

/// The registers of the panel that begins at column j of n.
template <typename T>
std::int64_t panel_width(std::int64_t j, std::int64_t n) {
  return std::min(kPanel<T>, round_up(n - j, kWidth<T>));
}

/// Steps [p, p + depth) of the panel at column j: `depth` lines, zeros past the last column.
template <typename T>
void pack_panel(const Product<T>& x, std::int64_t p, std::int64_t depth, std::int64_t j, T* to) {
  const std::int64_t width = panel_width<T>(j, x.n);
  const std::int64_t known = std::min(width, x.n - j);
  if (x.b.transposed) {
    const T* from = x.b.data + j * x.b.stride + p;
    for (std::int64_t step = 0; step < depth; ++step, to += width) {
      for (std::int64_t column = 0; column < known; ++column) {
        to[column] = from[column * x.b.stride + step];
      }
      std::fill(to + known, to + width, T(0));
    }
  } else {
    const T* from = x.b.data + p * x.b.stride + j;
    for (std::int64_t step = 0; step < depth; ++step, to += width) {
      std::copy_n(from + step * x.b.stride, known, to);
      std::fill(to + known, to + width, T(0));
    }
  }
}

/// All of b: for every kDepth steps its panels one after the other.
template <typename T>
Tensor pack(const Product<T>& x) {
  const std::int64_t columns = round_up(x.n, kWidth<T>);
  const Tensor packed = Tensor::empty({x.k, columns}, dtype_of<T>);
  T* first = packed.data<T>();
  for (std::int64_t p = 0; p < x.k; p += kDepth) {
    const std::int64_t depth = std::min(kDepth, x.k - p);
    const std::int64_t panels = (x.n + kPanel<T> - 1) / kPanel<T>;
    for_ranges(panels, rows_per_chunk(kPackGrain, depth * kPanel<T>),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t j = begin * kPanel<T>; j < std::min(end * kPanel<T>, x.n);
                      j += kPanel<T>) {
                   pack_panel(x, p, depth, j, first + p * columns + j * depth);
                 }
               });
  }
  return packed;
}

/// Rows [i, i + rows) of a transposed a, steps [p, p + depth), in groups of kTileRows rows.
template <typename T>
void pack_rows(const Product<T>& x, std::int64_t i, std::int64_t rows, std::int64_t p,
               std::int64_t depth, T* to) {
  for (std::int64_t r = 0; r < rows; r += kTileRows) {
    const std::int64_t known = std::min<std::int64_t>(kTileRows, rows - r);
    const T* from = x.a.data + p * x.a.stride + i + r;
    for (std::int64_t step = 0; step < depth; ++step, to += kTileRows) {
      std::copy_n(from + step * x.a.stride, known, to);
    }
  }
}

/// Rows [i0, i1) and columns [j0, j1) of the result; j0 begins a panel.
template <typename T>
void block(const Product<T>& x, const T* packed, std::int64_t i0, std::int64_t i1, std::int64_t j0,
           std::int64_t j1) {
  static constexpr T zeros[kPanel<T>] = {};
  const std::int64_t columns = round_up(x.n, kWidth<T>);
  Tensor group_tensor;
  if (x.a.transposed) group_tensor = Tensor::empty({kRowBlock, kDepth}, dtype_of<T>);
  T* groups = data_or_null<T>(group_tensor);
  for (std::int64_t p = 0; p < x.k; p += kDepth) {
    const std::int64_t depth = std::min(kDepth, x.k - p);
    for (std::int64_t i = i0; i < i1; i += kRowBlock) {
      const std::int64_t rows = std::min(kRowBlock, i1 - i);
      if (groups != nullptr) pack_rows(x, i, rows, p, depth, groups);
      for (std::int64_t j = j0; j < j1; j += kPanel<T>) {
        const T* panel = packed + p * columns + j * depth;
        T* c = x.c + i * x.c_stride + j;
        const std::int64_t width = std::min(kPanel<T>, j1 - j);
        const bool wide = width > kWidth<T>;
        const auto run = [&](std::int64_t first, std::int64_t count, const Steps<T>& a) {
          T* into = c + first * x.c_stride;
          // The first steps start from what is asked for, later ones from the sum so far.
          const bool from_c = x.accumulate || p > 0;
          const T* start = from_c ? into : x.bias != nullptr ? x.bias + j : zeros;
          const std::int64_t start_row = from_c ? x.c_stride : 0;
          if (width == kPanel<T>) {
            tiles<kTileRows, 2, T>(count, depth, a, panel, start, start_row, into, x.c_stride);
          } else if (width == kWidth<T>) {
            tiles<kTileRows, 1, T>(count, depth, a, panel, start, start_row, into, x.c_stride);
          } else if (wide) {
            narrow_tiles<2>(count, width, depth, a, panel, start, start_row, into, x.c_stride);
          } else {
            narrow_tiles<1>(count, width, depth, a, panel, start, start_row, into, x.c_stride);
          }
        };
        if (groups == nullptr) {
          run(0, rows, {x.a.data + i * x.a.stride + p, x.a.stride, 1});
        } else {
          for (std::int64_t r = 0; r < rows; r += kTileRows) {
            run(r, std::min<std::int64_t>(kTileRows, rows - r), {groups + r * depth, 1, kTileRows});
          }
        }
      }
    }
  }
}

template <typename T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <typename T>
Eigen::Map<const RowMajor<T>, Eigen::Unaligned, Eigen::OuterStride<>> stored(const Factor<T>& x,
                                                                             std::int64_t rows,
                                                                             std::int64_t cols) {
  return {x.data, rows, cols, Eigen::OuterStride<>(x.stride)};
}

/// Calls `body` with x (rows x cols) as Eigen sees it, transposed or not.
template <typename T, typename Body>
void visit(const Factor<T>& x, std::int64_t rows, std::int64_t cols, Body&& body) {
  if (x.transposed) {
    body(stored(x, cols, rows).transpose());
  } else {
    body(stored(x, rows, cols));
  }
}

/// Products with hardly any rows or columns, by Eigen's matrix-vector product, cut along the longer
/// side.
template <typename T>
void thin(const Product<T>& x) {
  const auto part = [&](std::int64_t i0, std::int64_t i1, std::int64_t j0, std::int64_t j1) {
    const std::int64_t rows = i1 - i0, cols = j1 - j0;
    Eigen::Map<RowMajor<T>, Eigen::Unaligned, Eigen::OuterStride<>> out(
        x.c + i0 * x.c_stride + j0, rows, cols, Eigen::OuterStride<>(x.c_stride));
    if (x.bias != nullptr) {
      out.rowwise() = Eigen::Map<const Eigen::Matrix<T, 1, Eigen::Dynamic>>(x.bias + j0, cols);
    } else if (!x.accumulate) {
      out.setZero();
    }
    const Factor<T> a{x.a.data + i0 * (x.a.transposed ? 1 : x.a.stride), x.a.stride,
                      x.a.transposed};
    const Factor<T> b{x.b.data + j0 * (x.b.transposed ? x.b.stride : 1), x.b.stride,
                      x.b.transposed};
    visit(a, rows, x.k, [&](const auto& left) {
      visit(b, x.k, cols, [&](const auto& right) {
        if (rows <= cols) {
          for (std::int64_t i = 0; i < rows; ++i) out.row(i).noalias() += left.row(i) * right;
        } else {
          for (std::int64_t j = 0; j < cols; ++j) out.col(j).noalias() += left * right.col(j);
        }
      });
    });
  };
  const std::int64_t longer = std::max(x.m, x.n);
  const std::int64_t grain = rows_per_chunk(kChunkWork / 4, std::min(x.m, x.n) * x.k);
  for_ranges(longer, round_up(grain, 16), [&](std::int64_t begin, std::int64_t end) {
    x.m > x.n ? part(begin, end, 0, x.n) : part(0, x.m, begin, end);
  });
}

}  // namespace

template <typename T>
void gemm(const Product<T>& x) {
  if (x.m == 0 || x.n == 0) return;
  if (std::min(x.m, x.n) < kThin || x.k == 0) {
    thin(x);
    return;
  }
  const Tensor packed_tensor = pack(x);
  const T* packed = packed_tensor.data<T>();
  // Cut along the longer side into equal pieces of whole tiles.
  const bool by_rows = x.m >= x.n;
  const std::int64_t longer = std::max(x.m, x.n), unit = by_rows ? kTileRows : kPanel<T>;
  const std::int64_t least = rows_per_chunk(kChunkWork, std::min(x.m, x.n) * x.k);
  const std::int64_t pieces =
      std::clamp<std::int64_t>(longer / least, 1, (longer + unit - 1) / unit);
  const std::int64_t grain = round_up((longer + pieces - 1) / pieces, unit);
  for_ranges(longer, grain, [&](std::int64_t begin, std::int64_t end) {
    by_rows ? block(x, packed, begin, end, 0, x.n) : block(x, packed, 0, x.m, begin, end);
  });
}

template void gemm(const Product<float>&);
template void gemm(const Product<double>&);

}  // namespace xlab::kernels
