// What a training step needs beyond the gradients: sums of the loss, the update that decides for
// itself whether it counts, and random numbers that are the same everywhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/adamw.hpp"
#include "kernels/loss.hpp"
#include "kernels/philox.hpp"
#include "kernels/random.hpp"

namespace xlab::tests {
namespace {

using namespace kernels;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Tensor random(const Shape& shape, DType dtype, std::uint64_t stream) {
  const Tensor t = Tensor::empty(shape, dtype);
  fill_uniform(t, -1.0, 1.0, 9, stream);
  return t;
}

Tensor of(const std::vector<double>& values) {
  return Tensor::from<double>({static_cast<std::int64_t>(values.size())}, values);
}

Tensor ids(const std::vector<std::int32_t>& values) {
  return Tensor::from<std::int32_t>({static_cast<std::int64_t>(values.size())}, values);
}

void expect_same_bits(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.bytes(), b.bytes());
  EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0);
}

TEST(CrossEntropySums, AreTheSumsBehindTheMean) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor logits = random({6, 11}, dtype, 1), targets = ids({3, -1, 0, 10, 5, -7});
    const Tensor mean_gradient = Tensor::empty({6, 11}, dtype);
    const CrossEntropy mean = cross_entropy(logits, targets, mean_gradient, {}, 3.0);
    const Tensor gradient = Tensor::empty({6, 11}, dtype), sums = of({7, 7, 7});
    cross_entropy_sums(logits, targets, of({3.0 / 4.0}), gradient, sums);
    EXPECT_NEAR(sums.data<double>()[0], 4.0 * mean.loss, 1e-14);
    EXPECT_EQ(sums.data<double>()[1], 4.0);
    EXPECT_EQ(sums.data<double>()[2], static_cast<double>(mean.correct));
    expect_same_bits(gradient, mean_gradient);
    const Tensor alone = of({0, 0, 0});
    cross_entropy_sums(logits, targets, of({1}), {}, alone);
    expect_same_bits(alone, sums);
  }
}

TEST(CrossEntropySums, SayNaNForATargetThatIsNoClass) {
  const Tensor logits = random({3, 4}, DType::f32, 1), gradient = Tensor::zeros({3, 4}, DType::f32);
  const Tensor sums = of({0, 0, 0});
  cross_entropy_sums(logits, ids({1, 4, -1}), of({1}), gradient, sums);
  for (const double sum : sums.span<double>()) EXPECT_TRUE(std::isnan(sum));
  EXPECT_TRUE(std::isfinite(gradient.data<float>()[3]));
  EXPECT_TRUE(std::isnan(gradient.data<float>()[4]));
  EXPECT_EQ(gradient.data<float>()[8], 0.0f);
}

TEST(CrossEntropySums, OfNothingAreNothing) {
  const Tensor sums = of({7, 7, 7});
  cross_entropy_sums(random({2, 4}, DType::f64, 1), ids({-1, -1}), of({1}), {}, sums);
  for (const double sum : sums.span<double>()) EXPECT_EQ(sum, 0.0);
}

TEST(SquaredNorm, IsTheSquareOfTheNorm) {
  const Tensor g = random({70001}, DType::f32, 3), out = of({-1});
  squared_norm(g, out);
  EXPECT_EQ(std::sqrt(out.data<double>()[0]), gradient_norm(g));
  EXPECT_THROW(squared_norm(g, Tensor::empty({1}, DType::f32)), Error);
}

/// An update of some parameters in two ranges, at the third step.
struct Step {
  GuardedUpdate update;

  explicit Step(DType dtype, std::int64_t size = 1000) {
    update.numbers = of({0.01, 1.0 - std::pow(0.9, 3.0), 1.0 - std::pow(0.95, 3.0)});
    update.beta2 = 0.95;
    update.gradient_clip = 1.0;
    update.loss_sums = of({12.0, 4.0, 1.0});
    update.squared_norm = of({0.0});
    update.parameters = random({size}, dtype, 1);
    update.gradients = random({size}, dtype, 2);
    update.first_moment = random({size}, dtype, 3);
    update.second_moment = Tensor::empty({size}, dtype);
    fill_uniform(update.second_moment, 0.0, 1.0, 9, 4);
    update.previous = Tensor::zeros({size}, dtype);
    update.ranges = {{0, size / 3, 0.1}, {size / 3, size, 0.0}};
    update.outcome = of({-5, -5});
    squared_norm(update.gradients, update.squared_norm);
  }
  double outcome(int which) const { return update.outcome.data<double>()[which]; }

  /// Runs it; everything has to stay as it is.
  void expect_refused() {
    const Tensor p = update.parameters.clone(), m = update.first_moment.clone(),
                 v = update.second_moment.clone();
    adamw_step_guarded(update);
    EXPECT_EQ(outcome(1), 0.0);
    expect_same_bits(p, update.parameters);
    expect_same_bits(m, update.first_moment);
    expect_same_bits(v, update.second_moment);
  }
};

TEST(GuardedAdamW, GivesTheBitsOfThePlainUpdate) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const double clip : {0.0, 0.5, 1e6}) {
      Step step(dtype, 5003);
      GuardedUpdate& u = step.update;
      u.gradient_clip = clip;
      const Tensor p = u.parameters.clone(), m = u.first_moment.clone(),
                   v = u.second_moment.clone(), before = u.parameters.clone();
      const double norm = gradient_norm(u.gradients);
      adamw_step({.learning_rate = 0.01,
                  .beta1 = 0.9,
                  .beta2 = 0.95,
                  .gradient_scale = clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0,
                  .step = 3},
                 u.ranges, p, u.gradients, m, v);
      adamw_step_guarded(u);
      EXPECT_EQ(step.outcome(0), norm);
      EXPECT_EQ(step.outcome(1), 1.0);
      expect_same_bits(p, u.parameters);
      expect_same_bits(m, u.first_moment);
      expect_same_bits(v, u.second_moment);
      expect_same_bits(before, u.previous);
    }
  }
}

TEST(GuardedAdamW, RefusesWhatIsNotSound) {
  for (const double bad : {kNaN, kInfinity, -kInfinity}) {
    Step step(DType::f32);
    step.update.loss_sums = of({bad, 4.0, 1.0});
    step.expect_refused();
    EXPECT_EQ(step.outcome(0), 0.0);
    step.update.loss_sums = of({1.0, 4.0, 1.0});
    step.update.squared_norm = of({bad});
    step.expect_refused();
  }
  Step step(DType::f64);
  step.update.loss_sums = of({kNaN, kNaN, kNaN});
  step.expect_refused();
  step.update.loss_sums = of({1.0, 4.0, 1.0});
  step.update.largest_gradient = 0.5;
  step.expect_refused();
  EXPECT_GT(step.outcome(0), 1.0);
  step.update.largest_gradient = 1.5;
  adamw_step_guarded(step.update);
  EXPECT_EQ(step.outcome(1), 1.0);
}

TEST(GuardedAdamW, CountsWhereNoTargetDoes) {
  Step step(DType::f32);
  step.update.loss_sums = of({0.0, 0.0, 0.0});
  adamw_step_guarded(step.update);
  EXPECT_EQ(step.outcome(1), 1.0);
}

TEST(GuardedAdamW, TakesBackAnUpdateThatOverflows) {
  for (const double bad : {kNaN, -kInfinity}) {
    Step step(DType::f32);
    GuardedUpdate& u = step.update;
    u.first_moment.data<float>()[777] = static_cast<float>(bad);
    const Tensor before = u.parameters.clone();
    adamw_step_guarded(u);
    EXPECT_EQ(step.outcome(1), 0.0);
    EXPECT_EQ(step.outcome(0), gradient_norm(u.gradients));
    expect_same_bits(before, u.parameters);
    for (const Tensor& moment : {u.first_moment, u.second_moment}) {
      for (const float x : moment.span<float>()) ASSERT_EQ(x, 0.0f);
    }
  }
}

TEST(GuardedAdamW, RefusesWrongShapes) {
  Step step(DType::f32);
  step.update.previous = Tensor::zeros({3}, DType::f32);
  EXPECT_THROW(adamw_step_guarded(step.update), Error);
  Step other(DType::f32);
  other.update.ranges.pop_back();
  EXPECT_THROW(adamw_step_guarded(other.update), Error);
}

TEST(Random, LogarithmAndCosineAreExact) {
  double worst_log = 0.0, worst_cosine = 0.0;
  Random random(3);
  for (int j = 0; j < 200000; ++j) {
    const double u = random.uniform();
    // Large and tiny arguments alike: near 1, where the logarithm vanishes, and down to 2^-53.
    const double x = 1.0 - (j % 3 == 0 ? u : j % 3 == 1 ? u * 0x1p-20 : 1.0 - std::exp(-36.0 * u));
    const double wanted = std::log(x);
    if (wanted != 0.0)
      worst_log = std::max(worst_log, std::abs(exact_log(x) - wanted) / std::abs(wanted));
    const long double angle = 2.0L * 3.14159265358979323846264338327950288L * u;
    worst_cosine = std::max(
        worst_cosine, static_cast<double>(std::abs(static_cast<long double>(cosine_of_turns(u)) -
                                                   std::cos(angle))));
  }
  EXPECT_LT(worst_log, 1e-15);
  EXPECT_LT(worst_cosine, 3e-16);
  EXPECT_EQ(exact_log(1.0), 0.0);
  EXPECT_NEAR(exact_log(0x1p-53), -53 * std::log(2.0), 1e-14);
  EXPECT_EQ(cosine_of_turns(0.0), 1.0);
  EXPECT_EQ(cosine_of_turns(0.5), -1.0);
  EXPECT_EQ(cosine_of_turns(0.25), 0.0);
  EXPECT_EQ(cosine_of_turns(0.75), 0.0);
  EXPECT_LE(cosine_of_turns(1.0 - 0x1p-53), 1.0);
}

TEST(Random, NormalsComeFromTheFourWordsInOrder) {
  const double drawn[] = {normal_at(1, 2, 3), normal_at(7, 0, 0), Random(7).normal()};
  EXPECT_EQ(drawn[1], drawn[2]);
  Random cursor(1, 2, 3);
  const double u = cursor.uniform(), v = cursor.uniform();
  EXPECT_EQ(drawn[0], normal_of(u, v));
  EXPECT_NEAR(drawn[0], std::sqrt(-2.0 * std::log(1.0 - u)) * std::cos(2.0 * M_PI * v), 1e-14);
}

}  // namespace
}  // namespace xlab::tests
