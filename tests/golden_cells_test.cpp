// The cells on the CPU against numbers of the official implementation.
#include <gtest/gtest.h>

#include <cstdint>

#include "golden_cells.hpp"

namespace xlab::tests {
namespace {

constexpr std::int64_t kChunks[] = {0, 1, 5, 16, 64, 1000};

/// Both forms, and chunks of several lengths: whole registers, ragged ones, all at once.
void check_mlstm_in_every_form(DType dtype) {
  for (const std::int64_t chunk : kChunks) {
    fmt::print("{}\n", chunk == 0 ? "scan" : fmt::format("chunks of {}", chunk));
    check_all(kMlstmTensors, [&](const auto& path) { check_mlstm(path, dtype, chunk); });
  }
}

TEST(GoldenCells, MlstmInF32) {
  check_mlstm_in_every_form(DType::f32);
}
TEST(GoldenCells, MlstmInF64) {
  check_mlstm_in_every_form(DType::f64);
}
TEST(GoldenCells, MlstmOfSigmoids) {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const std::int64_t chunk : kChunks) check_mlstm_of_sigmoids(dtype, chunk);
}
TEST(GoldenCells, SlstmInF32) {
  check_all(kSlstmTensors, [](const auto& path) { check_slstm(path, DType::f32); });
}
TEST(GoldenCells, SlstmInF64) {
  check_all(kSlstmTensors, [](const auto& path) { check_slstm(path, DType::f64); });
}
TEST(GoldenCells, LstmInPlaceOfTheSlstm) {
  for (const DType dtype : {DType::f32, DType::f64}) check_lstm(dtype);
}

}  // namespace
}  // namespace xlab::tests
