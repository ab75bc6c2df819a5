// Every case gives nearly the same in f32 as in f64, and the same bits on any number of threads.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "case_compare.hpp"
#include "kernels/device/threads.hpp"

namespace xlab::tests {
namespace {

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
