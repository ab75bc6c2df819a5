// The chunkwise mLSTM on the CPU: per head, matrix products between the rows of a chunk and with
// the memory before it.
#include "kernels/mlstm/chunkwise.hpp"

#include "kernels/device/threads.hpp"
#include "kernels/mlstm/chunkwise_cuda.hpp"
#include "kernels/mlstm/head.hpp"
#include "kernels/mlstm/on_cuda.hpp"
#include "kernels/product/small_product.hpp"
#include "kernels/route.hpp"

namespace xlab::kernels {
namespace {

/// Rows of a chunk that are multiplied together: what lies above the diagonal beyond them is left
/// out.
constexpr std::int64_t kStrip = 8;

/// How many steps before its use a row is asked for: rows of one head lie far apart, which hides
/// them from the processor's own foresight.
constexpr std::int64_t kAhead = 16;

/// Steps [begin, begin + size) of one head.
struct Chunk {
  std::int64_t begin, size;
};

/// The rows of one chunk, side by side: in the tensors they lie a power of two apart, where they
/// would drive each other out of the cache.
template <typename T>
struct Rows {
  Rows(const Tensor& x, const MlstmSizes& z, std::int64_t width, std::int64_t length)
      : x(x), z(z), width(width), numbers(length * width) {}
  /// Those of steps [begin, begin + size) of a head.
  void take(std::int64_t head, const Chunk& c) {
    const Track<T> from = track<T>(x, z, head, width);
    for (std::int64_t t = 0; t < c.size; ++t) {
      if (c.begin + t + kAhead < z.T) prefetch(from.at(c.begin + t + kAhead), width);
      copy(from.at(c.begin + t), at(t), width);
    }
  }
  T* at(std::int64_t t) { return numbers.data() + t * width; }
  const T* at(std::int64_t t) const { return numbers.data() + t * width; }

  const Tensor& x;
  const MlstmSizes& z;
  std::int64_t width;
  Padded<T> numbers;
};

/// Memory for one chunk of one head.
template <typename T>
struct ChunkSpace {
  ChunkSpace(const MlstmSizes& z, std::int64_t longest)
      : length((longest + kLanes<T> - 1) / kLanes<T> * kLanes<T>),
        columns(length * std::max(z.K, z.V)),
        scores(length * length),
        decays(length * length),
        row(length),
        beta(length) {}

  std::int64_t length;  ///< of a line of scores: whole registers
  Padded<T> columns;    ///< keys or values, one column per step
  Padded<T> scores;     ///< <q_t, k_j>, then what a pass makes of it; zeros right of the diagonal
  Padded<T> decays;     ///< D
  Padded<T> row;
  Padded<T> beta;

  T* line(std::int64_t t) { return scores.data() + t * length; }
  const T* decay(std::int64_t t) const { return decays.data() + t * length; }
  /// D of the last step of a chunk.
  const T* last_decay(const Chunk& c) const { return decay(c.size - 1); }

  /// D as far as strips reach, and beta.
  void multiply_gates(const MlstmGates<T>& gates, const Chunk& c) {
    constexpr std::int64_t W = kLanes<T>;
    Lanes<T> place;  // 0, 1, 2, ...
    for (int lane = 0; lane < W; ++lane) place[lane] = T(lane);
    T product = T(1);
    std::int64_t known = 0;  // numbers of the line above
    for (std::int64_t t = 0; t < c.size; ++t) {
      const T forget = gates.forget_gate[c.begin + t];
      beta[t] = product *= forget;
      const Lanes<T> written = all<T>(gates.input_gate[c.begin + t]);
      T* const to = decays.data() + t * length;
      const std::int64_t strip = end_of_strip(t);
      for (std::int64_t j = 0; j < strip; j += W) {
        const Lanes<T> kept = j < known ? forget * load<W>(to - length + j) : Lanes<T>{};
        store<W>(to + j, place + T(j) == T(t) ? written : kept);
      }
      known = strip;
    }
  }

  /// Numbers of line t that whole strips and whole registers reach.
  std::int64_t end_of_strip(std::int64_t t) const {
    const std::int64_t end = (t / kStrip + 1) * kStrip;
    return std::min(length, (end + kLanes<T> - 1) / kLanes<T> * kLanes<T>);
  }

  /// Column j = row j of `x`; columns past the chunk are zeros.
  void transpose(const Rows<T>& x, const Chunk& c) {
    const std::int64_t width = x.width;
    for (std::int64_t e = 0; e < width; ++e) {
      std::fill(columns.data() + e * length + c.size, columns.data() + (e + 1) * length, T(0));
    }
    // Eight rows at a time, so that a line of the result is written while it is in the cache.
    for (std::int64_t j0 = 0; j0 < c.size; j0 += 8) {
      const std::int64_t j1 = std::min(c.size, j0 + 8);
      for (std::int64_t e = 0; e < width; ++e) {
        T* const to = columns.data() + e * length;
        for (std::int64_t j = j0; j < j1; ++j) to[j] = x.at(j)[e];
      }
    }
  }

  /// scores_tj = <x_t, column j> on and below the diagonal.
  void score(const Rows<T>& x, const Chunk& c) {
    for (std::int64_t t = 0; t < c.size; t += kStrip) {
      const std::int64_t rows = std::min(kStrip, c.size - t);
      const std::int64_t whole = (t + rows + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
      multiply(SmallProduct<T>{.rows = rows,
                               .inner = x.width,
                               .columns = whole,
                               .x = x.at(t),
                               .x_row = x.width,
                               .x_inner = 1,
                               .m = columns.data(),
                               .m_row = length,
                               .out = line(t),
                               .out_row = length});
    }
  }

  /// The score of every t and j becomes `change(t, score, D)`, whole registers at once, as far
  /// as strips reach; 0 where D is, as it is right of the diagonal.
  template <typename Change>
  void weigh(const Chunk& c, Change&& change) {
    constexpr std::int64_t W = kLanes<T>;
    for (std::int64_t t = 0; t < c.size; ++t) {
      for (std::int64_t j = 0; j < end_of_strip(t); j += W) {
        const Lanes<T> d = load<W>(decay(t) + j);
        const Lanes<T> changed = change(t, load<W>(line(t) + j), d);
        // A product with 0 is no 0 where the other number is infinite.
        store<W>(line(t) + j, d == T(0) ? Lanes<T>{} : changed);
      }
    }
  }

  /// out_t = keep * out_t + sum_{j <= t} scores_tj m_j
  void gather(const Rows<T>& m, const Chunk& c, T* out, T keep) {
    const std::int64_t width = m.width;
    for (std::int64_t t = 0; t < c.size; t += kStrip) {
      const std::int64_t rows = std::min(kStrip, c.size - t);
      multiply(SmallProduct<T>{.rows = rows,
                               .inner = t + rows,
                               .columns = width,
                               .x = line(t),
                               .x_row = length,
                               .x_inner = 1,
                               .m = m.at(0),
                               .m_row = width,
                               .out = out + t * width,
                               .out_row = width,
                               .start = out + t * width,
                               .start_row = width,
                               .keep = keep});
    }
  }

  /// out_j = keep * out_j + sum_{t >= j} scores_tj m_t
  void scatter(const Rows<T>& m, const Chunk& c, T* out, T keep) {
    const std::int64_t width = m.width;
    for (std::int64_t j = 0; j < c.size; j += kStrip) {
      const std::int64_t rows = std::min(kStrip, c.size - j);
      multiply(SmallProduct<T>{.rows = rows,
                               .inner = c.size - j,
                               .columns = width,
                               .x = line(j) + j,
                               .x_row = 1,
                               .x_inner = length,
                               .m = m.at(j),
                               .m_row = width,
                               .out = out + j * width,
                               .out_row = width,
                               .start = out + j * width,
                               .start_row = width,
                               .keep = keep});
    }
  }
};

/// to <- factor * from, number by number.
template <typename T>
void scaled(const T* from, T* to, std::int64_t size, T factor) {
  for_lanes<T>(0, size,
               [&]<int W>(std::int64_t j) { store<W>(to + j, factor * load<W>(from + j)); });
}

/// The memory through one chunk: C <- beta C + sum_j weight_j k_j v_j^T, and n likewise with 1 for
/// v. `lines` has room for the weighted values.
template <typename T>
void write_memory(const Rows<T>& k, const Rows<T>& v, const Chunk& c, const MlstmSizes& z,
                  const T* weight, T keep, T* lines, T* C, T* n) {
  for (std::int64_t j = 0; j < c.size; ++j) {
    scaled(v.at(j), lines + j * z.V, z.V, weight[j]);
  }
  multiply(SmallProduct<T>{.rows = z.K,
                           .inner = c.size,
                           .columns = z.V,
                           .x = k.at(0),
                           .x_row = 1,
                           .x_inner = z.K,
                           .m = lines,
                           .m_row = z.V,
                           .out = C,
                           .out_row = z.V,
                           .start = C,
                           .start_row = z.V,
                           .keep = keep});
  multiply(SmallProduct<T>{.rows = 1,
                           .inner = c.size,
                           .columns = z.K,
                           .x = weight,
                           .x_row = 0,
                           .x_inner = 1,
                           .m = k.at(0),
                           .m_row = z.K,
                           .out = n,
                           .out_row = z.K,
                           .start = n,
                           .start_row = z.K,
                           .keep = keep});
}

template <typename T>
struct ForwardSpace {
  ForwardSpace(const MlstmForward& args, const MlstmSizes& z, std::int64_t length)
      : gates(z.T),
        chunk(z, length),
        lines(chunk.length * z.V),
        q(args.q, z, z.K, length),
        k(args.k, z, z.K, length),
        v(args.v, z, z.V, length) {}
  MlstmGates<T> gates;
  ChunkSpace<T> chunk;
  Padded<T> lines;
  Rows<T> q, k, v;
};

template <typename T>
void forward_head(const MlstmOptions& options, const MlstmForward& args, const MlstmSizes& z,
                  std::int64_t head, std::int64_t length, ForwardSpace<T>& space) {
  MlstmGates<T>& gates = space.gates;
  ChunkSpace<T>& chunk = space.chunk;
  gates.begin_forward(options, args, z, head);
  Rows<T>&q = space.q, &k = space.k, &v = space.v;
  const Track<T> h = track<T>(args.h, z, head, z.V);
  const T scale = static_cast<T>(options.query_scale);

  T* const C = part<T>(args.last.C, head, z.K * z.V);
  T* const n = part<T>(args.last.n, head, z.K);
  bool empty = !args.initial.C.defined();
  if (empty) {
    std::fill_n(C, z.K * z.V, T(0));
    std::fill_n(n, z.K, T(0));
  } else {
    copy(part<T>(args.initial.C, head, z.K * z.V), C, z.K * z.V);
    copy(part<T>(args.initial.n, head, z.K), n, z.K);
  }

  for (Chunk c{0, 0}; c.begin < z.T; c.begin += length) {
    c.size = std::min(length, z.T - c.begin);
    for (Rows<T>* rows : {&q, &k, &v}) rows->take(head, c);
    chunk.multiply_gates(gates, c);
    chunk.transpose(k, c);
    chunk.score(q, c);
    chunk.weigh(c, [](std::int64_t, Lanes<T> score, Lanes<T> decay) { return score * decay; });
    for (std::int64_t t = 0; t < c.size; ++t) {
      Lanes<T> total{};
      for (std::int64_t j = 0; j <= t; j += kLanes<T>) total += load<kLanes<T>>(chunk.line(t) + j);
      const T from_memory = empty ? T(0) : chunk.beta[t] * dot(q.at(t), n, z.K);
      gates.s[c.begin + t] = scale * (from_memory + sum<T, kLanes<T>>(total));
    }
    gates.divide(options, c.begin, c.begin + c.size);

    T* const lines = space.lines.data();
    if (!empty) {
      multiply(SmallProduct<T>{.rows = c.size,
                               .inner = z.K,
                               .columns = z.V,
                               .x = q.at(0),
                               .x_row = z.K,
                               .x_inner = 1,
                               .m = C,
                               .m_row = z.V,
                               .out = lines,
                               .out_row = z.V});
      for (std::int64_t t = 0; t < c.size; ++t) {
        scaled(lines + t * z.V, lines + t * z.V, z.V, chunk.beta[t]);
      }
    }
    chunk.gather(v, c, lines, empty ? T(0) : T(1));
    for (std::int64_t t = 0; t < c.size; ++t) {
      scaled(lines + t * z.V, h.at(c.begin + t), z.V, gates.read[c.begin + t]);
    }
    write_memory(k, v, c, z, chunk.last_decay(c), empty ? T(0) : chunk.beta[c.size - 1], lines, C,
                 n);
    empty = false;
  }
  gates.end_forward(args, z, head);
}

template <typename T>
struct BackwardSpace {
  BackwardSpace(const MlstmBackward& args, const MlstmSizes& z, std::int64_t length)
      : gates(z.T),
        chunk(z, length),
        memories((z.T + length - 1) / length * (z.K * z.V + z.K)),
        G(z.K * z.V),
        dn(z.K),
        columns(z.K * chunk.length),
        keys(chunk.length * z.K),
        lines(chunk.length * z.V),
        weight(chunk.length),
        q_product(z.T),
        k_product(z.T),
        q(args.forward.q, z, z.K, length),
        k(args.forward.k, z, z.K, length),
        v(args.forward.v, z, z.V, length),
        dh(args.dh, z, z.V, length) {}
  MlstmGates<T> gates;
  ChunkSpace<T> chunk;
  Padded<T> memories;  ///< C and n before every chunk
  Padded<T> G, dn;     ///< gradient of the memory after the chunk at hand
  Padded<T> columns;   ///< one column per step, of gradients of keys or queries
  Padded<T> keys, lines;
  Padded<T> weight;
  Padded<T> q_product, k_product;
  Rows<T> q, k, v, dh;
};

/// columns (K x steps) = x (K x V) times the columns of the chunk (V x steps).
template <typename T>
void through_memory(const T* x, const MlstmSizes& z, const ChunkSpace<T>& chunk, T* columns) {
  multiply(SmallProduct<T>{.rows = z.K,
                           .inner = z.V,
                           .columns = chunk.length,
                           .x = x,
                           .x_row = z.V,
                           .x_inner = 1,
                           .m = chunk.columns.data(),
                           .m_row = chunk.length,
                           .out = columns,
                           .out_row = chunk.length});
}

/// lines_t = factor_t * column t + mix_t * extra
template <typename T>
void lines_from_columns(const T* columns, std::int64_t column_step, const Chunk& c, std::int64_t K,
                        const T* factor, const T* mix, const T* extra, T* lines) {
  for (std::int64_t e = 0; e < K; ++e) {
    const T* const from = columns + e * column_step;
    for (std::int64_t t = 0; t < c.size; ++t) {
      lines[t * K + e] = factor[t] * from[t] + mix[t] * extra[e];
    }
  }
}

/// Adds rows to a track and keeps their products with another one.
template <typename T>
void add_rows(const T* lines, const Chunk& c, std::int64_t width, const Track<T>& to,
              const Rows<T>& with, T* product) {
  for (std::int64_t t = 0; t < c.size; ++t) {
    add(lines + t * width, to.at(c.begin + t), width);
    product[c.begin + t] = dot(lines + t * width, with.at(t), width);
  }
}

template <typename T>
void backward_head(const MlstmOptions& options, const MlstmBackward& args, const MlstmSizes& z,
                   std::int64_t head, std::int64_t length, BackwardSpace<T>& space) {
  const MlstmForward& fw = args.forward;
  MlstmGates<T>& gates = space.gates;
  ChunkSpace<T>& chunk = space.chunk;
  gates.begin_backward(options, args, z, head);
  Rows<T>&q = space.q, &k = space.k, &v = space.v, &dh = space.dh;
  const Track<T> dq = track<T>(args.dq, z, head, z.K), dk = track<T>(args.dk, z, head, z.K),
                 dv = track<T>(args.dv, z, head, z.V);
  const std::int64_t size = z.K * z.V, state = size + z.K;
  const std::int64_t chunks = (z.T + length - 1) / length;
  const auto chunk_at = [&](std::int64_t index) {
    return Chunk{index * length, std::min(length, z.T - index * length)};
  };
  T* const lines = space.lines.data();

  // The memory before every chunk.
  T* const memories = space.memories.data();
  if (const T* C0 = part<T>(fw.initial.C, head, size); C0 != nullptr) {
    copy(C0, memories, size);
    copy(part<T>(fw.initial.n, head, z.K), memories + size, z.K);
  } else {
    std::fill_n(memories, state, T(0));
  }
  for (std::int64_t index = 0; index + 1 < chunks; ++index) {
    const Chunk c = chunk_at(index);
    T* const next = memories + (index + 1) * state;
    k.take(head, c);
    v.take(head, c);
    copy(memories + index * state, next, state);
    T keep = T(1);
    for (std::int64_t t = c.size - 1; t >= 0; --t) {
      space.weight[t] = keep * gates.input_gate[c.begin + t];
      keep *= gates.forget_gate[c.begin + t];
    }
    write_memory(k, v, c, z, space.weight.data(), keep, lines, next, next + size);
  }

  T *const G = space.G.data(), *const dn = space.dn.data();
  double at_end = 0.0;
  if (args.dlast.C.defined()) {
    const T* dC_last = part<T>(args.dlast.C, head, size);
    const T* dn_last = part<T>(args.dlast.n, head, z.K);
    copy(dC_last, G, size);
    copy(dn_last, dn, z.K);
    at_end = dot_in_double(part<T>(fw.last.C, head, size), dC_last, size) +
             dot_in_double(part<T>(fw.last.n, head, z.K), dn_last, z.K);
  } else {
    space.G.fill(T(0));
    space.dn.fill(T(0));
  }

  for (std::int64_t index = chunks - 1; index >= 0; --index) {
    const Chunk c = chunk_at(index);
    const T* const C = memories + index * state;
    const T* const n = C + size;
    const T* const read = gates.read.data() + c.begin;
    const T* const slope = gates.sum_slope.data() + c.begin;
    T* const weight = space.weight.data();
    T* const keys = space.keys.data();
    for (Rows<T>* rows : {&q, &k, &v, &dh}) rows->take(head, c);
    chunk.multiply_gates(gates, c);
    const T* const alpha = chunk.last_decay(c);
    const bool no_memory = index == 0 && !fw.initial.C.defined();
    const bool no_gradient = index == chunks - 1 && !args.dlast.C.defined();

    // dv_j = alpha_j G^T k_j + sum_{t >= j} <q_t, k_j> D_tj read_t dh_t
    chunk.transpose(k, c);
    chunk.score(q, c);
    chunk.weigh(c, [&](std::int64_t t, Lanes<T> score, Lanes<T> decay) {
      return read[t] * (decay * score);
    });
    if (!no_gradient) {
      multiply(SmallProduct<T>{.rows = c.size,
                               .inner = z.K,
                               .columns = z.V,
                               .x = k.at(0),
                               .x_row = z.K,
                               .x_inner = 1,
                               .m = G,
                               .m_row = z.V,
                               .out = lines,
                               .out_row = z.V});
      for (std::int64_t j = 0; j < c.size; ++j) {
        scaled(lines + j * z.V, lines + j * z.V, z.V, alpha[j]);
      }
    }
    chunk.scatter(dh, c, lines, no_gradient ? T(0) : T(1));
    for (std::int64_t j = 0; j < c.size; ++j) {
      add(lines + j * z.V, dv.at(c.begin + j), z.V);
    }

    // Gradients of <q_t, k_j>: dS_tj = D_tj (read_t <dh_t, v_j> + slope_t)
    chunk.transpose(v, c);
    if (!no_gradient) through_memory(G, z, chunk, space.columns.data());
    chunk.score(dh, c);
    chunk.weigh(c, [&](std::int64_t t, Lanes<T> score, Lanes<T> decay) {
      return decay * (read[t] * score + slope[t]);
    });
    // dk_j = alpha_j (G v_j + dn) + sum_{t >= j} dS_tj q_t
    if (!no_gradient) {
      lines_from_columns(space.columns.data(), chunk.length, c, z.K, alpha, alpha, dn, keys);
    }
    chunk.scatter(q, c, keys, no_gradient ? T(0) : T(1));
    add_rows(keys, c, z.K, dk, k, space.k_product.data());

    // dq_t = beta_t (read_t C dh_t + slope_t n) + sum_{j <= t} dS_tj k_j
    for (std::int64_t t = 0; t < c.size; ++t) {
      weight[t] = chunk.beta[t] * read[t];
      chunk.row[t] = chunk.beta[t] * slope[t];
    }
    if (!no_memory) {
      chunk.transpose(dh, c);
      through_memory(C, z, chunk, space.columns.data());
      lines_from_columns(space.columns.data(), chunk.length, c, z.K, weight, chunk.row.data(), n,
                         keys);
    }
    chunk.gather(k, c, keys, no_memory ? T(0) : T(1));
    add_rows(keys, c, z.K, dq, q, space.q_product.data());

    // What nobody asks for: the gradient of an empty memory.
    if (no_memory && !args.dinitial.C.defined()) break;
    // G <- beta_L G + sum_t beta_t q_t (read_t dh_t)^T, and dn with slope_t for read_t dh_t.
    for (std::int64_t t = 0; t < c.size; ++t) {
      scaled(dh.at(t), lines + t * z.V, z.V, weight[t]);
    }
    const T keep = chunk.beta[c.size - 1];
    multiply(SmallProduct<T>{.rows = z.K,
                             .inner = c.size,
                             .columns = z.V,
                             .x = q.at(0),
                             .x_row = 1,
                             .x_inner = z.K,
                             .m = lines,
                             .m_row = z.V,
                             .out = G,
                             .out_row = z.V,
                             .start = G,
                             .start_row = z.V,
                             .keep = keep});
    multiply(SmallProduct<T>{.rows = 1,
                             .inner = c.size,
                             .columns = z.K,
                             .x = chunk.row.data(),
                             .x_row = 0,
                             .x_inner = 1,
                             .m = q.at(0),
                             .m_row = z.K,
                             .out = dn,
                             .out_row = z.K,
                             .start = dn,
                             .start_row = z.K,
                             .keep = keep});
  }
  add_state_gradients<T>(options, args, z, head, gates,
                         {.at_end = at_end,
                          .q_product = {space.q_product.data(), 1},
                          .k_product = {space.k_product.data(), 1},
                          .dC = G,
                          .dn = dn,
                          .decay = T(1)});
}

/// How many heads make one piece of work: enough that handing it to another thread pays.
std::int64_t grain(const MlstmSizes& z) {
  return std::max<std::int64_t>(1, 100'000 / (z.T * z.K * z.V));
}

void require_chunk(const MlstmOptions& options, std::int64_t chunk) {
  check(chunk >= 1, "[mlstm] Chunks of {} steps are not possible: give at least 1.", chunk);
  check(options.format == NumberFormat::native,
        "[mlstm] Chunks compute in the numbers of their tensors: only the scan has a choice.");
}

}  // namespace

std::int64_t mlstm_chunk_length(std::int64_t key_width, std::int64_t value_width, Device device) {
  if (device.kind == Device::Kind::cuda) return 64;
  // Measured: the scan of a memory that fits into the first-level cache is hard to beat.
  const std::int64_t size = key_width * value_width;
  if (size < 128 * 128) return 0;
  return size < 256 * 256 ? 32 : 64;
}

void mlstm_chunkwise_forward(const MlstmOptions& options, const MlstmForward& args,
                             std::int64_t chunk) {
  require_chunk(options, chunk);
  check(!args.record.C.defined() && !args.record.n.defined(),
        "[mlstm] C and n of every step come from the scan, not from chunks.");
  const MlstmSizes z = checked_sizes(args);
  const std::int64_t length = std::min(chunk, z.T);
  visit_float(args.q, [&]<typename T>(T) {
    if constexpr (kHasCuda) {
      if (is_on_cuda(args)) {
        return cuda::mlstm_chunkwise_forward<T>(rules_of(options, z), call_of<T>(args), length,
                                                matrix_precision());
      }
    }
    parallel_ranges(z.B * z.H, grain(z), [&](std::int64_t begin, std::int64_t end) {
      ForwardSpace<T> space(args, z, length);
      for (std::int64_t head = begin; head < end; ++head) {
        forward_head<T>(options, args, z, head, length, space);
      }
    });
  });
}

void mlstm_chunkwise_backward(const MlstmOptions& options, const MlstmBackward& args,
                              std::int64_t chunk) {
  require_chunk(options, chunk);
  const MlstmSizes z = checked_sizes(args);
  const std::int64_t length = std::min(chunk, z.T);
  visit_float(args.forward.q, [&]<typename T>(T) {
    if constexpr (kHasCuda) {
      if (is_on_cuda(args)) {
        return cuda::mlstm_chunkwise_backward<T>(rules_of(options, z), call_of<T>(args), length,
                                                 matrix_precision());
      }
    }
    parallel_ranges(z.B * z.H, grain(z), [&](std::int64_t begin, std::int64_t end) {
      BackwardSpace<T> space(args, z, length);
      for (std::int64_t head = begin; head < end; ++head) {
        backward_head<T>(options, args, z, head, length, space);
      }
    });
  });
}

}  // namespace xlab::kernels
