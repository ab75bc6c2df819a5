// Normalisation on CUDA devices: one team of threads for every slice.
#include "kernels/norm_cuda.hpp"

#include "kernels/device/column_sums.cuh"
#include "kernels/device/team.cuh"

namespace xlab::cuda {
namespace {

template <typename T, bool kBlock>
__global__ void normalise(NormSlices s, const T* x, const T* weight, T* y, T* mean, T* rstd) {
  __shared__ T partial[kWarp];
  constexpr int size = Team<kBlock>::kSize;
  const Team<kBlock> team;
  const T share = T(1) / static_cast<T>(s.length), offset = static_cast<T>(s.scale_offset);
  for (std::int64_t slice = team.first; slice < s.rows * s.groups; slice += team.step) {
    const T* in = x + slice * s.length;
    T mu = T(0), squares = T(0);
    if (s.centred) {
      T sum = T(0);
      for (std::int64_t j = team.member; j < s.length; j += size) sum += in[j];
      mu = team.sum(sum, partial) * share;
    }
    for (std::int64_t j = team.member; j < s.length; j += size) {
      const T centre = in[j] - mu;
      squares += centre * centre;
    }
    const T r = T(1) / std::sqrt(team.sum(squares, partial) * share + static_cast<T>(s.eps));
    if (team.member == 0) {
      mean[slice] = mu;
      rstd[slice] = r;
    }
    T* out = y + slice * s.length;
    const T* w = weight == nullptr ? nullptr : weight + slice % s.groups * s.length;
    for (std::int64_t j = team.member; j < s.length; j += size) {
      const T xhat = (in[j] - mu) * r;
      out[j] = w == nullptr ? xhat : xhat * (w[j] + offset);
    }
  }
}

template <typename T, bool kBlock>
__global__ void normalise_backward(NormSlices s, const T* x, const T* weight, const T* mean,
                                   const T* rstd, const T* dy, T* dx) {
  __shared__ T partial[kWarp];
  constexpr int size = Team<kBlock>::kSize;
  const Team<kBlock> team;
  const T share = T(1) / static_cast<T>(s.length), offset = static_cast<T>(s.scale_offset);
  for (std::int64_t slice = team.first; slice < s.rows * s.groups; slice += team.step) {
    const T *in = x + slice * s.length, *g = dy + slice * s.length;
    const T* w = weight == nullptr ? nullptr : weight + slice % s.groups * s.length;
    const T mu = mean[slice], r = rstd[slice];
    T sum_g = T(0), sum_gx = T(0);
    for (std::int64_t j = team.member; j < s.length; j += size) {
      const T scaled = w == nullptr ? g[j] : g[j] * (w[j] + offset);
      sum_g += scaled;
      sum_gx += scaled * ((in[j] - mu) * r);
    }
    const T mean_g = s.centred ? team.sum(sum_g, partial) * share : T(0);
    const T mean_gx = team.sum(sum_gx, partial) * share;
    T* out = dx + slice * s.length;
    for (std::int64_t j = team.member; j < s.length; j += size) {
      const T scaled = w == nullptr ? g[j] : g[j] * (w[j] + offset);
      out[j] += r * (scaled - mean_g - (in[j] - mu) * r * mean_gx);
    }
  }
}

}  // namespace

template <typename T>
void norm_forward(const NormSlices& s, const T* x, const T* weight, T* y, T* mean, T* rstd) {
  const std::int64_t count = s.rows * s.groups;
  if (count == 0) return;
  if (s.length > kLongestForWarp) {
    launch("norm_forward", normalise<T, true>, Team<true>::layout(count), s, x, weight, y, mean,
           rstd);
  } else {
    launch("norm_forward", normalise<T, false>, Team<false>::layout(count), s, x, weight, y, mean,
           rstd);
  }
}

template <typename T>
void norm_backward(const NormSlices& s, const T* x, const T* weight, const T* mean, const T* rstd,
                   const T* dy, T* dx, T* dweight) {
  const std::int64_t count = s.rows * s.groups;
  if (count == 0) return;
  if (dx != nullptr && s.length > kLongestForWarp) {
    launch("norm_backward", normalise_backward<T, true>, Team<true>::layout(count), s, x, weight,
           mean, rstd, dy, dx);
  } else if (dx != nullptr) {
    launch("norm_backward", normalise_backward<T, false>, Team<false>::layout(count), s, x, weight,
           mean, rstd, dy, dx);
  }
  if (dweight != nullptr) {
    const std::int64_t width = s.groups * s.length, groups = s.groups, length = s.length;
    add_column_sums("norm_backward", s.rows, width, dweight,
                    [=] __device__(std::int64_t n, std::int64_t j) {
                      const std::int64_t slice = n * groups + (groups == 1 ? 0 : j / length);
                      return dy[n * width + j] * ((x[n * width + j] - mean[slice]) * rstd[slice]);
                    });
  }
}

#define XLAB_INSTANTIATE(T)                                                                        \
  template void norm_forward(const NormSlices&, const T*, const T*, T*, T*, T*);                   \
  template void norm_backward(const NormSlices&, const T*, const T*, const T*, const T*, const T*, \
                              T*, T*);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
