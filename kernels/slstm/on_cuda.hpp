// How calls of the sLSTM become what its CUDA files take; for .cpp files of this folder only.
#pragma once

#include "kernels/route.hpp"
#include "kernels/slstm/cuda.hpp"
#include "kernels/slstm/slstm.hpp"

namespace xlab::kernels {

inline cuda::SlstmSizes cuda_sizes(const SlstmForward& args) {
  const Tensor& y = args.y;
  return {y.extent(0), y.extent(1), y.extent(2), y.extent(3)};
}

inline cuda::SlstmGates cuda_gates(const SlstmOptions& options) {
  return {options.memory, options.forget_gate, options.stabilizer, options.gate_soft_cap};
}

template <typename T>
cuda::SlstmUnits<T> cuda_units(const SlstmState& state) {
  return {data_or_null<T>(state.y), data_or_null<T>(state.c), data_or_null<T>(state.n),
          data_or_null<T>(state.m)};
}

template <typename T>
cuda::SlstmRecording<T> cuda_recording(const SlstmRecord& record) {
  return {data_or_null<T>(record.pre),         data_or_null<T>(record.input_gate),
          data_or_null<T>(record.forget_gate), data_or_null<T>(record.c),
          data_or_null<T>(record.n),           data_or_null<T>(record.m)};
}

template <typename T>
void forward_on_cuda(const SlstmOptions& options, const SlstmForward& args) {
  cuda::slstm_forward<T>(cuda::slstm_forward_plan<T>(cuda_sizes(args)),
                         {.sizes = cuda_sizes(args),
                          .gates = cuda_gates(options),
                          .wx = args.wx.data<T>(),
                          .r = args.r.data<T>(),
                          .b = args.b.data<T>(),
                          .clamp = data_or_null<T>(args.clamp),
                          .initial = cuda_units<const T>(args.initial),
                          .y = args.y.data<T>(),
                          .last = cuda_units<T>(args.last),
                          .record = cuda_recording<T>(args.record),
                          .saved = cuda_recording<T>(args.saved)});
}

template <typename T>
void backward_on_cuda(const SlstmOptions& options, const SlstmBackward& args) {
  const SlstmForward& fw = args.forward;
  cuda::slstm_backward<T>(cuda::slstm_backward_plan<T>(cuda_sizes(fw)),
                          {.sizes = cuda_sizes(fw),
                           .gates = cuda_gates(options),
                           .r = fw.r.data<T>(),
                           .clamp = data_or_null<T>(fw.clamp),
                           .initial = cuda_units<const T>(fw.initial),
                           .y = fw.y.data<T>(),
                           .pre = fw.saved.pre.data<T>(),
                           .c = fw.saved.c.data<T>(),
                           .n = data_or_null<const T>(fw.saved.n),
                           .m = data_or_null<const T>(fw.saved.m),
                           .dy = args.dy.data<T>(),
                           .dlast = cuda_units<const T>(args.dlast),
                           .dwx = args.dwx.data<T>(),
                           .dr = args.dr.data<T>(),
                           .db = args.db.data<T>(),
                           .dinitial = cuda_units<T>(args.dinitial)});
}

}  // namespace xlab::kernels
