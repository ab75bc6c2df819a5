// An mLSTM written as attention, against its own answers.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "core/analysis/implied_attention.hpp"
#include "core/generation/sequence.hpp"
#include "core/model.hpp"
#include "tests/scenes.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

/// A sequence of a small model with these equations, and what was recorded of it.
struct Recording {
  explicit Recording(ModelSpec spec, std::vector<Clamp> clamps = {})
      : model(filled_model(spec, DType::f32)), sequence(model) {
    sequence.set_tokens(some_tokens(24, spec.vocab_size));
    if (!clamps.empty()) sequence.set_clamps(std::move(clamps));
    sequence.compute_all();
    trace = sequence.trace();
    for (const BlockCard& card : model.cards())
      if (card.has_matrix) block = card;
  }
  Model model;
  Sequence sequence;
  std::shared_ptr<const Trace> trace;
  BlockCard block;
};

TEST(ImpliedAttention, GivesTheAnswersOfTheMemory) {
  int compared = 0;
  for (const auto& [name, spec] : small_models()) {
    SCOPED_TRACE(name);
    const Recording seen(spec);
    for (int head = 0; head < seen.block.heads; ++head) {
      ImpliedAttention attention;
      attention.follow(seen.trace, seen.block, head, 0, 24);
      ASSERT_EQ(attention.count(), 24);
      EXPECT_GT(attention.row(23).largest, 0.0);
      EXPECT_LT(attention.disagreement(), 3e-6);
      ++compared;
    }
  }
  EXPECT_GT(compared, 20);
}

TEST(ImpliedAttention, RowsSumToTheOverlapWithTheNormalizer) {
  const Recording seen(small_mlstm());
  ImpliedAttention attention;
  attention.follow(seen.trace, seen.block, 1, 0, 24);
  for (int t = 0; t < 24; ++t) {
    double sum = 0.0;
    for (int s = 0; s < 24; ++s) {
      if (s > t) {
        EXPECT_EQ(attention.product(t, s), 0.0);
      } else {
        sum += attention.weight(t, s);
      }
    }
    EXPECT_NEAR(sum, attention.row(t).sum, 1e-5);
    EXPECT_EQ(attention.row(t).before, 0.0);
    const auto number = [&](const char* name) {
      return static_cast<double>(seen.trace->find(t, seen.block.path(name))->at(1, 0));
    };
    EXPECT_EQ(attention.row(t).floor, std::abs(number("s")) < number("normalizer"));
    EXPECT_DOUBLE_EQ(attention.decay(t, t), number("input_gate"));
  }
}

TEST(ImpliedAttention, OfLaterStepsSaysWhatIsLeftOut) {
  const Recording seen(small_mlstm());
  ImpliedAttention all, late;
  all.follow(seen.trace, seen.block, 0, 0, 24);
  late.follow(seen.trace, seen.block, 0, 10, 14);
  EXPECT_EQ(late.count(), 14);
  EXPECT_TRUE(std::isnan(late.disagreement()));
  for (int t = 10; t < 24; ++t) {
    double before = 0.0;
    for (int s = 0; s < 10; ++s) before += all.weight(t, s);
    EXPECT_NEAR(late.row(t).before, before, 1e-5);
    EXPECT_DOUBLE_EQ(late.row(t).sum, all.row(t).sum);
    for (int s = 10; s <= t; ++s) EXPECT_NEAR(late.weight(t, s), all.weight(t, s), 1e-12);
  }
}

TEST(ImpliedAttention, GoesOnWhereTheRecordingsDo) {
  Recording seen(small_mlstm());
  ImpliedAttention grown;
  grown.follow(seen.trace, seen.block, 0, 0, 24);
  // Another token at the end, another one before, another head, another place.
  const auto expect_same = [&](int head, int first, int count) {
    ImpliedAttention fresh;
    fresh.follow(seen.trace, seen.block, head, first, count);
    grown.follow(seen.trace, seen.block, head, first, count);
    ASSERT_EQ(grown.count(), fresh.count());
    for (int t = first; t < first + fresh.count(); ++t)
      for (int s = first; s <= t; ++s) ASSERT_EQ(grown.weight(t, s), fresh.weight(t, s));
    EXPECT_EQ(grown.row(first + fresh.count() - 1).sum, fresh.row(first + fresh.count() - 1).sum);
    EXPECT_EQ(std::isnan(grown.disagreement()), first > 0);
  };
  seen.sequence.append(2);
  seen.sequence.compute_all();
  seen.trace = seen.sequence.trace();
  expect_same(0, 0, 25);
  std::vector<int> other = seen.sequence.tokens();
  other[9] = other[9] == 1 ? 2 : 1;
  seen.sequence.set_tokens(other);
  seen.sequence.compute_all();
  seen.trace = seen.sequence.trace();
  expect_same(0, 0, 25);
  expect_same(1, 0, 25);
  expect_same(1, 3, 9);
  expect_same(1, 3, 22);
}

TEST(ImpliedAttention, SeesWhatIsHeldByHand) {
  ModelSpec spec = small_mlstm();
  const BlockCard block = Recording(spec).block;
  const Recording held(
      spec,
      {{.path = block.path("input_gate_pre"), .head = 0, .begin = 4, .end = 5, .value = -60.0f}});
  ImpliedAttention attention;
  attention.follow(held.trace, held.block, 0, 0, 24);
  // Never written: no answer has a part of it.
  for (int t = 4; t < 24; ++t) EXPECT_NEAR(attention.weight(t, 4), 0.0, 1e-12);
  EXPECT_LT(attention.disagreement(), 3e-6);
}

TEST(ImpliedAttention, ANegativeOverlapIsNotTheFloor) {
  const Recording seen(small_mlstm());
  auto trace = std::make_shared<Trace>(*seen.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[3]);
  step->values[seen.block.path("s")].values[0] = -50.0f;
  step->values[seen.block.path("normalizer")].values[0] = 50.0f;
  trace->steps[3] = step;
  ImpliedAttention attention;
  attention.follow(trace, seen.block, 0, 0, 24);
  EXPECT_FALSE(attention.row(3).floor);
}

TEST(ImpliedAttention, ANumberThatIsNoneStaysSeen) {
  const Recording seen(small_mlstm());
  for (const char* name : {"q", "h"}) {
    auto trace = std::make_shared<Trace>(*seen.trace);
    auto step = std::make_shared<TokenTrace>(*trace->steps[7]);
    step->values[seen.block.path(name)].values[0] = std::numeric_limits<float>::quiet_NaN();
    trace->steps[7] = step;
    ImpliedAttention attention;
    attention.follow(trace, seen.block, 0, 0, 24);
    EXPECT_TRUE(std::isnan(attention.row(7).difference)) << name;
    EXPECT_FALSE(std::isnan(attention.row(8).difference)) << name;
    EXPECT_TRUE(std::isnan(attention.disagreement())) << name;
  }
}

TEST(ImpliedAttention, EndsWhereSomethingWasNotRecorded) {
  const Recording seen(small_mlstm());
  auto trace = std::make_shared<Trace>(*seen.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[7]);
  step->values.erase(seen.block.path("k"));
  trace->steps[7] = step;
  ImpliedAttention attention;
  attention.follow(trace, seen.block, 0, 0, 24);
  EXPECT_EQ(attention.count(), 7);
  attention.follow(nullptr, seen.block, 0, 0, 24);
  EXPECT_EQ(attention.count(), 0);
  EXPECT_TRUE(std::isnan(attention.disagreement()));
  attention.follow(seen.trace, seen.block, 99, 0, 24);
  EXPECT_EQ(attention.count(), 0);
}

TEST(ImpliedAttention, ItsLastRowAloneIsTheSame) {
  const Snapshot scene = recall_scene();
  const BlockCard& block = scene.model->blocks[0];
  for (const int first : {0, 3}) {
    for (int head = 0; head < block.heads; ++head) {
      ImpliedAttention attention;
      attention.follow(scene.trace, block, head, first, 11 - first);
      const std::vector<double> row = attention_weights(*scene.trace, block, head, first, 10);
      ASSERT_EQ(row.size(), static_cast<std::size_t>(11 - first));
      for (int s = first; s <= 10; ++s)
        EXPECT_DOUBLE_EQ(row[static_cast<std::size_t>(s - first)], attention.weight(10, s));
    }
  }
  EXPECT_TRUE(attention_weights(*scene.trace, block, 0, 0, 99).empty());
  EXPECT_TRUE(attention_weights(*scene.trace, scene.model->blocks[1], 0, 0, 3).empty());
}

}  // namespace
}  // namespace xlab::tests
