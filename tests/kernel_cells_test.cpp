// What the recurrent cells promise beyond their gradients: states that carry on, what does not
// change a result, limits, recordings, clamps and refusals.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "cell_calls.hpp"
#include "kernels/gates.hpp"
#include "kernels/random.hpp"
#include "tests/complaint.hpp"

namespace xlab::tests {
namespace {

using kernels::MlstmBackward;
using kernels::MlstmForward;
using kernels::MlstmOptions;
using kernels::MlstmState;
using kernels::SlstmBackward;
using kernels::SlstmForward;
using kernels::SlstmState;

Tensor uniform(const Shape& shape, DType dtype, double low, double high, std::uint64_t seed) {
  const Tensor t = Tensor::empty(shape, dtype);
  kernels::fill_uniform(t, low, high, 11, seed);
  return t;
}

void fill(const Tensor& t, double value) {
  t.copy_from(Tensor::from<double>(
      t.shape(), std::vector<double>(static_cast<std::size_t>(t.elements()), value), t.dtype()));
}

std::vector<double> numbers(const Tensor& t) {
  const Tensor wide = t.to(DType::f64);
  return {wide.span<double>().begin(), wide.span<double>().end()};
}

void expect_same_bits(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.shape().text(), b.shape().text()) << what;
  EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0) << what;
}

void expect_near(const Tensor& seen, const Tensor& wanted, double tolerance,
                 const std::string& what) {
  const std::vector<double> a = numbers(seen), b = numbers(wanted);
  ASSERT_EQ(a.size(), b.size()) << what;
  double largest = 0.0;
  for (const double value : b) largest = std::max(largest, std::abs(value));
  for (std::size_t j = 0; j < a.size(); ++j) {
    ASSERT_NEAR(a[j], b[j], tolerance * largest) << what << "[" << j << "]";
  }
}

void expect_finite(const std::vector<Tensor>& tensors, const std::string& what) {
  for (std::size_t j = 0; j < tensors.size(); ++j) {
    if (!tensors[j]) continue;
    for (const double value : numbers(tensors[j])) {
      ASSERT_TRUE(std::isfinite(value)) << "tensor " << j << " at " << what;
    }
  }
}

/// Steps [begin, end) of every sequence of a (B, T, ...) tensor.
Tensor steps(const Tensor& x, std::int64_t begin, std::int64_t end) {
  const std::int64_t B = x.extent(0), T = x.extent(1), row = x.elements() / (B * T);
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < x.rank(); ++axis) extents.push_back(x.extent(axis));
  extents[1] = end - begin;
  const Tensor out = Tensor::empty(Shape(extents), x.dtype());
  const Tensor from = x.reshape({B * T, row}), to = out.reshape({B * (end - begin), row});
  for (std::int64_t b = 0; b < B; ++b) {
    to.slice(b * (end - begin), (b + 1) * (end - begin))
        .copy_from(from.slice(b * T + begin, b * T + end));
  }
  return out;
}

void expect_refusal(const std::string& sentence, const std::string& part) {
  EXPECT_NE(sentence.find(part), std::string::npos) << "'" << sentence << "' without " << part;
}

/// Both gate pre-activations far beyond what exp can take in f32.
constexpr double kGrid[] = {-1e4, -200.0, -120.0, -100.0, -89.0, -50.0,
                            0.0,  50.0,   89.0,   100.0,  200.0, 1e4};

class CellTest : public testing::TestWithParam<DType> {
 protected:
  DType dtype() const { return GetParam(); }
  double rounding() const { return dtype() == DType::f32 ? 1e-5 : 1e-12; }
};

// ---------------------------------------------------------------- mLSTM

class MlstmTest : public CellTest {
 protected:
  static constexpr std::int64_t B = 2, H = 3, K = 21, V = 50;

  MlstmState state(std::uint64_t seed) const {
    return {uniform({B, H, K, V}, dtype(), -1.0, 1.0, seed),
            uniform({B, H, K}, dtype(), -1.0, 1.0, seed + 1),
            uniform({B, H}, dtype(), -1.0, 1.0, seed + 2)};
  }
  MlstmForward inputs(std::int64_t T, const MlstmState& initial = {}) const {
    return mlstm_call(
        uniform({B, T, H, K}, dtype(), -1.0, 1.0, 1), uniform({B, T, H, K}, dtype(), -1.0, 1.0, 2),
        uniform({B, T, H, V}, dtype(), -1.0, 1.0, 3), uniform({B, T, H}, dtype(), -2.0, 2.0, 4),
        uniform({B, T, H}, dtype(), -1.0, 4.0, 5), initial);
  }
  static MlstmForward part(const MlstmForward& all, std::int64_t begin, std::int64_t end,
                           const MlstmState& initial) {
    return mlstm_call(steps(all.q, begin, end), steps(all.k, begin, end), steps(all.v, begin, end),
                      steps(all.i, begin, end), steps(all.f, begin, end), initial);
  }
  static void expect_same_state(const MlstmState& a, const MlstmState& b) {
    expect_same_bits(a.C, b.C, "C");
    expect_same_bits(a.n, b.n, "n");
    expect_same_bits(a.m, b.m, "m");
  }
};

TEST_P(MlstmTest, CutSequencesCarryOn) {
  constexpr std::int64_t T = 23;
  const MlstmForward whole = inputs(T);
  kernels::mlstm_forward({}, whole);

  const MlstmForward first = part(whole, 0, 9, {});
  kernels::mlstm_forward({}, first);
  const MlstmForward second = part(whole, 9, T, first.last);
  kernels::mlstm_forward({}, second);
  expect_same_bits(first.h, steps(whole.h, 0, 9), "h of the first part");
  expect_same_bits(second.h, steps(whole.h, 9, T), "h of the second part");
  expect_same_state(second.last, whole.last);

  MlstmState carried;
  for (std::int64_t t = 0; t < T; ++t) {
    const MlstmForward step = part(whole, t, t + 1, carried);
    kernels::mlstm_forward({}, step);
    expect_same_bits(step.h, steps(whole.h, t, t + 1), "h of step " + std::to_string(t));
    carried = step.last;
  }
  expect_same_state(carried, whole.last);
}

TEST_P(MlstmTest, GradientsPassThroughACut) {
  constexpr std::int64_t T = 11, cut = 6;
  const MlstmOptions options{.query_scale = 0.5};
  const MlstmForward whole = inputs(T, state(20));
  kernels::mlstm_forward(options, whole);
  const Tensor dh = uniform(whole.h.shape(), dtype(), -1.0, 1.0, 30);
  const MlstmBackward expected = mlstm_way_back(whole, dh);
  kernels::mlstm_backward(options, expected);

  const MlstmForward first = part(whole, 0, cut, whole.initial);
  kernels::mlstm_forward(options, first);
  const MlstmForward second = part(whole, cut, T, first.last);
  kernels::mlstm_forward(options, second);
  const MlstmBackward late = mlstm_way_back(second, steps(dh, cut, T));
  kernels::mlstm_backward(options, late);
  const MlstmBackward early = mlstm_way_back(first, steps(dh, 0, cut), late.dinitial);
  kernels::mlstm_backward(options, early);

  const double tolerance = rounding();
  expect_near(early.dq, steps(expected.dq, 0, cut), tolerance, "dq");
  expect_near(early.dk, steps(expected.dk, 0, cut), tolerance, "dk");
  expect_near(early.dv, steps(expected.dv, 0, cut), tolerance, "dv");
  expect_near(early.di, steps(expected.di, 0, cut), tolerance, "di");
  expect_near(early.df, steps(expected.df, 0, cut), tolerance, "df");
  expect_near(late.df, steps(expected.df, cut, T), tolerance, "df, late");
  expect_near(early.dinitial.C, expected.dinitial.C, tolerance, "dC0");
  expect_near(early.dinitial.n, expected.dinitial.n, tolerance, "dn0");
  expect_near(early.dinitial.m, expected.dinitial.m, tolerance, "dm0");
}

TEST_P(MlstmTest, GradientsAreAdded) {
  const MlstmForward forward = inputs(5, state(20));
  kernels::mlstm_forward({}, forward);
  const Tensor dh = uniform(forward.h.shape(), dtype(), -1.0, 1.0, 30);
  const MlstmBackward once = mlstm_way_back(forward, dh);
  const MlstmBackward twice = mlstm_way_back(forward, dh);
  kernels::mlstm_backward({}, once);
  kernels::mlstm_backward({}, twice);
  kernels::mlstm_backward({}, twice);
  const std::vector<Tensor> single{once.dq, once.dk,         once.dv,         once.di,
                                   once.df, once.dinitial.C, once.dinitial.n, once.dinitial.m};
  const std::vector<Tensor> twofold{twice.dq, twice.dk,         twice.dv,         twice.di,
                                    twice.df, twice.dinitial.C, twice.dinitial.n, twice.dinitial.m};
  for (std::size_t j = 0; j < single.size(); ++j) {
    const std::vector<double> a = numbers(single[j]), b = numbers(twofold[j]);
    for (std::size_t e = 0; e < a.size(); ++e) EXPECT_NEAR(2.0 * a[e], b[e], rounding()) << j;
  }
}

TEST_P(MlstmTest, StabilizerIsFreeToChoose) {
  const MlstmOptions options{.eps = 0.0};
  const MlstmState plain = state(20);
  const MlstmForward expected = inputs(9, plain);
  kernels::mlstm_forward(options, expected);
  for (const double a : {-3.0, 0.7, 5.0}) {
    const MlstmState moved{plain.C.clone(), plain.n.clone(), plain.m.clone()};
    for (const Tensor* t : {&moved.C, &moved.n}) {
      const Tensor wide = t->to(DType::f64);
      for (double& value : wide.span<double>()) value *= std::exp(-a);
      t->copy_from(wide.to(dtype()));
    }
    const Tensor m = moved.m.to(DType::f64);
    for (double& value : m.span<double>()) value += a;
    moved.m.copy_from(m.to(dtype()));
    const MlstmForward seen = inputs(9, moved);
    kernels::mlstm_forward(options, seen);
    expect_near(seen.h, expected.h, 10 * rounding(), "h");
  }
}

TEST_P(MlstmTest, QueriesAndKeysBalance) {
  const MlstmOptions options{.eps = 0.0};
  const MlstmForward forward = inputs(13);
  kernels::mlstm_forward(options, forward);
  const MlstmBackward back =
      mlstm_way_back(forward, uniform(forward.h.shape(), dtype(), -1.0, 1.0, 30));
  kernels::mlstm_backward(options, back);
  const auto product = [](const Tensor& a, const Tensor& b) {
    double sum = 0.0;
    const std::vector<double> x = numbers(a), y = numbers(b);
    for (std::size_t j = 0; j < x.size(); ++j) sum += x[j] * y[j];
    return sum;
  };
  const double q = product(forward.q, back.dq), k = product(forward.k, back.dk);
  EXPECT_NEAR(q, k, 10 * rounding() * std::abs(q));
  // The first forget gate has nothing to forget.
  for (const double value : numbers(steps(back.df, 0, 1))) EXPECT_EQ(value, 0.0);
}

TEST_P(MlstmTest, RecordingsAreTheDefinitions) {
  constexpr std::int64_t T = 7;
  const MlstmOptions options{.query_scale = 0.3};
  MlstmForward call = inputs(T, state(20));
  const MlstmForward silent = inputs(T, state(20));
  call.record = {zeros_like(call.i), zeros_like(call.i), Tensor::zeros({B, T, H, K * V}, dtype()),
                 Tensor::zeros({B, T, H, K}, dtype())};
  kernels::mlstm_forward(options, call);
  kernels::mlstm_forward(options, silent);
  expect_same_bits(call.h, silent.h, "h with and without recording");
  expect_same_state(call.last, silent.last);

  const auto q = numbers(call.q), k = numbers(call.k), v = numbers(call.v), i = numbers(call.i),
             f = numbers(call.f), m = numbers(call.m), s = numbers(call.s),
             N = numbers(call.normalizer), h = numbers(call.h),
             input = numbers(call.record.input_gate), forget = numbers(call.record.forget_gate),
             C = numbers(call.record.C), n = numbers(call.record.n), C0 = numbers(call.initial.C),
             n0 = numbers(call.initial.n), m0 = numbers(call.initial.m);
  const double limit = 10 * rounding();
  const auto at = [](const std::vector<double>& x, std::int64_t j) {
    return x[static_cast<std::size_t>(j)];
  };
  for (std::int64_t b = 0; b < B; ++b) {
    for (std::int64_t t = 0; t < T; ++t) {
      for (std::int64_t head = 0; head < H; ++head) {
        const std::int64_t now = (b * T + t) * H + head, before = now - H, own = b * H + head;
        const double m_prev = t > 0 ? at(m, before) : at(m0, own);
        const double a = log_sigmoid(at(f, now)) + m_prev;
        EXPECT_NEAR(at(m, now), std::max(a, at(i, now)), limit);
        EXPECT_NEAR(at(input, now), std::exp(at(i, now) - at(m, now)), limit);
        EXPECT_NEAR(at(forget, now), std::exp(a - at(m, now)), limit);
        double sum = 0.0;
        for (std::int64_t x = 0; x < K; ++x) {
          const double n_prev = t > 0 ? at(n, before * K + x) : at(n0, own * K + x);
          EXPECT_NEAR(at(n, now * K + x),
                      at(forget, now) * n_prev + at(input, now) * at(k, now * K + x), limit);
          sum += options.query_scale * at(q, now * K + x) * at(n, now * K + x);
        }
        EXPECT_NEAR(at(s, now), sum, limit);
        EXPECT_NEAR(at(N, now), std::max(std::abs(at(s, now)), std::exp(-at(m, now))), limit);
        for (std::int64_t y = 0; y < V; ++y) {
          double read = 0.0;
          for (std::int64_t x = 0; x < K; ++x) {
            const std::int64_t entry = x * V + y;
            const double C_prev =
                t > 0 ? at(C, before * K * V + entry) : at(C0, own * K * V + entry);
            EXPECT_NEAR(
                at(C, now * K * V + entry),
                at(forget, now) * C_prev + at(input, now) * at(k, now * K + x) * at(v, now * V + y),
                limit);
            read += options.query_scale * at(q, now * K + x) * at(C, now * K * V + entry);
          }
          EXPECT_NEAR(at(h, now * V + y), read / (at(N, now) + options.eps), limit);
        }
      }
    }
  }
  expect_same_bits(call.last.C, steps(call.record.C, T - 1, T).reshape({B, H, K, V}), "last C");
  expect_same_bits(call.last.n, steps(call.record.n, T - 1, T).reshape({B, H, K}), "last n");
  expect_same_bits(call.last.m, steps(call.m, T - 1, T).reshape({B, H}), "last m");
}

TEST_P(MlstmTest, ExtremeGatesStayFinite) {
  constexpr std::int64_t T = 9;
  const auto check_gates = [&](const MlstmForward& call, const std::string& what) {
    for (const bool given : {false, true}) {
      for (const bool constant : {false, true}) {
        const MlstmOptions options{.query_scale = 0.4, .constant_denominator = constant};
        MlstmForward forward = call;
        if (given) forward.initial = state(20);
        kernels::mlstm_forward(options, forward);
        expect_finite({forward.h, forward.m, forward.s, forward.normalizer, forward.last.C,
                       forward.last.n, forward.last.m},
                      what);
        const MlstmBackward back =
            mlstm_way_back(forward, uniform(forward.h.shape(), dtype(), -1.0, 1.0, 30),
                           given ? state(40) : MlstmState{});
        kernels::mlstm_backward(options, back);
        expect_finite({back.dq, back.dk, back.dv, back.di, back.df, back.dinitial.C,
                       back.dinitial.n, back.dinitial.m},
                      what);
      }
    }
  };
  for (const double i : kGrid) {
    for (const double f : kGrid) {
      const MlstmForward call = inputs(T);
      fill(call.i, i);
      fill(call.f, f);
      check_gates(call, fmt::format("i = {}, f = {}", i, f));
    }
  }
  Random random(5);
  for (int round = 0; round < 100; ++round) {
    const MlstmForward call = inputs(T);
    for (const Tensor* gate : {&call.i, &call.f}) {
      std::vector<double> values;
      for (std::int64_t j = 0; j < gate->elements(); ++j) {
        values.push_back(kGrid[static_cast<std::size_t>(12.0 * random.uniform())]);
      }
      gate->copy_from(Tensor::from<double>(gate->shape(), values, dtype()));
    }
    check_gates(call, "random gates, round " + std::to_string(round));
  }
}

TEST_P(MlstmTest, LimitsOfTheGates) {
  const auto run = [&](double i, double f) {
    const MlstmForward call = inputs(6);
    fill(call.i, i);
    fill(call.f, f);
    // The query that follows a key reads it with weight 1.
    call.q.copy_from(call.k);
    kernels::mlstm_forward({.eps = 0.0}, call);
    return call;
  };
  // Nothing is ever written: nothing is read.
  for (const double f : kGrid) {
    for (const double value : numbers(run(-1e4, f).h)) EXPECT_EQ(value, 0.0) << f;
  }
  // Every step wipes out what was before: the value comes back as it was.
  for (const double i : {50.0, 1e4}) {
    const MlstmForward call = run(i, -1e4);
    expect_near(call.h, call.v, rounding(), "h");
  }
  // Far from 0 the same gates everywhere cancel in h: only their differences count.
  const MlstmForward far = run(1e4, 1e4), near = run(1e3, 1e3);
  expect_near(far.h, near.h, rounding(), "h");
}

TEST_P(MlstmTest, NoNumberIsNotHidden) {
  for (const int which : {0, 1, 2, 3, 4}) {
    const MlstmForward call = inputs(4);
    const Tensor* in[] = {&call.q, &call.k, &call.v, &call.i, &call.f};
    const Tensor wide = in[which]->to(DType::f64);
    wide.span<double>()[0] = std::numeric_limits<double>::quiet_NaN();
    in[which]->copy_from(wide.to(dtype()));
    kernels::mlstm_forward({}, call);
    EXPECT_TRUE(std::isnan(numbers(call.h)[0])) << which;
  }
}

TEST_P(MlstmTest, RefusesWhatDoesNotFit) {
  const auto refusal = [&](auto&& change) {
    MlstmForward call = inputs(3, state(20));
    change(call);
    return complaint([&] { kernels::mlstm_forward({}, call); });
  };
  EXPECT_EQ(refusal([](MlstmForward&) {}), kFine);
  expect_refusal(refusal([](MlstmForward& c) { c.q = {}; }), "[mlstm]");
  expect_refusal(refusal([&](MlstmForward& c) {
                   c.k = Tensor::zeros({B, 3, H, K + 1}, dtype());
                 }),
                 "k has shape (2, 3, 3, 22), but (2, 3, 3, 21)");
  expect_refusal(refusal([](MlstmForward& c) { c.v = {}; }), "[mlstm]");
  expect_refusal(refusal([](MlstmForward& c) { c.initial.n = {}; }), "initial state");
  expect_refusal(refusal([](MlstmForward& c) { c.last = {}; }), "last state");
  expect_refusal(refusal([](MlstmForward& c) { c.last.n = c.initial.n; }), "overwrite");
  expect_refusal(refusal([](MlstmForward& c) { c.s = {}; }), "missing");
  expect_refusal(refusal([&](MlstmForward& c) {
                   c.f =
                       Tensor::zeros(c.f.shape(), dtype() == DType::f32 ? DType::f64 : DType::f32);
                 }),
                 "f holds");
  expect_refusal(refusal([](MlstmForward& c) { c.record.C = zeros_like(c.h); }), "recorded C");
  expect_refusal(refusal([&](MlstmForward& c) {
                   c.q = Tensor::zeros({B, 0, H, K}, dtype());
                 }),
                 "time 0");

  const MlstmForward forward = inputs(3);
  kernels::mlstm_forward({}, forward);
  const auto back_refusal = [&](auto&& change) {
    MlstmBackward back = mlstm_way_back(forward, zeros_like(forward.h));
    change(back);
    return complaint([&] { kernels::mlstm_backward({}, back); });
  };
  EXPECT_EQ(back_refusal([](MlstmBackward&) {}), kFine);
  expect_refusal(back_refusal([](MlstmBackward& b) { b.dh = {}; }), "dh");
  expect_refusal(back_refusal([](MlstmBackward& b) { b.df = {}; }), "df");
  expect_refusal(back_refusal([&](MlstmBackward& b) { b.dlast.C = zeros_like(forward.last.C); }),
                 "last n");
}

INSTANTIATE_TEST_SUITE_P(Cells, MlstmTest, testing::Values(DType::f32, DType::f64),
                         [](const auto& info) { return name_of(info.param); });

// ---------------------------------------------------------------- sLSTM

class SlstmTest : public CellTest {
 protected:
  static constexpr std::int64_t B = 5, H = 2, D = 3;

  SlstmState state(std::uint64_t seed) const {
    return {uniform({B, H, D}, dtype(), -1.0, 1.0, seed),
            uniform({B, H, D}, dtype(), -1.0, 1.0, seed + 1),
            uniform({B, H, D}, dtype(), 1.0, 2.0, seed + 2),
            uniform({B, H, D}, dtype(), -1.0, 1.0, seed + 3)};
  }
  SlstmForward inputs(std::int64_t T, const SlstmState& initial = {}, const Tensor& clamp = {},
                      double spread = 2.0) const {
    return slstm_call(uniform({B, T, 4, H * D}, dtype(), -spread, spread, 1),
                      uniform({H, 4 * D, D}, dtype(), -1.0, 1.0, 2),
                      uniform({4 * H * D}, dtype(), -1.0, 1.0, 3), initial, clamp);
  }
  static SlstmForward part(const SlstmForward& all, std::int64_t begin, std::int64_t end,
                           const SlstmState& initial) {
    return slstm_call(steps(all.wx, begin, end), all.r, all.b, initial,
                      all.clamp ? steps(all.clamp, begin, end) : Tensor());
  }
  Tensor no_clamp(std::int64_t T) const {
    const Tensor clamp = Tensor::empty({B, T, 4, H * D}, dtype());
    fill(clamp, std::numeric_limits<double>::quiet_NaN());
    return clamp;
  }
  /// Sets one number of a tensor.
  static void set(const Tensor& t, std::int64_t at, double value) {
    const Tensor wide = t.to(DType::f64);
    wide.span<double>()[static_cast<std::size_t>(at)] = value;
    t.copy_from(wide.to(t.dtype()));
  }
};

TEST_P(SlstmTest, CutSequencesCarryOn) {
  constexpr std::int64_t T = 23, cut = 9;
  const SlstmForward whole = inputs(T);
  kernels::slstm_forward({}, whole);
  const SlstmForward first = part(whole, 0, cut, {});
  kernels::slstm_forward({}, first);
  const SlstmForward second = part(whole, cut, T, first.last);
  kernels::slstm_forward({}, second);
  expect_same_bits(first.y, steps(whole.y, 0, cut), "y of the first part");
  expect_same_bits(second.y, steps(whole.y, cut, T), "y of the second part");
  expect_same_bits(second.last.y, whole.last.y, "y");
  expect_same_bits(second.last.c, whole.last.c, "c");
  expect_same_bits(second.last.n, whole.last.n, "n");
  expect_same_bits(second.last.m, whole.last.m, "m");

  SlstmState carried;
  for (std::int64_t t = 0; t < T; ++t) {
    const SlstmForward step = part(whole, t, t + 1, carried);
    kernels::slstm_forward({}, step);
    expect_near(step.y, steps(whole.y, t, t + 1), rounding(), "y of step " + std::to_string(t));
    carried = step.last;
  }
}

TEST_P(SlstmTest, GradientsPassThroughACut) {
  constexpr std::int64_t T = 11, cut = 6;
  const SlstmForward whole = inputs(T, state(20));
  kernels::slstm_forward({}, whole);
  const Tensor dy = uniform(whole.y.shape(), dtype(), -1.0, 1.0, 30);
  const SlstmBackward expected = slstm_way_back(whole, dy);
  kernels::slstm_backward({}, expected);

  const SlstmForward first = part(whole, 0, cut, whole.initial);
  kernels::slstm_forward({}, first);
  const SlstmForward second = part(whole, cut, T, first.last);
  kernels::slstm_forward({}, second);
  const SlstmBackward late = slstm_way_back(second, steps(dy, cut, T));
  kernels::slstm_backward({}, late);
  SlstmBackward early = slstm_way_back(first, steps(dy, 0, cut), late.dinitial);
  // Weights collect what both parts say about them.
  early.dr = late.dr;
  early.db = late.db;
  kernels::slstm_backward({}, early);
  const double tolerance = rounding();
  expect_near(early.dwx, steps(expected.dwx, 0, cut), tolerance, "dwx");
  expect_near(late.dwx, steps(expected.dwx, cut, T), tolerance, "dwx, late");
  expect_near(early.dr, expected.dr, tolerance, "dr");
  expect_near(early.db, expected.db, tolerance, "db");
  expect_near(early.dinitial.y, expected.dinitial.y, tolerance, "dy0");
  expect_near(early.dinitial.c, expected.dinitial.c, tolerance, "dc0");
  expect_near(early.dinitial.n, expected.dinitial.n, tolerance, "dn0");
  expect_near(early.dinitial.m, expected.dinitial.m, tolerance, "dm0");
}

TEST_P(SlstmTest, GradientsAreAdded) {
  const SlstmForward forward = inputs(5, state(20));
  kernels::slstm_forward({}, forward);
  const Tensor dy = uniform(forward.y.shape(), dtype(), -1.0, 1.0, 30);
  const SlstmBackward once = slstm_way_back(forward, dy), twice = slstm_way_back(forward, dy);
  kernels::slstm_backward({}, once);
  kernels::slstm_backward({}, twice);
  kernels::slstm_backward({}, twice);
  const std::vector<Tensor> single{once.dwx,        once.dr,         once.db,
                                   once.dinitial.y, once.dinitial.c, once.dinitial.n,
                                   once.dinitial.m};
  const std::vector<Tensor> twofold{twice.dwx,        twice.dr,         twice.db,
                                    twice.dinitial.y, twice.dinitial.c, twice.dinitial.n,
                                    twice.dinitial.m};
  for (std::size_t j = 0; j < single.size(); ++j) {
    const std::vector<double> a = numbers(single[j]), b = numbers(twofold[j]);
    for (std::size_t e = 0; e < a.size(); ++e) EXPECT_NEAR(2.0 * a[e], b[e], rounding()) << j;
  }
}

TEST_P(SlstmTest, ShiftedInputGatesChangeNothing) {
  constexpr std::int64_t T = 12;
  const SlstmForward expected = inputs(T);
  kernels::slstm_forward({}, expected);
  for (const double shift : {-7.0, 3.5, 40.0}) {
    const SlstmForward shifted = inputs(T);
    const Tensor wide = shifted.wx.to(DType::f64);
    for (std::int64_t row = 0; row < B * T; ++row) {
      for (std::int64_t unit = 0; unit < H * D; ++unit) {
        wide.span<double>()[static_cast<std::size_t>(row * 4 * H * D + unit)] += shift;
      }
    }
    shifted.wx.copy_from(wide.to(dtype()));
    kernels::slstm_forward({}, shifted);
    expect_near(shifted.y, expected.y, 10 * rounding(), "y");
  }
}

TEST_P(SlstmTest, NormalizerAndOutputStayInBounds) {
  const SlstmForward call = inputs(50, {}, {}, 8.0);
  kernels::slstm_forward({}, call);
  // One of both gates is 1, and n was 1 after the first step.
  for (const double n : numbers(call.saved.n)) EXPECT_GE(n, 1.0);
  for (const double y : numbers(call.y)) EXPECT_LT(std::abs(y), 1.0);
}

TEST_P(SlstmTest, RecordingsAreTheDefinitions) {
  constexpr std::int64_t T = 7;
  SlstmForward call = inputs(T, state(20));
  // One unit remembers nothing: its first step forgets nothing and has m = i.
  set(call.initial.n, 4, 0.0);
  call.record = {zeros_like(call.wx), zeros_like(call.y), zeros_like(call.y),
                 zeros_like(call.y),  zeros_like(call.y), zeros_like(call.y)};
  kernels::slstm_forward({}, call);
  expect_same_bits(call.record.pre, call.saved.pre, "pre");
  expect_same_bits(call.record.m, call.saved.m, "m");

  const auto wx = numbers(call.wx), r = numbers(call.r), bias = numbers(call.b),
             pre = numbers(call.record.pre), input = numbers(call.record.input_gate),
             forget = numbers(call.record.forget_gate), c = numbers(call.record.c),
             n = numbers(call.record.n), m = numbers(call.record.m), y = numbers(call.y),
             y0 = numbers(call.initial.y), c0 = numbers(call.initial.c),
             n0 = numbers(call.initial.n), m0 = numbers(call.initial.m);
  const auto at = [](const std::vector<double>& x, std::int64_t j) {
    return x[static_cast<std::size_t>(j)];
  };
  const double limit = 10 * rounding();
  for (std::int64_t b = 0; b < B; ++b) {
    for (std::int64_t t = 0; t < T; ++t) {
      for (std::int64_t unit = 0; unit < H * D; ++unit) {
        const std::int64_t now = (b * T + t) * H * D + unit, before = now - H * D;
        const std::int64_t own = b * H * D + unit, head = unit / D;
        double gates[4];
        for (std::int64_t gate = 0; gate < 4; ++gate) {
          const std::int64_t place = ((b * T + t) * 4 + gate) * H * D + unit;
          gates[gate] = at(pre, place);
          double expected = at(wx, place) + at(bias, gate * H * D + unit);
          for (std::int64_t from = 0; from < D; ++from) {
            const double y_prev = t > 0 ? at(y, before - unit + head * D + from)
                                        : at(y0, own - unit + head * D + from);
            expected += at(r, ((head * 4 + gate) * D + unit % D) * D + from) * y_prev;
          }
          EXPECT_NEAR(gates[gate], expected, limit);
        }
        const double c_prev = t > 0 ? at(c, before) : at(c0, own);
        const double n_prev = t > 0 ? at(n, before) : at(n0, own);
        const double a = log_sigmoid(gates[1]) + (t > 0 ? at(m, before) : at(m0, own));
        const bool first = n_prev == 0.0;
        EXPECT_EQ(first, t == 0 && own == 4);
        EXPECT_NEAR(at(m, now), first ? gates[0] : std::max(gates[0], a), limit);
        EXPECT_NEAR(at(input, now), std::exp(gates[0] - at(m, now)), limit);
        EXPECT_NEAR(at(forget, now), first ? 0.0 : std::exp(a - at(m, now)), limit);
        EXPECT_NEAR(at(c, now), at(forget, now) * c_prev + at(input, now) * std::tanh(gates[2]),
                    limit);
        EXPECT_NEAR(at(n, now), at(forget, now) * n_prev + at(input, now), limit);
        EXPECT_NEAR(at(y, now), sigmoid(gates[3]) * at(c, now) / at(n, now), limit);
      }
    }
  }
  expect_same_bits(call.last.y, steps(call.y, T - 1, T).reshape({B, H, D}), "last y");
  expect_same_bits(call.last.c, steps(call.record.c, T - 1, T).reshape({B, H, D}), "last c");
  expect_same_bits(call.last.n, steps(call.record.n, T - 1, T).reshape({B, H, D}), "last n");
  expect_same_bits(call.last.m, steps(call.record.m, T - 1, T).reshape({B, H, D}), "last m");
}

TEST_P(SlstmTest, ClampReplacesAPreactivation) {
  constexpr std::int64_t T = 6;
  const SlstmForward free = inputs(T), unbound = inputs(T, {}, no_clamp(T));
  kernels::slstm_forward({}, free);
  kernels::slstm_forward({}, unbound);
  expect_same_bits(unbound.y, free.y, "y without a number in the clamp");

  // Step 2, forget gate, unit 1 of sequence 3.
  const std::int64_t place = ((3 * T + 2) * 4 + 1) * H * D + 1;
  const SlstmForward same = inputs(T, {}, no_clamp(T));
  set(same.clamp, place, numbers(free.saved.pre)[static_cast<std::size_t>(place)]);
  kernels::slstm_forward({}, same);
  expect_same_bits(same.y, free.y, "y clamped to what it would have been");

  const SlstmForward clamped = inputs(T, {}, no_clamp(T));
  set(clamped.clamp, place, -6.0);
  kernels::slstm_forward({}, clamped);
  EXPECT_EQ(numbers(clamped.saved.pre)[static_cast<std::size_t>(place)], -6.0);
  EXPECT_GT(std::abs(numbers(clamped.y)[static_cast<std::size_t>((3 * T + 2) * H * D + 1)] -
                     numbers(free.y)[static_cast<std::size_t>((3 * T + 2) * H * D + 1)]),
            1e-3);
  expect_same_bits(steps(clamped.y, 0, 2), steps(free.y, 0, 2), "y before the clamp");
  expect_same_bits(clamped.y.slice(0, 3), free.y.slice(0, 3), "y of other sequences");

  const SlstmBackward back =
      slstm_way_back(clamped, uniform(clamped.y.shape(), dtype(), -1.0, 1.0, 30));
  kernels::slstm_backward({}, back);
  const std::vector<double> dwx = numbers(back.dwx);
  EXPECT_EQ(dwx[static_cast<std::size_t>(place)], 0.0);
  EXPECT_NE(dwx[static_cast<std::size_t>(place) + 1], 0.0);
}

TEST_P(SlstmTest, ExtremeGatesStayFinite) {
  constexpr std::int64_t T = 9;
  const auto check_gates = [&](const SlstmForward& call, const std::string& what) {
    for (const bool given : {false, true}) {
      SlstmForward forward = call;
      if (given) forward.initial = state(20);
      kernels::slstm_forward({}, forward);
      expect_finite(
          {forward.y, forward.saved.pre, forward.saved.c, forward.saved.n, forward.saved.m,
           forward.last.y, forward.last.c, forward.last.n, forward.last.m},
          what);
      const SlstmBackward back =
          slstm_way_back(forward, uniform(forward.y.shape(), dtype(), -1.0, 1.0, 30),
                         given ? state(40) : SlstmState{});
      kernels::slstm_backward({}, back);
      expect_finite({back.dwx, back.dr, back.db, back.dinitial.y, back.dinitial.c, back.dinitial.n,
                     back.dinitial.m},
                    what);
    }
  };
  Random random(6);
  const auto drawn = [&] { return kGrid[static_cast<std::size_t>(12.0 * random.uniform())]; };
  const auto set_gates = [&](const SlstmForward& call, auto&& input, auto&& forget) {
    const Tensor wide = call.wx.to(DType::f64);
    for (std::int64_t row = 0; row < B * T; ++row) {
      for (std::int64_t unit = 0; unit < H * D; ++unit) {
        const auto place = static_cast<std::size_t>(row * 4 * H * D + unit);
        wide.span<double>()[place] = input();
        wide.span<double>()[place + H * D] = forget();
      }
    }
    call.wx.copy_from(wide.to(dtype()));
  };
  for (const double i : kGrid) {
    for (const double f : kGrid) {
      const SlstmForward call = inputs(T);
      set_gates(
          call, [&] { return i; }, [&] { return f; });
      check_gates(call, fmt::format("i = {}, f = {}", i, f));
    }
  }
  for (int round = 0; round < 100; ++round) {
    const SlstmForward call = inputs(T);
    set_gates(call, drawn, drawn);
    check_gates(call, "random gates, round " + std::to_string(round));
  }
}

TEST_P(SlstmTest, LimitsOfTheGates) {
  // Input gates that rise without bound let only the newest value count.
  constexpr std::int64_t T = 5;
  const SlstmForward call = inputs(T, {}, no_clamp(T));
  const Tensor clamp = call.clamp.to(DType::f64);
  for (std::int64_t b = 0; b < B; ++b) {
    for (std::int64_t t = 0; t < T; ++t) {
      for (std::int64_t unit = 0; unit < H * D; ++unit) {
        clamp.span<double>()[static_cast<std::size_t>((b * T + t) * 4 * H * D + unit)] =
            200.0 * static_cast<double>(t);
      }
    }
  }
  call.clamp.copy_from(clamp.to(dtype()));
  kernels::slstm_forward({}, call);
  const std::vector<double> pre = numbers(call.saved.pre), y = numbers(call.y);
  for (std::int64_t row = 0; row < B * T; ++row) {
    for (std::int64_t unit = 0; unit < H * D; ++unit) {
      const auto place = static_cast<std::size_t>((row * 4 + 2) * H * D + unit);
      EXPECT_NEAR(y[static_cast<std::size_t>(row * H * D + unit)],
                  std::tanh(pre[place]) * sigmoid(pre[place + H * D]), rounding());
    }
  }
}

TEST_P(SlstmTest, NoNumberIsNotHidden) {
  for (const std::int64_t gate : {0, 1, 2, 3}) {
    const SlstmForward call = inputs(4);
    set(call.wx, (4 + gate) * H * D, std::numeric_limits<double>::quiet_NaN());
    kernels::slstm_forward({}, call);
    EXPECT_TRUE(std::isnan(numbers(call.y)[H * D])) << gate;
  }
}

TEST_P(SlstmTest, RefusesWhatDoesNotFit) {
  const auto refusal = [&](auto&& change) {
    SlstmForward call = inputs(3, state(20));
    change(call);
    return complaint([&] { kernels::slstm_forward({}, call); });
  };
  EXPECT_EQ(refusal([](SlstmForward&) {}), kFine);
  expect_refusal(refusal([](SlstmForward& c) { c.wx = {}; }), "[slstm]");
  expect_refusal(refusal([](SlstmForward& c) { c.y = {}; }), "[slstm]");
  expect_refusal(refusal([&](SlstmForward& c) {
                   c.r = Tensor::zeros({H, D, 4 * D}, dtype());
                 }),
                 "r has shape (2, 3, 12), but (2, 12, 3)");
  expect_refusal(refusal([](SlstmForward& c) { c.b = {}; }), "missing");
  expect_refusal(refusal([](SlstmForward& c) { c.clamp = zeros_like(c.y); }), "clamp");
  expect_refusal(refusal([](SlstmForward& c) { c.initial.m = {}; }), "initial state");
  expect_refusal(refusal([](SlstmForward& c) { c.last = {}; }), "last state");
  expect_refusal(refusal([](SlstmForward& c) { c.last.c = c.initial.c; }), "overwrite");
  expect_refusal(refusal([](SlstmForward& c) { c.record.n = zeros_like(c.b); }), "recorded");

  const SlstmForward forward = inputs(3);
  kernels::slstm_forward({}, forward);
  const auto back_refusal = [&](auto&& change) {
    SlstmBackward back = slstm_way_back(forward, zeros_like(forward.y));
    change(back);
    return complaint([&] { kernels::slstm_backward({}, back); });
  };
  EXPECT_EQ(back_refusal([](SlstmBackward&) {}), kFine);
  expect_refusal(back_refusal([](SlstmBackward& b) { b.forward.saved = {}; }), "saved");
  expect_refusal(back_refusal([](SlstmBackward& b) { b.dr = {}; }), "dr");
  expect_refusal(back_refusal([&](SlstmBackward& b) { b.dlast.y = zeros_like(forward.last.y); }),
                 "gradient of the last state");
}

INSTANTIATE_TEST_SUITE_P(Cells, SlstmTest, testing::Values(DType::f32, DType::f64),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace xlab::tests
