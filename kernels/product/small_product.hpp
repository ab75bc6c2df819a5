// Matrix products too small to be worth rearranging: they run inside one thread, on numbers that
// the caller has in its cache. For .cpp files of this folder only.
#pragma once

#include <cstdint>

#include "kernels/lanes.hpp"

namespace xlab::kernels {

/// out (rows x columns) = keep * out + x (rows x inner) m (inner x columns). With keep = 0, `out`
/// is not read. The lines of m and out are contiguous; x lies anyhow.
template <typename T>
struct SmallProduct {
  std::int64_t rows, inner, columns;
  const T* x;
  std::int64_t x_row, x_inner;  ///< distance between rows, and between the numbers of a row
  const T* m;
  std::int64_t m_row;
  T* out;
  std::int64_t out_row;
  const T* start = nullptr;
  std::int64_t start_row = 0;
  T keep = T(1);
  const T* bias = nullptr;
};

/// Rows x (W * Tile) results stay in registers while the inner index runs.
template <int W, int Tile, int Rows, typename T>
inline void multiply_tile(const SmallProduct<T>& p, std::int64_t row, std::int64_t column) {
  using X = Lanes<T, W>;
  X acc[Rows][Tile];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int l = 0; l < Tile; ++l) acc[r][l] = X{};
  }
  const T* m = p.m + column;
  const T* x = p.x + row * p.x_row;
  const std::int64_t inner = p.inner, x_row = p.x_row, x_inner = p.x_inner, m_row = p.m_row;
  for (std::int64_t j = 0; j < inner; ++j, m += m_row, x += x_inner) {
    X line[Tile];
#pragma GCC unroll 4
    for (int l = 0; l < Tile; ++l) line[l] = load<W>(m + l * W);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int l = 0; l < Tile; ++l) acc[r][l] += x[r * x_row] * line[l];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int l = 0; l < Tile; ++l) {
      // The largest terms come last: a far-out number keeps the digits of what is added to it.
      const std::int64_t at = column + l * W;
      if (p.bias != nullptr) acc[r][l] += load<W>(p.bias + at);
      if (p.start != nullptr && p.keep != T(0)) {
        const X before = load<W>(p.start + (row + r) * p.start_row + at);
        acc[r][l] = fused<T, W>(all<T, W>(p.keep), before, acc[r][l]);
      }
      store<W>(p.out + (row + r) * p.out_row + at, acc[r][l]);
    }
  }
}

/// All rows of some columns: what is read of m stays in the first-level cache meanwhile.
template <int W, int Tile, typename T>
inline void multiply_columns(const SmallProduct<T>& p, std::int64_t column) {
  std::int64_t row = 0;
  if constexpr (Tile <= 2) {
    for (; row + 8 <= p.rows; row += 8) multiply_tile<W, Tile, 8>(p, row, column);
  }
  for (; row + 4 <= p.rows; row += 4) multiply_tile<W, Tile, 4>(p, row, column);
  for (; row < p.rows; ++row) multiply_tile<W, Tile, 1>(p, row, column);
}

template <typename T>
inline void multiply(const SmallProduct<T>& p) {
  constexpr int W = kLanes<T>;
  std::int64_t column = 0;
  // Few rows need more columns at once to keep the multipliers busy.
  if (p.rows < 8) {
    for (; column + 4 * W <= p.columns; column += 4 * W) multiply_columns<W, 4>(p, column);
  }
  for (; column + 2 * W <= p.columns; column += 2 * W) multiply_columns<W, 2>(p, column);
  for_lanes<T>(column, p.columns, [&]<int N>(std::int64_t at) { multiply_columns<N, 1>(p, at); });
}

}  // namespace xlab::kernels
