// What both forms of the mLSTM, the scan and the chunkwise one, share of one head; for .cpp files
// of this folder only.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/lanes.hpp"
#include "kernels/mlstm/checks.hpp"
#include "kernels/vector_gates.hpp"

namespace xlab::kernels {

/// One row of numbers per time step, `step` apart.
template <typename T>
struct Track {
  T* first = nullptr;
  std::int64_t step = 0;
  T* at(std::int64_t t) const { return first + t * step; }
};

/// The rows of `width` numbers that belong to one head of one sequence, of a (B, T, H, width)
/// tensor; `head` counts through both. Rows of an absent tensor are null.
template <typename T>
Track<T> track(const Tensor& x, const MlstmSizes& z, std::int64_t head, std::int64_t width) {
  if (!x.defined()) return {};
  const std::int64_t b = head / z.H, h = head % z.H;
  return {x.data<T>() + (b * z.T * z.H + h) * width, z.H * width};
}

/// The block of `size` numbers that belongs to a head in a (B, H, ...) tensor, or null.
template <typename T>
T* part(const Tensor& x, std::int64_t head, std::int64_t size) {
  return x.defined() ? x.data<T>() + head * size : nullptr;
}

/// The gates and denominators of one head over time.
template <typename T>
struct MlstmGates {
  explicit MlstmGates(std::int64_t steps)
      : input_gate(steps),
        forget_gate(steps + 1),
        input_pre(steps),
        log_forget(steps),
        forget_slope(steps),
        m_prev(steps + kLanes<T>),
        s(steps + kLanes<T>),
        normalizer(steps + kLanes<T>),
        read(steps + kLanes<T>),
        sum_slope(steps),
        along(steps) {}

  Padded<T> input_gate, forget_gate;
  Padded<T> input_pre, log_forget;
  Padded<T> forget_slope;   ///< d log_forget / d f
  Padded<T> m_prev;         ///< m before every step; m itself begins at 1, whole registers too
  Padded<T> s, normalizer;  ///< <q~, n> and N
  Padded<T> read;           ///< query_scale / (N + eps)
  Padded<T> sum_slope;      ///< query_scale times the gradient of s
  Padded<T> along;          ///< <dh, h>, 0 where N is taken for a constant
  bool normalize = true;    ///< whether s has a part in N; set by divide()

  T& m(std::int64_t t) { return m_prev[t + 1]; }

  void load_pre(const MlstmOptions& options, const Track<T>& i, const Track<T>& f,
                std::int64_t steps) {
    for (std::int64_t t = 0; t < steps; ++t) {
      input_pre[t] = *i.at(t);
      log_forget[t] = *f.at(t);
    }
    if (options.forget_gate == ForgetGate::exponential) {
      forget_slope.fill(T(1));
      return;
    }
    for (std::int64_t t = 0; t < steps; t += kLanes<T>) {
      const SigmoidLanes<T> forget(log_forget.get(t));
      log_forget.set(t, forget.log());
      forget_slope.set(t, forget.complement());
    }
  }

  /// The recurrence of m; only it needs one step after another.
  void walk_m(const MlstmOptions& options, std::int64_t steps) {
    for (std::int64_t t = 0; t < steps; ++t) {
      const T a = log_forget[t] + m_prev[t];
      m(t) = !options.stabilizer ? T(0) : input_pre[t] > a ? input_pre[t] : a;
    }
  }

  /// Both gates from m, which walk_m made or an earlier call kept.
  void open(const MlstmOptions& options, std::int64_t steps) {
    if (!options.stabilizer) {
      for (std::int64_t t = 0; t < steps; ++t) {
        input_gate[t] = std::exp(input_pre[t]);
        forget_gate[t] = std::exp(log_forget[t] + m_prev[t]);
      }
      return;
    }
    for (std::int64_t t = 0; t < steps; t += kLanes<T>) {
      const StabilisedLanes<T> gates(input_pre.get(t), log_forget.get(t), m_prev.get(t));
      input_gate.set(t, gates.input_gate);
      forget_gate.set(t, gates.forget_gate);
    }
  }

  /// N = max(|s|, exp(-m)) and what the read-out is multiplied with, for steps [begin, end), and
  /// for those that share a register with the last one. Below m = 0 everything is taken times
  /// exp(m), so that nothing overflows: a factor too small for a number is 0, N stays finite. A sum
  /// that is no number decides, as torch.maximum has it: of two, `larger` gives the second one
  /// then.
  void divide(const MlstmOptions& options, std::int64_t begin, std::int64_t end) {
    const T eps = static_cast<T>(options.eps), scale = static_cast<T>(options.query_scale);
    const Lanes<T> one = all<T>(T(1)), least = all<T>(std::numeric_limits<T>::min());
    normalize = options.normalize;
    const auto size_of_sum = [&](std::int64_t t) {
      return normalize ? absolute<T>(s.get(t)) : all<T>(T(0));
    };
    if (floor_is_one(options)) {
      for (std::int64_t t = begin; t < end; t += kLanes<T>) {
        normalizer.set(t, larger<T>(one, size_of_sum(t)));
        read.set(t, scale / (normalizer.get(t) + eps));
      }
      return;
    }
    for (std::int64_t t = begin; t < end; t += kLanes<T>) {
      const Lanes<T> m_t = load<kLanes<T>>(m_prev.data() + t + 1);
      const Lanes<T> e = exp_below<T>(m_t), size = size_of_sum(t);
      const Lanes<T> floor = larger<T>(e, least);
      const Lanes<T> plain = larger<T>(floor, size), scaled = larger<T>(one, e * size);
      normalizer.set(t, m_t < T(0) ? larger<T>(one / floor, size) : plain);
      read.set(t, scale * (m_t < T(0) ? e / (scaled + eps * e) : one / (plain + eps)));
    }
  }

  static bool floor_is_one(const MlstmOptions& options) {
    return options.floor == DenominatorFloor::one || !options.stabilizer;
  }

  /// Whether |s| decides N, so that N moves with s.
  bool sum_decides(std::int64_t t) const { return normalize && std::abs(s[t]) >= normalizer[t]; }

  /// m before the first step. Below all numbers, it lets the first input gate decide.
  static T first_m(const MlstmOptions& options, const MlstmState& initial, const MlstmSizes& z,
                   std::int64_t head) {
    const T* const m = part<T>(initial.m, head, 1);
    if (options.stabilizer && options.forget_gate == ForgetGate::exponential) {
      const auto is_zero = [](const T* x, std::int64_t size) {
        return x == nullptr || std::all_of(x, x + size, [](T value) { return value == T(0); });
      };
      if (is_zero(part<T>(initial.n, head, z.K), z.K) &&
          is_zero(part<T>(initial.C, head, z.K * z.V), z.K * z.V)) {
        return -std::numeric_limits<T>::infinity();
      }
    }
    return m != nullptr ? *m : T(0);
  }

  /// Everything that does not need the memory, from the inputs of a forward call.
  void begin_forward(const MlstmOptions& options, const MlstmForward& args, const MlstmSizes& z,
                     std::int64_t head) {
    m_prev[0] = first_m(options, args.initial, z, head);
    load_pre(options, track<T>(args.i, z, head, 1), track<T>(args.f, z, head, 1), z.T);
    walk_m(options, z.T);
    open(options, z.T);
  }

  /// Hands out what a forward call found.
  void end_forward(const MlstmForward& args, const MlstmSizes& z, std::int64_t head) {
    *part<T>(args.last.m, head, 1) = m(z.T - 1);
    const auto keep = [&](const T* from, const Tensor& to) {
      const Track<T> out = track<T>(to, z, head, 1);
      if (out.first == nullptr) return;
      for (std::int64_t t = 0; t < z.T; ++t) *out.at(t) = from[t];
    };
    keep(m_prev.data() + 1, args.m);
    keep(s.data(), args.s);
    keep(normalizer.data(), args.normalizer);
    keep(input_gate.data(), args.record.input_gate);
    keep(forget_gate.data(), args.record.forget_gate);
  }

  /// What the forward call knew, and the gradient of s.
  void begin_backward(const MlstmOptions& options, const MlstmBackward& args, const MlstmSizes& z,
                      std::int64_t head) {
    const MlstmForward& fw = args.forward;
    const Track<T> known_m = track<T>(fw.m, z, head, 1), known_s = track<T>(fw.s, z, head, 1);
    load_pre(options, track<T>(fw.i, z, head, 1), track<T>(fw.f, z, head, 1), z.T);
    for (std::int64_t t = 0; t < z.T; ++t) {
      m(t) = *known_m.at(t);
      s[t] = *known_s.at(t);
    }
    m_prev[0] = first_m(options, fw.initial, z, head);
    open(options, z.T);
    divide(options, 0, z.T);

    // d N / d s = sign(s) where |s| decides; h = C^T q / (N + eps) gives dN = -<dh, h> / (N + eps).
    const Track<T> dh = track<T>(args.dh, z, head, z.V), h = track<T>(fw.h, z, head, z.V);
    for (std::int64_t t = 0; t < z.T; ++t) {
      along[t] = options.constant_denominator ? T(0) : dot(dh.at(t), h.at(t), z.V);
      const T slope = sum_decides(t) ? read[t] * along[t] : T(0);
      sum_slope[t] = s[t] > T(0) ? -slope : slope;
    }
  }
};

template <typename T>
double dot_in_double(const T* a, const T* b, std::int64_t size) {
  double total = 0.0;
  for (std::int64_t j = 0; j < size; ++j) {
    total += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  }
  return total;
}

/// What a backward pass found out about one head.
template <typename T>
struct MlstmHeadGradient {
  double at_end;                        ///< <[C n], d[C n]> after the last step
  Track<const T> q_product, k_product;  ///< <q, dq> and <k, dk> of every step
  const T *dC, *dn;                     ///< gradient of the state, before ...
  T decay;                              ///< ... this factor
};

/// The gradient of every log_forget by its definition, <C_{t-1}, dC_t> and the same of n, times the
/// gate. That needs memories that run forwards and gradients that run backwards at the same time:
/// the memories before some stretches of steps are kept, and the others made again.
template <typename T>
void forget_gradient(const MlstmBackward& args, const MlstmSizes& z, std::int64_t head,
                     const MlstmGates<T>& gates, Padded<T>& dlog_forget) {
  const MlstmForward& fw = args.forward;
  const Track<T> q = track<T>(fw.q, z, head, z.K), k = track<T>(fw.k, z, head, z.K);
  const Track<T> v = track<T>(fw.v, z, head, z.V), dh = track<T>(args.dh, z, head, z.V);
  // C and n side by side, as one matrix with a column more.
  const std::int64_t columns = z.V + 1, size = z.K * columns;
  const auto stretch = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(z.T))));
  const std::int64_t stretches = (z.T + stretch - 1) / stretch;
  Padded<T> begins(stretches * size), memories(stretch * size), memory(size), G(size);
  const auto join = [&](const MlstmState& state, T* to) {
    if (!state.C.defined()) return;
    const T* const matrix = part<T>(state.C, head, z.K * z.V);
    for (std::int64_t row = 0; row < z.K; ++row) {
      copy(matrix + row * z.V, to + row * columns, z.V);
      to[row * columns + z.V] = part<T>(state.n, head, z.K)[row];
    }
  };
  const auto step = [&](std::int64_t t, const T* from, T* to) {
    for (std::int64_t row = 0; row < z.K; ++row) {
      const T* const old = from + row * columns;
      T* const now = to + row * columns;
      const T written = gates.input_gate[t] * k.at(t)[row];
      for (std::int64_t x = 0; x < z.V; ++x) {
        now[x] = gates.forget_gate[t] * old[x] + written * v.at(t)[x];
      }
      now[z.V] = gates.forget_gate[t] * old[z.V] + written;
    }
  };

  join(fw.initial, memory.data());
  for (std::int64_t t = 0; t < z.T; ++t) {
    if (t % stretch == 0) copy(memory.data(), begins.data() + t / stretch * size, size);
    step(t, memory.data(), memory.data());
  }
  join(args.dlast, G.data());
  T decay = T(1);  // nothing is forgotten between the last step and the end state
  for (std::int64_t begin = (stretches - 1) * stretch; begin >= 0; begin -= stretch) {
    const std::int64_t end = std::min(begin + stretch, z.T);
    copy(begins.data() + begin / stretch * size, memories.data(), size);
    for (std::int64_t t = begin; t + 1 < end; ++t) {
      T* const before = memories.data() + (t - begin) * size;
      step(t, before, before + size);
    }
    for (std::int64_t t = end - 1; t >= begin; --t) {
      for (std::int64_t row = 0; row < z.K; ++row) {
        T* const own = G.data() + row * columns;
        const T q_t = q.at(t)[row], asked = gates.read[t] * q_t;
        for (std::int64_t x = 0; x < z.V; ++x) own[x] = decay * own[x] + asked * dh.at(t)[x];
        own[z.V] = decay * own[z.V] + gates.sum_slope[t] * q_t;
      }
      decay = gates.forget_gate[t];
      dlog_forget[t] = decay * dot(memories.data() + (t - begin) * size, G.data(), size);
    }
  }
}

/// Adds the gradients of the gates and of the state before the first step.
template <typename T>
void add_state_gradients(const MlstmOptions& options, const MlstmBackward& args,
                         const MlstmSizes& z, std::int64_t head, MlstmGates<T>& gates,
                         const MlstmHeadGradient<T>& found) {
  const MlstmForward& fw = args.forward;
  const Track<T> di = track<T>(args.di, z, head, 1), df = track<T>(args.df, z, head, 1);
  const T* C0 = part<T>(fw.initial.C, head, z.K * z.V);
  const T* n0 = part<T>(fw.initial.n, head, z.K);
  const T *const G = found.dC, *const dn = found.dn;
  const double at_end = found.at_end;
  const std::int64_t end = z.T - 1;

  // The gates. What a forget gate does to the memory, all later steps and the end state feel.
  Padded<T> dlog_forget(z.T);
  double carried = at_end;
  T largest = static_cast<T>(std::abs(at_end)), kept = T(0), summed = T(0);
  for (std::int64_t t = end; t >= 0; --t) {
    const T by_query = *found.q_product.at(t), by_key = *found.k_product.at(t);
    *di.at(t) += by_key;
    carried += static_cast<double>(by_query) - static_cast<double>(by_key);
    dlog_forget[t] = static_cast<T>(carried);
    largest = std::max({largest, std::abs(by_query), std::abs(by_key), std::abs(gates.along[t])});
    if (t == 0) break;
    kept = std::max(kept, std::abs(gates.forget_slope[t] * dlog_forget[t]));
    summed = std::max(summed, gates.forget_slope[t] * largest);
  }
  // Where hardly anything is remembered, nearly all of that cancels, and its digits with it.
  if (kept < T(0.03) * summed) forget_gradient(args, z, head, gates, dlog_forget);
  for (std::int64_t t = 1; t < z.T; ++t) {
    *df.at(t) += gates.forget_slope[t] * dlog_forget[t];
  }

  // What is left of m in h: eps is not stabilised, and h = exp(-m) times what m has no part in
  // where a floor of 1 decides. What m_t gets belongs to the gate that made it.
  if (options.stabilizer) {
    const T eps = static_cast<T>(options.eps);
    const bool one = options.floor == DenominatorFloor::one;
    T dm = T(0);
    if (args.dlast.m.defined()) dm = *part<T>(args.dlast.m, head, 1) - static_cast<T>(at_end);
    for (std::int64_t t = end; t >= 0; --t) {
      const bool whole = one && !gates.sum_decides(t);
      dm -= gates.along[t] * (whole ? T(1) : eps / (gates.normalizer[t] + eps));
      if (gates.input_pre[t] > gates.log_forget[t] + gates.m_prev[t]) {
        *di.at(t) += dm;
        dm = T(0);
      } else {
        *df.at(t) += gates.forget_slope[t] * dm;
      }
    }
    if (args.dinitial.m.defined()) *part<T>(args.dinitial.m, head, 1) += dm;
  }

  // What is left of G belongs to the state before the first step.
  const T decay = found.decay;
  if (C0 != nullptr) {
    const T dm0 =
        decay * static_cast<T>(dot_in_double(C0, G, z.K * z.V) + dot_in_double(n0, dn, z.K));
    *df.at(0) += gates.forget_slope[0] * dm0;
    if (args.dinitial.m.defined()) *part<T>(args.dinitial.m, head, 1) += dm0;
  }
  if (args.dinitial.C.defined()) {
    add(G, part<T>(args.dinitial.C, head, z.K * z.V), z.K * z.V, decay);
    add(dn, part<T>(args.dinitial.n, head, z.K), z.K, decay);
  }
}

}  // namespace xlab::kernels
