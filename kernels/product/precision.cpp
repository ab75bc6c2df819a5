// The precision of matrix products on CUDA devices, one for the process.
#include "kernels/product/precision.hpp"

#include <atomic>

namespace xlab {
namespace {

std::atomic<MatrixPrecision> chosen = MatrixPrecision::exact;

}  // namespace

void set_matrix_precision(MatrixPrecision precision) {
  chosen = precision;
}

MatrixPrecision matrix_precision() {
  return chosen;
}

}  // namespace xlab
