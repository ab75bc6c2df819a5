// Dense and batched matrix products, cut into blocks of the result.
#include "kernels/linear.hpp"

#include "kernels/gemm.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

// Multiply-adds per chunk: about 50 us.
constexpr std::int64_t kProductGrain = 1 << 21;
// Fewer rows or columns per chunk would spend their time rearranging the other factor.
constexpr std::int64_t kLeastExtent = 256;

/// A block of the result of a product.
struct ResultBlock {
  std::int64_t row, rows, col, cols;
};

/// Cuts an m x n result, k deep, along its longer side, by size alone.
template <typename Body>
void for_result_blocks(std::int64_t m, std::int64_t n, std::int64_t k, Body&& body) {
  const std::int64_t longer = std::max(m, n), shorter = std::min(m, n);
  // Thin products are bound by reading the other factor once: any cut will do.
  const std::int64_t least = shorter < 16 ? 64 : kLeastExtent;
  std::int64_t grain = std::max(least, rows_per_chunk(kProductGrain, shorter * k));
  // Equal pieces, so that no thread waits for one that has got much more.
  const std::int64_t pieces = std::max<std::int64_t>(1, longer / grain);
  grain = (longer + pieces - 1) / pieces;
  for_ranges(longer, grain, [&](std::int64_t begin, std::int64_t end) {
    body(m >= n ? ResultBlock{begin, end - begin, 0, n} : ResultBlock{0, m, begin, end - begin});
  });
}

}  // namespace

void linear_forward(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y) {
  constexpr const char* op = "linear_forward";
  const std::int64_t rows = rows_of(op, "x", x);
  require_cpu(op, x);
  const std::int64_t in = x.extent(-1);
  check(w.defined() && w.rank() == 2, "[{}] needs w of two axes (out, in), but it has shape {}.",
        op, w.shape().text());
  const std::int64_t out = w.extent(0);
  require(op, "w", w, {out, in}, x.dtype());
  require_if_present(op, "b", b, {out}, x.dtype());
  require(op, "y", y, with_last(x.shape(), out), x.dtype());
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    const T *xs = x.data<T>(), *ws = w.data<T>(), *bs = data_or_null<T>(b);
    T* ys = y.data<T>();
    for_result_blocks(rows, out, in, [&](const ResultBlock& block) {
      T* first = ys + block.row * out + block.col;
      if (bs != nullptr) {
        for (std::int64_t n = 0; n < block.rows; ++n) {
          std::copy_n(bs + block.col, block.cols, first + n * out);
        }
      }
      gemm<T>(block.rows, block.cols, in, {xs + block.row * in, in},
              {ws + block.col * in, in, true}, first, out, bs != nullptr);
    });
  });
}

void linear_backward(const Tensor& x, const Tensor& w, const Tensor& dy, const Tensor& dx,
                     const Tensor& dw, const Tensor& db) {
  constexpr const char* op = "linear_backward";
  const std::int64_t rows = rows_of(op, "x", x);
  require_cpu(op, x);
  const std::int64_t in = x.extent(-1);
  check(w.defined() && w.rank() == 2, "[{}] needs w of two axes (out, in), but it has shape {}.",
        op, w.shape().text());
  const std::int64_t out = w.extent(0);
  require(op, "w", w, {out, in}, x.dtype());
  require(op, "dy", dy, with_last(x.shape(), out), x.dtype());
  require_if_present(op, "dx", dx, x.shape(), x.dtype());
  require_if_present(op, "dw", dw, w.shape(), x.dtype());
  require_if_present(op, "db", db, {out}, x.dtype());
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    const T *xs = x.data<T>(), *ws = w.data<T>(), *dys = dy.data<T>();
    if (dx) {
      T* dxs = dx.data<T>();
      for_result_blocks(rows, in, out, [&](const ResultBlock& block) {
        gemm<T>(block.rows, block.cols, out, {dys + block.row * out, out}, {ws + block.col, in},
                dxs + block.row * in + block.col, in, true);
      });
    }
    if (dw) {
      T* dws = dw.data<T>();
      for_result_blocks(out, in, rows, [&](const ResultBlock& block) {
        gemm<T>(block.rows, block.cols, rows, {dys + block.row, out, true}, {xs + block.col, in},
                dws + block.row * in + block.col, in, true);
      });
    }
    if (db) add_row_sums(dys, rows, out, db.data<T>());
  });
}

void matmul(const Tensor& a, const Tensor& b, const Tensor& out, MatmulOptions options) {
  constexpr const char* op = "matmul";
  check(a.defined() && a.rank() == 3, "[{}] needs a of three axes, but it has shape {}.", op,
        a.shape().text());
  check(b.defined() && b.rank() == 3, "[{}] needs b of three axes, but it has shape {}.", op,
        b.shape().text());
  require_cpu(op, a);
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
    const auto product = [&](std::int64_t index, const ResultBlock& block) {
      const T* left = as + index * m * k + block.row * (options.transpose_a ? 1 : k);
      const T* right = bs + index * k * p + block.col * (options.transpose_b ? k : 1);
      gemm<T>(block.rows, block.cols, k, {left, options.transpose_a ? m : k, options.transpose_a},
              {right, options.transpose_b ? k : p, options.transpose_b},
              outs + (index * m + block.row) * p + block.col, p, options.accumulate);
    };
    // Few products are cut inside, many from product to product.
    if (count == 1) {
      for_result_blocks(m, p, k, [&](const ResultBlock& block) { product(0, block); });
    } else {
      for_ranges(count, rows_per_chunk(kProductGrain, m * k * p),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t index = begin; index < end; ++index) {
                     product(index, {0, m, 0, p});
                   }
                 });
    }
  });
}

}  // namespace xlab::kernels
