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
  T keep = T(0);
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
      const X factor = all<T, W>(x[r * x_row]);
#pragma GCC unroll 4
      for (int l = 0; l < Tile; ++l) acc[r][l] = fused<T, W>(factor, line[l], acc[r][l]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int l = 0; l < Tile; ++l) {
      T* const to = p.out + (row + r) * p.out_row + column + l * W;
      if (p.keep != T(0)) acc[r][l] = fused<T, W>(all<T, W>(p.keep), load<W>(to), acc[r][l]);
      store<W>(to, acc[r][l]);
    }
  }
}

/// All rows of some columns: what is read of m stays in the first-level cache meanwhile.
template <int W, int Tile, typename T>
inline void multiply_columns(const SmallProduct<T>& p, std::int64_t column) {
  std::int64_t row = 0;
  for (; row + 8 <= p.rows; row += 8) multiply_tile<W, Tile, 8>(p, row, column);
  for (; row + 4 <= p.rows; row += 4) multiply_tile<W, Tile, 4>(p, row, column);
  for (; row < p.rows; ++row) multiply_tile<W, Tile, 1>(p, row, column);
}

template <typename T>
inline void multiply(const SmallProduct<T>& p) {
  constexpr int W = kLanes<T>;
  std::int64_t column = 0;
  for (; column + 2 * W <= p.columns; column += 2 * W) multiply_columns<W, 2>(p, column);
  for_lanes<T>(column, p.columns, [&]<int N>(std::int64_t at) { multiply_columns<N, 1>(p, at); });
}

}  // namespace xlab::kernels
