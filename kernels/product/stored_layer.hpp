// A layer whose weights are stored in fewer bits than everything else, which is f32: what its
// products have in common. For linear_*.cpp only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/product/gemm.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {

/// y (rows, out) = x (rows, in) w^T + bias, which may be null.
struct StoredLayer {
  std::int64_t rows, in, out;
  const float *x, *bias;
  float* y;
};

/// Throws unless all shapes and types fit; `w` holds `stored`.
inline StoredLayer stored_layer(const char* op, const Tensor& x, const Tensor& w, const Tensor& b,
                                const Tensor& y, DType stored) {
  const std::int64_t rows = rows_of(op, "x", x);
  check(x.dtype() == DType::f32, "[{}] x, beside weights of {}, holds {}, but f32 is needed.", op,
        name_of(stored), name_of(x.dtype()));
  const std::int64_t in = x.extent(-1);
  check(w.rank() == 2, "[{}] needs w of two axes (out, in), but it has shape {}.", op, w.shape());
  const std::int64_t out = w.extent(0);
  require(op, "w", w, {out, in}, stored);
  require_if_present(op, "b", b, {out}, DType::f32);
  require(op, "y", y, with_last(x.shape(), out), DType::f32);
  return {rows, in, out, x.data<float>(), data_or_null<float>(b), y.data<float>()};
}

/// So many rows are multiplied with every weight that passes by; more go through the matrix
/// product.
inline constexpr int kMostStreamedRows = 8;

/// Calls `dots.template operator()<R, C>(column, apart)` for all columns of y, in chunks that hold
/// about `grain` weights. R is the number of rows; C columns, `apart` from one another, are
/// computed at once: memory sets the pace of one row of x, and is read best in one run. For more
/// rows two of w are multiplied together, from two runs.
template <int R = 1, typename Dots>
void stream_columns(const StoredLayer& layer, std::int64_t grain, Dots&& dots) {
  if constexpr (R < kMostStreamedRows) {
    if (layer.rows > R) return stream_columns<R + 1>(layer, grain, dots);
  }
  for_ranges(layer.out, rows_per_chunk(grain, layer.in), [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t half = R == 1 ? 0 : (end - begin) / 2;
    for (std::int64_t o = begin; o < begin + half; ++o) dots.template operator()<R, 2>(o, half);
    for (std::int64_t o = begin + 2 * half; o < end; ++o) dots.template operator()<R, 1>(o, 0);
  });
}

/// Many rows: `widen(begin, end, to)` writes rows [begin, end) of w as f32, a piece at a time.
template <typename Widen>
void multiply_widened(const StoredLayer& layer, Widen&& widen) {
  constexpr std::int64_t kWidened = 1 << 20;  // 4 MiB in f32
  const std::int64_t piece = std::min(layer.out, rows_per_chunk(kWidened, layer.in));
  const Tensor wide = Tensor::empty({piece, layer.in}, DType::f32);
  float* const to = wide.data<float>();
  for (std::int64_t begin = 0; begin < layer.out; begin += piece) {
    const std::int64_t count = std::min(piece, layer.out - begin);
    for_ranges(count, rows_per_chunk(kPlainGrain, layer.in),
               [&](std::int64_t first, std::int64_t last) {
                 widen(begin + first, begin + last, to + first * layer.in);
               });
    gemm<float>({.m = layer.rows,
                 .n = count,
                 .k = layer.in,
                 .a = {layer.x, layer.in},
                 .b = {to, layer.in, true},
                 .c = layer.y + begin,
                 .c_stride = layer.out,
                 .bias = layer.bias == nullptr ? nullptr : layer.bias + begin});
  }
}

}  // namespace xlab::kernels
