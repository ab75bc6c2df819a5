// The chunkwise mLSTM on CUDA devices, forwards.
#include "kernels/mlstm_chunkwise.cuh"

namespace xlab::cuda {
namespace chunkwise {

template <typename T>
struct Scoring {
  const T *q, *k, *m;
  const T* memories;
  Gates<T> gates;
  std::int64_t empty;  ///< the chunk whose memory is empty, or -1
  T* scores;  ///< <q_t, k_j> D_tj, kTile x kTile numbers of each head of the group and chunk
  T *s, *normalizer;
};

/// Scores and denominators. Blocks (chunks, heads of the group).
template <typename T, typename Product>
__global__ void __launch_bounds__(kTileThreads)
    make_scores(ChunkwiseSizes z, ChunkwiseOptions options, Cut cut, std::int64_t first_head,
                Scoring<T> s) {
  XLAB_SHARED(T, memory);
  constexpr int kLine = kTile + 1;
  T* const decays = memory + kFactorNumbers<T>;
  const std::int64_t chunk = blockIdx.x, own = blockIdx.y, head = first_head + own;
  const std::int64_t begin = chunk * cut.length,
                     end = begin + cut.length < z.T ? begin + cut.length : z.T;
  const std::int64_t size = end - begin, first = row_of(z, head, begin), gates = head * z.T + begin;
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
  const T scale = static_cast<T>(options.query_scale);
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
    const Denominator<T> denominator = divide(options, sum, s.m[row]);
    s.s[row] = sum;
    s.normalizer[row] = denominator.normalizer;
    s.gates.read[gates + t] = denominator.read;
  }
}

template <typename T, typename Product>
void forward(const ChunkwiseSizes& z, const ChunkwiseOptions& options,
             const ChunkwiseForward<T>& args) {
  const Cut cut = chunkwise::cut(z, sizeof(T), 1);
  const std::int64_t all = z.B * z.H, steps = all * z.T;
  const Scratch gate_memory(static_cast<std::size_t>(6 * steps) * sizeof(T));
  T* const numbers = gate_memory.as<T>();
  const Gates<T> gates{numbers,
                       numbers + steps,
                       numbers + 2 * steps,
                       numbers + 3 * steps,
                       numbers + 4 * steps,
                       numbers + 5 * steps};
  launch("mlstm_gates", open_gates<T>, {dim3(static_cast<unsigned>(all)), kWarp}, z, options,
         Opening<T>{args.i, args.f, args.C0, args.n0, args.m0, nullptr, args.m, args.m_last, gates,
                    args.input_gate, args.forget_gate, nullptr});
  multiply_gates(z, cut, gates);

  const std::int64_t score_numbers = cut.heads * cut.chunks * kTile * kTile;
  const Scratch memory_scratch(static_cast<std::size_t>(cut.heads * cut.chunks * memory_size(z)) *
                               sizeof(T)),
      score_scratch(static_cast<std::size_t>(score_numbers) * sizeof(T));
  T *const memories = memory_scratch.as<T>(), *const scores = score_scratch.as<T>();
  const std::int64_t empty = args.C0 == nullptr ? 0 : -1;
  for (std::int64_t head = 0; head < all; head += cut.heads) {
    const std::int64_t heads = cut.heads < all - head ? cut.heads : all - head;
    walk<T, Product>(z, cut, head, heads,
                     {args.k, args.v, gates.alpha, gates.alpha, gates.beta, args.C0, args.n0,
                      memories, args.C, args.n, false, false, nullptr, nullptr});
    launch("mlstm_scores", make_scores<T, Product>,
           {dim3(static_cast<unsigned>(cut.chunks), static_cast<unsigned>(heads)), kTileThreads,
            (kFactorNumbers<T> + kTile * (kTile + 1)) * sizeof(T)},
           z, options, cut, head,
           Scoring<T>{args.q, args.k, args.m, memories, gates, empty, scores, args.s,
                      args.normalizer});
    rows<T, Product>("mlstm_outputs", z, cut, head, heads,
                     {args.q, gates.beta, z.K, z.V, memories, empty, false, scores, false, args.v,
                      args.h, gates.read, false, nullptr, nullptr, nullptr});
  }
}

}  // namespace chunkwise

template <typename T>
void mlstm_chunkwise_forward(const ChunkwiseSizes& z, const ChunkwiseOptions& options,
                             const ChunkwiseForward<T>& args) {
  chunkwise::forward<T, ExactProduct<T>>(z, options, args);
}

template void mlstm_chunkwise_forward(const ChunkwiseSizes&, const ChunkwiseOptions&,
                                      const ChunkwiseForward<float>&);
template void mlstm_chunkwise_forward(const ChunkwiseSizes&, const ChunkwiseOptions&,
                                      const ChunkwiseForward<double>&);

}  // namespace xlab::cuda
