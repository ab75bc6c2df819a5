// What R adds to each pre-activation, and where a change of one unit's output goes: against what
// models recorded, and against the same models with that output changed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/mixing.hpp"
#include "core/generation/mixing_images.hpp"
#include "core/generation/recorded_step.hpp"
#include "core/generation/sequence.hpp"
#include "tests/engine_stage.hpp"
#include "tests/scenes.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

constexpr int kMixedTokens = 11;

/// A model whose numbers are all away from special values, stepped through by hand, so that any
/// state can be changed on the way.
struct Stepped {
  Stepped(const ModelSpec& spec, DType dtype, std::vector<Clamp> held = {})
      : model(filled_model(spec, dtype, 4)),
        tokens(some_tokens(kMixedTokens, spec.vocab_size, 9)),
        clamps(std::move(held)),
        images(mixing_images(model, 7)) {
    auto all = std::make_shared<Trace>();
    State now;
    for (int t = 0; t < kMixedTokens; ++t) {
      auto seen = std::make_shared<TokenTrace>();
      now = step(t, now, *seen);
      states.push_back(now);
      all->steps.push_back(seen);
    }
    trace = all;
  }
  State step(int t, const State& before, TokenTrace& seen) const {
    State after;
    recorded_step(model, tokens[static_cast<std::size_t>(t)], t, clamps, before, after, seen);
    return after;
  }
  /// Blocks whose units are mixed.
  std::vector<int> mixed() const {
    std::vector<int> blocks;
    for (std::size_t b = 0; b < images.size(); ++b)
      if (images[b]) blocks.push_back(static_cast<int>(b));
    return blocks;
  }
  BlockCard block(int b) const { return model.cards()[static_cast<std::size_t>(b)]; }
  const MixingImage& image(int b) const { return *images[static_cast<std::size_t>(b)]; }

  Model model;
  std::vector<int> tokens;
  std::vector<Clamp> clamps;
  std::vector<std::shared_ptr<const MixingImage>> images;
  std::vector<State> states;
  std::shared_ptr<const Trace> trace;
};

/// Clamps of every mixed gate of the block, at other steps, heads and units.
std::vector<Clamp> clamps_of_gates(const BlockCard& block) {
  std::vector<Clamp> clamps;
  int at = 2;
  for (const MixedGate& gate : block.values->mixing.gates) {
    clamps.push_back({.path = block.path(gate.pre),
                      .head = at % block.heads,
                      .unit = at % block.value_dim,
                      .begin = at,
                      .end = at + 2,
                      .value = 0.7f});
    ++at;
  }
  return clamps;
}

/// Edits that work on what the gates are, one after the other, and one that holds all units.
std::vector<Clamp> edits_of_gates(const BlockCard& block) {
  const auto& gates = block.values->mixing.gates;
  const auto edit = [&](std::size_t gate, int head, int unit, Change change, float value) {
    return Clamp{.path = block.path(gates[gate].pre),
                 .head = head,
                 .unit = unit,
                 .begin = 2,
                 .end = 5,
                 .value = value,
                 .change = change};
  };
  return {edit(0, 0, 1, Change::add, 0.4f), edit(0, 0, 1, Change::scale, -1.5f),
          edit(1, Clamp::kAll, 0, Change::scale, 0.5f), edit(2, 0, Clamp::kAll, Change::set, 0.7f)};
}

class Mixed : public testing::TestWithParam<std::size_t> {
 protected:
  static ModelSpec spec() { return small_models()[GetParam()].second; }
  static std::vector<Clamp> some_clamps() {
    const Stepped free(spec(), DType::f32);
    return free.mixed().empty() ? std::vector<Clamp>{}
                                : clamps_of_gates(free.block(free.mixed().back()));
  }
  static std::vector<Clamp> some_edits() {
    const Stepped free(spec(), DType::f32);
    return free.mixed().empty() ? std::vector<Clamp>{}
                                : edits_of_gates(free.block(free.mixed().back()));
  }
};

TEST_P(Mixed, EditsOnWhatGatesAreAreInTheParts) {
  const Stepped free(spec(), DType::f32);
  if (free.mixed().empty()) return;
  const int b = free.mixed().back();
  const BlockCard block = free.block(b);
  const Stepped run(spec(), DType::f32, edits_of_gates(block));
  const auto parts = [&](int gate, int t, int head, int unit) {
    return *parts_of(*run.trace, block, run.image(b), run.clamps, {gate, t, head, unit});
  };
  const auto agrees = [&](const PreParts& p) {
    return std::abs(p.difference()) <= 2e-6 * std::max(1.0, std::abs(p.expected()));
  };
  const PreParts both = parts(0, 3, 0, 1), all_heads = parts(1, 3, block.heads - 1, 0);
  EXPECT_FALSE(both.held);
  EXPECT_TRUE(both.edited());
  EXPECT_DOUBLE_EQ(both.scale, -1.5);
  EXPECT_DOUBLE_EQ(both.plus, static_cast<double>(0.4f) * -1.5);
  EXPECT_TRUE(agrees(both)) << both.difference();
  EXPECT_TRUE(all_heads.edited());
  EXPECT_TRUE(agrees(all_heads)) << all_heads.difference();
  EXPECT_FALSE(parts(0, 3, 0, 0).edited());
  EXPECT_FALSE(parts(0, 5, 0, 1).edited());
  for (int unit = 0; unit < block.value_dim; ++unit) {
    EXPECT_TRUE(parts(2, 4, 0, unit).held);
    if (block.heads > 1) {
      EXPECT_FALSE(parts(2, 4, 1, unit).held);
    }
  }
}

void check_parts(const Stepped& run, int b) {
  const BlockCard block = run.block(b);
  const auto gates = static_cast<int>(block.values->mixing.gates.size());
  int held = 0;
  for (int t = 0; t < kMixedTokens; ++t)
    for (int gate = 0; gate < gates; ++gate)
      for (int head = 0; head < block.heads; ++head)
        for (int unit = 0; unit < block.value_dim; ++unit) {
          const auto parts =
              parts_of(*run.trace, block, run.image(b), run.clamps, {gate, t, head, unit});
          ASSERT_TRUE(parts);
          held += parts->held ? 1 : 0;
          if (parts->held) {
            EXPECT_EQ(parts->recorded, static_cast<double>(0.7f));
          } else {
            EXPECT_NEAR(parts->difference(), 0.0, 2e-6 * std::max(1.0, std::abs(parts->sum())))
                << block.prefix << " gate " << gate << " t " << t;
          }
          if (t == 0) {
            EXPECT_EQ(parts->mixed, 0.0);
          }
        }
  const bool clamped = std::any_of(run.clamps.begin(), run.clamps.end(), [&](const Clamp& clamp) {
    return clamp.path.starts_with(block.prefix + "/");
  });
  EXPECT_EQ(held, clamped ? 2 * gates : 0);
}

TEST_P(Mixed, PartsAddUpToWhatWasRecorded) {
  for (const std::vector<Clamp>& clamps : {std::vector<Clamp>{}, some_clamps()}) {
    const Stepped run(spec(), DType::f32, clamps);
    for (const int b : run.mixed()) check_parts(run, b);
  }
}

TEST_P(Mixed, OnlyBlocksWithARecurrentMatrixHaveAnImage) {
  const Stepped run(spec(), DType::f32);
  for (std::size_t b = 0; b < run.images.size(); ++b) {
    const BlockCard block = run.block(static_cast<int>(b));
    ASSERT_EQ(run.images[b] != nullptr, !block.has_matrix);
    EXPECT_EQ(has_mixing(run.images[b].get(), block), !block.has_matrix);
    if (!run.images[b]) continue;
    EXPECT_EQ(run.images[b]->step, 7);
    EXPECT_EQ(run.images[b]->block, static_cast<int>(b));
  }
}

/// h of a block after steps begin.. of the run, one unit of its head having put out `more` at
/// begin − 1: (steps, all units).
std::vector<std::vector<double>> outputs_with(const Stepped& run, int b, int begin, int at,
                                              double more) {
  State now;
  const State& real = run.states[static_cast<std::size_t>(begin - 1)];
  for (std::size_t cell = 0; cell < real.cells.size(); ++cell) {
    CellState changed;
    for (const auto& [name, tensor] : real.cells[cell].tensors()) {
      Tensor copy = Tensor::empty(tensor.shape(), tensor.dtype());
      copy.copy_from(tensor);
      if (static_cast<int>(cell) == b && name == "y") copy.data<double>()[at] += more;
      changed.set(name, copy);
    }
    now.cells.push_back(changed);
  }
  std::vector<std::vector<double>> outputs;
  for (int t = begin; t < kMixedTokens; ++t) {
    TokenTrace seen;
    now = run.step(t, now, seen);
    const Tensor y = now.cells[static_cast<std::size_t>(b)].get("y");
    outputs.emplace_back(y.data<double>(), y.data<double>() + y.elements());
  }
  return outputs;
}

void check_influence(const Stepped& run, int b, int step, int head, int unit) {
  const BlockCard block = run.block(b);
  Influence influence;
  influence.follow(run.trace, block, run.images[static_cast<std::size_t>(b)], run.clamps, step,
                   head, unit);
  EXPECT_FALSE(influence.advance(1e18));
  ASSERT_EQ(influence.end(), kMixedTokens);
  EXPECT_FALSE(influence.ended_early());
  EXPECT_EQ(influence.size(step), 1.0);
  constexpr double kSmall = 1e-5;
  const int D = block.value_dim, first = head * D;
  const auto more = outputs_with(run, b, step + 1, first + unit, kSmall);
  const auto less = outputs_with(run, b, step + 1, first + unit, -kSmall);
  for (int t = step + 1; t < kMixedTokens; ++t) {
    const auto row = static_cast<std::size_t>(t - step - 1);
    double squares = 0.0;
    for (int u = 0; u < block.heads * D; ++u) {
      const auto place = static_cast<std::size_t>(u);
      const double slope = (more[row][place] - less[row][place]) / (2 * kSmall);
      if (u < first || u >= first + D) {
        EXPECT_EQ(slope, 0.0) << "a head reaches another one";
        continue;
      }
      squares += slope * slope;
      EXPECT_NEAR(static_cast<double>(influence.changes(t)[static_cast<std::size_t>(u - first)]),
                  slope, 2e-6)
          << block.prefix << " t " << t << " unit " << u;
    }
    EXPECT_NEAR(influence.size(t), std::sqrt(squares), 4e-6);
    const std::span<const float> all = influence.changes(t);
    for (const float other : all)
      EXPECT_GE(std::abs(all[static_cast<std::size_t>(influence.largest(t))]), std::abs(other));
  }
  // It is there at all: a test of zeros would say nothing.
  EXPECT_GT(influence.size(step + 1), 1e-3);
}

TEST_P(Mixed, InfluenceIsTheSlopeOfTheModelItself) {
  for (const std::vector<Clamp>& clamps : {std::vector<Clamp>{}, some_clamps(), some_edits()}) {
    const Stepped run(spec(), DType::f64, clamps);
    for (const int b : run.mixed()) {
      const BlockCard block = run.block(b);
      check_influence(run, b, 0, 0, 0);
      check_influence(run, b, 3, block.heads - 1, block.value_dim - 1);
    }
  }
}

std::vector<std::size_t> models_that_mix() {
  std::vector<std::size_t> numbers;
  const auto models = small_models();
  for (std::size_t i = 0; i < models.size(); ++i)
    if (models[i].second.slstm && !models[i].second.large) numbers.push_back(i);
  return numbers;
}

INSTANTIATE_TEST_SUITE_P(Models, Mixed, testing::ValuesIn(models_that_mix()),
                         [](const auto& number) { return small_models()[number.param].first; });

TEST(Mixing, SourcesAreProductsOfWeightsAndOutputs) {
  const Stepped run(small_slstm(), DType::f32);
  const BlockCard block = run.block(1);
  const MixingImage& image = run.image(1);
  const Mixing stored = run.model.mixing(1);
  const Recorded& before = *run.trace->find(4, block.path("h"));
  const int D = block.value_dim;
  const auto sources = sources_of(*run.trace, block, image, {2, 5, 1, 3});
  ASSERT_EQ(sources.size(), static_cast<std::size_t>(D));
  double sum = 0.0;
  for (int from = 0; from < D; ++from) {
    const MixedSource& source = sources[static_cast<std::size_t>(from)];
    // R as the cell has it: (heads, gates * to, from).
    const double weight =
        static_cast<double>(stored.R.data<float>()[((1 * 4 + 2) * D + 3) * D + from]);
    EXPECT_EQ(source.unit, from);
    EXPECT_EQ(source.weight, weight);
    EXPECT_EQ(source.output, static_cast<double>(before.at(1, from)));
    EXPECT_EQ(source.product, weight * static_cast<double>(before.at(1, from)));
    sum += source.product;
  }
  const auto parts = parts_of(*run.trace, block, image, {}, {2, 5, 1, 3});
  ASSERT_TRUE(parts);
  EXPECT_DOUBLE_EQ(parts->mixed, sum);
  EXPECT_EQ(parts->bias, static_cast<double>(stored.b.data<float>()[(2 * 2 + 1) * D + 3]));
  EXPECT_FALSE(parts_of(*run.trace, block, image, {}, {2, kMixedTokens, 1, 3}));
}

TEST(Mixing, LargestSourcesComeFirstAndWhatIsNoNumberBeforeThem) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<MixedSource> all = {
      {0, 1, 1, 0.1}, {1, 1, 1, -0.5}, {2, 1, 1, nan}, {3, 1, 1, 0.5}, {4, 1, 1, 0.2}};
  const auto largest = largest_sources(all, 4);
  ASSERT_EQ(largest.size(), 4u);
  EXPECT_EQ(largest[0].unit, 2);
  EXPECT_EQ(largest[1].unit, 1);
  EXPECT_EQ(largest[2].unit, 3);
  EXPECT_EQ(largest[3].unit, 4);
}

TEST(Mixing, InfluenceComesInPiecesAndGoesOnWhenTokensAreAdded) {
  const Stepped run(small_slstm(), DType::f32);
  const BlockCard block = run.block(0);
  auto shorter = std::make_shared<Trace>(*run.trace);
  shorter->steps.resize(7);
  Influence at_once, in_pieces;
  at_once.follow(run.trace, block, run.images[0], {}, 2, 1, 1);
  at_once.advance(1e18);
  in_pieces.follow(shorter, block, run.images[0], {}, 2, 1, 1);
  EXPECT_TRUE(in_pieces.advance(1.0));
  EXPECT_EQ(in_pieces.end(), 4);
  while (in_pieces.advance(1.0)) {
  }
  EXPECT_EQ(in_pieces.end(), 7);
  in_pieces.follow(run.trace, block, run.images[0], {}, 2, 1, 1);
  EXPECT_EQ(in_pieces.end(), 7) << "what was computed stays";
  in_pieces.advance(1e18);
  ASSERT_EQ(in_pieces.end(), at_once.end());
  for (int t = 2; t < at_once.end(); ++t) EXPECT_EQ(in_pieces.size(t), at_once.size(t));
  // Another start, and recordings with a gap.
  auto gap = std::make_shared<Trace>(*run.trace);
  gap->steps[5] = nullptr;
  in_pieces.follow(gap, block, run.images[0], {}, 2, 1, 1);
  EXPECT_FALSE(in_pieces.advance(1e18));
  EXPECT_EQ(in_pieces.end(), 5);
  EXPECT_TRUE(in_pieces.ended_early());
}

TEST(Mixing, FadedIsWhereInfluenceStaysSmall) {
  ModelSpec spec = small_slstm();
  const Stepped run(spec, DType::f32);
  Influence influence;
  influence.follow(run.trace, run.block(0), run.images[0], {}, 0, 0, 1);
  influence.advance(1e18);
  EXPECT_FALSE(faded_at(influence, 0.0));
  double largest = 0.0;
  for (int t = 1; t < influence.end(); ++t) largest = std::max(largest, influence.size(t));
  EXPECT_EQ(faded_at(influence, largest * 1.001).value_or(-1), 1);
  const double last = influence.size(influence.end() - 1);
  const auto faded = faded_at(influence, last * 1.001);
  ASSERT_TRUE(faded);
  EXPECT_GE(influence.size(*faded - 1), last * 1.001);
}

TEST(Mixing, LargeMatricesAreLeftOutWithASentence) {
  const Model model = filled_model(small_slstm(), DType::f32);
  const auto images = mixing_images(model, 3, 100.0);
  ASSERT_EQ(images.size(), 2u);
  for (const auto& image : images) {
    ASSERT_TRUE(image);
    EXPECT_TRUE(image->R.empty());
    EXPECT_NE(image->left_out.find("100 bytes"), std::string::npos) << image->left_out;
    EXPECT_FALSE(has_mixing(image.get(), model.cards().front()));
  }
}

class MixingSnapshots : public EngineStage {
 protected:
  /// R of the snapshot is that of the recordings in it.
  static void expect_consistent(const Snapshot& s) {
    ASSERT_TRUE(s.mixing);
    const BlockCard& block = s.model->blocks[static_cast<std::size_t>(s.mixing->block)];
    for (int t = 0; t < s.trace->length(); ++t)
      for (int gate = 0; gate < 4; ++gate)
        for (int unit = 0; unit < block.value_dim; ++unit) {
          const auto parts = parts_of(*s.trace, block, *s.mixing, {}, {gate, t, 1, unit});
          ASSERT_TRUE(parts);
          EXPECT_NEAR(parts->difference(), 0.0, 1e-6);
        }
  }
};

TEST_F(MixingSnapshots, ShareOneImageWhileTheWeightsAreTheSame) {
  open_quick();
  EXPECT_FALSE(after(command::Focus{0})->mixing) << "an mLSTM";
  const auto first = after(command::Focus{1});
  ASSERT_TRUE(first->mixing);
  EXPECT_EQ(first->mixing->block, 1);
  const auto moved = after(command::SetCursor{2});
  EXPECT_EQ(moved->mixing, first->mixing);
  train(3);
  wait_until([](const Snapshot& s) { return s.mixing && s.mixing->step == 3; });
  const auto trained = engine_.snapshot();
  EXPECT_NE(trained->mixing->R, first->mixing->R);
  EXPECT_FALSE(after(command::Focus{2})->mixing);
}

TEST_F(MixingSnapshots, HaveTheWeightsOfTheirRecordingsWhileTheModelTrains) {
  open_quick();
  after(command::Focus{1}, command::Train{});
  std::uint64_t last = 0;
  for (int seen = 0; seen < 5;) {
    wait_until([&](const Snapshot& s) { return s.trace_id != last && s.mixing && s.trace; });
    const auto now = engine_.snapshot();
    last = now->trace_id;
    expect_consistent(*now);
    ++seen;
  }
  after(command::Pause{});
}

}  // namespace
}  // namespace xlab::tests
