// Every case gives nearly the same in f32 as in f64, and the same bits on any number of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "case_runs.hpp"
#include "kernels/threads.hpp"

namespace xlab::tests {
namespace {

void expect_near(const Tensor& narrow, const Tensor& wide, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(narrow.defined(), wide.defined()) << what;
  if (!wide.defined()) return;
  ASSERT_EQ(narrow.shape().text(), wide.shape().text()) << what;
  double largest = 0.0, error = 0.0;
  for (std::size_t j = 0; j < static_cast<std::size_t>(wide.elements()); ++j) {
    const double exact = wide.span<double>()[j];
    const double seen = narrow.span<float>()[j];
    ASSERT_TRUE(std::isfinite(seen)) << what << "[" << j << "] is not finite";
    largest = std::max(largest, std::abs(exact));
    error = std::max(error, std::abs(seen - exact));
  }
  EXPECT_LE(error, tolerance * largest) << what;
}

void expect_same_bits(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.defined(), b.defined()) << what;
  if (!a.defined()) return;
  EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0) << what << " differs";
}

template <typename Expect>
void compare(const Case& c, const CaseRun& a, const CaseRun& b, Expect&& expect) {
  ASSERT_EQ(a.outputs.size(), b.outputs.size());
  for (std::size_t j = 0; j < a.outputs.size(); ++j) {
    expect(a.outputs[j], b.outputs[j], "output " + std::to_string(j));
  }
  ASSERT_EQ(a.gradients.size(), c.inputs.size());
  ASSERT_EQ(b.gradients.size(), c.inputs.size());
  for (std::size_t j = 0; j < c.inputs.size(); ++j) {
    EXPECT_EQ(a.gradients[j].defined(), c.inputs[j].differentiable) << c.inputs[j].name;
    expect(a.gradients[j], b.gradients[j], "gradient of " + c.inputs[j].name);
  }
}

void check_threads(const Case& c, DType dtype) {
  const std::vector<Tensor> inputs = make_inputs(c, dtype);
  set_threads(1);
  const CaseRun alone = run_case(c, inputs);
  for (const int count : {2, 3}) {
    set_threads(count);
    compare(c, alone, run_case(c, inputs), expect_same_bits);
  }
  set_threads(0);
}

class SmallCase : public testing::TestWithParam<Case> {};

TEST_P(SmallCase, F32IsNearF64) {
  const Case& c = GetParam();
  const CaseRun narrow = run_case(c, make_inputs(c, DType::f32));
  const CaseRun wide = run_case(c, make_inputs(c, DType::f64));
  compare(c, narrow, wide, [&](const Tensor& a, const Tensor& b, const std::string& what) {
    expect_near(a, b, c.f32_tolerance, what);
  });
}

TEST_P(SmallCase, ThreadsGiveTheSameBits) {
  check_threads(GetParam(), DType::f32);
  check_threads(GetParam(), DType::f64);
}

class LargeCase : public testing::TestWithParam<Case> {};

TEST_P(LargeCase, ThreadsGiveTheSameBits) {
  check_threads(GetParam(), DType::f32);
}

const auto kName = [](const auto& info) { return test_name_of(info.param); };
INSTANTIATE_TEST_SUITE_P(Parity, SmallCase, testing::ValuesIn(all_cases()), kName);
INSTANTIATE_TEST_SUITE_P(Parity, LargeCase, testing::ValuesIn(timing_cases()), kName);

}  // namespace
}  // namespace xlab::tests
