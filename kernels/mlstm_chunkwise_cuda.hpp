// The chunkwise mLSTM on CUDA devices; contracts in mlstm_chunkwise.hpp. C++17 only, because nvcc
// reads it too. T is float or double; what is absent is null.
#pragma once

#include <cstdint>

#include "kernels/cell_options.hpp"

namespace xlab::cuda {

struct ChunkwiseSizes {
  std::int64_t B, T, H, K, V;
  std::int64_t chunk;  ///< steps of a chunk, at least 1; longer ones than a tile are cut
};

struct ChunkwiseOptions {
  double query_scale, eps;
  kernels::ForgetGate forget_gate;
  bool stabilizer;
  kernels::DenominatorFloor floor;
  bool constant_denominator;
};

template <typename T>
struct ChunkwiseForward {
  const T *q, *k, *v, *i, *f;
  const T *C0, *n0, *m0;
  T *h, *m, *s, *normalizer;
  T *C, *n, *m_last;
  T *input_gate, *forget_gate;  ///< recordings
};

/// What a forward call was given and found, and all gradients.
template <typename T>
struct ChunkwiseBackward {
  const T *q, *k, *v, *i, *f;
  const T *C0, *n0, *m0;
  const T *h, *m, *s;
  const T *C, *n;
  const T *dh, *dC, *dn, *dm;
  T *dq, *dk, *dv, *di, *df;
  T *dC0, *dn0, *dm0;
};

template <typename T>
void mlstm_chunkwise_forward(const ChunkwiseSizes& z, const ChunkwiseOptions& options,
                             const ChunkwiseForward<T>& args);
template <typename T>
void mlstm_chunkwise_backward(const ChunkwiseSizes& z, const ChunkwiseOptions& options,
                              const ChunkwiseBackward<T>& args);

}  // namespace xlab::cuda
