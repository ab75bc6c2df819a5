// The checks of every mLSTM call.
#include "kernels/mlstm/checks.hpp"

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

/// Either all of a state or nothing.
void require_state(const char* what, const MlstmState& state, const MlstmSizes& z, DType dtype) {
  if (!state.C.defined() && !state.n.defined() && !state.m.defined()) return;
  require(kOp, what, state.C, {z.B, z.H, z.K, z.V}, dtype);
  require(kOp, what, state.n, {z.B, z.H, z.K}, dtype);
  require(kOp, what, state.m, {z.B, z.H}, dtype);
}

void require_forward(const MlstmForward& args, const MlstmSizes& z) {
  const DType dtype = args.q.dtype();
  const Shape keys{z.B, z.T, z.H, z.K}, values{z.B, z.T, z.H, z.V}, gates{z.B, z.T, z.H};
  require(kOp, "k", args.k, keys, dtype);
  require(kOp, "v", args.v, values, dtype);
  require(kOp, "i", args.i, gates, dtype);
  require(kOp, "f", args.f, gates, dtype);
  require_state("the initial state", args.initial, z, dtype);
  require(kOp, "h", args.h, values, dtype);
  require(kOp, "m", args.m, gates, dtype);
  require(kOp, "s", args.s, gates, dtype);
  require(kOp, "the normalizer", args.normalizer, gates, dtype);
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
  if (record.input_gate) require(kOp, "the recorded input gate", record.input_gate, gates, dtype);
  if (record.forget_gate)
    require(kOp, "the recorded forget gate", record.forget_gate, gates, dtype);
  if (record.C) require(kOp, "the recorded C", record.C, {z.B, z.T, z.H, z.K * z.V}, dtype);
  if (record.n) require(kOp, "the recorded n", record.n, {z.B, z.T, z.H, z.K}, dtype);
  return z;
}

MlstmSizes checked_sizes(const MlstmBackward& args) {
  const MlstmSizes z = sizes_of(args.forward);
  require_forward(args.forward, z);
  const DType dtype = args.forward.q.dtype();
  const Shape keys{z.B, z.T, z.H, z.K}, values{z.B, z.T, z.H, z.V}, gates{z.B, z.T, z.H};
  require(kOp, "dh", args.dh, values, dtype);
  if (args.dlast.C || args.dlast.n) {
    require(kOp, "the gradient of the last C", args.dlast.C, {z.B, z.H, z.K, z.V}, dtype);
    require(kOp, "the gradient of the last n", args.dlast.n, {z.B, z.H, z.K}, dtype);
  }
  if (args.dlast.m) require(kOp, "the gradient of the last m", args.dlast.m, {z.B, z.H}, dtype);
  require(kOp, "dq", args.dq, keys, dtype);
  require(kOp, "dk", args.dk, keys, dtype);
  require(kOp, "dv", args.dv, values, dtype);
  require(kOp, "di", args.di, gates, dtype);
  require(kOp, "df", args.df, gates, dtype);
  require_state("the gradient of the initial state", args.dinitial, z, dtype);
  return z;
}

}  // namespace xlab::kernels
