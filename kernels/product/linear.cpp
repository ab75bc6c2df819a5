// Dense layers.
#include "kernels/product/linear.hpp"

#include "kernels/elementwise_cuda.hpp"
#include "kernels/product/gemm.hpp"
#include "kernels/product/gemm_cuda.hpp"
#include "kernels/product/linear_bf16.hpp"
#include "kernels/product/linear_blocks.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
void linear_forward(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y) {
  if (w.defined() && w.dtype() == DType::bf16) {
    linear_forward_bf16(x, w, b, y);
    return;
  }
  if (w.defined() && block_of(w.dtype()) > 1) {
    linear_forward_blocks(x, w, b, y);
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

}  // namespace xlab::kernels
