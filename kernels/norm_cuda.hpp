// Layer, per-head and RMS normalisation on CUDA devices; contracts in norm.hpp. C++17 only, because
// nvcc reads it too. T is float or double; an absent weight or gradient is null.
#pragma once

#include <cstdint>

namespace xlab::cuda {

/// What a normalisation works on: rows of `groups` slices of `length` numbers each.
struct NormSlices {
  std::int64_t rows, groups, length;
  bool centred;  ///< subtracts the mean
  double eps, scale_offset;
};

template <typename T>
void norm_forward(const NormSlices& slices, const T* x, const T* weight, T* y, T* mean, T* rstd);
template <typename T>
void norm_backward(const NormSlices& slices, const T* x, const T* weight, const T* mean,
                   const T* rstd, const T* dy, T* dx, T* dweight);

}  // namespace xlab::cuda
