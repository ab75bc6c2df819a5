// The equations of the mLSTM as they stand in the paper, one step and one number after the other,
// in a number format of choice.
#include "kernels/mlstm/formats.hpp"

#include "kernels/device/threads.hpp"
#include "kernels/number_formats.hpp"

namespace xlab::kernels {
namespace {

/// One head of one sequence.
template <typename N>
class PlainHead {
 public:
  PlainHead(const MlstmOptions& options, const MlstmForward& args, const MlstmSizes& z,
            std::int64_t head)
      : options_(options),
        args_(args),
        z_(z),
        head_(head),
        scale_(static_cast<N>(options.query_scale)),
        eps_(static_cast<N>(options.eps)),
        C_(taken<N>(args.initial.C, head * z.K * z.V, z.K * z.V)),
        n_(taken<N>(args.initial.n, head * z.K, z.K)),
        m_(taken<N>(args.initial.m, head, 1)[0]) {
    const auto is_zero = [](const std::vector<N>& x) {
      return std::all_of(x.begin(), x.end(), [](N value) { return value == N(0); });
    };
    if (options.stabilizer && options.forget_gate == ForgetGate::exponential && is_zero(n_) &&
        is_zero(C_)) {
      m_ = -std::numeric_limits<N>::infinity();
    }
  }

  void forward() {
    for (std::int64_t t = 0; t < z_.T; ++t) {
      const Inputs in = inputs(t);
      const Step step = advance(in);
      std::vector<N> h(index(z_.V));
      for (std::int64_t y = 0; y < z_.V; ++y) h[index(y)] = read(in, y) / (step.N_t + eps_);
      put(h.data(), z_.V, args_.h, row(t) * z_.V);
      put(&m_, 1, args_.m, row(t));
      put(&step.s, 1, args_.s, row(t));
      put(&step.N_t, 1, args_.normalizer, row(t));
      put(&step.input_gate, 1, args_.record.input_gate, row(t));
      put(&step.forget_gate, 1, args_.record.forget_gate, row(t));
      put(C_.data(), z_.K * z_.V, args_.record.C, row(t) * z_.K * z_.V);
      put(n_.data(), z_.K, args_.record.n, row(t) * z_.K);
    }
    put(C_.data(), z_.K * z_.V, args_.last.C, head_ * z_.K * z_.V);
    put(n_.data(), z_.K, args_.last.n, head_ * z_.K);
    put(&m_, 1, args_.last.m, head_);
  }

  void backward(const MlstmBackward& back) {
    // The way forward once more, and all its memories.
    std::vector<std::vector<N>> C{C_}, n{n_};
    std::vector<Step> steps;
    for (std::int64_t t = 0; t < z_.T; ++t) {
      steps.push_back(advance(inputs(t)));
      C.push_back(C_);
      n.push_back(n_);
    }

    std::vector<N> dC = taken<N>(back.dlast.C, head_ * z_.K * z_.V, z_.K * z_.V);
    std::vector<N> dn = taken<N>(back.dlast.n, head_ * z_.K, z_.K);
    N dm(0);
    if (back.dlast.m.defined()) {
      dm = taken<N>(back.dlast.m, head_, 1)[0] - product(C.back(), dC) - product(n.back(), dn);
    }
    for (std::int64_t t = z_.T - 1; t >= 0; --t) {
      const Inputs in = inputs(t);
      const Step& step = steps[index(t)];
      C_ = C[index(t) + 1];
      n_ = n[index(t) + 1];
      const std::vector<N> dh = taken<N>(back.dh, row(t) * z_.V, z_.V);
      const N divisor = step.N_t + eps_;

      // h = num / (N + eps)
      N along(0);  // <dh, h>
      for (std::int64_t y = 0; y < z_.V; ++y) along += dh[index(y)] * (read(in, y) / divisor);
      const bool moves = !options_.constant_denominator;
      N ds(0);
      if (moves && step.sum_decides) ds = (step.s > N(0) ? -along : along) / divisor;

      std::vector<N> dq(index(z_.K)), dk(index(z_.K)), dv(index(z_.V));
      for (std::int64_t x = 0; x < z_.K; ++x) {
        const N q = scale_ * in.q[index(x)];
        dn[index(x)] += q * ds;
        N from_query = ds * n_[index(x)], from_key = dn[index(x)];
        for (std::int64_t y = 0; y < z_.V; ++y) {
          const N u = dh[index(y)] / divisor;
          N& slope = dC[index(x * z_.V + y)];
          slope += q * u;
          from_query += C_[index(x * z_.V + y)] * u;
          from_key += slope * in.v[index(y)];
          dv[index(y)] += step.input_gate * (slope * in.k[index(x)]);
        }
        dq[index(x)] = scale_ * from_query;
        dk[index(x)] = step.input_gate * from_key;
      }
      N di = product(in.k, dk);
      N dlog_forget = step.forget_gate * (product(C[index(t)], dC) + product(n[index(t)], dn));

      // What is left of m in h: eps, and a floor of 1 where it decides.
      if (options_.stabilizer && moves) {
        const bool whole = options_.floor == DenominatorFloor::one && !step.sum_decides;
        dm -= whole ? along : along * (eps_ / divisor);
      }
      if (step.input_decides) {
        di += dm;
        dm = N(0);
      } else {
        dlog_forget += dm;
      }
      const N df = forget_slope_in(options_.forget_gate, in.f) * dlog_forget;

      add_to(dq.data(), z_.K, back.dq, row(t) * z_.K);
      add_to(dk.data(), z_.K, back.dk, row(t) * z_.K);
      add_to(dv.data(), z_.V, back.dv, row(t) * z_.V);
      add_to(&di, 1, back.di, row(t));
      add_to(&df, 1, back.df, row(t));
      for (N& slope : dC) slope *= step.forget_gate;
      for (N& slope : dn) slope *= step.forget_gate;
    }
    add_to(dC.data(), z_.K * z_.V, back.dinitial.C, head_ * z_.K * z_.V);
    add_to(dn.data(), z_.K, back.dinitial.n, head_ * z_.K);
    dm += product(C.front(), dC) + product(n.front(), dn);
    add_to(&dm, 1, back.dinitial.m, head_);
  }

 private:
  struct Inputs {
    std::vector<N> q, k, v;
    N i, f;
  };
  struct Step {
    N input_gate, forget_gate, s, N_t;
    bool sum_decides, input_decides;
  };

  static std::size_t index(std::int64_t j) { return static_cast<std::size_t>(j); }
  /// Place of this head's step t in a (B, T, H, ...) tensor.
  std::int64_t row(std::int64_t t) const { return (head_ / z_.H * z_.T + t) * z_.H + head_ % z_.H; }

  Inputs inputs(std::int64_t t) const {
    return {taken<N>(args_.q, row(t) * z_.K, z_.K), taken<N>(args_.k, row(t) * z_.K, z_.K),
            taken<N>(args_.v, row(t) * z_.V, z_.V), taken<N>(args_.i, row(t), 1)[0],
            taken<N>(args_.f, row(t), 1)[0]};
  }

  /// One step of C, n and m.
  Step advance(const Inputs& in) {
    Step step;
    const N a = log_forget_in(options_.forget_gate, in.f) + m_;
    step.input_decides = options_.stabilizer && in.i > a;
    m_ = !options_.stabilizer ? N(0) : step.input_decides ? in.i : a;
    step.input_gate = exp_in(in.i - m_);
    step.forget_gate = exp_in(a - m_);
    step.s = N(0);
    for (std::int64_t x = 0; x < z_.K; ++x) {
      const N k = in.k[index(x)];
      for (std::int64_t y = 0; y < z_.V; ++y) {
        N& c = C_[index(x * z_.V + y)];
        c = step.forget_gate * c + step.input_gate * (k * in.v[index(y)]);
      }
      N& n = n_[index(x)];
      n = step.forget_gate * n + step.input_gate * k;
      step.s += scale_ * in.q[index(x)] * n;
    }
    const bool one = options_.floor == DenominatorFloor::one || !options_.stabilizer;
    const N floor = one ? N(1) : exp_in(-m_);
    step.sum_decides = options_.normalize && size_of_number(step.s) >= floor;
    // A sum that is no number decides, as torch.maximum has it.
    const N size = size_of_number(step.s);
    step.N_t = !options_.normalize || size < floor ? floor : size;
    return step;
  }

  /// Entry y of C^T q~.
  N read(const Inputs& in, std::int64_t y) const {
    N sum(0);
    for (std::int64_t x = 0; x < z_.K; ++x) {
      sum += C_[index(x * z_.V + y)] * (scale_ * in.q[index(x)]);
    }
    return sum;
  }

  static N product(const std::vector<N>& a, const std::vector<N>& b) {
    N sum(0);
    for (std::size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
    return sum;
  }

  const MlstmOptions& options_;
  const MlstmForward& args_;
  const MlstmSizes& z_;
  std::int64_t head_;
  N scale_, eps_;
  std::vector<N> C_, n_;
  N m_;
};

/// Heads in parallel: the loops are slow enough for one to be a piece of work.
template <typename Body>
void for_heads(const MlstmOptions& options, const MlstmSizes& z, Body&& body) {
  visit_format(options.format, [&]<typename N>(N) {
    parallel_for(z.B * z.H, [&](std::int64_t head) { body(N{}, head); });
  });
}

void require_one_device(const MlstmForward& args) {
  require_same_device("mlstm", args.q, args.k, args.v, args.i, args.f, args.initial.C,
                      args.initial.n, args.initial.m, args.h, args.m, args.s, args.normalizer,
                      args.last.C, args.last.n, args.last.m, args.record.input_gate,
                      args.record.forget_gate, args.record.C, args.record.n);
}

void require_one_device(const MlstmBackward& args) {
  require_one_device(args.forward);
  require_same_device("mlstm", args.forward.q, args.dh, args.dlast.C, args.dlast.n, args.dlast.m,
                      args.dq, args.dk, args.dv, args.di, args.df, args.dinitial.C, args.dinitial.n,
                      args.dinitial.m);
}

MlstmState on_cpu(const MlstmState& state) {
  const Device cpu = Device::cpu();
  return {state.C.to(cpu), state.n.to(cpu), state.m.to(cpu)};
}

/// A call on copies in host memory.
MlstmForward on_cpu(const MlstmForward& args) {
  const Device cpu = Device::cpu();
  const MlstmRecord& record = args.record;
  return {.q = args.q.to(cpu),
          .k = args.k.to(cpu),
          .v = args.v.to(cpu),
          .i = args.i.to(cpu),
          .f = args.f.to(cpu),
          .initial = on_cpu(args.initial),
          .h = args.h.to(cpu),
          .m = args.m.to(cpu),
          .s = args.s.to(cpu),
          .normalizer = args.normalizer.to(cpu),
          .last = on_cpu(args.last),
          .record = {record.input_gate.to(cpu), record.forget_gate.to(cpu), record.C.to(cpu),
                     record.n.to(cpu)}};
}
MlstmBackward on_cpu(const MlstmBackward& args) {
  const Device cpu = Device::cpu();
  return {.forward = on_cpu(args.forward),
          .dh = args.dh.to(cpu),
          .dlast = on_cpu(args.dlast),
          .dq = args.dq.to(cpu),
          .dk = args.dk.to(cpu),
          .dv = args.dv.to(cpu),
          .di = args.di.to(cpu),
          .df = args.df.to(cpu),
          .dinitial = on_cpu(args.dinitial)};
}

/// What such a call found goes back to where it was asked for.
void bring_back(const Tensor& from, const Tensor& to) {
  if (to.defined()) to.copy_from(from);
}
void bring_back(const MlstmState& from, const MlstmState& to) {
  bring_back(from.C, to.C);
  bring_back(from.n, to.n);
  bring_back(from.m, to.m);
}

}  // namespace

void mlstm_forward_in_format(const MlstmOptions& options, const MlstmForward& args,
                             const MlstmSizes& z) {
  require_one_device(args);
  if (args.q.device() != Device::cpu()) {
    const MlstmForward here = on_cpu(args);
    mlstm_forward_in_format(options, here, z);
    bring_back(here.h, args.h);
    bring_back(here.m, args.m);
    bring_back(here.s, args.s);
    bring_back(here.normalizer, args.normalizer);
    bring_back(here.last, args.last);
    bring_back(here.record.input_gate, args.record.input_gate);
    bring_back(here.record.forget_gate, args.record.forget_gate);
    bring_back(here.record.C, args.record.C);
    bring_back(here.record.n, args.record.n);
    return;
  }
  for_heads(options, z, [&]<typename N>(N, std::int64_t head) {
    PlainHead<N>(options, args, z, head).forward();
  });
}

void mlstm_backward_in_format(const MlstmOptions& options, const MlstmBackward& args,
                              const MlstmSizes& z) {
  require_one_device(args);
  if (args.forward.q.device() != Device::cpu()) {
    const MlstmBackward here = on_cpu(args);
    mlstm_backward_in_format(options, here, z);
    bring_back(here.dq, args.dq);
    bring_back(here.dk, args.dk);
    bring_back(here.dv, args.dv);
    bring_back(here.di, args.di);
    bring_back(here.df, args.df);
    bring_back(here.dinitial, args.dinitial);
    return;
  }
  for_heads(options, z, [&]<typename N>(N, std::int64_t head) {
    PlainHead<N>(options, args.forward, z, head).backward(args);
  });
}

}  // namespace xlab::kernels
