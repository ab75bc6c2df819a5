// Block-diagonal matrix products: small blocks inside one register, large ones as matrix products.
#include <utility>

#include "kernels/elementwise_cuda.hpp"
#include "kernels/lanes.hpp"
#include "kernels/product/gemm.hpp"
#include "kernels/product/gemm_cuda.hpp"
#include "kernels/product/linear.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

// Multiply-adds per chunk: about 40 us.
constexpr std::int64_t kProductGrain = 1 << 21;

struct Sizes {
  std::int64_t rows, blocks, out, in;

  std::int64_t x_width() const { return blocks * in; }
  std::int64_t y_width() const { return blocks * out; }
};

Sizes checked_sizes(const char* op, const Tensor& x, const Tensor& w) {
  const std::int64_t rows = rows_of(op, "x", x);
  check(w.defined() && w.rank() == 3,
        "[{}] needs w of three axes (blocks, out, in), but it has shape {}.", op, w.shape());
  const Sizes s{rows, w.extent(0), w.extent(1), w.extent(2)};
  require_dtype(op, "w", w, x.dtype());
  check(x.extent(-1) == s.x_width(),
        "[{}] x has shape {}, but its last axis must be {} * {} to fit w of shape {}.", op,
        x.shape(), s.blocks, s.in, w.shape());
  return s;
}

// --- Square blocks of at most 8: several of them side by side in one register. ---

/// In every group of kSize lanes, its lane kLane everywhere.
template <std::size_t kSize, std::size_t kLane, typename T, std::size_t... kIndex>
void spread(const Lanes<T>& from, Lanes<T>& to, std::index_sequence<kIndex...>) {
  to = __builtin_shufflevector(from, from, (static_cast<int>(kIndex / kSize * kSize + kLane))...);
}

/// Calls `body(std::integral_constant<std::size_t, j>)` for j in [0, kCount).
template <std::size_t kCount, typename Body>
void unrolled(Body&& body) {
  [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
    (body(std::integral_constant<std::size_t, kIndex>{}), ...);
  }
  (std::make_index_sequence<kCount>{});
}

template <std::size_t kSize, std::size_t kLane, typename T>
void spread_lane(const Lanes<T>& from, Lanes<T>& to) {
  spread<kSize, kLane, T>(from, to, std::make_index_sequence<kLanes<T>>{});
}

/// Whether all blocks of this shape fill whole registers.
template <typename T>
bool fits_registers(const Sizes& s) {
  const bool small = s.in == 2 || s.in == 4 || s.in == 8;
  return small && s.out == s.in && s.in <= kLanes<T> && s.x_width() % kLanes<T> == 0;
}

/// The weights column by column, columns[d][h, o] = w[h, o, d] or, transposed, w[h, d, o].
template <typename T>
Tensor weight_columns(const Sizes& s, const T* w, bool transposed) {
  const std::int64_t size = s.in, width = s.x_width();
  Tensor columns = Tensor::empty({size, width}, dtype_of<T>);
  T* to = columns.data<T>();
  for (std::int64_t d = 0; d < size; ++d) {
    for (std::int64_t h = 0; h < s.blocks; ++h) {
      for (std::int64_t o = 0; o < size; ++o) {
        to[d * width + h * size + o] =
            w[(h * size + (transposed ? d : o)) * size + (transposed ? o : d)];
      }
    }
  }
  return columns;
}

/// y = or += the blocks times x, with the weights as weight_columns gives them.
template <std::size_t kSize, typename T>
void small_product(const Sizes& s, const T* columns, const T* x, const T* bias, T* y,
                   bool accumulate) {
  const std::int64_t width = s.x_width();
  for_ranges(
      s.rows, rows_per_chunk(kProductGrain / kSize, width),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t at = 0; at < width; at += kLanes<T>) {
          Lanes<T> weight[kSize], start{};
          unrolled<kSize>([&](auto d) { weight[d] = load<kLanes<T>>(columns + d * width + at); });
          if (bias != nullptr) start = load<kLanes<T>>(bias + at);
          for (std::int64_t n = begin; n < end; ++n) {
            const auto in = load<kLanes<T>>(x + n * width + at);
            Lanes<T> sum = start;
            if (accumulate) sum = load<kLanes<T>>(y + n * width + at);
            unrolled<kSize>([&](auto d) {
              Lanes<T> lane;
              spread_lane<kSize, d, T>(in, lane);
              sum += weight[d] * lane;
            });
            store<kLanes<T>>(y + n * width + at, sum);
          }
        }
      });
}

/// dw[h, o, d] += sum_n dy[n, h, o] x[n, h, d].
template <std::size_t kSize, typename T>
void small_weight_gradient(const Sizes& s, const T* x, const T* dy, T* dw) {
  const std::int64_t width = s.x_width();
  const std::int64_t registers = width / kLanes<T>;
  const std::int64_t grain = rows_per_chunk(kProductGrain / kSize, s.rows * kLanes<T>);
  for_ranges(registers, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin * kLanes<T>; at < end * kLanes<T>; at += kLanes<T>) {
      Lanes<T> sums[kSize] = {};
      for (std::int64_t n = 0; n < s.rows; ++n) {
        const auto in = load<kLanes<T>>(x + n * width + at);
        const auto g = load<kLanes<T>>(dy + n * width + at);
        unrolled<kSize>([&](auto d) {
          Lanes<T> lane;
          spread_lane<kSize, d, T>(in, lane);
          sums[d] += g * lane;
        });
      }
      for (std::int64_t j = 0; j < kLanes<T>; ++j) {
        for (std::size_t d = 0; d < kSize; ++d) {
          dw[(at + j) * static_cast<std::int64_t>(kSize) + static_cast<std::int64_t>(d)] +=
              sums[d][j];
        }
      }
    }
  });
}

/// Calls `body(std::integral_constant<std::size_t, size>)` with the block size as a constant.
template <typename T, typename Body>
void visit_block_size(const Sizes& s, Body&& body) {
  if (s.in == 2) return body(std::integral_constant<std::size_t, 2>{});
  if (s.in == 4) return body(std::integral_constant<std::size_t, 4>{});
  if constexpr (kLanes<T> >= 8) body(std::integral_constant<std::size_t, 8>{});
}

// --- Any other blocks: one matrix product each. ---

/// What block h does to rows [begin, end).
template <typename T>
Product<T> forward_product(const Sizes& s, const T* x, const T* w, const T* bias, T* y,
                           std::int64_t h, std::int64_t begin, std::int64_t end) {
  return {.m = end - begin,
          .n = s.out,
          .k = s.in,
          .a = {x + begin * s.x_width() + h * s.in, s.x_width()},
          .b = {w + h * s.out * s.in, s.in, true},
          .c = y + begin * s.y_width() + h * s.out,
          .c_stride = s.y_width(),
          .bias = bias == nullptr ? nullptr : bias + h * s.out};
}

template <typename T>
Product<T> input_gradient_product(const Sizes& s, const T* w, const T* dy, T* dx, std::int64_t h,
                                  std::int64_t begin, std::int64_t end) {
  return {.m = end - begin,
          .n = s.in,
          .k = s.out,
          .a = {dy + begin * s.y_width() + h * s.out, s.y_width()},
          .b = {w + h * s.out * s.in, s.in},
          .c = dx + begin * s.x_width() + h * s.in,
          .c_stride = s.x_width(),
          .accumulate = true};
}

template <typename T>
Product<T> weight_gradient_product(const Sizes& s, const T* x, const T* dy, T* dw, std::int64_t h) {
  return {.m = s.out,
          .n = s.in,
          .k = s.rows,
          .a = {dy + h * s.out, s.y_width(), true},
          .b = {x + h * s.in, s.x_width()},
          .c = dw + h * s.out * s.in,
          .c_stride = s.in,
          .accumulate = true};
}

/// Calls `body(h, begin, end)` for every block and ranges of rows, on all threads.
template <typename Body>
void for_blocks(const Sizes& s, Body&& body) {
  const std::int64_t grain = rows_per_chunk(kProductGrain, s.y_width() * s.in);
  for_ranges(s.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t h = 0; h < s.blocks; ++h) body(h, begin, end);
  });
}

template <typename T>
void large_forward(const Sizes& s, const T* x, const T* w, const T* bias, T* y) {
  for_blocks(s, [&](std::int64_t h, std::int64_t begin, std::int64_t end) {
    gemm<T>(forward_product(s, x, w, bias, y, h, begin, end));
  });
}

template <typename T>
void large_input_gradient(const Sizes& s, const T* w, const T* dy, T* dx) {
  for_blocks(s, [&](std::int64_t h, std::int64_t begin, std::int64_t end) {
    gemm<T>(input_gradient_product(s, w, dy, dx, h, begin, end));
  });
}

template <typename T>
void large_weight_gradient(const Sizes& s, const T* x, const T* dy, T* dw) {
  const std::int64_t grain = rows_per_chunk(kProductGrain, s.rows * s.out * s.in);
  for_ranges(s.blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t h = begin; h < end; ++h) gemm<T>(weight_gradient_product(s, x, dy, dw, h));
  });
}

}  // namespace

void headwise_forward(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y) {
  constexpr const char* op = "headwise_forward";
  const Sizes s = checked_sizes(op, x, w);
  require_if_present(op, "b", b, {s.y_width()}, x.dtype());
  require(op, "y", y, with_last(x.shape(), s.y_width()), x.dtype());
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, w, b, y)) {
        return cuda::gemm<T>(
            forward_product<T>(s, x.data<T>(), w.data<T>(), data_or_null<T>(b), y.data<T>(), 0, 0,
                               s.rows),
            {.count = s.blocks, .a = s.in, .b = s.out * s.in, .c = s.out, .bias = s.out});
      }
    }
    if (fits_registers<T>(s)) {
      const Tensor columns = weight_columns(s, w.data<T>(), false);
      visit_block_size<T>(s, [&](auto size) {
        small_product<size>(s, columns.data<T>(), x.data<T>(), data_or_null<T>(b), y.data<T>(),
                            false);
      });
    } else {
      large_forward(s, x.data<T>(), w.data<T>(), data_or_null<T>(b), y.data<T>());
    }
  });
}

void headwise_backward(const Tensor& x, const Tensor& w, const Tensor& dy, const Tensor& dx,
                       const Tensor& dw, const Tensor& db) {
  constexpr const char* op = "headwise_backward";
  const Sizes s = checked_sizes(op, x, w);
  require(op, "dy", dy, with_last(x.shape(), s.y_width()), x.dtype());
  require_if_present(op, "dx", dx, x.shape(), x.dtype());
  require_if_present(op, "dw", dw, w.shape(), x.dtype());
  require_if_present(op, "db", db, {s.y_width()}, x.dtype());
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    const T *xs = x.data<T>(), *ws = w.data<T>(), *dys = dy.data<T>();
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, w, dy, dx, dw, db)) {
        if (dx) {
          cuda::gemm<T>(input_gradient_product<T>(s, ws, dys, dx.data<T>(), 0, 0, s.rows),
                        {.count = s.blocks, .a = s.out, .b = s.out * s.in, .c = s.in});
        }
        if (dw) {
          cuda::gemm<T>(weight_gradient_product<T>(s, xs, dys, dw.data<T>(), 0),
                        {.count = s.blocks, .a = s.out, .b = s.in, .c = s.out * s.in});
        }
        if (db) cuda::add_row_sums(s.rows, s.y_width(), dys, db.data<T>());
        return;
      }
    }
    if (fits_registers<T>(s)) {
      const Tensor rows = weight_columns(s, ws, true);
      visit_block_size<T>(s, [&](auto size) {
        if (dx) small_product<size, T>(s, rows.data<T>(), dys, nullptr, dx.data<T>(), true);
        if (dw) small_weight_gradient<size>(s, xs, dys, dw.data<T>());
      });
    } else {
      if (dx) large_input_gradient(s, ws, dys, dx.data<T>());
      if (dw) large_weight_gradient(s, xs, dys, dw.data<T>());
    }
    if (db) add_row_sums(dys, s.rows, s.y_width(), db.data<T>());
  });
}

}  // namespace xlab::kernels
