// The checks of every mLSTM call.
#include "kernels/mlstm_head.hpp"
#include "kernels/route.hpp"

namespace xlab::kernels {
namespace {

constexpr const char* kOp = "mlstm";

MlstmSizes sizes_of(const MlstmForward& args) {
  check(args.q.defined() && args.v.defined() && args.q.rank() == 4 && args.v.rank() == 4,
        "[mlstm] needs q and k of shape (batch, time, heads, width) and v with its own width.");
  const MlstmSizes z{args.q.extent(0), args.q.extent(1), args.q.extent(2), args.q.extent(3),
                     args.v.extent(3)};
  check(args.q.elements() > 0 && z.V > 0,
        "[mlstm] has nothing to do: batch {}, time {}, heads {}, key width {}, value width {}.",
        z.B, z.T, z.H, z.K, z.V);
  return z;
}

void require(const char* what, const Tensor& x, const Shape& shape, DType dtype) {
  require_shape(kOp, what, x, shape);
  require_dtype(kOp, what, x, dtype);
}

/// Either all of a state or nothing.
void require_state(const char* what, const MlstmState& state, const MlstmSizes& z, DType dtype) {
  if (!state.C.defined() && !state.n.defined() && !state.m.defined()) return;
  require(what, state.C, {z.B, z.H, z.K, z.V}, dtype);
  require(what, state.n, {z.B, z.H, z.K}, dtype);
  require(what, state.m, {z.B, z.H}, dtype);
}

void require_forward(const MlstmForward& args, const MlstmSizes& z) {
  const DType dtype = args.q.dtype();
  const Shape keys{z.B, z.T, z.H, z.K}, values{z.B, z.T, z.H, z.V}, gates{z.B, z.T, z.H};
  require("k", args.k, keys, dtype);
  require("v", args.v, values, dtype);
  require("i", args.i, gates, dtype);
  require("f", args.f, gates, dtype);
  require_state("the initial state", args.initial, z, dtype);
  require("h", args.h, values, dtype);
  require("m", args.m, gates, dtype);
  require("s", args.s, gates, dtype);
  require("the normalizer", args.normalizer, gates, dtype);
  check(args.last.C.defined(), "[mlstm] needs room for the last state.");
  require_state("the last state", args.last, z, dtype);
  if (args.initial.C.defined()) {
    check(args.initial.C.raw() != args.last.C.raw() && args.initial.n.raw() != args.last.n.raw() &&
              args.initial.m.raw() != args.last.m.raw(),
          "[mlstm] The last state cannot overwrite the initial one.");
  }
}

}  // namespace

MlstmSizes checked_sizes(const MlstmForward& args) {
  const MlstmSizes z = sizes_of(args);
  require_forward(args, z);
  const DType dtype = args.q.dtype();
  const MlstmRecord& record = args.record;
  const Shape gates{z.B, z.T, z.H};
  if (record.input_gate) require("the recorded input gate", record.input_gate, gates, dtype);
  if (record.forget_gate) require("the recorded forget gate", record.forget_gate, gates, dtype);
  if (record.C) require("the recorded C", record.C, {z.B, z.T, z.H, z.K * z.V}, dtype);
  if (record.n) require("the recorded n", record.n, {z.B, z.T, z.H, z.K}, dtype);
  return z;
}

MlstmSizes checked_sizes(const MlstmBackward& args) {
  const MlstmSizes z = sizes_of(args.forward);
  require_forward(args.forward, z);
  const DType dtype = args.forward.q.dtype();
  const Shape keys{z.B, z.T, z.H, z.K}, values{z.B, z.T, z.H, z.V}, gates{z.B, z.T, z.H};
  require("dh", args.dh, values, dtype);
  if (args.dlast.C || args.dlast.n) {
    require("the gradient of the last C", args.dlast.C, {z.B, z.H, z.K, z.V}, dtype);
    require("the gradient of the last n", args.dlast.n, {z.B, z.H, z.K}, dtype);
  }
  if (args.dlast.m) require("the gradient of the last m", args.dlast.m, {z.B, z.H}, dtype);
  require("dq", args.dq, keys, dtype);
  require("dk", args.dk, keys, dtype);
  require("dv", args.dv, values, dtype);
  require("di", args.di, gates, dtype);
  require("df", args.df, gates, dtype);
  require_state("the gradient of the initial state", args.dinitial, z, dtype);
  return z;
}

}  // namespace xlab::kernels
