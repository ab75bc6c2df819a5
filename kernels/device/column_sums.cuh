// Sums down the columns of a matrix; for .cu files only.
#pragma once

#include "kernels/device/cuda.cuh"

namespace xlab::cuda {

/// Rows that one block adds up before the blocks' sums are added in order.
inline constexpr std::int64_t kRowsPerSum = 256;

/// lines[piece, j] = sum of term(n, j) over the rows n of a piece. One block of (32 columns, 8 rows
/// at a time) for each piece of rows and each 32 columns.
template <typename T, typename Term>
__global__ void sum_pieces(std::int64_t rows, std::int64_t width, T* lines, Term term) {
  __shared__ T part[8][kWarp + 1];
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            row = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * kWarp + lane;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kRowsPerSum;
  const std::int64_t end = begin + kRowsPerSum < rows ? begin + kRowsPerSum : rows;
  T sum = T(0);
  if (column < width) {
    for (std::int64_t n = begin + row; n < end; n += 8) sum += term(n, column);
  }
  part[row][lane] = sum;
  __syncthreads();
  if (row != 0 || column >= width) return;
  for (int r = 1; r < 8; ++r) sum += part[r][lane];
  lines[blockIdx.x * width + column] = sum;
}

/// out[j] += sum over all rows n of term(n, j), in an order that depends on the sizes alone. `term`
/// is a lambda marked __device__ that captures by value.
template <typename T, typename Term>
void add_column_sums(const char* name, std::int64_t rows, std::int64_t width, T* out, Term term) {
  if (rows <= 0 || width <= 0) return;
  const std::int64_t pieces = (rows + kRowsPerSum - 1) / kRowsPerSum;
  const Scratch scratch(static_cast<std::size_t>(pieces * width) * sizeof(T));
  T* const lines = scratch.as<T>();
  launch(name, sum_pieces<T, Term>,
         {dim3(static_cast<unsigned>(pieces), static_cast<unsigned>((width + kWarp - 1) / kWarp)),
          8 * kWarp},
         rows, width, lines, term);
  for_each(name, width, [=] __device__(std::int64_t j) {
    T sum = T(0);
    for (std::int64_t piece = 0; piece < pieces; ++piece) sum += lines[piece * width + j];
    out[j] += sum;
  });
}

}  // namespace xlab::cuda
