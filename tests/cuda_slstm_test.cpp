// The sLSTM on a card: R in every place it can lie, groups of sequences of every size, and gates
// far beyond what exp can take give what the CPU gives.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "cell_calls.hpp"
#include "cuda_device.hpp"
#include "kernels/device/cuda.hpp"
#include "kernels/random.hpp"
#include "kernels/slstm/cuda.hpp"

namespace xlab::tests {
namespace {

using kernels::ForgetGate;
using kernels::SlstmBackward;
using kernels::SlstmForward;
using kernels::SlstmOptions;
using kernels::SlstmState;

Tensor drawn(const Shape& shape, DType dtype, double size, std::uint64_t seed) {
  const Tensor t = Tensor::empty(shape, dtype);
  kernels::fill_uniform(t, -size, size, 23, seed);
  return t;
}

SlstmState moved(const SlstmState& state, Device device) {
  return {state.y.to(device), state.c.to(device), state.n.to(device), state.m.to(device)};
}

/// The inputs of both ways, in host memory.
struct SlstmInputs {
  SlstmInputs(std::int64_t B, std::int64_t T, std::int64_t H, std::int64_t D, DType dtype,
              bool state)
      : sizes{B, T, H, D},
        wx(drawn({B, T, 4, H * D}, dtype, 2.0, 1)),
        r(drawn({H, 4 * D, D}, dtype, 1.5 / std::sqrt(static_cast<double>(D)), 2)),
        b(drawn({4 * H * D}, dtype, 1.0, 3)),
        dy(drawn({B, T, H, D}, dtype, 1.0, 4)) {
    if (!state) return;
    for (Tensor* x : {&initial.y, &initial.c, &initial.n, &initial.m, &dlast.y, &dlast.c, &dlast.n})
      *x = drawn({B, H, D}, dtype, 1.0, 5);
    // n is never negative, and 0 where nothing is remembered.
    visit([&](auto zero) {
      for (auto& n : initial.n.span<decltype(zero)>()) n = n < zero ? zero : n + 1;
    });
  }

  template <typename Body>
  void visit(Body&& body) const {
    if (wx.dtype() == DType::f32) {
      body(0.0f);
    } else {
      body(0.0);
    }
  }

  cuda::SlstmSizes sizes;
  Tensor wx, r, b, dy, clamp;
  SlstmState initial, dlast;
};

/// Every result of both ways, in host memory and by name.
using Results = std::vector<std::pair<std::string, Tensor>>;

Results results_of(const SlstmForward& forward, const SlstmBackward& back) {
  Results out{{"y", forward.y},
              {"last y", forward.last.y},
              {"last c", forward.last.c},
              {"last n", forward.last.n},
              {"last m", forward.last.m},
              {"pre", forward.record.pre},
              {"input gate", forward.record.input_gate},
              {"forget gate", forward.record.forget_gate},
              {"c", forward.saved.c},
              {"n", forward.saved.n},
              {"m", forward.saved.m},
              {"dwx", back.dwx},
              {"dr", back.dr},
              {"db", back.db},
              {"dy0", back.dinitial.y},
              {"dc0", back.dinitial.c},
              {"dn0", back.dinitial.n},
              {"dm0", back.dinitial.m}};
  for (auto& [name, tensor] : out) tensor = tensor.to(Device::cpu());
  return out;
}

struct Call {
  SlstmForward forward;
  SlstmBackward back;
};

Call call_on(const SlstmInputs& in, Device device) {
  Call call{.forward = slstm_call(in.wx.to(device), in.r.to(device), in.b.to(device),
                                  moved(in.initial, device), in.clamp.to(device)),
            .back = {}};
  call.forward.record = {.pre = zeros_like(call.forward.wx),
                         .input_gate = zeros_like(call.forward.y),
                         .forget_gate = zeros_like(call.forward.y)};
  call.back = slstm_way_back(call.forward, in.dy.to(device), moved(in.dlast, device));
  return call;
}

Results run(const SlstmOptions& options, const SlstmInputs& in, Device device) {
  const Call call = call_on(in, device);
  kernels::slstm_forward(options, call.forward);
  kernels::slstm_backward(options, call.back);
  return results_of(call.forward, call.back);
}

template <typename T>
T* memory_of(const Tensor& t) {
  return t.defined() ? static_cast<T*>(t.raw()) : nullptr;
}

template <typename T>
cuda::SlstmUnits<T> units_of(const SlstmState& state) {
  return {memory_of<T>(state.y), memory_of<T>(state.c), memory_of<T>(state.n),
          memory_of<T>(state.m)};
}

/// Both ways with the work spread out in one way.
template <typename T>
Results run_planned(const SlstmOptions& options, const SlstmInputs& in,
                    const cuda::SlstmPlan& plan) {
  const Call call = call_on(in, Device::cuda());
  const SlstmForward& fw = call.forward;
  const SlstmBackward& back = call.back;
  const cuda::SlstmGates gates{options.memory, options.forget_gate, options.stabilizer,
                               options.gate_soft_cap};
  cuda::use(0);
  cuda::slstm_forward<T>(plan, {.sizes = in.sizes,
                                .gates = gates,
                                .wx = fw.wx.data<T>(),
                                .r = fw.r.data<T>(),
                                .b = fw.b.data<T>(),
                                .clamp = memory_of<T>(fw.clamp),
                                .initial = units_of<const T>(fw.initial),
                                .y = fw.y.data<T>(),
                                .last = units_of<T>(fw.last),
                                .record = {.pre = memory_of<T>(fw.record.pre),
                                           .input_gate = memory_of<T>(fw.record.input_gate),
                                           .forget_gate = memory_of<T>(fw.record.forget_gate)},
                                .saved = {.pre = memory_of<T>(fw.saved.pre),
                                          .c = memory_of<T>(fw.saved.c),
                                          .n = memory_of<T>(fw.saved.n),
                                          .m = memory_of<T>(fw.saved.m)}});
  cuda::slstm_backward<T>(plan, {.sizes = in.sizes,
                                 .gates = gates,
                                 .r = fw.r.data<T>(),
                                 .clamp = memory_of<T>(fw.clamp),
                                 .initial = units_of<const T>(fw.initial),
                                 .y = fw.y.data<T>(),
                                 .pre = fw.saved.pre.data<T>(),
                                 .c = fw.saved.c.data<T>(),
                                 .n = fw.saved.n.data<T>(),
                                 .m = fw.saved.m.data<T>(),
                                 .dy = back.dy.data<T>(),
                                 .dlast = units_of<const T>(back.dlast),
                                 .dwx = back.dwx.data<T>(),
                                 .dr = back.dr.data<T>(),
                                 .db = back.db.data<T>(),
                                 .dinitial = units_of<T>(back.dinitial)});
  return results_of(fw, back);
}

void expect_near(const Results& seen, const Results& wanted, double tolerance,
                 const std::string& where) {
  for (std::size_t j = 0; j < wanted.size(); ++j) {
    const auto& [name, tensor] = wanted[j];
    ASSERT_EQ(seen[j].second.defined(), tensor.defined()) << name << where;
    if (!tensor.defined()) continue;
    const Tensor a = seen[j].second.to(DType::f64), b = tensor.to(DType::f64);
    double largest = 0.0, error = 0.0;
    for (std::size_t k = 0; k < a.span<double>().size(); ++k) {
      ASSERT_TRUE(std::isfinite(a.span<double>()[k])) << name << where;
      largest = std::max(largest, std::abs(b.span<double>()[k]));
      error = std::max(error, std::abs(a.span<double>()[k] - b.span<double>()[k]));
    }
    // Below the smallest normal f32 a number may count as 0.
    EXPECT_LE(error, tolerance * largest + 1e-37) << name << where;
  }
}

void expect_same(const Results& a, const Results& b, const std::string& where) {
  for (std::size_t j = 0; j < a.size(); ++j) {
    ASSERT_EQ(a[j].second.defined(), b[j].second.defined()) << a[j].first << where;
    if (!a[j].second.defined()) continue;
    EXPECT_EQ(std::memcmp(a[j].second.raw(), b[j].second.raw(), a[j].second.bytes()), 0)
        << a[j].first << " differs" << where;
  }
}

constexpr cuda::SlstmPlace kPlaces[] = {cuda::SlstmPlace::registers, cuda::SlstmPlace::shared,
                                        cuda::SlstmPlace::global};

template <typename T>
void check_every_plan(const SlstmInputs& in, double tolerance) {
  const SlstmOptions options;
  const Results wanted = run(options, in, Device::cpu());
  cuda::use(0);
  Results first;
  for (const cuda::SlstmPlace place : kPlaces) {
    if (place == cuda::SlstmPlace::registers &&
        in.sizes.D > cuda::slstm_most_units_in_registers<T>) {
      continue;
    }
    // Some cards have no room for many units.
    if (place == cuda::SlstmPlace::shared && in.sizes.D > 50 &&
        cuda::slstm_backward_plan<T>(in.sizes).place != place) {
      continue;
    }
    for (const int sequences : {1, 2, 4, 8}) {
      const std::string where = fmt::format(" with R in place {}, {} sequences a block, {} units",
                                            static_cast<int>(place), sequences, in.sizes.D);
      const Results seen = run_planned<T>(options, in, {place, sequences});
      expect_near(seen, wanted, tolerance, where);
      if (first.empty()) first = seen;
      expect_same(seen, first, where);
    }
    for (int other = 1; other < kOrders; ++other) {
      const OrderOfThreads order(other);
      expect_same(run_planned<T>(options, in, {place, 2}), first, " in another order of threads");
    }
  }
}

TEST(CudaSlstm, EveryPlaceOfRGivesTheSameBits) {
  SKIP_WITHOUT_CUDA();
  for (const std::int64_t D : {1, 7, 24}) {
    check_every_plan<float>(SlstmInputs(5, 3, 2, D, DType::f32, true), 1e-5);
    check_every_plan<double>(SlstmInputs(3, 3, 1, D, DType::f64, true), 1e-12);
  }
  check_every_plan<float>(SlstmInputs(9, 3, 1, 12, DType::f32, false), 1e-5);
  check_every_plan<float>(SlstmInputs(2, 2, 1, 49, DType::f32, true), 1e-5);
}

TEST(CudaSlstm, MoreUnitsThanABlockTakesAtATime) {
  SKIP_WITHOUT_CUDA();
  const SlstmInputs in(3, 3, 1, 66, DType::f32, true);
  check_every_plan<float>(in, 1e-5);
  expect_near(run({}, in, Device::cuda()), run({}, in, Device::cpu()), 1e-5, "");
  const SlstmInputs many(2, 3, 1, 131, DType::f32, false);
  const SlstmOptions options;
  for (const int sequences : {1, 2}) {
    expect_near(run_planned<float>(options, many, {cuda::SlstmPlace::global, sequences}),
                run(options, many, Device::cpu()), 1e-5, " of 131 units");
  }
}

TEST(CudaSlstm, ThePlanFitsTheSizes) {
  SKIP_WITHOUT_CUDA();
  cuda::use(0);
  const auto place = [](std::int64_t T, std::int64_t D) {
    return cuda::slstm_forward_plan<double>({1, T, 1, D}).place;
  };
  EXPECT_EQ(place(100, 32), cuda::SlstmPlace::registers);
  EXPECT_EQ(place(100, 33), cuda::SlstmPlace::shared);
  EXPECT_EQ(place(1, 33), cuda::SlstmPlace::global);
  EXPECT_EQ(place(100, 4096), cuda::SlstmPlace::global);
  EXPECT_EQ(cuda::slstm_backward_plan<double>({1, 9, 1, 40}).place, cuda::SlstmPlace::shared);
  EXPECT_EQ(cuda::slstm_backward_plan<double>({1, 9, 1, 400}).place, cuda::SlstmPlace::global);
  EXPECT_EQ((cuda::slstm_forward_plan<float>({1, 9, 4, 64}).sequences), 1);
  EXPECT_EQ((cuda::slstm_forward_plan<float>({1 << 20, 9, 4, 64}).sequences), 8);
}

TEST(CudaSlstm, EveryBatchIsTheCpus) {
  SKIP_WITHOUT_CUDA();
  for (std::int64_t B = 1; B <= 9; ++B) {
    const SlstmInputs in(B, 3, 2, 6, DType::f32, true);
    const Results wanted = run({}, in, Device::cpu());
    for (const int sequences : {2, 8}) {
      expect_near(run_planned<float>({}, in, {cuda::SlstmPlace::registers, sequences}), wanted,
                  1e-5, fmt::format(" of {} sequences, {} a block", B, sequences));
    }
  }
}

TEST(CudaSlstm, StepsOneByOneAreTheScan) {
  SKIP_WITHOUT_CUDA();
  for (const std::int64_t D : {5, 66}) {
    const std::int64_t B = 2, T = 7, H = 2;
    const SlstmInputs in(B, T, H, D, DType::f32, true);
    const Device card = Device::cuda();
    const Call scan = call_on(in, card);
    kernels::slstm_forward({}, scan.forward);
    const Tensor y = scan.forward.y.to(Device::cpu());
    SlstmState state = moved(in.initial, card);
    for (std::int64_t t = 0; t < T; ++t) {
      const Tensor wx = Tensor::empty({B, 1, 4, H * D}, DType::f32);
      for (std::int64_t b = 0; b < B; ++b) {
        for (std::int64_t j = 0; j < 4 * H * D; ++j) {
          wx.data<float>()[b * 4 * H * D + j] = in.wx.data<float>()[(b * T + t) * 4 * H * D + j];
        }
      }
      SlstmForward step = slstm_call(wx.to(card), in.r.to(card), in.b.to(card), state);
      step.saved = {};
      kernels::slstm_forward({}, step);
      const Tensor own = step.y.to(Device::cpu());
      for (std::int64_t b = 0; b < B; ++b) {
        EXPECT_EQ(std::memcmp(own.data<float>() + b * H * D, y.data<float>() + (b * T + t) * H * D,
                              static_cast<std::size_t>(H * D) * sizeof(float)),
                  0)
            << "step " << t << ", " << D << " units";
      }
      state = step.last;
    }
    for (const auto& [own, whole] : {std::pair{state.c, scan.forward.last.c},
                                     {state.n, scan.forward.last.n},
                                     {state.m, scan.forward.last.m}}) {
      const Tensor a = own.to(Device::cpu()), b = whole.to(Device::cpu());
      EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0);
    }
  }
}

TEST(CudaSlstm, ExtremeGatesStayFiniteAndTheCpus) {
  SKIP_WITHOUT_CUDA();
  constexpr double grid[] = {-1e4, -100.0, 0.0, 100.0, 1e4};
  for (const ForgetGate forget : {ForgetGate::sigmoid, ForgetGate::exponential}) {
    for (const double i : grid) {
      for (const double f : grid) {
        const SlstmInputs in(2, 4, 1, 3, DType::f32, false);
        const auto wx = in.wx.span<float>();
        for (std::size_t j = 0; j < wx.size(); ++j) {
          const std::size_t gate = j / 3 % 4;
          if (gate < 2) wx[j] = static_cast<float>(gate == 0 ? i : f);
        }
        const SlstmOptions options{.forget_gate = forget};
        expect_near(run(options, in, Device::cuda()), run(options, in, Device::cpu()), 2e-5,
                    fmt::format(" with i {}, f {}", i, f));
      }
    }
  }
}

TEST(CudaSlstm, FormatsAreWorkedOutOnTheCpu) {
  SKIP_WITHOUT_CUDA();
  const SlstmInputs in(2, 3, 2, 3, DType::f32, true);
  const SlstmOptions options{.format = kernels::NumberFormat::bf16};
  expect_same(run(options, in, Device::cuda()), run(options, in, Device::cpu()), " in bf16");
}

TEST(CudaSlstm, ACallBetweenTwoDevicesIsRefused) {
  SKIP_WITHOUT_CUDA();
  const SlstmInputs in(1, 2, 1, 3, DType::f32, false);
  SlstmForward call = call_on(in, Device::cuda()).forward;
  call.r = in.r;
  EXPECT_THROW(kernels::slstm_forward({}, call), Error);
  Call there = call_on(in, Device::cuda());
  kernels::slstm_forward({}, there.forward);
  there.back.dy = in.dy;
  EXPECT_THROW(kernels::slstm_backward({}, there.back), Error);
}

}  // namespace
}  // namespace xlab::tests
