// Models of the large family on the CPU against the numbers of the official implementation.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "golden_large.hpp"

namespace xlab::tests {
namespace {

using namespace large_family;

class GoldenLarge : public testing::TestWithParam<DType> {};

TEST_P(GoldenLarge, LogitsLossGradientsTokensAndStatesAgree) {
  check_folders([](const fs::path& folder) {
    check_forward_and_gradients(folder, GetParam());
    check_generation(folder, GetParam());
  });
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenLarge, testing::Values(DType::f32, DType::f64),
                         [](const auto& info) { return name_of(info.param); });

TEST(GoldenLargeConstants, WidthsAgree) {
  const fs::path path = golden_folder() / "init_constants.safetensors";
  if (!fs::exists(path)) GTEST_SKIP() << "init_constants.safetensors is not there";
  const auto widths = read_safetensors(path).values_as<std::int64_t>("large_up_dim");
  for (std::size_t row = 0; row + 3 < widths.size(); row += 4) {
    ModelSpec spec;
    spec.embedding_dim = static_cast<int>(widths[row]);
    spec.large = LargeSpec{.ffn_proj_factor = static_cast<double>(widths[row + 1]) / 1e4,
                           .ffn_round_up_to_multiple_of = static_cast<int>(widths[row + 2])};
    EXPECT_EQ(large_feedforward_width(spec), widths[row + 3]);
    set_large_feedforward_width(spec, widths[row + 3] + 1);
    EXPECT_EQ(large_feedforward_width(spec), widths[row + 3] + 1);
  }
}

}  // namespace
}  // namespace xlab::tests
