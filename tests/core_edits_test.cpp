// Edits on a sequence: what each kind does with a number, on which heads and units, in which order.
#include "core/edits.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/generation/sequence.hpp"
#include "core/live_equation.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

constexpr int kEditedTokens = 9;

std::shared_ptr<const Trace> with(const Model& model, std::vector<Clamp> clamps) {
  Sequence sequence(model);
  sequence.set_tokens(some_tokens(kEditedTokens, 7));
  sequence.set_clamps(std::move(clamps));
  sequence.compute_all();
  return sequence.trace();
}

std::vector<ModelSpec> all_families() {
  return {small_mlstm(), small_slstm(), small_large()};
}

TEST(Edits, AddAndScaleWorkOnWhatTheModelComputes) {
  for (const ModelSpec& spec : all_families()) {
    const Model model = filled_model(spec, DType::f32);
    const BlockCard block = model.cards()[0];
    for (const char* gate : {"forget_gate_pre", "input_gate_pre", "output_gate_pre"}) {
      Clamp clamp{.path = block.path(gate), .head = 1, .begin = 4, .end = 6, .value = -0.75f};
      const auto plain = with(model, {});
      clamp.change = Change::add;
      const auto added = with(model, {clamp});
      clamp.change = Change::scale;
      const auto scaled = with(model, {clamp});
      const auto at = [&](const Trace& trace, int step, int head) {
        return trace.find(step, clamp.path)->at(head, 0);
      };
      EXPECT_EQ(at(*added, 4, 1), at(*plain, 4, 1) - 0.75f) << gate;
      EXPECT_EQ(at(*scaled, 4, 1), at(*plain, 4, 1) * -0.75f) << gate;
      EXPECT_EQ(at(*added, 4, 0), at(*plain, 4, 0)) << "another head stays";
      EXPECT_EQ(at(*added, 3, 1), at(*plain, 3, 1)) << "a step before stays";
      EXPECT_NE(at(*added, 5, 1), at(*plain, 5, 1));
    }
  }
}

TEST(Edits, OnAllHeadsAndUnitsChangeEveryNumber) {
  for (const ModelSpec& spec : all_families()) {
    const Model model = filled_model(spec, DType::f32);
    const BlockCard block = model.cards()[0];
    const std::string path = block.path("output_gate_pre");
    const auto seen = with(model, {{.path = path,
                                    .head = Clamp::kAll,
                                    .unit = Clamp::kAll,
                                    .begin = 2,
                                    .end = 3,
                                    .value = 0.5f}});
    for (const float number : seen->find(2, path)->values) EXPECT_EQ(number, 0.5f);
    const auto one_head =
        with(model,
             {{.path = path, .head = 1, .unit = Clamp::kAll, .begin = 2, .end = 3, .value = 0.5f}});
    for (int unit = 0; unit < one_head->find(2, path)->dim; ++unit) {
      EXPECT_EQ(one_head->find(2, path)->at(1, unit), 0.5f);
      EXPECT_NE(one_head->find(2, path)->at(0, unit), 0.5f);
    }
  }
}

TEST(Edits, ACurveHoldsAnotherValueAtEachStep) {
  for (const ModelSpec& spec : all_families()) {
    const Model model = filled_model(spec, DType::f32);
    const std::string path = model.cards()[0].path("forget_gate_pre");
    const auto seen = with(model, {{.path = path,
                                    .head = 0,
                                    .begin = 3,
                                    .end = 6,
                                    .value = 9.0f,
                                    .curve = {0.25f, -1.5f, 2.0f}}});
    EXPECT_EQ(seen->find(3, path)->at(0, 0), 0.25f);
    EXPECT_EQ(seen->find(4, path)->at(0, 0), -1.5f);
    EXPECT_EQ(seen->find(5, path)->at(0, 0), 2.0f);
    EXPECT_NE(seen->find(6, path)->at(0, 0), 2.0f);
  }
}

TEST(Edits, ActInTheOrderOfTheirList) {
  for (const ModelSpec& spec : all_families()) {
    const Model model = filled_model(spec, DType::f32);
    const std::string path = model.cards()[0].path("input_gate_pre");
    const Clamp set{.path = path, .head = 0, .begin = 5, .end = 6, .value = 2.0f};
    Clamp twice = set;
    twice.change = Change::scale;
    Sequence sequence(model);
    sequence.set_tokens(some_tokens(kEditedTokens, 7));
    sequence.set_clamps({set, twice});
    sequence.compute_all();
    EXPECT_EQ(sequence.trace()->find(5, path)->at(0, 0), 4.0f);
    sequence.set_clamps({twice, set});
    EXPECT_EQ(sequence.computed(), 5) << "another order is another edit, from its step on";
    sequence.compute_all();
    EXPECT_EQ(sequence.trace()->find(5, path)->at(0, 0), 2.0f);
  }
}

TEST(Edits, WhatStaysInItsPlaceIsNotComputedAgain) {
  const Model model = filled_model(small_mlstm(), DType::f32);
  const std::string path = model.cards()[0].path("input_gate_pre");
  const Clamp early{.path = path, .head = 0, .begin = 1, .end = 2, .value = 2.0f};
  const Clamp late{.path = path, .head = 0, .begin = 7, .end = 8, .value = 2.0f};
  Sequence sequence(model);
  sequence.set_tokens(some_tokens(kEditedTokens, 7));
  sequence.set_clamps({early, late});
  sequence.compute_all();
  sequence.set_clamps({early});
  EXPECT_EQ(sequence.computed(), 7);
  sequence.compute_all();
  sequence.set_clamps({late, early});
  EXPECT_EQ(sequence.computed(), 7);
}

/// C and n of all heads after a step, from what was recorded.
std::vector<float> memory_after(const Trace& trace, const BlockCard& block, int step) {
  std::vector<float> all;
  for (int head = 0; head < block.heads; ++head) {
    for (const char* name : {"C", "n"}) {
      const std::vector<float> one =
          numbers_at(trace, block, *block.values->find(name), step, head);
      all.insert(all.end(), one.begin(), one.end());
    }
  }
  return all;
}

TEST(Edits, NeverWrittenLeavesTheDecayedMemoryAlone) {
  const Model model = filled_model(small_mlstm(), DType::f32);
  const BlockCard block = model.cards()[0];
  const auto clamp = never_written(block, Clamp::kAll, 4);
  ASSERT_TRUE(clamp);
  EXPECT_TRUE(is_never_written(block, *clamp));
  const auto seen = with(model, {*clamp});
  const std::vector<float> before = memory_after(*seen, block, 3),
                           after = memory_after(*seen, block, 4);
  const std::size_t a_head = before.size() / static_cast<std::size_t>(block.heads);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const float forget =
        seen->find(4, block.path("forget_gate"))->at(static_cast<int>(i / a_head), 0);
    EXPECT_EQ(after[i], forget * before[i]);
  }
  const auto plain = with(model, {});
  EXPECT_NE(memory_after(*plain, block, 4), after);
}

TEST(Edits, NeverWrittenToASumOfUnitsAddsNothing) {
  const Model model = filled_model(small_slstm(), DType::f32);
  const BlockCard block = model.cards()[0];
  const auto seen = with(model, {*never_written(block, 1, 4)});
  for (const char* name : {"c", "n"}) {
    const Recorded &before = *seen->find(3, block.path(name)),
                   &after = *seen->find(4, block.path(name)),
                   &forget = *seen->find(4, block.path("forget_gate"));
    for (int unit = 0; unit < before.dim; ++unit) {
      EXPECT_EQ(after.at(1, unit), forget.at(1, unit) * before.at(1, unit)) << name;
      EXPECT_NE(after.at(0, unit), forget.at(0, unit) * before.at(0, unit)) << name;
    }
  }
}

TEST(Edits, OtherClampsAreNotNeverWritten) {
  const BlockCard block = filled_model(small_mlstm(), DType::f32).cards()[0];
  Clamp clamp = *never_written(block, 0, 4);
  clamp.enabled = false;
  EXPECT_TRUE(is_never_written(block, clamp)) << "switched off it is the same edit";
  Clamp longer = clamp, open = clamp, other = clamp;
  longer.end = 6;
  open.value = 1.0f;
  other.path = block.path("forget_gate_pre");
  EXPECT_FALSE(is_never_written(block, longer));
  EXPECT_FALSE(is_never_written(block, open));
  EXPECT_FALSE(is_never_written(block, other));
}

TEST(Edits, AHeadSwitchedOffAnswersNothing) {
  for (const ModelSpec& spec : all_families()) {
    const Model model = filled_model(spec, DType::f32);
    const BlockCard block = model.cards()[0];
    const auto seen = with(model, {*switched_off(block, 1, kEditedTokens)});
    const Recorded* gate = seen->find(8, block.path("output_gate"));
    for (int unit = 0; unit < gate->dim; ++unit) {
      EXPECT_LT(std::abs(gate->at(1, unit)), 1e-20f);
      EXPECT_GT(std::abs(gate->at(0, unit)), 1e-6f);
    }
    const auto all = with(model, {*switched_off(block, Clamp::kAll, kEditedTokens)});
    for (const float open : all->find(0, block.path("output_gate"))->values)
      EXPECT_LT(std::abs(open), 1e-20f);
  }
}

TEST(Edits, OverOtherStepsACurveGoesOnWithItsEnds) {
  const Clamp drawn{
      .path = "p", .begin = 3, .end = 6, .value = 9.0f, .curve = {0.25f, -1.5f, 2.0f}};
  const Clamp longer = over_steps(drawn, 1, 8);
  EXPECT_EQ(longer.begin, 1);
  EXPECT_EQ(longer.end, 8);
  EXPECT_EQ(longer.curve, (std::vector<float>{0.25f, 0.25f, 0.25f, -1.5f, 2.0f, 2.0f, 2.0f}));
  EXPECT_EQ(over_steps(drawn, 4, 5).curve, std::vector<float>{-1.5f});
  EXPECT_EQ(over_steps(drawn, 7, 7).curve, std::vector<float>{2.0f}) << "at least one step";
  Clamp level = drawn;
  level.curve.clear();
  EXPECT_TRUE(over_steps(level, 0, 9).curve.empty());
}

TEST(Edits, NothingIsEditedWhereThereIsNoSuchGate) {
  BlockCard block = filled_model(small_mlstm(), DType::f32).cards()[0];
  block.values = no_values();
  EXPECT_FALSE(never_written(block, 0, 4));
  EXPECT_FALSE(switched_off(block, 0, 4));
  EXPECT_FALSE(is_never_written(block, {}));
}

}  // namespace
}  // namespace xlab::tests
