// NVIDIA's library of matrix products, found at run time or not. C++17 only, because nvcc reads it
// too.
#pragma once

#include "kernels/product/gemm_cuda.hpp"

namespace xlab::cuda {

/// Computes what `gemm` has to with cuBLAS, on the device in use. False, and nothing of value in c
/// unless it accumulates, where that is not to be: the product is small, the computer has no
/// cuBLAS, or cuBLAS refuses. The first large product of a device prepares cuBLAS for it, which
/// cannot be part of a graph: while one is recorded it is false as well.
template <typename T>
bool cublas_gemm(const kernels::Product<T>& product, const Batch& batch);

/// Whether products are given to cuBLAS where it is there; true until it is called. Tests and
/// timing compare the two.
void allow_cublas(bool allowed);

}  // namespace xlab::cuda
