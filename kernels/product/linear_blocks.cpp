// Products with weights stored in blocks: a few rows are multiplied while the blocks stream by once
// and are opened in registers; many rows go through the matrix product, a piece of widened weights
// at a time.
#include "kernels/product/linear_blocks.hpp"

#include "kernels/lanes.hpp"
#include "kernels/product/blocks_cuda.hpp"
#include "kernels/product/stored_layer.hpp"

namespace xlab::kernels {
namespace {

// Weights per chunk of the stream: some 40 us.
constexpr std::int64_t kBlocksGrain = 1 << 18;
// How many bytes before their use blocks are asked for: a processor that opens them does not see
// far enough ahead to keep its memory busy.
constexpr std::int64_t kAskedAhead = 384;

using Floats = Lanes<float>;
constexpr int kFloats = kLanes<float>;
#if defined(__AVX512F__)
// All lanes. Without a mask g++ 12 sees uninitialised values inside its own intrinsics (GCC bug
// 105593).
constexpr __mmask16 kAll = 0xffff;
#endif
/// Registers that hold the numbers of a block.
constexpr int kParts = static_cast<int>(kBlock) / kFloats;

/// The whole numbers of a block.
void open_block(const Block8& block, Floats (&parts)[kParts]) {
  for (int p = 0; p < kParts; ++p) {
    const std::int8_t* const from = block.numbers + p * kFloats;
#if defined(__AVX512F__)
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    parts[p] = _mm512_maskz_cvtepi32_ps(kAll, _mm512_maskz_cvtepi8_epi32(kAll, bytes));
#elif defined(__AVX2__) && defined(__FMA__)
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    parts[p] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
#else
    for (int j = 0; j < kFloats; ++j) parts[p][j] = static_cast<float>(from[j]);
#endif
  }
}

void open_block(const Block4& block, Floats (&parts)[kParts]) {
#if defined(__AVX512F__)
  // A table's place is given by the last four bits: what stands above them does not matter.
  const __m512 wholes = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
#endif
  for (int p = 0; p < kParts / 2; ++p) {
    const std::uint8_t* const from = block.pairs + p * kFloats;
    Floats &low = parts[p], &high = parts[p + kParts / 2];
#if defined(__AVX512F__)
    const __m512i pairs =
        _mm512_maskz_cvtepu8_epi32(kAll, _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    low = _mm512_maskz_permutexvar_ps(kAll, pairs, wholes);
    high = _mm512_maskz_permutexvar_ps(kAll, _mm512_maskz_srli_epi32(kAll, pairs, 4), wholes);
#elif defined(__AVX2__) && defined(__FMA__)
    const __m256i pairs =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
    const __m256i eight = _mm256_set1_epi32(8);
    low =
        _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_and_si256(pairs, _mm256_set1_epi32(15)), eight));
    high = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(pairs, 4), eight));
#else
    for (int j = 0; j < kFloats; ++j) {
      low[j] = static_cast<float>((from[j] & 15) - 8);
      high[j] = static_cast<float>((from[j] >> 4) - 8);
    }
#endif
  }
}

/// <w[c], x[r]> + bias[c] for kRows rows of x and kColumns rows of w that lie `apart` rows from one
/// another, each summed in the same order however many there are. What is read of x serves all of
/// them.
template <int kRows, int kColumns, typename B>
void dot_blocks(const B* w, std::int64_t apart, const float* x, std::int64_t in, const float* bias,
                float* y, std::int64_t y_row) {
  const std::int64_t blocks = in / kBlock;
  Floats sums[kRows][kColumns] = {};
  for (std::int64_t b = 0; b < blocks; ++b) {
    Floats parts[kColumns][kParts], scales[kColumns];
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      const B* const block = w + c * apart * blocks + b;
      __builtin_prefetch(reinterpret_cast<const char*>(block) + kAskedAhead);
      open_block(*block, parts[c]);
      scales[c] = all<float>(static_cast<float>(block->scale));
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const float* const numbers = x + r * in + b * kBlock;
      Floats of_block[kColumns];
#pragma GCC unroll 16
      for (int p = 0; p < kParts; ++p) {
        const Floats line = load<kFloats>(numbers + p * kFloats);
#pragma GCC unroll 8
        for (int c = 0; c < kColumns; ++c)
          of_block[c] =
              p == 0 ? parts[c][p] * line : fused<float, kFloats>(parts[c][p], line, of_block[c]);
      }
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c)
        sums[r][c] = fused<float, kFloats>(scales[c], of_block[c], sums[r][c]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int c = 0; c < kColumns; ++c)
      y[r * y_row + c * apart] =
          (bias == nullptr ? 0.0f : bias[c * apart]) + sum<float, kFloats>(sums[r][c]);
}

template <typename B>
void multiply_blocks(const StoredLayer& layer, const B* weights) {
  const std::int64_t blocks = layer.in / kBlock;
  if (layer.rows <= kMostStreamedRows) {
    stream_columns(layer, kBlocksGrain,
                   [&]<int kRows, int kColumns>(std::int64_t o, std::int64_t apart) {
                     dot_blocks<kRows, kColumns>(weights + o * blocks, apart, layer.x, layer.in,
                                                 layer.bias == nullptr ? nullptr : layer.bias + o,
                                                 layer.y + o, layer.out);
                   });
    return;
  }
  multiply_widened(layer, [&](std::int64_t begin, std::int64_t end, float* to) {
    for (std::int64_t b = begin * blocks; b < end * blocks; ++b, to += kBlock)
      unpack_block(weights[b], to);
  });
}

}  // namespace

void linear_forward_blocks(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y) {
  constexpr const char* op = "linear_forward";
  const StoredLayer layer = stored_layer(op, x, w, b, y, w.dtype());
  if (layer.rows == 0) return;
  if constexpr (kHasCuda) {
    if (on_cuda(op, x, w, b, y)) {
      return cuda::linear_blocks(w.dtype() == DType::block8 ? 8 : 4, layer.rows, layer.in,
                                 layer.out, layer.x, w.raw(), layer.bias, layer.y);
    }
  }
  if (w.dtype() == DType::block8) {
    multiply_blocks(layer, w.data<Block8>());
  } else {
    multiply_blocks(layer, w.data<Block4>());
  }
}

}  // namespace xlab::kernels
