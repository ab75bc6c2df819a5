// The matrix product every other kernel is made of; for this folder only. C++17
// only, because nvcc reads it too.
#pragma once

#include <cstdint>

namespace xlab::kernels {

/// A row-major matrix inside memory, `stride` numbers from one stored row to the next, read
/// transposed where asked.
template <typename T>
struct Factor {
  const T* data;
  std::int64_t stride;
  bool transposed = false;
};

/// c (m x n) = a (m x k) b (k x n) + what c starts from.
template <typename T>
struct Product {
  std::int64_t m, n, k;
  Factor<T> a, b;
  T* c;
  std::int64_t c_stride;
  bool accumulate = false;  ///< start from c itself
  const T* bias = nullptr;  ///< start every row from these n numbers
};

/// Computes the product on all threads; every number is summed by one of them, in an order that
/// depends on the sizes alone. float and double.
template <typename T>
void gemm(const Product<T>& product);

}  // namespace xlab::kernels
