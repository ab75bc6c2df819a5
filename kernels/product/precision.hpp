// How exactly matrix products on CUDA devices treat f32 numbers. C++17 only, because nvcc reads it
// too.
#pragma once

namespace xlab {

/// What becomes of the factors of an f32 matrix product on a CUDA device; sums are in f32 always.
/// The CPU, and f64 everywhere, know `exact` alone.
enum class MatrixPrecision {
  exact,  ///< they stay as they are
  tf32,   ///< rounded to 10 bits behind the point, for tensor cores
  bf16,   ///< rounded to 7 bits behind the point
};

/// Holds for the whole process from its next product on; `exact` until it is called.
void set_matrix_precision(MatrixPrecision precision);
MatrixPrecision matrix_precision();

}  // namespace xlab
