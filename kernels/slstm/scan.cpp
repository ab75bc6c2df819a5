// The scalar memory with memory mixing, step by step on the CPU. A piece of work owns one head of a
// few sequences for all steps, so that no step waits for another thread.
#include "kernels/slstm/slstm.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/device/threads.hpp"
#include "kernels/lanes.hpp"
#include "kernels/product/small_product.hpp"
#include "kernels/route.hpp"
#include "kernels/slstm/checks.hpp"
#include "kernels/slstm/formats.hpp"
#include "kernels/slstm/on_cuda.hpp"
#include "kernels/vector_gates.hpp"

namespace xlab::kernels {
namespace {

constexpr const char* kOp = "slstm";
constexpr int kGates = SlstmSizes::kGates;

/// Sequences are cut into slices, so that there is a piece of work for some threads.
struct Sizes : SlstmSizes {
  explicit Sizes(const SlstmSizes& sizes) : SlstmSizes(sizes) {
    // The product uses its registers best with eight rows at once; and every piece needs memory for
    // its own share of dR.
    slice = std::min(B, std::max<std::int64_t>(8, (B + 7) / 8));
    if (pieces() < 4) slice = std::min<std::int64_t>(B, 4);
  }
  std::int64_t slice = 1;  ///< sequences per piece of work

  std::int64_t slices() const { return (B + slice - 1) / slice; }
  std::int64_t pieces() const { return H * slices(); }
};

/// One head of a few sequences.
struct Piece {
  Piece(const Sizes& z, std::int64_t index)
      : head(index / z.slices()),
        first(index % z.slices() * z.slice),
        rows(std::min(z.slice, z.B - first)) {}
  std::int64_t head, first, rows;
};

/// The units of one piece at one step: `rows` lines of D numbers, `row` apart.
template <typename T>
struct Lines {
  T* first = nullptr;
  std::int64_t row = 0;
  T* at(std::int64_t r) const { return first + r * row; }
};

/// Lines of a (B, T, H, D) tensor, or null.
template <typename T>
Lines<T> units(const Tensor& x, const Sizes& z, const Piece& p, std::int64_t t) {
  if (!x.defined()) return {};
  return {x.data<T>() + (p.first * z.T + t) * z.width() + p.head * z.D, z.T * z.width()};
}

/// Lines of one gate of a (B, T, 4, H*D) tensor, or null.
template <typename T>
Lines<T> units(const Tensor& x, const Sizes& z, const Piece& p, std::int64_t t, int gate) {
  if (!x.defined()) return {};
  return {x.data<T>() + ((p.first * z.T + t) * kGates + gate) * z.width() + p.head * z.D,
          z.T * kGates * z.width()};
}

/// Lines of a state (B, H, D), or null.
template <typename T>
Lines<T> state_units(const Tensor& x, const Sizes& z, const Piece& p) {
  if (!x.defined()) return {};
  return {x.data<T>() + (p.first * z.H + p.head) * z.D, z.width()};
}

/// Numbers of one piece at one step, side by side: rows of D. What fills up the last register is
/// computed along and never looked at.
template <typename T>
struct Units : Padded<T> {
  explicit Units(const Sizes& z) : Padded<T>(z.slice * z.D), D(z.D) {}

  void read(const Lines<T>& from, std::int64_t rows) {
    for (std::int64_t r = 0; r < rows; ++r) copy(from.at(r), this->data() + r * D, D);
  }
  void write(const Lines<T>& to, std::int64_t rows) const {
    if (to.first == nullptr) return;
    for (std::int64_t r = 0; r < rows; ++r) copy(this->data() + r * D, to.at(r), D);
  }
  void add_to(const Lines<T>& to, std::int64_t rows) const {
    for (std::int64_t r = 0; r < rows; ++r) add(this->data() + r * D, to.at(r), D);
  }

  std::int64_t D;
};

/// The gates of a register of units, and d log_forget / d f.
template <typename T>
struct OpenGates {
  Lanes<T> m, input_gate, forget_gate, forget_slope;

  /// stabilise() with the rule of the first step: where n is 0 there is nothing to forget.
  OpenGates(const SlstmOptions& options, Lanes<T> i, Lanes<T> f, Lanes<T> m_prev, Lanes<T> n_prev) {
    Lanes<T> log_forget = f;
    forget_slope = all<T>(T(1));
    if (options.forget_gate == ForgetGate::sigmoid) {
      const SigmoidLanes<T> forget(f);
      log_forget = forget.log();
      forget_slope = forget.complement();
    }
    if (options.stabilizer) {
      const StabilisedLanes<T> gates(i, log_forget, m_prev);
      m = n_prev == T(0) ? i : gates.m;
      input_gate = n_prev == T(0) ? all<T>(T(1)) : gates.input_gate;
      forget_gate = n_prev == T(0) ? Lanes<T>{} : gates.forget_gate;
    } else {
      m = Lanes<T>{};
      for (int lane = 0; lane < kLanes<T>; ++lane) {
        input_gate[lane] = std::exp(i[lane]);
        forget_gate[lane] = n_prev[lane] == T(0) ? T(0) : std::exp(log_forget[lane] + m_prev[lane]);
      }
    }
  }
};

template <typename T>
struct ForwardSpace {
  explicit ForwardSpace(const Sizes& z)
      : y(z),
        c(z),
        n(z),
        m(z),
        input_gate(z),
        forget_gate(z),
        pre{Units<T>(z), Units<T>(z), Units<T>(z), Units<T>(z)},
        mixing(0) {}
  Units<T> y, c, n, m;
  Units<T> input_gate, forget_gate;
  Units<T> pre[kGates];
  Padded<T> mixing;  ///< R of one head, transposed: what a unit sends to every gate in one line
};

/// Pre-activations of one step: wx + R y + b. Short calls read R as it lies; for long ones it pays
/// to turn it once, so that all outputs of an input are side by side.
template <typename T>
void mix(const SlstmOptions& options, const SlstmForward& args, const Sizes& z, const Piece& p,
         std::int64_t t, bool turned, ForwardSpace<T>& space) {
  const T* r = args.r.data<T>() + p.head * kGates * z.D * z.D;
  for (int gate = 0; gate < kGates; ++gate) {
    const Lines<T> wx = units<T>(args.wx, z, p, t, gate);
    const T* b = args.b.data<T>() + gate * z.width() + p.head * z.D;
    T* out = space.pre[gate].data();
    const T* y = space.y.data();
    if (turned) {
      multiply(SmallProduct<T>{.rows = p.rows,
                               .inner = z.D,
                               .columns = z.D,
                               .x = y,
                               .x_row = z.D,
                               .x_inner = 1,
                               .m = space.mixing.data() + gate * z.D,
                               .m_row = kGates * z.D,
                               .out = out,
                               .out_row = z.D,
                               .start = wx.first,
                               .start_row = wx.row,
                               .bias = b});
    } else {
      for (std::int64_t row = 0; row < p.rows; ++row) {
        for (std::int64_t d = 0; d < z.D; ++d) {
          const T mixed = dot(r + (gate * z.D + d) * z.D, y + row * z.D, z.D);
          out[row * z.D + d] = wx.at(row)[d] + (b[d] + mixed);
        }
      }
    }
    if (options.gate_soft_cap > 0.0 && gate < 2) {
      const T cap = static_cast<T>(options.gate_soft_cap);
      for (std::int64_t at = 0; at < p.rows * z.D; at += kLanes<T>) {
        space.pre[gate].set(at, cap * tanh_of<T>(space.pre[gate].get(at) / cap));
      }
    }
    const Lines<T> clamp = units<T>(args.clamp, z, p, t, gate);
    if (clamp.first == nullptr) continue;
    for (std::int64_t row = 0; row < p.rows; ++row) {
      for (std::int64_t d = 0; d < z.D; ++d) {
        if (!std::isnan(clamp.at(row)[d])) out[row * z.D + d] = clamp.at(row)[d];
      }
    }
  }
}

/// The sLSTM of one step, from the pre-activations on.
template <typename T>
void remember_slstm(const SlstmOptions& options, std::int64_t numbers, ForwardSpace<T>& space) {
  for (std::int64_t at = 0; at < numbers; at += kLanes<T>) {
    const OpenGates<T> gates(options, space.pre[0].get(at), space.pre[1].get(at), space.m.get(at),
                             space.n.get(at));
    const Lanes<T> c =
        gates.forget_gate * space.c.get(at) + gates.input_gate * tanh_of<T>(space.pre[2].get(at));
    const Lanes<T> n = gates.forget_gate * space.n.get(at) + gates.input_gate;
    const SigmoidLanes<T> output(space.pre[3].get(at));
    space.c.set(at, c);
    space.n.set(at, n);
    space.m.set(at, gates.m);
    space.y.set(at, output.value() * (c / n));
    space.input_gate.set(at, gates.input_gate);
    space.forget_gate.set(at, gates.forget_gate);
  }
}

/// The LSTM of one step.
template <typename T>
void remember_lstm(std::int64_t numbers, ForwardSpace<T>& space) {
  for (std::int64_t at = 0; at < numbers; at += kLanes<T>) {
    const SigmoidLanes<T> input(space.pre[0].get(at)), forget(space.pre[1].get(at)),
        output(space.pre[3].get(at));
    const Lanes<T> c =
        forget.value() * space.c.get(at) + input.value() * tanh_of<T>(space.pre[2].get(at));
    space.c.set(at, c);
    space.y.set(at, output.value() * tanh_of<T>(c));
    space.input_gate.set(at, input.value());
    space.forget_gate.set(at, forget.value());
  }
}

template <typename T>
void forward_piece(const SlstmOptions& options, const SlstmForward& args, const Sizes& z,
                   const Piece& p, ForwardSpace<T>& space) {
  const auto begin = [&](Units<T>& units, const Tensor& from) {
    units.fill(T(0));
    if (from) units.read(state_units<T>(from, z, p), p.rows);
  };
  begin(space.y, args.initial.y);
  begin(space.c, args.initial.c);
  begin(space.n, args.initial.n);
  begin(space.m, args.initial.m);

  const bool turned = z.T * p.rows > 4;
  if (turned) {
    const T* r = args.r.data<T>() + p.head * kGates * z.D * z.D;
    space.mixing = Padded<T>(kGates * z.D * z.D);
    for (std::int64_t out = 0; out < kGates * z.D; ++out) {
      for (std::int64_t in = 0; in < z.D; ++in) {
        space.mixing[in * kGates * z.D + out] = r[out * z.D + in];
      }
    }
  }

  for (std::int64_t t = 0; t < z.T; ++t) {
    mix(options, args, z, p, t, turned, space);
    if (options.memory == ScalarMemory::lstm) {
      remember_lstm(p.rows * z.D, space);
    } else {
      remember_slstm(options, p.rows * z.D, space);
    }
    space.y.write(units<T>(args.y, z, p, t), p.rows);
    for (const SlstmRecord* record : {&args.saved, &args.record}) {
      for (int gate = 0; gate < kGates; ++gate) {
        space.pre[gate].write(units<T>(record->pre, z, p, t, gate), p.rows);
      }
      space.input_gate.write(units<T>(record->input_gate, z, p, t), p.rows);
      space.forget_gate.write(units<T>(record->forget_gate, z, p, t), p.rows);
      space.c.write(units<T>(record->c, z, p, t), p.rows);
      space.n.write(units<T>(record->n, z, p, t), p.rows);
      space.m.write(units<T>(record->m, z, p, t), p.rows);
    }
  }
  space.y.write(state_units<T>(args.last.y, z, p), p.rows);
  space.c.write(state_units<T>(args.last.c, z, p), p.rows);
  space.n.write(state_units<T>(args.last.n, z, p), p.rows);
  space.m.write(state_units<T>(args.last.m, z, p), p.rows);
}

/// Lines of gradients, one per step and sequence, whose share in dR is added at once.
constexpr std::int64_t kStretch = 64;

template <typename T>
struct BackwardSpace {
  explicit BackwardSpace(const Sizes& z)
      : dy(z),
        dc(z),
        dn(z),
        c(z),
        n(z),
        c_prev(z),
        n_prev(z),
        m_prev(z),
        pre{Units<T>(z), Units<T>(z), Units<T>(z), Units<T>(z)},
        dpre((kStretch + z.slice) * kGates * z.D),
        y_prev((kStretch + z.slice) * z.D) {}
  Units<T> dy, dc, dn;
  Units<T> c, n, c_prev, n_prev, m_prev;
  Units<T> pre[kGates];  ///< pre-activations, then their gradients
  /// Of the last steps: lines of 4 D gradients, and the y that R took to get there.
  Padded<T> dpre, y_prev;
};

/// The sLSTM of one step on the way back: its pre-activations become their gradients, `inverse_cap`
/// being 1 / cap, or 0.
template <typename T>
void back_through_slstm(const SlstmOptions& options, T inverse_cap, std::int64_t numbers,
                        BackwardSpace<T>& space) {
  for (std::int64_t at = 0; at < numbers; at += kLanes<T>) {
    const SigmoidLanes<T> output(space.pre[3].get(at));
    const Lanes<T> c_prev = space.c_prev.get(at), n_prev = space.n_prev.get(at);
    const OpenGates<T> gates(options, space.pre[0].get(at), space.pre[1].get(at),
                             space.m_prev.get(at), n_prev);
    const Lanes<T> value = tanh_of<T>(space.pre[2].get(at));
    const Lanes<T> inverse = T(1) / space.n.get(at);
    const Lanes<T> read = output.value() * inverse;  // y = read c
    const Lanes<T> y = read * space.c.get(at);
    const Lanes<T> dy_total = space.dy.get(at);
    const Lanes<T> dc = space.dc.get(at) + dy_total * read;
    const Lanes<T> dn = space.dn.get(at) - dy_total * y * inverse;
    const Lanes<T> i = space.pre[0].get(at) * inverse_cap, f = space.pre[1].get(at) * inverse_cap;
    space.pre[0].set(at, gates.input_gate * (dc * value + dn) * (T(1) - i * i));
    space.pre[1].set(at, gates.forget_gate * (dc * c_prev + dn * n_prev) *
                             (gates.forget_slope * (T(1) - f * f)));
    space.pre[2].set(at, dc * gates.input_gate * (T(1) - value * value));
    space.pre[3].set(at, dy_total * y * output.complement());
    space.dc.set(at, gates.forget_gate * dc);
    space.dn.set(at, gates.forget_gate * dn);
  }
}

/// The same of the LSTM.
template <typename T>
void back_through_lstm(T inverse_cap, std::int64_t numbers, BackwardSpace<T>& space) {
  for (std::int64_t at = 0; at < numbers; at += kLanes<T>) {
    const SigmoidLanes<T> input(space.pre[0].get(at)), forget(space.pre[1].get(at)),
        output(space.pre[3].get(at));
    const Lanes<T> value = tanh_of<T>(space.pre[2].get(at));
    const Lanes<T> read = tanh_of<T>(space.c.get(at));  // y = output read
    const Lanes<T> dy = space.dy.get(at);
    const Lanes<T> dc = space.dc.get(at) + dy * output.value() * (T(1) - read * read);
    const Lanes<T> i = space.pre[0].get(at) * inverse_cap, f = space.pre[1].get(at) * inverse_cap;
    space.pre[0].set(at, dc * value * input.value() * input.complement() * (T(1) - i * i));
    space.pre[1].set(
        at, dc * space.c_prev.get(at) * forget.value() * forget.complement() * (T(1) - f * f));
    space.pre[2].set(at, dc * input.value() * (T(1) - value * value));
    space.pre[3].set(at, dy * read * output.value() * output.complement());
    space.dc.set(at, forget.value() * dc);
  }
}

/// Adds the gradients of one piece; `dr` (4*D, D) and `db` (4*D) are its own.
template <typename T>
void backward_piece(const SlstmOptions& options, const SlstmBackward& args, const Sizes& z,
                    const Piece& p, BackwardSpace<T>& space, T* dr, T* db) {
  const SlstmForward& fw = args.forward;
  const SlstmRecord& saved = fw.saved;
  const std::int64_t line = kGates * z.D;
  const auto begin = [&](Units<T>& units, const Tensor& from) {
    units.fill(T(0));
    if (from) units.read(state_units<T>(from, z, p), p.rows);
  };
  begin(space.dy, args.dlast.y);
  begin(space.dc, args.dlast.c);
  begin(space.dn, args.dlast.n);
  space.c_prev.read(units<T>(saved.c, z, p, z.T - 1), p.rows);
  const bool lstm = options.memory == ScalarMemory::lstm;
  if (!lstm) space.n_prev.read(units<T>(saved.n, z, p, z.T - 1), p.rows);

  // The slope of cap * tanh(x / cap) is 1 - (its value / cap)^2.
  const double cap = options.gate_soft_cap;
  const T inverse_cap = cap > 0.0 ? static_cast<T>(1.0 / cap) : T(0);
  std::int64_t kept = 0;  // lines in space.dpre
  for (std::int64_t t = z.T - 1; t >= 0; --t) {
    space.c.swap(space.c_prev);
    space.n.swap(space.n_prev);
    if (t > 0) {
      space.c_prev.read(units<T>(saved.c, z, p, t - 1), p.rows);
      if (!lstm) {
        space.n_prev.read(units<T>(saved.n, z, p, t - 1), p.rows);
        space.m_prev.read(units<T>(saved.m, z, p, t - 1), p.rows);
      }
    } else {
      begin(space.c_prev, fw.initial.c);
      begin(space.n_prev, fw.initial.n);
      begin(space.m_prev, fw.initial.m);
    }
    for (int gate = 0; gate < kGates; ++gate) {
      space.pre[gate].read(units<T>(saved.pre, z, p, t, gate), p.rows);
    }
    const Lines<T> dy = units<T>(args.dy, z, p, t);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      add(dy.at(r), space.dy.data() + r * z.D, z.D);
    }

    if (lstm) {
      back_through_lstm(inverse_cap, p.rows * z.D, space);
    } else {
      back_through_slstm(options, inverse_cap, p.rows * z.D, space);
    }

    T* const dpre = space.dpre.data() + kept * line;
    T* const y_prev = space.y_prev.data() + kept * z.D;
    const Lines<T> y_from =
        t > 0 ? units<T>(fw.y, z, p, t - 1) : state_units<T>(fw.initial.y, z, p);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      if (y_from.first != nullptr) {
        copy(y_from.at(r), y_prev + r * z.D, z.D);
      } else {
        std::fill_n(y_prev + r * z.D, z.D, T(0));
      }
    }
    for (int gate = 0; gate < kGates; ++gate) {
      T* const d = space.pre[gate].data();
      const Lines<T> clamp = units<T>(fw.clamp, z, p, t, gate);
      if (clamp.first != nullptr) {
        for (std::int64_t r = 0; r < p.rows; ++r) {
          for (std::int64_t j = 0; j < z.D; ++j) {
            if (!std::isnan(clamp.at(r)[j])) d[r * z.D + j] = T(0);
          }
        }
      }
      space.pre[gate].add_to(units<T>(args.dwx, z, p, t, gate), p.rows);
      space.pre[gate].write({dpre + gate * z.D, line}, p.rows);
    }
    multiply(SmallProduct<T>{.rows = p.rows,
                             .inner = line,
                             .columns = z.D,
                             .x = dpre,
                             .x_row = line,
                             .x_inner = 1,
                             .m = fw.r.data<T>() + p.head * line * z.D,
                             .m_row = z.D,
                             .out = space.dy.data(),
                             .out_row = z.D});

    kept += p.rows;
    if (kept >= kStretch || t == 0) {
      multiply(SmallProduct<T>{.rows = line,
                               .inner = kept,
                               .columns = z.D,
                               .x = space.dpre.data(),
                               .x_row = 1,
                               .x_inner = line,
                               .m = space.y_prev.data(),
                               .m_row = z.D,
                               .out = dr,
                               .out_row = z.D,
                               .start = dr,
                               .start_row = z.D});
      for (std::int64_t r = 0; r < kept; ++r) add(space.dpre.data() + r * line, db, line);
      kept = 0;
    }
  }

  if (!args.dinitial.y) return;
  space.dy.add_to(state_units<T>(args.dinitial.y, z, p), p.rows);
  space.dc.add_to(state_units<T>(args.dinitial.c, z, p), p.rows);
  if (lstm) return;
  space.dn.add_to(state_units<T>(args.dinitial.n, z, p), p.rows);
  for (std::int64_t at = 0; at < p.rows * z.D; at += kLanes<T>) {
    space.dc.set(at,
                 space.dc.get(at) * space.c_prev.get(at) + space.dn.get(at) * space.n_prev.get(at));
  }
  space.dc.add_to(state_units<T>(args.dinitial.m, z, p), p.rows);
}

/// How many pieces go to a thread at once: enough that handing them over pays.
std::int64_t grain(const Sizes& z) {
  return std::max<std::int64_t>(1, 100'000 / (z.T * z.slice * z.D * (z.D + 16)));
}

}  // namespace

void slstm_forward(const SlstmOptions& options, const SlstmForward& args) {
  const Sizes z(checked_sizes(options, args));
  if (options.format != NumberFormat::native) return slstm_forward_in_format(options, args);
  visit_float(args.wx, [&]<typename T>(T) {
    if constexpr (kHasCuda) {
      if (on_cuda(kOp, args.wx)) return forward_on_cuda<T>(options, args);
    }
    parallel_ranges(z.pieces(), grain(z), [&](std::int64_t begin, std::int64_t end) {
      ForwardSpace<T> space(z);
      for (std::int64_t index = begin; index < end; ++index) {
        forward_piece<T>(options, args, z, Piece(z, index), space);
      }
    });
  });
}

void slstm_backward(const SlstmOptions& options, const SlstmBackward& args) {
  const SlstmForward& fw = args.forward;
  const Sizes z(checked_sizes(options, args));
  if (options.format != NumberFormat::native) return slstm_backward_in_format(options, args);
  visit_float(fw.wx, [&]<typename T>(T) {
    if constexpr (kHasCuda) {
      if (on_cuda(kOp, fw.wx)) return backward_on_cuda<T>(options, args);
    }
    // Every piece has its own share of dR and db; the shares are added up in order.
    const std::int64_t line = kGates * z.D, share = line * z.D + line;
    const Tensor shares = Tensor::zeros({z.pieces(), share}, dtype_of<T>);
    parallel_ranges(z.pieces(), grain(z), [&](std::int64_t begin, std::int64_t end) {
      BackwardSpace<T> space(z);
      for (std::int64_t index = begin; index < end; ++index) {
        T* const dr = shares.data<T>() + index * share;
        backward_piece<T>(options, args, z, Piece(z, index), space, dr, dr + line * z.D);
      }
    });
    for (std::int64_t index = 0; index < z.pieces(); ++index) {
      const Piece p(z, index);
      const T* const dr = shares.data<T>() + index * share;
      add(dr, args.dr.data<T>() + p.head * line * z.D, line * z.D);
      for (int gate = 0; gate < kGates; ++gate) {
        add(dr + line * z.D + gate * z.D, args.db.data<T>() + gate * z.width() + p.head * z.D, z.D);
      }
    }
  });
}

}  // namespace xlab::kernels
