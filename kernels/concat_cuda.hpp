// Joining along the last axis on CUDA devices, part by part. C++17 only, because nvcc reads it too.
// T is float or double.
#pragma once

#include <cstdint>

namespace xlab::cuda {

/// whole[r, at + j] = part[r, j] for j < part_width; `width` is that of the whole.
template <typename T>
void put_columns(std::int64_t rows, std::int64_t part_width, const T* part, std::int64_t width,
                 std::int64_t at, T* whole);
/// part[r, j] += whole[r, at + j] for j < part_width.
template <typename T>
void add_from_columns(std::int64_t rows, std::int64_t part_width, T* part, std::int64_t width,
                      std::int64_t at, const T* whole);

}  // namespace xlab::cuda
