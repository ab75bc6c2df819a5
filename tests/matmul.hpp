// The matrix product under every layer, asked for by itself: with both factors turned or not, added
// to what is there or not, on the CPU and on a card.
#pragma once

#include <cstdint>

#include "kernels/product/gemm.hpp"
#include "kernels/product/gemm_cuda.hpp"
#include "kernels/route.hpp"

namespace xlab {

struct MatmulOptions {
  bool transpose_a = false;
  bool transpose_b = false;
  bool accumulate = false;
};

/// out[n] = op(a[n]) op(b[n]) with op = transpose where asked. a (N, M, K) or, transposed,
/// (N, K, M); b (N, K, P) or (N, P, K); out (N, M, P). With `accumulate` the product is added to
/// out. Its gradients are products again: da += dout b^T, db += a^T dout.
inline void matmul(const Tensor& a, const Tensor& b, const Tensor& out,
                   MatmulOptions options = {}) {
  const std::int64_t count = a.extent(0);
  const std::int64_t m = a.extent(options.transpose_a ? 2 : 1);
  const std::int64_t k = a.extent(options.transpose_a ? 1 : 2);
  const std::int64_t p = b.extent(options.transpose_b ? 1 : 2);
  visit_float(a, [&](auto zero) {
    using T = decltype(zero);
    const T *as = a.data<T>(), *bs = b.data<T>();
    T* outs = out.data<T>();
    const auto product = [&](std::int64_t index) {
      return kernels::Product<T>{
          .m = m,
          .n = p,
          .k = k,
          .a = {as + index * m * k, options.transpose_a ? m : k, options.transpose_a},
          .b = {bs + index * k * p, options.transpose_b ? k : p, options.transpose_b},
          .c = outs + index * m * p,
          .c_stride = p,
          .accumulate = options.accumulate};
    };
    if constexpr (kHasCuda) {
      if (on_cuda("matmul", a, b, out)) {
        return cuda::gemm<T>(product(0), {.count = count, .a = m * k, .b = k * p, .c = m * p});
      }
    }
    for (std::int64_t index = 0; index < count; ++index) kernels::gemm<T>(product(index));
  });
}

}  // namespace xlab
