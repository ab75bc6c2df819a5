// The differentiable vocabulary that cells are written in: each function puts one value on the
// tape.
#pragma once

#include <vector>

#include "core/tape.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/mlstm/mlstm.hpp"
#include "kernels/norm.hpp"
#include "kernels/slstm/slstm.hpp"

namespace xlab::ops {

/// x (B, T, in) -> (B, T, out); `b` may be absent.
Var linear(Tape& tape, Var x, const Param& w, const Param& b = {});
/// Block-diagonal product; x (B, T, nb * d) -> (B, T, nb * o).
Var headwise(Tape& tape, Var x, const Param& w, const Param& b = {});
/// ids i32 (B, T) -> (B, T, D)
Var embed(Tape& tape, const Tensor& ids, const Param& table);
/// `bias` may be absent.
Var norm(Tape& tape, const kernels::NormOptions& options, Var x, const Param& weight,
         const Param& bias = {});
/// Causal depthwise convolution; `window` is the carried input or absent, `window_out` receives it.
Var conv1d(Tape& tape, Var x, const Tensor& window, const Param& w, const Param& b,
           const Tensor& window_out);
Var activation(Tape& tape, kernels::Activation f, Var x);
/// cap * tanh(x / cap); a cap of 0 means none.
Var soft_cap(Tape& tape, Var x, double cap);
/// f(gate) * value
Var gated(Tape& tape, kernels::Activation f, Var gate, Var value);
Var add(Tape& tape, Var a, Var b);
Var scale(Tape& tape, Var x, double factor);
/// x[..., j] * w[j]
Var scale_columns(Tape& tape, Var x, const Param& w);
/// x[..., j] + b[j]
Var add_columns(Tape& tape, Var x, const Param& b);
Var concat(Tape& tape, const std::vector<Var>& parts);

/// The mLSTM scan over q, k (B, T, H*K), v (B, T, H*V), i, f (B, T, H) from `initial` (absent:
/// zeros); returns h (B, T, H*V) and fills `last`. Records its inner values when the tape is
/// observed.
Var mlstm(Tape& tape, const kernels::MlstmOptions& options, int heads, Var q, Var k, Var v, Var i,
          Var f, const kernels::MlstmState& initial, kernels::MlstmState& last);

/// The scan of the sLSTM or LSTM over wx (B, T, 4*H*D), from `initial` (absent: zeros); returns y
/// (B, T, H*D) and fills `last`. Records its inner values, and applies clamps on its
/// pre-activations, when observed.
Var slstm(Tape& tape, const kernels::SlstmOptions& options, int heads, Var wx, const Param& r,
          const Param& b, const kernels::SlstmState& initial, kernels::SlstmState& last);

}  // namespace xlab::ops
