// Weights in blocks of 8 and 4 bits: rounding, tensors of them, and products, which are those of
// the same numbers in f32.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/concat.hpp"
#include "kernels/device/threads.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/embed.hpp"
#include "kernels/norm.hpp"
#include "kernels/product/linear.hpp"
#include "kernels/random.hpp"
#include "tests/complaint.hpp"

namespace xlab::tests {
namespace {

using namespace kernels;

using Numbers = std::array<float, kBlock>;

template <typename B>
class Blocks : public testing::Test {};
using BothKinds = testing::Types<Block8, Block4>;
TYPED_TEST_SUITE(Blocks, BothKinds);

template <typename B>
B packed(const Numbers& numbers) {
  B block;
  pack_block(numbers.data(), block);
  return block;
}

template <typename B>
Numbers unpacked(const B& block) {
  Numbers numbers{};
  unpack_block(block, numbers.data());
  return numbers;
}

/// Numbers of all sizes around `size`.
Numbers some_numbers(double size, std::uint64_t stream) {
  const Tensor t = Tensor::empty({kBlock}, DType::f32);
  fill_normal(t, 0.0, size, 11, stream);
  Numbers numbers{};
  std::copy_n(t.data<float>(), kBlock, numbers.begin());
  return numbers;
}

TYPED_TEST(Blocks, EveryNumberIsWithinHalfAScaleOfItself) {
  for (int stream = 0; stream < 300; ++stream) {
    const double size = std::pow(10.0, stream % 60 - 30);
    Numbers numbers = some_numbers(size, static_cast<std::uint64_t>(stream));
    if (stream % 3 == 0) numbers[7] *= 1000.0f;  // one that leaves nothing to the others
    const TypeParam block = packed<TypeParam>(numbers);
    const double scale = static_cast<float>(block.scale);
    double largest = 0.0;
    for (const float x : numbers) largest = std::max(largest, std::abs(static_cast<double>(x)));
    EXPECT_NEAR(scale, largest / TypeParam::kMost, scale / 255.0) << stream;
    const Numbers back = unpacked(block);
    double most = 0.0;
    for (std::size_t j = 0; j < numbers.size(); ++j) {
      EXPECT_LE(std::abs(static_cast<double>(back[j]) - numbers[j]), 0.5 * scale * (1.0 + 1e-6))
          << stream << ", number " << j;
      most = std::max(most, std::abs(static_cast<double>(back[j])));
    }
    EXPECT_EQ(most, scale * TypeParam::kMost) << "the largest has the largest whole number";
  }
}

TYPED_TEST(Blocks, NumbersKeepTheirPlaces) {
  for (std::size_t place = 0; place < static_cast<std::size_t>(kBlock); ++place) {
    Numbers numbers{};
    numbers[place] = -static_cast<float>(TypeParam::kMost);
    numbers[(place + 5) % numbers.size()] = 3.0f;
    EXPECT_EQ(unpacked(packed<TypeParam>(numbers)), numbers) << place;
  }
}

TYPED_TEST(Blocks, TakeTheNearestOfTwoNumbersTiesToEven) {
  Numbers numbers{};
  numbers[0] = static_cast<float>(TypeParam::kMost);  // a scale of 1
  const std::array<std::pair<float, float>, 8> cases = {{{1.49f, 1.0f},
                                                         {1.51f, 2.0f},
                                                         {-1.49f, -1.0f},
                                                         {-1.51f, -2.0f},
                                                         {0.5f, 0.0f},
                                                         {1.5f, 2.0f},
                                                         {-2.5f, -2.0f},
                                                         {-0.2f, 0.0f}}};
  for (std::size_t j = 0; j < cases.size(); ++j) numbers[j + 1] = cases[j].first;
  const Numbers back = unpacked(packed<TypeParam>(numbers));
  for (std::size_t j = 0; j < cases.size(); ++j)
    EXPECT_EQ(back[j + 1], cases[j].second) << cases[j].first;
}

TYPED_TEST(Blocks, WhatCameOutGoesInAgain) {
  for (std::uint64_t stream = 0; stream < 200; ++stream) {
    const TypeParam block = packed<TypeParam>(some_numbers(0.02, stream));
    const TypeParam again = packed<TypeParam>(unpacked(block));
    EXPECT_EQ(std::memcmp(&block, &again, sizeof block), 0) << stream;
  }
}

TYPED_TEST(Blocks, WhatIsNoFiniteNumberDoesNotVanish) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
        std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    for (const std::size_t place : {0, 31, 63}) {
      Numbers numbers = some_numbers(1.0, 1);
      numbers[place] = bad;
      for (const float back : unpacked(packed<TypeParam>(numbers)))
        EXPECT_TRUE(std::isnan(back)) << bad << " at " << place;
    }
  }
}

TYPED_TEST(Blocks, VerySmallNumbersBecomeSmallOnes) {
  EXPECT_EQ(unpacked(packed<TypeParam>(Numbers{})), Numbers{});
  for (const float small : {1e-45f, 1e-42f, 3e-40f, 1e-38f, 1e-37f}) {
    Numbers numbers{};
    numbers.fill(small);
    numbers[3] = -small;
    const Numbers back = unpacked(packed<TypeParam>(numbers));
    for (std::size_t j = 0; j < back.size(); ++j) {
      EXPECT_NEAR(back[j], numbers[j], 1e-38) << small;
      EXPECT_LE(std::abs(back[j]), 1.1f * small) << small;
    }
  }
}

TYPED_TEST(Blocks, LargestNumbersStayFinite) {
  Numbers numbers{};
  numbers.fill(3.0e38f);
  numbers[1] = -2.0e38f;
  const Numbers back = unpacked(packed<TypeParam>(numbers));
  EXPECT_NEAR(back[0] / 3.0e38f, 1.0, 0.005);
  EXPECT_NEAR(back[1] / -2.0e38f, 1.0, 0.1);
}

// ---- tensors ------------------------------------------------------------------------------------

Tensor random(const Shape& shape, DType dtype, std::uint64_t stream) {
  const Tensor t = Tensor::empty(shape, DType::f32);
  fill_uniform(t, -1.0, 1.0, 3, stream);
  return dtype == DType::f32 ? t : t.to(dtype);
}

class TensorsOfBlocks : public testing::TestWithParam<DType> {};

TEST_P(TensorsOfBlocks, CountTheirBytes) {
  const Tensor t = random({3, 128}, GetParam(), 1);
  const std::size_t block = GetParam() == DType::block8 ? 66 : 34;
  EXPECT_EQ(t.bytes(), 6 * block);
  EXPECT_EQ(t.elements(), 384);
  EXPECT_EQ(t.slice(1, 3).bytes(), 4 * block);
  EXPECT_EQ(static_cast<std::byte*>(t.slice(1, 3).raw()) - static_cast<std::byte*>(t.raw()),
            static_cast<std::ptrdiff_t>(2 * block));
  EXPECT_EQ(bytes_of(GetParam(), 640), 10 * block);
  EXPECT_EQ(bytes_of(DType::bf16, 640), 1280u);
  EXPECT_EQ(block_of(GetParam()), 64);
  EXPECT_EQ(block_of(DType::f32), 1);
  EXPECT_EQ(Tensor::empty({0, 64}, GetParam()).bytes(), 0u);
}

TEST_P(TensorsOfBlocks, ViewsAndCopiesHaveTheSameNumbers) {
  const Tensor t = random({4, 128}, GetParam(), 1), wide = t.to(DType::f32);
  const auto same = [](const Tensor& blocks, const Tensor& wanted) {
    const Tensor opened = blocks.to(DType::f32);
    return opened.shape() == wanted.shape() &&
           std::memcmp(opened.raw(), wanted.raw(), wanted.bytes()) == 0;
  };
  EXPECT_TRUE(same(t.slice(1, 3), wide.slice(1, 3).clone()));
  EXPECT_TRUE(same(t.reshape({512}).slice(64, 320), wide.reshape({512}).slice(64, 320).clone()));
  EXPECT_TRUE(same(t.reshape({2, 4, 64}), wide.reshape({2, 4, 64})));
  EXPECT_TRUE(same(t.slice(2, 4).clone(), wide.slice(2, 4).clone()));
  const Tensor target = Tensor::zeros({2, 128}, GetParam());
  target.slice(1, 2).copy_from(t.slice(3, 4));
  EXPECT_TRUE(same(target.slice(1, 2), wide.slice(3, 4).clone()));
  // From other types, and into them.
  EXPECT_TRUE(same(wide.to(DType::f64).to(GetParam()), wide));
  EXPECT_EQ(t.to(DType::f64).data<double>()[300], wide.data<float>()[300]);
  const Tensor halves = random({1, 64}, DType::bf16, 2);
  EXPECT_TRUE(same(halves.to(GetParam()), halves.to(DType::f32).to(GetParam()).to(DType::f32)));
}

TEST_P(TensorsOfBlocks, AreNeverCutThrough) {
  const std::string name = name_of(GetParam());
  const Tensor t = random({2, 128}, GetParam(), 1);
  EXPECT_NE(complaint([&] {
              Tensor::empty({128, 100}, GetParam());
            }).find("(128, 100)"),
            std::string::npos);
  EXPECT_NE(complaint([&] {
              Tensor::empty({128, 100}, GetParam());
            }).find(name),
            std::string::npos);
  EXPECT_THROW(Tensor::empty(Shape{}, GetParam()), Error);
  EXPECT_THROW(t.reshape({128, 2}), Error);
  EXPECT_THROW(t.reshape({8, 32}), Error);
  const Tensor flat = t.reshape({256});
  EXPECT_THROW(flat.slice(0, 100), Error);
  EXPECT_THROW(flat.slice(32, 96), Error);
  EXPECT_THROW(t.data<float>(), Error);
  EXPECT_THROW(size_of(GetParam()), Error);
  EXPECT_THROW(t.copy_from(random({2, 128}, DType::f32, 1)), Error);
}

// ---- products -----------------------------------------------------------------------------------

struct Sizes {
  std::int64_t rows, in, out;
};

void expect_products_of_widened_ones(DType dtype, const Sizes& s) {
  // The matrix product of many rows adds up one number after the other.
  const double tolerance =
      1e-6 * (s.rows > 8 ? static_cast<double>(s.in + 8) : std::sqrt(static_cast<double>(s.in)));
  const Tensor x = random({s.rows, s.in}, DType::f32, 1), w = random({s.out, s.in}, dtype, 2);
  for (const Tensor& b : {Tensor(), random({s.out}, DType::f32, 3)}) {
    const Tensor y = Tensor::empty({s.rows, s.out}, DType::f32);
    const Tensor expected = Tensor::empty({s.rows, s.out}, DType::f64);
    linear_forward(x, w, b, y);
    linear_forward(x.to(DType::f64), w.to(DType::f64), b ? b.to(DType::f64) : b, expected);
    for (std::int64_t j = 0; j < y.elements(); ++j)
      ASSERT_NEAR(y.data<float>()[j], expected.data<double>()[j], tolerance) << j;

    set_threads(1);
    const Tensor alone = Tensor::empty({s.rows, s.out}, DType::f32);
    linear_forward(x, w, b, alone);
    set_threads(0);
    EXPECT_EQ(std::memcmp(y.raw(), alone.raw(), y.bytes()), 0) << "one thread";

    // A row that streams is summed in the same order whatever stands beside it.
    if (s.rows == 0 || s.rows > 8) continue;
    const Tensor last = Tensor::empty({1, s.out}, DType::f32);
    linear_forward(x.slice(s.rows - 1, s.rows), w, b, last);
    EXPECT_EQ(std::memcmp(y.slice(s.rows - 1, s.rows).raw(), last.raw(), last.bytes()), 0)
        << "the last row alone";
  }
}

TEST_P(TensorsOfBlocks, AreMultipliedLikeWidenedOnes) {
  for (const Sizes& s :
       {Sizes{0, 64, 3}, Sizes{1, 64, 1}, Sizes{1, 4096, 300}, Sizes{2, 128, 9}, Sizes{3, 64, 65},
        Sizes{4, 192, 2}, Sizes{5, 64, 31}, Sizes{6, 320, 17}, Sizes{7, 128, 50},
        Sizes{8, 1024, 700}, Sizes{9, 64, 11}, Sizes{40, 128, 96}, Sizes{64, 2048, 1111}}) {
    SCOPED_TRACE(fmt::format("{} rows of {}, {} columns", s.rows, s.in, s.out));
    expect_products_of_widened_ones(GetParam(), s);
  }
}

TEST_P(TensorsOfBlocks, PartsOfThemAreMultipliedToo) {
  const Tensor x = random({1, 128}, DType::f32, 1), w = random({6, 128}, GetParam(), 2);
  const Tensor all = Tensor::empty({1, 6}, DType::f32), part = Tensor::empty({1, 3}, DType::f32);
  linear_forward(x, w, {}, all);
  linear_forward(x, w.slice(2, 5), {}, part);
  for (std::int64_t j = 0; j < 3; ++j) EXPECT_EQ(part.data<float>()[j], all.data<float>()[j + 2]);
}

TEST_P(TensorsOfBlocks, ABrokenBlockBreaksWhatItIsIn) {
  for (const std::int64_t rows : {1, 3, 20}) {
    const Tensor wide = random({5, 128}, DType::f32, 2), x = random({rows, 128}, DType::f32, 1);
    wide.data<float>()[3 * 128 + 70] = std::numeric_limits<float>::infinity();
    const Tensor y = Tensor::empty({rows, 5}, DType::f32);
    linear_forward(x, wide.to(GetParam()), {}, y);
    for (std::int64_t j = 0; j < y.elements(); ++j)
      EXPECT_EQ(std::isnan(y.data<float>()[j]), j % 5 == 3) << rows << ", " << j;
  }
}

TEST_P(TensorsOfBlocks, AsTablesGiveTheirRows) {
  const Tensor table = random({9, 128}, GetParam(), 1), wide = table.to(DType::f32);
  const std::vector<std::int32_t> numbers = {3, 0, 8, 3};
  const Tensor ids = Tensor::from<std::int32_t>({2, 2}, numbers);
  const Tensor out = Tensor::empty({2, 2, 128}, DType::f32);
  embed_forward(ids, table, out);
  for (std::int64_t n = 0; n < 4; ++n)
    for (std::int64_t j = 0; j < 128; ++j)
      ASSERT_EQ(out.data<float>()[n * 128 + j],
                wide.data<float>()[numbers[static_cast<std::size_t>(n)] * 128 + j]);
  const std::vector<std::int32_t> outside = {9, 0, 0, 0};
  EXPECT_THROW(embed_forward(Tensor::from<std::int32_t>({2, 2}, outside), table, out), Error);
}

TEST_P(TensorsOfBlocks, AreRefusedByNameEverywhereElse) {
  const std::string name = name_of(GetParam());
  const Tensor w = random({64, 64}, GetParam(), 1), x = random({2, 64}, DType::f32, 2),
               y = Tensor::empty({2, 64}, DType::f32),
               vector = random({1, 64}, GetParam(), 3).reshape({64});
  const auto expect_named = [&](auto&& action) {
    const std::string words = complaint(action);
    EXPECT_NE(words.find(name), std::string::npos) << words;
  };
  expect_named([&] { linear_forward(x.to(DType::f64), w, {}, y); });
  expect_named([&] { linear_forward(x, w, vector, y); });
  expect_named([&] { linear_forward(w, x, {}, y); });
  expect_named([&] { linear_backward(x, w, y, y, {}, {}); });
  expect_named([&] { linear_backward(w, w, w, w, {}, {}); });
  expect_named([&] { headwise_forward(x, w.reshape({1, 64, 64}), {}, y); });
  expect_named([&] { activation_forward(Activation::silu, w, w); });
  expect_named([&] {
    const Tensor mean = Tensor::empty({2, 1}, DType::f32);
    norm_forward({}, x, vector, y, mean, mean.clone());
  });
  expect_named([&] { fill_uniform(w, -1.0, 1.0, 1, 1); });
  const Tensor ids = Tensor::zeros({2}, DType::i32);
  expect_named([&] { embed_backward(ids, x, w); });
}

INSTANTIATE_TEST_SUITE_P(Kinds, TensorsOfBlocks, testing::Values(DType::block8, DType::block4),
                         [](const auto& info) {
                           return std::string(info.param == DType::block8 ? "EightBits"
                                                                          : "FourBits");
                         });

}  // namespace
}  // namespace xlab::tests
