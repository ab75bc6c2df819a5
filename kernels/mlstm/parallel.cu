// The matrix memory as attention on CUDA devices: a block for each row of weights.
#include "kernels/mlstm/parallel_cuda.hpp"

#include <cmath>
#include <limits>

#include "kernels/mlstm/gates.cuh"

namespace xlab::cuda {

constexpr int kRowThreads = kEmulated ? kWarp : 128;

/// F before every step and at the end, at [head * (T + 1) + t]. A block of one warp for each head.
template <typename T>
__global__ void mlstm_parallel_totals(MlstmRules r, const T* f, double* total) {
  __shared__ double log_forget[kWarp];
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t head = blockIdx.x;
  double* const to = total + head * (r.T + 1);
  double sum = 0.0;
  if (lane == 0) to[0] = 0.0;
  for (std::int64_t begin = 0; begin < r.T; begin += kWarp) {
    const std::int64_t t = begin + lane;
    const double pre = t < r.T ? static_cast<double>(f[mlstm_row(r, head, t)]) : 0.0;
    log_forget[lane] = r.exponential_forget ? pre : log_sigmoid(pre);
    __syncwarp();
    double own = 0.0;
    for (int j = 0; j < kWarp; ++j) {
      sum += log_forget[j];
      if (j == lane) own = sum;
    }
    __syncwarp();
    if (t < r.T) to[t + 1] = own;
  }
}

/// Row t of L, D and P of one head; asked by a whole block.
template <typename T>
struct MlstmRow {
  MlstmRules r;
  const T *q, *k, *i;
  const double* total;  ///< F of this head
  std::int64_t head, t;

  __device__ std::int64_t place(std::int64_t step) const { return mlstm_row(r, head, step); }
  __device__ double log_decay(std::int64_t j) const {
    return (total[t + 1] - total[j + 1]) + static_cast<double>(i[place(j)]);
  }
  /// <q~_t, k_j>, in every lane of the warp that asks.
  __device__ T score(std::int64_t j) const {
    const T *const query = q + place(t) * r.K, *const key = k + place(j) * r.K;
    T sum = T(0);
    for (std::int64_t x = static_cast<int>(threadIdx.x) % kWarp; x < r.K; x += kWarp) {
      sum += query[x] * key[x];
    }
    return static_cast<T>(r.query_scale) * warp_sum(sum);
  }
};

struct MlstmRowMax {
  double row_max, m;
  std::int64_t winner;  ///< the step that m comes from, -1 for the state before the first
};

/// Whether b takes the place of a, at the steps j_b and j_a: the first of the largest wins, and
/// what is not a number always.
__device__ inline bool beats(double b, std::int64_t j_b, double a, std::int64_t j_a) {
  return std::isnan(b) || b > a || (b == a && j_b < j_a);
}

template <typename T>
__device__ inline MlstmRowMax find_mlstm_row_max(const MlstmRow<T>& row) {
  __shared__ double values[kWarp];
  __shared__ std::int64_t steps[kWarp];
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  constexpr double lowest = -std::numeric_limits<double>::infinity();
  constexpr std::int64_t nobody = std::numeric_limits<std::int64_t>::max();
  double best = lowest;
  std::int64_t winner = nobody;
  const auto take = [&](double other, std::int64_t j) {
    if (!beats(other, j, best, winner)) return;
    best = other;
    winner = j;
  };
  for (std::int64_t j = thread; j <= row.t; j += blockDim.x) take(row.log_decay(j), j);
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const double other = __shfl_xor_sync(kAllLanes, best, offset);
    const std::int64_t j = __shfl_xor_sync(kAllLanes, winner, offset);
    take(other, j);
  }
  __syncthreads();  // whoever still reads what an earlier row found
  if (lane == 0) {
    values[warp] = best;
    steps[warp] = winner;
  }
  __syncthreads();
  best = lowest;
  winner = nobody;
  for (int w = 0; w < static_cast<int>(blockDim.x) / kWarp; ++w) take(values[w], steps[w]);

  MlstmRowMax found{best, best, winner};
  const double begun = row.total[row.t + 1];
  if (!row.r.exponential_forget && begun >= found.m) {
    found.m = begun;
    found.winner = -1;
  }
  if (!row.r.stabilizer) found.m = 0.0;
  return found;
}

template <typename T>
struct MlstmRowDenominator {
  T normalizer, read;  ///< N and 1 / (N + eps)
  bool sum_decides;    ///< whether N = |s|
};

/// N = max(|s|, floor), everything times exp(m) where m < 0, so that nothing overflows.
template <typename T>
__device__ inline MlstmRowDenominator<T> divide_mlstm_row(const MlstmRules& r, double s, double m) {
  constexpr double least = static_cast<double>(std::numeric_limits<T>::min());
  const bool one = r.floor_of_one || !r.stabilizer;
  const double size = r.normalize ? std::abs(s) : 0.0;
  const double down = one ? 1.0 : std::exp(m < 0.0 ? m : 0.0);
  const double floor = one ? 1.0 : std::exp(m > 0.0 ? -m : 0.0);
  const double scaled = size * down, above = floor / down;
  const double most = above < 1.0 / least ? above : 1.0 / least;
  return {static_cast<T>(size < most ? most : size),
          static_cast<T>(down / ((scaled < floor ? floor : scaled) + r.eps * down)),
          r.normalize && scaled >= floor};
}

// ---- forwards

/// Blocks are (head, t).
template <typename T>
__global__ void mlstm_parallel_rows(MlstmRules r, MlstmParallelForwardCall<T> call,
                                    const double* total) {
  __shared__ T weights[kRowThreads];
  __shared__ double sums[kWarp];
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int lane = thread % kWarp, warp = thread / kWarp, warps = threads / kWarp;
  const std::int64_t head = blockIdx.x / r.T, t = blockIdx.x % r.T;
  const MlstmRow<T> row{r, call.q, call.k, call.i, total + head * (r.T + 1), head, t};
  const MlstmRowMax max = find_mlstm_row_max(row);
  const std::int64_t place = row.place(t), line = (head * r.T + t) * r.T;
  T* const h = call.h + place * r.V;

  double sum = 0.0;
  for (std::int64_t begin = 0; begin <= t; begin += threads) {
    const std::int64_t end = begin + threads <= t ? begin + threads : t + 1;
    __syncthreads();  // whoever still reads earlier weights
    for (std::int64_t j = begin + warp; j < end; j += warps) {
      const T score = row.score(j);
      const double log_decay = row.log_decay(j);
      const T decay = static_cast<T>(std::exp(log_decay - max.m)), weight = score * decay;
      if (lane != 0) continue;
      weights[j - begin] = weight;
      if (call.log_decay != nullptr) call.log_decay[line + j] = static_cast<T>(log_decay);
      if (call.decay != nullptr) call.decay[line + j] = decay;
      if (call.scores != nullptr) call.scores[line + j] = score;
    }
    __syncthreads();
    if (begin + thread < end) sum += static_cast<double>(weights[thread]);
    for (std::int64_t x = thread; x < r.V; x += threads) {
      T out = begin > 0 ? h[x] : T(0);
      for (std::int64_t j = begin; j < end; ++j) {
        out += weights[j - begin] * call.v[row.place(j) * r.V + x];
      }
      h[x] = out;
    }
    // Until the whole sum is known, weights stand in for what they become.
    if (call.attention != nullptr && begin + thread < end) {
      call.attention[line + begin + thread] = weights[thread];
    }
  }
  sum = block_sum(sum, sums);
  const MlstmRowDenominator<T> d = divide_mlstm_row<T>(r, sum, max.m);
  for (std::int64_t x = thread; x < r.V; x += threads) h[x] *= d.read;
  if (thread == 0) {
    if (call.m != nullptr) call.m[place] = static_cast<T>(max.m);
    if (call.row_max != nullptr) call.row_max[place] = static_cast<T>(max.row_max);
    if (call.s != nullptr) call.s[place] = static_cast<T>(sum);
    if (call.normalizer != nullptr) call.normalizer[place] = d.normalizer;
  }
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  if (call.attention != nullptr) {
    for (std::int64_t j = thread; j <= t; j += threads) call.attention[line + j] *= d.read;
  }
  for (std::int64_t j = t + 1 + thread; j < r.T; j += threads) {
    if (call.log_decay != nullptr) call.log_decay[line + j] = lowest;
    if (call.decay != nullptr) call.decay[line + j] = T(0);
    if (call.attention != nullptr) call.attention[line + j] = T(0);
  }
  if (call.scores == nullptr) return;
  for (std::int64_t j = t + 1 + warp; j < r.T; j += warps) {
    const T score = row.score(j);
    if (lane == 0) call.scores[line + j] = score;
  }
}

// ---- backwards

/// What the rows of some heads leave for the columns, (head, T, T); empty above the diagonal.
template <typename T>
struct MlstmPairs {
  T* weights;             ///< P, then P / (N + eps)
  T* score_slopes;        ///< D, then query_scale dP D
  double* products;       ///< W
  double* crossing;       ///< the sum of W before j; dP to begin with
  double* dm;             ///< what m_t gets, (head, T)
  std::int64_t* winners;  ///< and who it goes to
};

/// Blocks are (head, t), from `first_head` on.
template <typename T>
__global__ void mlstm_parallel_row_gradients(MlstmRules r, MlstmParallelBackwardCall<T> call,
                                             const double* total, MlstmPairs<T> pairs,
                                             std::int64_t first_head) {
  __shared__ double sums[kWarp];
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int lane = thread % kWarp, warp = thread / kWarp, warps = threads / kWarp;
  const std::int64_t t = blockIdx.x % r.T, head = first_head + blockIdx.x / r.T;
  const MlstmRow<T> row{r, call.q, call.k, call.i, total + head * (r.T + 1), head, t};
  const MlstmRowMax max = find_mlstm_row_max(row);
  const std::int64_t place = row.place(t), line = static_cast<std::int64_t>(blockIdx.x) * r.T;
  T *const weights = pairs.weights + line, *const slopes = pairs.score_slopes + line;
  double *const products = pairs.products + line, *const crossing = pairs.crossing + line;
  const T* const dh = call.dh + place * r.V;

  for (std::int64_t j = warp; j <= t; j += warps) {
    const T score = row.score(j);
    const T decay = static_cast<T>(std::exp(row.log_decay(j) - max.m));
    T share = T(0);
    const T* const v = call.v + row.place(j) * r.V;
    for (std::int64_t x = lane; x < r.V; x += kWarp) share += dh[x] * v[x];
    share = warp_sum(share);
    if (lane != 0) continue;
    slopes[j] = decay;
    weights[j] = score * decay;
    crossing[j] = static_cast<double>(share);
  }
  __syncthreads();
  double sum = 0.0;
  for (std::int64_t j = thread; j <= t; j += threads) sum += static_cast<double>(weights[j]);
  sum = block_sum(sum, sums);
  const MlstmRowDenominator<T> d = divide_mlstm_row<T>(r, sum, max.m);
  double along = 0.0;  // <dh, h>
  for (std::int64_t j = thread; j <= t; j += threads) {
    const T dp = d.read * static_cast<T>(crossing[j]);
    along += static_cast<double>(dp) * static_cast<double>(weights[j]);
  }
  along = block_sum(along, sums);
  T slope = T(0);  // the gradient of s
  if (d.sum_decides && !r.constant_denominator) {
    slope = d.read * static_cast<T>(along);
    if (static_cast<T>(sum) > T(0)) slope = -slope;
  }
  for (std::int64_t j = thread; j <= t; j += threads) {
    const T weight = weights[j], dp = d.read * static_cast<T>(crossing[j]) + slope;
    products[j] = static_cast<double>(dp) * static_cast<double>(weight);
    slopes[j] = static_cast<T>(r.query_scale) * dp * slopes[j];
    weights[j] = weight * d.read;
  }
  // What is left of m in h: eps is not stabilised, and h = exp(-m) times what m has no part in
  // where a floor of 1 decides.
  if (thread == 0) {
    const bool whole = r.floor_of_one && !d.sum_decides;
    const bool none = !r.stabilizer || r.constant_denominator;
    pairs.dm[blockIdx.x] =
        none ? 0.0 : -along * (whole ? 1.0 : r.eps * static_cast<double>(d.read));
    pairs.winners[blockIdx.x] = max.winner;
  }
  __syncthreads();
  for (std::int64_t x = thread; x < r.K; x += threads) {
    T out = T(0);
    for (std::int64_t j = 0; j <= t; ++j) out += slopes[j] * call.k[row.place(j) * r.K + x];
    call.dq[place * r.K + x] += out;
  }
  // What this row says to the forget gate between j and j + 1.
  if (warp != 0) return;
  double before = 0.0;
  for (std::int64_t begin = 0; begin <= t; begin += kWarp) {
    const int count = static_cast<int>(t + 1 - begin < kWarp ? t + 1 - begin : kWarp);
    double own = 0.0;
    for (int j = 0; j < count; ++j) {
      if (j == lane) own = before;
      before += products[begin + j];
    }
    if (lane < count) crossing[begin + lane] = own;
  }
}

/// Blocks are (head, j), from `first_head` on.
template <typename T>
__global__ void mlstm_parallel_column_gradients(MlstmRules r, MlstmParallelBackwardCall<T> call,
                                                MlstmPairs<T> pairs, std::int64_t first_head) {
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const std::int64_t own = blockIdx.x / r.T, j = blockIdx.x % r.T, head = first_head + own;
  const std::int64_t matrix = own * r.T * r.T, place = mlstm_row(r, head, j);
  for (std::int64_t x = thread; x < r.K; x += threads) {
    T out = T(0);
    for (std::int64_t t = j; t < r.T; ++t) {
      out += pairs.score_slopes[matrix + t * r.T + j] * call.q[mlstm_row(r, head, t) * r.K + x];
    }
    call.dk[place * r.K + x] += out;
  }
  for (std::int64_t x = thread; x < r.V; x += threads) {
    T out = T(0);
    for (std::int64_t t = j; t < r.T; ++t) {
      out += pairs.weights[matrix + t * r.T + j] * call.dh[mlstm_row(r, head, t) * r.V + x];
    }
    call.dv[place * r.V + x] += out;
  }
}

/// F of all heads.
template <typename T>
void sum_mlstm_parallel(const char* name, const MlstmRules& r, const T* f, double* total) {
  launch(name, mlstm_parallel_totals<T>, {dim3(static_cast<unsigned>(r.B * r.H)), kWarp}, r, f,
         total);
}

template <typename T>
void mlstm_parallel_forward(const MlstmRules& r, const MlstmParallelForwardCall<T>& call) {
  const char* const name = "mlstm_parallel_forward";
  const Scratch total(static_cast<std::size_t>(r.B * r.H * (r.T + 1)) * sizeof(double));
  sum_mlstm_parallel(name, r, call.f, total.as<double>());
  launch(name, mlstm_parallel_rows<T>, {dim3(static_cast<unsigned>(r.B * r.H * r.T)), kRowThreads},
         r, call, total.as<double>());
}

template <typename T>
void mlstm_parallel_backward(const MlstmRules& r, const MlstmParallelBackwardCall<T>& call) {
  const char* const name = "mlstm_parallel_backward";
  const std::int64_t heads = r.B * r.H, steps = r.T, area = steps * steps;
  const Scratch totals(static_cast<std::size_t>(heads * (steps + 1)) * sizeof(double));
  double* const total = totals.as<double>();
  sum_mlstm_parallel(name, r, call.f, total);

  // As many heads at once as have room.
  constexpr std::int64_t room = std::int64_t{256} << 20;
  const std::int64_t per_head =
      area * static_cast<std::int64_t>(2 * sizeof(T) + 2 * sizeof(double)) +
      steps * static_cast<std::int64_t>(sizeof(double) + sizeof(std::int64_t));
  std::int64_t at_once = room / per_head;
  if (at_once > heads) at_once = heads;
  if (at_once < 1) at_once = 1;
  const Scratch memory(static_cast<std::size_t>(at_once * per_head));
  MlstmPairs<T> pairs{};
  pairs.products = memory.as<double>();
  pairs.crossing = pairs.products + at_once * area;
  pairs.dm = pairs.crossing + at_once * area;
  pairs.winners = reinterpret_cast<std::int64_t*>(pairs.dm + at_once * steps);
  pairs.weights = reinterpret_cast<T*>(pairs.winners + at_once * steps);
  pairs.score_slopes = pairs.weights + at_once * area;

  for (std::int64_t first = 0; first < heads; first += at_once) {
    const std::int64_t count = first + at_once <= heads ? at_once : heads - first;
    const Layout layout{dim3(static_cast<unsigned>(count * steps)), kRowThreads};
    launch(name, mlstm_parallel_row_gradients<T>, layout, r, call, total, pairs, first);
    launch(name, mlstm_parallel_column_gradients<T>, layout, r, call, pairs, first);
    for_each(name, count * steps, [=] __device__(std::int64_t at) {
      const std::int64_t own = at / steps, j = at % steps;
      double input = 0.0, log_forget = 0.0;
      for (std::int64_t t = j; t < steps; ++t) {
        const std::int64_t row = own * steps + t, winner = pairs.winners[row];
        input += pairs.products[row * steps + j];
        log_forget += pairs.crossing[row * steps + j];
        if (winner == j) input += pairs.dm[row];
        if (winner < j) log_forget += pairs.dm[row];
      }
      const std::int64_t place = mlstm_row(r, first + own, j);
      const auto pre = static_cast<double>(call.f[place]);
      const double slope = r.exponential_forget ? 1.0 : sigmoid(-pre);
      call.di[place] += static_cast<T>(input);
      call.df[place] += static_cast<T>(slope * log_forget);
    });
  }
}

#define XLAB_INSTANTIATE(T)                                                                    \
  template void mlstm_parallel_forward(const MlstmRules&, const MlstmParallelForwardCall<T>&); \
  template void mlstm_parallel_backward(const MlstmRules&, const MlstmParallelBackwardCall<T>&);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
