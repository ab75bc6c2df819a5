// Curves of losses that grow: they share what they have in common and never change.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/loss_curve.hpp"

namespace xlab::tests {
namespace {

std::vector<LossPoint> points(int count, float first = 1.0f) {
  std::vector<LossPoint> all;
  for (int i = 0; i < count; ++i)
    all.push_back({i, first + static_cast<float>(i), 2.0f * static_cast<float>(i)});
  return all;
}

void expect_points(const LossCurve& curve, const std::vector<LossPoint>& all) {
  ASSERT_EQ(curve.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(curve[i].step, all[i].step);
    EXPECT_EQ(curve[i].loss, all[i].loss);
    EXPECT_EQ(curve[i].smoothed, all[i].smoothed);
  }
}

TEST(LossCurve, IsACopyOfItsPoints) {
  const std::vector<LossPoint> all = points(5);
  expect_points(LossCurve(all), all);
  EXPECT_TRUE(LossCurve().empty());
  EXPECT_EQ(LossCurve().begin(), LossCurve().end());
}

TEST(LossCurve, GrowsWithoutACopyAndOldOnesStay) {
  GrowingLosses growing;
  const std::vector<LossPoint> all = points(100000);
  std::vector<std::shared_ptr<const LossCurve>> shown;
  for (std::size_t size = 0; size <= all.size(); size += 250)
    shown.push_back(growing.curve_of({all.data(), size}));
  expect_points(*shown.back(), all);
  // Copied each time it would have been 400 * 50,000.
  EXPECT_LT(growing.copied(), 4 * all.size());
  int same = 0;
  for (std::size_t i = 1; i < shown.size(); ++i) {
    ASSERT_EQ(shown[i]->size(), 250 * i);
    EXPECT_EQ(shown[i]->back().step, static_cast<std::int64_t>(250 * i) - 1);
    same += shown[i]->storage() == shown[i - 1]->storage();
  }
  EXPECT_GT(same, 380) << "and so drawings need to look at what is new alone";
}

TEST(LossCurve, OtherLossesHaveMemoryOfTheirOwn) {
  GrowingLosses growing;
  const std::vector<LossPoint> first = points(10), other = points(12, 50.0f);
  const auto before = growing.curve_of(first);
  growing.begin_anew();
  const auto after = growing.curve_of(other);
  EXPECT_NE(before->storage(), after->storage());
  expect_points(*before, first);
  expect_points(*after, other);
  // Fewer of them are others too: every second step is left out when there are very many.
  const auto fewer = growing.curve_of({first.data(), 4});
  expect_points(*after, other);
  expect_points(*fewer, points(4));
}

}  // namespace
}  // namespace xlab::tests
