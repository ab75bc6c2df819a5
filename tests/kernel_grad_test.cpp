// Every gradient of every case against central differences in f64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "case_runs.hpp"

namespace xlab::tests {
namespace {

// Truncation grows with the square of the step, rounding with its inverse; both are near 1e-10
// here.
constexpr double kStep = 1e-5;
// Larger inputs are sampled; a random direction then covers the elements in between.
constexpr std::int64_t kMostElements = 160;

class GradientCase : public testing::TestWithParam<Case> {
 protected:
  double loss(const std::vector<Tensor>& inputs) const {
    const std::vector<Tensor> outputs = GetParam().forward(inputs);
    double sum = 0.0;
    for (std::size_t j = 0; j < outputs.size(); ++j) {
      const auto y = outputs[j].span<double>();
      const auto g = upstream_[j].span<double>();
      for (std::size_t k = 0; k < y.size(); ++k) sum += y[k] * g[k];
    }
    return sum;
  }

  /// Slope of the loss where input `which` moves along `direction`.
  double slope(std::vector<Tensor> inputs, std::size_t which, const Tensor& direction) const {
    const Tensor centre = inputs[which];
    double ends[2] = {};
    for (int side = 0; side < 2; ++side) {
      inputs[which] = centre.clone();
      const auto moved = inputs[which].span<double>();
      const auto way = direction.span<double>();
      for (std::size_t k = 0; k < moved.size(); ++k) {
        moved[k] += (side == 0 ? -kStep : kStep) * way[k];
      }
      ends[side] = loss(inputs);
    }
    return (ends[1] - ends[0]) / (2 * kStep);
  }

  std::vector<Tensor> upstream_;
};

TEST_P(GradientCase, MatchesCentralDifferences) {
  const Case& c = GetParam();
  const std::vector<Tensor> inputs = make_inputs(c, DType::f64);
  upstream_ = upstream_of(c.forward(inputs));
  const std::vector<Tensor> gradients = c.backward(inputs, upstream_);
  ASSERT_EQ(gradients.size(), inputs.size());

  double worst = 0.0;
  for (std::size_t which = 0; which < inputs.size(); ++which) {
    const std::string& name = c.inputs[which].name;
    if (!c.inputs[which].differentiable) continue;
    ASSERT_TRUE(gradients[which].defined()) << name;
    ASSERT_EQ(gradients[which].shape().text(), inputs[which].shape().text()) << name;
    const auto gradient = gradients[which].span<double>();
    double largest = 0.0;
    for (const double value : gradient) largest = std::max(largest, std::abs(value));
    // The floor lets gradients that are zero by nature be a little off zero.
    const double allowed = c.gradient_tolerance * std::max(largest, 1e-3);

    const std::int64_t count = inputs[which].elements();
    const std::int64_t stride = std::max<std::int64_t>(1, count / kMostElements);
    for (std::int64_t k = 0; k < count; k += stride) {
      const Tensor direction = Tensor::zeros(inputs[which].shape(), DType::f64);
      direction.data<double>()[k] = 1.0;
      const double numeric = slope(inputs, which, direction);
      const double analytic = gradient[static_cast<std::size_t>(k)];
      worst = std::max(worst, std::abs(analytic - numeric) / std::max(largest, 1e-3));
      ASSERT_NEAR(analytic, numeric, allowed) << name << "[" << k << "]";
    }
    const Tensor direction = Tensor::empty(inputs[which].shape(), DType::f64);
    kernels::fill_uniform(direction, -1.0, 1.0, 5, which);
    double expected = 0.0;
    for (std::size_t k = 0; k < gradient.size(); ++k) {
      expected += gradient[k] * direction.span<double>()[k];
    }
    EXPECT_NEAR(expected, slope(inputs, which, direction),
                allowed * std::sqrt(static_cast<double>(count)))
        << name << " along a random direction";
  }
  std::printf("worst relative error %.1e\n", worst);
}

class GradientSumCase : public testing::TestWithParam<Case> {};

/// Operations that add to their gradients: all but those that begin them.
std::vector<Case> adding_cases() {
  std::vector<Case> cases = op_cases();
  std::erase_if(cases, [](const Case& c) {
    return c.name.starts_with("cross entropy") || c.name.starts_with("softmax");
  });
  return cases;
}

TEST_P(GradientSumCase, IsAddedToWhatIsThere) {
  const Case& c = GetParam();
  const std::vector<Tensor> inputs = make_inputs(c, DType::f64);
  const std::vector<Tensor> upstream = upstream_of(c.forward(inputs));
  const std::vector<Tensor> alone = c.backward(inputs, upstream);
  constexpr double kStart = 0.75;
  gradient_start = kStart;
  const std::vector<Tensor> added = c.backward(inputs, upstream);
  gradient_start = 0.0;
  for (std::size_t which = 0; which < inputs.size(); ++which) {
    if (!c.inputs[which].differentiable) continue;
    const auto before = alone[which].span<double>(), after = added[which].span<double>();
    for (std::size_t k = 0; k < before.size(); ++k) {
      ASSERT_NEAR(after[k], before[k] + kStart, 1e-12 * (1.0 + std::abs(before[k])))
          << c.inputs[which].name << "[" << k << "]";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Gradient, GradientSumCase, testing::ValuesIn(adding_cases()),
                         [](const auto& info) { return test_name_of(info.param); });

INSTANTIATE_TEST_SUITE_P(Gradient, GradientCase, testing::ValuesIn(all_cases()),
                         [](const auto& info) { return test_name_of(info.param); });

}  // namespace
}  // namespace xlab::tests
