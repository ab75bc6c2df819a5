// From logits to tokens: the distribution after every setting, and draws that follow it.
#include "core/generation/sampler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/check.hpp"

namespace xlab::tests {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

const std::vector<float> kLogits = {0.5f, 2.0f, -1.0f, 1.0f, 2.0f};

SamplerSettings settings(double temperature, int top_k = 0, double top_p = 1.0) {
  return {.greedy = false, .temperature = temperature, .top_k = top_k, .top_p = top_p, .seed = 3};
}

double sum(const std::vector<float>& p) {
  return std::accumulate(p.begin(), p.end(), 0.0);
}

TEST(Sampler, ProbabilitiesAreTheSoftmax) {
  const auto p = probabilities_of(kLogits);
  double total = 0.0;
  for (const float x : kLogits) total += std::exp(static_cast<double>(x));
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(p[i], std::exp(kLogits[i]) / total, 1e-7);
  EXPECT_NEAR(sum(p), 1.0, 1e-6);
  EXPECT_TRUE(probabilities_of({}).empty());
}

TEST(Sampler, ProbabilitiesOfHugeLogitsStayFinite) {
  EXPECT_THAT(probabilities_of(std::vector<float>{3e38f, -3e38f, 3e38f}),
              ElementsAre(0.5f, 0.0f, 0.5f));
  EXPECT_THAT(probabilities_of(std::vector<float>{-kInf, 1.0f}), ElementsAre(0.0f, 1.0f));
}

TEST(Sampler, GreedyAndTemperatureZeroTakeTheFirstOfTheLargest) {
  SamplerSettings greedy;
  EXPECT_THAT(sampling_distribution(kLogits, greedy), ElementsAre(0, 1, 0, 0, 0));
  EXPECT_THAT(sampling_distribution(kLogits, settings(0.0)), ElementsAre(0, 1, 0, 0, 0));
  EXPECT_TRUE(sampling_distribution({}, greedy).empty());
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  EXPECT_THAT(sampling_distribution(kLogits, settings(1.0)),
              Pointwise(FloatNear(1e-7f), probabilities_of(kLogits)));
  const auto cold = sampling_distribution(kLogits, settings(0.01));
  EXPECT_NEAR(cold[1], 0.5, 1e-6);
  EXPECT_NEAR(cold[4], 0.5, 1e-6);
  EXPECT_THAT(sampling_distribution(kLogits, settings(1e9)), Each(FloatNear(0.2f, 1e-6f)));
  std::vector<float> halved = kLogits;
  for (float& x : halved) x /= 2.0f;
  EXPECT_THAT(sampling_distribution(kLogits, settings(2.0)),
              Pointwise(FloatNear(1e-7f), probabilities_of(halved)));
}

TEST(Sampler, TopKKeepsTheLargestAndTheFirstInATie) {
  const auto p = probabilities_of(kLogits);
  EXPECT_THAT(sampling_distribution(kLogits, settings(1.0, 1)), ElementsAre(0, 1, 0, 0, 0));
  const auto three = sampling_distribution(kLogits, settings(1.0, 3));
  const float mass = p[1] + p[4] + p[3];
  EXPECT_THAT(three, Pointwise(FloatNear(1e-6f),
                               std::vector<float>{0, p[1] / mass, 0, p[3] / mass, p[4] / mass}));
  EXPECT_THAT(sampling_distribution(kLogits, settings(1.0, 100)), Pointwise(FloatNear(1e-7f), p));
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f),
                                     std::log(0.05f)};
  const auto kept = [&](double top_p) {
    const auto p = sampling_distribution(logits, settings(1.0, 0, top_p));
    EXPECT_NEAR(sum(p), 1.0, 1e-6);
    return std::count_if(p.begin(), p.end(), [](float x) { return x > 0.0f; });
  };
  EXPECT_EQ(kept(1e-9), 1);
  EXPECT_EQ(kept(0.49), 1);
  EXPECT_EQ(kept(0.51), 2);
  EXPECT_EQ(kept(0.79), 2);
  EXPECT_EQ(kept(0.81), 3);
  EXPECT_EQ(kept(0.96), 4);
  EXPECT_EQ(kept(1.0), 4);
  // Of what top-k has left.
  EXPECT_THAT(sampling_distribution(logits, settings(1.0, 2, 0.62)), ElementsAre(1, 0, 0, 0));
}

TEST(Sampler, TopPIsReachedByAProbabilityThatEndsExactlyThere) {
  // Quarters are exact, so the sums are.
  const std::vector<float> logits(4, 1.5f);
  const auto kept = [&](double top_p, int top_k = 0) {
    const auto p = sampling_distribution(logits, settings(1.0, top_k, top_p));
    EXPECT_NEAR(sum(p), 1.0, 1e-6);
    return std::count_if(p.begin(), p.end(), [](float x) { return x > 0.0f; });
  };
  EXPECT_EQ(kept(0.25), 1);
  EXPECT_EQ(kept(std::nextafter(0.25, 1.0)), 2);
  EXPECT_EQ(kept(0.5), 2);
  EXPECT_EQ(kept(0.75), 3);
  EXPECT_EQ(kept(std::nextafter(0.75, 1.0)), 4);
  EXPECT_EQ(kept(0.5, 2), 1) << "half of the two that top-k has left";
}

TEST(Sampler, DrawsFollowTheDistribution) {
  const std::vector<float> p = {0.1f, 0.0f, 0.6f, 0.3f};
  std::vector<int> counts(p.size());
  constexpr int kDraws = 20000;
  for (int n = 0; n < kDraws; ++n)
    ++counts[static_cast<std::size_t>(draw(p, 5, static_cast<std::uint64_t>(n)))];
  EXPECT_EQ(counts[1], 0);
  for (std::size_t i = 0; i < p.size(); ++i) {
    // Five standard deviations.
    const double slack = 5.0 * std::sqrt(kDraws * p[i] * (1.0 - p[i]));
    EXPECT_NEAR(counts[i], kDraws * static_cast<double>(p[i]), slack + 1e-9);
  }
}

TEST(Sampler, ADrawDependsOnSeedAndPositionAlone) {
  const std::vector<float> p(50, 0.02f);
  std::vector<int> first, again, other;
  for (std::uint64_t n = 0; n < 40; ++n) {
    first.push_back(draw(p, 1, n));
    other.push_back(draw(p, 2, n));
  }
  for (std::uint64_t n = 40; n-- > 0;) again.insert(again.begin(), draw(p, 1, n));
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

TEST(Sampler, RoundingNeverDrawsTheImpossible) {
  // Probabilities that add up to less than one.
  const std::vector<float> p = {0.3f, 0.3f, 0.0f};
  for (std::uint64_t n = 0; n < 200; ++n) EXPECT_NE(draw(p, 1, n), 2);
}

TEST(Sampler, NumbersThatAreNotFiniteGiveNoToken) {
  for (const std::vector<float>& logits : {std::vector<float>{kNaN, kNaN, kNaN},
                                           {kNaN, 1.0f, 2.0f},
                                           {1.0f, kInf, 2.0f},
                                           {-kInf, -kInf, -kInf},
                                           {kInf, -kInf, kNaN}}) {
    for (const SamplerSettings& s : {SamplerSettings{}, settings(1.0), settings(0.5, 2),
                                     settings(1.0, 0, 0.5), settings(1e-300)}) {
      const auto p = sampling_distribution(logits, s);
      ASSERT_EQ(p.size(), logits.size());
      EXPECT_THROW(draw(p, 1, 7), Error);
    }
  }
}

TEST(Sampler, RefusesImpossibleSettings) {
  EXPECT_NO_THROW(validate(SamplerSettings{}));
  EXPECT_NO_THROW(validate(settings(0.0, 0, 1e-9)));
  const auto complaint = [](const SamplerSettings& s) -> std::string {
    try {
      validate(s);
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing";
  };
  for (const double temperature : {-0.1, static_cast<double>(kNaN), static_cast<double>(kInf)})
    EXPECT_THAT(complaint(settings(temperature)), HasSubstr("temperature"));
  EXPECT_THAT(complaint(settings(1.0, -1)), HasSubstr("top-k"));
  for (const double top_p : {0.0, -0.5, 1.01, static_cast<double>(kNaN)})
    EXPECT_THAT(complaint(settings(1.0, 0, top_p)), HasSubstr("top-p"));
}

}  // namespace
}  // namespace xlab::tests
