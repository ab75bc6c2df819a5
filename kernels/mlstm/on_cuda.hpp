// How calls of the mLSTM become what its CUDA files take; for .cpp files of this folder only.
#pragma once

#include "kernels/mlstm/cuda.hpp"
#include "kernels/mlstm/mlstm.hpp"
#include "kernels/route.hpp"

namespace xlab::kernels {

/// `Sizes` has B, T, H, K and V.
template <typename Sizes>
cuda::MlstmRules rules_of(const MlstmOptions& options, const Sizes& z) {
  return {.B = z.B,
          .T = z.T,
          .H = z.H,
          .K = z.K,
          .V = z.V,
          .query_scale = options.query_scale,
          .eps = options.eps,
          .exponential_forget = options.forget_gate == ForgetGate::exponential,
          .stabilizer = options.stabilizer,
          .floor_of_one = options.floor == DenominatorFloor::one,
          .normalize = options.normalize,
          .constant_denominator = options.constant_denominator};
}

template <typename T>
cuda::MlstmMemory<T> memory_of(const MlstmState& state) {
  return {data_or_null<T>(state.C), data_or_null<T>(state.n), data_or_null<T>(state.m)};
}

/// Whether a call has to run on a card; see on_cuda.
inline bool is_on_cuda(const MlstmForward& args) {
  return on_cuda("mlstm", args.q, args.k, args.v, args.i, args.f, args.initial.C, args.initial.n,
                 args.initial.m, args.h, args.m, args.s, args.normalizer, args.last.C, args.last.n,
                 args.last.m, args.record.input_gate, args.record.forget_gate, args.record.C,
                 args.record.n);
}

inline bool is_on_cuda(const MlstmBackward& args) {
  require_same_device("mlstm", args.forward.q, args.dh, args.dlast.C, args.dlast.n, args.dlast.m,
                      args.dq, args.dk, args.dv, args.di, args.df, args.dinitial.C, args.dinitial.n,
                      args.dinitial.m);
  return is_on_cuda(args.forward);
}

template <typename T>
cuda::MlstmForwardCall<T> call_of(const MlstmForward& args) {
  return {.q = data_or_null<T>(args.q),
          .k = data_or_null<T>(args.k),
          .v = data_or_null<T>(args.v),
          .i = data_or_null<T>(args.i),
          .f = data_or_null<T>(args.f),
          .initial = memory_of<const T>(args.initial),
          .h = data_or_null<T>(args.h),
          .m = data_or_null<T>(args.m),
          .s = data_or_null<T>(args.s),
          .normalizer = data_or_null<T>(args.normalizer),
          .last = memory_of<T>(args.last),
          .input_gate = data_or_null<T>(args.record.input_gate),
          .forget_gate = data_or_null<T>(args.record.forget_gate),
          .C = data_or_null<T>(args.record.C),
          .n = data_or_null<T>(args.record.n)};
}

template <typename T>
cuda::MlstmBackwardCall<T> call_of(const MlstmBackward& args) {
  const MlstmForward& fw = args.forward;
  return {.q = data_or_null<T>(fw.q),
          .k = data_or_null<T>(fw.k),
          .v = data_or_null<T>(fw.v),
          .i = data_or_null<T>(fw.i),
          .f = data_or_null<T>(fw.f),
          .initial = memory_of<const T>(fw.initial),
          .h = data_or_null<T>(fw.h),
          .m = data_or_null<T>(fw.m),
          .s = data_or_null<T>(fw.s),
          .last = memory_of<const T>(fw.last),
          .dh = data_or_null<T>(args.dh),
          .dlast = memory_of<const T>(args.dlast),
          .dq = data_or_null<T>(args.dq),
          .dk = data_or_null<T>(args.dk),
          .dv = data_or_null<T>(args.dv),
          .di = data_or_null<T>(args.di),
          .df = data_or_null<T>(args.df),
          .dinitial = memory_of<T>(args.dinitial)};
}

}  // namespace xlab::kernels
