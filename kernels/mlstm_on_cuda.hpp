// How calls of the mLSTM become what its CUDA files take; for .cpp files of this folder only.
#pragma once

#include <type_traits>

#include "kernels/mlstm.hpp"
#include "kernels/mlstm_cuda.hpp"
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
          .constant_denominator = options.constant_denominator};
}

/// The numbers of a tensor, or null.
template <typename T>
T* numbers(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

template <typename X, typename T = std::remove_const_t<X>>
cuda::MlstmMemory<X> memory_of(const MlstmState& state) {
  return {numbers<T>(state.C), numbers<T>(state.n), numbers<T>(state.m)};
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
  return {.q = numbers<T>(args.q),
          .k = numbers<T>(args.k),
          .v = numbers<T>(args.v),
          .i = numbers<T>(args.i),
          .f = numbers<T>(args.f),
          .initial = memory_of<const T>(args.initial),
          .h = numbers<T>(args.h),
          .m = numbers<T>(args.m),
          .s = numbers<T>(args.s),
          .normalizer = numbers<T>(args.normalizer),
          .last = memory_of<T>(args.last),
          .input_gate = numbers<T>(args.record.input_gate),
          .forget_gate = numbers<T>(args.record.forget_gate),
          .C = numbers<T>(args.record.C),
          .n = numbers<T>(args.record.n)};
}

template <typename T>
cuda::MlstmBackwardCall<T> call_of(const MlstmBackward& args) {
  const MlstmForward& fw = args.forward;
  return {.q = numbers<T>(fw.q),
          .k = numbers<T>(fw.k),
          .v = numbers<T>(fw.v),
          .i = numbers<T>(fw.i),
          .f = numbers<T>(fw.f),
          .initial = memory_of<const T>(fw.initial),
          .h = numbers<T>(fw.h),
          .m = numbers<T>(fw.m),
          .s = numbers<T>(fw.s),
          .last = memory_of<const T>(fw.last),
          .dh = numbers<T>(args.dh),
          .dlast = memory_of<const T>(args.dlast),
          .dq = numbers<T>(args.dq),
          .dk = numbers<T>(args.dk),
          .dv = numbers<T>(args.dv),
          .di = numbers<T>(args.di),
          .df = numbers<T>(args.df),
          .dinitial = memory_of<T>(args.dinitial)};
}

}  // namespace xlab::kernels
