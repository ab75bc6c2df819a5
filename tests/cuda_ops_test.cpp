// Every case on a card gives what it gives on the CPU in f64, and the same bits every time.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "case_compare.hpp"
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
