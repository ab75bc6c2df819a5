// Products with weights stored as halves: a few rows are multiplied while the weights stream by
// once, so that memory is what limits them; many rows go through the matrix product, a piece of
// widened weights at a time.
#include "kernels/product/linear_bf16.hpp"

#include "kernels/lanes.hpp"
#include "kernels/product/gemm.hpp"
#include "kernels/product/gemm_cuda.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

// So many rows are multiplied with every weight that passes by.
constexpr int kMostStreamedRows = 8;
// Weights per chunk of the stream: some 40 us.
constexpr std::int64_t kStreamGrain = 1 << 17;
// Weights that are widened together for the matrix product: 4 MiB in f32.
constexpr std::int64_t kWidened = 1 << 20;

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

template <int kRows>
void stream(const Bf16* w, const float* x, const float* bias, std::int64_t in, std::int64_t out,
            float* y) {
  for_ranges(out, rows_per_chunk(kStreamGrain, in), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o)
      dot<kRows>(w + o * in, x, in, bias == nullptr ? 0.0f : bias[o], y + o, out);
  });
}

void stream_rows(std::int64_t rows, const Bf16* w, const float* x, const float* bias,
                 std::int64_t in, std::int64_t out, float* y) {
  switch (rows) {
    case 1:
      return stream<1>(w, x, bias, in, out, y);
    case 2:
      return stream<2>(w, x, bias, in, out, y);
    case 3:
      return stream<3>(w, x, bias, in, out, y);
    case 4:
      return stream<4>(w, x, bias, in, out, y);
    case 5:
      return stream<5>(w, x, bias, in, out, y);
    case 6:
      return stream<6>(w, x, bias, in, out, y);
    case 7:
      return stream<7>(w, x, bias, in, out, y);
    default:
      return stream<kMostStreamedRows>(w, x, bias, in, out, y);
  }
}

}  // namespace

void linear_forward_bf16(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y) {
  constexpr const char* op = "linear_forward";
  const std::int64_t rows = rows_of(op, "x", x);
  require_dtype(op, "x, beside weights of bf16,", x, DType::f32);
  const std::int64_t in = x.extent(-1);
  check(w.rank() == 2, "[{}] needs w of two axes (out, in), but it has shape {}.", op, w.shape());
  const std::int64_t out = w.extent(0);
  require(op, "w", w, {out, in}, DType::bf16);
  require_if_present(op, "b", b, {out}, DType::f32);
  require(op, "y", y, with_last(x.shape(), out), DType::f32);
  const Bf16* weights = w.data<Bf16>();
  const float *from = x.data<float>(), *bias = data_or_null<float>(b);
  float* to = y.data<float>();
  if (rows == 0) return;
  if constexpr (kHasCuda) {
    static_assert(sizeof(Bf16) == sizeof(std::uint16_t));
    if (on_cuda(op, x, w, b, y)) {
      return cuda::linear_bf16(rows, in, out, from, static_cast<const std::uint16_t*>(w.raw()),
                               bias, to);
    }
  }
  if (rows <= kMostStreamedRows) {
    stream_rows(rows, weights, from, bias, in, out, to);
    return;
  }
  const std::int64_t piece = std::min(out, rows_per_chunk(kWidened, in));
  const Tensor wide = Tensor::empty({piece, in}, DType::f32);
  for (std::int64_t begin = 0; begin < out; begin += piece) {
    const std::int64_t count = std::min(piece, out - begin);
    const Bf16* source = weights + begin * in;
    float* target = wide.data<float>();
    for_ranges(count * in, kPlainGrain, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t j = first; j < last; ++j) target[j] = static_cast<float>(source[j]);
    });
    gemm<float>({.m = rows,
                 .n = count,
                 .k = in,
                 .a = {from, in},
                 .b = {target, in, true},
                 .c = to + begin,
                 .c_stride = out,
                 .bias = bias == nullptr ? nullptr : bias + begin});
  }
}

}  // namespace xlab::kernels
