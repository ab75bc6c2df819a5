// Weights stored as halves are multiplied as the same numbers in f32 would be.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/device/threads.hpp"
#include "kernels/embed.hpp"
#include "kernels/product/linear.hpp"
#include "kernels/random.hpp"

namespace xlab::tests {
namespace {

using namespace kernels;

Tensor random(const Shape& shape, DType dtype, std::uint64_t stream) {
  const Tensor t = Tensor::empty(shape, DType::f32);
  fill_uniform(t, -1.0, 1.0, 3, stream);
  return t.to(dtype);
}

struct Sizes {
  std::int64_t rows, in, out;
};

class HalfWeights : public testing::TestWithParam<Sizes> {};

TEST_P(HalfWeights, GiveWhatWidenedOnesGive) {
  const auto [rows, in, out] = GetParam();
  const Tensor x = random({rows, in}, DType::f32, 1), w = random({out, in}, DType::bf16, 2);
  for (const Tensor& b : {Tensor(), random({out}, DType::f32, 3)}) {
    const Tensor y = Tensor::empty({rows, out}, DType::f32);
    const Tensor expected = Tensor::empty({rows, out}, DType::f64);
    linear_forward(x, w, b, y);
    linear_forward(x.to(DType::f64), w.to(DType::f64), b ? b.to(DType::f64) : b, expected);
    for (std::int64_t j = 0; j < y.elements(); ++j)
      ASSERT_NEAR(y.data<float>()[j], expected.data<double>()[j],
                  1e-6 * static_cast<double>(in + 8))
          << j;

    set_threads(1);
    const Tensor alone = Tensor::empty({rows, out}, DType::f32);
    linear_forward(x, w, b, alone);
    set_threads(0);
    for (std::int64_t j = 0; j < y.elements(); ++j)
      ASSERT_EQ(y.data<float>()[j], alone.data<float>()[j]) << j;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, HalfWeights,
                         testing::Values(Sizes{0, 5, 3}, Sizes{1, 1, 1}, Sizes{1, 4096, 300},
                                         Sizes{2, 77, 9}, Sizes{3, 64, 65}, Sizes{4, 130, 2},
                                         Sizes{5, 33, 31}, Sizes{6, 16, 17}, Sizes{7, 100, 50},
                                         Sizes{8, 1000, 700}, Sizes{9, 37, 11}, Sizes{40, 128, 96},
                                         Sizes{64, 2048, 1111}),
                         [](const auto& info) {
                           return std::to_string(info.param.rows) + "_" +
                                  std::to_string(info.param.in) + "_" +
                                  std::to_string(info.param.out);
                         });

TEST(HalfTables, GiveTheirRowsWidened) {
  const Tensor table = random({9, 6}, DType::bf16, 1), wide = table.to(DType::f32);
  const std::vector<std::int32_t> numbers = {3, 0, 8, 3};
  const Tensor ids = Tensor::from<std::int32_t>({2, 2}, numbers);
  const Tensor out = Tensor::empty({2, 2, 6}, DType::f32);
  embed_forward(ids, table, out);
  for (std::int64_t n = 0; n < 4; ++n)
    for (std::int64_t j = 0; j < 6; ++j)
      EXPECT_EQ(out.data<float>()[n * 6 + j],
                wide.data<float>()[numbers[static_cast<std::size_t>(n)] * 6 + j]);
}

TEST(HalfWeightRefusals, NameWhatIsWrong) {
  const Tensor w = random({3, 4}, DType::bf16, 1), x = random({2, 4}, DType::f32, 2);
  const Tensor y = Tensor::empty({2, 3}, DType::f32);
  const auto refusal = [&](auto&& action) {
    try {
      action();
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_NE(refusal([&] { linear_forward(x.to(DType::f64), w, {}, y); }).find("f64"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              linear_forward(random({2, 5}, DType::f32, 1), w, {}, y);
            }).find("(3, 5)"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              linear_forward(x, w, {}, random({2, 4}, DType::f32, 1));
            }).find("(2, 3)"),
            std::string::npos);
  EXPECT_NE(refusal([&] { linear_backward(x, w, y, {}, {}, {}); }).find("bf16"), std::string::npos);
}

}  // namespace
}  // namespace xlab::tests
