// How long a memory lasts, by its forget gates.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/analysis/forgetting.hpp"
#include "tests/scenes.hpp"

namespace xlab::tests {
namespace {

TEST(Forgetting, HalfLivesAreThoseOfRepeatedShares) {
  EXPECT_DOUBLE_EQ(half_life(0.5), 1.0);
  EXPECT_DOUBLE_EQ(half_life(0.25), 0.5);
  EXPECT_NEAR(std::pow(0.93, half_life(0.93)), 0.5, 1e-12);
  EXPECT_EQ(half_life(0.0), 0.0);
  EXPECT_TRUE(std::isinf(half_life(1.0)));
  EXPECT_TRUE(std::isinf(half_life(1.7)));
  EXPECT_TRUE(std::isnan(half_life(-0.1)));
  EXPECT_TRUE(std::isnan(half_life(std::numeric_limits<double>::quiet_NaN())));
}

TEST(Forgetting, ShareIsTheForgetGateBeforeTheStabilizer) {
  const Snapshot scene = recall_scene();
  for (const BlockCard& block : scene.model->blocks) {
    const Recorded* pre = scene.trace->find(1, block.path("forget_gate_pre"));
    ASSERT_TRUE(pre) << block.prefix;
    const int unit = pre->dim - 1, head = pre->heads - 1;
    const double f = pre->at(head, unit);
    EXPECT_DOUBLE_EQ(share_kept(*scene.trace, block, 1, head, unit), 1.0 / (1.0 + std::exp(-f)));
    BlockCard other = block;
    other.variant.forget_gate = ForgetGate::exponential;
    EXPECT_DOUBLE_EQ(share_kept(*scene.trace, other, 1, head, unit), std::exp(f));
    EXPECT_TRUE(std::isnan(share_kept(*scene.trace, block, 1, pre->heads, 0)));
    EXPECT_TRUE(std::isnan(share_kept(*scene.trace, block, 999, 0, 0)));
  }
}

}  // namespace
}  // namespace xlab::tests
