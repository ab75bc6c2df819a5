// The AdamW update and sums over whole gradients on CUDA devices.
#include "kernels/adamw_cuda.hpp"

#include "kernels/device/cuda.cuh"

namespace xlab::cuda {
namespace {

constexpr int kThreads = 256;
/// Numbers that one block adds up before the blocks' sums are added in order.
constexpr std::int64_t kPiece = 16384;
/// The mark of an update that has to be taken back. Not 0: whoever still updates goes on.
constexpr double kMarked = -1.0;

/// All factors of the update in the numbers' own type.
template <typename T>
struct Factors {
  T beta1, beta2, rest1, rest2, eps, gradient_scale, step, root_correction;
  double learning_rate;

  __device__ explicit Factors(const AdamWNumbers& n)
      : beta1(static_cast<T>(n.beta1)),
        beta2(static_cast<T>(n.beta2)),
        rest1(static_cast<T>(1.0 - n.beta1)),
        rest2(static_cast<T>(1.0 - n.beta2)),
        eps(static_cast<T>(n.eps)),
        gradient_scale(static_cast<T>(n.gradient_scale)),
        step(static_cast<T>(n.learning_rate / n.correction1)),
        root_correction(static_cast<T>(1.0 / std::sqrt(n.correction2))),
        learning_rate(n.learning_rate) {}

  /// One parameter. Every product that is added to something is fused by hand, so that all kernels
  /// round alike.
  __device__ T update(double weight_decay, T p, T gradient, T* m, T* v) const {
    const T keep = static_cast<T>(std::fma(-learning_rate, weight_decay, 1.0));
    const T g = gradient * gradient_scale;
    *m = std::fma(*m, beta1, g * rest1);
    *v = std::fma(*v, beta2, g * g * rest2);
    const T denominator = std::fma(std::sqrt(*v), root_correction, eps);
    return std::fma(p, keep, -(step * *m / denominator));
  }
};

/// The weight decay of the range that j lies in.
__device__ inline double weight_decay_at(const DecayTable& table, std::int64_t j) {
  int low = 0, high = table.count - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (j < table.end[middle]) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return table.weight_decay[low];
}

template <typename T>
__global__ void update_all(AdamWNumbers numbers, DecayTable table, T* p, const T* g, T* m, T* v) {
  const Factors<T> factors(numbers);
  const std::int64_t end = table.end[table.count - 1];
  for (std::int64_t j = table.begin + global_thread(); j < end; j += global_threads()) {
    p[j] = factors.update(weight_decay_at(table, j), p[j], g[j], m + j, v + j);
  }
}

/// What the gradients are multiplied with so that they are no longer than `clip`.
__device__ inline double clipping_scale(double clip, double norm) {
  if (!(clip > 0.0)) return 1.0;
  const double scale = clip / (norm + 1e-6);
  return scale < 1.0 ? scale : 1.0;
}

__global__ void judge(Guard guard) {
  const double counted = guard.loss_sums[1];
  // With NaN for the count the loss is NaN.
  const double loss = counted == 0.0 ? 0.0 : guard.loss_sums[0] / counted;
  if (!std::isfinite(loss)) {
    guard.outcome[0] = guard.outcome[1] = 0.0;
    return;
  }
  const double norm = std::sqrt(*guard.squared_norm);
  const bool sound = norm * clipping_scale(guard.gradient_clip, norm) <= guard.largest_gradient;
  guard.outcome[0] = norm;
  guard.outcome[1] = sound ? 1.0 : 0.0;
}

template <typename T>
__global__ void update_guarded(Guard guard, DecayTable table, T* p, const T* g, T* m, T* v,
                               T* previous) {
  if (guard.outcome[1] == 0.0) return;
  const Factors<T> factors({guard.numbers[0], guard.numbers[1], guard.numbers[2], guard.beta1,
                            guard.beta2, guard.eps,
                            clipping_scale(guard.gradient_clip, guard.outcome[0])});
  const std::int64_t end = table.end[table.count - 1];
  bool finite = true;
  for (std::int64_t j = table.begin + global_thread(); j < end; j += global_threads()) {
    const T before = p[j];
    const T after = factors.update(weight_decay_at(table, j), before, g[j], m + j, v + j);
    previous[j] = before;
    p[j] = after;
    finite = finite && std::isfinite(after);
  }
  if (!finite) guard.outcome[1] = kMarked;  // whoever finds something writes the same
}

template <typename T>
__global__ void restore(Guard guard, std::int64_t size, T* p, T* m, T* v, const T* previous) {
  if (guard.outcome[1] != kMarked) return;
  for (std::int64_t j = global_thread(); j < size; j += global_threads()) {
    p[j] = previous[j];
    m[j] = v[j] = T(0);
  }
}

__global__ void settle(Guard guard) {
  if (guard.outcome[1] == kMarked) guard.outcome[1] = 0.0;
}

/// sums[block] = sum of term(x) over a piece.
template <typename T, typename Term>
__global__ void sum_of_each_piece(std::int64_t count, const T* x, double* sums, Term term) {
  __shared__ double partial[kWarp];
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kPiece;
  const std::int64_t end = begin + kPiece < count ? begin + kPiece : count;
  double sum = 0.0;
  for (std::int64_t j = begin + threadIdx.x; j < end; j += kThreads) {
    sum += term(static_cast<double>(x[j]));
  }
  sum = block_sum(sum, partial);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void sum_of_pieces(std::int64_t pieces, const double* sums, double* out) {
  __shared__ double partial[kWarp];
  double sum = 0.0;
  for (std::int64_t j = threadIdx.x; j < pieces; j += kThreads) sum += sums[j];
  sum = block_sum(sum, partial);
  if (threadIdx.x == 0) *out = sum;
}

/// As for_each spreads an element-wise kernel out.
Layout spread(std::int64_t count) {
  constexpr int threads = kEmulated ? 2 : kThreads;
  constexpr std::int64_t most_blocks = kEmulated ? 2 : 1 << 14;
  const std::int64_t blocks = (count + threads - 1) / threads;
  return {dim3(static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks)), threads};
}

}  // namespace

template <typename T>
void adamw_step(const AdamWNumbers& numbers, const DecayTable& table, T* parameters,
                const T* gradients, T* first_moment, T* second_moment) {
  launch("adamw_step", update_all<T>, spread(table.end[table.count - 1] - table.begin), numbers,
         table, parameters, gradients, first_moment, second_moment);
}

void judge_gradients(const Guard& guard) {
  launch("adamw_step_guarded", judge, {dim3(1), 1}, guard);
}

template <typename T>
void adamw_step_guarded(const Guard& guard, const DecayTable& table, T* parameters,
                        const T* gradients, T* first_moment, T* second_moment, T* previous) {
  launch("adamw_step_guarded", update_guarded<T>, spread(table.end[table.count - 1] - table.begin),
         guard, table, parameters, gradients, first_moment, second_moment, previous);
}

template <typename T>
void take_back(const Guard& guard, std::int64_t size, T* parameters, T* first_moment,
               T* second_moment, const T* previous) {
  if (size > 0) {
    launch("adamw_step_guarded", restore<T>, spread(size), guard, size, parameters, first_moment,
           second_moment, previous);
  }
  launch("adamw_step_guarded", settle, {dim3(1), 1}, guard);
}

template <typename T, typename Term>
void sum_in_pieces(const char* name, std::int64_t count, const T* x, double* sum, Term term) {
  const std::int64_t pieces = (count + kPiece - 1) / kPiece;
  const Scratch scratch(static_cast<std::size_t>(pieces) * sizeof(double));
  double* const sums = scratch.as<double>();
  if (pieces > 0) {
    launch(name, sum_of_each_piece<T, Term>, {dim3(static_cast<unsigned>(pieces)), kThreads}, count,
           x, sums, term);
  }
  launch(name, sum_of_pieces, {dim3(1), kThreads}, pieces, sums, sum);
}

template <typename T>
void sum_of_squares(std::int64_t count, const T* x, double* sum) {
  sum_in_pieces("gradient_norm", count, x, sum,
                [=] __device__(double value) { return value * value; });
}

template <typename T>
void sum_of_zeros(std::int64_t count, const T* x, double* sum) {
  // 0 times a finite number is 0; infinities and NaN make the sum NaN.
  sum_in_pieces("all_finite", count, x, sum, [=] __device__(double value) { return value * 0.0; });
}

#define XLAB_INSTANTIATE(T)                                                                    \
  template void adamw_step(const AdamWNumbers&, const DecayTable&, T*, const T*, T*, T*);      \
  template void adamw_step_guarded(const Guard&, const DecayTable&, T*, const T*, T*, T*, T*); \
  template void take_back(const Guard&, std::int64_t, T*, T*, T*, const T*);                   \
  template void sum_of_squares(std::int64_t, const T*, double*);                               \
  template void sum_of_zeros(std::int64_t, const T*, double*);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
