// Products with weights in blocks on CUDA devices: a few rows are multiplied while the blocks pass
// by once; for many rows the blocks are opened first, a piece at a time.
#include <cmath>
#include <cstdint>

#include "kernels/device/cuda.cuh"
#include "kernels/product/blocks_cuda.hpp"
#include "kernels/product/gemm_cuda.hpp"

namespace xlab::cuda {
namespace blocks {

constexpr int kBlock = 64;
constexpr int kWarps = 8;
constexpr int kMostRows = 8;
/// Numbers opened together for the matrix product: 64 MiB in f32.
constexpr std::int64_t kOpened = 1 << 24;

/// As they lie in memory: the bits of the scale, then the numbers.
template <int kBits>
struct Packed {
  std::uint16_t scale;
  std::uint8_t bytes[kBlock * kBits / 8];
};

template <int kBits>
__device__ inline float scale_of(const Packed<kBits>& block) {
  return __int_as_float(static_cast<int>(static_cast<unsigned>(block.scale) << 16));
}

/// Number j of a block without its scale.
template <int kBits>
__device__ inline float whole(const Packed<kBits>& block, int j) {
  if constexpr (kBits == 8) {
    return static_cast<float>(static_cast<std::int8_t>(block.bytes[j]));
  } else {
    const int pair = block.bytes[j % (kBlock / 2)];
    return static_cast<float>((j < kBlock / 2 ? pair & 15 : pair >> 4) - 8);
  }
}

/// A warp for every column of y. A lane has two numbers of every block: those that lie in one or
/// two bytes of its own. Rows that are not there are computed like the last one, and forgotten.
template <int kBits, int kRows>
__global__ void __launch_bounds__(kWarps* kWarp)
    block_dots(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
               const Packed<kBits>* w, const float* bias, float* y) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (column >= out) return;  // whole warps
  const std::int64_t blocks = in / kBlock;
  const int first = kBits == 8 ? 2 * lane : lane,
            second = kBits == 8 ? first + 1 : lane + kBlock / 2;
  w += column * blocks;
  float sums[kRows] = {};
#pragma unroll 4
  for (std::int64_t b = 0; b < blocks; ++b) {
    const float scale = scale_of(w[b]), one = whole(w[b], first), other = whole(w[b], second);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const float* const numbers = x + (r < rows ? r : rows - 1) * in + b * kBlock;
      // Fused by name: a compiler might choose another one of two products.
      const float sum = std::fma(other, numbers[second], one * numbers[first]);
      sums[r] = std::fma(scale, sum, sums[r]);
    }
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const float sum = warp_sum(sums[r]);
    if (lane == 0 && r < rows) y[r * out + column] = bias == nullptr ? sum : bias[column] + sum;
  }
}

template <int kBits, int kRows>
void run_dots(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
              const Packed<kBits>* w, const float* bias, float* y) {
  const auto across = static_cast<unsigned>((out + kWarps - 1) / kWarps);
  launch("block_dots", block_dots<kBits, kRows>, {dim3(across), kWarps * kWarp}, rows, in, out, x,
         w, bias, y);
}

template <int kBits>
void opened_linear(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
                   const Packed<kBits>* w, const float* bias, float* y) {
  std::int64_t piece = in > 0 ? kOpened / in : out;
  if (piece < 1) piece = 1;
  if (piece > out) piece = out;
  const Scratch scratch(static_cast<std::size_t>(piece * in) * sizeof(float));
  float* const open = scratch.as<float>();
  for (std::int64_t begin = 0; begin < out; begin += piece) {
    const std::int64_t count = out - begin < piece ? out - begin : piece;
    const Packed<kBits>* const from = w + begin * (in / kBlock);
    for_each("open_blocks", count * in, [=] __device__(std::int64_t j) {
      const Packed<kBits>& block = from[j / kBlock];
      open[j] = scale_of(block) * whole(block, static_cast<int>(j % kBlock));
    });
    kernels::Product<float> product{};
    product.m = rows;
    product.n = count;
    product.k = in;
    product.a = {x, in, false};
    product.b = {open, in, true};
    product.c = y + begin;
    product.c_stride = out;
    product.bias = bias == nullptr ? nullptr : bias + begin;
    cuda::gemm(product);
  }
}

template <int kBits>
void linear(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x, const void* bytes,
            const float* bias, float* y) {
  const auto* w = static_cast<const Packed<kBits>*>(bytes);
  if (rows <= 0 || out <= 0) return;
  if (rows > kMostRows) return opened_linear(rows, in, out, x, w, bias, y);
  if (rows == 1) return run_dots<kBits, 1>(rows, in, out, x, w, bias, y);
  if (rows == 2) return run_dots<kBits, 2>(rows, in, out, x, w, bias, y);
  if (rows <= 4) return run_dots<kBits, 4>(rows, in, out, x, w, bias, y);
  run_dots<kBits, kMostRows>(rows, in, out, x, w, bias, y);
}

template <int kBits>
void embed(std::int64_t count, std::int64_t vocabulary, std::int64_t width, const std::int32_t* ids,
           const void* bytes, float* out) {
  const auto* table = static_cast<const Packed<kBits>*>(bytes);
  for_each("embed_forward", count * width, [=] __device__(std::int64_t j) {
    const std::int64_t n = j / width, id = ids[n], at = id * width + j - n * width;
    if (id < 0 || id >= vocabulary) {
      out[j] = NAN;
    } else {
      const Packed<kBits>& block = table[at / kBlock];
      out[j] = scale_of(block) * whole(block, static_cast<int>(at % kBlock));
    }
  });
}

}  // namespace blocks

void linear_blocks(int bits, std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
                   const void* w, const float* bias, float* y) {
  if (bits == 8) {
    blocks::linear<8>(rows, in, out, x, w, bias, y);
  } else {
    blocks::linear<4>(rows, in, out, x, w, bias, y);
  }
}

void embed_forward_blocks(int bits, std::int64_t count, std::int64_t vocabulary, std::int64_t width,
                          const std::int32_t* ids, const void* table, float* out) {
  if (bits == 8) {
    blocks::embed<8>(count, vocabulary, width, ids, table, out);
  } else {
    blocks::embed<4>(count, vocabulary, width, ids, table, out);
  }
}

}  // namespace xlab::cuda
