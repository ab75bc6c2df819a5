// Rows of a table by token number on CUDA devices; contracts in embed.hpp. C++17 only, because nvcc
// reads it too.
#pragma once

#include <cstdint>

namespace xlab::cuda {

/// T is float or double.
template <typename T>
void embed_forward(std::int64_t count, std::int64_t vocabulary, std::int64_t width,
                   const std::int32_t* ids, const T* table, T* out);
/// From a table of numbers in 16 bits, the upper halves of floats.
void embed_forward_bf16(std::int64_t count, std::int64_t vocabulary, std::int64_t width,
                        const std::int32_t* ids, const std::uint16_t* table, float* out);
template <typename T>
void embed_backward(std::int64_t count, std::int64_t vocabulary, std::int64_t width,
                    const std::int32_t* ids, const T* dout, T* dtable);

}  // namespace xlab::cuda
