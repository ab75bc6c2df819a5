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
typedef std::uint32_t Words __attribute__((vector_size(kRegisterBytes)));

/// The halves of one register, widened: those at even places, and those at odd ones. That takes
/// half the work that their own order would take.
void widen_register(const Bf16* from, Floats& even, Floats& odd) {
  Words words;
  std::memcpy(&words, from, sizeof words);
  const Words low = words << 16, high = words & 0xffff0000u;
  std::memcpy(&even, &low, sizeof even);
  std::memcpy(&odd, &high, sizeof odd);
}

/// Numbers in the order in which halves are widened; those behind the last whole register stay.
void order_as_widened(const float* from, std::int64_t size, float* to) {
  std::int64_t j = 0;
  for (; j + 2 * kFloats <= size; j += 2 * kFloats) {
    for (std::int64_t i = 0; i < kFloats; ++i) {
      to[j + i] = from[j + 2 * i];
      to[j + kFloats + i] = from[j + 2 * i + 1];
    }
  }
  for (; j < size; ++j) to[j] = from[j];
}

/// <w[c], x[r]> + bias[c] for kRows rows of x, in that order, and kColumns rows of w that lie
/// `apart` rows from one another. What is read of x serves all of them.
template <int kRows, int kColumns>
void dot_halves(const Bf16* w, std::int64_t apart, const float* x, std::int64_t in,
                const float* bias, float* y, std::int64_t y_row) {
  Floats sums[kRows][kColumns][2] = {};
  std::int64_t j = 0;
  for (; j + 2 * kFloats <= in; j += 2 * kFloats) {
    Floats even[kColumns], odd[kColumns];
#pragma GCC unroll 2
    for (int c = 0; c < kColumns; ++c) widen_register(w + c * apart * in + j, even[c], odd[c]);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Floats first = load<kFloats>(x + r * in + j),
                   second = load<kFloats>(x + r * in + j + kFloats);
#pragma GCC unroll 2
      for (int c = 0; c < kColumns; ++c) {
        sums[r][c][0] = fused<float, kFloats>(first, even[c], sums[r][c][0]);
        sums[r][c][1] = fused<float, kFloats>(second, odd[c], sums[r][c][1]);
      }
    }
  }
  for (int c = 0; c < kColumns; ++c) {
    const Bf16* const row = w + c * apart * in;
    for (int r = 0; r < kRows; ++r) {
      float rest = 0.0f;
      for (std::int64_t i = j; i < in; ++i) rest += static_cast<float>(row[i]) * x[r * in + i];
      y[r * y_row + c * apart] = (bias == nullptr ? 0.0f : bias[c * apart]) +
                                 (sum<float, kFloats>(sums[r][c][0] + sums[r][c][1]) + rest);
    }
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
    const Tensor ordered = Tensor::empty({layer.rows, layer.in}, DType::f32);
    float* const from = ordered.data<float>();
    for (std::int64_t r = 0; r < layer.rows; ++r)
      order_as_widened(layer.x + r * layer.in, layer.in, from + r * layer.in);
    stream_columns(layer, kStreamGrain,
                   [&]<int kRows, int kColumns>(std::int64_t o, std::int64_t apart) {
                     dot_halves<kRows, kColumns>(weights + o * layer.in, apart, from, layer.in,
                                                 layer.bias == nullptr ? nullptr : layer.bias + o,
                                                 layer.y + o, layer.out);
                   });
    return;
  }
  multiply_widened(layer, [&](std::int64_t begin, std::int64_t end, float* to) {
    for (std::int64_t j = begin * layer.in; j < end * layer.in; ++j)
      *to++ = static_cast<float>(weights[j]);
  });
}

}  // namespace xlab::kernels
