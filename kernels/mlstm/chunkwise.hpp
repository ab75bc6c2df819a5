// mLSTM in chunks: inside a chunk as attention with decays, between chunks by the memory (Beck et
// al. 2025, "Tiled Flash Linear Attention"). The numbers are those of the scan in mlstm.hpp.
//
// Per head and chunk of steps 1..L, with C, n the memory before the chunk and the gates of the
// scan:
//   D_tj = input_gate_j forget_gate_{j+1} ... forget_gate_t   (j <= t)
//   beta_t = forget_gate_1 ... forget_gate_t
//   num_t = beta_t C^T q~_t + sum_j <q~_t, k_j> D_tj v_j
//   s_t = beta_t <q~_t, n> + sum_j <q~_t, k_j> D_tj       h_t = num_t / (N_t + eps)
//   C <- beta_L C + sum_j D_Lj k_j v_j^T                    n <- beta_L n + sum_j D_Lj k_j
// D is built from the stabilised gates themselves, each at most 1: no exponent is ever formed.
//
// On CUDA devices f32 products between and inside chunks go by matrix_precision().
#pragma once

#include <cstdint>

#include "kernels/mlstm/mlstm.hpp"

namespace xlab::kernels {

/// The chunk length that suits heads of these widths on a device, or 0 where the scan is faster.
std::int64_t mlstm_chunk_length(std::int64_t key_width, std::int64_t value_width,
                                Device device = Device::cpu());

/// Like mlstm_forward; `chunk` is at least 1 and need not divide the time. A card takes chunks of
/// at most 64, and keeps the memory before every chunk of as many heads as it works on at once.
/// `record.C` and `record.n` must be absent: the memory is known at the end of each chunk only.
void mlstm_chunkwise_forward(const MlstmOptions& options, const MlstmForward& args,
                             std::int64_t chunk);

/// Like mlstm_backward. The memory before every chunk is computed once more and kept: time / chunk
/// times K * V numbers for each thread; on a card for each head it works on, and as many for its
/// gradients.
void mlstm_chunkwise_backward(const MlstmOptions& options, const MlstmBackward& args,
                              std::int64_t chunk);

}  // namespace xlab::kernels
