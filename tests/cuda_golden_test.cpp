// Cells and models on a card against numbers of the official implementation: the files and the
// limits are those of the CPU.
#include <gtest/gtest.h>

#include <cstdint>

#include "cuda_device.hpp"
#include "golden_cells.hpp"
#include "golden_large.hpp"
#include "golden_models.hpp"

namespace xlab::tests {
namespace {

constexpr std::int64_t kChunks[] = {0, 1, 5, 16, 64, 1000};

class CudaGoldenCells : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
};

TEST_P(CudaGoldenCells, Mlstm) {
  for (const std::int64_t chunk : kChunks) {
    fmt::print("{}\n", chunk == 0 ? "scan" : fmt::format("chunks of {}", chunk));
    check_all(kMlstmTensors,
              [&](const auto& path) { check_mlstm(path, GetParam(), chunk, Device::cuda()); });
  }
}

TEST_P(CudaGoldenCells, MlstmOfSigmoids) {
  for (const std::int64_t chunk : kChunks)
    check_mlstm_of_sigmoids(GetParam(), chunk, Device::cuda());
}

TEST_P(CudaGoldenCells, Slstm) {
  check_all(kSlstmTensors,
            [&](const auto& path) { check_slstm(path, GetParam(), Device::cuda()); });
}

TEST_P(CudaGoldenCells, LstmInPlaceOfTheSlstm) {
  check_lstm(GetParam(), Device::cuda());
}

class CudaGoldenModels : public CudaGoldenCells {};

TEST_P(CudaGoldenModels, PaperFamily) {
  using namespace paper_family;
  check_folders(false, [](const fs::path& folder) {
    check_forward_and_gradients(folder, GetParam(), Device::cuda());
    check_generation(folder, GetParam(), Device::cuda());
  });
}

TEST_P(CudaGoldenModels, WithTheLstmInPlaceOfTheSlstm) {
  using namespace paper_family;
  check_folders(
      false,
      [](const fs::path& folder) {
        check_forward_and_gradients(folder, GetParam(), Device::cuda());
        check_generation(folder, GetParam(), Device::cuda());
      },
      golden_baselines_folder());
}

TEST_P(CudaGoldenModels, Training) {
  using namespace paper_family;
  check_folders(true,
                [](const fs::path& folder) { check_training(folder, GetParam(), Device::cuda()); });
}

TEST_P(CudaGoldenModels, LargeFamily) {
  using namespace large_family;
  check_folders([](const fs::path& folder) {
    check_forward_and_gradients(folder, GetParam(), Device::cuda());
    check_generation(folder, GetParam(), Device::cuda());
  });
}

INSTANTIATE_TEST_SUITE_P(Cuda, CudaGoldenCells, testing::Values(DType::f32, DType::f64),
                         [](const auto& info) { return xlab::name_of(info.param); });

INSTANTIATE_TEST_SUITE_P(Cuda, CudaGoldenModels, testing::Values(DType::f32, DType::f64),
                         [](const auto& info) { return xlab::name_of(info.param); });

}  // namespace
}  // namespace xlab::tests
