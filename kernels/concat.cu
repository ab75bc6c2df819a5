// Joining along the last axis on CUDA devices.
#include "kernels/concat_cuda.hpp"

#include "kernels/device/cuda.cuh"

namespace xlab::cuda {

template <typename T>
void put_columns(std::int64_t rows, std::int64_t part_width, const T* part, std::int64_t width,
                 std::int64_t at, T* whole) {
  for_each("concat", rows * part_width, [=] __device__(std::int64_t j) {
    whole[j / part_width * width + at + j % part_width] = part[j];
  });
}

template <typename T>
void add_from_columns(std::int64_t rows, std::int64_t part_width, T* part, std::int64_t width,
                      std::int64_t at, const T* whole) {
  for_each("concat", rows * part_width, [=] __device__(std::int64_t j) {
    part[j] += whole[j / part_width * width + at + j % part_width];
  });
}

#define XLAB_INSTANTIATE(T)                                                                        \
  template void put_columns(std::int64_t, std::int64_t, const T*, std::int64_t, std::int64_t, T*); \
  template void add_from_columns(std::int64_t, std::int64_t, T*, std::int64_t, std::int64_t,       \
                                 const T*);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
