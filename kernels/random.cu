// Filling with random numbers on CUDA devices.
#include "kernels/random_cuda.hpp"

#include "kernels/device/cuda.cuh"
#include "kernels/philox.hpp"

namespace xlab::cuda {

template <typename T>
void fill_normal(std::int64_t count, T* x, double mean, double deviation, std::uint64_t seed,
                 std::uint64_t stream) {
  for_each("fill_normal", count, [=] __device__(std::int64_t j) {
    x[j] = static_cast<T>(
        std::fma(deviation, normal_at(seed, stream, static_cast<std::uint64_t>(j)), mean));
  });
}

template <typename T>
void fill_uniform(std::int64_t count, T* x, double low, double high, std::uint64_t seed,
                  std::uint64_t stream) {
  const double width = high - low;
  for_each("fill_uniform", count, [=] __device__(std::int64_t j) {
    x[j] = static_cast<T>(
        std::fma(width, uniform_at(seed, stream, static_cast<std::uint64_t>(j)), low));
  });
}

#define XLAB_INSTANTIATE(T)                                                                  \
  template void fill_normal(std::int64_t, T*, double, double, std::uint64_t, std::uint64_t); \
  template void fill_uniform(std::int64_t, T*, double, double, std::uint64_t, std::uint64_t);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
