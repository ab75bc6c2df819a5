// The matrix memory on the CPU: one loop, `scan`, serves the forward pass and all its gradients.
#include "kernels/mlstm/mlstm.hpp"

#include <algorithm>
#include <type_traits>

#include "kernels/device/threads.hpp"
#include "kernels/mlstm/formats.hpp"
#include "kernels/mlstm/head.hpp"
#include "kernels/mlstm/on_cuda.hpp"
#include "kernels/route.hpp"

namespace xlab::kernels {
namespace {

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

/// n through `Steps` steps from t0, and s.
template <int Steps, typename T>
void walk_n(MlstmGates<T>& gates, const Track<T>& q, const Track<T>& k, T scale, std::int64_t t0,
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

template <typename T>
void forward_head(const MlstmOptions& options, const MlstmForward& args, const MlstmSizes& z,
                  std::int64_t head, MlstmGates<T>& gates) {
  const auto rows = [&](const Tensor& x, std::int64_t width) {
    return track<T>(x, z, head, width);
  };
  const Track<T> q = rows(args.q, z.K), k = rows(args.k, z.K), v = rows(args.v, z.V);
  const T scale = static_cast<T>(options.query_scale);

  gates.begin_forward(options, args, z, head);

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
  gates.divide(options, 0, z.T);

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

  gates.end_forward(args, z, head);
}

/// Memory of one head for the backward pass.
template <typename T>
struct Workspace {
  explicit Workspace(const MlstmSizes& z)
      : gates(z.T), C(z.K * z.V), G(z.K * z.V), n(z.K), dn(z.K), q_product(z.T), k_product(z.T) {}

  MlstmGates<T> gates;
  Padded<T> C, G;  ///< the memory transposed, later its gradient transposed; its gradient
  Padded<T> n, dn;
  Padded<T> q_product, k_product;  ///< <q, dq> of every step; <k, dk>, from the last step on
};

template <typename T>
void backward_head(const MlstmOptions& options, const MlstmBackward& args, const MlstmSizes& z,
                   std::int64_t head, Workspace<T>& work) {
  const MlstmForward& fw = args.forward;
  const auto rows = [&](const Tensor& x, std::int64_t width) {
    return track<T>(x, z, head, width);
  };
  const Track<T> q = rows(fw.q, z.K), k = rows(fw.k, z.K), v = rows(fw.v, z.V);
  const Track<T> dh = rows(args.dh, z.V), dq = rows(args.dq, z.K), dk = rows(args.dk, z.K),
                 dv = rows(args.dv, z.V);

  MlstmGates<T>& gates = work.gates;
  gates.begin_backward(options, args, z, head);

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
                       .mix = {gates.sum_slope.data(), 1},
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
                       .write = {gates.sum_slope.data() + end, -1},
                       .mix = to_keys.read,
                       .to = {dk.at(end), -dk.step},
                       .product = work.k_product.data()});

  add_state_gradients<T>(options, args, z, head, gates,
                         {.at_end = at_end,
                          .q_product = {work.q_product.data(), 1},
                          .k_product = {work.k_product.data() + end, -1},
                          .dC = G,
                          .dn = dn,
                          .decay = gates.forget_gate[0]});
}

/// How many heads make one piece of work: enough that handing it to another thread pays.
std::int64_t grain(const MlstmSizes& z) {
  return std::max<std::int64_t>(1, 100'000 / (z.T * z.K * z.V));
}

}  // namespace

void mlstm_forward(const MlstmOptions& options, const MlstmForward& args) {
  const MlstmSizes z = checked_sizes(args);
  if (options.format != NumberFormat::native) return mlstm_forward_in_format(options, args, z);
  visit_float(args.q, [&]<typename T>(T) {
    if constexpr (kHasCuda) {
      if (is_on_cuda(args)) {
        return cuda::mlstm_forward<T>(rules_of(options, z), call_of<T>(args));
      }
    }
    parallel_ranges(z.B * z.H, grain(z), [&](std::int64_t begin, std::int64_t end) {
      MlstmGates<T> work(z.T);
      for (std::int64_t head = begin; head < end; ++head) {
        forward_head<T>(options, args, z, head, work);
      }
    });
  });
}

void mlstm_backward(const MlstmOptions& options, const MlstmBackward& args) {
  const MlstmSizes z = checked_sizes(args);
  if (options.format != NumberFormat::native) return mlstm_backward_in_format(options, args, z);
  visit_float(args.forward.q, [&]<typename T>(T) {
    if constexpr (kHasCuda) {
      if (is_on_cuda(args)) {
        return cuda::mlstm_backward<T>(rules_of(options, z), call_of<T>(args));
      }
    }
    parallel_ranges(z.B * z.H, grain(z), [&](std::int64_t begin, std::int64_t end) {
      Workspace<T> work(z);
      for (std::int64_t head = begin; head < end; ++head) {
        backward_head<T>(options, args, z, head, work);
      }
    });
  });
}

}  // namespace xlab::kernels
