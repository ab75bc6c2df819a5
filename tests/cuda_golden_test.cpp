// Cells and models on a card against numbers of the official implementation: the files and the
// limits are those of the CPU.
#include <gtest/gtest.h>

#include "cuda_device.hpp"
#include "golden_cells.hpp"
#include "golden_large.hpp"
#include "golden_models.hpp"

namespace xlab::tests {
namespace {

#ifdef XLAB_EMULATION
// Emulated threads take their time: short sequences in few forms, and no thousands of steps.
constexpr bool kAll = false;
constexpr std::int64_t kChunks[] = {0, 16};
#else
constexpr bool kAll = true;
constexpr std::int64_t kChunks[] = {0, 1, 5, 16, 64, 1000};
#endif

bool is_small_enough(const std::filesystem::path& path) {
  return kAll || std::filesystem::file_size(path) <= 50'000;
}

/// Models whose numbers are few.
bool is_small_model(const std::filesystem::path& folder) {
  return kAll || std::filesystem::file_size(folder / "golden.safetensors") <= 85'000;
}

class CudaGoldenCells : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
};

TEST_P(CudaGoldenCells, Mlstm) {
  for (const std::int64_t chunk : kChunks) {
    fmt::print("{}\n", chunk == 0 ? "scan" : fmt::format("chunks of {}", chunk));
    check_all(kMlstmTensors, [&](const auto& path) {
      if (is_small_enough(path)) check_mlstm(path, GetParam(), chunk, Device::cuda());
    });
  }
}

TEST_P(CudaGoldenCells, Slstm) {
  check_all(kSlstmTensors, [&](const auto& path) {
    if (is_small_enough(path)) check_slstm(path, GetParam(), Device::cuda());
  });
}

class CudaGoldenModels : public CudaGoldenCells {};

TEST_P(CudaGoldenModels, PaperFamily) {
  using namespace paper_family;
  check_folders(false, [](const fs::path& folder) {
    if (!is_small_model(folder)) return;
    check_forward_and_gradients(folder, GetParam(), Device::cuda());
    if (kAll) check_generation(folder, GetParam(), Device::cuda());
  });
}

TEST_P(CudaGoldenModels, Training) {
  if (!kAll) GTEST_SKIP() << "twenty steps take too long on an emulated card";
  using namespace paper_family;
  check_folders(true,
                [](const fs::path& folder) { check_training(folder, GetParam(), Device::cuda()); });
}

TEST_P(CudaGoldenModels, LargeFamily) {
  using namespace large_family;
  check_folders([](const fs::path& folder) {
    if (!is_small_model(folder)) return;
    check_forward_and_gradients(folder, GetParam(), Device::cuda());
    if (kAll) check_generation(folder, GetParam(), Device::cuda());
  });
}

INSTANTIATE_TEST_SUITE_P(Cuda, CudaGoldenCells, testing::Values(DType::f32, DType::f64),
                         [](const auto& info) { return xlab::name_of(info.param); });

INSTANTIATE_TEST_SUITE_P(Cuda, CudaGoldenModels, testing::Values(DType::f32, DType::f64),
                         [](const auto& info) { return xlab::name_of(info.param); });

}  // namespace
}  // namespace xlab::tests
