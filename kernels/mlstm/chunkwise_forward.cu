// The chunkwise mLSTM on CUDA devices, forwards.
#include "kernels/mlstm/chunkwise.cuh"

namespace xlab::cuda {
namespace chunkwise {

template <typename T>
struct Scoring {
  const T *q, *k, *m;
  const T* memories;
  Products<T> gates;
  T* read;             ///< query_scale / (N + eps), (heads, T)
  std::int64_t empty;  ///< the chunk whose memory is empty, or -1
  T* scores;  ///< <q_t, k_j> D_tj, kTile x kTile numbers of each head of the group and chunk
  T *s, *normalizer;
};

/// Scores and denominators. Blocks (chunks, heads of the group).
template <typename T, typename Product>
__global__ void __launch_bounds__(kTileThreads, 2)
    make_scores(MlstmRules z, Cut cut, std::int64_t first_head, Scoring<T> s) {
  XLAB_SHARED(T, memory);
  constexpr int kLine = kTile + 1;
  T* const decays = memory + kFactorNumbers<T>;
  const std::int64_t chunk = blockIdx.x, own = blockIdx.y, head = first_head + own;
  const std::int64_t begin = chunk * cut.length,
                     end = begin + cut.length < z.T ? begin + cut.length : z.T;
  const std::int64_t size = end - begin, first = mlstm_row(z, head, begin),
                     gates = head * z.T + begin;
  const int warp = static_cast<int>(threadIdx.x) / kWarp,
            lane = static_cast<int>(threadIdx.x) % kWarp;

  if (threadIdx.x < kTile) {
    fill_decays(s.gates.input_gate + gates, s.gates.forget_gate + gates, static_cast<int>(size),
                decays);
  }
  Product product(memory);
  product.add({s.q + first * z.K, 1, z.H * z.K, z.K, size},
              {s.k + first * z.K, 1, z.H * z.K, z.K, size});
  T* const scores = s.scores + (own * cut.chunks + chunk) * kTile * kTile;
  product.visit([&](int, int t, int j, const T(&four)[4]) {
    T weighed[4];
    for (int c = 0; c < 4; ++c) {
      // A product with 0 is no 0 where the other number is infinite.
      T& decay = decays[t * kLine + j + c];
      weighed[c] = decay == T(0) ? T(0) : four[c] * decay;
      decay = weighed[c];
    }
    store_four(weighed, scores + t * kTile + j);
  });
  __syncthreads();

  const T* const n = s.memories + (own * cut.chunks + chunk) * memory_size(z) + z.K * z.V;
  const T scale = static_cast<T>(z.query_scale);
  for (int t = warp; t < size; t += kTileThreads / kWarp) {
    const std::int64_t row = first + t * z.H;
    T from_memory = T(0);
    for (std::int64_t e = lane; e < z.K && chunk != s.empty; e += kWarp) {
      from_memory += s.q[row * z.K + e] * n[e];
    }
    from_memory = warp_sum(from_memory);
    if (chunk != s.empty) from_memory *= s.gates.beta[gates + t];
    const T here = warp_sum(decays[t * kLine + lane] + decays[t * kLine + lane + kWarp]);
    if (lane != 0) continue;
    const T sum = scale * (from_memory + here);
    const MlstmDenominator<T> denominator = mlstm_divide(z, sum, s.m[row]);
    s.s[row] = sum;
    s.normalizer[row] = denominator.normalizer;
    s.read[gates + t] = denominator.read;
  }
}

template <typename T, typename Product>
void forward(const MlstmRules& z, const MlstmForwardCall<T>& call, std::int64_t chunk) {
  const char* const name = "mlstm_chunkwise_forward";
  const Cut cut = chunkwise::cut(z, chunk, sizeof(T), 1);
  const std::int64_t all = z.B * z.H, steps = all * z.T;
  const MlstmSpace<T> space(z, true);
  const Scratch products(static_cast<std::size_t>(2 * steps) * sizeof(T));
  const Products<T> gates{space.gates().input_gate, space.gates().forget_gate, products.as<T>(),
                          products.as<T>() + steps};
  T* const read = space.steps().read;
  open_mlstm_gates(name, z, call.i, call.f, call.initial, static_cast<const T*>(nullptr),
                   space.gates(), {call.m, call.last.m, call.input_gate, call.forget_gate});
  multiply_gates(z, cut, gates);

  const std::int64_t pieces = cut.heads * cut.chunks;
  const Scratch memory_scratch(static_cast<std::size_t>(pieces * memory_size(z)) * sizeof(T)),
      score_scratch(static_cast<std::size_t>(pieces * kTile * kTile) * sizeof(T));
  T *const memories = memory_scratch.as<T>(), *const scores = score_scratch.as<T>();
  const std::int64_t empty = call.initial.C == nullptr ? 0 : -1;
  for (std::int64_t head = 0; head < all; head += cut.heads) {
    const std::int64_t heads = cut.heads < all - head ? cut.heads : all - head;
    Walk<T> memory{};
    memory.x = call.k;
    memory.y = call.v;
    memory.x_weight = memory.y_weight = gates.alpha;
    memory.beta = gates.beta;
    memory.from = call.initial;
    memory.memories = memories;
    memory.to = call.last;
    walk<T, Product>(name, z, cut, head, heads, memory);

    Scoring<T> scoring{};
    scoring.q = call.q;
    scoring.k = call.k;
    scoring.m = call.m;
    scoring.memories = memories;
    scoring.gates = gates;
    scoring.read = read;
    scoring.empty = empty;
    scoring.scores = scores;
    scoring.s = call.s;
    scoring.normalizer = call.normalizer;
    launch(name, make_scores<T, Product>,
           {dim3(static_cast<unsigned>(cut.chunks), static_cast<unsigned>(heads)), kTileThreads,
            kScoreNumbers<T> * sizeof(T)},
           z, cut, head, scoring);

    // h_t = read_t (beta_t C^T q_t + sum_{j <= t} <q_t, k_j> D_tj v_j)
    Rows<T> outputs{};
    outputs.x = call.q;
    outputs.x_weight = gates.beta;
    outputs.inner = z.K;
    outputs.width = z.V;
    outputs.memories = memories;
    outputs.empty = empty;
    outputs.scores = scores;
    outputs.y = call.v;
    outputs.out = call.h;
    outputs.out_weight = read;
    rows<T, Product>(name, z, cut, head, heads, outputs);
  }
}

}  // namespace chunkwise

template <typename T>
void mlstm_chunkwise_forward(const MlstmRules& rules, const MlstmForwardCall<T>& call,
                             std::int64_t chunk, MatrixPrecision precision) {
  if constexpr (sizeof(T) == 4) {
    if (precision == MatrixPrecision::tf32) {
      return chunkwise::forward<T, RoundedProduct<MatrixPrecision::tf32>>(rules, call, chunk);
    }
    if (precision == MatrixPrecision::bf16) {
      return chunkwise::forward<T, RoundedProduct<MatrixPrecision::bf16>>(rules, call, chunk);
    }
  }
  chunkwise::forward<T, ExactProduct<T>>(rules, call, chunk);
}

template void mlstm_chunkwise_forward(const MlstmRules&, const MlstmForwardCall<float>&,
                                      std::int64_t, MatrixPrecision);
template void mlstm_chunkwise_forward(const MlstmRules&, const MlstmForwardCall<double>&,
                                      std::int64_t, MatrixPrecision);

}  // namespace xlab::cuda
