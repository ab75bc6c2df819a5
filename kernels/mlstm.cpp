// The matrix memory on the CPU: one loop, `scan`, serves the forward pass and all its gradients.
#include "kernels/mlstm.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "kernels/lanes.hpp"
#include "kernels/route.hpp"
#include "kernels/threads.hpp"
#include "kernels/vector_gates.hpp"

namespace xlab::kernels {
namespace {

constexpr const char* kOp = "mlstm";

struct Sizes {
  std::int64_t B, T, H, K, V;
};

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
Track<T> track(const Tensor& x, const Sizes& z, std::int64_t head, std::int64_t width) {
  if (!x.defined()) return {};
  const std::int64_t b = head / z.H, h = head % z.H;
  return {x.data<T>() + (b * z.T * z.H + h) * width, z.H * width};
}

/// The block of `size` numbers that belongs to a head in a (B, H, ...) tensor, or null.
template <typename T>
T* part(const Tensor& x, std::int64_t head, std::int64_t size) {
  return x.defined() ? x.data<T>() + head * size : nullptr;
}

/// A matrix X (rows x columns) that lives through time:
///   X <- decay_t X + write_t a_t b_t^T,   out_t = read_t X^T c_t
/// With (a, b, c) = (k, v, q) this is the memory itself. Its gradients are the same loop with other
/// names, run over C or C^T, forwards or backwards: steps of -1 walk back in time.
template <typename T>
struct Scan {
  std::int64_t rows, columns;
  const T* from;  ///< X before the first step
  T* x;           ///< X after every step; may be `from`
  Track<const T> a, b, c;
  Track<const T> decay, write, read;
};

/// `Steps` steps from t0 on W * Tile columns. X is read and written once for all of them, and
/// everything else but a and c stays in registers. `finish.take` gets the results of W columns, and
/// `finish.done` is called when all columns of these steps are through.
template <int W, int Tile, int Steps, typename T, typename Finish>
void scan_tile(const Scan<T>& s, std::int64_t t0, std::int64_t column, Finish& finish) {
  using X = Lanes<T, W>;
  X written[Steps][Tile], out[Tile][Steps], decay[Steps];
  const T *a[Steps], *c[Steps];
#pragma GCC unroll 4
  for (int t = 0; t < Steps; ++t) {
    decay[t] = all<T, W>(*s.decay.at(t0 + t));
    a[t] = s.a.at(t0 + t);
    c[t] = s.c.at(t0 + t);
    const T write = *s.write.at(t0 + t);
#pragma GCC unroll 4
    for (int l = 0; l < Tile; ++l) {
      written[t][l] = write * load<W>(s.b.at(t0 + t) + column + l * W);
      out[l][t] = X{};
    }
  }
  const T* from = s.from + column;
  T* to = s.x + column;
  const std::int64_t rows = s.rows, columns = s.columns;
  for (std::int64_t row = 0; row < rows; ++row, from += columns, to += columns) {
#pragma GCC unroll 4
    for (int l = 0; l < Tile; ++l) {
      X x = load<W>(from + l * W);
#pragma GCC unroll 4
      for (int t = 0; t < Steps; ++t) {
        x = fused<T, W>(decay[t], x, a[t][row] * written[t][l]);
        out[l][t] = fused<T, W>(all<T, W>(c[t][row]), x, out[l][t]);
      }
      store<W>(to + l * W, x);
    }
  }
#pragma GCC unroll 4
  for (int l = 0; l < Tile; ++l) {
#pragma GCC unroll 4
    for (int t = 0; t < Steps; ++t) out[l][t] = *s.read.at(t0 + t) * out[l][t];
    finish.template take<W, Steps>(t0, column + l * W, out[l]);
  }
}

template <int Steps, typename T, typename Finish>
void scan_steps(Scan<T>& s, std::int64_t t0, Finish& finish) {
  constexpr int W = kLanes<T>;
  std::int64_t column = 0;
  for (; column + 2 * W <= s.columns; column += 2 * W) {
    scan_tile<W, 2, Steps>(s, t0, column, finish);
  }
  for_lanes<T>(column, s.columns,
               [&]<int N>(std::int64_t at) { scan_tile<N, 1, Steps>(s, t0, at, finish); });
  finish.template done<Steps>(t0);
  s.from = s.x;
}

/// Steps taken at once where there are enough of them.
constexpr int kSteps = 4;
/// How many steps before its use a row is asked for: rows of one head lie far apart, which hides
/// them from the processor's own foresight.
constexpr std::int64_t kAhead = 8;

/// All steps of a scan, as many at once as `Finish` can take.
template <typename T, typename Finish>
void scan(Scan<T>& s, std::int64_t steps, Finish&& finish) {
  constexpr int kAtOnce = std::remove_reference_t<Finish>::kAtOnce;
  std::int64_t t = 0;
  for (; t + kAtOnce <= steps; t += kAtOnce) {
    const std::int64_t ahead = std::min(t + kAhead + kAtOnce, steps);
    for (std::int64_t next = t + kAhead; next < ahead; ++next) {
      prefetch(s.a.at(next), s.rows);
      prefetch(s.b.at(next), s.columns);
      prefetch(s.c.at(next), s.rows);
      finish.prefetch_step(next, s.columns);
    }
    scan_steps<kAtOnce>(s, t, finish);
  }
  for (; t < steps; ++t) scan_steps<1>(s, t, finish);
}

/// Puts the results of a scan into rows.
template <typename T>
struct Keep {
  static constexpr int kAtOnce = kSteps;
  Track<T> to;

  void prefetch_step(std::int64_t t, std::int64_t width) const { prefetch(to.at(t), width); }

  template <int W, int Steps>
  void take(std::int64_t t0, std::int64_t column, const Lanes<T, W>* out) {
#pragma GCC unroll 4
    for (int t = 0; t < Steps; ++t) store<W>(to.at(t0 + t) + column, out[t]);
  }
  template <int Steps>
  void done(std::int64_t) {}
};

/// The same, and a copy of X after every step.
template <typename T>
struct KeepAndRecord : Keep<T> {
  static constexpr int kAtOnce = 1;
  const T* x;
  Track<T> record;
  std::int64_t size;

  template <int Steps>
  void done(std::int64_t t) {
    copy(x, record.at(t), size);
  }
};

/// Adds the results of a scan to rows.
template <typename T>
struct Add {
  static constexpr int kAtOnce = kSteps;
  Track<T> to;

  void prefetch_step(std::int64_t t, std::int64_t width) const { prefetch(to.at(t), width); }

  template <int W, int Steps>
  void take(std::int64_t t0, std::int64_t column, const Lanes<T, W>* out) {
#pragma GCC unroll 4
    for (int t = 0; t < Steps; ++t) {
      T* const row = to.at(t0 + t) + column;
      store<W>(row, load<W>(row) + out[t]);
    }
  }
  template <int Steps>
  void done(std::int64_t) {}
};

/// Dot products of a few steps that are summed up while columns come by.
template <typename T>
struct Products {
  Lanes<T> wide[kSteps] = {};
  T rest[kSteps] = {};

  template <int W>
  void add(int t, Lanes<T, W> a, Lanes<T, W> b) {
    if constexpr (W == kLanes<T>) {
      wide[t] = fused<T, W>(a, b, wide[t]);
    } else {
      rest[t] += sum<T, W>(fused<T, W>(a, b, Lanes<T, W>{}));
    }
  }
  /// The product of step t, which then begins anew.
  T take(int t) {
    const T total = sum<T, kLanes<T>>(wide[t]) + rest[t];
    wide[t] = Lanes<T>{};
    rest[t] = T(0);
    return total;
  }
};

/// The vector that lives beside the matrix of a scan, as n beside C:
///   state <- decay_t state + write_t x_t,   g_t = result of the scan + mix_t state
/// g_t is a gradient: it is added to a row, and its product with another one is kept.
template <typename T>
struct AddWithState {
  static constexpr int kAtOnce = kSteps;
  T* state;
  Track<const T> x, with;
  Track<const T> decay, write, mix;
  Track<T> to;
  T* product;  ///< <with_t, g_t>, one number per step of the scan
  Products<T> products{};

  void prefetch_step(std::int64_t t, std::int64_t width) const {
    prefetch(with.at(t), width);
    prefetch(to.at(t), width);
  }
  template <int W, int Steps>
  void take(std::int64_t t0, std::int64_t column, const Lanes<T, W>* out) {
    Lanes<T, W> own = load<W>(state + column);
#pragma GCC unroll 4
    for (int j = 0; j < Steps; ++j) {
      const std::int64_t t = t0 + j;
      own = fused<T, W>(all<T, W>(*decay.at(t)), own, *write.at(t) * load<W>(x.at(t) + column));
      const Lanes<T, W> gradient = fused<T, W>(all<T, W>(*mix.at(t)), own, out[j]);
      products.template add<W>(j, load<W>(with.at(t) + column), gradient);
      T* const row = to.at(t) + column;
      store<W>(row, load<W>(row) + gradient);
    }
    store<W>(state + column, own);
  }
  template <int Steps>
  void done(std::int64_t t0) {
    for (int j = 0; j < Steps; ++j) product[t0 + j] = products.take(j);
  }
};

/// The gates and denominators of one head over time.
template <typename T>
struct Gates {
  explicit Gates(std::int64_t steps)
      : input_gate(steps),
        forget_gate(steps + 1),
        input_pre(steps),
        log_forget(steps),
        forget_slope(steps),
        m_prev(steps + kLanes<T>),
        s(steps),
        normalizer(steps),
        read(steps) {}

  Padded<T> input_gate, forget_gate;
  Padded<T> input_pre, log_forget;
  Padded<T> forget_slope;   ///< d log_forget / d f
  Padded<T> m_prev;         ///< m before every step; m itself begins at 1, whole registers too
  Padded<T> s, normalizer;  ///< <q~, n> and N
  Padded<T> read;           ///< query_scale / (N + eps)

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

  /// N = max(|s|, exp(-m)) and what the read-out is multiplied with. Below m = 0 everything is
  /// taken times exp(m), so that nothing overflows: a factor too small for a number is 0, N stays
  /// finite.
  void divide(const MlstmOptions& options, std::int64_t steps) {
    const T eps = static_cast<T>(options.eps), scale = static_cast<T>(options.query_scale);
    const Lanes<T> one = all<T>(T(1)), least = all<T>(std::numeric_limits<T>::min());
    if (floor_is_one(options)) {
      for (std::int64_t t = 0; t < steps; t += kLanes<T>) {
        normalizer.set(t, larger<T>(absolute<T>(s.get(t)), one));
        read.set(t, scale / (normalizer.get(t) + eps));
      }
      return;
    }
    for (std::int64_t t = 0; t < steps; t += kLanes<T>) {
      const Lanes<T> m_t = load<kLanes<T>>(m_prev.data() + t + 1);
      const Lanes<T> e = exp_below<T>(m_t), size = absolute<T>(s.get(t));
      const Lanes<T> floor = larger<T>(e, least);
      const Lanes<T> plain = larger<T>(size, floor), scaled = larger<T>(e * size, one);
      normalizer.set(t, m_t < T(0) ? larger<T>(size, one / floor) : plain);
      read.set(t, scale * (m_t < T(0) ? e / (scaled + eps * e) : one / (plain + eps)));
    }
  }

  static bool floor_is_one(const MlstmOptions& options) {
    return options.floor == DenominatorFloor::one || !options.stabilizer;
  }

  /// Whether |s| decides N, so that N moves with s.
  bool sum_decides(std::int64_t t) const { return std::abs(s[t]) >= normalizer[t]; }
};

/// n through `Steps` steps from t0, and s.
template <int Steps, typename T>
void walk_n(Gates<T>& gates, const Track<T>& q, const Track<T>& k, T scale, std::int64_t t0,
            std::int64_t size, const T* from, T* n, const Track<T>& record) {
  Products<T> products;
  for_lanes<T>(0, size, [&]<int W>(std::int64_t at) {
    Lanes<T, W> own = load<W>(from + at);
#pragma GCC unroll 4
    for (int j = 0; j < Steps; ++j) {
      const std::int64_t t = t0 + j;
      own = fused<T, W>(all<T, W>(gates.forget_gate[t]), own,
                        gates.input_gate[t] * load<W>(k.at(t) + at));
      products.template add<W>(j, load<W>(q.at(t) + at), own);
      if (record.first != nullptr) store<W>(record.at(t) + at, own);
    }
    store<W>(n + at, own);
  });
  for (int j = 0; j < Steps; ++j) gates.s[t0 + j] = scale * products.take(j);
}

template <typename T>
void transpose(const T* from, T* to, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
  }
}

/// m before the first step. Below all numbers, it lets the first input gate decide.
template <typename T>
T first_m(const MlstmOptions& options, const MlstmState& initial, const Sizes& z,
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

template <typename T>
void forward_head(const MlstmOptions& options, const MlstmForward& args, const Sizes& z,
                  std::int64_t head, Gates<T>& gates) {
  const auto rows = [&](const Tensor& x, std::int64_t width) {
    return track<T>(x, z, head, width);
  };
  const Track<T> q = rows(args.q, z.K), k = rows(args.k, z.K), v = rows(args.v, z.V);
  const T scale = static_cast<T>(options.query_scale);

  gates.m_prev[0] = first_m<T>(options, args.initial, z, head);
  gates.load_pre(options, rows(args.i, 1), rows(args.f, 1), z.T);
  gates.walk_m(options, z.T);
  gates.open(options, z.T);

  T* C = part<T>(args.last.C, head, z.K * z.V);
  T* n = part<T>(args.last.n, head, z.K);
  const T* C_from = part<T>(args.initial.C, head, z.K * z.V);
  const T* n_from = part<T>(args.initial.n, head, z.K);
  if (C_from == nullptr) {
    std::fill_n(C, z.K * z.V, T(0));
    std::fill_n(n, z.K, T(0));
    C_from = C;
    n_from = n;
  }

  const Track<T> n_record = rows(args.record.n, z.K);
  for (std::int64_t t = 0; t < z.T; n_from = n) {
    if (t + kSteps <= z.T) {
      walk_n<kSteps>(gates, q, k, scale, t, z.K, n_from, n, n_record);
      t += kSteps;
    } else {
      walk_n<1>(gates, q, k, scale, t, z.K, n_from, n, n_record);
      t += 1;
    }
  }
  gates.divide(options, z.T);

  const Track<T> C_record = rows(args.record.C, z.K * z.V);
  Scan<T> memory{.rows = z.K,
                 .columns = z.V,
                 .from = C_from,
                 .x = C,
                 .a = {k.first, k.step},
                 .b = {v.first, v.step},
                 .c = {q.first, q.step},
                 .decay = {gates.forget_gate.data(), 1},
                 .write = {gates.input_gate.data(), 1},
                 .read = {gates.read.data(), 1}};
  if (C_record.first == nullptr) {
    scan(memory, z.T, Keep<T>{rows(args.h, z.V)});
  } else {
    scan(memory, z.T, KeepAndRecord<T>{{rows(args.h, z.V)}, C, C_record, z.K * z.V});
  }

  *part<T>(args.last.m, head, 1) = gates.m(z.T - 1);
  const auto keep = [&](const T* from, const Tensor& to) {
    const Track<T> out = rows(to, 1);
    if (out.first == nullptr) return;
    for (std::int64_t t = 0; t < z.T; ++t) *out.at(t) = from[t];
  };
  keep(gates.m_prev.data() + 1, args.m);
  keep(gates.s.data(), args.s);
  keep(gates.normalizer.data(), args.normalizer);
  keep(gates.input_gate.data(), args.record.input_gate);
  keep(gates.forget_gate.data(), args.record.forget_gate);
}

/// Memory of one head for the backward pass.
template <typename T>
struct Workspace {
  explicit Workspace(const Sizes& z)
      : gates(z.T),
        C(z.K * z.V),
        G(z.K * z.V),
        n(z.K),
        dn(z.K),
        along(z.T),
        sum_slope(z.T),
        q_product(z.T),
        k_product(z.T),
        dlog_forget(z.T) {}

  Gates<T> gates;
  Padded<T> C, G;  ///< the memory transposed, later its gradient transposed; its gradient
  Padded<T> n, dn;
  Padded<T> along;                 ///< <dh, h> where |s| decides N, else 0
  Padded<T> sum_slope;             ///< query_scale times the gradient of s
  Padded<T> q_product, k_product;  ///< <q, dq> of every step; <k, dk>, from the last step on
  Padded<T> dlog_forget;
};

template <typename T>
double dot_in_double(const T* a, const T* b, std::int64_t size) {
  double total = 0.0;
  for (std::int64_t j = 0; j < size; ++j) {
    total += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  }
  return total;
}

/// The gradient of every log_forget but the first by its definition, <C_{t-1}, dC_t> and the same
/// of n, times the gate. It needs memories that run forwards and gradients that run backwards at
/// the same time: those at the beginnings of some stretches are kept, and the others made again.
template <typename T>
void forget_gradient(Workspace<T>& work, const Sizes& z, const Track<T>& q, const Track<T>& k,
                     const Track<T>& v, const Track<T>& dh, const T* C0, const T* n0,
                     const T* dC_last, const T* dn_last) {
  const Gates<T>& gates = work.gates;
  // C and n side by side, as one matrix with a column more.
  const std::int64_t columns = z.V + 1, size = z.K * columns;
  const auto stretch = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(z.T))));
  const std::int64_t stretches = (z.T + stretch - 1) / stretch;
  std::vector<T> begins(static_cast<std::size_t>(stretches * size)),
      memories(static_cast<std::size_t>(stretch * size)), G(static_cast<std::size_t>(size));
  const auto join = [&](const T* matrix, const T* column, T* to) {
    for (std::int64_t row = 0; row < z.K; ++row) {
      copy(matrix + row * z.V, to + row * columns, z.V);
      to[row * columns + z.V] = column[row];
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
  std::vector<T> memory(static_cast<std::size_t>(size));
  if (C0 != nullptr) join(C0, n0, memory.data());
  for (std::int64_t t = 0; t < z.T; ++t) {
    if (t % stretch == 0) copy(memory.data(), begins.data() + t / stretch * size, size);
    step(t, memory.data(), memory.data());
  }
  if (dC_last != nullptr) join(dC_last, dn_last, G.data());
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
        const T decay = gates.forget_gate[t + 1];
        for (std::int64_t x = 0; x < z.V; ++x) own[x] = decay * own[x] + asked * dh.at(t)[x];
        own[z.V] = decay * own[z.V] + work.sum_slope[t] * q_t;
      }
      work.dlog_forget[t] =
          gates.forget_gate[t] * dot(memories.data() + (t - begin) * size, G.data(), size);
    }
  }
}

template <typename T>
void backward_head(const MlstmOptions& options, const MlstmBackward& args, const Sizes& z,
                   std::int64_t head, Workspace<T>& work) {
  const MlstmForward& fw = args.forward;
  const auto rows = [&](const Tensor& x, std::int64_t width) {
    return track<T>(x, z, head, width);
  };
  const Track<T> q = rows(fw.q, z.K), k = rows(fw.k, z.K), v = rows(fw.v, z.V);
  const Track<T> m = rows(fw.m, 1), s = rows(fw.s, 1), y = rows(fw.h, z.V);
  const Track<T> dh = rows(args.dh, z.V), dq = rows(args.dq, z.K), dk = rows(args.dk, z.K),
                 dv = rows(args.dv, z.V);
  const Track<T> di = rows(args.di, 1), df = rows(args.df, 1);

  // What the forward pass knew.
  Gates<T>& gates = work.gates;
  gates.load_pre(options, rows(fw.i, 1), rows(fw.f, 1), z.T);
  for (std::int64_t t = 0; t < z.T; ++t) {
    gates.m(t) = *m.at(t);
    gates.s[t] = *s.at(t);
  }
  gates.m_prev[0] = first_m<T>(options, fw.initial, z, head);
  gates.open(options, z.T);
  gates.divide(options, z.T);

  // d N / d s = sign(s) where |s| decides; h = C^T q / (N + eps) gives dN = -<dh, h> / (N + eps).
  for (std::int64_t t = 0; t < z.T; ++t) {
    T slope = T(0), along = T(0);
    if (!options.constant_denominator && gates.sum_decides(t)) {
      along = dot(dh.at(t), y.at(t), z.V);
      slope = gates.s[t] > T(0) ? -gates.read[t] * along : gates.read[t] * along;
    }
    work.along[t] = along;
    work.sum_slope[t] = slope;
  }

  // Forwards, with C transposed so that its rows are summed up at once:
  // dq_t = read_t C_t dh_t + query_scale ds_t n_t
  const T* C0 = part<T>(fw.initial.C, head, z.K * z.V);
  const T* n0 = part<T>(fw.initial.n, head, z.K);
  if (C0 != nullptr) {
    transpose(C0, work.C.data(), z.K, z.V);
    copy(n0, work.n.data(), z.K);
  } else {
    work.C.fill(T(0));
    work.n.fill(T(0));
  }
  Scan<T> recall{.rows = z.V,
                 .columns = z.K,
                 .from = work.C.data(),
                 .x = work.C.data(),
                 .a = {v.first, v.step},
                 .b = {k.first, k.step},
                 .c = {dh.first, dh.step},
                 .decay = {gates.forget_gate.data(), 1},
                 .write = {gates.input_gate.data(), 1},
                 .read = {gates.read.data(), 1}};
  scan(recall, z.T,
       AddWithState<T>{.state = work.n.data(),
                       .x = {k.first, k.step},
                       .with = {q.first, q.step},
                       .decay = recall.decay,
                       .write = recall.write,
                       .mix = {work.sum_slope.data(), 1},
                       .to = dq,
                       .product = work.q_product.data()});

  // Backwards with G, the gradient of C after all later use, and its transpose:
  // G_t = forget_gate_{t+1} G_{t+1} + read_t q_t dh_t^T
  // dv_t = input_gate_t G_t^T k_t,   dk_t = input_gate_t (G_t v_t + dn_t)
  T* const G = work.G.data();
  T* const dn = work.dn.data();
  double at_end = 0.0;  // <[C n], d[C n]> after the last step
  if (args.dlast.C.defined()) {
    const T* dC_last = part<T>(args.dlast.C, head, z.K * z.V);
    const T* dn_last = part<T>(args.dlast.n, head, z.K);
    copy(dC_last, G, z.K * z.V);
    transpose(dC_last, work.C.data(), z.K, z.V);
    copy(dn_last, dn, z.K);
    at_end = dot_in_double(part<T>(fw.last.C, head, z.K * z.V), dC_last, z.K * z.V) +
             dot_in_double(part<T>(fw.last.n, head, z.K), dn_last, z.K);
  } else {
    work.G.fill(T(0));
    work.C.fill(T(0));
    work.dn.fill(T(0));
  }
  const std::int64_t end = z.T - 1;
  gates.forget_gate[z.T] = T(1);  // nothing is forgotten between the last step and the end state
  const auto back = [end](const Track<T>& x) { return Track<const T>{x.at(end), -x.step}; };
  Scan<T> to_values{.rows = z.K,
                    .columns = z.V,
                    .from = G,
                    .x = G,
                    .a = back(q),
                    .b = back(dh),
                    .c = back(k),
                    .decay = {gates.forget_gate.data() + z.T, -1},
                    .write = {gates.read.data() + end, -1},
                    .read = {gates.input_gate.data() + end, -1}};
  Scan<T> to_keys = to_values;
  to_keys.rows = z.V;
  to_keys.columns = z.K;
  to_keys.from = to_keys.x = work.C.data();
  to_keys.a = back(dh);
  to_keys.b = back(q);
  to_keys.c = back(v);
  scan(to_values, z.T, Add<T>{{dv.at(end), -dv.step}});
  scan(to_keys, z.T,
       AddWithState<T>{.state = dn,
                       .x = back(q),
                       .with = back(k),
                       .decay = to_keys.decay,
                       .write = {work.sum_slope.data() + end, -1},
                       .mix = to_keys.read,
                       .to = {dk.at(end), -dk.step},
                       .product = work.k_product.data()});

  // The gates. What a forget gate does to the memory, all later steps and the end state feel.
  double carried = at_end;
  T largest = static_cast<T>(std::abs(at_end)), found = T(0), summed = T(0);
  for (std::int64_t t = end; t >= 0; --t) {
    const T dq_t = work.q_product[t], dk_t = work.k_product[end - t];
    *di.at(t) += dk_t;
    carried += static_cast<double>(dq_t) - static_cast<double>(dk_t);
    work.dlog_forget[t] = static_cast<T>(carried);
    largest = std::max({largest, std::abs(dq_t), std::abs(dk_t), std::abs(work.along[t])});
    if (t == 0) break;
    found = std::max(found, std::abs(gates.forget_slope[t] * work.dlog_forget[t]));
    summed = std::max(summed, gates.forget_slope[t] * largest);
  }
  // Where hardly anything is kept, nearly all of that cancels, and its digits with it.
  if (found < T(0.03) * summed) {
    forget_gradient(work, z, q, k, v, dh, C0, n0, part<T>(args.dlast.C, head, z.K * z.V),
                    part<T>(args.dlast.n, head, z.K));
  }
  for (std::int64_t t = 1; t < z.T; ++t) {
    *df.at(t) += gates.forget_slope[t] * work.dlog_forget[t];
  }

  // h depends on m where a floor of 1 decides: h = exp(-m) times what m has no part in. What m_t
  // gets belongs to the gate that made it.
  T dm = T(0);
  if (options.stabilizer && options.floor == DenominatorFloor::one) {
    if (args.dlast.m.defined()) dm = *part<T>(args.dlast.m, head, 1) - static_cast<T>(at_end);
    for (std::int64_t t = end; t >= 0; --t) {
      if (!options.constant_denominator && !gates.sum_decides(t)) {
        dm -= dot(dh.at(t), y.at(t), z.V);
      }
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
  const T decay = gates.forget_gate[0];
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

Sizes sizes_of(const MlstmForward& args) {
  check(args.q.defined() && args.v.defined() && args.q.rank() == 4 && args.v.rank() == 4,
        "[mlstm] needs q and k of shape (batch, time, heads, width) and v with its own width.");
  const Sizes z{args.q.extent(0), args.q.extent(1), args.q.extent(2), args.q.extent(3),
                args.v.extent(3)};
  check(args.q.elements() > 0 && z.V > 0,
        "[mlstm] has nothing to do: batch {}, time {}, heads {}, key width {}, value width {}.",
        z.B, z.T, z.H, z.K, z.V);
  return z;
}

void require(const char* what, const Tensor& x, const Shape& shape, DType dtype) {
  require_shape(kOp, what, x, shape);
  require_dtype(kOp, what, x, dtype);
}

/// Either all of a state or nothing.
void require_state(const char* what, const MlstmState& state, const Sizes& z, DType dtype) {
  if (!state.C.defined() && !state.n.defined() && !state.m.defined()) return;
  require(what, state.C, {z.B, z.H, z.K, z.V}, dtype);
  require(what, state.n, {z.B, z.H, z.K}, dtype);
  require(what, state.m, {z.B, z.H}, dtype);
}

void require_forward(const MlstmForward& args, const Sizes& z) {
  const DType dtype = args.q.dtype();
  const Shape keys{z.B, z.T, z.H, z.K}, values{z.B, z.T, z.H, z.V}, gates{z.B, z.T, z.H};
  require_cpu(kOp, args.q);
  require("k", args.k, keys, dtype);
  require("v", args.v, values, dtype);
  require("i", args.i, gates, dtype);
  require("f", args.f, gates, dtype);
  require_state("the initial state", args.initial, z, dtype);
  require("h", args.h, values, dtype);
  require("m", args.m, gates, dtype);
  require("s", args.s, gates, dtype);
  require("the normalizer", args.normalizer, gates, dtype);
  check(args.last.C.defined(), "[mlstm] needs room for the last state.");
  require_state("the last state", args.last, z, dtype);
  if (args.initial.C.defined()) {
    check(args.initial.C.raw() != args.last.C.raw() && args.initial.n.raw() != args.last.n.raw() &&
              args.initial.m.raw() != args.last.m.raw(),
          "[mlstm] The last state cannot overwrite the initial one.");
  }
}

/// How many heads make one piece of work: enough that handing it to another thread pays.
std::int64_t grain(const Sizes& z) {
  return std::max<std::int64_t>(1, 100'000 / (z.T * z.K * z.V));
}

}  // namespace

void mlstm_forward(const MlstmOptions& options, const MlstmForward& args) {
  const Sizes z = sizes_of(args);
  require_forward(args, z);
  const DType dtype = args.q.dtype();
  const MlstmRecord& record = args.record;
  const Shape gates{z.B, z.T, z.H};
  if (record.input_gate) require("the recorded input gate", record.input_gate, gates, dtype);
  if (record.forget_gate) require("the recorded forget gate", record.forget_gate, gates, dtype);
  if (record.C) require("the recorded C", record.C, {z.B, z.T, z.H, z.K * z.V}, dtype);
  if (record.n) require("the recorded n", record.n, {z.B, z.T, z.H, z.K}, dtype);

  visit_float(args.q, [&]<typename T>(T) {
    parallel_ranges(z.B * z.H, grain(z), [&](std::int64_t begin, std::int64_t end) {
      Gates<T> work(z.T);
      for (std::int64_t head = begin; head < end; ++head) {
        forward_head<T>(options, args, z, head, work);
      }
    });
  });
}

void mlstm_backward(const MlstmOptions& options, const MlstmBackward& args) {
  const Sizes z = sizes_of(args.forward);
  require_forward(args.forward, z);
  const DType dtype = args.forward.q.dtype();
  const Shape keys{z.B, z.T, z.H, z.K}, values{z.B, z.T, z.H, z.V}, gates{z.B, z.T, z.H};
  require("dh", args.dh, values, dtype);
  if (args.dlast.C || args.dlast.n) {
    require("the gradient of the last C", args.dlast.C, {z.B, z.H, z.K, z.V}, dtype);
    require("the gradient of the last n", args.dlast.n, {z.B, z.H, z.K}, dtype);
    if (args.dlast.m) require("the gradient of the last m", args.dlast.m, {z.B, z.H}, dtype);
  }
  require("dq", args.dq, keys, dtype);
  require("dk", args.dk, keys, dtype);
  require("dv", args.dv, values, dtype);
  require("di", args.di, gates, dtype);
  require("df", args.df, gates, dtype);
  require_state("the gradient of the initial state", args.dinitial, z, dtype);

  visit_float(args.forward.q, [&]<typename T>(T) {
    parallel_ranges(z.B * z.H, grain(z), [&](std::int64_t begin, std::int64_t end) {
      Workspace<T> work(z);
      for (std::int64_t head = begin; head < end; ++head) {
        backward_head<T>(options, args, z, head, work);
      }
    });
  });
}

}  // namespace xlab::kernels
