// The chunkwise mLSTM on CUDA devices, backwards.
//
// The gradient of a log_forget_t is <[C n]_{t-1}, d[C n]_t> forget_gate_t. In a chunk, with C and n
// before it and G and dn after it, and W_sj = <q_s, k_j> times the gradient of that product, this
// is
//   beta_L <[C n], [G dn]> + sum_{s >= t} <q_s, dq_s from the memory>
//     + sum_{j < t} <k_j, dk_j from the memory> + sum_{s >= t > j} W_sj
// where each term has the gate t as a factor: nothing cancels, however little is remembered, so
// that here it takes no second way for that.
#include "kernels/mlstm_chunkwise.cuh"

namespace xlab::cuda {
namespace chunkwise {

/// What the way back needs to know of every step, (heads, T) each.
template <typename T>
struct Slopes {
  T* along;      ///< <dh, h>, 0 where N is taken for a constant
  T* sum_slope;  ///< query_scale times the gradient of s
  T* asked;      ///< beta read: what a row of dh adds to the gradient of the memory
  T* mixed;      ///< beta sum_slope
  T* leaving;    ///< share of m in h
};

/// Denominators and their slopes, one warp for each step of a head.
template <typename T>
__global__ void find_slopes(ChunkwiseSizes z, ChunkwiseOptions options, const T* m, const T* s,
                            const T* h, const T* dh, Gates<T> gates, Slopes<T> to) {
  const std::int64_t own = global_thread() / kWarp;
  if (own >= z.B * z.H * z.T) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t at = row_of(z, own / z.T, own % z.T);
  T along = T(0);
  if (!options.constant_denominator) {
    for (std::int64_t x = lane; x < z.V; x += kWarp) along += dh[at * z.V + x] * h[at * z.V + x];
    along = warp_sum(along);
  }
  if (lane != 0) return;
  const Denominator<T> denominator = divide(options, s[at], m[at]);
  const T read = denominator.read, eps = static_cast<T>(options.eps);
  // d N / d s = sign(s) where |s| decides; h = C^T q / (N + eps) gives dN = -<dh, h> / (N + eps).
  const bool sum_decides = std::abs(s[at]) >= denominator.normalizer;
  const T slope = sum_decides ? read * along : T(0);
  const T signed_slope = s[at] > T(0) ? -slope : slope;
  const bool whole = options.floor == kernels::DenominatorFloor::one && !sum_decides;
  gates.read[own] = read;
  to.along[own] = along;
  to.sum_slope[own] = signed_slope;
  to.asked[own] = gates.beta[own] * read;
  to.mixed[own] = gates.beta[own] * signed_slope;
  to.leaving[own] = along * (whole ? T(1) : eps / (denominator.normalizer + eps));
}

template <typename T>
struct ScoreSlopes {
  const T *q, *k, *v, *dh;
  Gates<T> gates;
  const T* sum_slope;
  T* weighed;  ///< read_t <q_t, k_j> D_tj, kTile x kTile numbers of each head of the group and
               ///< chunk
  T* slopes;   ///< gradient of <q_t, k_j>, the same
  T* by_key;   ///< sum_t W_tj of every step j, (heads, T)
  T* passing;  ///< sum_{s >= t > j} W_sj of every step t, (heads, T)
};

/// Scores and their gradients. Blocks (chunks, heads of the group).
template <typename T, typename Product>
__global__ void __launch_bounds__(kTileThreads)
    make_score_slopes(ChunkwiseSizes z, Cut cut, std::int64_t first_head, ScoreSlopes<T> s) {
  XLAB_SHARED(T, memory);
  constexpr int kLine = kTile + 1;
  T* const decays = memory + kFactorNumbers<T>;
  const std::int64_t chunk = blockIdx.x, own = blockIdx.y, head = first_head + own;
  const std::int64_t begin = chunk * cut.length,
                     end = begin + cut.length < z.T ? begin + cut.length : z.T;
  const std::int64_t size = end - begin, first = row_of(z, head, begin), gates = head * z.T + begin;
  const int thread = static_cast<int>(threadIdx.x);

  if (thread < kTile) {
    fill_decays(s.gates.input_gate + gates, s.gates.forget_gate + gates, static_cast<int>(size),
                decays);
  }
  const std::int64_t tile = (own * cut.chunks + chunk) * kTile * kTile;
  T scores[4][4];
  {
    Product product(memory);
    product.add({s.q + first * z.K, 1, z.H * z.K, z.K, size},
                {s.k + first * z.K, 1, z.H * z.K, z.K, size});
    product.visit([&](int r, int t, int j, const T(&four)[4]) {
      const T read = t < size ? s.gates.read[gates + t] : T(0);
      T weighed[4];
      for (int c = 0; c < 4; ++c) {
        const T decay = decays[t * kLine + j + c];
        scores[r][c] = four[c];
        // A product with 0 is no 0 where the other number is infinite.
        weighed[c] = decay == T(0) ? T(0) : read * (decay * four[c]);
      }
      store_four(weighed, s.weighed + tile + t * kTile + j);
    });
  }
  Product product(memory);
  product.add({s.dh + first * z.V, 1, z.H * z.V, z.V, size},
              {s.v + first * z.V, 1, z.H * z.V, z.V, size});
  product.visit([&](int r, int t, int j, const T(&four)[4]) {
    const T read = t < size ? s.gates.read[gates + t] : T(0);
    const T slope = t < size ? s.sum_slope[gates + t] : T(0);
    T slopes[4];
    for (int c = 0; c < 4; ++c) {
      T& decay = decays[t * kLine + j + c];
      slopes[c] = decay == T(0) ? T(0) : decay * (read * four[c] + slope);
      decay = decay == T(0) ? T(0) : scores[r][c] * slopes[c];  // W from here on
    }
    store_four(slopes, s.slopes + tile + t * kTile + j);
  });
  __syncthreads();

  T* const W = decays;
  if (thread < size) {
    T sum = T(0);
    for (int t = 0; t < size; ++t) sum += W[t * kLine + thread];
    s.by_key[gates + thread] = sum;
  }
  __syncthreads();
  if (thread < size) {  // W_tj becomes the sum of what lies left of it
    T sum = T(0);
    for (int j = 0; j < size; ++j) {
      const T own_W = W[thread * kLine + j];
      W[thread * kLine + j] = sum;
      sum += own_W;
    }
  }
  __syncthreads();
  if (thread < size) {
    T sum = T(0);
    for (int t = thread; t < size; ++t) sum += W[t * kLine + thread];
    s.passing[gates + thread] = sum;
  }
}

template <typename T>
struct GateGradients {
  const T* beta;
  const T* forget_slope;
  const T* products;  ///< <[C n], [G dn]>, parts of each head of the group and chunk
  std::int64_t parts;
  const T *by_query, *by_key;  ///< of what comes from the memory, (tiles, heads, T)
  const T *by_key_here, *passing;
  T *di, *df, *dm0;
};

/// What the gates do to the memory. Blocks (chunks, heads of the group) of kTile threads.
template <typename T>
__global__ void add_gate_gradients(ChunkwiseSizes z, Cut cut, std::int64_t first_head,
                                   GateGradients<T> g) {
  __shared__ double shared[3][kTile];
  const std::int64_t chunk = blockIdx.x, own = blockIdx.y, head = first_head + own;
  const std::int64_t begin = chunk * cut.length,
                     end = begin + cut.length < z.T ? begin + cut.length : z.T;
  const int size = static_cast<int>(end - begin), t = static_cast<int>(threadIdx.x);
  const std::int64_t at = head * z.T + begin + t, all = z.B * z.H * z.T;
  double product = 0.0, by_query = 0.0, by_key = 0.0;
  for (std::int64_t part = t; part < g.parts; part += kTile) {
    product += static_cast<double>(g.products[(own * cut.chunks + chunk) * g.parts + part]);
  }
  if (t < size) {
    for (std::int64_t tile = 0; tile * kTile < z.K; ++tile) {
      by_query += static_cast<double>(g.by_query[tile * all + at]);
      by_key += static_cast<double>(g.by_key[tile * all + at]);
    }
  }
  shared[0][t] = product;
  shared[1][t] = by_query;
  shared[2][t] = by_key;
  __syncthreads();
  if (t >= size) return;
  double sum = 0.0;
  for (int part = 0; part < kTile; ++part) sum += shared[0][part];
  sum *= static_cast<double>(g.beta[head * z.T + end - 1]);
  for (int s = size - 1; s >= t; --s) sum += shared[1][s];
  for (int j = 0; j < t; ++j) sum += shared[2][j];
  const T dlog_forget = static_cast<T>(sum + static_cast<double>(g.passing[at]));
  const std::int64_t row = row_of(z, head, begin + t);
  g.di[row] += static_cast<T>(by_key + static_cast<double>(g.by_key_here[at]));
  g.df[row] += g.forget_slope[at] * dlog_forget;
  if (begin + t == 0 && g.dm0 != nullptr) g.dm0[head] += dlog_forget;
}

template <typename T>
struct StabilizerGradients {
  const T *C, *n, *dC, *dn, *dm;
  const T *leaving, *forget_slope;
  const unsigned char* written;
  T *di, *df, *dm0;
};

/// What is left of m in h: eps is not stabilised, and h = exp(-m) times what m has no part in where
/// a floor of 1 decides. What m_t gets belongs to the gate that made it. One warp for each head.
template <typename T>
__global__ void add_stabilizer_gradients(ChunkwiseSizes z, StabilizerGradients<T> g) {
  const std::int64_t head = blockIdx.x;
  const int lane = static_cast<int>(threadIdx.x);
  T dm = T(0);
  if (g.dm != nullptr) {
    double at_end = 0.0;
    const std::int64_t size = z.K * z.V;
    for (std::int64_t e = lane; e < size && g.dC != nullptr; e += kWarp) {
      at_end +=
          static_cast<double>(g.C[head * size + e]) * static_cast<double>(g.dC[head * size + e]);
    }
    for (std::int64_t e = lane; e < z.K && g.dC != nullptr; e += kWarp) {
      at_end +=
          static_cast<double>(g.n[head * z.K + e]) * static_cast<double>(g.dn[head * z.K + e]);
    }
    dm = g.dm[head] - static_cast<T>(warp_sum(at_end));
  }
  for (std::int64_t begin = (z.T - 1) / kWarp * kWarp; begin >= 0; begin -= kWarp) {
    const std::int64_t t = begin + lane, at = head * z.T + t;
    const bool inside = t < z.T;
    const T leaving = inside ? g.leaving[at] : T(0);
    const unsigned written = __ballot_sync(kAllLanes, inside && g.written[at] != 0);
    T own = T(0);
    for (int step = kWarp - 1; step >= 0; --step) {
      dm -= __shfl_sync(kAllLanes, leaving, step);
      if (lane == step) own = dm;
      if (written >> step & 1u) dm = T(0);
    }
    if (!inside) continue;
    const std::int64_t row = row_of(z, head, t);
    if (written >> lane & 1u) {
      g.di[row] += own;
    } else {
      g.df[row] += g.forget_slope[at] * own;
    }
  }
  if (lane == 0 && g.dm0 != nullptr) g.dm0[head] += dm;
}

template <typename T, typename Product>
void backward(const ChunkwiseSizes& z, const ChunkwiseOptions& options,
              const ChunkwiseBackward<T>& args) {
  const Cut cut = chunkwise::cut(z, sizeof(T), 2);
  const std::int64_t all = z.B * z.H, steps = all * z.T, key_tiles = tiles(z.K);
  const auto room = [](std::int64_t numbers) {
    return static_cast<std::size_t>(numbers) * sizeof(T);
  };
  constexpr int kArrays = 13;
  const Scratch step_scratch(room((kArrays + 2 * key_tiles) * steps)),
      written_scratch(static_cast<std::size_t>(steps));
  const auto array = [&](std::int64_t which) { return step_scratch.as<T>() + which * steps; };
  const Gates<T> gates{array(0), array(1), array(2), array(3), array(4), array(5)};
  const Slopes<T> slopes{array(6), array(7), array(8), array(9), array(10)};
  T *const by_key_here = array(11), *const passing = array(12);
  T *const by_query = array(kArrays), *const by_key = array(kArrays + key_tiles);
  auto* const written = written_scratch.as<unsigned char>();

  launch("mlstm_gates", open_gates<T>, {dim3(static_cast<unsigned>(all)), kWarp}, z, options,
         Opening<T>{args.i, args.f, args.C0, args.n0, args.m0, args.m, nullptr, nullptr, gates,
                    nullptr, nullptr, written});
  multiply_gates(z, cut, gates);
  constexpr int kSlopeThreads = 256;
  launch("mlstm_slopes", find_slopes<T>,
         {dim3(static_cast<unsigned>((steps * kWarp + kSlopeThreads - 1) / kSlopeThreads)),
          kSlopeThreads},
         z, options, args.m, args.s, args.h, args.dh, gates, slopes);

  const std::int64_t parts = product_parts(z), pieces = cut.heads * cut.chunks;
  const Scratch memory_scratch(room(pieces * memory_size(z))),
      gradient_scratch(room(pieces * memory_size(z))),
      weighed_scratch(room(pieces * kTile * kTile)), slope_scratch(room(pieces * kTile * kTile)),
      product_scratch(room(pieces * parts));
  T *const memories = memory_scratch.as<T>(), *const gradients = gradient_scratch.as<T>();
  T *const weighed = weighed_scratch.as<T>(), *const score_slopes = slope_scratch.as<T>();
  T* const products = product_scratch.as<T>();
  const std::int64_t no_memory = args.C0 == nullptr ? 0 : -1,
                     no_gradient = args.dC == nullptr ? cut.chunks - 1 : -1;
  for (std::int64_t head = 0; head < all; head += cut.heads) {
    const std::int64_t heads = cut.heads < all - head ? cut.heads : all - head;
    walk<T, Product>(z, cut, head, heads,
                     {args.k, args.v, gates.alpha, gates.alpha, gates.beta, args.C0, args.n0,
                      memories, nullptr, nullptr, false, false, nullptr, nullptr});
    walk<T, Product>(z, cut, head, heads,
                     {args.q, args.dh, slopes.mixed, slopes.asked, gates.beta, args.dC, args.dn,
                      gradients, args.dC0, args.dn0, true, true, memories, products});
    launch("mlstm_scores", make_score_slopes<T, Product>,
           {dim3(static_cast<unsigned>(cut.chunks), static_cast<unsigned>(heads)), kTileThreads,
            room(kFactorNumbers<T> + kTile * (kTile + 1))},
           z, cut, head,
           ScoreSlopes<T>{args.q, args.k, args.v, args.dh, gates, slopes.sum_slope, weighed,
                          score_slopes, by_key_here, passing});
    // dv_j = alpha_j G^T k_j + sum_{t >= j} <q_t, k_j> D_tj read_t dh_t
    rows<T, Product>("mlstm_dv", z, cut, head, heads,
                     {args.k, gates.alpha, z.K, z.V, gradients, no_gradient, false, weighed, true,
                      args.dh, args.dv, nullptr, true, nullptr, nullptr, nullptr});
    // dk_j = alpha_j (G v_j + dn) + sum_{t >= j} dS_tj q_t
    rows<T, Product>("mlstm_dk", z, cut, head, heads,
                     {args.v, gates.alpha, z.V, z.K, gradients, no_gradient, true, score_slopes,
                      true, args.q, args.dk, nullptr, true, gates.alpha, args.k, by_key});
    // dq_t = beta_t (read_t C dh_t + slope_t n) + sum_{j <= t} dS_tj k_j
    rows<T, Product>("mlstm_dq", z, cut, head, heads,
                     {args.dh, slopes.asked, z.V, z.K, memories, no_memory, true, score_slopes,
                      false, args.k, args.dq, nullptr, true, slopes.mixed, args.q, by_query});
    launch("mlstm_gate_gradients", add_gate_gradients<T>,
           {dim3(static_cast<unsigned>(cut.chunks), static_cast<unsigned>(heads)), kTile}, z, cut,
           head,
           GateGradients<T>{gates.beta, gates.forget_slope, products, parts, by_query, by_key,
                            by_key_here, passing, args.di, args.df, args.dm0});
  }
  if (options.stabilizer) {
    launch("mlstm_stabilizer", add_stabilizer_gradients<T>,
           {dim3(static_cast<unsigned>(all)), kWarp}, z,
           StabilizerGradients<T>{args.C, args.n, args.dC, args.dn, args.dm, slopes.leaving,
                                  gates.forget_slope, written, args.di, args.df, args.dm0});
  }
}

}  // namespace chunkwise

template <typename T>
void mlstm_chunkwise_backward(const ChunkwiseSizes& z, const ChunkwiseOptions& options,
                              const ChunkwiseBackward<T>& args) {
  chunkwise::backward<T, ExactProduct<T>>(z, options, args);
}

template void mlstm_chunkwise_backward(const ChunkwiseSizes&, const ChunkwiseOptions&,
                                       const ChunkwiseBackward<float>&);
template void mlstm_chunkwise_backward(const ChunkwiseSizes&, const ChunkwiseOptions&,
                                       const ChunkwiseBackward<double>&);

}  // namespace xlab::cuda
