// Tensors as rows of their last axis, and work on them cut by size alone.
#pragma once

#include <algorithm>
#include <functional>

#include "kernels/device/threads.hpp"
#include "kernels/route.hpp"

namespace xlab::kernels {

/// Numbers per chunk of plain arithmetic, and of work with an exponential in it: some 20 us, for
/// waking a second thread takes as long.
inline constexpr std::int64_t kPlainGrain = 1 << 17;
inline constexpr std::int64_t kExpGrain = 1 << 15;

/// How many rows of the last axis a tensor has. Throws when it is absent or has no axis.
inline std::int64_t rows_of(const char* op, const char* what, const Tensor& t) {
  check(t.defined(), "[{}] needs {}, but it is missing.", op, what);
  check(t.rank() > 0, "[{}] {} has shape (), but at least one axis is needed.", op, what);
  std::int64_t rows = 1;
  for (int axis = 0; axis + 1 < t.rank(); ++axis) rows *= t.extent(axis);
  return rows;
}

/// The same shape with another last extent.
inline Shape with_last(const Shape& shape, std::int64_t last) {
  std::array<std::int64_t, Shape::kMaxRank> extents{};
  const auto rank = static_cast<std::size_t>(shape.rank());
  for (std::size_t axis = 0; axis + 1 < rank; ++axis) extents[axis] = shape[static_cast<int>(axis)];
  extents[rank - 1] = last;
  return Shape(std::span<const std::int64_t>(extents.data(), rank));
}

/// As parallel_ranges, but a single piece costs nothing on top of the work itself.
template <typename Body>
void for_ranges(std::int64_t size, std::int64_t grain, Body&& body) {
  if (size <= 0) return;
  if (size <= grain) {
    body(std::int64_t{0}, size);
    return;
  }
  parallel_ranges(size, grain, std::ref(body));
}

/// How many rows of `width` numbers make up `grain` numbers.
inline std::int64_t rows_per_chunk(std::int64_t grain, std::int64_t width) {
  return std::max<std::int64_t>(1, grain / std::max<std::int64_t>(1, width));
}

/// Sums over rows into `out` (width numbers) that do not depend on the number of threads:
/// `body(begin, end, sums)` adds rows [begin, end) into `sums`; every piece of `grain` rows has its
/// own line of sums, and the lines are added in order.
template <typename T, typename Body>
void sum_over_rows(std::int64_t rows, std::int64_t grain, std::int64_t width, T* out, Body&& body) {
  if (rows <= grain) {
    if (rows > 0) body(std::int64_t{0}, rows, out);
    return;
  }
  const std::int64_t pieces = (rows + grain - 1) / grain;
  const Tensor lines = Tensor::zeros({pieces, width}, dtype_of<T>);
  T* const first = lines.data<T>();
  const auto piece = [&](std::int64_t index) {
    const std::int64_t begin = index * grain;
    body(begin, std::min(rows, begin + grain), first + index * width);
  };
  parallel_for(pieces, std::ref(piece));
  for (std::int64_t index = 0; index < pieces; ++index) {
    const T* line = first + index * width;
    for (std::int64_t j = 0; j < width; ++j) out[j] += line[j];
  }
}

/// out[j] += sum_n x[n, j].
template <typename T>
void add_row_sums(const T* x, std::int64_t rows, std::int64_t width, T* out) {
  sum_over_rows(rows, rows_per_chunk(kPlainGrain, width), width, out,
                [&](std::int64_t begin, std::int64_t end, T* sums) {
                  for (const T* row = x + begin * width; row < x + end * width; row += width) {
                    for (std::int64_t j = 0; j < width; ++j) sums[j] += row[j];
                  }
                });
}

}  // namespace xlab::kernels
