// mLSTM: the same memory without a memory, every step looking back at all steps before it.
//
// Per head, with q~ = query_scale * q and F_t = log_forget_1 + ... + log_forget_t:
//   L_tj = F_t - F_j + i_j for j <= t         M_t = max_j L_tj         m_t = max(M_t, F_t)
//   D_tj = exp(L_tj - m_t), 0 for j > t       P_tj = <q~_t, k_j> D_tj      s_t = sum_j P_tj
//   N_t = max(|s_t|, exp(-m_t))               A_tj = P_tj / (N_t + eps)    h_t = sum_j A_tj v_j
//
// F_t in m_t stands for the zero state the sequence begins with, so that m, s and N are those of
// the recurrent form (kernels/mlstm/mlstm.hpp); with an exponential forget gate it has no part in
// m. A is what the memory amounts to if it is read as attention: its entries may be negative, and
// its rows need not sum to 1.
//
// Letters: B batch, T time, H heads, K key width, V value width. L is summed up in double.
#pragma once

#include "kernels/mlstm/mlstm.hpp"

namespace xlab::kernels {

struct MlstmParallelForward {
  Tensor q, k;  ///< (B, T, H, K)
  Tensor v;     ///< (B, T, H, V)
  Tensor i, f;  ///< gate pre-activations (B, T, H)
  // Outputs, allocated by the caller.
  Tensor h;  ///< (B, T, H, V)
  // What follows is optional; whatever is undefined is not wanted.
  Tensor m;           ///< stabilizer (B, T, H)
  Tensor row_max;     ///< M (B, T, H)
  Tensor s;           ///< row sums of P (B, T, H)
  Tensor normalizer;  ///< N (B, T, H)
  Tensor log_decay;   ///< L (B, H, T, T); minus infinity for j > t
  Tensor decay;       ///< D (B, H, T, T)
  Tensor scores;      ///< <q~_t, k_j> (B, H, T, T), for j > t too
  Tensor attention;   ///< A (B, H, T, T)
};
void mlstm_parallel_forward(const MlstmOptions& options, const MlstmParallelForward& args);

/// Gradient of <h, dh>, computed from the inputs alone. With u = dh / (N + eps) and
/// r = -sign(s) <u, h> where |s| decides N, else 0:
///   dP_tj = <u_t, v_j> + r_t     W_tj = dP_tj P_tj     dv_j = sum_t P_tj u_t
///   dq_t = query_scale sum_j dP_tj D_tj k_j     dk_j = query_scale sum_t dP_tj D_tj q_t
///   di_j = sum_t W_tj            dlog_forget_x = sum over j < x <= t of W_tj
/// and what m_t gets (as in the recurrent form) goes to the gates along the way it came.
/// Every gradient is *added* to its output.
struct MlstmParallelBackward {
  Tensor q, k, v, i, f;       ///< as in the forward call
  Tensor dh;                  ///< (B, T, H, V)
  Tensor dq, dk, dv, di, df;  ///< like their inputs, all required
};
void mlstm_parallel_backward(const MlstmOptions& options, const MlstmParallelBackward& args);

}  // namespace xlab::kernels
