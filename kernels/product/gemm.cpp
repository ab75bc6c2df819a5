// The matrix product: b is rearranged once into panels a few registers wide, then every tile of the
// result is kept in registers while it is summed.
#include "kernels/product/gemm.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/arrays.hpp"
#include "kernels/lanes.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

// A tile of the result: with 32 registers 16 hold sums, 2 a row of b and 1 a number of a; with 16
// registers 8 hold sums. Eight sums at least keep two multipliers of latency 4 busy.
constexpr int kTileRows = kRegisters == 32 ? 8 : 4;
constexpr int kTileRegisters = 2;
template <typename T>
constexpr std::int64_t kPanel = kTileRegisters* kLanes<T>;

// A panel of b this deep stays in the first-level cache while kRowBlock rows of a, which stay in
// the second-level one, pass by.
constexpr std::int64_t kDepth = 256;
constexpr std::int64_t kRowBlock = 96;

// Multiply-adds per chunk: about 40 us.
constexpr std::int64_t kChunkWork = 1 << 21;
// Numbers rearranged per chunk, and steps rearranged together.
constexpr std::int64_t kPackGrain = 1 << 16;
constexpr std::int64_t kPackSteps = 32;

// Below any of these, rearranging costs more than it gives.
constexpr std::int64_t kLeastRows = 32, kLeastColumns = 16, kLeastSteps = 12;
// So few rows or columns are multiplied one by one.
constexpr std::int64_t kThin = 4;
// How many numbers before their use a line of a row is asked for.
constexpr std::int64_t kFarAhead = 256;

std::int64_t round_up(std::int64_t x, std::int64_t step) {
  return (x + step - 1) / step * step;
}

/// One tile: c = start + a b over k steps. `a` steps by `row` from row to row and by `column` from
/// step to step; `b` is a panel; `start` steps by `start_row`.
template <int kRows, int kColumns, typename T>
void tile(std::int64_t k, const T* a, std::int64_t row, std::int64_t column, const T* b,
          const T* start, std::int64_t start_row, T* c, std::int64_t c_row) {
  Lanes<T> sums[kRows][kColumns];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kColumns; ++j)
      sums[i][j] = load<kLanes<T>>(start + i * start_row + j * kLanes<T>);
  }
  for (std::int64_t p = 0; p < k; ++p, a += column, b += kColumns * kLanes<T>) {
    Lanes<T> line[kColumns];
#pragma GCC unroll 2
    for (int j = 0; j < kColumns; ++j) line[j] = load<kLanes<T>>(b + j * kLanes<T>);
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
    for (int j = 0; j < kColumns; ++j) store<kLanes<T>>(c + i * c_row + j * kLanes<T>, sums[i][j]);
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
  T beside[kTileRows * kColumns * kLanes<T>] = {};
  constexpr std::int64_t beside_row = kColumns * kLanes<T>;
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

/// A factor with `size` numbers per step, rearranged: for every kDepth steps its panels one after
/// the other, each a line of kPanelWidth numbers per step, zeros past the last one. The last panel
/// is only as wide as whole units of kUnit need.
template <typename T, std::int64_t kPanelWidth, std::int64_t kUnit>
struct Panels {
  std::int64_t size = 0, steps = 0;
  Tensor numbers;

  std::int64_t padded() const { return round_up(size, kUnit); }
  std::int64_t width(std::int64_t j) const { return std::min(kPanelWidth, padded() - j); }
  /// The first line of the panel at number j, from step p on, which begins a new depth.
  T* at(std::int64_t p, std::int64_t j) const {
    return numbers.data<T>() + p * padded() + j * std::min(kDepth, steps - p);
  }
};

template <typename T>
using RowPanels = Panels<T, kTileRows, kTileRows>;
template <typename T>
using ColumnPanels = Panels<T, kPanel<T>, kLanes<T>>;

/// Rearranges steps [begin, end) of the panel at number j.
template <typename T, std::int64_t kPanelWidth, std::int64_t kUnit>
void rearrange_panel(const Factor<T>& x, std::int64_t begin, std::int64_t end, std::int64_t j,
                     const Panels<T, kPanelWidth, kUnit>& to) {
  const std::int64_t depth_begin = begin / kDepth * kDepth;
  const std::int64_t width = to.width(j), known = std::min(width, to.size - j);
  T* line = to.at(depth_begin, j) + (begin - depth_begin) * width;
  if (x.transposed) {
    for (std::int64_t c = 0; c < known; ++c) {
      const T* from = x.data + (j + c) * x.stride;
      for (std::int64_t p = begin; p < end; ++p) line[(p - begin) * width + c] = from[p];
    }
  } else if (known == kPanelWidth) {
    const T* from = x.data + j;
    for (std::int64_t p = begin; p < end; ++p, line += kPanelWidth) {
      std::memcpy(line, from + p * x.stride, kPanelWidth * sizeof(T));
    }
    return;
  } else {
    for (std::int64_t p = begin; p < end; ++p) {
      std::copy_n(x.data + p * x.stride + j, known, line + (p - begin) * width);
    }
  }
  for (std::int64_t p = begin; p < end; ++p, line += width) {
    std::fill(line + known, line + width, T(0));
  }
}

/// Rearranges x, whose step p is its row p (or column, if transposed), on all threads.
template <typename T, std::int64_t kPanelWidth, std::int64_t kUnit>
void rearrange(const Factor<T>& x, std::int64_t steps, std::int64_t size,
               Panels<T, kPanelWidth, kUnit>& to) {
  to = {size, steps, Tensor::empty({steps, round_up(size, kUnit)}, dtype_of<T>)};
  // Rows a power of two apart share one set of the first-level cache, which holds eight of them
  // until the next panel has read the rest of their lines.
  const std::int64_t together = x.transposed || size < 512 ? kPackSteps : 8;
  const std::int64_t grain = round_up(rows_per_chunk(kPackGrain, size), kPackSteps);
  for_ranges(steps, grain, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; begin += together) {
      const std::int64_t stop = std::min(end, begin + together);
      for (std::int64_t j = 0; j < size; j += kPanelWidth) rearrange_panel(x, begin, stop, j, to);
    }
  });
}

/// Rows [i0, i1) and columns [j0, j1) of the result, which begin a tile and a panel. `rows` holds a
/// rearranged if a is transposed: its rows lie as they are needed otherwise.
template <typename T>
void block(const Product<T>& x, const RowPanels<T>& rows, const ColumnPanels<T>& columns,
           std::int64_t i0, std::int64_t i1, std::int64_t j0, std::int64_t j1) {
  static constexpr T zeros[kPanel<T>] = {};
  for (std::int64_t p = 0; p < x.k; p += kDepth) {
    const std::int64_t depth = std::min(kDepth, x.k - p);
    // The first steps start from what is asked for, later ones from the sum so far.
    const bool from_c = x.accumulate || p > 0;
    const auto strip = [&](std::int64_t i, std::int64_t count, const Steps<T>& a, std::int64_t j) {
      T* c = x.c + i * x.c_stride + j;
      const T* b = columns.at(p, j);
      const T* start = from_c ? c : x.bias != nullptr ? x.bias + j : zeros;
      const std::int64_t start_row = from_c ? x.c_stride : 0;
      const std::int64_t width = std::min(kPanel<T>, x.n - j);
      if (width == kPanel<T>) {
        tiles<kTileRows, 2, T>(count, depth, a, b, start, start_row, c, x.c_stride);
      } else if (width > kLanes<T>) {
        narrow_tiles<2>(count, width, depth, a, b, start, start_row, c, x.c_stride);
      } else if (width == kLanes<T>) {
        tiles<kTileRows, 1, T>(count, depth, a, b, start, start_row, c, x.c_stride);
      } else {
        narrow_tiles<1>(count, width, depth, a, b, start, start_row, c, x.c_stride);
      }
    };
    for (std::int64_t i = i0; i < i1; i += kRowBlock) {
      const std::int64_t end = std::min(i1, i + kRowBlock);
      for (std::int64_t j = j0; j < j1; j += kPanel<T>) {
        if (x.a.transposed) {
          for (std::int64_t r = i; r < end; r += kTileRows) {
            strip(r, std::min<std::int64_t>(kTileRows, end - r), {rows.at(p, r), 1, rows.width(r)},
                  j);
          }
        } else {
          strip(i, end - i, {x.a.data + i * x.a.stride + p, x.a.stride, 1}, j);
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

/// `kCount` rows of b at once against one row of a: out[j] = start[j] + <a, row j of b>.
template <int kCount, typename T>
void row_dots(const T* a, const T* b, std::int64_t stride, std::int64_t k, const T* start, T* out) {
  Lanes<T> sums[kCount][2] = {};
  std::int64_t p = 0;
  for (; p + 2 * kLanes<T> <= k; p += 2 * kLanes<T>) {
    const Lanes<T> low = load<kLanes<T>>(a + p), high = load<kLanes<T>>(a + p + kLanes<T>);
#pragma GCC unroll 4
    for (int j = 0; j < kCount; ++j) {
      const T* row = b + j * stride + p;
      __builtin_prefetch(row + kFarAhead);
      __builtin_prefetch(row + kFarAhead + kLanes<T>);
      sums[j][0] += low * load<kLanes<T>>(row);
      sums[j][1] += high * load<kLanes<T>>(row + kLanes<T>);
    }
  }
  for (int j = 0; j < kCount; ++j) {
    T rest = T(0);
    for (std::int64_t q = p; q < k; ++q) rest += a[q] * b[j * stride + q];
    const T sum = xlab::sum<T, kLanes<T>>(sums[j][0] + sums[j][1]) + rest;
    out[j] = start == nullptr ? sum : start[j] + sum;
  }
}

/// Products of so few rows, or columns, that every number of b^T, or of a, is used only once or
/// twice: memory sets the pace.
template <typename T>
void thin(const Product<T>& x) {
  const auto part = [&](std::int64_t i0, std::int64_t i1, std::int64_t j0, std::int64_t j1) {
    for (std::int64_t j = j0; j < j1; j += 4) {
      const T* b = x.b.data + j * x.b.stride;
      for (std::int64_t i = i0; i < i1; ++i) {
        const T* a = x.a.data + i * x.a.stride;
        T* c = x.c + i * x.c_stride + j;
        const T* start = x.accumulate ? c : x.bias != nullptr ? x.bias + j : nullptr;
        if (j + 4 <= j1) {
          row_dots<4>(a, b, x.b.stride, x.k, start, c);
        } else {
          for (std::int64_t r = 0; r < j1 - j; ++r) {
            row_dots<1>(a, b + r * x.b.stride, x.b.stride, x.k,
                        start == nullptr ? nullptr : start + r, c + r);
          }
        }
      }
    }
  };
  const std::int64_t longer = std::max(x.m, x.n), shorter = std::min(x.m, x.n);
  for_ranges(longer, round_up(rows_per_chunk(kChunkWork / 4, shorter * x.k), 4),
             [&](std::int64_t begin, std::int64_t end) {
               x.m > x.n ? part(begin, end, 0, x.n) : part(0, x.m, begin, end);
             });
}

/// Products that are small in some direction, by Eigen, cut along the longer side.
template <typename T>
void small(const Product<T>& x) {
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
        if (rows <= kThin) {
          for (std::int64_t i = 0; i < rows; ++i) out.row(i).noalias() += left.row(i) * right;
        } else if (cols <= kThin) {
          for (std::int64_t j = 0; j < cols; ++j) out.col(j).noalias() += left * right.col(j);
        } else {
          out.noalias() += left * right;
        }
      });
    });
  };
  const std::int64_t longer = std::max(x.m, x.n), shorter = std::min(x.m, x.n);
  const std::int64_t work = shorter > kThin ? kChunkWork : kChunkWork / 4;
  const std::int64_t grain = round_up(rows_per_chunk(work, shorter * x.k), kPanel<T>);
  for_ranges(longer, grain, [&](std::int64_t begin, std::int64_t end) {
    x.m > x.n ? part(begin, end, 0, x.n) : part(0, x.m, begin, end);
  });
}

}  // namespace

template <typename T>
void gemm(const Product<T>& x) {
  if (x.m == 0 || x.n == 0) return;
  if (std::min(x.m, x.n) <= kThin && !x.a.transposed && x.b.transposed) {
    thin(x);
    return;
  }
  if (x.m < kLeastRows || x.n < kLeastColumns || x.k < kLeastSteps) {
    small(x);
    return;
  }
  ColumnPanels<T> columns;
  rearrange(x.b, x.k, x.n, columns);
  RowPanels<T> rows;
  if (x.a.transposed) rearrange(Factor<T>{x.a.data, x.a.stride}, x.k, x.m, rows);
  // Cut along the longer side into equal pieces of whole tiles.
  const bool by_rows = x.m >= x.n;
  const std::int64_t longer = std::max(x.m, x.n), unit = by_rows ? kTileRows : kPanel<T>;
  const std::int64_t least = rows_per_chunk(kChunkWork, std::min(x.m, x.n) * x.k);
  const std::int64_t pieces =
      std::clamp<std::int64_t>(longer / least, 1, (longer + unit - 1) / unit);
  const std::int64_t grain = round_up((longer + pieces - 1) / pieces, unit);
  for_ranges(longer, grain, [&](std::int64_t begin, std::int64_t end) {
    by_rows ? block(x, rows, columns, begin, end, 0, x.n)
            : block(x, rows, columns, 0, x.m, begin, end);
  });
}

template void gemm(const Product<float>&);
template void gemm(const Product<double>&);

}  // namespace xlab::kernels
