// Matrix products on a card against those of the CPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "cuda_device.hpp"
#include "kernels/embed.hpp"
#include "kernels/product/cublas.hpp"
#include "kernels/product/linear.hpp"
#include "kernels/product/precision.hpp"
#include "kernels/random.hpp"
#include "matmul.hpp"

#ifdef XLAB_EMULATION
#include <cuda_runtime.h>
#endif

namespace xlab::tests {
namespace {

using namespace kernels;

Tensor random_values(const Shape& shape, DType dtype, std::uint64_t stream) {
  const Tensor t = Tensor::empty(shape, DType::f64);
  fill_uniform(t, -1.0, 1.0, 5, stream);
  return dtype == DType::bf16 ? t.to(DType::f32).to(dtype) : t.to(dtype);
}

void expect_close(const Tensor& seen, const Tensor& wanted, double tolerance,
                  const std::string& what) {
  ASSERT_EQ(seen.shape().text(), wanted.shape().text()) << what;
  const Tensor wide = seen.to(Device::cpu()).to(DType::f64), exact = wanted.to(DType::f64);
  double largest = 0.0;
  for (const double value : exact.span<double>()) largest = std::max(largest, std::abs(value));
  for (std::size_t j = 0; j < exact.span<double>().size(); ++j) {
    ASSERT_LE(std::abs(wide.span<double>()[j] - exact.span<double>()[j]), tolerance * largest)
        << what << " [" << j << "]";
  }
}

void expect_same_bits(const Tensor& a, const Tensor& b, const std::string& what) {
  const Tensor x = a.to(Device::cpu()), y = b.to(Device::cpu());
  EXPECT_EQ(std::memcmp(x.raw(), y.raw(), x.bytes()), 0) << what << " differs";
}

double tolerance_of(DType dtype) {
  return dtype == DType::f64 ? 1e-12 : 1e-5;
}

/// A product of a batch, m x k by k x n.
struct ProductSizes {
  std::int64_t count, m, n, k;
};

std::string text_of(const ProductSizes& s) {
  return std::to_string(s.count) + "_" + std::to_string(s.m) + "_" + std::to_string(s.n) + "_" +
         std::to_string(s.k);
}

/// By kernels of our own, whatever the size.
class CudaProduct : public testing::TestWithParam<ProductSizes> {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_CUDA();
    cuda::allow_cublas(false);
  }
  void TearDown() override { cuda::allow_cublas(true); }
};

Tensor product(const ProductSizes& s, MatmulOptions options, DType dtype, Device device) {
  const Tensor a = random_values(
      options.transpose_a ? Shape{s.count, s.k, s.m} : Shape{s.count, s.m, s.k}, dtype, 1);
  const Tensor b = random_values(
      options.transpose_b ? Shape{s.count, s.n, s.k} : Shape{s.count, s.k, s.n}, dtype, 2);
  const Tensor out = random_values({s.count, s.m, s.n}, dtype, 3).to(device);
  matmul(a.to(device), b.to(device), out, options);
  return out;
}

TEST_P(CudaProduct, IsTheCpusHoweverItsFactorsLie) {
  const ProductSizes s = GetParam();
  for (int which = 0; which < 8; ++which) {
    const MatmulOptions options{.transpose_a = (which & 1) != 0,
                                .transpose_b = (which & 2) != 0,
                                .accumulate = (which & 4) != 0};
    const Tensor wanted = product(s, options, DType::f64, Device::cpu());
    for (const DType dtype : {DType::f64, DType::f32}) {
      expect_close(product(s, options, dtype, Device::cuda()), wanted, tolerance_of(dtype),
                   name_of(dtype) + std::string(" ") + std::to_string(which));
    }
  }
}

TEST_P(CudaProduct, HasTheSameBitsWhateverTheOrderOfThreads) {
  const ProductSizes s = GetParam();
  for (const MatmulOptions& options : {MatmulOptions{}, MatmulOptions{.transpose_b = true}}) {
    const Tensor once = product(s, options, DType::f32, Device::cuda());
    for (int other = 1; other < kOrders; ++other) {
      const OrderOfThreads order(other);
      expect_same_bits(product(s, options, DType::f32, Device::cuda()), once,
                       std::to_string(other));
    }
  }
}

// One row and column, few of them, the edges of tiles, long sums that are cut, batches.
INSTANTIATE_TEST_SUITE_P(ProductSizes, CudaProduct,
                         testing::Values(ProductSizes{1, 1, 1, 1}, ProductSizes{1, 1, 40, 70},
                                         ProductSizes{1, 3, 9, 33}, ProductSizes{2, 5, 65, 7},
                                         ProductSizes{1, 8, 31, 700}, ProductSizes{1, 40, 1, 50},
                                         ProductSizes{3, 9, 4, 37}, ProductSizes{1, 70, 6, 40},
                                         ProductSizes{1, 63, 65, 17}, ProductSizes{1, 64, 64, 16},
                                         ProductSizes{1, 65, 130, 33}, ProductSizes{2, 20, 36, 40},
                                         ProductSizes{1, 10, 70, 1100}, ProductSizes{1, 70, 33, 3},
                                         ProductSizes{5, 12, 12, 30}, ProductSizes{2, 66, 16, 0},
                                         ProductSizes{1, 2, 5, 1100}, ProductSizes{1, 7, 3, 1027}),
                         [](const auto& info) { return text_of(info.param); });

TEST(CudaProducts, OfManyTilesAreTheCpus) {
  SKIP_WITHOUT_CUDA();
  cuda::allow_cublas(false);
  const ProductSizes s{256, 65, 66, 17};
  const Tensor wanted = product(s, {}, DType::f64, Device::cpu());
  expect_close(product(s, {}, DType::f32, Device::cuda()), wanted, 1e-5, "f32");
  expect_close(product(s, {.transpose_a = true, .transpose_b = true}, DType::f32, Device::cuda()),
               product(s, {.transpose_a = true, .transpose_b = true}, DType::f64, Device::cpu()),
               1e-5, "f32, transposed");
  cuda::allow_cublas(true);
}

class CudaLinear : public testing::TestWithParam<ProductSizes> {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
};

/// The result and the gradients, which start from something.
std::vector<Tensor> headwise_results(const ProductSizes& s, DType dtype, Device device,
                                     bool biased) {
  const auto in = [&](const Shape& shape, std::uint64_t stream) {
    return random_values(shape, dtype, stream).to(device);
  };
  const std::int64_t blocks = s.count, x_width = blocks * s.k, y_width = blocks * s.n;
  const Tensor x = in({s.m, x_width}, 1), w = in({blocks, s.n, s.k}, 2),
               b = biased ? in({y_width}, 3) : Tensor();
  const Tensor y = Tensor::empty({s.m, y_width}, dtype, device);
  const Tensor dy = in({s.m, y_width}, 4), dx = in({s.m, x_width}, 5),
               dw = in({blocks, s.n, s.k}, 6), db = in({y_width}, 7);
  headwise_forward(x, w, b, y);
  headwise_backward(x, w, dy, dx, dw, biased ? db : Tensor());
  if (blocks > 1) return {y, dx, dw, db};
  // One block is what linear does.
  const Tensor y_again = Tensor::empty({s.m, y_width}, dtype, device);
  const Tensor dx_again = in({s.m, x_width}, 5), dw_again = in({s.n, s.k}, 6),
               db_again = in({y_width}, 7), whole = w.reshape({s.n, s.k});
  linear_forward(x, whole, b, y_again);
  linear_backward(x, whole, dy, dx_again, dw_again, biased ? db_again : Tensor());
  return {y, dx, dw, db, y_again, dx_again, dw_again, db_again};
}

TEST_P(CudaLinear, AndHeadwiseAreTheCpus) {
  const ProductSizes s = GetParam();
  for (const bool biased : {false, true}) {
    const auto wanted = headwise_results(s, DType::f64, Device::cpu(), biased);
    for (const DType dtype : {DType::f64, DType::f32}) {
      const auto seen = headwise_results(s, dtype, Device::cuda(), biased);
      for (std::size_t j = 0; j < wanted.size(); ++j) {
        expect_close(seen[j], wanted[j], tolerance_of(dtype),
                     name_of(dtype) + std::string(" result ") + std::to_string(j));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(ProductSizes, CudaLinear,
                         testing::Values(ProductSizes{1, 1, 17, 33}, ProductSizes{1, 40, 4, 70},
                                         ProductSizes{1, 70, 66, 20}, ProductSizes{1, 9, 65, 300},
                                         ProductSizes{3, 1, 8, 40}, ProductSizes{12, 50, 4, 4},
                                         ProductSizes{4, 70, 8, 6}, ProductSizes{2, 33, 40, 36},
                                         ProductSizes{3, 600, 5, 3}),
                         [](const auto& info) { return text_of(info.param); });

struct HalfSizes {
  std::int64_t rows, in, out;
};

class CudaHalfWeights : public testing::TestWithParam<HalfSizes> {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
};

TEST_P(CudaHalfWeights, GiveWhatWidenedOnesGive) {
  const auto [rows, in, out] = GetParam();
  const Tensor x = random_values({rows, in}, DType::f32, 1),
               w = random_values({out, in}, DType::bf16, 2);
  for (const Tensor& b : {Tensor(), random_values({out}, DType::f32, 3)}) {
    const Tensor wanted = Tensor::empty({rows, out}, DType::f64);
    linear_forward(x.to(DType::f64), w.to(DType::f64), b ? b.to(DType::f64) : b, wanted);
    const Tensor once = Tensor::empty({rows, out}, DType::f32, Device::cuda());
    for (int which = 0; which < kOrders; ++which) {
      const OrderOfThreads order(which);
      const Tensor y = Tensor::empty({rows, out}, DType::f32, Device::cuda());
      linear_forward(x.to(Device::cuda()), w.to(Device::cuda()), b.to(Device::cuda()), y);
      if (which == 0) once.copy_from(y);
      expect_close(y, wanted, 1e-5, "y");
      expect_same_bits(y, once, "y");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(ProductSizes, CudaHalfWeights,
                         testing::Values(HalfSizes{0, 5, 3}, HalfSizes{1, 1, 1},
                                         HalfSizes{1, 1032, 30}, HalfSizes{2, 77, 9},
                                         HalfSizes{3, 64, 65}, HalfSizes{8, 520, 7},
                                         HalfSizes{9, 37, 11}, HalfSizes{70, 40, 66},
                                         HalfSizes{260, 24, 67}),
                         [](const auto& info) {
                           return std::to_string(info.param.rows) + "_" +
                                  std::to_string(info.param.in) + "_" +
                                  std::to_string(info.param.out);
                         });

struct BlockSizes {
  DType dtype;
  std::int64_t rows, in, out;
};

class CudaBlockWeights : public testing::TestWithParam<BlockSizes> {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
};

TEST_P(CudaBlockWeights, GiveWhatWidenedOnesGive) {
  const auto [dtype, rows, in, out] = GetParam();
  const Tensor x = random_values({rows, in}, DType::f32, 1),
               w = random_values({out, in}, DType::f32, 2).to(dtype);
  for (const Tensor& b : {Tensor(), random_values({out}, DType::f32, 3)}) {
    const Tensor wanted = Tensor::empty({rows, out}, DType::f64);
    linear_forward(x.to(DType::f64), w.to(DType::f64), b ? b.to(DType::f64) : b, wanted);
    const Tensor once = Tensor::empty({rows, out}, DType::f32, Device::cuda());
    for (int which = 0; which < kOrders; ++which) {
      const OrderOfThreads order(which);
      const Tensor y = Tensor::empty({rows, out}, DType::f32, Device::cuda());
      linear_forward(x.to(Device::cuda()), w.to(Device::cuda()), b.to(Device::cuda()), y);
      if (which == 0) once.copy_from(y);
      expect_close(y, wanted, 1e-5, "y");
      expect_same_bits(y, once, "y");
    }
  }
}

std::vector<BlockSizes> block_sizes() {
  std::vector<BlockSizes> all;
  for (const DType dtype : {DType::block8, DType::block4})
    for (const auto& [rows, in, out] :
         {HalfSizes{0, 64, 3}, HalfSizes{1, 64, 1}, HalfSizes{1, 1024, 30}, HalfSizes{2, 128, 9},
          HalfSizes{3, 64, 65}, HalfSizes{8, 512, 7}, HalfSizes{9, 64, 11}, HalfSizes{70, 128, 66}})
      all.push_back({dtype, rows, in, out});
  return all;
}

INSTANTIATE_TEST_SUITE_P(ProductSizes, CudaBlockWeights, testing::ValuesIn(block_sizes()),
                         [](const auto& info) {
                           return std::string(info.param.dtype == DType::block8 ? "Eight"
                                                                                : "Four") +
                                  std::to_string(info.param.rows) + "_" +
                                  std::to_string(info.param.in) + "_" +
                                  std::to_string(info.param.out);
                         });

TEST(CudaBlockTables, GiveTheirRowsWidened) {
  SKIP_WITHOUT_CUDA();
  for (const DType dtype : {DType::block8, DType::block4}) {
    const Tensor table = random_values({9, 128}, DType::f32, 1).to(dtype);
    const std::vector<std::int32_t> numbers = {3, 0, 8, 3, -1, 9};
    const Tensor ids = Tensor::from<std::int32_t>({6}, numbers);
    const Tensor out = Tensor::empty({6, 128}, DType::f32, Device::cuda());
    embed_forward(ids.to(Device::cuda()), table.to(Device::cuda()), out);
    const Tensor seen = out.to(Device::cpu()), wide = table.to(DType::f32);
    for (std::size_t n = 0; n < 4; ++n)
      expect_same_bits(seen.slice(static_cast<std::int64_t>(n), static_cast<std::int64_t>(n) + 1),
                       wide.slice(numbers[n], numbers[n] + 1), name_of(dtype));
    for (const float x : seen.slice(4, 6).span<float>()) EXPECT_TRUE(std::isnan(x));
  }
}

TEST(CudaProducts, HaveTheSameBitsWhereverTheirNumbersBegin) {
  SKIP_WITHOUT_CUDA();
  // Views of rows begin anywhere in memory, aligned for wide loads or not.
  const std::int64_t in = 264, out = 9;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const Tensor x = random_values({1, in}, DType::f32, 1).to(Device::cuda()),
                 w = random_values({out, in}, dtype, 2);
    std::vector<Tensor> results;
    for (const std::int64_t shift : {0, 1}) {
      const Tensor all = Tensor::zeros({out * in + 8}, dtype, Device::cuda());
      const Tensor moved = all.slice(shift, shift + out * in).reshape({out, in});
      moved.copy_from(w);
      results.push_back(Tensor::empty({1, out}, DType::f32, Device::cuda()));
      linear_forward(x, moved, {}, results.back());
    }
    expect_same_bits(results[0], results[1], name_of(dtype));
  }
}

TEST(CudaProducts, RefuseFactorsOnDifferentDevices) {
  SKIP_WITHOUT_CUDA();
  const Tensor x = random_values({2, 3}, DType::f32, 1), y = Tensor::empty({2, 4}, DType::f32);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    EXPECT_THROW(linear_forward(x, random_values({4, 3}, dtype, 2).to(Device::cuda()), {}, y),
                 Error);
  }
}

// ---- cuBLAS

/// Products that are large enough for cuBLAS, by it where it is there or by kernels of our own.
class CudaLargeProduct : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_CUDA();
    cuda::allow_cublas(GetParam());
#ifdef XLAB_EMULATION
    before_ = emulation::cublas_products();
#endif
  }
  void TearDown() override {
    if (IsSkipped()) return;
    cuda::allow_cublas(true);
    set_matrix_precision(MatrixPrecision::exact);
#ifdef XLAB_EMULATION
    EXPECT_EQ(emulation::cublas_products() > before_, GetParam());
#endif
  }

 private:
  [[maybe_unused]] long before_ = 0;
};

TEST_P(CudaLargeProduct, IsTheCpusHoweverItsFactorsLie) {
  for (const ProductSizes& s :
       {ProductSizes{1, 64, 128, 32}, ProductSizes{1, 8, 130, 257}, ProductSizes{2, 90, 41, 75}}) {
    for (int which = 0; which < 8; ++which) {
      const MatmulOptions options{.transpose_a = (which & 1) != 0,
                                  .transpose_b = (which & 2) != 0,
                                  .accumulate = (which & 4) != 0};
      const Tensor wanted = product(s, options, DType::f64, Device::cpu());
      for (const DType dtype : {DType::f64, DType::f32}) {
        expect_close(product(s, options, dtype, Device::cuda()), wanted, tolerance_of(dtype),
                     text_of(s) + " " + std::to_string(which));
      }
    }
  }
}

TEST_P(CudaLargeProduct, WithBiasAndSideBySideIsTheCpus) {
  for (const ProductSizes& s : {ProductSizes{1, 65, 70, 66}, ProductSizes{3, 80, 60, 70}}) {
    for (const bool biased : {false, true}) {
      const auto wanted = headwise_results(s, DType::f64, Device::cpu(), biased);
      for (const DType dtype : {DType::f64, DType::f32}) {
        const auto seen = headwise_results(s, dtype, Device::cuda(), biased);
        for (std::size_t j = 0; j < wanted.size(); ++j) {
          expect_close(seen[j], wanted[j], tolerance_of(dtype),
                       text_of(s) + " result " + std::to_string(j));
        }
      }
    }
  }
}

TEST_P(CudaLargeProduct, HasTheSameBitsEveryTime) {
  const ProductSizes s{2, 70, 66, 64};
  const Tensor once = product(s, {}, DType::f32, Device::cuda());
  for (int other = 1; other < kOrders; ++other) {
    const OrderOfThreads order(other);
    expect_same_bits(product(s, {}, DType::f32, Device::cuda()), once, std::to_string(other));
  }
}

double largest_error(const Tensor& seen, const Tensor& wanted) {
  const Tensor wide = seen.to(Device::cpu()).to(DType::f64);
  double largest = 0.0, error = 0.0;
  for (std::size_t j = 0; j < wanted.span<double>().size(); ++j) {
    largest = std::max(largest, std::abs(wanted.span<double>()[j]));
    error = std::max(error, std::abs(wide.span<double>()[j] - wanted.span<double>()[j]));
  }
  return error / largest;
}

TEST_P(CudaLargeProduct, IsAsPreciseAsWasAsked) {
  const ProductSizes s{1, 64, 64, 256};
  const Tensor wanted = product(s, {}, DType::f64, Device::cpu());
  const auto error = [&](MatrixPrecision precision, DType dtype) {
    set_matrix_precision(precision);
    return largest_error(product(s, {}, dtype, Device::cuda()), wanted);
  };
  EXPECT_EQ(matrix_precision(), MatrixPrecision::exact);
  EXPECT_LT(error(MatrixPrecision::exact, DType::f32), 1e-6);
  EXPECT_LT(error(MatrixPrecision::tf32, DType::f32), 2e-3);
  EXPECT_LT(error(MatrixPrecision::bf16, DType::f32), 2e-2);
  EXPECT_LT(error(MatrixPrecision::bf16, DType::f64), 1e-12);
#ifdef XLAB_EMULATION
  // The factors are rounded by cuBLAS alone.
  EXPECT_EQ(error(MatrixPrecision::tf32, DType::f32) > 1e-5, GetParam());
  EXPECT_EQ(error(MatrixPrecision::bf16, DType::f32) > 1e-4, GetParam());
#endif
}

INSTANTIATE_TEST_SUITE_P(By, CudaLargeProduct, testing::Bool(), [](const auto& info) {
  return info.param ? std::string("Cublas") : std::string("OwnKernels");
});

#ifdef XLAB_EMULATION

const ProductSizes kLarge{1, 64, 128, 32};

Tensor large_product() {
  return product(kLarge, {.accumulate = true}, DType::f32, Device::cuda());
}

Tensor own_large_product() {
  cuda::allow_cublas(false);
  const Tensor own = large_product();
  cuda::allow_cublas(true);
  return own;
}

TEST(Cublas, IsReplacedWhereItRefuses) {
  const Tensor own = own_large_product();
  emulation::set_cublas_refuses(true);
  const Tensor seen = large_product();
  emulation::set_cublas_refuses(false);
  expect_same_bits(seen, own, "product");
}

TEST(Cublas, CanBeRecordedOnceItIsPrepared) {
  const Tensor a = random_values({1, 64, 64}, DType::f32, 1).to(Device::cuda()),
               b = random_values({1, 64, 64}, DType::f32, 2).to(Device::cuda()),
               c = Tensor::empty({1, 64, 64}, DType::f32, Device::cuda());
  matmul(a, b, c);
  const Tensor wanted = c.to(Device::cpu());
  c.fill_zero();
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  const long before = emulation::cublas_products();
  matmul(a, b, c);
  EXPECT_EQ(emulation::cublas_products(), before + 1);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
  expect_same_bits(c, wanted, "product");
  cudaGraphExecDestroy(executable);
  cudaGraphDestroy(graph);
}

/// Calls `body` in a process of its own, where nobody has asked for cuBLAS yet. It returns whether
/// all is as it should be.
template <typename Body>
void expect_in_new_process(Body&& body) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::_Exit(body() ? 0 : 1), testing::ExitedWithCode(0), "");
}

bool all_bits_same(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(Device::cpu()), y = b.to(Device::cpu());
  return std::memcmp(x.raw(), y.raw(), x.bytes()) == 0;
}

TEST(CublasDeathTest, AnOlderOneIsFound) {
  expect_in_new_process([] {
    emulation::set_cublas_version(11);
    large_product();
    return emulation::cublas_products() == 1;
  });
}

TEST(CublasDeathTest, NothingNeedsIt) {
  expect_in_new_process([] {
    emulation::set_cublas_version(0);
    return all_bits_same(large_product(), own_large_product()) && emulation::cublas_products() == 0;
  });
}

TEST(CublasDeathTest, WithoutMemoryForItThereIsNone) {
  expect_in_new_process([] {
    // The first product that cuBLAS could do is the one that finds no memory for its workspace.
    const Tensor own = own_large_product();
    const Tensor a = random_values({1, 64, 32}, DType::f32, 1).to(Device::cuda()),
                 b = random_values({1, 32, 128}, DType::f32, 2).to(Device::cuda()),
                 out = random_values({1, 64, 128}, DType::f32, 3).to(Device::cuda());
    emulation::set_memory_bytes(emulation::allocated_bytes());
    matmul(a, b, out, {.accumulate = true});
    emulation::restore();
    return all_bits_same(out, own) && all_bits_same(large_product(), own) &&
           emulation::cublas_products() == 0;
  });
}

#endif

}  // namespace
}  // namespace xlab::tests
