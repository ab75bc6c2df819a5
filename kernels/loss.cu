// Softmax and cross-entropy on CUDA devices: one team of threads for every row.
#include "kernels/loss_cuda.hpp"

#include "kernels/device/team.cuh"

namespace xlab::cuda {
namespace {

/// Threads of the one block that adds up what the rows gave.
constexpr int kSumThreads = 512;

template <typename T, bool kBlock>
__device__ inline T largest_of_row(const Team<kBlock>& team, const T* x, std::int64_t width,
                                   T* partial) {
  T largest = x[0];
  for (std::int64_t j = team.member; j < width; j += Team<kBlock>::kSize) {
    largest = x[j] > largest ? x[j] : largest;
  }
  return team.largest(largest, partial);
}

template <typename T, bool kBlock>
__global__ void softmax_rows(std::int64_t rows, std::int64_t width, const T* logits, T* p,
                             T sharpness) {
  __shared__ T partial[kWarp];
  constexpr int size = Team<kBlock>::kSize;
  const Team<kBlock> team;
  for (std::int64_t n = team.first; n < rows; n += team.step) {
    const T* x = logits + n * width;
    T* out = p + n * width;
    const T largest = largest_of_row(team, x, width, partial);
    // Everyone has read the row; from here on threads touch their own numbers only, so that p may
    // be the logits.
    T sum = T(0);
    for (std::int64_t j = team.member; j < width; j += size) {
      out[j] = std::exp((x[j] - largest) * sharpness);
      sum += out[j];
    }
    const T share = T(1) / team.sum(sum, partial);
    for (std::int64_t j = team.member; j < width; j += size) out[j] *= share;
  }
}

template <typename T, bool kBlock>
__global__ void losses_of_rows(std::int64_t rows, std::int64_t width, const T* logits,
                               const std::int32_t* targets, const double* factor, T* dlogits,
                               T* row_loss, double* exact, std::int32_t* hit) {
  __shared__ T partial[kWarp];
  constexpr int size = Team<kBlock>::kSize;
  const Team<kBlock> team;
  const T weight = dlogits == nullptr ? T(0) : static_cast<T>(*factor);
  for (std::int64_t n = team.first; n < rows; n += team.step) {
    const T* x = logits + n * width;
    T* const gradient = dlogits == nullptr ? nullptr : dlogits + n * width;
    const std::int64_t target = targets[n];
    if (target < 0 || target >= width) {  // ignored, or not a class
      const T nothing = target < 0 ? T(0) : T(NAN);
      if (gradient != nullptr) {
        for (std::int64_t j = team.member; j < width; j += size) gradient[j] = nothing;
      }
      if (team.member == 0) {
        exact[n] = nothing;
        hit[n] = 0;
        if (row_loss != nullptr) row_loss[n] = nothing;
      }
      continue;
    }
    const T aimed = x[target], largest = largest_of_row(team, x, width, partial);
    T sum = T(0), before = T(0);  // as large ones before the target
    for (std::int64_t j = team.member; j < width; j += size) {
      sum += std::exp(x[j] - largest);
      if (j < target && x[j] == largest) before = T(1);
    }
    sum = team.sum(sum, partial);
    before = team.sum(before, partial);
    if (gradient != nullptr) {
      const T share = weight / sum;
      for (std::int64_t j = team.member; j < width; j += size) {
        const T probable = std::exp(x[j] - largest) * share;
        gradient[j] = j == target ? probable - weight : probable;
      }
    }
    if (team.member == 0) {
      exact[n] = std::log(static_cast<double>(sum)) -
                 (static_cast<double>(aimed) - static_cast<double>(largest));
      hit[n] = aimed == largest && before == T(0) ? 1 : 0;
      if (row_loss != nullptr) row_loss[n] = static_cast<T>(exact[n]);
    }
  }
}

__global__ void mean_factor_of(std::int64_t rows, const std::int32_t* targets, double scale,
                               double* factor) {
  __shared__ double partial[kWarp];
  double counted = 0.0;
  for (std::int64_t n = threadIdx.x; n < rows; n += kSumThreads) {
    if (targets[n] >= 0) counted += 1.0;
  }
  counted = block_sum(counted, partial);
  if (threadIdx.x == 0) *factor = scale / (counted < 1.0 ? 1.0 : counted);
}

__global__ void sum_rows(std::int64_t rows, std::int64_t classes, const std::int32_t* targets,
                         const double* exact, const std::int32_t* hit, double* sums) {
  __shared__ double partial[kWarp];
  double loss = 0.0, counted = 0.0, correct = 0.0, bad = 0.0;
  for (std::int64_t n = threadIdx.x; n < rows; n += kSumThreads) {
    loss += exact[n];
    if (targets[n] >= 0) counted += 1.0;
    correct += hit[n];
    if (targets[n] >= classes) bad = 1.0;
  }
  loss = block_sum(loss, partial);
  counted = block_sum(counted, partial);
  correct = block_sum(correct, partial);
  bad = block_sum(bad, partial);
  if (threadIdx.x != 0) return;
  sums[0] = bad > 0.0 ? double(NAN) : loss;
  sums[1] = bad > 0.0 ? double(NAN) : counted;
  sums[2] = bad > 0.0 ? double(NAN) : correct;
}

}  // namespace

template <typename T>
void softmax(std::int64_t rows, std::int64_t width, const T* logits, T* p, double temperature) {
  if (rows == 0) return;
  const T sharpness = static_cast<T>(1 / temperature);
  if (width > kLongestForWarp) {
    launch("softmax", softmax_rows<T, true>, Team<true>::layout(rows), rows, width, logits, p,
           sharpness);
  } else {
    launch("softmax", softmax_rows<T, false>, Team<false>::layout(rows), rows, width, logits, p,
           sharpness);
  }
}

void mean_factor(std::int64_t rows, const std::int32_t* targets, double scale, double* factor) {
  launch("cross_entropy", mean_factor_of, {dim3(1), kSumThreads}, rows, targets, scale, factor);
}

template <typename T>
void cross_entropy_rows(std::int64_t rows, std::int64_t width, const T* logits,
                        const std::int32_t* targets, const double* factor, T* dlogits, T* row_loss,
                        double* exact, std::int32_t* hit) {
  if (rows == 0) return;
  if (width > kLongestForWarp) {
    launch("cross_entropy", losses_of_rows<T, true>, Team<true>::layout(rows), rows, width, logits,
           targets, factor, dlogits, row_loss, exact, hit);
  } else {
    launch("cross_entropy", losses_of_rows<T, false>, Team<false>::layout(rows), rows, width,
           logits, targets, factor, dlogits, row_loss, exact, hit);
  }
}

void sum_cross_entropy(std::int64_t rows, std::int64_t classes, const std::int32_t* targets,
                       const double* exact, const std::int32_t* hit, double* sums) {
  launch("cross_entropy", sum_rows, {dim3(1), kSumThreads}, rows, classes, targets, exact, hit,
         sums);
}

#define XLAB_INSTANTIATE(T)                                                                   \
  template void softmax(std::int64_t, std::int64_t, const T*, T*, double);                    \
  template void cross_entropy_rows(std::int64_t, std::int64_t, const T*, const std::int32_t*, \
                                   const double*, T*, T*, double*, std::int32_t*);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
