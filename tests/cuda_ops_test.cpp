// Every case on a card gives what it gives on the CPU in f64, and the same bits every time.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "case_runs.hpp"
#include "cuda_device.hpp"

namespace xlab::tests {
namespace {

CaseRun run_on(const Case& c, DType dtype, Device device) {
  std::vector<Tensor> inputs = make_inputs(c, dtype);
  for (Tensor& input : inputs) input = input.to(device);
  CaseRun run = run_case(c, inputs);
  for (std::vector<Tensor>* list : {&run.outputs, &run.gradients}) {
    for (Tensor& t : *list) {
      EXPECT_TRUE(!t.defined() || t.device() == device) << "a result lies elsewhere";
      t = t.to(Device::cpu());
    }
  }
  return run;
}

void expect_near(const Tensor& seen, const Tensor& wanted, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(seen.defined(), wanted.defined()) << what;
  if (!wanted.defined()) return;
  ASSERT_EQ(seen.shape().text(), wanted.shape().text()) << what;
  const Tensor wide = seen.to(DType::f64);
  double largest = 0.0, error = 0.0;
  for (std::size_t j = 0; j < static_cast<std::size_t>(wanted.elements()); ++j) {
    const double exact = wanted.span<double>()[j], value = wide.span<double>()[j];
    ASSERT_TRUE(std::isfinite(value)) << what << "[" << j << "] is not finite";
    largest = std::max(largest, std::abs(exact));
    error = std::max(error, std::abs(value - exact));
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
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (std::size_t j = 0; j < c.inputs.size(); ++j) {
    expect(a.gradients[j], b.gradients[j], "gradient of " + c.inputs[j].name);
  }
}

class CudaCase : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
};

TEST_P(CudaCase, F64IsTheCpus) {
  const Case& c = GetParam();
  const CaseRun wanted = run_on(c, DType::f64, Device::cpu());
  compare(c, run_on(c, DType::f64, Device::cuda()), wanted,
          [](const Tensor& a, const Tensor& b, const std::string& what) {
            expect_near(a, b, 1e-9, what);
          });
}

TEST_P(CudaCase, F32IsNearF64) {
  const Case& c = GetParam();
  const CaseRun wanted = run_on(c, DType::f64, Device::cpu());
  compare(c, run_on(c, DType::f32, Device::cuda()), wanted,
          [&](const Tensor& a, const Tensor& b, const std::string& what) {
            expect_near(a, b, c.f32_tolerance, what);
          });
}

TEST_P(CudaCase, IsTheSameWhateverTheOrderOfThreads) {
  const Case& c = GetParam();
  const CaseRun once = run_on(c, DType::f32, Device::cuda());
  for (int other = 1; other < kOrders; ++other) {
    const OrderOfThreads order(other);
    compare(c, run_on(c, DType::f32, Device::cuda()), once, expect_same_bits);
  }
}

const auto kName = [](const auto& info) { return test_name_of(info.param); };
INSTANTIATE_TEST_SUITE_P(Cuda, CudaCase, testing::ValuesIn(all_cases()), kName);

}  // namespace
}  // namespace xlab::tests
