// Weights in blocks of 8 and 4 bits on CUDA devices; what a block is stands in kernels/blocks.hpp.
// C++17 only, because nvcc reads it too.
#pragma once

#include <cstdint>

namespace xlab::cuda {

/// y (rows, out) = x (rows, in) w^T + bias, with w (out, in) in blocks of `bits` bits (8 or 4),
/// given by their bytes; bias may be null.
void linear_blocks(int bits, std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
                   const void* w, const float* bias, float* y);

/// Rows of a table (vocabulary, width) in such blocks, as embed_forward.
void embed_forward_blocks(int bits, std::int64_t count, std::int64_t vocabulary, std::int64_t width,
                          const std::int32_t* ids, const void* table, float* out);

}  // namespace xlab::cuda
