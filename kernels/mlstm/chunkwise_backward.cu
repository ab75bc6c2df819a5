// The chunkwise mLSTM on CUDA devices, backwards.
//
// The gradient of a log_forget_t is <[C n]_{t-1}, d[C n]_t> forget_gate_t. In a chunk, with C and n
// before it and G and dn after it, and W_sj = <q_s, k_j> times the gradient of that product, this
// is
//   beta_L <[C n], [G dn]> + sum_{s >= t} <q_s, dq_s from the memory>
//     + sum_{j < t} <k_j, dk_j from the memory> + sum_{s >= t > j} W_sj
// where each term has the gate t as a factor: nothing cancels, however little is remembered, so
// that here it takes no second way for that.
#include "kernels/mlstm/chunkwise.cuh"

namespace xlab::cuda {
namespace chunkwise {

/// What rows of q and dh add to the gradient of the memory before a chunk, (heads, T) each.
template <typename T>
struct Asked {
  T* by_value;  ///< beta read
  T* by_sum;    ///< beta sum_slope
};

template <typename T>
struct ScoreSlopes {
  const T *q, *k, *v, *dh;
  Products<T> gates;
  MlstmStepArrays<T> steps;
  T* weighed;  ///< read_t <q_t, k_j> D_tj, kTile x kTile numbers of each head of the group and
               ///< chunk
  T* slopes;   ///< gradient of <q_t, k_j>, the same
  T* by_key;   ///< sum_t W_tj of every step j, (heads, T)
  T* passing;  ///< sum_{s >= t > j} W_sj of every step t, (heads, T)
};

/// Scores and their gradients. Blocks (chunks, heads of the group).
template <typename T, typename Product>
__global__ void __launch_bounds__(kTileThreads, 2)
    make_score_slopes(MlstmRules z, Cut cut, std::int64_t first_head, ScoreSlopes<T> s) {
  XLAB_SHARED(T, memory);
  constexpr int kLine = kTile + 1;
  T* const decays = memory + kFactorNumbers<T>;
  const std::int64_t chunk = blockIdx.x, own = blockIdx.y, head = first_head + own;
  const std::int64_t begin = chunk * cut.length,
                     end = begin + cut.length < z.T ? begin + cut.length : z.T;
  const std::int64_t size = end - begin, first = mlstm_row(z, head, begin),
                     gates = head * z.T + begin;
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
      const T read = t < size ? s.steps.read[gates + t] : T(0);
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
    const T read = t < size ? s.steps.read[gates + t] : T(0);
    const T slope = t < size ? s.steps.sum_slope[gates + t] : T(0);
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
struct ForgetGradients {
  const T* beta;
  const T* forget_slope;
  const T* products;  ///< <[C n], [G dn]>, parts of each head of the group and chunk
  std::int64_t parts;
  const T *by_query, *by_key;  ///< of what comes from the memory, (tiles, heads, T)
  const T* passing;
  T* dlog_forget;  ///< (heads, T)
  T *df, *dm0;     ///< of the first step, and of m before it
};

/// The gradient of every log_forget. Blocks (chunks, heads of the group) of kTile threads.
template <typename T>
__global__ void find_forget_gradients(MlstmRules z, Cut cut, std::int64_t first_head,
                                      ForgetGradients<T> g) {
  __shared__ double product[kTile], by_query[kTile], by_key[kTile];
  const std::int64_t chunk = blockIdx.x, own = blockIdx.y, head = first_head + own;
  const std::int64_t begin = chunk * cut.length,
                     end = begin + cut.length < z.T ? begin + cut.length : z.T;
  const int size = static_cast<int>(end - begin), t = static_cast<int>(threadIdx.x);
  const std::int64_t at = head * z.T + begin + t, all = z.B * z.H * z.T;
  double sum = 0.0;
  for (std::int64_t part = t; part < g.parts; part += kTile) {
    sum += static_cast<double>(g.products[(own * cut.chunks + chunk) * g.parts + part]);
  }
  product[t] = sum;
  by_query[t] = by_key[t] = 0.0;
  for (std::int64_t tile = 0; tile * kTile < z.K && t < size; ++tile) {
    by_query[t] += static_cast<double>(g.by_query[tile * all + at]);
    by_key[t] += static_cast<double>(g.by_key[tile * all + at]);
  }
  __syncthreads();
  if (t >= size) return;
  sum = 0.0;
  for (int part = 0; part < kTile; ++part) sum += product[part];
  sum *= static_cast<double>(g.beta[head * z.T + end - 1]);
  for (int s = size - 1; s >= t; --s) sum += by_query[s];
  for (int j = 0; j < t; ++j) sum += by_key[j];
  const T dlog_forget = static_cast<T>(sum + static_cast<double>(g.passing[at]));
  g.dlog_forget[at] = dlog_forget;
  if (begin + t > 0) return;
  // The first gate and m before it are one sum.
  g.df[mlstm_row(z, head, 0)] += g.forget_slope[at] * dlog_forget;
  if (g.dm0 != nullptr) g.dm0[head] += dlog_forget;
}

/// <[C n], d[C n]> after the last step, one warp for each head.
template <typename T>
__global__ void multiply_ends(MlstmRules z, MlstmMemory<const T> last, MlstmMemory<const T> dlast,
                              double* products) {
  const std::int64_t head = blockIdx.x, size = z.K * z.V;
  const int lane = static_cast<int>(threadIdx.x);
  double sum = 0.0;
  for (std::int64_t e = lane; e < size; e += kWarp) {
    sum += static_cast<double>(last.C[head * size + e]) *
           static_cast<double>(dlast.C[head * size + e]);
  }
  for (std::int64_t e = lane; e < z.K; e += kWarp) {
    sum +=
        static_cast<double>(last.n[head * z.K + e]) * static_cast<double>(dlast.n[head * z.K + e]);
  }
  sum = warp_sum(sum);
  if (lane == 0) products[head] = sum;
}

template <typename T, typename Product>
void backward(const MlstmRules& z, const MlstmBackwardCall<T>& call, std::int64_t chunk) {
  const char* const name = "mlstm_chunkwise_backward";
  const Cut cut = chunkwise::cut(z, chunk, sizeof(T), 2);
  const std::int64_t all = z.B * z.H, steps = all * z.T, key_tiles = tiles(z.K);
  const auto bytes = [](std::int64_t numbers) {
    return static_cast<std::size_t>(numbers) * sizeof(T);
  };
  const MlstmSpace<T> space(z, true);
  // Products with keys from the memory, tile by tile, and those from the chunk are parts of one
  // sum.
  const Scratch step_scratch(bytes((7 + 2 * key_tiles) * steps));
  const auto array = [&](std::int64_t which) { return step_scratch.as<T>() + which * steps; };
  const Products<T> gates{space.gates().input_gate, space.gates().forget_gate, array(0), array(1)};
  const Asked<T> asked{array(2), array(3)};
  T *const passing = array(4), *const dlog_forget = array(5);
  T *const by_key = array(6), *const by_key_here = array(6 + key_tiles);
  T* const by_query = array(7 + key_tiles);

  open_mlstm_way_back(name, z, call, space);
  multiply_gates(z, cut, gates);
  const MlstmStepArrays<T> known = space.steps();
  for_each(name, steps, [=] __device__(std::int64_t at) {
    asked.by_value[at] = gates.beta[at] * known.read[at];
    asked.by_sum[at] = gates.beta[at] * known.sum_slope[at];
  });

  const std::int64_t parts = product_parts(z), pieces = cut.heads * cut.chunks;
  const Scratch memory_scratch(bytes(pieces * memory_size(z))),
      gradient_scratch(bytes(pieces * memory_size(z))),
      weighed_scratch(bytes(pieces * kTile * kTile)), slope_scratch(bytes(pieces * kTile * kTile)),
      product_scratch(bytes(pieces * parts));
  T *const memories = memory_scratch.as<T>(), *const gradients = gradient_scratch.as<T>();
  T *const weighed = weighed_scratch.as<T>(), *const score_slopes = slope_scratch.as<T>();
  for (std::int64_t head = 0; head < all; head += cut.heads) {
    const std::int64_t heads = cut.heads < all - head ? cut.heads : all - head;
    Walk<T> memory{};
    memory.x = call.k;
    memory.y = call.v;
    memory.x_weight = memory.y_weight = gates.alpha;
    memory.beta = gates.beta;
    memory.from = call.initial;
    memory.memories = memories;
    walk<T, Product>(name, z, cut, head, heads, memory);

    // G <- beta_L G + sum_t beta_t q_t (read_t dh_t)^T, and dn with slope_t for read_t dh_t.
    Walk<T> gradient{};
    gradient.x = call.q;
    gradient.y = call.dh;
    gradient.x_weight = asked.by_sum;
    gradient.y_weight = asked.by_value;
    gradient.beta = gates.beta;
    gradient.from = call.dlast;
    gradient.memories = gradients;
    gradient.to = call.dinitial;
    gradient.add = gradient.backwards = true;
    gradient.other = memories;
    gradient.products = product_scratch.as<T>();
    walk<T, Product>(name, z, cut, head, heads, gradient);

    ScoreSlopes<T> scoring{};
    scoring.q = call.q;
    scoring.k = call.k;
    scoring.v = call.v;
    scoring.dh = call.dh;
    scoring.gates = gates;
    scoring.steps = known;
    scoring.weighed = weighed;
    scoring.slopes = score_slopes;
    scoring.by_key = by_key_here;
    scoring.passing = passing;
    launch(name, make_score_slopes<T, Product>,
           {dim3(static_cast<unsigned>(cut.chunks), static_cast<unsigned>(heads)), kTileThreads,
            kScoreNumbers<T> * sizeof(T)},
           z, cut, head, scoring);

    // dv_j = alpha_j G^T k_j + sum_{t >= j} <q_t, k_j> D_tj read_t dh_t
    Rows<T> to_values{};
    to_values.x = call.k;
    to_values.x_weight = gates.alpha;
    to_values.inner = z.K;
    to_values.width = z.V;
    to_values.memories = gradients;
    to_values.empty = call.dlast.C == nullptr ? cut.chunks - 1 : -1;
    to_values.scores = weighed;
    to_values.scores_across = true;
    to_values.y = call.dh;
    to_values.out = call.dv;
    to_values.add = true;
    rows<T, Product>(name, z, cut, head, heads, to_values);

    // dk_j = alpha_j (G v_j + dn) + sum_{t >= j} dS_tj q_t
    Rows<T> to_keys = to_values;
    to_keys.x = call.v;
    to_keys.inner = z.V;
    to_keys.width = z.K;
    to_keys.across = true;
    to_keys.scores = score_slopes;
    to_keys.y = call.q;
    to_keys.out = call.dk;
    to_keys.side_weight = gates.alpha;
    to_keys.with = call.k;
    to_keys.products = by_key;
    rows<T, Product>(name, z, cut, head, heads, to_keys);

    // dq_t = beta_t (read_t C dh_t + slope_t n) + sum_{j <= t} dS_tj k_j
    Rows<T> to_queries = to_keys;
    to_queries.x = call.dh;
    to_queries.x_weight = asked.by_value;
    to_queries.memories = memories;
    to_queries.empty = call.initial.C == nullptr ? 0 : -1;
    to_queries.scores_across = false;
    to_queries.y = call.k;
    to_queries.out = call.dq;
    to_queries.side_weight = asked.by_sum;
    to_queries.with = call.q;
    to_queries.products = by_query;
    rows<T, Product>(name, z, cut, head, heads, to_queries);

    ForgetGradients<T> forget{};
    forget.beta = gates.beta;
    forget.forget_slope = space.gates().forget_slope;
    forget.products = product_scratch.as<T>();
    forget.parts = parts;
    forget.by_query = by_query;
    forget.by_key = by_key;
    forget.passing = passing;
    forget.dlog_forget = dlog_forget;
    forget.df = call.df;
    forget.dm0 = call.dinitial.m;
    launch(name, find_forget_gradients<T>,
           {dim3(static_cast<unsigned>(cut.chunks), static_cast<unsigned>(heads)), kTile}, z, cut,
           head, forget);
  }

  const Scratch end_scratch(static_cast<std::size_t>(all) * sizeof(double)),
      flag_scratch(static_cast<std::size_t>(all) * sizeof(int));
  MlstmProducts<T> found{};
  found.k = by_key;
  found.k_parts = key_tiles + 1;
  if (call.dlast.m != nullptr && call.dlast.C != nullptr) {
    launch(name, multiply_ends<T>, {dim3(static_cast<unsigned>(all)), kWarp}, z, call.last,
           call.dlast, end_scratch.as<double>());
    found.at_end = end_scratch.as<double>();
    found.end_parts = 1;
  }
  fill_zero(flag_scratch.as<int>(), static_cast<std::size_t>(all) * sizeof(int));
  launch(name, mlstm_add_gate_gradients<T>, {dim3(static_cast<unsigned>(all)), kWarp}, z, call,
         space.gates(), known, found, static_cast<const T*>(dlog_forget),
         static_cast<const int*>(flag_scratch.as<int>()), static_cast<const T*>(nullptr),
         std::int64_t{0});
}

}  // namespace chunkwise

template <typename T>
void mlstm_chunkwise_backward(const MlstmRules& rules, const MlstmBackwardCall<T>& call,
                              std::int64_t chunk, MatrixPrecision precision) {
  if constexpr (sizeof(T) == 4) {
    if (precision == MatrixPrecision::tf32) {
      return chunkwise::backward<T, RoundedProduct<MatrixPrecision::tf32>>(rules, call, chunk);
    }
    if (precision == MatrixPrecision::bf16) {
      return chunkwise::backward<T, RoundedProduct<MatrixPrecision::bf16>>(rules, call, chunk);
    }
  }
  chunkwise::backward<T, ExactProduct<T>>(rules, call, chunk);
}

template void mlstm_chunkwise_backward(const MlstmRules&, const MlstmBackwardCall<float>&,
                                       std::int64_t, MatrixPrecision);
template void mlstm_chunkwise_backward(const MlstmRules&, const MlstmBackwardCall<double>&,
                                       std::int64_t, MatrixPrecision);

}  // namespace xlab::cuda
