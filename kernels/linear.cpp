// Dense and batched matrix products.
#include "kernels/linear.hpp"

#include "kernels/elementwise_cuda.hpp"
#include "kernels/gemm.hpp"
#include "kernels/gemm_cuda.hpp"
#include "kernels/linear_bf16.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

// Multiply-adds per chunk of a batch of products: about 40 us.
constexpr std::int64_t kProductGrain = 1 << 21;

}  // namespace

void linear_forward(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y) {
  if (w.defined() && w.dtype() == DType::bf16) {
    linear_forward_bf16(x, w, b, y);
    return;
  }
  constexpr const char* op = "linear_forward";
  const std::int64_t rows = rows_of(op, "x", x);
  const std::int64_t in = x.extent(-1);
  check(w.defined() && w.rank() == 2, "[{}] needs w of two axes (out, in), but it has shape {}.",
        op, w.shape());
  const std::int64_t out = w.extent(0);
  require(op, "w", w, {out, in}, x.dtype());
  require_if_present(op, "b", b, {out}, x.dtype());
  require(op, "y", y, with_last(x.shape(), out), x.dtype());
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    const Product<T> product{.m = rows,
                             .n = out,
                             .k = in,
                             .a = {x.data<T>(), in},
                             .b = {w.data<T>(), in, true},
                             .c = y.data<T>(),
                             .c_stride = out,
                             .bias = data_or_null<T>(b)};
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, w, b, y)) return cuda::gemm<T>(product);
    }
    gemm<T>(product);
  });
}

void linear_backward(const Tensor& x, const Tensor& w, const Tensor& dy, const Tensor& dx,
                     const Tensor& dw, const Tensor& db) {
  constexpr const char* op = "linear_backward";
  const std::int64_t rows = rows_of(op, "x", x);
  const std::int64_t in = x.extent(-1);
  check(w.defined() && w.rank() == 2, "[{}] needs w of two axes (out, in), but it has shape {}.",
        op, w.shape());
  const std::int64_t out = w.extent(0);
  require(op, "w", w, {out, in}, x.dtype());
  require(op, "dy", dy, with_last(x.shape(), out), x.dtype());
  require_if_present(op, "dx", dx, x.shape(), x.dtype());
  require_if_present(op, "dw", dw, w.shape(), x.dtype());
  require_if_present(op, "db", db, {out}, x.dtype());
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    const T *xs = x.data<T>(), *ws = w.data<T>(), *dys = dy.data<T>();
    bool card = false;
    if constexpr (kHasCuda) card = on_cuda(op, x, w, dy, dx, dw, db);
    const auto add_product = [&](const Product<T>& product) {
      if constexpr (kHasCuda) {
        if (card) return cuda::gemm<T>(product);
      }
      gemm<T>(product);
    };
    if (dx) {
      add_product({.m = rows,
                   .n = in,
                   .k = out,
                   .a = {dys, out},
                   .b = {ws, in},
                   .c = dx.data<T>(),
                   .c_stride = in,
                   .accumulate = true});
    }
    if (dw) {
      add_product({.m = out,
                   .n = in,
                   .k = rows,
                   .a = {dys, out, true},
                   .b = {xs, in},
                   .c = dw.data<T>(),
                   .c_stride = in,
                   .accumulate = true});
    }
    if (!db) return;
    if constexpr (kHasCuda) {
      if (card) return cuda::add_row_sums(rows, out, dys, db.data<T>());
    }
    add_row_sums(dys, rows, out, db.data<T>());
  });
}

void matmul(const Tensor& a, const Tensor& b, const Tensor& out, MatmulOptions options) {
  constexpr const char* op = "matmul";
  check(a.defined() && a.rank() == 3, "[{}] needs a of three axes, but it has shape {}.", op,
        a.shape());
  check(b.defined() && b.rank() == 3, "[{}] needs b of three axes, but it has shape {}.", op,
        b.shape());
  const std::int64_t count = a.extent(0);
  const std::int64_t m = a.extent(options.transpose_a ? 2 : 1);
  const std::int64_t k = a.extent(options.transpose_a ? 1 : 2);
  const std::int64_t p = b.extent(options.transpose_b ? 1 : 2);
  require(op, "b", b, options.transpose_b ? Shape{count, p, k} : Shape{count, k, p}, a.dtype());
  require(op, "out", out, {count, m, p}, a.dtype());
  visit_float(a, [&](auto zero) {
    using T = decltype(zero);
    const T *as = a.data<T>(), *bs = b.data<T>();
    T* outs = out.data<T>();
    const auto product = [&](std::int64_t index) {
      return Product<T>{.m = m,
                        .n = p,
                        .k = k,
                        .a = {as + index * m * k, options.transpose_a ? m : k, options.transpose_a},
                        .b = {bs + index * k * p, options.transpose_b ? k : p, options.transpose_b},
                        .c = outs + index * m * p,
                        .c_stride = p,
                        .accumulate = options.accumulate};
    };
    if constexpr (kHasCuda) {
      if (on_cuda(op, a, b, out)) {
        return cuda::gemm<T>(product(0), {.count = count, .a = m * k, .b = k * p, .c = m * p});
      }
    }
    for_ranges(count, rows_per_chunk(kProductGrain, m * k * p),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t index = begin; index < end; ++index) gemm<T>(product(index));
               });
  });
}

}  // namespace xlab::kernels
