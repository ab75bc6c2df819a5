// The checks of every sLSTM call.
#include "kernels/slstm/checks.hpp"

#include "kernels/route.hpp"

namespace xlab::kernels {
namespace {

constexpr const char* kOp = "slstm";

SlstmSizes sizes_of(const SlstmForward& args) {
  check(args.wx.defined() && args.y.defined() && args.wx.rank() == 4 && args.y.rank() == 4,
        "[slstm] needs wx of shape (batch, time, 4, heads * units) and y of shape (batch, time, "
        "heads, units).");
  const SlstmSizes z{args.y.extent(0), args.y.extent(1), args.y.extent(2), args.y.extent(3)};
  check(args.y.elements() > 0,
        "[slstm] has nothing to do: batch {}, time {}, heads {}, units per head {}.", z.B, z.T, z.H,
        z.D);
  return z;
}

/// Either all of a state or nothing.
void require_state(const char* what, const SlstmState& state, ScalarMemory memory,
                   const SlstmSizes& z, DType dtype) {
  if (!state.y && !state.c && !state.n && !state.m) return;
  for (const Tensor* x : {&state.y, &state.c}) require(kOp, what, *x, {z.B, z.H, z.D}, dtype);
  for (const Tensor* x : {&state.n, &state.m}) {
    if (memory == ScalarMemory::lstm) {
      check(!x->defined(), "[slstm] The LSTM has no n and no m, but {} has them.", what);
    } else {
      require(kOp, what, *x, {z.B, z.H, z.D}, dtype);
    }
  }
}

void require_record(const SlstmRecord& record, ScalarMemory memory, const SlstmSizes& z,
                    DType dtype) {
  check(memory == ScalarMemory::slstm || (!record.n && !record.m),
        "[slstm] The LSTM has no n and no m that could be recorded.");
  if (record.pre) {
    require(kOp, "the recorded pre-activation", record.pre,
            {z.B, z.T, SlstmSizes::kGates, z.width()}, dtype);
  }
  for (const Tensor* x :
       {&record.input_gate, &record.forget_gate, &record.c, &record.n, &record.m}) {
    if (*x) require(kOp, "a recorded tensor", *x, {z.B, z.T, z.H, z.D}, dtype);
  }
}

void require_forward(const SlstmOptions& options, const SlstmForward& args, const SlstmSizes& z) {
  const DType dtype = args.wx.dtype();
  const ScalarMemory memory = options.memory;
  check(memory == ScalarMemory::slstm ||
            (options.stabilizer && options.forget_gate == ForgetGate::sigmoid),
        "[slstm] The LSTM's forget gate is the sigmoid, and it has no stabilizer to switch off.");
  const Shape pre{z.B, z.T, SlstmSizes::kGates, z.width()};
  require(kOp, "wx", args.wx, pre, dtype);
  require(kOp, "r", args.r, {z.H, SlstmSizes::kGates * z.D, z.D}, dtype);
  require(kOp, "b", args.b, {SlstmSizes::kGates * z.width()}, dtype);
  if (args.clamp) require(kOp, "the clamp", args.clamp, pre, dtype);
  require_state("the initial state", args.initial, memory, z, dtype);
  require(kOp, "y", args.y, {z.B, z.T, z.H, z.D}, dtype);
  check(args.last.y.defined(), "[slstm] needs room for the last state.");
  require_state("the last state", args.last, memory, z, dtype);
  const auto apart = [](const Tensor& a, const Tensor& b) { return !a || a.raw() != b.raw(); };
  check(apart(args.initial.y, args.last.y) && apart(args.initial.c, args.last.c) &&
            apart(args.initial.n, args.last.n) && apart(args.initial.m, args.last.m),
        "[slstm] The last state cannot overwrite the initial one.");
  require_record(args.record, memory, z, dtype);
  require_record(args.saved, memory, z, dtype);
  require_same_device(kOp, args.wx, args.r, args.b, args.clamp, args.y);
  for (const SlstmState* state : {&args.initial, &args.last}) {
    require_same_device(kOp, args.wx, state->y, state->c, state->n, state->m);
  }
  for (const SlstmRecord* record : {&args.record, &args.saved}) {
    require_same_device(kOp, args.wx, record->pre, record->input_gate, record->forget_gate,
                        record->c, record->n, record->m);
  }
}

}  // namespace

SlstmSizes checked_sizes(const SlstmOptions& options, const SlstmForward& args) {
  const SlstmSizes z = sizes_of(args);
  require_forward(options, args, z);
  return z;
}

SlstmSizes checked_sizes(const SlstmOptions& options, const SlstmBackward& args) {
  const SlstmForward& fw = args.forward;
  const SlstmSizes z = sizes_of(fw);
  require_forward(options, fw, z);
  const bool lstm = options.memory == ScalarMemory::lstm;
  const DType dtype = fw.wx.dtype();
  const Shape units{z.B, z.T, z.H, z.D};
  require(kOp, "the saved pre-activation", fw.saved.pre, fw.wx.shape(), dtype);
  require(kOp, "the saved c", fw.saved.c, units, dtype);
  if (!lstm) {
    require(kOp, "the saved n", fw.saved.n, units, dtype);
    require(kOp, "the saved m", fw.saved.m, units, dtype);
  }
  require(kOp, "dy", args.dy, units, dtype);
  if (args.dlast.y || args.dlast.c || args.dlast.n) {
    for (const Tensor* x : {&args.dlast.y, &args.dlast.c, &args.dlast.n}) {
      if (lstm && x == &args.dlast.n) continue;
      require(kOp, "the gradient of the last state", *x, {z.B, z.H, z.D}, dtype);
    }
  }
  require(kOp, "dwx", args.dwx, fw.wx.shape(), dtype);
  require(kOp, "dr", args.dr, fw.r.shape(), dtype);
  require(kOp, "db", args.db, fw.b.shape(), dtype);
  require_state("the gradient of the initial state", args.dinitial, options.memory, z, dtype);
  require_same_device(kOp, fw.wx, args.dy, args.dlast.y, args.dlast.c, args.dlast.n, args.dwx,
                      args.dr, args.db, args.dinitial.y, args.dinitial.c, args.dinitial.n,
                      args.dinitial.m);
  return z;
}

}  // namespace xlab::kernels
