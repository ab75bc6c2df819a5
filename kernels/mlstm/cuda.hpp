// The mLSTM on CUDA devices, as plain pointers and sizes; contracts in mlstm.hpp. C++17 only,
// because nvcc reads it too. T is float or double; what is absent is null.
#pragma once

#include <cstdint>

namespace xlab::cuda {

/// Sizes and choices of a call; letters as in mlstm.hpp.
struct MlstmRules {
  std::int64_t B, T, H, K, V;
  double query_scale, eps;
  bool exponential_forget, stabilizer, floor_of_one, normalize, constant_denominator;
};

/// The memory of every head, or its gradient.
template <typename T>
struct MlstmMemory {
  T *C = nullptr, *n = nullptr, *m = nullptr;
};

template <typename T>
struct MlstmForwardCall {
  const T *q, *k, *v, *i, *f;
  MlstmMemory<const T> initial;
  T *h, *m, *s, *normalizer;
  MlstmMemory<T> last;
  T *input_gate, *forget_gate, *C, *n;  ///< recordings
};

template <typename T>
struct MlstmBackwardCall {
  const T *q, *k, *v, *i, *f;
  MlstmMemory<const T> initial;
  const T *h, *m, *s;
  MlstmMemory<const T> last;
  const T* dh;
  MlstmMemory<const T> dlast;
  T *dq, *dk, *dv, *di, *df;
  MlstmMemory<T> dinitial;
};

template <typename T>
void mlstm_forward(const MlstmRules& rules, const MlstmForwardCall<T>& call);
template <typename T>
void mlstm_backward(const MlstmRules& rules, const MlstmBackwardCall<T>& call);

}  // namespace xlab::cuda
