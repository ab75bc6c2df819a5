// The cells by each of their forms, on what a model gave them.
#include "core/selfcheck/forms.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/check.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/mlstm/chunkwise.hpp"
#include "kernels/mlstm/parallel.hpp"

namespace xlab {
namespace {

/// Values of one recorded name as one tensor (1, T, heads, dim).
Tensor recorded(const std::vector<TokenTrace>& trace, const std::string& path, DType dtype) {
  std::vector<float> values;
  const Recorded* first = trace.front().find(path);
  check(first != nullptr, "The model records no {}.", path);
  for (const TokenTrace& step : trace) {
    const Recorded* one = step.find(path);
    values.insert(values.end(), one->values.begin(), one->values.end());
  }
  return Tensor::from<float>({1, static_cast<std::int64_t>(trace.size()), first->heads, first->dim},
                             values, dtype);
}

Tensor gate(const Tensor& x) {
  return x.reshape({x.extent(0), x.extent(1), x.extent(2)});
}

}  // namespace

Tensor zeros_like(const Tensor& x) {
  return Tensor::zeros(x.shape(), x.dtype(), x.device());
}

MlstmInputs::MlstmInputs(const std::vector<TokenTrace>& trace, const BlockCard& block, DType dtype,
                         Device device)
    : q(recorded(trace, block.path("q"), dtype).to(device)),
      k(recorded(trace, block.path("k"), dtype).to(device)),
      v(recorded(trace, block.path("v"), dtype).to(device)),
      i(gate(recorded(trace, block.path("input_gate_pre"), dtype)).to(device)),
      f(gate(recorded(trace, block.path("forget_gate_pre"), dtype)).to(device)) {
  if (block.variant.input_gate != InputGate::sigmoid) return;
  const Tensor logarithm = zeros_like(i);
  kernels::activation_forward(kernels::Activation::log_sigmoid, i, logarithm);
  i = logarithm;
}

MlstmResults::MlstmResults(const MlstmInputs& in)
    : h(zeros_like(in.v)),
      dq(zeros_like(in.q)),
      dk(zeros_like(in.k)),
      dv(zeros_like(in.v)),
      di(zeros_like(in.i)),
      df(zeros_like(in.f)) {}

MlstmResults by_recurrence(const kernels::MlstmOptions& options, const MlstmInputs& in,
                           const Tensor& dh, std::int64_t chunk) {
  MlstmResults out(in);
  const std::int64_t H = in.q.extent(2), K = in.q.extent(3), V = in.v.extent(3);
  const DType dtype = in.q.dtype();
  const Device device = in.q.device();
  const kernels::MlstmForward forward{
      .q = in.q,
      .k = in.k,
      .v = in.v,
      .i = in.i,
      .f = in.f,
      .initial = {},
      .h = out.h,
      .m = zeros_like(in.i),
      .s = zeros_like(in.i),
      .normalizer = zeros_like(in.i),
      .last = {Tensor::zeros({1, H, K, V}, dtype, device), Tensor::zeros({1, H, K}, dtype, device),
               Tensor::zeros({1, H}, dtype, device)},
      .record = {}};
  const kernels::MlstmBackward back{.forward = forward,
                                    .dh = dh,
                                    .dlast = {},
                                    .dq = out.dq,
                                    .dk = out.dk,
                                    .dv = out.dv,
                                    .di = out.di,
                                    .df = out.df,
                                    .dinitial = {}};
  if (chunk > 0) {
    kernels::mlstm_chunkwise_forward(options, forward, chunk);
    if (dh) kernels::mlstm_chunkwise_backward(options, back, chunk);
  } else {
    kernels::mlstm_forward(options, forward);
    if (dh) kernels::mlstm_backward(options, back);
  }
  return out;
}

MlstmResults by_attention(const kernels::MlstmOptions& options, const MlstmInputs& in,
                          const Tensor& dh, const Tensor& attention) {
  MlstmResults out(in);
  kernels::mlstm_parallel_forward(options, {.q = in.q,
                                            .k = in.k,
                                            .v = in.v,
                                            .i = in.i,
                                            .f = in.f,
                                            .h = out.h,
                                            .m = {},
                                            .row_max = {},
                                            .s = {},
                                            .normalizer = {},
                                            .log_decay = {},
                                            .decay = {},
                                            .scores = {},
                                            .attention = attention});
  if (dh) {
    kernels::mlstm_parallel_backward(options, {.q = in.q,
                                               .k = in.k,
                                               .v = in.v,
                                               .i = in.i,
                                               .f = in.f,
                                               .dh = dh,
                                               .dq = out.dq,
                                               .dk = out.dk,
                                               .dv = out.dv,
                                               .di = out.di,
                                               .df = out.df});
  }
  return out;
}

Tensor parts_of(const Tensor& attention, const Tensor& v) {
  const Tensor A = attention.to(Device::cpu()).to(DType::f64),
               values = v.to(Device::cpu()).to(DType::f64);
  const std::int64_t T = v.extent(1), H = v.extent(2), V = v.extent(3);
  Tensor out = Tensor::zeros(v.shape(), DType::f64);
  for (std::int64_t h = 0; h < H; ++h) {
    for (std::int64_t t = 0; t < T; ++t) {
      for (std::int64_t j = 0; j <= t; ++j) {
        const double weight = std::abs(A.data<double>()[(h * T + t) * T + j]);
        for (std::int64_t x = 0; x < V; ++x) {
          out.data<double>()[(t * H + h) * V + x] +=
              weight * std::abs(values.data<double>()[(j * H + h) * V + x]);
        }
      }
    }
  }
  return out;
}

Tensor slstm_output(const kernels::SlstmOptions& options, const std::vector<TokenTrace>& trace,
                    const std::string& prefix, Device device) {
  constexpr const char* kPre[] = {"/input_gate_pre", "/forget_gate_pre", "/cell_input_pre",
                                  "/output_gate_pre"};
  Tensor parts[4];
  for (std::size_t gate = 0; gate < 4; ++gate)
    parts[gate] = recorded(trace, prefix + kPre[gate], DType::f64);
  const std::int64_t T = parts[0].extent(1), H = parts[0].extent(2), D = parts[0].extent(3);
  const Tensor wx = Tensor::zeros({1, T, 4, H * D}, DType::f64);
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t gate = 0; gate < 4; ++gate) {
      std::copy_n(parts[gate].data<double>() + t * H * D, H * D,
                  wx.data<double>() + (t * 4 + gate) * H * D);
    }
  }
  const auto zeros = [&](const Shape& shape) { return Tensor::zeros(shape, DType::f64, device); };
  const auto room = [&] { return zeros({1, H, D}); };
  Tensor y = zeros({1, T, H, D});
  kernels::slstm_forward(options, {.wx = wx.to(device),
                                   .r = zeros({H, 4 * D, D}),
                                   .b = zeros({4 * H * D}),
                                   .clamp = {},
                                   .initial = {},
                                   .y = y,
                                   .last = {room(), room(), room(), room()},
                                   .record = {},
                                   .saved = {}});
  return y;
}

}  // namespace xlab
