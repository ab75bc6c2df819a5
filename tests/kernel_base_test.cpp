// Memory, shapes, threads and random numbers: what every operation stands on.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kernels/device/threads.hpp"
#include "kernels/random.hpp"
#include "kernels/tensor.hpp"
#include "tests/complaint.hpp"

namespace xlab::tests {
namespace {

/// Puts the number of threads back when a test ends.
struct ThreadCount {
  explicit ThreadCount(int count) { set_threads(count); }
  ~ThreadCount() { set_threads(0); }
};

TEST(Shape, CountsAndPrints) {
  const Shape shape{2, 16, 4};
  EXPECT_EQ(shape.text(), "(2, 16, 4)");
  EXPECT_EQ(shape.elements(), 128);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ(Shape{}.text(), "()");
  EXPECT_EQ((Shape{3, 0}.elements()), 0);
  EXPECT_FALSE((Shape{2} == Shape{2, 0}));
}

TEST(Shape, RefusesTheImpossible) {
  EXPECT_NE(complaint([] { Shape{2, -1}; }).find("(2, -1)"), std::string::npos);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1}), Error);
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max() / 4;
  EXPECT_THROW((Shape{huge, 8}), Error);
}

TEST(Tensor, ViewsShareAndClonesDoNot) {
  std::vector<float> values(24);
  std::iota(values.begin(), values.end(), 0.0f);
  const Tensor t = Tensor::from<float>({2, 3, 4}, values);
  const Tensor view = t.slice(1, 2).reshape({3, 4}).slice(1, 3);
  EXPECT_EQ(view.shape(), (Shape{2, 4}));
  EXPECT_EQ(view.data<float>()[0], 16.0f);
  const Tensor copy = t.clone();
  view.fill_zero();
  EXPECT_EQ(t.span<float>()[16], 0.0f);
  EXPECT_EQ(t.span<float>()[15], 15.0f);
  EXPECT_EQ(copy.span<float>()[16], 16.0f);
  t.copy_from(copy);
  EXPECT_EQ(t.span<float>()[23], 23.0f);
  EXPECT_EQ(t.slice(2, 2).elements(), 0);
}

TEST(Tensor, Converts) {
  const std::vector<double> values = {1.0, -2.5, 1e10};
  const Tensor t = Tensor::from<double>({3}, values, DType::f32);
  EXPECT_EQ(t.dtype(), DType::f32);
  EXPECT_EQ(t.data<float>()[1], -2.5f);
  EXPECT_EQ(t.to(DType::f64).data<double>()[2], 1e10);
  EXPECT_EQ(t.slice(0, 2).to(DType::i32).data<std::int32_t>()[1], -2);
  EXPECT_THROW(t.to(DType::i32), Error);
}

TEST(Tensor, HalvesAFloatToItsUpperBits) {
  const auto bits = [](float x) { return Bf16(x).bits; };
  EXPECT_EQ(bits(1.0f), 0x3f80);
  EXPECT_EQ(bits(-2.5f), 0xc020);
  // To the nearest, ties to even; past the largest comes infinity.
  EXPECT_EQ(bits(std::bit_cast<float>(0x3f808000u)), 0x3f80);
  EXPECT_EQ(bits(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_EQ(bits(std::bit_cast<float>(0x3f818000u)), 0x3f82);
  EXPECT_EQ(bits(std::bit_cast<float>(0x7f7fffffu)), 0x7f80);
  EXPECT_EQ(bits(INFINITY), 0x7f80);
  EXPECT_TRUE(std::isnan(static_cast<float>(Bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_EQ(static_cast<float>(Bf16(0.15625f)), 0.15625f);

  const std::vector<double> values = {0.5, -3.0, 1e30};
  const Tensor halves = Tensor::from<double>({3}, values, DType::bf16);
  EXPECT_EQ(halves.bytes(), 6u);
  EXPECT_EQ(halves.to(DType::f32).span<float>()[1], -3.0f);
  EXPECT_EQ(halves.slice(0, 2).to(DType::i32).span<std::int32_t>()[1], -3);
  EXPECT_EQ(std::string(name_of(halves.dtype())), "bf16");
}

TEST(Tensor, RefusalsNameBothSides) {
  const Tensor t = Tensor::zeros({2, 3}, DType::f32);
  const std::string shapes = complaint([&] { t.reshape({4, 2}); });
  EXPECT_NE(shapes.find("(2, 3)"), std::string::npos) << shapes;
  EXPECT_NE(shapes.find("(4, 2)"), std::string::npos) << shapes;
  const std::string types = complaint([&] { t.data<double>(); });
  EXPECT_NE(types.find("f32"), std::string::npos) << types;
  EXPECT_NE(types.find("f64"), std::string::npos) << types;
  EXPECT_THROW(t.slice(1, 3), Error);
  EXPECT_THROW(t.copy_from(Tensor::zeros({2, 3}, DType::f64)), Error);
  EXPECT_THROW(t.copy_from(Tensor::zeros({7}, DType::f32)), Error);
  EXPECT_THROW(Tensor().raw(), Error);
  EXPECT_THROW(Tensor().clone(), Error);
  EXPECT_THROW((Tensor::from<float>({2}, std::vector<float>(3))), Error);
}

TEST(Buffer, IsAlignedAndRecycled) {
  for (const std::size_t bytes : {0, 1, 63, 65, 1000, 4097, 123457}) {
    const auto buffer = Buffer::allocate(bytes, Device::cpu());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->data()) % 64, 0u);
    EXPECT_EQ(buffer->bytes(), bytes);
  }
#if !defined(__SANITIZE_ADDRESS__)
  auto buffer = Buffer::allocate(1000, Device::cpu());
  const void* first = buffer->data();
  buffer.reset();
  EXPECT_EQ(Buffer::allocate(1000, Device::cpu())->data(), first);
#endif
  release_cached_memory();
}

TEST(Buffer, IsSafeFromSeveralThreads) {
  std::vector<std::thread> crew;
  for (int worker = 0; worker < 4; ++worker) {
    crew.emplace_back([worker] {
      for (int round = 0; round < 500; ++round) {
        const Tensor t = Tensor::empty({64 + round % 7 * 100}, DType::i32);
        const auto span = t.span<std::int32_t>();
        std::fill(span.begin(), span.end(), worker);
        ASSERT_EQ(std::count(span.begin(), span.end(), worker), t.elements());
      }
    });
  }
  for (std::thread& worker : crew) worker.join();
}

TEST(Buffer, RefusesCudaMemoryAndTooMuch) {
  EXPECT_THROW(Buffer::allocate(64, Device::cuda()), Error);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_THROW(Buffer::allocate(std::size_t{1} << 60, Device::cpu()), Error);
#endif
}

TEST(Devices, TheCpuIsFirst) {
  const auto found = devices();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].device, Device::cpu());
  EXPECT_NE(found[0].name.find("CPU (Eigen, "), std::string::npos);
  EXPECT_GT(found[0].memory_bytes, 0u);
}

TEST(Threads, EveryChunkRunsOnce) {
  for (const int count : {1, 2, 3, 8}) {
    const ThreadCount restore(count);
    EXPECT_EQ(threads(), count);
    for (const std::int64_t chunks : {0, 1, 2, 3, 100, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(chunks));
      for (int round = 0; round < 20; ++round) {
        parallel_for(chunks, [&](std::int64_t chunk) { ++runs[static_cast<std::size_t>(chunk)]; });
      }
      for (const auto& run : runs) ASSERT_EQ(run, 20);
    }
  }
}

TEST(Threads, RangesCoverTheWhole) {
  const ThreadCount restore(3);
  for (const std::int64_t size : {0, 1, 9, 10, 11, 95}) {
    std::vector<std::atomic<int>> hits(static_cast<std::size_t>(size));
    parallel_ranges(size, 10, [&](std::int64_t begin, std::int64_t end) {
      ASSERT_EQ(begin % 10, 0);
      ASSERT_LE(end - begin, 10);
      for (std::int64_t j = begin; j < end; ++j) ++hits[static_cast<std::size_t>(j)];
    });
    for (const auto& hit : hits) ASSERT_EQ(hit, 1);
  }
  EXPECT_THROW(parallel_ranges(5, 0, [](std::int64_t, std::int64_t) {}), Error);
}

TEST(Threads, TheFailureOfTheFirstChunkIsRethrown) {
  const ThreadCount restore(3);
  for (int round = 0; round < 50; ++round) {
    const std::string sentence = complaint([] {
      parallel_for(64, [](std::int64_t chunk) {
        if (chunk >= 5) throw Error("chunk " + std::to_string(chunk));
      });
    });
    ASSERT_EQ(sentence, "chunk 5");
  }
  std::atomic<int> runs = 0;
  parallel_for(10, [&](std::int64_t) { ++runs; });
  EXPECT_EQ(runs, 10);
}

TEST(Threads, NestedAndConcurrentCallsFinish) {
  const ThreadCount restore(2);
  std::atomic<int> runs = 0;
  parallel_for(4, [&](std::int64_t) {
    parallel_for(5, [&](std::int64_t) { ++runs; });
    EXPECT_THROW(set_threads(1), Error);
  });
  EXPECT_EQ(runs, 20);
  std::vector<std::thread> crew;
  for (int caller = 0; caller < 4; ++caller) {
    crew.emplace_back([&] {
      for (int round = 0; round < 200; ++round) parallel_for(3, [&](std::int64_t) { ++runs; });
    });
  }
  for (std::thread& caller : crew) caller.join();
  EXPECT_EQ(runs, 20 + 4 * 200 * 3);
}

TEST(Threads, RefusesSenselessCounts) {
  EXPECT_THROW(set_threads(-1), Error);
  EXPECT_THROW(set_threads(100000), Error);
}

TEST(Random, PhiloxGivesThePublishedWords) {
  // Known answers for Philox 4x32-10 that come with its reference implementation, Random123.
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint64_t ones = ~std::uint64_t{0};
  EXPECT_EQ(philox(ones, ones, ones), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  // Counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0 (digits of pi).
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, ACopiedCursorRepeats) {
  Random a(7, 3);
  for (int j = 0; j < 5; ++j) a.bits();
  Random b = a;
  for (int j = 0; j < 20; ++j) {
    EXPECT_EQ(a.uniform(), b.uniform());
    EXPECT_EQ(a.normal(), b.normal());
    EXPECT_EQ(a.below(1000), b.below(1000));
  }
  EXPECT_NE(Random(7, 3).bits(), Random(7, 4).bits());
  EXPECT_NE(Random(7, 3).bits(), Random(8, 3).bits());
}

TEST(Random, MomentsAreRight) {
  Random random(1);
  const int count = 200000;
  double sum = 0, squares = 0, uniform = 0;
  std::array<int, 7> seen{};
  for (int j = 0; j < count; ++j) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    const double u = random.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    uniform += u;
    ++seen[random.below(7)];
  }
  EXPECT_NEAR(sum / count, 0.0, 0.01);
  EXPECT_NEAR(squares / count, 1.0, 0.02);
  EXPECT_NEAR(uniform / count, 0.5, 0.005);
  for (const int times : seen) EXPECT_NEAR(times, count / 7.0, 1000.0);
  EXPECT_EQ(random.below(1), 0u);
  EXPECT_THROW(random.below(0), Error);
}

TEST(Random, FillsDependOnTheIndexOnly) {
  const Tensor one = Tensor::empty({5000}, DType::f64);
  const Tensor many = Tensor::empty({5000}, DType::f64);
  const Tensor narrow = Tensor::empty({5000}, DType::f32);
  {
    const ThreadCount restore(1);
    kernels::fill_normal(one, 2.0, 0.5, 11, 4);
  }
  {
    const ThreadCount restore(3);
    kernels::fill_normal(many, 2.0, 0.5, 11, 4);
    kernels::fill_normal(narrow, 2.0, 0.5, 11, 4);
  }
  for (std::size_t j = 0; j < 5000; ++j) {
    ASSERT_EQ(one.span<double>()[j], many.span<double>()[j]);
    ASSERT_EQ(one.span<double>()[j], 2.0 + 0.5 * Random(11, 4, j).normal());
    ASSERT_EQ(narrow.span<float>()[j], static_cast<float>(one.span<double>()[j]));
  }
  kernels::fill_uniform(many, -3.0, -1.0, 11, 5);
  const auto values = many.span<double>();
  EXPECT_GE(*std::min_element(values.begin(), values.end()), -3.0);
  EXPECT_LT(*std::max_element(values.begin(), values.end()), -1.0);
  EXPECT_THROW(kernels::fill_uniform(Tensor::empty({3}, DType::i32), 0, 1, 1, 1), Error);
}

}  // namespace
}  // namespace xlab::tests
