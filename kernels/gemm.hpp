// The matrix product every other kernel is made of; for .cpp files of this folder only.
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

/// c (m x n) = a (m x k) b (k x n), or += where `accumulate`; on the calling thread, summed in an
/// order that depends on the sizes alone. float and double.
template <typename T>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, Factor<T> a, Factor<T> b, T* c,
          std::int64_t c_stride, bool accumulate);

}  // namespace xlab::kernels
