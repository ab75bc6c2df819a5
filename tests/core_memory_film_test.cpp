// A memory replayed from its writes, against the carried state.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "core/analysis/memory_film.hpp"
#include "core/generation/sequence.hpp"
#include "core/model.hpp"
#include "tests/scenes.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

void play(MemoryFilm& film, const std::shared_ptr<const Trace>& trace, const BlockCard& block,
          int head) {
  film.follow(trace, block, head);
  while (film.advance(1.0)) {
  }
}

TEST(MemoryFilm, ShowsTheMemoryThatTheModelCarries) {
  int compared = 0;
  for (const auto& [name, spec] : small_models()) {
    SCOPED_TRACE(name);
    const Model model = filled_model(spec, DType::f32);
    Sequence sequence(model);
    sequence.set_tokens(some_tokens(11, spec.vocab_size));
    sequence.compute_all();
    const std::vector<BlockCard> cards = model.cards();
    for (int b = 0; b < static_cast<int>(cards.size()); ++b) {
      const BlockCard& block = cards[static_cast<std::size_t>(b)];
      if (!block.has_matrix) continue;
      for (int head = 0; head < block.heads; ++head) {
        MemoryFilm film;
        play(film, sequence.trace(), block, head);
        ASSERT_EQ(film.length(), 11);
        EXPECT_FALSE(film.reduced());
        for (const int t : {0, 5, 10}) {
          const Tensor C = sequence.state_after(t, b).get("C").to(DType::f32);
          const std::span<const float> picture = film.picture(t);
          double most = 0.0;
          for (std::size_t i = 0; i < picture.size(); ++i) {
            const float stored =
                C.data<float>()[static_cast<std::size_t>(head) * picture.size() + i];
            ASSERT_NEAR(picture[i], stored, 1e-6 + 2e-6 * std::abs(stored)) << t << " " << i;
            most = std::max(most, static_cast<double>(std::abs(picture[i])));
          }
          EXPECT_EQ(film.largest(t), most);
          ++compared;
        }
      }
    }
  }
  EXPECT_GT(compared, 60);
}

TEST(MemoryFilm, OfLargeHeadsKeepsWhatIsFurthestFromZero) {
  BlockCard block{.kind = "mlstm",
                  .has_matrix = true,
                  .heads = 1,
                  .key_dim = 64,
                  .value_dim = 48,
                  .prefix = "block0/mlstm"};
  auto step = std::make_shared<TokenTrace>();
  const auto record = [&](const char* name, std::vector<float> numbers) {
    const int dim = static_cast<int>(numbers.size());
    step->values[block.path(name)] = {1, dim, std::move(numbers)};
  };
  std::vector<float> keys(64, 0.1f), values(48, 1.0f);
  // The first of those that share a row or a column.
  keys[4] = -3.0f;
  values[45] = 2.0f;
  record("input_gate", {0.5f});
  record("forget_gate", {0.9f});
  record("k", keys);
  record("v", values);
  auto trace = std::make_shared<Trace>();
  trace->steps = {step};
  MemoryFilm film;
  play(film, trace, block, 0);
  ASSERT_EQ(film.length(), 1);
  EXPECT_TRUE(film.reduced());
  EXPECT_EQ(film.rows(), 32);
  EXPECT_EQ(film.columns(), 32);
  // Rows 4 and 5 share one, and columns 45 and 46.
  EXPECT_FLOAT_EQ(film.picture(0)[2 * 32 + 30], -3.0f);
  EXPECT_FLOAT_EQ(film.picture(0)[3 * 32 + 30], 0.1f);
  EXPECT_FLOAT_EQ(film.picture(0)[2 * 32 + 3], -1.5f);
  EXPECT_DOUBLE_EQ(film.largest(0), 3.0);
  keys[5] = std::numeric_limits<float>::quiet_NaN();
  auto broken = std::make_shared<TokenTrace>(*step);
  broken->values[block.path("k")].values = keys;
  auto longer = std::make_shared<Trace>();
  longer->steps = {step, broken};
  play(film, longer, block, 0);
  ASSERT_EQ(film.length(), 2);
  EXPECT_TRUE(std::isnan(film.picture(1)[2 * 32]));
  EXPECT_TRUE(std::isnan(film.largest(1)));
  EXPECT_FLOAT_EQ(film.picture(1)[3 * 32], 0.9f * 0.05f + 0.05f);
}

TEST(MemoryFilm, GoesOnOrBeginsAgain) {
  const Snapshot scene = recall_scene();
  const BlockCard& block = scene.model->blocks[0];
  ASSERT_TRUE(block.has_matrix);
  MemoryFilm whole, parts;
  play(whole, scene.trace, block, 2);
  auto beginning = std::make_shared<Trace>();
  beginning->steps.assign(scene.trace->steps.begin(), scene.trace->steps.begin() + 6);
  play(parts, beginning, block, 2);
  EXPECT_EQ(parts.length(), 6);
  play(parts, scene.trace, block, 2);
  ASSERT_EQ(parts.length(), whole.length());
  for (int t = 0; t < whole.length(); ++t)
    EXPECT_TRUE(std::ranges::equal(parts.picture(t), whole.picture(t))) << t;
  // Another head, and back: shorter recordings end earlier.
  play(parts, scene.trace, block, 0);
  EXPECT_FALSE(std::ranges::equal(parts.picture(4), whole.picture(4)));
  play(parts, beginning, block, 2);
  EXPECT_EQ(parts.length(), 6);
  EXPECT_TRUE(std::ranges::equal(parts.picture(5), whole.picture(5)));
  play(parts, nullptr, block, 2);
  EXPECT_EQ(parts.length(), 0);
}

}  // namespace
}  // namespace xlab::tests
