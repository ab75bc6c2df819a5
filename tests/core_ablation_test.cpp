// What a head is worth, held against the sequence on screen with the same clamps.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <vector>

#include "core/generation/ablation.hpp"

#include "core/edits.hpp"
#include "core/generation/sequence.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

double mean_surprise(const Model& model, const std::vector<int>& tokens,
                     const std::vector<Clamp>& clamps) {
  Sequence sequence(model);
  sequence.set_tokens(tokens);
  sequence.set_clamps(clamps);
  sequence.compute_all();
  double sum = 0.0;
  for (std::size_t t = 1; t < tokens.size(); ++t) sum += sequence.steps()[t].surprise;
  return sum / static_cast<double>(tokens.size() - 1);
}

TEST(Ablation, TheLossIsTheMeanSurprise) {
  const Model model = filled_model(small_mixed(), DType::f32);
  const std::vector<int> tokens = some_tokens(15, 7);
  const Probe probe = probe_of_text(tokens);
  ASSERT_EQ(probe.targets.size(), tokens.size());
  EXPECT_EQ(probe.targets.back(), -1);
  EXPECT_NEAR(probe_loss(model, probe), mean_surprise(model, tokens, {}), 1e-5);
  // Of a task only what is asked counts.
  Probe asked = probe;
  for (std::size_t t = 0; t < tokens.size(); ++t)
    if (t != 4) asked.targets[t] = -1;
  Sequence sequence(model);
  sequence.set_tokens(tokens);
  sequence.compute_all();
  EXPECT_NEAR(probe_loss(model, asked), static_cast<double>(sequence.steps()[5].surprise), 1e-5);
  asked.targets[4] = -1;
  EXPECT_TRUE(std::isnan(probe_loss(model, asked)));
  asked.targets[4] = 7;
  EXPECT_THROW(probe_loss(model, asked), Error);
}

TEST(Ablation, EveryHeadAndEveryBlockIsSwitchedOffInTurn) {
  const Model model = filled_model(small_mixed(), DType::f32);
  const std::vector<int> tokens = some_tokens(12, 7);
  const Probe probe = probe_of_text(tokens);
  int told = 0;
  const std::vector<Ablation> all = ablations(model, probe, [&](const Ablation&, int count) {
    ++told;
    EXPECT_EQ(count, 9);
  });
  EXPECT_EQ(told, 9);
  ASSERT_EQ(all.size(), 9u);  // three blocks of two heads, and all of each
  const std::vector<BlockCard> blocks = model.cards();
  for (const Ablation& one : all) {
    const auto off = switched_off(blocks[static_cast<std::size_t>(one.block)], one.head, 12);
    EXPECT_NEAR(one.loss, mean_surprise(model, tokens, {*off}), 1e-5);
  }
  EXPECT_EQ(all[0].head, -1);
  EXPECT_EQ(all[1].head, 0);
  EXPECT_NE(all[1].loss, all[2].loss);
}

TEST(Ablation, IsGivenUpWhenItIsAskedTo) {
  const Model model = filled_model(small_mlstm(), DType::f32);
  std::atomic<bool> cancel = true;
  EXPECT_THROW(ablations(model, probe_of_text(some_tokens(9, 7)), {}, &cancel), Error);
}

}  // namespace
}  // namespace xlab::tests
