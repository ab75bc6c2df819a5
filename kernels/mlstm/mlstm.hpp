// mLSTM: the matrix memory, as a recurrent scan (Beck et al. 2024, eqs. 19-27).
//
// Per head, with q~ = query_scale * q and log_forget = log sigmoid(f), or f itself:
//   m_t = max(log_forget_t + m_{t-1}, i_t)
//   forget_gate_t = exp(log_forget_t + m_{t-1} - m_t)      input_gate_t = exp(i_t - m_t)
//   C_t = forget_gate_t C_{t-1} + input_gate_t k_t v_t^T       (keys x values)
//   n_t = forget_gate_t n_{t-1} + input_gate_t k_t
//   s_t = <q~_t, n_t>      N_t = max(|s_t|, exp(-m_t))      h_t = C_t^T q~_t / (N_t + eps)
//
// What m_t is makes no difference to h but for eps, as long as everything uses the same number: the
// gates make up for its rounding, and without the stabilizer m_t is 0. The zero state has m = 0;
// but as m could only grow from there with an exponential forget gate, away from what is written,
// there m_1 = i_1 and forget_gate_1 = 0 where C and n are all 0.
//
// Letters: B batch, T time, H heads, K key width, V value width. Sequences are stored token by
// token, (B, T, H, ...), as the projections make them; states head by head, (B, H, ...).
//
// All tensors of a call lie on one device, and it runs there. Only a number format of choice is for
// small demonstrations alone: the numbers of a card are brought to the CPU for it, and back.
#pragma once

#include "kernels/cell_options.hpp"
#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// The memory of every head. All three absent together mean the zero state (m = 0 too).
struct MlstmState {
  Tensor C;  ///< matrix memory (B, H, K, V)
  Tensor n;  ///< normalizer (B, H, K)
  Tensor m;  ///< stabilizer (B, H)
};

struct MlstmOptions {
  double query_scale = 1.0;  ///< 1/sqrt(K) unless keys come scaled; decides what C shows
  double eps = 1e-6;         ///< added to the denominator after stabilisation
  ForgetGate forget_gate = ForgetGate::sigmoid;
  bool stabilizer = true;  ///< without it m_t = 0: gates are exp(i) and sigmoid(f) or exp(f)
  DenominatorFloor floor = DenominatorFloor::stabilizer;
  bool normalize = true;                       ///< without it N_t is its floor, whatever s_t is
  NumberFormat format = NumberFormat::native;  ///< of the arithmetic; not in chunks, nor parallel
  /// Treat N_t as a constant in the backward pass, as the authors' hand-written kernels do.
  bool constant_denominator = false;
};

/// Optional recordings; whatever is undefined is not recorded.
struct MlstmRecord {
  Tensor input_gate;   ///< exp(i_t - m_t) (B, T, H)
  Tensor forget_gate;  ///< exp(log_forget_t + m_{t-1} - m_t) (B, T, H)
  Tensor C;            ///< after every step (B, T, H, K*V)
  Tensor n;            ///< after every step (B, T, H, K)
};

struct MlstmForward {
  Tensor q, k;  ///< (B, T, H, K)
  Tensor v;     ///< (B, T, H, V)
  Tensor i, f;  ///< gate pre-activations (B, T, H)
  MlstmState initial;
  // Outputs, allocated by the caller.
  Tensor h;           ///< (B, T, H, V)
  Tensor m;           ///< stabilizer after every step (B, T, H)
  Tensor s;           ///< <q~, n> (B, T, H)
  Tensor normalizer;  ///< N_t (B, T, H)
  MlstmState last;    ///< all three required; never the same memory as `initial`
  MlstmRecord record;
};
void mlstm_forward(const MlstmOptions& options, const MlstmForward& args);

/// Gradient of <h, dh> (+ optionally <last, dlast>). h does not depend on m but for eps, and for a
/// floor of 1 where that decides; what m gets from there goes back along the gates that made it.
/// Two scans, nothing stored per step but m, s and N: a forward one recomputes C and gives dq, a
/// reverse one carries dC and gives dk and dv. di = <k, dk>; dlogf_t =
/// <[C n]_T, d[C n]_T> + sum_{s >= t} (<q_s, dq_s> - <k_s, dk_s>), summed in double; df =
/// dlogf, times sigmoid(-f) for the sigmoid gate; dm0 = <[C n]_0, d[C n]_0>. Every gradient is
/// *added* to its output.
struct MlstmBackward {
  MlstmForward forward;  ///< inputs and outputs of the forward call (recordings unused)
  Tensor dh;             ///< (B, T, H, V)
  MlstmState dlast;      ///< gradient of the last C and n, or absent; its m may be absent
  // Outputs.
  Tensor dq, dk, dv, di, df;  ///< like their inputs, all required
  MlstmState dinitial;        ///< like the state, or absent
};
void mlstm_backward(const MlstmOptions& options, const MlstmBackward& args);

}  // namespace xlab::kernels
