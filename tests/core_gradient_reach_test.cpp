// How far back a gradient reaches, against central differences in double precision.
#include "core/training/gradient_reach.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/ops.hpp"
#include "core/scan_watch.hpp"
#include "core/training/memory_gradient.hpp"
#include "kernels/random.hpp"
#include "tests/complaint.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

using testing::HasSubstr;

constexpr int kTokens = 7;
constexpr double kStep = 1e-6;

/// -log p(target) after the last of these tokens, read one by one from a state before token
/// `first`.
double loss_from(const Model& model, const ReachReport& asked, int first, State state,
                 std::vector<std::shared_ptr<TokenTrace>>* traces = nullptr,
                 std::vector<State>* states = nullptr) {
  std::vector<double> logits;
  for (int t = first; t < static_cast<int>(asked.tokens.size()); ++t) {
    const auto trace = std::make_shared<TokenTrace>();
    const Observer observer{.trace = trace.get(), .clamps = asked.clamps, .step = t};
    Tape tape(Tape::Mode::inference, &observer);
    const std::int32_t id[] = {asked.tokens[static_cast<std::size_t>(t)]};
    State after;
    const Var out = model.forward(tape, Tensor::from<std::int32_t>({1, 1}, id), state, after);
    state = after;
    const std::span<double> row = tape.value(out).span<double>();
    logits.assign(row.begin(), row.end());
    if (traces) traces->push_back(trace);
    if (states) states->push_back(state);
  }
  double total = 0.0;
  for (const double x : logits) total += std::exp(x);
  return std::log(total) - logits[static_cast<std::size_t>(asked.target)];
}

/// The state with one number of one tensor of one block moved.
State moved(const State& state, int block, const std::string& name, std::int64_t at, double by) {
  State other = state;
  CellState cell;
  for (const auto& [key, tensor] : state.cells[static_cast<std::size_t>(block)].tensors()) {
    Tensor copy = tensor.clone();
    if (key == name) copy.data<double>()[at] += by;
    cell.set(key, copy);
  }
  other.cells[static_cast<std::size_t>(block)] = cell;
  return other;
}

struct Case {
  Model model;
  ReachReport report;
  std::vector<std::shared_ptr<TokenTrace>> traces;
  std::vector<State> states;  ///< after every token
};

Case computed(const ModelSpec& spec, int block, int head, std::vector<Clamp> clamps = {},
              int count = kTokens) {
  Case made{filled_model(spec, DType::f64, 3), {}, {}, {}};
  made.report.tokens = some_tokens(count, spec.vocab_size, 5);
  made.report.block = block;
  made.report.head = head;
  made.report.target = 2;
  made.report.clamps = std::move(clamps);
  compute_reach(made.model, made.report);
  EXPECT_NEAR(made.report.loss,
              loss_from(made.model, made.report, 0, State{}, &made.traces, &made.states), 1e-9);
  return made;
}

/// log f_t of a unit, as the block takes it.
double log_forget(const Case& of, int t, int head, int unit) {
  const BlockCard card = of.model.cards()[static_cast<std::size_t>(of.report.block)];
  const double pre = of.traces[static_cast<std::size_t>(t)]
                         ->find(card.path("forget_gate_pre"))
                         ->at(head, card.has_matrix ? 0 : unit);
  if (card.variant.forget_gate == ForgetGate::exponential) return pre;
  return -std::log1p(std::exp(-pre));
}

/// log |d loss / d state_t| in the units of the last step, from differences of what is carried from
/// step t - 1 into t: d loss / d state_t is that, divided by the forget gate of t.
double by_differences(const Case& of, int t, int head) {
  const int block = of.report.block;
  const BlockCard card = of.model.cards()[static_cast<std::size_t>(block)];
  const State& before = of.states[static_cast<std::size_t>(t - 1)];
  const CellState& cell = before.cells[static_cast<std::size_t>(block)];
  const CellState& last = of.states.back().cells[static_cast<std::size_t>(block)];
  double sum = 0.0;
  for (const char* name : {"C", "n", "c"}) {
    const Tensor value = cell.get(name);
    if (!value.defined()) continue;
    const std::int64_t size = value.elements() / card.heads;
    for (std::int64_t j = 0; j < size; ++j) {
      const std::int64_t at = head * size + j;
      const double up = loss_from(of.model, of.report, t, moved(before, block, name, at, kStep));
      const double down = loss_from(of.model, of.report, t, moved(before, block, name, at, -kStep));
      const std::int64_t scale = card.has_matrix ? head : at;
      const double m = cell.get("m").defined() ? last.get("m").data<double>()[scale] -
                                                     cell.get("m").data<double>()[scale]
                                               : 0.0;
      const double forget = log_forget(of, t, head, static_cast<int>(j));
      const double slope = (up - down) / (2.0 * kStep) * std::exp(m - forget);
      sum += slope * slope;
    }
  }
  return 0.5 * std::log(sum);
}

double at(const std::vector<double>& sizes, const ReachReport& report, int head, int t) {
  return sizes[static_cast<std::size_t>(head) * report.tokens.size() + static_cast<std::size_t>(t)];
}

TEST(GradientReach, OfTheStatesIsWhatDifferencesSayWhateverTheEquations) {
  for (const auto& [name, spec] : small_models()) {
    for (int block = 0; block < spec.num_blocks; ++block) {
      const Case of = computed(spec, block, 0);
      for (const int t : {1, 3, kTokens - 1}) {
        const int head = of.report.heads - 1;
        const double wanted = by_differences(of, t, head),
                     got = at(of.report.memory, of.report, head, t);
        // Differences say nothing of what is smaller than their rounding.
        if (wanted < -16.0) {
          EXPECT_LT(got, -13.0) << name << " block " << block << " step " << t;
          continue;
        }
        EXPECT_NEAR(got, wanted, 2e-4 + 1e-9 * std::exp(-wanted))
            << name << " block " << block << " step " << t;
      }
    }
  }
}

/// Clamps that hold something of every kind over a part of the sequence.
std::vector<Clamp> some_clamps(const std::string& prefix) {
  return {{.path = prefix + "/forget_gate_pre",
           .head = 0,
           .unit = 0,
           .begin = 2,
           .end = 5,
           .value = -0.7f},
          {.path = prefix + "/input_gate_pre",
           .head = 1,
           .unit = 0,
           .begin = 1,
           .end = 4,
           .value = 0.9f},
          {.path = prefix + "/forget_gate_pre",
           .head = 1,
           .unit = 0,
           .begin = 3,
           .end = 9,
           .value = 1.5f},
          {.path = prefix + "/input_gate_pre",
           .head = 0,
           .unit = 0,
           .begin = 0,
           .end = 7,
           .value = 5.0f,
           .enabled = false}};
}

TEST(GradientReach, WhatIsHeldByHandIsHeldAndPassesNoGradient) {
  for (const ModelSpec& spec : {small_mlstm(), small_slstm(), small_large()}) {
    const std::string prefix = Model(spec, DType::f64).cards()[0].prefix;
    const Case held = computed(spec, 0, 1, some_clamps(prefix)), free = computed(spec, 0, 1);
    EXPECT_NE(held.report.loss, free.report.loss);
    for (const int t : {1, 4, 6})
      EXPECT_NEAR(at(held.report.memory, held.report, 1, t), by_differences(held, t, 1), 1e-3)
          << prefix << " step " << t;
  }
}

/// What the head puts out last when the block reads these numbers.
std::vector<double> h_of(const Case& of, const Tensor& x) {
  const BlockCard card = of.model.cards()[static_cast<std::size_t>(of.report.block)];
  ScanWatch watch;
  watch.prefix = card.prefix;
  const Observer observer{.clamps = of.report.clamps, .scan = &watch};
  Tape tape(Tape::Mode::gradient, &observer);
  of.model.cell_of(tape, of.report.block, tape.constant(x));
  const std::span<double> h = tape.value(watch.h).span<double>();
  const auto dim = static_cast<std::size_t>(card.value_dim);
  const std::size_t first = h.size() - dim * static_cast<std::size_t>(card.heads - of.report.head);
  return {h.begin() + static_cast<std::ptrdiff_t>(first),
          h.begin() + static_cast<std::ptrdiff_t>(first + dim)};
}

TEST(GradientReach, OfWhatIsPutOutByWhatIsReadIsWhatDifferencesSay) {
  for (const auto& [name, spec] : small_models()) {
    const int block = spec.num_blocks - 1;
    std::vector<Clamp> clamps;
    if (name == "mlstm" || name == "slstm" || name == "large")
      clamps = some_clamps(Model(spec, DType::f64).cards()[static_cast<std::size_t>(block)].prefix);
    const Case of = computed(spec, block, 0, clamps);
    ScanWatch watch;
    watch.prefix = of.model.cards()[static_cast<std::size_t>(block)].prefix;
    const Observer observer{.clamps = of.report.clamps, .scan = &watch};
    Tape tape(Tape::Mode::gradient, &observer);
    State after;
    const std::vector<std::int32_t> ids(of.report.tokens.begin(), of.report.tokens.end());
    of.model.forward(tape, Tensor::from<std::int32_t>({1, kTokens}, ids), State{}, after);
    const Tensor x = tape.value(watch.input);
    EXPECT_EQ(of.report.outputs, of.report.all_outputs);
    for (const int t : {0, 2, kTokens - 1}) {
      double sum = 0.0;
      for (std::int64_t d = 0; d < x.extent(2); ++d) {
        Tensor up = x.clone(), down = x.clone();
        up.data<double>()[t * x.extent(2) + d] += kStep;
        down.data<double>()[t * x.extent(2) + d] -= kStep;
        const std::vector<double> a = h_of(of, up), b = h_of(of, down);
        for (std::size_t u = 0; u < a.size(); ++u)
          sum += (a[u] - b[u]) * (a[u] - b[u]) / (4.0 * kStep * kStep);
      }
      EXPECT_NEAR(of.report.input[static_cast<std::size_t>(t)], 0.5 * std::log(sum), 1e-5)
          << name << " step " << t;
    }
  }
}

/// One mLSTM block whose forget gates are all the same.
ModelSpec one_block() {
  ModelSpec spec = small_mlstm();
  spec.num_blocks = 1;
  return spec;
}

std::vector<Clamp> forget_everywhere(float value) {
  std::vector<Clamp> clamps;
  for (int head = 0; head < 2; ++head)
    clamps.push_back(
        {.path = "block0/mlstm/forget_gate_pre", .head = head, .end = 1000, .value = value});
  return clamps;
}

TEST(GradientReach, InASingleBlockTheMemoryIsTheOnlyWayAndKeepsTheProductOfTheForgetGates) {
  for (const auto& [pre, kept] : {std::pair{3.0f, 0.0077606}, std::pair{6.0f, 0.7806967}}) {
    const Case of = computed(one_block(), 0, 0, forget_everywhere(pre), 101);
    for (int head = 0; head < 2; ++head) {
      const double end = at(of.report.memory, of.report, head, 100);
      EXPECT_TRUE(std::isfinite(end));
      EXPECT_NEAR(std::exp(at(of.report.memory, of.report, head, 0) - end), kept, 1e-6);
      EXPECT_NEAR(std::exp(at(of.report.alone, of.report, head, 0) - end), kept, 1e-6);
      EXPECT_EQ(at(of.report.output, of.report, head, 99),
                -std::numeric_limits<double>::infinity());
    }
  }
}

TEST(GradientReach, OfALaterBlockOtherWaysAreAdded) {
  const Case of = computed(small_mlstm(), 0, 0);
  EXPECT_GT(std::abs(at(of.report.memory, of.report, 0, 0) - at(of.report.alone, of.report, 0, 0)),
            1e-3);
  // The one behind it has no other.
  const Case last = computed(small_mlstm(), 1, 0);
  for (int t = 0; t < kTokens; ++t)
    EXPECT_NEAR(at(last.report.memory, last.report, 1, t), at(last.report.alone, last.report, 1, t),
                1e-9);
}

TEST(GradientReach, RecurrentWeightsAddOtherWaysToAScalarMemory) {
  ModelSpec spec = small_slstm();
  spec.num_blocks = 1;
  spec.slstm_at = {0};
  for (const auto memory : {kernels::ScalarMemory::slstm, kernels::ScalarMemory::lstm}) {
    spec.slstm->memory = memory;
    const Case of = computed(spec, 0, 0);
    EXPECT_GT(
        std::abs(at(of.report.memory, of.report, 0, 0) - at(of.report.alone, of.report, 0, 0)),
        1e-3);
    // What R carries back, where nothing else reads: h_t of the last block is read at the end
    // alone.
    const State& before = of.states[2];
    double sum = 0.0;
    for (std::int64_t u = 0; u < 4; ++u) {
      const double up = loss_from(of.model, of.report, 3, moved(before, 0, "y", u, kStep));
      const double down = loss_from(of.model, of.report, 3, moved(before, 0, "y", u, -kStep));
      sum += (up - down) * (up - down) / (4.0 * kStep * kStep);
    }
    EXPECT_NEAR(at(of.report.output, of.report, 0, 2), 0.5 * std::log(sum), 1e-4);
    // Without R there is no other way.
    Model plain = filled_model(spec, DType::f64, 3);
    plain
        .params()[plain.params().find(
            "xlstm_block_stack.blocks.0.xlstm.slstm_cell._recurrent_kernel_")]
        .value.fill_zero();
    ReachReport alone = of.report;
    compute_reach(plain, alone);
    for (int t = 0; t < kTokens; ++t)
      EXPECT_NEAR(at(alone.memory, alone, 0, t), at(alone.alone, alone, 0, t), 1e-9);
  }
}

TEST(GradientReach, NothingOverflowsWhereTheScaleOfTheMemoryJumps) {
  std::vector<Clamp> clamps = forget_everywhere(2.0f);
  clamps.push_back(
      {.path = "block0/mlstm/input_gate_pre", .head = 0, .begin = 4, .end = 5, .value = 2000.0f});
  clamps.push_back(
      {.path = "block0/mlstm/input_gate_pre", .head = 0, .begin = 0, .end = 1, .value = -2000.0f});
  const Case of = computed(one_block(), 0, 0, clamps, 8);
  const double end = at(of.report.memory, of.report, 0, 7);
  ASSERT_TRUE(std::isfinite(end));
  for (int t = 0; t < 8; ++t)
    EXPECT_NEAR(at(of.report.memory, of.report, 0, t) - end, (7 - t) * -std::log1p(std::exp(-2.0)),
                1e-9);
}

/// Random numbers of a shape.
Tensor random(const Shape& shape, std::uint64_t stream, double size = 1.0) {
  const Tensor x = Tensor::empty(shape, DType::f64);
  kernels::fill_uniform(x, -size, size, 7, stream);
  return x;
}

TEST(GradientReach, OfTheNormalizerCountsWhereverTheOutputIsNotNormedAfterwards) {
  constexpr std::int64_t T = 5, H = 2, K = 3, V = 4;
  using kernels::DenominatorFloor;
  for (const bool normalize : {true, false}) {
    for (const DenominatorFloor floor : {DenominatorFloor::stabilizer, DenominatorFloor::one}) {
      kernels::MlstmOptions options{.floor = floor, .normalize = normalize};
      options.eps = 0.01;
      kernels::MlstmState initial{random({1, H, K, V}, 1), random({1, H, K}, 2, 3.0),
                                  random({1, H}, 3)};
      const Tensor wanted = random({1, T, H * V}, 4);
      const auto pass = [&](ScanWatch* watch) {
        const Observer observer{.scan = watch};
        Tape tape(Tape::Mode::gradient, &observer);
        const auto in = [&](std::int64_t width, std::uint64_t stream) {
          return tape.constant(random({1, T, width}, stream));
        };
        kernels::MlstmState last;
        const Var h = ops::mlstm(tape, options, H, in(H * K, 5), in(H * K, 6), in(H * V, 7),
                                 in(H, 8), in(H, 9), initial, last);
        if (watch) tape.backward(h, wanted);
        double sum = 0.0;
        for (std::int64_t j = 0; j < wanted.elements(); ++j)
          sum += tape.value(h).data<double>()[j] * wanted.data<double>()[j];
        return sum;
      };
      ScanWatch watch;
      pass(&watch);
      const MemoryGradient found = memory_gradient(watch, H);
      const kernels::MlstmForward& seen = watch.mlstm->forward;
      for (std::int64_t head = 0; head < H; ++head) {
        // What was there before reaches step 0 through its forget gate, in units of its own m.
        double squares = 0.0;
        for (const Tensor& part : {initial.C, initial.n}) {
          const std::int64_t size = part.elements() / H;
          for (std::int64_t j = head * size; j < (head + 1) * size; ++j) {
            double& number = part.data<double>()[j];
            const double before = number;
            number = before + kStep;
            const double up = pass(nullptr);
            number = before - kStep;
            const double slope = (up - pass(nullptr)) / (2.0 * kStep);
            number = before;
            squares += slope * slope;
          }
        }
        const double pre = seen.f.data<double>()[head];
        const double units =
            initial.m.data<double>()[head] - seen.m.data<double>()[(T - 1) * H + head];
        EXPECT_NEAR(found.memory[static_cast<std::size_t>(head * T)],
                    0.5 * std::log(squares) - units + std::log1p(std::exp(-pre)), 1e-6)
            << normalize << ", head " << head;
      }
    }
  }
}

TEST(GradientReach, WhatIsNoNumberIsSaidToBeNone) {
  Model model = filled_model(small_mlstm(), DType::f64, 3);
  model.params().values().data<double>()[0] = std::numeric_limits<double>::quiet_NaN();
  ReachReport report;
  report.tokens = {0, 1, 0, 3};
  report.target = 1;
  compute_reach(model, report);
  for (const double size : report.memory) EXPECT_TRUE(std::isnan(size));
  EXPECT_TRUE(std::isnan(report.input[0]));
}

TEST(GradientReach, WithoutATargetTheLikeliestTokenIsTaken) {
  const Case of = computed(small_mlstm(), 0, 0);
  ReachReport report = of.report;
  report.target = -1;
  compute_reach(of.model, report);
  ASSERT_GE(report.target, 0);
  for (int token = 0; token < 7; ++token) {
    ReachReport other = report;
    other.target = token;
    EXPECT_LE(report.loss, loss_from(of.model, other, 0, State{}) + 1e-12);
  }
}

TEST(GradientReach, ACopyIsInDoublePrecisionAndTheModelStaysAsItIs) {
  Model model = filled_model(small_mixed(), DType::f32, 3);
  CellVariant exact = model.cards()[0].variant;
  exact.number_format = NumberFormat::fp64;
  model.set_variant("mlstm", exact);
  const std::uint64_t before = model.params().signature();
  const std::unique_ptr<Model> copy = copy_for_gradients(model);
  EXPECT_EQ(copy->params().dtype(), DType::f64);
  EXPECT_EQ(copy->cards()[0].variant.number_format, NumberFormat::native);
  ReachReport report;
  report.tokens = {0, 1, 2};
  compute_reach(*copy, report);
  EXPECT_EQ(report.computed_in, "float64");
  EXPECT_EQ(report.state, "C, n");
  EXPECT_EQ(model.params().signature(), before);
  ReachReport single = report;
  compute_reach(model, single);
  EXPECT_EQ(single.computed_in, "float32");
  EXPECT_NEAR(single.memory[0], report.memory[0], 1e-3);
}

TEST(GradientReach, WhatCannotBeToldIsRefusedInWords) {
  Model model = filled_model(small_mixed(), DType::f32);
  CellVariant half = model.cards()[0].variant;
  half.number_format = NumberFormat::bf16;
  model.set_variant("mlstm", half);
  EXPECT_THAT(complaint([&] { copy_for_gradients(model); }),
              HasSubstr("rounding to it has no gradient"));
  const ModelSpec large = small_large();
  const Model read(large, std::vector<DType>(Model::parameters_of(large).size(), DType::f32));
  EXPECT_THAT(complaint([&] { copy_for_gradients(read); }), HasSubstr("only read"));
  ReachReport report;
  EXPECT_THAT(complaint([&] { compute_reach(model, report); }), HasSubstr("no tokens"));
  report.tokens = {1};
  report.block = 3;
  EXPECT_THAT(complaint([&] { compute_reach(model, report); }), HasSubstr("no block 3"));
  report.block = 0;
  report.head = 2;
  EXPECT_THAT(complaint([&] { compute_reach(model, report); }), HasSubstr("no head 2"));
  std::atomic<bool> cancel = true;
  report.head = 0;
  EXPECT_THROW(compute_reach(model, report, &cancel), Cancelled);
}

TEST(GradientReach, LengthsOfVerySmallAndVeryLargeNumbersAreTold) {
  const double tiny[] = {3e-300, 4e-300}, huge[] = {3e300, -4e300}, none[] = {0.0, 0.0};
  EXPECT_NEAR(log_length(tiny), std::log(5.0) - 300 * std::log(10.0), 1e-9);
  EXPECT_NEAR(log_length(huge), std::log(5.0) + 300 * std::log(10.0), 1e-9);
  EXPECT_EQ(log_length(none), -std::numeric_limits<double>::infinity());
  const double logs[] = {-2000.0, -2000.0};
  EXPECT_NEAR(log_length_of_lengths(logs), -2000.0 + 0.5 * std::log(2.0), 1e-9);
}

}  // namespace
}  // namespace xlab::tests
