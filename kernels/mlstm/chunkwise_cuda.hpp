// The chunkwise mLSTM on CUDA devices; contracts in mlstm_chunkwise.hpp. C++17 only, because nvcc
// reads it too. T is float or double.
#pragma once

#include <cstdint>

#include "kernels/mlstm/cuda.hpp"
#include "kernels/product/precision.hpp"

namespace xlab::cuda {

/// `chunk` is at least 1; longer chunks than a tile of the device are cut, which changes nothing
/// but roundings. What f32 products between and inside chunks do to their factors is of
/// `precision`.
template <typename T>
void mlstm_chunkwise_forward(const MlstmRules& rules, const MlstmForwardCall<T>& call,
                             std::int64_t chunk, MatrixPrecision precision);
template <typename T>
void mlstm_chunkwise_backward(const MlstmRules& rules, const MlstmBackwardCall<T>& call,
                              std::int64_t chunk, MatrixPrecision precision);

}  // namespace xlab::cuda
