// The parallel form of the mLSTM on CUDA devices, as plain pointers; contracts in
// mlstm_parallel.hpp. C++17 only, because nvcc reads it too. T is float or double; what is absent
// is null.
#pragma once

#include "kernels/mlstm/cuda.hpp"

namespace xlab::cuda {

template <typename T>
struct MlstmParallelForwardCall {
  const T *q, *k, *v, *i, *f;
  T* h;
  T *m, *row_max, *s, *normalizer;
  T *log_decay, *decay, *scores, *attention;
};
template <typename T>
void mlstm_parallel_forward(const MlstmRules& rules, const MlstmParallelForwardCall<T>& call);

template <typename T>
struct MlstmParallelBackwardCall {
  const T *q, *k, *v, *i, *f;
  const T* dh;
  T *dq, *dk, *dv, *di, *df;
};
template <typename T>
void mlstm_parallel_backward(const MlstmRules& rules, const MlstmParallelBackwardCall<T>& call);

}  // namespace xlab::cuda
