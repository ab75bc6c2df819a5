// The cells in chosen number formats: what rounds to what, and what stays finite.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "cell_calls.hpp"
#include "kernels/mlstm/chunkwise.hpp"
#include "kernels/mlstm/parallel.hpp"
#include "kernels/random.hpp"

namespace xlab::tests {
namespace {

using kernels::MlstmOptions;
using kernels::NumberFormat;
using kernels::SlstmOptions;

constexpr std::int64_t B = 2, T = 9, H = 2, K = 4, V = 6;

Tensor uniform(const Shape& shape, DType dtype, double low, double high, std::uint64_t seed) {
  // Both types get the same numbers, short enough for every format.
  const Tensor t = Tensor::empty(shape, DType::f64);
  kernels::fill_uniform(t, low, high, 23, seed);
  for (double& x : t.span<double>()) x = std::round(x * 16.0) / 16.0;
  return t.to(dtype);
}

kernels::MlstmForward mlstm_inputs(DType dtype, double i_low = -2.0, double i_high = 2.0) {
  return mlstm_call(uniform({B, T, H, K}, dtype, -1, 1, 1), uniform({B, T, H, K}, dtype, -1, 1, 2),
                    uniform({B, T, H, V}, dtype, -1, 1, 3),
                    uniform({B, T, H}, dtype, i_low, i_high, 4),
                    uniform({B, T, H}, dtype, -1, 4, 5));
}

kernels::SlstmForward slstm_inputs(DType dtype) {
  return slstm_call(uniform({B, T, 4, H * V}, dtype, -2, 2, 6),
                    uniform({H, 4 * V, V}, dtype, -1, 1, 7), uniform({4 * H * V}, dtype, -1, 1, 8));
}

/// Output and gradients.
using Results = std::vector<Tensor>;

Results run(const MlstmOptions& options, const kernels::MlstmForward& call) {
  kernels::mlstm_forward(options, call);
  const kernels::MlstmBackward back =
      mlstm_way_back(call, uniform(call.h.shape(), call.h.dtype(), -1, 1, 9));
  kernels::mlstm_backward(options, back);
  return {call.h, back.dq, back.dk, back.dv, back.di, back.df};
}

Results run(const SlstmOptions& options, const kernels::SlstmForward& call) {
  kernels::slstm_forward(options, call);
  const kernels::SlstmBackward back =
      slstm_way_back(call, uniform(call.y.shape(), call.y.dtype(), -1, 1, 9));
  kernels::slstm_backward(options, back);
  return {call.y, back.dwx, back.dr, back.db};
}

/// max |a - b| / max |b|, the worst of all tensors; infinite where anything is not finite.
double apart(const Results& a, const Results& b) {
  double worst = 0.0;
  for (std::size_t j = 0; j < a.size(); ++j) {
    const Tensor x = a[j].to(DType::f64), y = b[j].to(DType::f64);
    double difference = 0.0, largest = 0.0;
    for (std::int64_t e = 0; e < x.elements(); ++e) {
      if (!std::isfinite(x.data<double>()[e])) return std::numeric_limits<double>::infinity();
      difference = std::max(difference, std::abs(x.data<double>()[e] - y.data<double>()[e]));
      largest = std::max(largest, std::abs(y.data<double>()[e]));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

struct Wanted {
  NumberFormat format;
  double unit;  ///< rounding of one operation
};
constexpr Wanted kFormats[] = {{NumberFormat::fp64, 0x1p-53},
                               {NumberFormat::fp32, 0x1p-24},
                               {NumberFormat::fp16, 0x1p-11},
                               {NumberFormat::bf16, 0x1p-8}};

TEST(Formats, ErrorsAreThoseOfTheFormat) {
  const Results mlstm = run(MlstmOptions{.query_scale = 0.5}, mlstm_inputs(DType::f64));
  const Results slstm = run(SlstmOptions{}, slstm_inputs(DType::f64));
  for (const auto& [format, unit] : kFormats) {
    const double of_mlstm =
        apart(run({.query_scale = 0.5, .format = format}, mlstm_inputs(DType::f64)), mlstm);
    const double of_slstm = apart(run({.format = format}, slstm_inputs(DType::f64)), slstm);
    for (const double error : {of_mlstm, of_slstm}) {
      EXPECT_LT(error, 100.0 * unit) << static_cast<int>(format);
      EXPECT_GT(error, 0.1 * unit) << static_cast<int>(format);
    }
    fmt::print("unit {:.1e}: mLSTM {:.1e}, sLSTM {:.1e}\n", unit, of_mlstm, of_slstm);
  }
}

TEST(Formats, EveryNumberIsOneOfTheFormat) {
  const kernels::MlstmForward mlstm = mlstm_inputs(DType::f32);
  kernels::mlstm_forward({.format = NumberFormat::bf16}, mlstm);
  const kernels::SlstmForward slstm = slstm_inputs(DType::f32);
  kernels::slstm_forward({.format = NumberFormat::bf16}, slstm);
  for (const Tensor& x : {mlstm.h, mlstm.m, mlstm.s, mlstm.normalizer, mlstm.last.C, mlstm.last.n,
                          slstm.y, slstm.last.c, slstm.last.n, slstm.last.m, slstm.saved.pre}) {
    for (const float value : x.span<float>())
      ASSERT_EQ(std::bit_cast<std::uint32_t>(value) & 0xffffU, 0U) << value;
  }
}

/// Input gates that fp16 cannot hold the exponential of: the reason for the stabilizer.
TEST(Formats, WithoutTheStabilizerHalvesOverflow) {
  const auto finite = [](const Tensor& x) {
    for (const float value : x.span<float>())
      if (!std::isfinite(value)) return false;
    return true;
  };
  const kernels::MlstmForward stable = mlstm_inputs(DType::f32, 12.0, 14.0),
                              plain = mlstm_inputs(DType::f32, 12.0, 14.0),
                              wide = mlstm_inputs(DType::f32, 12.0, 14.0);
  kernels::mlstm_forward({.format = NumberFormat::fp16}, stable);
  kernels::mlstm_forward({.stabilizer = false, .format = NumberFormat::fp16}, plain);
  kernels::mlstm_forward({.stabilizer = false, .format = NumberFormat::fp32}, wide);
  EXPECT_TRUE(finite(stable.h));
  EXPECT_FALSE(finite(plain.h));
  EXPECT_FALSE(finite(plain.last.C));
  EXPECT_TRUE(finite(wide.h));

  const kernels::SlstmForward stable_slstm = slstm_inputs(DType::f32),
                              plain_slstm = slstm_inputs(DType::f32);
  for (const kernels::SlstmForward* call : {&stable_slstm, &plain_slstm}) {
    for (float& x : call->b.span<float>().first(H * V)) x = 13.0F;
  }
  kernels::slstm_forward({.format = NumberFormat::fp16}, stable_slstm);
  kernels::slstm_forward({.stabilizer = false, .format = NumberFormat::fp16}, plain_slstm);
  EXPECT_TRUE(finite(stable_slstm.y));
  EXPECT_FALSE(finite(plain_slstm.y));
}

/// And those it rounds to nothing: without the stabilizer the sLSTM divides 0 by 0.
TEST(Formats, WithoutTheStabilizerHalvesUnderflow) {
  const kernels::SlstmForward stable = slstm_inputs(DType::f32), plain = slstm_inputs(DType::f32);
  for (const kernels::SlstmForward* call : {&stable, &plain}) {
    for (float& x : call->b.span<float>().first(H * V)) x = -25.0F;
  }
  kernels::slstm_forward({.format = NumberFormat::fp16}, stable);
  kernels::slstm_forward({.stabilizer = false, .format = NumberFormat::fp16}, plain);
  for (const float y : stable.y.span<float>()) EXPECT_TRUE(std::isfinite(y));
  EXPECT_TRUE(std::isnan(plain.y.span<float>()[0]));
}

/// Far-out gates in every format, with and without the stabilizer: whatever comes out, it comes.
TEST(Formats, NothingCrashes) {
  constexpr double kGrid[] = {-1e4, -100.0, -50.0, 0.0, 50.0, 100.0, 1e4};
  for (const auto& [format, unit] : kFormats) {
    for (const bool stabilizer : {true, false}) {
      for (const double i : kGrid) {
        for (const double f : kGrid) {
          const kernels::MlstmForward mlstm = mlstm_inputs(DType::f32);
          for (float& x : mlstm.i.span<float>()) x = static_cast<float>(i);
          for (float& x : mlstm.f.span<float>()) x = static_cast<float>(f);
          run(MlstmOptions{.stabilizer = stabilizer, .format = format}, mlstm);
          const kernels::SlstmForward slstm = slstm_inputs(DType::f32);
          for (float& x : slstm.b.span<float>().first(H * V)) x = static_cast<float>(i);
          for (float& x : slstm.b.span<float>().subspan(H * V, H * V)) x = static_cast<float>(f);
          run(SlstmOptions{.stabilizer = stabilizer, .format = format}, slstm);
        }
      }
    }
  }
}

TEST(Formats, OnlyTheScanHasAChoice) {
  const MlstmOptions options{.format = NumberFormat::bf16};
  const kernels::MlstmForward call = mlstm_inputs(DType::f32);
  EXPECT_THROW(kernels::mlstm_chunkwise_forward(options, call, 4), Error);
  EXPECT_THROW(
      kernels::mlstm_parallel_forward(
          options, {.q = call.q, .k = call.k, .v = call.v, .i = call.i, .f = call.f, .h = call.h}),
      Error);
}

}  // namespace
}  // namespace xlab::tests
