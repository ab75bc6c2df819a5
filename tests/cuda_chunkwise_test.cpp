// The chunkwise mLSTM on a card is the one on the CPU: for every length of chunks, with states
// carried over, and with gates that leave nothing or everything.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cell_calls.hpp"
#include "cuda_device.hpp"
#include "kernels/product/precision.hpp"
#include "kernels/random.hpp"

namespace xlab::tests {
namespace {

/// A call there and back, with all its inputs and gradients.
struct WayAndBack {
  kernels::MlstmForward forward;
  kernels::MlstmBackward back;
};

struct Sizes {
  std::int64_t B, T, H, K, V;
};

Tensor uniform(const Shape& shape, double low, double high, std::uint64_t stream) {
  const Tensor x = Tensor::empty(shape, DType::f64);
  kernels::fill_uniform(x, low, high, 5, stream);
  return x;
}

kernels::MlstmState to(const kernels::MlstmState& state, DType dtype, Device device) {
  const auto one = [&](const Tensor& x) { return x.defined() ? x.to(dtype).to(device) : x; };
  return {one(state.C), one(state.n), one(state.m)};
}

/// Inputs in f64 on the CPU.
struct Inputs {
  Tensor q, k, v, i, f, dh;
  kernels::MlstmState initial, dlast;

  explicit Inputs(const Sizes& z)
      : q(uniform({z.B, z.T, z.H, z.K}, -1.0, 1.0, 1)),
        k(uniform({z.B, z.T, z.H, z.K}, -1.0, 1.0, 2)),
        v(uniform({z.B, z.T, z.H, z.V}, -1.0, 1.0, 3)),
        i(uniform({z.B, z.T, z.H}, -2.0, 3.0, 4)),
        f(uniform({z.B, z.T, z.H}, -1.0, 5.0, 5)),
        dh(uniform({z.B, z.T, z.H, z.V}, -1.0, 1.0, 6)) {}

  void begin_with_a_state() {
    const std::int64_t B = q.extent(0), H = q.extent(2), K = q.extent(3), V = v.extent(3);
    initial = {uniform({B, H, K, V}, -1.0, 1.0, 7), uniform({B, H, K}, -1.0, 1.0, 8),
               uniform({B, H}, -1.0, 1.0, 9)};
  }
  void ask_for_the_last_state() {
    const std::int64_t B = q.extent(0), H = q.extent(2), K = q.extent(3), V = v.extent(3);
    dlast = {uniform({B, H, K, V}, -1.0, 1.0, 10), uniform({B, H, K}, -1.0, 1.0, 11),
             uniform({B, H}, -1.0, 1.0, 12)};
  }

  WayAndBack run(const kernels::MlstmOptions& options, std::int64_t chunk, DType dtype,
                 Device device) const {
    const auto there = [&](const Tensor& x) { return x.to(dtype).to(device); };
    WayAndBack run;
    run.forward =
        mlstm_call(there(q), there(k), there(v), there(i), there(f), to(initial, dtype, device));
    run.forward.record.input_gate = zeros_like(run.forward.i);
    run.forward.record.forget_gate = zeros_like(run.forward.f);
    run_mlstm(options, run.forward, chunk);
    run.back = mlstm_way_back(run.forward, there(dh), to(dlast, dtype, device));
    run_mlstm_back(options, run.back, chunk);
    return run;
  }
};

/// The largest difference of any number, against the largest number or `least`.
void expect_near(const Tensor& seen, const Tensor& wanted, double tolerance, const char* what,
                 double least = 1e-30) {
  ASSERT_EQ(seen.defined(), wanted.defined()) << what;
  if (!wanted.defined()) return;
  const Tensor a = seen.to(Device::cpu()).to(DType::f64), b = wanted.to(DType::f64);
  double largest = least, error = 0.0;
  for (std::size_t j = 0; j < b.span<double>().size(); ++j) {
    const double x = a.span<double>()[j], y = b.span<double>()[j];
    ASSERT_TRUE(std::isfinite(x)) << what << "[" << j << "] is " << x;
    largest = std::max(largest, std::abs(y));
    error = std::max(error, std::abs(x - y));
  }
  EXPECT_LE(error, tolerance * largest) << what;
}

void expect_near(const WayAndBack& seen, const WayAndBack& wanted, double tolerance,
                 double least = 1e-30) {
  const auto each = [&](const char* what, const Tensor& a, const Tensor& b) {
    expect_near(a, b, tolerance, what, least);
  };
  each("h", seen.forward.h, wanted.forward.h);
  each("m", seen.forward.m, wanted.forward.m);
  each("s", seen.forward.s, wanted.forward.s);
  each("normalizer", seen.forward.normalizer, wanted.forward.normalizer);
  each("last C", seen.forward.last.C, wanted.forward.last.C);
  each("last n", seen.forward.last.n, wanted.forward.last.n);
  each("last m", seen.forward.last.m, wanted.forward.last.m);
  each("input gate", seen.forward.record.input_gate, wanted.forward.record.input_gate);
  each("forget gate", seen.forward.record.forget_gate, wanted.forward.record.forget_gate);
  each("dq", seen.back.dq, wanted.back.dq);
  each("dk", seen.back.dk, wanted.back.dk);
  each("dv", seen.back.dv, wanted.back.dv);
  each("di", seen.back.di, wanted.back.di);
  each("df", seen.back.df, wanted.back.df);
  each("dC0", seen.back.dinitial.C, wanted.back.dinitial.C);
  each("dn0", seen.back.dinitial.n, wanted.back.dinitial.n);
  each("dm0", seen.back.dinitial.m, wanted.back.dinitial.m);
}

TEST(CudaChunkwise, IsTheScanOfTheCpuForEveryChunk) {
  SKIP_WITHOUT_CUDA();
  Inputs in({1, 70, 2, 5, 7});
  in.begin_with_a_state();
  in.ask_for_the_last_state();
  const kernels::MlstmOptions options{.query_scale = 0.4};
  const WayAndBack wanted = in.run(options, 0, DType::f64, Device::cpu());
  for (const std::int64_t chunk : {1, 5, 16, 64, 1000}) {
    SCOPED_TRACE(testing::Message() << "chunks of " << chunk);
    expect_near(in.run(options, chunk, DType::f64, Device::cuda()), wanted, 1e-9);
  }
}

TEST(CudaChunkwise, TakesWidthsOfMoreThanOneTile) {
  SKIP_WITHOUT_CUDA();
  Inputs in({1, 21, 1, 131, 70});
  in.begin_with_a_state();
  in.ask_for_the_last_state();
  const kernels::MlstmOptions options{.query_scale = 0.1};
  const WayAndBack wanted = in.run(options, 0, DType::f64, Device::cpu());
  expect_near(in.run(options, 16, DType::f64, Device::cuda()), wanted, 1e-9);
  expect_near(in.run(options, 16, DType::f32, Device::cuda()), wanted, 1e-3);
}

TEST(CudaChunkwise, TakesTheDenominatorForAConstantLikeTheCpu) {
  SKIP_WITHOUT_CUDA();
  const Inputs in({2, 9, 2, 4, 6});
  const kernels::MlstmOptions options{.constant_denominator = true};
  const WayAndBack wanted = in.run(options, 4, DType::f64, Device::cpu());
  expect_near(in.run(options, 4, DType::f64, Device::cuda()), wanted, 1e-9);
}

TEST(CudaChunkwise, CarriesItsStateFromCallToCall) {
  SKIP_WITHOUT_CUDA();
  const Sizes z{2, 11, 2, 4, 6};
  const Inputs whole(z);
  const kernels::MlstmOptions options;
  const WayAndBack wanted = whole.run(options, 4, DType::f64, Device::cpu());
  // The state of the first 7 steps begins a call of the other 4.
  const auto steps = [&](const Tensor& x, std::int64_t begin, std::int64_t end) {
    const std::int64_t width = x.elements() / (z.B * z.T), count = end - begin;
    const Tensor out = Tensor::empty(
        x.rank() == 4 ? Shape{z.B, count, z.H, width / z.H} : Shape{z.B, count, z.H}, x.dtype());
    for (std::int64_t b = 0; b < z.B; ++b) {
      for (std::int64_t j = 0; j < count * width; ++j) {
        out.span<double>()[static_cast<std::size_t>(b * count * width + j)] =
            x.span<double>()[static_cast<std::size_t>((b * z.T + begin) * width + j)];
      }
    }
    return out;
  };
  kernels::MlstmState state;
  for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{0, 7}, {7, 11}}) {
    Inputs part(whole);
    for (Tensor* x : {&part.q, &part.k, &part.v, &part.i, &part.f, &part.dh}) {
      *x = steps(*x, begin, end);
    }
    part.initial = state;
    const WayAndBack run = part.run(options, 4, DType::f64, Device::cuda());
    expect_near(run.forward.h, steps(wanted.forward.h, begin, end), 1e-12, "h");
    state = to(run.forward.last, DType::f64, Device::cpu());
  }
  expect_near(state.C, wanted.forward.last.C, 1e-12, "last C");
}

TEST(CudaChunkwise, ExtremeGatesAreFiniteAndThoseOfTheCpu) {
  SKIP_WITHOUT_CUDA();
  for (const double i : {-1e4, -100.0, 0.0, 100.0, 1e4}) {
    for (const double f : {-1e4, -100.0, 0.0, 100.0, 1e4}) {
      for (const bool exponential : {false, true}) {
        SCOPED_TRACE(testing::Message()
                     << "i = " << i << ", f = " << f << (exponential ? ", exponential" : ""));
        Inputs in({1, 9, 1, 3, 4});
        for (double& x : in.i.span<double>()) x = i + 0.1 * x;
        for (double& x : in.f.span<double>()) x = f + 0.1 * x;
        kernels::MlstmOptions options;
        if (exponential) options.forget_gate = kernels::ForgetGate::exponential;
        // Some of these gradients are the little that is left of numbers near 1.
        expect_near(in.run(options, 4, DType::f64, Device::cuda()),
                    in.run(options, 4, DType::f64, Device::cpu()), 1e-9, 1.0);
        expect_near(in.run(options, 4, DType::f32, Device::cuda()),
                    in.run(options, 4, DType::f32, Device::cpu()), 1e-3, 1.0);
      }
    }
  }
}

// Where hardly anything is remembered, what flows through a forget gate is nearly nothing: its
// gradient must not be the rounding error of larger numbers.
TEST(CudaChunkwise, GradientsOfClosedForgetGatesHaveAllTheirDigits) {
  SKIP_WITHOUT_CUDA();
  Inputs in({1, 23, 2, 4, 6});
  in.begin_with_a_state();
  for (double& x : in.f.span<double>()) x -= 25.0;
  const kernels::MlstmOptions options{.eps = 0.0};
  const WayAndBack wanted = in.run(options, 0, DType::f64, Device::cpu());
  const WayAndBack seen = in.run(options, 8, DType::f32, Device::cuda());
  expect_near(seen.back.df, wanted.back.df, 1e-4, "df");
  expect_near(seen.back.dinitial.m, wanted.back.dinitial.m, 1e-4, "dm0");
}

class CudaChunkwisePrecision : public testing::TestWithParam<MatrixPrecision> {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
  void TearDown() override { set_matrix_precision(MatrixPrecision::exact); }
};

TEST_P(CudaChunkwisePrecision, IsNearTheExactOne) {
  Inputs in({1, 75, 2, 37, 70});
  in.begin_with_a_state();
  in.ask_for_the_last_state();
  const kernels::MlstmOptions options{.query_scale = 0.16};
  const WayAndBack wanted = in.run(options, 64, DType::f64, Device::cpu());
  set_matrix_precision(GetParam());
  expect_near(in.run(options, 64, DType::f64, Device::cuda()), wanted, 1e-9);
  expect_near(in.run(options, 64, DType::f32, Device::cuda()), wanted,
              GetParam() == MatrixPrecision::tf32 ? 0.004 : 0.02, 1.0);
}

TEST_P(CudaChunkwisePrecision, IsTheSameWhateverTheOrderOfThreads) {
  const Inputs in({1, 13, 1, 5, 7});
  set_matrix_precision(MatrixPrecision::exact);
  const WayAndBack exact = in.run({}, 8, DType::f32, Device::cuda());
  set_matrix_precision(GetParam());
  const WayAndBack once = in.run({}, 8, DType::f32, Device::cuda());
  const auto differs = [](const Tensor& a, const Tensor& b) {
    const Tensor x = a.to(Device::cpu()), y = b.to(Device::cpu());
    return std::memcmp(x.raw(), y.raw(), x.bytes()) != 0;
  };
#ifdef XLAB_EMULATION
  EXPECT_TRUE(differs(once.forward.h, exact.forward.h)) << "nothing was rounded";
#endif
  for (int other = 1; other < kOrders; ++other) {
    const OrderOfThreads order(other);
    const WayAndBack again = in.run({}, 8, DType::f32, Device::cuda());
    EXPECT_FALSE(differs(again.forward.h, once.forward.h)) << "h";
    EXPECT_FALSE(differs(again.forward.last.C, once.forward.last.C)) << "last C";
    EXPECT_FALSE(differs(again.back.dq, once.back.dq)) << "dq";
    EXPECT_FALSE(differs(again.back.dk, once.back.dk)) << "dk";
    EXPECT_FALSE(differs(again.back.dv, once.back.dv)) << "dv";
    EXPECT_FALSE(differs(again.back.df, once.back.df)) << "df";
  }
}

INSTANTIATE_TEST_SUITE_P(Cuda, CudaChunkwisePrecision,
                         testing::Values(MatrixPrecision::tf32, MatrixPrecision::bf16));

}  // namespace
}  // namespace xlab::tests
