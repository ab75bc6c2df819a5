// sLSTM: scalar memory with memory mixing, as a scan (Beck et al. 2024, eqs. 8-18).
//
// Per unit, with y_{t-1} of the units of the same head:
//   (i, f, z, o)_t = wx_t + R y_{t-1} + b, i and f softly capped if wanted
//   a_t = log_forget_t + m_{t-1}, log_forget = log sigmoid(f), or f itself
//   m_t = i_t where n_{t-1} = 0 (the first step), else max(i_t, a_t); 0 without the stabilizer
//   input_gate_t = exp(i_t - m_t)     forget_gate_t = exp(a_t - m_t), 0 where n_{t-1} = 0
//   c_t = forget_gate_t c_{t-1} + input_gate_t tanh(z_t)
//   n_t = forget_gate_t n_{t-1} + input_gate_t
//   y_t = sigmoid(o_t) c_t / n_t
//
// The same scan computes the LSTM with this memory mixing (`ScalarMemory::lstm`):
//   input_gate_t = sigmoid(i_t)     forget_gate_t = sigmoid(f_t)
//   c_t = forget_gate_t c_{t-1} + input_gate_t tanh(z_t)     y_t = sigmoid(o_t) tanh(c_t)
// It has no n and no m: wherever these stand below they are absent, in what comes in and goes out.
//
// Letters: B batch, T time, H heads, D units per head. Gates are in the order i, f, z, o.
#pragma once

#include "kernels/cell_options.hpp"
#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// The state of every unit, each (B, H, D). All absent together mean zeros. The LSTM has y and c.
struct SlstmState {
  Tensor y, c, n, m;
};

struct SlstmOptions {
  ScalarMemory memory = ScalarMemory::slstm;
  // The next two are choices of the sLSTM; the LSTM takes their defaults only.
  ForgetGate forget_gate = ForgetGate::sigmoid;
  bool stabilizer = true;  ///< without it m_t = 0: gates are exp(i) and sigmoid(f) or exp(f)
  /// Input and forget gate become cap * tanh(pre / cap) before anything else; 0: as they are.
  double gate_soft_cap = 0.0;
  /// Of the arithmetic. Others than native are worked out on the CPU, also for tensors on a card:
  /// the call then waits for the card and copies.
  NumberFormat format = NumberFormat::native;
};

/// Optional recordings; whatever is undefined is not recorded. All (B, T, H, D) unless noted.
struct SlstmRecord {
  Tensor pre;  ///< full pre-activations wx + R y + b after capping and clamping (B, T, 4, H*D)
  Tensor input_gate, forget_gate;
  Tensor c, n, m;
};

struct SlstmForward {
  Tensor wx;  ///< (B, T, 4, H*D)
  Tensor r;   ///< (H, 4*D, D): r[head][gate*D + out][in]
  Tensor b;   ///< (4*H*D): b[gate][head][unit]
  Tensor
      clamp;  ///< like wx, or absent: a pre-activation where it is a number, free where it is NaN
  SlstmState initial;
  // Outputs, allocated by the caller.
  Tensor y;         ///< (B, T, H, D)
  SlstmState last;  ///< all of it required; never the same memory as `initial`
  SlstmRecord record;
  /// What the backward pass needs; absent when there will be none. pre, c, n, m as in SlstmRecord.
  SlstmRecord saved;
};
void slstm_forward(const SlstmOptions& options, const SlstmForward& args);

/// Gradient of <y, dy> (+ optionally <last, dlast>), the stabilizer treated as a constant (exact: y
/// does not depend on it). Clamped pre-activations get no gradient. Every gradient is *added*.
struct SlstmBackward {
  SlstmForward forward;  ///< inputs and outputs of the forward call, `saved` included
  Tensor dy;             ///< (B, T, H, D)
  SlstmState dlast;      ///< or absent (its m is ignored)
  // Outputs.
  Tensor dwx, dr, db;   ///< like their inputs, all required
  SlstmState dinitial;  ///< or absent; dm0 = c0 dc0 + n0 dn0, dn0 and dm0 of the sLSTM
};
void slstm_backward(const SlstmOptions& options, const SlstmBackward& args);

}  // namespace xlab::kernels
