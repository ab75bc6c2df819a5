// The equations of the sLSTM as they stand in the paper, one step and one number after the other,
// in a number format of choice.
#include "kernels/slstm/formats.hpp"

#include <array>

#include "kernels/device/threads.hpp"
#include "kernels/number_formats.hpp"

namespace xlab::kernels {
namespace {

constexpr int kGates = 4;

/// One head, one sequence after the other.
template <typename N>
class PlainHead {
 public:
  PlainHead(const SlstmOptions& options, const SlstmForward& args, std::int64_t head)
      : options_(options),
        args_(args),
        T_(args.y.extent(1)),
        H_(args.y.extent(2)),
        D_(args.y.extent(3)),
        head_(head),
        cap_(static_cast<N>(options.gate_soft_cap)),
        r_(taken<N>(args.r, head * kGates * D_ * D_, kGates * D_ * D_)) {
    for (int gate = 0; gate < kGates; ++gate) b_[at(gate)] = taken<N>(args.b, bias(gate), D_);
  }

  void forward(std::int64_t sequence) {
    begin(sequence);
    for (std::int64_t t = 0; t < T_; ++t) {
      const Step step = advance(t);
      put(y_.data(), D_, args_.y, row(t));
      for (const SlstmRecord* record : {&args_.record, &args_.saved}) {
        for (int gate = 0; gate < kGates; ++gate)
          put(step.pre[at(gate)].data(), D_, record->pre, pre_row(t, gate));
        put(step.input_gate.data(), D_, record->input_gate, row(t));
        put(step.forget_gate.data(), D_, record->forget_gate, row(t));
        put(c_.data(), D_, record->c, row(t));
        put(n_.data(), D_, record->n, row(t));
        put(m_.data(), D_, record->m, row(t));
      }
    }
    put(y_.data(), D_, args_.last.y, state_row());
    put(c_.data(), D_, args_.last.c, state_row());
    put(n_.data(), D_, args_.last.n, state_row());
    put(m_.data(), D_, args_.last.m, state_row());
  }

  void backward(std::int64_t sequence, const SlstmBackward& back) {
    // The way forward once more, and all its states.
    begin(sequence);
    std::vector<std::vector<N>> y{y_}, c{c_}, n{n_};
    std::vector<Step> steps;
    for (std::int64_t t = 0; t < T_; ++t) {
      steps.push_back(advance(t));
      y.push_back(y_);
      c.push_back(c_);
      n.push_back(n_);
    }
    std::vector<N> dy = taken<N>(back.dlast.y, state_row(), D_),
                   dc = taken<N>(back.dlast.c, state_row(), D_),
                   dn = taken<N>(back.dlast.n, state_row(), D_), dr(r_.size(), N(0));
    std::array<std::vector<N>, kGates> d, db;
    for (auto& sums : db) sums.assign(at(D_), N(0));
    for (std::int64_t t = T_ - 1; t >= 0; --t) {
      const Step& step = steps[at(t)];
      const std::vector<N> given = taken<N>(back.dy, row(t), D_);
      for (auto& slopes : d) slopes.assign(at(D_), N(0));
      for (std::size_t u = 0; u < at(D_); ++u) {
        const N z = tanh_in(step.pre[2][u]), o = sigmoid_in(step.pre[3][u]);
        const N dy_t = given[u] + dy[u];
        if (lstm()) {
          const N read = tanh_in(c[at(t) + 1][u]);
          dc[u] += dy_t * o * (N(1) - read * read);
        } else {
          dc[u] += dy_t * (o / n[at(t) + 1][u]);
          dn[u] -= dy_t * y[at(t) + 1][u] / n[at(t) + 1][u];
        }
        d[0][u] = step.input_gate[u] * (dc[u] * z + dn[u]);
        if (lstm()) d[0][u] *= N(1) - step.input_gate[u];
        d[1][u] = step.forget_gate[u] * (dc[u] * c[at(t)][u] + dn[u] * n[at(t)][u]) *
                  forget_slope_in(options_.forget_gate, step.pre[1][u]);
        if (cap_ > N(0)) {
          for (const std::size_t gate : {0, 1}) {
            const N share = step.pre[gate][u] / cap_;
            d[gate][u] *= N(1) - share * share;
          }
        }
        d[2][u] = dc[u] * step.input_gate[u] * (N(1) - z * z);
        d[3][u] = dy_t * y[at(t) + 1][u] * (N(1) - o);
        dc[u] *= step.forget_gate[u];
        dn[u] *= step.forget_gate[u];
      }
      dy.assign(at(D_), N(0));
      for (int gate = 0; gate < kGates; ++gate) {
        std::vector<N>& slopes = d[at(gate)];
        const std::vector<N> clamp = clamps(t, gate);
        for (std::size_t u = 0; u < slopes.size(); ++u) {
          if (!clamp.empty() && !Eigen::numext::isnan(clamp[u])) slopes[u] = N(0);
          db[at(gate)][u] += slopes[u];
          for (std::size_t from = 0; from < at(D_); ++from) {
            const std::size_t place = (at(gate) * at(D_) + u) * at(D_) + from;
            dr[place] += slopes[u] * y[at(t)][from];
            dy[from] += slopes[u] * r_[place];
          }
        }
        add_to(slopes.data(), D_, back.dwx, pre_row(t, gate));
      }
    }
    add_to(dr.data(), static_cast<std::int64_t>(dr.size()), back.dr, head_ * kGates * D_ * D_);
    for (int gate = 0; gate < kGates; ++gate) add_to(db[at(gate)].data(), D_, back.db, bias(gate));
    add_to(dy.data(), D_, back.dinitial.y, state_row());
    add_to(dc.data(), D_, back.dinitial.c, state_row());
    if (lstm()) return;
    add_to(dn.data(), D_, back.dinitial.n, state_row());
    for (std::size_t u = 0; u < dc.size(); ++u) dc[u] = dc[u] * c[0][u] + dn[u] * n[0][u];
    add_to(dc.data(), D_, back.dinitial.m, state_row());
  }

 private:
  struct Step {
    std::array<std::vector<N>, kGates> pre;
    std::vector<N> input_gate, forget_gate;
  };

  static std::size_t at(std::int64_t j) { return static_cast<std::size_t>(j); }
  std::int64_t bias(std::int64_t gate) const { return (gate * H_ + head_) * D_; }
  std::int64_t row(std::int64_t t) const { return ((sequence_ * T_ + t) * H_ + head_) * D_; }
  std::int64_t pre_row(std::int64_t t, std::int64_t gate) const {
    return (((sequence_ * T_ + t) * kGates + gate) * H_ + head_) * D_;
  }
  std::int64_t state_row() const { return (sequence_ * H_ + head_) * D_; }

  bool lstm() const { return options_.memory == ScalarMemory::lstm; }

  void begin(std::int64_t sequence) {
    sequence_ = sequence;
    y_ = taken<N>(args_.initial.y, state_row(), D_);
    c_ = taken<N>(args_.initial.c, state_row(), D_);
    n_ = taken<N>(args_.initial.n, state_row(), D_);
    m_ = taken<N>(args_.initial.m, state_row(), D_);
  }

  /// Numbers held by hand, NaN where there is none; empty without any.
  std::vector<N> clamps(std::int64_t t, int gate) const {
    return args_.clamp ? taken<N>(args_.clamp, pre_row(t, gate), D_) : std::vector<N>{};
  }

  Step advance(std::int64_t t) {
    Step step;
    for (int gate = 0; gate < kGates; ++gate) {
      std::vector<N>& pre = step.pre[at(gate)] = taken<N>(args_.wx, pre_row(t, gate), D_);
      const std::vector<N> clamp = clamps(t, gate);
      for (std::size_t u = 0; u < pre.size(); ++u) {
        N mixed(0);
        for (std::size_t from = 0; from < pre.size(); ++from)
          mixed += r_[(at(gate) * at(D_) + u) * at(D_) + from] * y_[from];
        pre[u] += b_[at(gate)][u] + mixed;
        if (cap_ > N(0) && gate < 2) pre[u] = cap_ * tanh_in(pre[u] / cap_);
        if (!clamp.empty() && !Eigen::numext::isnan(clamp[u])) pre[u] = clamp[u];
      }
    }
    for (std::size_t u = 0; lstm() && u < at(D_); ++u) {
      step.input_gate.push_back(sigmoid_in(step.pre[0][u]));
      step.forget_gate.push_back(sigmoid_in(step.pre[1][u]));
      c_[u] = step.forget_gate[u] * c_[u] + step.input_gate[u] * tanh_in(step.pre[2][u]);
      y_[u] = sigmoid_in(step.pre[3][u]) * tanh_in(c_[u]);
    }
    for (std::size_t u = 0; !lstm() && u < at(D_); ++u) {
      const N i = step.pre[0][u];
      const N a = log_forget_in(options_.forget_gate, step.pre[1][u]) + m_[u];
      const bool first = n_[u] == N(0);
      m_[u] = !options_.stabilizer ? N(0) : first || i > a ? i : a;
      step.input_gate.push_back(exp_in(i - m_[u]));
      step.forget_gate.push_back(first ? N(0) : exp_in(a - m_[u]));
      c_[u] = step.forget_gate[u] * c_[u] + step.input_gate[u] * tanh_in(step.pre[2][u]);
      n_[u] = step.forget_gate[u] * n_[u] + step.input_gate[u];
      y_[u] = sigmoid_in(step.pre[3][u]) * (c_[u] / n_[u]);
    }
    return step;
  }

  const SlstmOptions& options_;
  const SlstmForward& args_;
  std::int64_t T_, H_, D_, head_, sequence_ = 0;
  N cap_;
  std::vector<N> r_;
  std::array<std::vector<N>, kGates> b_;
  std::vector<N> y_, c_, n_, m_;
};

/// Heads in parallel, sequences in order: they add to the same gradients.
template <typename Body>
void for_heads(const SlstmOptions& options, const SlstmForward& args, Body&& body) {
  visit_format(options.format, [&]<typename N>(N) {
    parallel_for(args.y.extent(2), [&](std::int64_t head) {
      PlainHead<N> plain(options, args, head);
      for (std::int64_t sequence = 0; sequence < args.y.extent(0); ++sequence)
        body(plain, sequence);
    });
  });
}

SlstmState on_cpu(const SlstmState& state) {
  const Device cpu = Device::cpu();
  return {state.y.to(cpu), state.c.to(cpu), state.n.to(cpu), state.m.to(cpu)};
}

SlstmRecord on_cpu(const SlstmRecord& record) {
  const Device cpu = Device::cpu();
  return {record.pre.to(cpu), record.input_gate.to(cpu), record.forget_gate.to(cpu),
          record.c.to(cpu),   record.n.to(cpu),          record.m.to(cpu)};
}

SlstmForward on_cpu(const SlstmForward& args) {
  const Device cpu = Device::cpu();
  return {.wx = args.wx.to(cpu),
          .r = args.r.to(cpu),
          .b = args.b.to(cpu),
          .clamp = args.clamp.to(cpu),
          .initial = on_cpu(args.initial),
          .y = args.y.to(cpu),
          .last = on_cpu(args.last),
          .record = on_cpu(args.record),
          .saved = on_cpu(args.saved)};
}

void bring(const Tensor& result, const Tensor& to) {
  if (to) to.copy_from(result);
}

void bring(const SlstmState& result, const SlstmState& to) {
  bring(result.y, to.y);
  bring(result.c, to.c);
  bring(result.n, to.n);
  bring(result.m, to.m);
}

void bring(const SlstmRecord& result, const SlstmRecord& to) {
  bring(result.pre, to.pre);
  bring(result.input_gate, to.input_gate);
  bring(result.forget_gate, to.forget_gate);
  bring(result.c, to.c);
  bring(result.n, to.n);
  bring(result.m, to.m);
}

}  // namespace

void slstm_forward_in_format(const SlstmOptions& options, const SlstmForward& args) {
  const SlstmForward call = on_cpu(args);
  for_heads(options, call, [](auto& head, std::int64_t sequence) { head.forward(sequence); });
  if (args.wx.device() == Device::cpu()) return;
  bring(call.y, args.y);
  bring(call.last, args.last);
  bring(call.record, args.record);
  bring(call.saved, args.saved);
}

void slstm_backward_in_format(const SlstmOptions& options, const SlstmBackward& args) {
  const Device cpu = Device::cpu();
  const SlstmBackward call{.forward = on_cpu(args.forward),
                           .dy = args.dy.to(cpu),
                           .dlast = on_cpu(args.dlast),
                           .dwx = args.dwx.to(cpu),
                           .dr = args.dr.to(cpu),
                           .db = args.db.to(cpu),
                           .dinitial = on_cpu(args.dinitial)};
  for_heads(options, call.forward,
            [&](auto& head, std::int64_t sequence) { head.backward(sequence, call); });
  if (args.forward.wx.device() == cpu) return;
  bring(call.dwx, args.dwx);
  bring(call.dr, args.dr);
  bring(call.db, args.db);
  bring(call.dinitial, args.dinitial);
}

}  // namespace xlab::kernels
