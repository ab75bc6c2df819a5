// A gate that is no number leaves the same traces on a card as on the CPU: m is none from that step
// on.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "cell_calls.hpp"
#include "cuda_device.hpp"
#include "kernels/random.hpp"

namespace xlab::tests {
namespace {

Tensor drawn(const Shape& shape, double low, double high, std::uint64_t seed) {
  const Tensor t = Tensor::empty(shape, DType::f32);
  kernels::fill_uniform(t, low, high, 29, seed);
  return t;
}

/// Checks that of (steps, places) numbers those of one place are none from a step on, and only
/// those.
void expect_broken(const Tensor& numbers, std::int64_t places, std::int64_t place,
                   std::int64_t from, const std::string& what) {
  const Tensor here = numbers.to(Device::cpu());
  const auto values = here.span<float>();
  for (std::size_t j = 0; j < values.size(); ++j) {
    const auto at = static_cast<std::int64_t>(j);
    const bool broken = at % places == place && at / places >= from;
    EXPECT_EQ(std::isnan(values[j]), broken)
        << what << ", step " << at / places << ", place " << at % places << ": " << values[j];
  }
}

TEST(CudaGates, AForgetGateThatIsNoNumberMakesTheMlstmsMNone) {
  SKIP_WITHOUT_CUDA();
  const std::int64_t H = 3, K = 5, V = 7, head = 1;
  for (const std::int64_t T : {1, 6, 75}) {
    const std::int64_t from = T / 2;
    const Tensor f = drawn({1, T, H}, -1.0, 3.0, 5);
    f.span<float>()[static_cast<std::size_t>(from * H + head)] =
        std::numeric_limits<float>::quiet_NaN();
    for (const Device device : {Device::cpu(), Device::cuda()}) {
      const kernels::MlstmState state{drawn({1, H, K, V}, -1.0, 1.0, 6).to(device),
                                      drawn({1, H, K}, -1.0, 1.0, 7).to(device),
                                      drawn({1, H}, -1.0, 1.0, 8).to(device)};
      const kernels::MlstmForward call =
          mlstm_call(drawn({1, T, H, K}, -1.0, 1.0, 1).to(device),
                     drawn({1, T, H, K}, -1.0, 1.0, 2).to(device),
                     drawn({1, T, H, V}, -1.0, 1.0, 3).to(device),
                     drawn({1, T, H}, -2.0, 2.0, 4).to(device), f.to(device), state);
      kernels::mlstm_forward({}, call);
      const std::string what = (device == Device::cpu() ? "CPU, " : "card, ") + std::to_string(T);
      expect_broken(call.m, H, head, from, what + " steps, m");
      expect_broken(call.last.m, H, head, 0, what + " steps, the last m");
    }
  }
}

TEST(CudaGates, AForgetGateThatIsNoNumberMakesTheSlstmsMNone) {
  SKIP_WITHOUT_CUDA();
  const std::int64_t H = 2, D = 5, unit = 7;  // of all heads' units
  for (const std::int64_t T : {1, 6}) {
    const Tensor r = drawn({H, 4 * D, D}, -0.4, 0.4, 9);
    const Tensor wx = drawn({1, T, 4, H * D}, -1.0, 1.0, 1);
    const std::int64_t from = T - 1;  // later steps hear of it in all units of the head
    wx.span<float>()[static_cast<std::size_t>((from * 4 + 1) * H * D + unit)] =
        std::numeric_limits<float>::quiet_NaN();
    for (const Device device : {Device::cpu(), Device::cuda()}) {
      const kernels::SlstmState state{
          drawn({1, H, D}, -1.0, 1.0, 2).to(device), drawn({1, H, D}, -1.0, 1.0, 3).to(device),
          drawn({1, H, D}, 1.0, 2.0, 4).to(device), drawn({1, H, D}, -1.0, 1.0, 5).to(device)};
      const kernels::SlstmForward call = slstm_call(
          wx.to(device), r.to(device), drawn({4 * H * D}, -1.0, 1.0, 6).to(device), state);
      kernels::slstm_forward({}, call);
      expect_broken(call.last.m, H * D, unit, 0,
                    (device == Device::cpu() ? "CPU, " : "card, ") + std::to_string(T) + " steps");
    }
  }
}

}  // namespace
}  // namespace xlab::tests
