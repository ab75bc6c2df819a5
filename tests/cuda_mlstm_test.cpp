// The mLSTM on a card against the CPU, beyond the cases: every output and recording, widths of all
// kinds, states there or not, and gates far beyond what exp can take.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "cell_calls.hpp"
#include "cuda_device.hpp"
#include "kernels/mlstm/parallel.hpp"
#include "kernels/random.hpp"

namespace xlab::tests {
namespace {

using kernels::DenominatorFloor;
using kernels::ForgetGate;
using kernels::MlstmOptions;

/// Everything one call gives, by name.
struct Result {
  std::string name;
  Tensor numbers;
};
using Results = std::vector<Result>;

struct Parts {
  std::int64_t B = 1, T = 5, H = 2, K = 4, V = 6;
  bool initial = false, dlast = false, dlast_m = false;
  double i_low = -2.0, i_high = 3.0, f_low = -2.0, f_high = 4.0;
};

/// The same numbers every time, on the CPU.
Tensor drawn(const Shape& shape, double low, double high, std::uint64_t seed,
             DType dtype = DType::f64) {
  const Tensor t = Tensor::empty(shape, dtype);
  kernels::fill_uniform(t, low, high, 23, seed);
  return t;
}

/// There and back with everything recorded.
Results run(const MlstmOptions& options, const Parts& p, Device device) {
  const Shape keys{p.B, p.T, p.H, p.K}, values{p.B, p.T, p.H, p.V}, gates{p.B, p.T, p.H};
  const auto state = [&](std::uint64_t seed) {
    return kernels::MlstmState{drawn({p.B, p.H, p.K, p.V}, -1.0, 1.0, seed).to(device),
                               drawn({p.B, p.H, p.K}, -1.0, 1.0, seed + 1).to(device),
                               drawn({p.B, p.H}, -1.0, 1.0, seed + 2).to(device)};
  };
  kernels::MlstmForward forward = mlstm_call(
      drawn(keys, -2.0, 2.0, 1).to(device), drawn(keys, -2.0, 2.0, 2).to(device),
      drawn(values, -1.0, 1.0, 3).to(device), drawn(gates, p.i_low, p.i_high, 4).to(device),
      drawn(gates, p.f_low, p.f_high, 5).to(device), p.initial ? state(10) : kernels::MlstmState{});
  forward.record = {zeros_like(forward.i), zeros_like(forward.i),
                    Tensor::zeros({p.B, p.T, p.H, p.K * p.V}, DType::f64, device),
                    zeros_like(forward.k)};
  kernels::mlstm_forward(options, forward);
  kernels::MlstmState dlast;
  if (p.dlast) dlast = state(20);
  if (!p.dlast_m) dlast.m = {};
  const kernels::MlstmBackward back =
      mlstm_way_back(forward, drawn(values, -1.0, 1.0, 6).to(device), dlast);
  // Gradients are added to what is there.
  back.dq.copy_from(forward.q);
  back.dv.copy_from(forward.v);
  back.di.copy_from(forward.i);
  kernels::mlstm_backward(options, back);
  return {{"h", forward.h},
          {"m", forward.m},
          {"s", forward.s},
          {"N", forward.normalizer},
          {"last C", forward.last.C},
          {"last n", forward.last.n},
          {"last m", forward.last.m},
          {"input gates", forward.record.input_gate},
          {"forget gates", forward.record.forget_gate},
          {"all C", forward.record.C},
          {"all n", forward.record.n},
          {"dq", back.dq},
          {"dk", back.dk},
          {"dv", back.dv},
          {"di", back.di},
          {"df", back.df},
          {"dC0", back.dinitial.C},
          {"dn0", back.dinitial.n},
          {"dm0", back.dinitial.m}};
}

double largest_of(const Tensor& x) {
  double largest = 0.0;
  if (!x.defined()) return largest;
  const Tensor wide = x.to(DType::f64);
  for (const double value : wide.span<double>()) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

void expect_near(const Tensor& on_card, const Tensor& wanted, double allowed,
                 const std::string& what) {
  ASSERT_EQ(on_card.defined(), wanted.defined()) << what;
  if (!wanted.defined()) return;
  const Tensor seen = on_card.to(Device::cpu()).to(DType::f64), exact = wanted.to(DType::f64);
  double error = 0.0;
  for (std::size_t j = 0; j < static_cast<std::size_t>(exact.elements()); ++j) {
    const double a = seen.span<double>()[j], b = exact.span<double>()[j];
    if (std::isinf(b) && a == b) continue;
    ASSERT_TRUE(std::isfinite(a)) << what << "[" << j << "] is " << a << ", not " << b;
    error = std::max(error, std::abs(a - b));
  }
  EXPECT_LE(error, allowed) << what;
}

void expect_as_on_cpu(const MlstmOptions& options, const Parts& p, const std::string& what) {
  const Results wanted = run(options, p, Device::cpu()), seen = run(options, p, Device::cuda());
  for (std::size_t j = 0; j < wanted.size(); ++j) {
    expect_near(seen[j].numbers, wanted[j].numbers, 1e-9 * largest_of(wanted[j].numbers),
                what + ", " + wanted[j].name);
  }
}

class CudaMlstm : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
};

TEST_F(CudaMlstm, EveryOptionGivesEverything) {
  for (const ForgetGate gate : {ForgetGate::sigmoid, ForgetGate::exponential}) {
    for (const DenominatorFloor floor : {DenominatorFloor::stabilizer, DenominatorFloor::one}) {
      for (const bool stabilizer : {true, false}) {
        for (const bool constant : {false, true}) {
          const MlstmOptions options{.query_scale = 0.6,
                                     .eps = 0.2,
                                     .forget_gate = gate,
                                     .stabilizer = stabilizer,
                                     .floor = floor,
                                     .constant_denominator = constant};
          const std::string what =
              fmt::format("gate {}, floor {}, stabilizer {}, constant {}", static_cast<int>(gate),
                          static_cast<int>(floor), stabilizer, constant);
          expect_as_on_cpu(options, {.f_high = 1.0}, what);
          expect_as_on_cpu(options,
                           {.B = 2, .initial = true, .dlast = true, .dlast_m = true, .f_high = 1.0},
                           what + ", with states");
        }
      }
    }
  }
}

TEST_F(CudaMlstm, WidthsAndLengthsAreFree) {
  const MlstmOptions options{.query_scale = 0.2};
  const std::int64_t sizes[][3] = {{1, 1, 1},   {1, 33, 70}, {40, 17, 33}, {3, 129, 5},
                                   {2, 5, 260}, {2, 290, 3}, {2, 530, 2},  {3, 2, 1030}};
  for (int order = 0; order < kOrders; ++order) {
    const OrderOfThreads own(order);
    for (const auto& [T, K, V] : sizes) {
      expect_as_on_cpu(options, {.T = T, .H = 1, .K = K, .V = V, .initial = true, .dlast = true},
                       fmt::format("{} steps, {} keys, {} values", T, K, V));
    }
  }
}

TEST_F(CudaMlstm, WhatIsHardlyRememberedKeepsItsDigits) {
  const MlstmOptions options{.query_scale = 0.5, .eps = 0.0};
  for (const double f : {-60.0, -25.0, -12.0}) {
    const std::string what = fmt::format("f {}", f);
    const Parts alone{.T = 11, .K = 9, .V = 8, .f_low = f - 1.0, .f_high = f};
    Parts with_states = alone;
    with_states.initial = with_states.dlast = true;
    expect_as_on_cpu(options, alone, what);
    expect_as_on_cpu(options, with_states, what + " with states");
  }
  // So many heads that a block has more than one piece of a memory.
  expect_as_on_cpu(options, {.B = 150, .T = 2, .K = 6, .V = 8, .f_low = -26.0, .f_high = -25.0},
                   "many heads");
}

TEST_F(CudaMlstm, AnEmptyStateLetsTheFirstInputGateDecide) {
  const MlstmOptions options{.forget_gate = ForgetGate::exponential};
  const auto m_after = [&](double C, double n, Device device) {
    const Tensor q = drawn({1, 1, 1, 40}, -1.0, 1.0, 1).to(device);
    const Tensor gate = Tensor::zeros({1, 1, 1}, DType::f64, device);
    kernels::MlstmState initial{Tensor::zeros({1, 1, 40, 40}, DType::f64),
                                Tensor::zeros({1, 1, 40}, DType::f64),
                                Tensor::zeros({1, 1}, DType::f64)};
    initial.C.span<double>()[1599] = C;
    initial.n.span<double>()[39] = n;
    initial.m.span<double>()[0] = 5.0;
    initial = {initial.C.to(device), initial.n.to(device), initial.m.to(device)};
    const kernels::MlstmForward call = mlstm_call(q, q, q, gate, gate, initial);
    kernels::mlstm_forward(options, call);
    return call.last.m.to(Device::cpu()).span<double>()[0];
  };
  for (const Device device : {Device::cpu(), Device::cuda()}) {
    EXPECT_EQ(m_after(0.0, 0.0, device), 0.0);
    EXPECT_EQ(m_after(1.0, 0.0, device), 5.0);
    EXPECT_EQ(m_after(0.0, 1.0, device), 5.0);
  }
}

TEST_F(CudaMlstm, RefusesTensorsOnTwoDevices) {
  const Tensor q = drawn({1, 2, 1, 3}, -1.0, 1.0, 1), gate = drawn({1, 2, 1}, -1.0, 1.0, 2);
  kernels::MlstmForward call = mlstm_call(q, q, q, gate, gate);
  call.k = q.to(Device::cuda());
  EXPECT_THROW(kernels::mlstm_forward({}, call), Error);
  EXPECT_THROW(kernels::mlstm_forward({.format = kernels::NumberFormat::bf16}, call), Error);
  call.q = call.k;
  EXPECT_THROW(kernels::mlstm_forward({}, call), Error);
}

#ifdef XLAB_EMULATION
TEST_F(CudaMlstm, OneTokenTakesThreeKernels) {
  const Device card = Device::cuda();
  const Tensor q = drawn({1, 1, 2, 8}, -1.0, 1.0, 1).to(card);
  const Tensor gate = drawn({1, 1, 2}, -1.0, 1.0, 2).to(card);
  const kernels::MlstmForward call = mlstm_call(q, q, q, gate, gate);
  const long before = emulation::launches();
  kernels::mlstm_forward({}, call);
  EXPECT_LE(emulation::launches() - before, 3);
}
#endif

// ---- the parallel form

Results run_parallel(const MlstmOptions& options, const Parts& p, Device device) {
  const Shape keys{p.B, p.T, p.H, p.K}, values{p.B, p.T, p.H, p.V}, gates{p.B, p.T, p.H};
  const auto pairs = [&] { return Tensor::zeros({p.B, p.H, p.T, p.T}, DType::f64, device); };
  const auto steps = [&] { return Tensor::zeros(gates, DType::f64, device); };
  const kernels::MlstmParallelForward forward{.q = drawn(keys, -2.0, 2.0, 1).to(device),
                                              .k = drawn(keys, -2.0, 2.0, 2).to(device),
                                              .v = drawn(values, -1.0, 1.0, 3).to(device),
                                              .i = drawn(gates, p.i_low, p.i_high, 4).to(device),
                                              .f = drawn(gates, p.f_low, p.f_high, 5).to(device),
                                              .h = Tensor::zeros(values, DType::f64, device),
                                              .m = steps(),
                                              .row_max = steps(),
                                              .s = steps(),
                                              .normalizer = steps(),
                                              .log_decay = pairs(),
                                              .decay = pairs(),
                                              .scores = pairs(),
                                              .attention = pairs()};
  kernels::mlstm_parallel_forward(options, forward);
  const kernels::MlstmParallelBackward back{.q = forward.q,
                                            .k = forward.k,
                                            .v = forward.v,
                                            .i = forward.i,
                                            .f = forward.f,
                                            .dh = drawn(values, -1.0, 1.0, 6).to(device),
                                            .dq = forward.q.clone(),
                                            .dk = zeros_like(forward.k),
                                            .dv = forward.v.clone(),
                                            .di = zeros_like(forward.i),
                                            .df = forward.f.clone()};
  kernels::mlstm_parallel_backward(options, back);
  return {{"h", forward.h},          {"m", forward.m},
          {"M", forward.row_max},    {"s", forward.s},
          {"N", forward.normalizer}, {"L", forward.log_decay},
          {"D", forward.decay},      {"scores", forward.scores},
          {"A", forward.attention},  {"dq", back.dq},
          {"dk", back.dk},           {"dv", back.dv},
          {"di", back.di},           {"df", back.df}};
}

TEST_F(CudaMlstm, TheParallelFormGivesEverything) {
  for (const ForgetGate gate : {ForgetGate::sigmoid, ForgetGate::exponential}) {
    for (const DenominatorFloor floor : {DenominatorFloor::stabilizer, DenominatorFloor::one}) {
      for (const bool stabilizer : {true, false}) {
        const MlstmOptions options{.query_scale = 0.6,
                                   .eps = 0.2,
                                   .forget_gate = gate,
                                   .stabilizer = stabilizer,
                                   .floor = floor};
        const std::string what =
            fmt::format("gate {}, floor {}, stabilizer {}", static_cast<int>(gate),
                        static_cast<int>(floor), stabilizer);
        for (const Parts& p : {Parts{.f_high = 1.0}, Parts{.T = 34, .H = 1, .K = 3, .V = 37}}) {
          const Results wanted = run_parallel(options, p, Device::cpu()),
                        seen = run_parallel(options, p, Device::cuda());
          for (std::size_t j = 0; j < wanted.size(); ++j) {
            expect_near(seen[j].numbers, wanted[j].numbers, 1e-9 * largest_of(wanted[j].numbers),
                        what + ", " + wanted[j].name);
          }
        }
      }
    }
  }
}

// ---- gates far out

constexpr double kGrid[] = {-1e4, -100.0, 0.0, 100.0, 1e4};

struct GridInputs {
  Tensor q, k, v, i, f, dh;
};

/// Keys and queries point the same way, so that their products do not cancel.
GridInputs grid_inputs(std::int64_t T) {
  const Shape keys{1, T, 2, 5}, values{1, T, 2, 6}, gates{1, T, 2};
  const DType f32 = DType::f32;
  return {drawn(keys, 0.2, 1.0, 1, f32),    drawn(keys, 0.2, 1.0, 2, f32),
          drawn(values, -1.0, 1.0, 3, f32), Tensor::zeros(gates, f32),
          Tensor::zeros(gates, f32),        drawn(values, -1.0, 1.0, 4, f32)};
}

Results run_recurrent(const MlstmOptions& options, const GridInputs& in, Device device) {
  const kernels::MlstmForward forward = mlstm_call(
      in.q.to(device), in.k.to(device), in.v.to(device), in.i.to(device), in.f.to(device));
  kernels::mlstm_forward(options, forward);
  const kernels::MlstmBackward back = mlstm_way_back(forward, in.dh.to(device));
  kernels::mlstm_backward(options, back);
  return {{"h", forward.h}, {"dq", back.dq}, {"dk", back.dk},
          {"dv", back.dv},  {"di", back.di}, {"df", back.df}};
}

Results run_in_parallel(const MlstmOptions& options, const GridInputs& in, Device device) {
  const kernels::MlstmParallelForward forward{.q = in.q.to(device),
                                              .k = in.k.to(device),
                                              .v = in.v.to(device),
                                              .i = in.i.to(device),
                                              .f = in.f.to(device),
                                              .h = zeros_like(in.v.to(device))};
  kernels::mlstm_parallel_forward(options, forward);
  const kernels::MlstmParallelBackward back{.q = forward.q,
                                            .k = forward.k,
                                            .v = forward.v,
                                            .i = forward.i,
                                            .f = forward.f,
                                            .dh = in.dh.to(device),
                                            .dq = zeros_like(forward.q),
                                            .dk = zeros_like(forward.k),
                                            .dv = zeros_like(forward.v),
                                            .di = zeros_like(forward.i),
                                            .df = zeros_like(forward.f)};
  kernels::mlstm_parallel_backward(options, back);
  return {{"h", forward.h}, {"dq", back.dq}, {"dk", back.dk},
          {"dv", back.dv},  {"di", back.di}, {"df", back.df}};
}

void run_grid(const MlstmOptions& options) {
  const auto compare = [&](const GridInputs& in, const std::string& where) {
    for (const auto form : {run_recurrent, run_in_parallel}) {
      // Every pair of steps of it costs the emulation a lot.
      if (form == run_in_parallel && in.i.extent(1) > 7) continue;
      const Results wanted = form(options, in, Device::cpu()),
                    seen = form(options, in, Device::cuda());
      // Gradients of the gates are differences of what those of q and k are made of.
      double products = 0.0;
      for (const Result& result : wanted) {
        if (result.name != "h") products = std::max(products, largest_of(result.numbers));
      }
      for (std::size_t j = 0; j < wanted.size(); ++j) {
        const bool h = wanted[j].name == "h";
        expect_near(seen[j].numbers, wanted[j].numbers,
                    1e-5 * (h ? largest_of(wanted[j].numbers) : products) + 1e-36,
                    fmt::format("{} {}, {}", form == run_recurrent ? "recurrent" : "parallel",
                                wanted[j].name, where));
      }
    }
  };
  for (const std::int64_t T : {1, 7, 33}) {
    GridInputs in = grid_inputs(T);
    for (const double i : kGrid) {
      for (const double f : kGrid) {
        std::ranges::fill(in.i.span<float>(), static_cast<float>(i));
        std::ranges::fill(in.f.span<float>(), static_cast<float>(f));
        compare(in, fmt::format("i {}, f {}, {} steps", i, f, T));
      }
    }
    Random random(static_cast<std::uint64_t>(T));
    const auto any = [&] { return kGrid[static_cast<std::size_t>(5.0 * random.uniform())]; };
    for (int round = 0; round < 10; ++round) {
      for (float& x : in.i.span<float>()) x = static_cast<float>(any());
      for (float& x : in.f.span<float>()) x = static_cast<float>(any());
      compare(in, fmt::format("mixed gates {}, {} steps", round, T));
    }
  }
}

TEST_F(CudaMlstm, GatesFarOutStayFinite) {
  run_grid({.query_scale = 0.4});
}
TEST_F(CudaMlstm, GatesFarOutStayFiniteWithAConstantDenominator) {
  run_grid({.query_scale = 0.4, .constant_denominator = true});
}
TEST_F(CudaMlstm, GatesFarOutStayFiniteWithAnExponentialForgetGate) {
  run_grid({.query_scale = 0.4, .forget_gate = ForgetGate::exponential});
}

}  // namespace
}  // namespace xlab::tests
