// Whole models: gradients against central differences, stepping against one pass, and what a
// recording or a clamp does and does not change.
#include "core/model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "core/generation/sequence.hpp"
#include "core/generation/stepper.hpp"
#include "core/live_equation.hpp"
#include "kernels/loss.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

using testing::ElementsAreArray;

Tensor ids_of(const std::vector<int>& tokens, std::int64_t rows = 1) {
  return Tensor::from<std::int32_t>({rows, static_cast<std::int64_t>(tokens.size()) / rows},
                                    tokens);
}

std::vector<double> to_doubles(const Tensor& t) {
  const Tensor wide = t.to(DType::f64);
  return {wide.data<double>(), wide.data<double>() + wide.elements()};
}

/// max |a - b| / max |b|
double distance(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0.0, largest = 1e-300;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double e = std::abs(a[i] - b[i]);
    if (!(e <= worst)) worst = e;
    largest = std::max(largest, std::abs(b[i]));
  }
  return worst / largest;
}

double state_distance(const State& a, const State& b) {
  EXPECT_EQ(a.cells.size(), b.cells.size());
  double worst = 0.0;
  for (std::size_t cell = 0; cell < a.cells.size(); ++cell) {
    EXPECT_EQ(a.cells[cell].tensors().size(), b.cells[cell].tensors().size());
    for (const auto& [name, tensor] : a.cells[cell].tensors()) {
      const Tensor other = b.cells[cell].get(name);
      if (!other.defined()) {
        ADD_FAILURE() << name << " is missing";
        continue;
      }
      EXPECT_EQ(tensor.shape().text(), other.shape().text()) << name;
      worst = std::max(worst, distance(to_doubles(tensor), to_doubles(other)));
    }
  }
  return worst;
}

Tensor logits_of(const Model& model, const Tensor& ids, const State& before, State& after) {
  Tape tape(Tape::Mode::inference);
  return tape.value(model.forward(tape, ids, before, after));
}

class Models : public testing::TestWithParam<std::size_t> {
 protected:
  static ModelSpec spec() { return small_models()[GetParam()].second; }
};

/// Loss of two sequences in which some places ask for nothing.
struct Problem {
  Model model;
  Tensor ids, targets;

  Problem(const ModelSpec& spec, int length)
      : model(filled_model(spec, DType::f64)),
        ids(ids_of(some_tokens(2 * length, spec.vocab_size, 1), 2)),
        targets(ids_of(some_tokens(2 * length, spec.vocab_size, 2), 2)) {
    for (int t = 0; t < 2 * length - 1; t += 3) targets.data<std::int32_t>()[t] = -1;
  }
  double loss() const {
    State after;
    return kernels::cross_entropy(logits_of(model, ids, {}, after), targets, {}, {}).loss;
  }
  void backward() {
    Tape tape(Tape::Mode::gradient);
    State after;
    const Var logits = model.forward(tape, ids, {}, after);
    const Tensor gradient = Tensor::empty(tape.value(logits).shape(), DType::f64);
    kernels::cross_entropy(tape.value(logits), targets, gradient, {});
    model.params().grads().fill_zero();
    tape.backward(logits, gradient);
  }
};

void check_gradients(const ModelSpec& spec, int length) {
  constexpr double kStep = 1e-5;
  constexpr double kTolerance = 5e-6;
  Problem problem(spec, length);
  problem.backward();
  for (std::size_t p = 0; p < problem.model.params().infos().size(); ++p) {
    const ParamInfo& info = problem.model.params().infos()[p];
    const Param& param = problem.model.params()[static_cast<int>(p)];
    const std::vector<double> gradient = to_doubles(param.grad);
    const double largest =
        std::abs(*std::max_element(gradient.begin(), gradient.end(),
                                   [](double a, double b) { return std::abs(a) < std::abs(b); }));
    const std::int64_t size = param.value.elements();
    for (const std::int64_t at : {std::int64_t{0}, size / 3, size / 2, 2 * size / 3, size - 1}) {
      double& x = param.value.data<double>()[at];
      const double kept = x;
      x = kept + kStep;
      const double above = problem.loss();
      x = kept - kStep;
      const double below = problem.loss();
      x = kept;
      const double expected = (above - below) / (2 * kStep);
      EXPECT_NEAR(gradient[static_cast<std::size_t>(at)], expected,
                  kTolerance * std::max(largest, 1e-3))
          << info.name << "[" << at << "], length " << length;
    }
  }
}

TEST_P(Models, GradientsAreThoseOfCentralDifferences) {
  check_gradients(spec(), 1);
  check_gradients(spec(), 7);
}

TEST(ModelGradients, HoldForALongRaggedSequence) {
  check_gradients(small_mixed(), 37);
}

TEST_P(Models, EveryParameterTakesPart) {
  Problem problem(spec(), 9);
  problem.backward();
  for (std::size_t p = 0; p < problem.model.params().infos().size(); ++p) {
    const std::vector<double> gradient =
        to_doubles(problem.model.params()[static_cast<int>(p)].grad);
    EXPECT_TRUE(std::any_of(gradient.begin(), gradient.end(), [](double g) { return g != 0.0; }))
        << problem.model.params().infos()[p].name;
  }
}

TEST_P(Models, StepsAreTheScan) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const double limit = dtype == DType::f64 ? 1e-12 : 2e-5;
    const Model model = filled_model(spec(), dtype);
    for (const int length : {1, 2, 19}) {
      const std::vector<int> tokens = some_tokens(length, spec().vocab_size);
      State whole_state;
      const std::vector<double> whole =
          to_doubles(logits_of(model, ids_of(tokens), {}, whole_state));
      std::vector<double> stepped;
      State state;
      for (const int token : tokens) {
        State after;
        const auto part = to_doubles(logits_of(model, ids_of({token}), state, after));
        stepped.insert(stepped.end(), part.begin(), part.end());
        state = after;
      }
      EXPECT_LE(distance(stepped, whole), limit) << length << " tokens in " << name_of(dtype);
      EXPECT_LE(state_distance(state, whole_state), limit) << length << " tokens";
    }
  }
}

TEST_P(Models, TheCarriedStateStandsForThePast) {
  const Model model = filled_model(spec(), DType::f64);
  const std::vector<int> tokens = some_tokens(23, spec().vocab_size);
  State whole_state;
  const std::vector<double> whole = to_doubles(logits_of(model, ids_of(tokens), {}, whole_state));
  for (const int cut : {1, 2, 11, 22}) {
    State middle, end;
    auto parts =
        to_doubles(logits_of(model, ids_of({tokens.begin(), tokens.begin() + cut}), {}, middle));
    const auto second =
        to_doubles(logits_of(model, ids_of({tokens.begin() + cut, tokens.end()}), middle, end));
    parts.insert(parts.end(), second.begin(), second.end());
    EXPECT_LE(distance(parts, whole), 1e-12) << "cut at " << cut;
    EXPECT_LE(state_distance(end, whole_state), 1e-12) << "cut at " << cut;
  }
}

TEST_P(Models, SequencesOfABatchDoNotMeet) {
  const Model model = filled_model(spec(), DType::f64);
  const std::vector<int> tokens = some_tokens(3 * 5, spec().vocab_size);
  State together_state;
  const auto together = to_doubles(logits_of(model, ids_of(tokens, 3), {}, together_state));
  std::vector<double> alone;
  for (int row = 0; row < 3; ++row) {
    State after;
    const auto part = to_doubles(logits_of(
        model, ids_of({tokens.begin() + 5 * row, tokens.begin() + 5 * row + 5}), {}, after));
    alone.insert(alone.end(), part.begin(), part.end());
  }
  EXPECT_LE(distance(together, alone), 1e-12);
}

TEST_P(Models, ParametersAreKnownBeforeTheirMemory) {
  const Model model(spec());
  const std::vector<ParamInfo> announced = Model::parameters_of(spec());
  ASSERT_EQ(announced.size(), model.params().infos().size());
  double numbers = 0.0;
  std::set<std::string> names;
  for (std::size_t p = 0; p < announced.size(); ++p) {
    EXPECT_EQ(announced[p].name, model.params().infos()[p].name);
    EXPECT_EQ(announced[p].shape, model.params().infos()[p].shape);
    names.insert(announced[p].name);
    numbers += static_cast<double>(announced[p].shape.elements());
  }
  EXPECT_EQ(names.size(), announced.size());
  EXPECT_EQ(parameter_count(spec()), numbers);
  std::int64_t in_blocks = 0;
  for (const BlockCard& card : model.cards()) in_blocks += card.parameters;
  EXPECT_LT(in_blocks, numbers);
}

TEST(Model, RefusesTheStateOfAnotherModel) {
  const Model two = filled_model(small_mlstm(), DType::f32);
  const Model three = filled_model(small_mixed(), DType::f32);
  State state, after;
  logits_of(two, ids_of({1, 2}), {}, state);
  EXPECT_THROW(logits_of(three, ids_of({1}), state, after), Error);
}

TEST(Model, RefusesTokensOutsideTheVocabulary) {
  const Model model = filled_model(small_mlstm(), DType::f32);
  State after;
  EXPECT_THROW(logits_of(model, ids_of({7}), {}, after), Error);
  EXPECT_THROW(logits_of(model, ids_of({-1}), {}, after), Error);
}

TEST(LargeModel, StartsByTheOfficialRecipe) {
  ModelSpec spec = small_large();
  spec.embedding_dim = 64;
  spec.vocab_size = 100;
  spec.large->num_heads = 4;
  spec.large->use_bias = true;
  Model model(spec);
  model.params().initialise(1);
  const double in = std::sqrt(2.0 / (5.0 * 64)), out = 2.0 / 2 / std::sqrt(64.0);
  const auto U = static_cast<double>(large_feedforward_width(spec));
  const std::map<std::string, double> spread = {
      {"backbone.embeddings.weight", in},
      {"lm_head.weight", in},
      {"backbone.blocks.1.mlstm_layer.q.weight", in},
      {"backbone.blocks.1.mlstm_layer.k.weight", in},
      {"backbone.blocks.1.mlstm_layer.v.weight", in},
      {"backbone.blocks.1.mlstm_layer.out_proj.weight", out},
      {"backbone.blocks.1.ffn.proj_up.weight", in},
      {"backbone.blocks.1.ffn.proj_down.weight", 2.0 / 2 / std::sqrt(U)}};
  for (const ParamInfo& info : model.params().infos()) {
    const std::vector<double> values =
        to_doubles(model.params()[model.params().find(info.name)].value);
    const double size = static_cast<double>(values.size());
    if (const auto found = spread.find(info.name); found != spread.end()) {
      double squares = 0.0;
      for (const double x : values) squares += x * x;
      EXPECT_NEAR(std::sqrt(squares / size), found->second, 0.1 * found->second) << info.name;
    } else if (info.name.ends_with("igate_preact.bias")) {
      EXPECT_EQ(values, std::vector<double>(4, -10.0));
    } else if (info.name.ends_with("fgate_preact.bias")) {
      EXPECT_EQ(values, (std::vector<double>{3, 4, 5, 6}));
    } else if (info.name.find("blocks.0") == std::string::npos) {
      const bool norm = info.name.find("norm") != std::string::npos;
      EXPECT_EQ(values,
                std::vector<double>(
                    values.size(),
                    norm && info.shape.rank() == 1 && info.name.ends_with("weight") ? 1.0 : 0.0))
          << info.name;
    }
    const bool decays = info.shape.rank() == 2 && info.name != "backbone.embeddings.weight";
    EXPECT_EQ(info.decays, decays) << info.name;
  }
}

// ---- recordings ---------------------------------------------------------------------------------

/// The paths that core/trace.hpp lists for a block, with the width of each value.
std::map<std::string, int> listed_values(const BlockCard& card) {
  std::map<std::string, int> list;
  if (card.kind == "mlstm") {
    for (const char* name : {"input_gate_pre", "forget_gate_pre", "input_gate", "forget_gate",
                             "forget_gate_sigmoid", "m", "s", "normalizer"})
      list[name] = 1;
    for (const char* name : {"q", "k", "n"}) list[name] = card.key_dim;
    for (const char* name : {"v", "h", "output_gate_pre", "output_gate"})
      list[name] = card.value_dim;
  } else {
    for (const char* name :
         {"input_gate_pre", "forget_gate_pre", "cell_input_pre", "output_gate_pre", "input_gate",
          "forget_gate", "forget_gate_sigmoid", "cell_input", "output_gate", "c", "n", "m", "h",
          "input_gate_wx", "forget_gate_wx", "cell_input_wx", "output_gate_wx"})
      list[name] = card.value_dim;
    if (card.kind == "lstm")
      for (const char* name : {"forget_gate_sigmoid", "n", "m"}) list.erase(name);
  }
  return list;
}

Sequence computed_session(const Model& model, const std::vector<int>& tokens,
                          std::vector<Clamp> clamps = {}) {
  Sequence sequence(model);
  sequence.set_tokens(tokens);
  sequence.set_clamps(std::move(clamps));
  sequence.compute_all();
  return sequence;
}

TEST_P(Models, RecordExactlyWhatIsListed) {
  const Model model = filled_model(spec(), DType::f32);
  const auto trace = computed_session(model, some_tokens(6, spec().vocab_size)).trace();
  ASSERT_EQ(trace->length(), 6);
  std::set<std::string> listed;
  for (const BlockCard& card : model.cards()) {
    for (const auto& [name, dim] : listed_values(card)) {
      const std::string path = card.prefix + "/" + name;
      listed.insert(path);
      for (int step = 0; step < trace->length(); ++step) {
        const Recorded* value = trace->find(step, path);
        ASSERT_NE(value, nullptr) << path;
        EXPECT_EQ(value->heads, card.heads) << path;
        EXPECT_EQ(value->dim, dim) << path;
        EXPECT_EQ(value->values.size(), static_cast<std::size_t>(card.heads * dim)) << path;
      }
    }
  }
  listed.insert(kResidualNorm);
  std::set<std::string> recorded;
  for (const auto& [path, value] : trace->steps.front()->values) recorded.insert(path);
  EXPECT_EQ(recorded, listed);
}

TEST_P(Models, RecordedValuesObeyTheirEquations) {
  const Model model = filled_model(spec(), DType::f32);
  // Larger queries and keys, so that their overlap passes 1 on both sides of 0.
  for (const ParamInfo& info : model.params().infos()) {
    for (const char* part :
         {"q_proj.weight", "k_proj.weight", "mlstm_layer.q.weight", "mlstm_layer.k.weight"}) {
      if (!info.name.ends_with(part)) continue;
      for (float& x : model.params()[model.params().find(info.name)].value.span<float>()) x *= 4.0f;
    }
  }
  const auto trace = computed_session(model, some_tokens(9, spec().vocab_size)).trace();
  std::map<std::string, int> compared;
  for (const BlockCard& card : model.cards()) {
    for (const auto& [name, dim] : listed_values(card)) {
      const std::string path = card.prefix + "/" + name;
      const ValueCard* described = card.value_at(path);
      ASSERT_NE(described, nullptr) << path;
      for (int step = 0; step < trace->length(); ++step) {
        for (int head = 0; head < card.heads; ++head) {
          for (int unit = 0; unit < dim; ++unit) {
            const LiveEquation live = live_equation(*trace, card, path, step, head, unit);
            // What comes from the layer before has no right-hand side; everything else has.
            ASSERT_EQ(live.complete, !described->inputs.empty()) << path;
            if (!live.complete) continue;
            ++compared[name];
            EXPECT_NEAR(live.value, live.evaluated, 2e-5 * std::max(1.0, std::abs(live.value)))
                << path << " at step " << step << ": " << live.text;
          }
        }
      }
    }
  }
  for (const BlockCard& card : model.cards()) {
    const auto listed = listed_values(card);
    for (const char* name : {"input_gate", "forget_gate", "forget_gate_sigmoid", "c", "n", "h"})
      EXPECT_TRUE(!listed.contains(name) || compared[name] >= trace->length()) << name;
    for (const char* name : {"input_gate", "forget_gate", "h"})
      EXPECT_TRUE(listed.contains(name)) << name;
  }
}

TEST_P(Models, RecordingChangesNoBit) {
  const Model model = filled_model(spec(), DType::f32);
  const std::vector<int> tokens = some_tokens(20, spec().vocab_size);
  const Sequence sequence = computed_session(model, tokens);
  Stepper stepper(model);
  for (std::size_t t = 0; t < tokens.size(); ++t)
    EXPECT_THAT(sequence.steps()[t].logits, ElementsAreArray(stepper.feed({&tokens[t], 1})));
}

// ---- clamps -------------------------------------------------------------------------------------

/// The values that a clamp can hold.
std::vector<std::string> clampable(const BlockCard& card) {
  if (card.kind == "mlstm")
    return {"output_gate_pre", "v", "input_gate_pre", "forget_gate_pre", "q", "k", "h"};
  return {"input_gate_pre", "forget_gate_pre", "cell_input_pre", "output_gate_pre"};
}

struct Difference {
  double before = 0.0, after = 0.0;  // largest, of logits, before and from a step on
};

Difference difference(const Sequence& a, const Sequence& b, int from) {
  Difference d;
  for (int t = 0; t < a.length(); ++t) {
    const auto& x = a.steps()[static_cast<std::size_t>(t)].logits;
    const auto& y = b.steps()[static_cast<std::size_t>(t)].logits;
    for (std::size_t i = 0; i < x.size(); ++i) {
      double& worst = t < from ? d.before : d.after;
      worst = std::max(worst, std::abs(static_cast<double>(x[i]) - y[i]));
    }
  }
  return d;
}

TEST_P(Models, HoldingAValueWhereItIsChangesNothing) {
  const Model model = filled_model(spec(), DType::f32);
  const std::vector<int> tokens = some_tokens(8, spec().vocab_size);
  const Sequence plain = computed_session(model, tokens);
  const auto trace = plain.trace();
  constexpr int kStep = 3;
  for (const BlockCard& card : model.cards()) {
    for (const std::string& name : clampable(card)) {
      const std::string path = card.prefix + "/" + name;
      const Recorded* value = trace->find(kStep, path);
      ASSERT_NE(value, nullptr) << path;
      const int head = value->heads - 1, unit = value->dim - 1;
      const Sequence held = computed_session(
          model, tokens, {{path, head, unit, kStep, kStep + 1, value->at(head, unit), true}});
      const Difference d = difference(plain, held, kStep);
      EXPECT_EQ(d.before, 0.0) << path;
      EXPECT_LE(d.after, 1e-5) << path;
    }
  }
}

TEST_P(Models, AClampChangesWhatComesFromThereOn) {
  const Model model = filled_model(spec(), DType::f32);
  const std::vector<int> tokens = some_tokens(8, spec().vocab_size);
  const Sequence plain = computed_session(model, tokens);
  constexpr int kBegin = 3, kEnd = 5;
  for (const BlockCard& card : model.cards()) {
    for (const std::string& name : clampable(card)) {
      const std::string path = card.prefix + "/" + name;
      const Clamp clamp{path, 0, 0, kBegin, kEnd, 4.0f, true};
      const Sequence held = computed_session(model, tokens, {clamp});
      const Difference d = difference(plain, held, kBegin);
      EXPECT_EQ(d.before, 0.0) << path;
      EXPECT_GT(d.after, 1e-4) << path;
      const auto trace = held.trace();
      for (int step = 0; step < held.length(); ++step) {
        const bool inside = step >= kBegin && step < kEnd;
        EXPECT_EQ(trace->find(step, path)->at(0, 0) == 4.0f, inside) << path << " at " << step;
      }
      Clamp off = clamp;
      off.enabled = false;
      EXPECT_EQ(difference(plain, computed_session(model, tokens, {off}), 0).after, 0.0) << path;
    }
  }
}

TEST(Clamps, OutsideTheModelAreIgnored) {
  const Model model = filled_model(small_mixed(), DType::f32);
  const std::vector<int> tokens = some_tokens(5, 7);
  const Sequence plain = computed_session(model, tokens);
  for (const auto& [head, unit] : {std::pair{-2, 0}, std::pair{2, 0}, std::pair{0, -2},
                                   std::pair{0, 1000}, std::pair{1 << 30, 1 << 30}}) {
    for (const char* path : {"block0/mlstm/v", "block1/slstm/forget_gate_pre"}) {
      const Sequence held = computed_session(model, tokens, {{path, head, unit, 0, 9, 9.0f, true}});
      EXPECT_EQ(difference(plain, held, 0).after, 0.0) << path << " " << head << " " << unit;
    }
  }
  for (const char* path : {"", "block0/mlstm", "block9/mlstm/v", "block0/slstm/v", "no/such/path"})
    EXPECT_EQ(
        difference(plain, computed_session(model, tokens, {{path, 0, 0, 0, 9, 9.0f, true}}), 0)
            .after,
        0.0)
        << path;
}

TEST(Clamps, PassNoGradient) {
  const Model model = filled_model(small_mlstm(), DType::f64);
  const Tensor token = ids_of({3});
  const auto gradient_of_gate_bias = [&](std::span<const Clamp> clamps) {
    TokenTrace trace;
    const Observer observer{&trace, clamps, 0};
    Tape tape(Tape::Mode::gradient, &observer);
    // A state in which the forget gate matters.
    State before, after;
    logits_of(model, ids_of({1, 2}), {}, before);
    const Var logits = model.forward(tape, token, before, after);
    model.params().grads().fill_zero();
    const Tensor gradient = Tensor::empty(tape.value(logits).shape(), DType::f64);
    kernels::cross_entropy(tape.value(logits), ids_of({0}), gradient, {});
    tape.backward(logits, gradient);
    const int bias = model.params().find("xlstm_block_stack.blocks.0.xlstm.mlstm_cell.fgate.bias");
    return to_doubles(model.params()[bias].grad);
  };
  const auto free = gradient_of_gate_bias({});
  const std::vector<Clamp> clamps = {{"block0/mlstm/forget_gate_pre", 1, 0, 0, 1, 0.5f, true}};
  const auto held = gradient_of_gate_bias(clamps);
  ASSERT_EQ(free.size(), 2u);
  EXPECT_NE(free[0], 0.0);
  EXPECT_NE(free[1], 0.0);
  EXPECT_NE(held[0], 0.0);
  EXPECT_EQ(held[1], 0.0);
  // What is added changes nothing about the slope at a number, what multiplies it does.
  Clamp plus = clamps[0], times = clamps[0];
  plus.change = Change::add;
  plus.value = 0.0f;
  times.change = Change::scale;
  times.value = 1.0f;
  EXPECT_EQ(gradient_of_gate_bias(std::vector<Clamp>{plus}), free);
  EXPECT_EQ(gradient_of_gate_bias(std::vector<Clamp>{times}), free);
  // Twice as much, less what that adds: the same number, with twice the slope.
  times.value = 2.0f;
  const Sequence seen = computed_session(model, {1, 2, 3});
  plus.value = -seen.trace()->find(2, plus.path)->at(1, 0);
  const auto doubled = gradient_of_gate_bias(std::vector<Clamp>{times, plus});
  EXPECT_NEAR(doubled[1], 2.0 * free[1], 1e-5 * std::abs(free[1]));
  EXPECT_NEAR(doubled[0], free[0], 1e-5 * std::abs(free[0]));
}

INSTANTIATE_TEST_SUITE_P(Small, Models, testing::Range(std::size_t{0}, small_models().size()),
                         [](const auto& info) { return small_models()[info.param].first; });

TEST(Model, WithoutGradientsAPassKeepsNoMoreThanABlock) {
  for (const ModelSpec& spec : {small_mixed(), small_large()}) {
    const Model model = filled_model(spec, DType::f32);
    const Tensor ids = Tensor::from<std::int32_t>({1, 3}, std::vector<std::int32_t>{1, 2, 3});
    State after;
    for (const Tape::Mode mode : {Tape::Mode::inference, Tape::Mode::gradient}) {
      Tape tape(mode);
      const Var logits = model.forward(tape, ids, {}, after);
      int kept = 0;
      for (int id = 0; id < logits.id; ++id) kept += tape.value(Var{id}).defined() ? 1 : 0;
      if (mode == Tape::Mode::gradient) {
        EXPECT_EQ(kept, logits.id) << "gradients need all of them";
        EXPECT_THROW(tape.drop(Var{0}, logits), Error);
      } else {
        EXPECT_LE(kept, 3) << "the last block's output, its norm and the logits before the cap";
      }
    }
  }
}

TEST(Model, AStateThatIsUsedUpGivesTheSameBits) {
  for (const ModelSpec& spec : {small_mixed(), small_large()}) {
    const Model model = filled_model(spec, DType::f32);
    const auto ids = [](std::vector<std::int32_t> tokens) {
      return Tensor::from<std::int32_t>({1, static_cast<std::int64_t>(tokens.size())}, tokens);
    };
    State first, kept, used;
    (void)logits_of(model, ids({1, 2, 3}), {}, first);
    State again = first;
    const Tensor wanted = logits_of(model, ids({4}), first, kept);
    Tape tape(Tape::Mode::inference);
    const Tensor seen = tape.value(model.go_on(tape, ids({4}), std::move(again), used));
    const auto same = [](const Tensor& a, const Tensor& b) {
      return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
    };
    EXPECT_TRUE(same(seen, wanted));
    EXPECT_EQ(again.bytes(), 0u) << "nothing of it is held any more";
    ASSERT_EQ(used.cells.size(), kept.cells.size());
    for (std::size_t b = 0; b < used.cells.size(); ++b)
      for (const auto& [name, tensor] : kept.cells[b].tensors())
        EXPECT_TRUE(same(used.cells[b].get(name), tensor)) << b << name;
    EXPECT_GT(first.bytes(), 0u) << "another holder keeps it";
  }
}

}  // namespace
}  // namespace xlab::tests
