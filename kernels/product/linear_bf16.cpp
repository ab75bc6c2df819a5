// Products with weights stored as halves: a few rows are multiplied while the weights stream by
// once, so that memory is what limits them; many rows go through the matrix product, a piece of
// widened weights at a time.
#include "kernels/product/linear_bf16.hpp"

#include "kernels/lanes.hpp"
#include "kernels/product/gemm_cuda.hpp"
#include "kernels/product/stored_layer.hpp"

namespace xlab::kernels {
namespace {

// Weights per chunk of the stream: some 40 us.
constexpr std::int64_t kStreamGrain = 1 << 17;

using Floats = Lanes<float>;
constexpr std::int64_t kFloats = kLanes<float>;
typedef std::uint16_t Halves __attribute__((vector_size(kRegisterBytes / 2)));
typedef std::uint32_t Words __attribute__((vector_size(kRegisterBytes)));

Floats widened(const Bf16* from) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  const Words words = __builtin_convertvector(halves, Words) << 16;
  Floats lanes;
  std::memcpy(&lanes, &words, sizeof lanes);
  return lanes;
}

/// y[r * y_row] = start + <w, x[r]> for kRows rows of x. Consecutive registers go to different
/// sums, kParts for every row, so that none waits for the one before it.
template <int kRows>
void dot(const Bf16* w, const float* x, std::int64_t in, float start, float* y,
         std::int64_t y_row) {
  constexpr int kParts = kRows >= 4 ? 1 : 4 / kRows;
  Floats sums[kRows][kParts] = {};
  std::int64_t j = 0;
  for (; j + kParts * kFloats <= in; j += kParts * kFloats) {
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) {
      const Floats line = widened(w + j + part * kFloats);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Floats numbers = load<kFloats>(x + r * in + j + part * kFloats);
        sums[r][part] += numbers * line;
      }
    }
  }
  float rest[kRows] = {};
  for (; j < in; ++j) {
    for (int r = 0; r < kRows; ++r) rest[r] += static_cast<float>(w[j]) * x[r * in + j];
  }
  for (int r = 0; r < kRows; ++r) {
    for (int part = 1; part < kParts; ++part) sums[r][0] += sums[r][part];
    y[r * y_row] = start + (sum<float, kFloats>(sums[r][0]) + rest[r]);
  }
}

}  // namespace

void linear_forward_bf16(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y) {
  constexpr const char* op = "linear_forward";
  const StoredLayer layer = stored_layer(op, x, w, b, y, DType::bf16);
  if (layer.rows == 0) return;
  if constexpr (kHasCuda) {
    static_assert(sizeof(Bf16) == sizeof(std::uint16_t));
    if (on_cuda(op, x, w, b, y)) {
      return cuda::linear_bf16(layer.rows, layer.in, layer.out, layer.x,
                               static_cast<const std::uint16_t*>(w.raw()), layer.bias, layer.y);
    }
  }
  const Bf16* const weights = w.data<Bf16>();
  if (layer.rows <= kMostStreamedRows) {
    stream_columns(layer, kStreamGrain, [&]<int kRows>(std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o)
        dot<kRows>(weights + o * layer.in, layer.x, layer.in,
                   layer.bias == nullptr ? 0.0f : layer.bias[o], layer.y + o, layer.out);
    });
    return;
  }
  multiply_widened(layer, [&](std::int64_t begin, std::int64_t end, float* to) {
    for (std::int64_t j = begin * layer.in; j < end * layer.in; ++j)
      *to++ = static_cast<float>(weights[j]);
  });
}

}  // namespace xlab::kernels
