// The matrix product, by Eigen.
#include "kernels/gemm.hpp"

#include "kernels/arrays.hpp"

namespace xlab::kernels {
namespace {

template <typename T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <typename T>
Eigen::Map<const RowMajor<T>, Eigen::Unaligned, Eigen::OuterStride<>> stored(const Factor<T>& x,
                                                                             std::int64_t rows,
                                                                             std::int64_t cols) {
  return {x.data, rows, cols, Eigen::OuterStride<>(x.stride)};
}

/// Calls `body` with x (rows x cols) as Eigen sees it, transposed or not.
template <typename T, typename Body>
void visit(const Factor<T>& x, std::int64_t rows, std::int64_t cols, Body&& body) {
  if (x.transposed) {
    body(stored(x, cols, rows).transpose());
  } else {
    body(stored(x, rows, cols));
  }
}

}  // namespace

template <typename T>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, Factor<T> a, Factor<T> b, T* c,
          std::int64_t c_stride, bool accumulate) {
  Eigen::Map<RowMajor<T>, Eigen::Unaligned, Eigen::OuterStride<>> out(
      c, m, n, Eigen::OuterStride<>(c_stride));
  visit(a, m, k, [&](const auto& left) {
    visit(b, k, n, [&](const auto& right) {
      if (accumulate) {
        out.noalias() += left * right;
      } else {
        out.noalias() = left * right;
      }
    });
  });
}

template void gemm(std::int64_t, std::int64_t, std::int64_t, Factor<float>, Factor<float>, float*,
                   std::int64_t, bool);
template void gemm(std::int64_t, std::int64_t, std::int64_t, Factor<double>, Factor<double>,
                   double*, std::int64_t, bool);

}  // namespace xlab::kernels
