// Calls of the recurrent cells with all outputs allocated.
#pragma once

#include "kernels/mlstm/chunkwise.hpp"
#include "kernels/mlstm/mlstm.hpp"
#include "kernels/slstm/slstm.hpp"

namespace xlab::tests {

inline Tensor zeros_like(const Tensor& t) {
  return t.defined() ? Tensor::zeros(t.shape(), t.dtype(), t.device()) : Tensor();
}

inline kernels::MlstmState zeros_like(const kernels::MlstmState& state) {
  return {zeros_like(state.C), zeros_like(state.n), zeros_like(state.m)};
}

inline kernels::SlstmState zeros_like(const kernels::SlstmState& state) {
  return {zeros_like(state.y), zeros_like(state.c), zeros_like(state.n), zeros_like(state.m)};
}

/// A call with room for everything but recordings.
inline kernels::MlstmForward mlstm_call(const Tensor& q, const Tensor& k, const Tensor& v,
                                        const Tensor& i, const Tensor& f,
                                        const kernels::MlstmState& initial = {}) {
  const std::int64_t B = q.extent(0), H = q.extent(2), K = q.extent(3), V = v.extent(3);
  return {.q = q,
          .k = k,
          .v = v,
          .i = i,
          .f = f,
          .initial = initial,
          .h = zeros_like(v),
          .m = zeros_like(i),
          .s = zeros_like(i),
          .normalizer = zeros_like(i),
          .last = {Tensor::zeros({B, H, K, V}, q.dtype(), q.device()),
                   Tensor::zeros({B, H, K}, q.dtype(), q.device()),
                   Tensor::zeros({B, H}, q.dtype(), q.device())}};
}

/// Either form: the scan with 0, or chunks of this many steps.
inline void run_mlstm(const kernels::MlstmOptions& options, const kernels::MlstmForward& args,
                      std::int64_t chunk) {
  if (chunk == 0) {
    kernels::mlstm_forward(options, args);
  } else {
    kernels::mlstm_chunkwise_forward(options, args, chunk);
  }
}
inline void run_mlstm_back(const kernels::MlstmOptions& options, const kernels::MlstmBackward& args,
                           std::int64_t chunk) {
  if (chunk == 0) {
    kernels::mlstm_backward(options, args);
  } else {
    kernels::mlstm_chunkwise_backward(options, args, chunk);
  }
}

/// The way back of a call that has been made; gradients start at zero.
inline kernels::MlstmBackward mlstm_way_back(const kernels::MlstmForward& forward, const Tensor& dh,
                                             const kernels::MlstmState& dlast = {}) {
  return {.forward = forward,
          .dh = dh,
          .dlast = dlast,
          .dq = zeros_like(forward.q),
          .dk = zeros_like(forward.k),
          .dv = zeros_like(forward.v),
          .di = zeros_like(forward.i),
          .df = zeros_like(forward.f),
          .dinitial = zeros_like(forward.initial)};
}

/// A call with room for everything but recordings, what the way back needs included.
inline kernels::SlstmForward slstm_call(
    const Tensor& wx, const Tensor& r, const Tensor& b, const kernels::SlstmState& initial = {},
    const Tensor& clamp = {}, kernels::ScalarMemory memory = kernels::ScalarMemory::slstm) {
  const std::int64_t B = wx.extent(0), T = wx.extent(1), H = r.extent(0), D = r.extent(2);
  const Tensor y = Tensor::zeros({B, T, H, D}, wx.dtype(), wx.device());
  const Tensor state = Tensor::zeros({B, H, D}, wx.dtype(), wx.device());
  // The LSTM has no n and no m.
  const bool lstm = memory == kernels::ScalarMemory::lstm;
  const Tensor n_state = lstm ? Tensor() : state, n = lstm ? Tensor() : y;
  return {
      .wx = wx,
      .r = r,
      .b = b,
      .clamp = clamp,
      .initial = initial,
      .y = y,
      .last = {state, zeros_like(state), zeros_like(n_state), zeros_like(n_state)},
      .saved = {.pre = zeros_like(wx), .c = zeros_like(y), .n = zeros_like(n), .m = zeros_like(n)}};
}

inline kernels::SlstmBackward slstm_way_back(const kernels::SlstmForward& forward, const Tensor& dy,
                                             const kernels::SlstmState& dlast = {}) {
  return {.forward = forward,
          .dy = dy,
          .dlast = dlast,
          .dwx = zeros_like(forward.wx),
          .dr = zeros_like(forward.r),
          .db = zeros_like(forward.b),
          .dinitial = zeros_like(forward.initial)};
}

}  // namespace xlab::tests
