// How full a matrix memory is, against what can be worked out by hand, and against the model.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/findings.hpp"
#include "core/analysis/memory_fill.hpp"
#include "core/analysis/singular_values.hpp"
#include "core/generation/sequence.hpp"
#include "core/model.hpp"
#include "tests/scenes.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

/// Steps that write what they are given, forgetting nothing unless asked.
struct Writes {
  BlockCard block{.kind = "mlstm",
                  .has_matrix = true,
                  .heads = 1,
                  .key_dim = 4,
                  .value_dim = 4,
                  .prefix = "block0/mlstm"};
  std::shared_ptr<Trace> trace = std::make_shared<Trace>();
  std::vector<float> n, memory;

  void write(std::vector<float> key, std::vector<float> value, float input = 1.0f,
             float forget = 1.0f, float m = 0.0f) {
    const auto V = static_cast<std::size_t>(block.value_dim);
    n.resize(key.size());
    memory.resize(key.size() * V);
    for (std::size_t i = 0; i < key.size(); ++i) {
      n[i] = forget * n[i] + input * key[i];
      for (std::size_t j = 0; j < V; ++j)
        memory[i * V + j] = forget * memory[i * V + j] + input * key[i] * value[j];
    }
    auto step = std::make_shared<TokenTrace>();
    const auto record = [&](const char* name, std::vector<float> numbers) {
      const int dim = static_cast<int>(numbers.size());
      step->values[block.path(name)] = {1, dim, std::move(numbers)};
    };
    record("input_gate", {input});
    record("forget_gate", {forget});
    record("m", {m});
    record("n", n);
    record("k", std::move(key));
    record("v", std::move(value));
    trace->steps.push_back(step);
  }
  /// Key number i alone, as the cell stores it.
  std::vector<float> axis(int i, float size = 1.0f) const {
    std::vector<float> key(static_cast<std::size_t>(block.key_dim), 0.0f);
    key[static_cast<std::size_t>(i)] = size / std::sqrt(static_cast<float>(block.key_dim));
    return key;
  }
  std::vector<float> noise(Noise& from, int size, double length) const {
    std::vector<float> numbers;
    for (const double x : from.unit_vector(size)) numbers.push_back(static_cast<float>(length * x));
    return numbers;
  }
  RequeryTest asked() const {
    RequeryTest test;
    test.follow(trace, block, 0, trace->length() - 1, memory);
    while (test.advance(1.0)) {
    }
    return test;
  }
  std::vector<KeyAnswer> answered() const { return asked().answers(); }
  MemoryFill filled() const {
    MemoryFill fill;
    fill.follow(trace, block, 0);
    while (fill.advance(100.0)) {
    }
    return fill;
  }
};

TEST(SingularValues, AreThoseThatCanBeWorkedOut) {
  // A rotation of diag(5, 3, 0.25) on both sides, by angles that are no special ones.
  const double a = 0.7, b = -1.1;
  const double U[3][3] = {{std::cos(a), -std::sin(a), 0}, {std::sin(a), std::cos(a), 0}, {0, 0, 1}};
  const double W[3][4] = {
      {std::cos(b), 0, -std::sin(b), 0}, {0, 1, 0, 0}, {std::sin(b), 0, std::cos(b), 0}};
  const double sizes[] = {5.0, 3.0, 0.25};
  std::vector<float> wide(12, 0.0f), tall(12, 0.0f);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      double sum = 0.0;
      for (std::size_t s = 0; s < 3; ++s) sum += U[i][s] * sizes[s] * W[s][j];
      wide[i * 4 + j] = static_cast<float>(sum);
      tall[j * 3 + i] = static_cast<float>(sum);
    }
  }
  for (const std::vector<double>& found :
       {singular_values(wide, 3, 4), singular_values(tall, 4, 3)}) {
    ASSERT_EQ(found.size(), 3u);
    for (std::size_t s = 0; s < 3; ++s) EXPECT_NEAR(found[s], sizes[s], 1e-6) << s;
  }
  EXPECT_NEAR(participation_ratio(singular_values(wide, 3, 4)),
              34.0625 * 34.0625 / (625.0 + 81.0 + 0.0625 * 0.0625), 1e-6);
}

TEST(SingularValues, OfZerosAndOfWhatIsNoNumber) {
  EXPECT_EQ(singular_values(std::vector<float>(6, 0.0f), 2, 3), (std::vector<double>{0.0, 0.0}));
  EXPECT_EQ(participation_ratio(std::vector<double>{0.0, 0.0}), 0.0);
  EXPECT_TRUE(std::isnan(participation_ratio({})));
  const float odds[] = {std::numeric_limits<float>::quiet_NaN(),
                        std::numeric_limits<float>::infinity()};
  for (const float odd : odds) {
    std::vector<float> matrix(6, 1.0f);
    matrix[4] = odd;
    EXPECT_TRUE(singular_values(matrix, 2, 3).empty());
  }
  EXPECT_TRUE(singular_values({}, 0, 3).empty());
  // Numbers whose squares are no floats, and none at all in double precision.
  const std::vector<double> large = singular_values(std::vector<float>{3e38f, 0, 0, 1e38f}, 2, 2);
  ASSERT_EQ(large.size(), 2u);
  EXPECT_NEAR(large[0] / 3e38, 1.0, 1e-6);
  EXPECT_NEAR(large[1] / 1e38, 1.0, 1e-6);
}

TEST(SingularValues, SumUpToTheSquaresAndAgreeWithTheRankOfFindings) {
  Noise noise(3);
  const std::pair<int, int> shapes[] = {{17, 12}, {12, 17}, {32, 32}, {1, 5}};
  for (const auto& [rows, columns] : shapes) {
    std::vector<float> matrix;
    double squares = 0.0;
    for (int i = 0; i < rows * columns; ++i) {
      matrix.push_back(static_cast<float>(noise.next()));
      squares += static_cast<double>(matrix.back()) * matrix.back();
    }
    const std::vector<double> found = singular_values(matrix, rows, columns);
    double sum = 0.0;
    for (const double one : found) sum += one * one;
    EXPECT_NEAR(sum / squares, 1.0, 1e-12);
    EXPECT_TRUE(std::is_sorted(found.rbegin(), found.rend()));
    EXPECT_NEAR(participation_ratio(found), effective_rank(matrix, rows, columns), 1e-9 * rows);
  }
}

TEST(SingularValues, InSmallPiecesAreTheSameBits) {
  Noise noise(8);
  std::vector<float> matrix;
  for (int i = 0; i < 24 * 24; ++i) matrix.push_back(static_cast<float>(noise.next()));
  SingularValues pieces(matrix, 24, 24);
  int calls = 0;
  while (!pieces.go_on(50.0)) ++calls;
  EXPECT_GT(calls, 100);
  EXPECT_EQ(pieces.values(), singular_values(matrix, 24, 24));
}

TEST(MemoryFill, GrowsByOneDirectionAWriteAndStopsAtTheSmallerSide) {
  Writes w;
  w.block.key_dim = 8;
  w.block.value_dim = 8;
  Noise noise(11);
  for (int t = 0; t < 12; ++t)
    w.write(w.noise(noise, 8, 1.0 / std::sqrt(8.0)), w.noise(noise, 8, 1.0));
  const MemoryFill fill = w.filled();
  ASSERT_EQ(fill.next(), 12);
  for (int t = 0; t < 12; ++t) {
    const std::vector<double>& singular = *fill.at(t);
    ASSERT_EQ(singular.size(), 8u);
    const auto rank = std::count_if(singular.begin(), singular.end(),
                                    [&](double one) { return one > 1e-5 * singular.front(); });
    EXPECT_EQ(rank, std::min(t + 1, 8)) << t;
    EXPECT_LE(participation_ratio(singular), static_cast<double>(rank) + 1e-6);
  }
  EXPECT_FALSE(fill.at(12));
  EXPECT_FALSE(fill.at(-1));
}

TEST(MemoryFill, IsThatOfTheMemoryThatTheModelCarries) {
  int compared = 0;
  for (const auto& [name, spec] : small_models()) {
    SCOPED_TRACE(name);
    const Model model = filled_model(spec, DType::f32);
    Sequence sequence(model);
    sequence.set_tokens(some_tokens(7, spec.vocab_size));
    sequence.compute_all();
    const std::vector<BlockCard> cards = model.cards();
    for (int b = 0; b < static_cast<int>(cards.size()); ++b) {
      const BlockCard& block = cards[static_cast<std::size_t>(b)];
      if (!block.has_matrix) continue;
      for (int head = 0; head < block.heads; ++head) {
        MemoryFill fill;
        fill.follow(sequence.trace(), block, head);
        while (fill.advance(1e9)) {
        }
        const Tensor C = sequence.state_after(5, b).get("C").to(DType::f32);
        const auto size = static_cast<std::size_t>(block.key_dim * block.value_dim);
        const float* begin = C.data<float>() + static_cast<std::size_t>(head) * size;
        const std::vector<float> memory(begin, begin + size);
        ASSERT_TRUE(fill.at(5));
        const double rank = participation_ratio(*fill.at(5));
        EXPECT_NEAR(rank, effective_rank(memory, block.key_dim, block.value_dim), 1e-3 * rank);
        // What the model's own query reads is what it read.
        const Recorded* q = sequence.trace()->find(5, block.path("q"));
        const Recorded* h = sequence.trace()->find(5, block.path("h"));
        ASSERT_TRUE(q && h);
        std::vector<double> query;
        for (int i = 0; i < block.key_dim; ++i) query.push_back(q->at(head, i));
        const MemoryAnswer read = read_memory(*sequence.trace(), block, head, 5, memory, query);
        ASSERT_EQ(read.h.size(), static_cast<std::size_t>(block.value_dim));
        double most = 0.0;
        for (int i = 0; i < block.value_dim; ++i)
          most = std::max(most, std::abs(static_cast<double>(h->at(head, i))));
        for (int i = 0; i < block.value_dim; ++i)
          EXPECT_NEAR(read.h[static_cast<std::size_t>(i)], h->at(head, i), 2e-5 * most + 1e-9);
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 20);
}

TEST(MemoryFill, KeepsWhatStaysAndForgetsWhatHasChanged) {
  Writes w;
  Noise noise(2);
  for (int t = 0; t < 6; ++t) w.write(w.noise(noise, 4, 0.5), w.noise(noise, 4, 1.0));
  MemoryFill fill;
  fill.follow(w.trace, w.block, 0);
  while (fill.advance(1e6)) {
  }
  const std::vector<double> fifth = *fill.at(4);
  auto longer = std::make_shared<Trace>(*w.trace);
  longer->steps.push_back(w.trace->steps[1]);
  fill.follow(longer, w.block, 0);
  EXPECT_EQ(fill.next(), 6) << "the six before are known";
  ASSERT_TRUE(fill.advance(1.0) || fill.complete());
  while (fill.advance(1e6)) {
  }
  EXPECT_EQ(fill.next(), 7);
  // Another third token: the first two stay.
  auto other = std::make_shared<Trace>(*longer);
  other->steps[2] = w.trace->steps[0];
  fill.follow(other, w.block, 0);
  EXPECT_EQ(fill.next(), 2);
  while (fill.advance(1e6)) {
  }
  MemoryFill anew;
  anew.follow(other, w.block, 0);
  while (anew.advance(1e6)) {
  }
  for (int t = 0; t < 7; ++t) EXPECT_EQ(*fill.at(t), *anew.at(t)) << t;
  EXPECT_NE(*fill.at(4), fifth);
}

TEST(MemoryFill, OfALongSequenceTakesAFewStepsAndSaysWhich) {
  Writes w;
  w.block.key_dim = 96;
  w.block.value_dim = 96;
  Noise noise(4);
  w.write(w.noise(noise, 96, 0.1), w.noise(noise, 96, 1.0));
  for (int t = 1; t < 900; ++t) w.trace->steps.push_back(w.trace->steps[0]);
  MemoryFill fill;
  fill.follow(w.trace, w.block, 0);
  EXPECT_GT(fill.stride(), 1);
  for (int i = 0; i < 4000 && fill.next() <= 2 * fill.stride(); ++i) fill.advance(1e5);
  ASSERT_GT(fill.next(), 2 * fill.stride());
  EXPECT_EQ(fill.taken(fill.stride() + 1), fill.stride());
  EXPECT_EQ(fill.at(fill.stride() + 1), fill.at(fill.stride()));
  // One direction, written every step and never forgotten.
  EXPECT_NEAR(fill.at(fill.stride())->front() / fill.at(0)->front(), fill.stride() + 1.0, 1e-3);
}

TEST(MemoryFill, WhereNothingWasRecordedItEnds) {
  Writes w;
  w.write(w.axis(0), {1, 0, 0, 0});
  w.trace->steps.push_back(std::make_shared<TokenTrace>());
  const MemoryFill fill = w.filled();
  EXPECT_EQ(fill.next(), 1);
  EXPECT_TRUE(fill.complete());
  MemoryFill none;
  none.follow(nullptr, w.block, 0);
  EXPECT_FALSE(none.advance(1e6));
  EXPECT_EQ(none.next(), 0);
}

TEST(Requery, OrthogonalKeysBringBackTheirValues) {
  Writes w;
  const std::vector<float> values[] = {{1, 0, 0, 0}, {0, 2, 0, 1}, {0, -1, 3, 0}};
  for (int i = 0; i < 3; ++i) w.write(w.axis(i), values[i], 20.0f);
  const RequeryTest test = w.asked();
  ASSERT_EQ(test.answers().size(), 3u);
  for (const KeyAnswer& answer : test.answers()) {
    EXPECT_NEAR(answer.cosine, 1.0, 1e-9);
    EXPECT_NEAR(answer.length, 1.0, 1e-5) << "divided by its overlap";
    EXPECT_FALSE(answer.floor);
  }
  EXPECT_NEAR(test.mean(), 1.0, 1e-9);
  EXPECT_NEAR(own_share(*w.trace, w.block, 0, 2, 1), 1.0, 1e-9);
}

TEST(Requery, BelowTheFloorTheDirectionStaysAndTheLengthShrinks) {
  // Unit keys, input gate e^0, K = 4: 1/√4 is below the floor 1 and half the length comes back.
  Writes w;
  for (int i = 0; i < 3; ++i) w.write(w.axis(i), w.axis(i, 3.0f));
  for (const KeyAnswer& answer : w.answered()) {
    EXPECT_NEAR(answer.cosine, 1.0, 1e-9);
    EXPECT_NEAR(answer.length, 0.5, 1e-5);
    EXPECT_TRUE(answer.floor);
  }
  // Written with e^3 the floor, exp(-m) = e^-3 of what is stored, is below.
  Writes strong;
  for (int i = 0; i < 3; ++i) strong.write(strong.axis(i), strong.axis(i, 3.0f), 1.0f, 1.0f, 3.0f);
  for (const KeyAnswer& answer : strong.answered()) {
    EXPECT_NEAR(answer.length, 1.0, 1e-5);
    EXPECT_FALSE(answer.floor);
  }
  // A floor of 1 stays where it is.
  strong.block.variant.denominator_floor = DenominatorFloor::one;
  for (const KeyAnswer& answer : strong.answered()) EXPECT_NEAR(answer.length, 0.5, 1e-5);
}

TEST(Requery, WhereQueriesAreScaledTheKeyIsDivided) {
  Writes w;
  w.block.variant.scale = Scaled::queries;
  for (int i = 0; i < 3; ++i) w.write(w.axis(i, 2.0f), w.axis(i, 3.0f));
  const std::vector<double> query = key_as_query(*w.trace, w.block, 0, 1);
  EXPECT_NEAR(query[1], 0.5, 1e-7) << "1 / √4";
  for (const KeyAnswer& answer : w.answered()) EXPECT_NEAR(answer.length, 0.5, 1e-5);
  w.block.variant.scale = Scaled::keys;
  EXPECT_NEAR(key_as_query(*w.trace, w.block, 0, 1)[1], 2.0, 1e-6) << "1 times √4";
}

TEST(Requery, RandomKeysGiveWhatIsExpectedOfThem) {
  const std::pair<int, double> lesson[] = {{8, 0.83}, {16, 0.71}, {32, 0.58}, {64, 0.44}};
  for (const auto& [stored, expected] : lesson) {
    double sum = 0.0;
    constexpr int kTimes = 40;
    for (int time = 0; time < kTimes; ++time) {
      Writes w;
      w.block.key_dim = 16;
      w.block.value_dim = 16;
      Noise noise(static_cast<std::uint64_t>(100 * stored + time));
      for (int t = 0; t < stored; ++t) w.write(w.noise(noise, 16, 0.25), w.noise(noise, 16, 1.0));
      sum += w.asked().mean();
    }
    EXPECT_NEAR(sum / kTimes, expected, 0.04) << stored;
    EXPECT_NEAR(random_key_cosine(stored, 16), expected, 0.02) << stored;
  }
}

TEST(Requery, WhatHasNoDirectionIsNotCounted) {
  Writes w;
  w.write(w.axis(0), {1, 0, 0, 0}, 4.0f);
  w.write(w.axis(1), {0, 0, 0, 0}, 4.0f);
  const RequeryTest test = w.asked();
  EXPECT_TRUE(std::isnan(test.answers()[1].cosine));
  EXPECT_EQ(test.counted(), 1);
  EXPECT_NEAR(test.mean(), 1.0, 1e-9);
  EXPECT_TRUE(
      std::isnan(cosine_of(std::vector<double>{1.0, std::nan("")}, std::vector<double>{1.0, 1.0})));
  EXPECT_TRUE(std::isnan(RequeryTest().mean()));
}

TEST(Requery, TheShareOfItsOwnWriteFadesWithTheGates) {
  Writes w;
  w.write({0.5f, 0, 0, 0}, {1, 0, 0, 0}, 1.0f);
  w.write({0.5f, 0, 0, 0}, {0, 1, 0, 0}, 1.0f, 0.25f);
  // Both keys are the same: 0.25 of the first is left beside 1 of the second.
  EXPECT_NEAR(own_share(*w.trace, w.block, 0, 1, 0), 0.2, 1e-9);
  EXPECT_NEAR(own_share(*w.trace, w.block, 0, 1, 1), 0.8, 1e-9);
  EXPECT_TRUE(std::isnan(own_share(*w.trace, w.block, 0, 1, 2)));
}

}  // namespace
}  // namespace xlab::tests
