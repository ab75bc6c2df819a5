// Whole models on the CPU against the numbers of the official implementation.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "golden_models.hpp"
#include "temporary_folder.hpp"

namespace xlab::tests {
namespace {

using namespace paper_family;

class GoldenModels : public testing::TestWithParam<DType> {};

TEST_P(GoldenModels, LogitsLossGradientsTokensAndStatesAgree) {
  check_folders(false, [](const fs::path& folder) {
    check_forward_and_gradients(folder, GetParam());
    check_generation(folder, GetParam());
  });
}

TEST_P(GoldenModels, WithTheLstmInPlaceOfTheSlstm) {
  check_folders(
      false,
      [](const fs::path& folder) {
        check_forward_and_gradients(folder, GetParam());
        check_generation(folder, GetParam());
      },
      golden_baselines_folder());
}

TEST(GoldenModels, BothRecurrentLayoutsGiveTheSameWeights) {
  int compared = 0;
  for (const fs::path& folder : folders(false)) {
    if (!fs::exists(folder / "model_cuda_layout.safetensors")) continue;
    const Model plain = load_model(folder, "model.safetensors", DType::f32);
    const Model cuda = load_model(folder, "model_cuda_layout.safetensors", DType::f32);
    EXPECT_EQ(plain.params().signature(), cuda.params().signature()) << folder;
    ++compared;
  }
  if (compared == 0) GTEST_SKIP() << "no folder holds model_cuda_layout.safetensors";
}

TEST(GoldenModels, WeightDecayGroupsAgree) {
  int compared = 0;
  std::vector<fs::path> all = folders(false);
  for (const fs::path& folder : folders(false, golden_baselines_folder())) all.push_back(folder);
  for (const fs::path& folder : all) {
    if (!fs::exists(folder / "weight_decay_groups.json")) continue;
    const Model model = load_model(folder, "model.safetensors", DType::f32);
    std::vector<std::string> decayed, official;
    for (const ParamInfo& info : model.params().infos())
      if (info.decays) decayed.push_back(info.name);
    const json groups = read_json(folder / "weight_decay_groups.json");
    for (const auto& [key, names] : groups.items())
      if (key == "decay")
        for (const json& name : names) official.push_back(name.get<std::string>());
    std::sort(decayed.begin(), decayed.end());
    std::sort(official.begin(), official.end());
    EXPECT_FALSE(official.empty()) << folder;
    EXPECT_LT(official.size(), model.params().infos().size()) << folder;
    EXPECT_EQ(decayed, official) << folder;
    ++compared;
  }
  if (compared == 0 && golden_folder_is_chosen())
    GTEST_SKIP() << "no folder holds weight_decay_groups.json";
  EXPECT_GT(compared, 0);
}

TEST_P(GoldenModels, TrainingRunsAgree) {
  check_folders(true, [](const fs::path& folder) { check_training(folder, GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenModels, testing::Values(DType::f32, DType::f64),
                         [](const auto& info) { return name_of(info.param); });

/// Start values and widths, of the sizes that the names and rows of the file say. Returns how many
/// there were.
int check_start_values(const fs::path& path) {
  int compared = 0;
  const SafetensorsFile golden = read_safetensors(path);
  const auto widths = golden.values_as<std::int64_t>("paper_up_dim");
  for (std::size_t row = 0; row + 3 < widths.size(); row += 4, ++compared)
    EXPECT_EQ(rounded_width(static_cast<double>(widths[row + 1]) / 1e4,
                            static_cast<int>(widths[row]), true, static_cast<int>(widths[row + 2])),
              widths[row + 3]);
  for (const StoredTensor& tensor : golden.tensors()) {
    int head_dim = 0, block = 0, blocks = 0, heads = 0;
    ModelSpec spec;
    spec.vocab_size = 2;
    std::string bias;
    if (std::sscanf(tensor.name.c_str(), "slstm_fbias.headdim%d.block%dof%d", &head_dim, &block,
                    &blocks) == 3) {
      spec.embedding_dim = head_dim;
      spec.num_blocks = blocks;
      spec.slstm = SlstmSpec{.num_heads = 1};
      for (int b = 0; b < blocks; ++b) spec.slstm_at.push_back(b);
      bias = fmt::format("xlstm_block_stack.blocks.{}.xlstm.slstm_cell._bias_", block);
    } else if (std::sscanf(tensor.name.c_str(), "mlstm_fbias.heads%d", &heads) == 1) {
      // A width that so many heads can share.
      spec.embedding_dim = 8 * heads;
      spec.mlstm = MlstmSpec{.num_heads = heads, .round_proj_up_to_multiple_of = 1};
      bias = "xlstm_block_stack.blocks.0.xlstm.mlstm_cell.fgate.bias";
    } else {
      continue;
    }
    Model model(spec);
    model.params().initialise(1);
    std::vector<double> ours = to_doubles(model.params()[model.params().find(bias)].value);
    if (head_dim > 0) ours = {ours.begin() + head_dim, ours.begin() + 2 * head_dim};
    EXPECT_LE(error(ours, golden.values_as<double>(tensor.name)), 1e-6) << tensor.name;
    ++compared;
  }
  return compared;
}

constexpr const char* kScheduleOfTheFile = "lr_args(warmup,decay_until,max,min)";

/// Learning rates of the schedule that the file names. Returns how many there were.
int check_schedule(const fs::path& path) {
  const SafetensorsFile golden = read_safetensors(path);
  const json arguments = json::parse(golden.metadata().at(kScheduleOfTheFile));
  TrainSpec spec;
  spec.warmup_steps = arguments.at(0);
  spec.decay_until_step = arguments.at(1);
  spec.learning_rate = arguments.at(2);
  spec.min_learning_rate = arguments.at(3);
  const auto steps = golden.values_as<std::int64_t>("lr_schedule.steps");
  const auto rates = golden.values_as<double>("lr_schedule.lr_f64");
  EXPECT_EQ(steps.size(), rates.size());
  for (std::size_t i = 0; i < std::min(steps.size(), rates.size()); ++i)
    EXPECT_NEAR(learning_rate_at(spec, steps[i]), rates[i], 1e-12 * spec.learning_rate) << steps[i];
  return static_cast<int>(steps.size());
}

TEST(GoldenConstants, StartValuesAndWidthsAgree) {
  const fs::path path = golden_folder() / "init_constants.safetensors";
  if (!fs::exists(path)) GTEST_SKIP() << "init_constants.safetensors is not there";
  EXPECT_GT(check_start_values(path), 0);
}

TEST(GoldenConstants, LearningRateScheduleAgrees) {
  const fs::path path = golden_folder() / "formal_language.safetensors";
  if (!fs::exists(path)) GTEST_SKIP() << "formal_language.safetensors is not there";
  EXPECT_GT(check_schedule(path), 0);
}

TEST(GoldenConstants, AnotherSetIsMeasuredByItsOwnSizesAndSchedule) {
  const TemporaryFolder folder;
  const auto line = [](int count, double from, double to) {
    std::vector<float> values;
    for (int j = 0; j < count; ++j)
      values.push_back(static_cast<float>(count > 1 ? from + (to - from) * j / (count - 1) : from));
    return values;
  };
  const auto power_law = [](int units, double depth) {
    std::vector<float> values;
    for (int u = 0; u < units; ++u)
      values.push_back(static_cast<float>(
          5.0 - 12.0 * std::pow(static_cast<double>(u) / (units - 1), 0.3 + 1.3 * depth)));
    return values;
  };
  std::vector<StoredTensor> constants;
  for (const int heads : {1, 3, 5, 7})
    constants.push_back(
        stored(fmt::format("mlstm_fbias.heads{}", heads), {heads}, line(heads, 3.0, 6.0)));
  constants.push_back(stored("slstm_fbias.headdim5.block1of3", {5}, power_law(5, 0.5)));
  constants.push_back(stored("slstm_fbias.headdim12.block6of7", {12}, power_law(12, 1.0)));
  constants.push_back(stored("paper_up_dim", {2, 4},
                             std::vector<std::int64_t>{21, 13000, 16, 32, 10, 20000, 3, 21}));
  write_safetensors(folder / "constants", std::move(constants), {});
  EXPECT_EQ(check_start_values(folder / "constants"), 8);

  const double pi = std::acos(-1.0);
  write_safetensors(
      folder / "schedule",
      {stored("lr_schedule.steps", {5}, std::vector<std::int64_t>{0, 3, 8, 29, 50}),
       stored("lr_schedule.lr_f64", {5},
              std::vector<double>{0.0, 0.02 * 3 / 8, 0.02,
                                  0.001 + 0.5 * (1.0 + std::cos(pi / 2)) * 0.019, 0.001})},
      {{kScheduleOfTheFile, "[8, 50, 0.02, 0.001]"}});
  EXPECT_EQ(check_schedule(folder / "schedule"), 5);
}

}  // namespace
}  // namespace xlab::tests
