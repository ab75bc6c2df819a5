// The differentiable vocabulary: a kernel forward, and the kernel backward it leaves on the tape.
#include "core/ops.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/scan_watch.hpp"
#include "kernels/concat.hpp"
#include "kernels/conv1d.hpp"
#include "kernels/embed.hpp"
#include "kernels/mlstm/chunkwise.hpp"
#include "kernels/product/linear.hpp"
#include "kernels/route.hpp"

namespace xlab::ops {
namespace {

/// An output like `x` with another last extent.
Tensor widened(const Tensor& x, std::int64_t width) {
  return Tensor::empty({x.extent(0), x.extent(1), width}, x.dtype(), x.device());
}

Tensor like(const Tensor& x) {
  return Tensor::empty(x.shape(), x.dtype(), x.device());
}

/// The forget gate before stabilisation.
Tensor plain_forget_gate(kernels::ForgetGate gate, const Tensor& f) {
  Tensor out = like(f);
  kernels::activation_forward(gate == kernels::ForgetGate::sigmoid
                                  ? kernels::Activation::sigmoid
                                  : kernels::Activation::exponential,
                              f, out);
  return out;
}

}  // namespace

Var linear(Tape& tape, Var x, const Param& w, const Param& b) {
  Tensor y = widened(tape.value(x), w.value.extent(0));
  kernels::linear_forward(tape.value(x), w.value, b.value, y);
  if (!tape.needs_gradients()) return tape.push(y);
  return tape.push(y, [&tape, x, w, b](const Tensor& dy) {
    kernels::linear_backward(tape.value(x), w.value, dy, tape.grad(x), w.grad, b.grad);
  });
}

Var headwise(Tape& tape, Var x, const Param& w, const Param& b) {
  Tensor y = widened(tape.value(x), w.value.extent(0) * w.value.extent(1));
  kernels::headwise_forward(tape.value(x), w.value, b.value, y);
  if (!tape.needs_gradients()) return tape.push(y);
  return tape.push(y, [&tape, x, w, b](const Tensor& dy) {
    kernels::headwise_backward(tape.value(x), w.value, dy, tape.grad(x), w.grad, b.grad);
  });
}

Var embed(Tape& tape, const Tensor& ids, const Param& table) {
  // Halves and blocks are only stored: what comes out is computed with.
  const DType stored = table.value.dtype();
  Tensor out = Tensor::empty({ids.extent(0), ids.extent(1), table.value.extent(1)},
                             stored == DType::f64 ? stored : DType::f32, table.value.device());
  kernels::embed_forward(ids, table.value, out);
  return tape.push(
      out, [ids, table](const Tensor& dout) { kernels::embed_backward(ids, dout, table.grad); });
}

Var norm(Tape& tape, const kernels::NormOptions& options, Var x, const Param& weight,
         const Param& bias) {
  const Tensor& in = tape.value(x);
  const std::int64_t rows = in.elements() / in.extent(-1);
  Tensor y = like(in);
  Tensor mean = Tensor::empty({rows, options.groups}, in.dtype(), in.device());
  Tensor rstd = Tensor::empty({rows, options.groups}, in.dtype(), in.device());
  kernels::norm_forward(options, in, weight.value, y, mean, rstd);
  const Var normed = tape.push(y, [&tape, options, x, weight, mean, rstd](const Tensor& dy) {
    kernels::norm_backward(options, tape.value(x), weight.value, mean, rstd, dy, tape.grad(x),
                           weight.grad);
  });
  return bias.value.defined() ? add_columns(tape, normed, bias) : normed;
}

Var conv1d(Tape& tape, Var x, const Tensor& window, const Param& w, const Param& b,
           const Tensor& window_out) {
  Tensor y = like(tape.value(x));
  kernels::conv1d_forward(tape.value(x), window, w.value, b.value, y, window_out);
  if (!tape.needs_gradients()) return tape.push(y);
  return tape.push(y, [&tape, x, window, w, b](const Tensor& dy) {
    kernels::conv1d_backward(tape.value(x), window, w.value, dy, tape.grad(x), w.grad, b.grad, {});
  });
}

Var activation(Tape& tape, kernels::Activation f, Var x) {
  Tensor y = like(tape.value(x));
  kernels::activation_forward(f, tape.value(x), y);
  if (!tape.needs_gradients()) return tape.push(y);
  return tape.push(y, [&tape, f, x](const Tensor& dy) {
    kernels::activation_backward(f, tape.value(x), dy, tape.grad(x));
  });
}

Var soft_cap(Tape& tape, Var x, double cap) {
  if (cap == 0.0) return x;
  constexpr auto f = kernels::Activation::soft_cap;
  Tensor y = like(tape.value(x));
  kernels::activation_forward(f, tape.value(x), y, cap);
  if (!tape.needs_gradients()) return tape.push(y);
  return tape.push(y, [&tape, x, cap](const Tensor& dy) {
    kernels::activation_backward(f, tape.value(x), dy, tape.grad(x), cap);
  });
}

Var gated(Tape& tape, kernels::Activation f, Var gate, Var value) {
  Tensor y = like(tape.value(value));
  kernels::gated_forward(f, tape.value(gate), tape.value(value), y);
  if (!tape.needs_gradients()) return tape.push(y);
  return tape.push(y, [&tape, f, gate, value](const Tensor& dy) {
    kernels::gated_backward(f, tape.value(gate), tape.value(value), dy, tape.grad(gate),
                            tape.grad(value));
  });
}

Var add(Tape& tape, Var a, Var b) {
  Tensor y = like(tape.value(a));
  kernels::add(tape.value(a), tape.value(b), y);
  if (!tape.needs_gradients()) return tape.push(y);
  return tape.push(y, [&tape, a, b](const Tensor& dy) {
    kernels::accumulate(tape.grad(a), dy);
    kernels::accumulate(tape.grad(b), dy);
  });
}

Var scale(Tape& tape, Var x, double factor) {
  Tensor y = like(tape.value(x));
  kernels::scale(tape.value(x), factor, y);
  return tape.push(
      y, [&tape, x, factor](const Tensor& dy) { kernels::accumulate(tape.grad(x), dy, factor); });
}

Var scale_columns(Tape& tape, Var x, const Param& w) {
  Tensor y = like(tape.value(x));
  kernels::scale_columns(tape.value(x), w.value, y);
  if (!tape.needs_gradients()) return tape.push(y);
  return tape.push(y, [&tape, x, w](const Tensor& dy) {
    kernels::scale_columns_backward(tape.value(x), w.value, dy, tape.grad(x), w.grad);
  });
}

Var add_columns(Tape& tape, Var x, const Param& b) {
  Tensor y = like(tape.value(x));
  kernels::add_columns(tape.value(x), b.value, y);
  if (!tape.needs_gradients()) return tape.push(y);
  return tape.push(y, [&tape, x, b](const Tensor& dy) {
    kernels::add_columns_backward(dy, tape.grad(x), b.grad);
  });
}

Var concat(Tape& tape, const std::vector<Var>& parts) {
  std::vector<Tensor> values;
  std::int64_t width = 0;
  for (const Var part : parts) {
    values.push_back(tape.value(part));
    width += values.back().extent(-1);
  }
  Tensor out = widened(values.front(), width);
  kernels::concat_forward(values, out);
  if (!tape.needs_gradients()) return tape.push(out);
  return tape.push(out, [&tape, parts](const Tensor& dout) {
    std::vector<Tensor> grads;
    grads.reserve(parts.size());
    for (const Var part : parts) grads.push_back(tape.grad(part));
    kernels::concat_backward(dout, grads);
  });
}

Var mlstm(Tape& tape, const kernels::MlstmOptions& options, int heads, Var q, Var k, Var v, Var i,
          Var f, const kernels::MlstmState& initial, kernels::MlstmState& last) {
  const Tensor& values = tape.value(v);
  const DType dtype = values.dtype();
  const Device device = values.device();
  const std::int64_t B = values.extent(0), T = values.extent(1), H = heads;
  const std::int64_t K = tape.value(q).extent(-1) / H, V = values.extent(-1) / H;
  const auto make = [&](const Shape& shape) { return Tensor::empty(shape, dtype, device); };

  last = {make({B, H, K, V}), make({B, H, K}), make({B, H})};
  kernels::MlstmForward args{.q = tape.value(q).reshape({B, T, H, K}),
                             .k = tape.value(k).reshape({B, T, H, K}),
                             .v = values.reshape({B, T, H, V}),
                             .i = tape.value(i),
                             .f = tape.value(f),
                             .initial = initial,
                             .h = make({B, T, H, V}),
                             .m = make({B, T, H}),
                             .s = make({B, T, H}),
                             .normalizer = make({B, T, H}),
                             .last = last,
                             .record = {}};
  if (tape.recording()) {
    args.record.input_gate = make({B, T, H});
    args.record.forget_gate = make({B, T, H});
  }
  // One token is a step of the scan; what happens at every step only the scan can tell, and only it
  // computes in formats of choice.
  const bool in_chunks =
      T > 1 && !tape.observed() && options.format == kernels::NumberFormat::native;
  const std::int64_t chunk = in_chunks ? kernels::mlstm_chunk_length(K, V, device) : 0;
  if (chunk > 0) {
    kernels::mlstm_chunkwise_forward(options, args, chunk);
  } else {
    kernels::mlstm_forward(options, args);
  }
  if (tape.recording()) {
    const Tensor forget_sigmoid = plain_forget_gate(options.forget_gate, args.f);
    tape.record("input_gate", args.record.input_gate, heads);
    tape.record("forget_gate", args.record.forget_gate, heads);
    tape.record("forget_gate_sigmoid", forget_sigmoid, heads);
    tape.record("m", args.m, heads);
    tape.record("s", args.s, heads);
    tape.record("normalizer", args.normalizer, heads);
    tape.record("n", last.n, heads);
    args.record = {};
  }
  if (!tape.needs_gradients()) return tape.push(args.h.reshape({B, T, H * V}));
  ScanWatch* const watch = tape.scan_watch();
  if (watch) watch->mlstm = ScanWatch::Mlstm{options, args};
  const Var h = tape.push(args.h.reshape({B, T, H * V}), [&tape, options, args, q, k, v, i, f, B, T,
                                                          H, V, chunk, watch](const Tensor& dh) {
    if (watch) watch->dh = dh.clone();
    const kernels::MlstmBackward back{.forward = args,
                                      .dh = dh.reshape({B, T, H, V}),
                                      .dlast = {},
                                      .dq = tape.grad(q).reshape(args.q.shape()),
                                      .dk = tape.grad(k).reshape(args.k.shape()),
                                      .dv = tape.grad(v).reshape(args.v.shape()),
                                      .di = tape.grad(i),
                                      .df = tape.grad(f),
                                      .dinitial = {}};
    if (chunk > 0) {
      kernels::mlstm_chunkwise_backward(options, back, chunk);
    } else {
      kernels::mlstm_backward(options, back);
    }
  });
  if (watch) watch->h = h;
  return h;
}

namespace {

constexpr std::array<const char*, 4> kSlstmPre = {"input_gate_pre", "forget_gate_pre",
                                                  "cell_input_pre", "output_gate_pre"};
/// W x alone of the same.
constexpr std::array<const char*, 4> kSlstmToken = {"input_gate_wx", "forget_gate_wx",
                                                    "cell_input_wx", "output_gate_wx"};

using GateClamps = std::array<std::vector<const Clamp*>, 4>;

/// The clamps on the pre-activations of so many observed tokens.
GateClamps slstm_clamps(const Tape& tape, std::int64_t steps) {
  GateClamps acting;
  for (std::size_t gate = 0; gate < acting.size(); ++gate)
    acting[gate] = tape.observer()->acting_on(tape.path(kSlstmPre[gate]), steps);
  return acting;
}

bool holds_any(const GateClamps& acting) {
  return std::ranges::any_of(acting, [](const auto& on_gate) { return !on_gate.empty(); });
}

/// Whether one of them works on what a pre-activation would be without it.
bool any_relative(const GateClamps& acting) {
  return std::ranges::any_of(acting, [](const auto& on_gate) {
    return std::ranges::any_of(on_gate,
                               [](const Clamp* clamp) { return clamp->change != Change::set; });
  });
}

/// What pre-activations (B, T, 4, H * D) are held at, NaN where one is free. `free`: what they are
/// without clamps, or anything where none is relative.
Tensor held_at(const Observer& observer, const GateClamps& acting, int heads, const Tensor& free) {
  const Tensor held = Tensor::empty(free.shape(), free.dtype());
  const std::int64_t T = free.extent(1), width = free.extent(3), D = width / heads;
  visit_float(free, [&]<typename N>(N) {
    std::fill_n(held.data<N>(), held.elements(), std::numeric_limits<N>::quiet_NaN());
    for (std::int64_t at = 0; at < held.elements(); ++at) {
      const auto gate = static_cast<std::size_t>(at / width % 4);
      const int step = observer.step + static_cast<int>(at / width / 4 % T);
      const std::int64_t unit = at % width;
      N& number = held.data<N>()[at];
      for (const Clamp* clamp : acting[gate]) {
        if (!clamp->acts_at(step)) continue;
        if (!clamp->is_on(static_cast<int>(unit / D), static_cast<int>(unit % D))) continue;
        number = clamp->applied(std::isnan(number) ? free.data<N>()[at] : number, step);
      }
    }
  });
  return held;
}

}  // namespace

Var slstm(Tape& tape, const kernels::SlstmOptions& options, int heads, Var wx, const Param& r,
          const Param& b, const kernels::SlstmState& initial, kernels::SlstmState& last) {
  const Tensor& in = tape.value(wx);
  const std::int64_t B = in.extent(0), T = in.extent(1), H = heads, D = in.extent(-1) / 4 / H;
  const auto make = [&](const Shape& shape) {
    return Tensor::empty(shape, in.dtype(), in.device());
  };
  const Shape sequence = {B, T, H, D}, gates = {B, T, 4, H * D}, state = {B, H, D};

  const bool lstm = options.memory == kernels::ScalarMemory::lstm;
  last = {make(state), make(state)};
  if (!lstm) last = {make(state), make(state), make(state), make(state)};
  kernels::SlstmForward args{.wx = in.reshape(gates),
                             .r = r.value,
                             .b = b.value,
                             .clamp = {},
                             .initial = initial,
                             .y = make(sequence),
                             .last = last,
                             .record = {},
                             .saved = {}};
  if (tape.needs_gradients()) {
    args.saved.pre = make(gates);
    args.saved.c = make(sequence);
    if (!lstm) {
      args.saved.n = make(sequence);
      args.saved.m = make(sequence);
    }
  }
  GateClamps acting;
  if (tape.observed()) acting = slstm_clamps(tape, T);
  const bool relative = any_relative(acting);
  // Of several tokens each would have to wait for those before it, and the kernels' gradient takes
  // what is held for a constant.
  check(!relative || (T == 1 && !tape.needs_gradients()),
        "An edit adds to a pre-activation of an sLSTM or multiplies it: it has no gradient here. "
        "Hold the value instead, or switch the edit off.");
  if (!relative && holds_any(acting))
    args.clamp =
        held_at(*tape.observer(), acting, heads, args.wx.to(Device::cpu())).to(in.device());
  if (tape.recording() || relative) args.record.pre = make(gates);
  if (tape.recording()) {
    args.record.input_gate = make(sequence);
    args.record.forget_gate = make(sequence);
    args.record.c = make(sequence);
    if (!lstm) {
      args.record.n = make(sequence);
      args.record.m = make(sequence);
    }
  }
  kernels::slstm_forward(options, args);
  if (relative) {
    // Once more: what they would be without clamps is known now.
    args.clamp =
        held_at(*tape.observer(), acting, heads, args.record.pre.to(Device::cpu())).to(in.device());
    kernels::slstm_forward(options, args);
  }
  if (tape.recording()) {
    const Tensor pre = args.record.pre.reshape({4, H * D});
    const auto squashed = [&](int gate, kernels::Activation f) {
      Tensor y = make({1, H * D});
      kernels::activation_forward(f, pre.slice(gate, gate + 1), y);
      return y;
    };
    // W x cannot be had from the pre-activation: that may be capped, clamped or rounded.
    const Tensor token = in.reshape({4, H * D});
    for (int gate = 0; gate < 4; ++gate) {
      const auto name = static_cast<std::size_t>(gate);
      tape.record(kSlstmToken[name], token.slice(gate, gate + 1), heads);
      tape.record(kSlstmPre[name], pre.slice(gate, gate + 1), heads);
    }
    tape.record("input_gate", args.record.input_gate, heads);
    tape.record("forget_gate", args.record.forget_gate, heads);
    if (!lstm) {
      tape.record("forget_gate_sigmoid", plain_forget_gate(options.forget_gate, pre.slice(1, 2)),
                  heads);
      tape.record("n", args.record.n, heads);
      tape.record("m", args.record.m, heads);
    }
    tape.record("cell_input", squashed(2, kernels::Activation::tanh), heads);
    tape.record("output_gate", squashed(3, kernels::Activation::sigmoid), heads);
    tape.record("c", args.record.c, heads);
    tape.record("h", args.y, heads);
    args.record = {};
  }
  if (!tape.needs_gradients()) return tape.push(args.y.reshape({B, T, H * D}));
  ScanWatch* const watch = tape.scan_watch();
  if (watch) watch->slstm = ScanWatch::Slstm{options, args, lstm};
  const Var y = tape.push(args.y.reshape({B, T, H * D}), [&tape, options, args, wx, r, b, sequence,
                                                          gates, watch](const Tensor& dy) {
    kernels::slstm_backward(options, {.forward = args,
                                      .dy = dy.reshape(sequence),
                                      .dlast = {},
                                      .dwx = tape.grad(wx).reshape(gates),
                                      .dr = r.grad,
                                      .db = b.grad,
                                      .dinitial = {}});
    if (!watch) return;
    watch->dh = dy.clone();
    // Nothing else reads what goes in.
    watch->dpre = tape.grad(wx).reshape(gates).clone();
  });
  if (watch) watch->h = y;
  return y;
}

}  // namespace xlab::ops
