// Filling with random numbers on CUDA devices; contracts in random.hpp. C++17 only, because nvcc
// reads it too. T is float or double; bits are those of the CPU.
#pragma once

#include <cstdint>

namespace xlab::cuda {

template <typename T>
void fill_normal(std::int64_t count, T* x, double mean, double deviation, std::uint64_t seed,
                 std::uint64_t stream);
template <typename T>
void fill_uniform(std::int64_t count, T* x, double low, double high, std::uint64_t seed,
                  std::uint64_t stream);

}  // namespace xlab::cuda
