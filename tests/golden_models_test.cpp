// Whole models on the CPU against the numbers of the official implementation.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "golden_models.hpp"

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
  for (const fs::path& folder : folders(false)) {
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
    EXPECT_EQ(decayed, official) << folder;
  }
}

TEST_P(GoldenModels, TrainingRunsAgree) {
  check_folders(true, [](const fs::path& folder) { check_training(folder, GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenModels, testing::Values(DType::f32, DType::f64),
                         [](const auto& info) { return name_of(info.param); });

TEST(GoldenConstants, StartValuesAndWidthsAgree) {
  const fs::path path = golden_folder() / "init_constants.safetensors";
  if (!fs::exists(path)) GTEST_SKIP() << "init_constants.safetensors is not there";
  const SafetensorsFile golden = read_safetensors(path);
  const auto widths = golden.values_as<std::int64_t>("paper_up_dim");
  for (std::size_t row = 0; row + 3 < widths.size(); row += 4)
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
      spec.embedding_dim = 64;
      spec.mlstm = MlstmSpec{.num_heads = heads};
      bias = "xlstm_block_stack.blocks.0.xlstm.mlstm_cell.fgate.bias";
    } else {
      continue;
    }
    Model model(spec);
    model.params().initialise(1);
    std::vector<double> ours = to_doubles(model.params()[model.params().find(bias)].value);
    if (head_dim > 0) ours = {ours.begin() + head_dim, ours.begin() + 2 * head_dim};
    EXPECT_LE(error(ours, golden.values_as<double>(tensor.name)), 1e-6) << tensor.name;
  }
}

TEST(GoldenConstants, LearningRateScheduleAgrees) {
  const fs::path path = golden_folder() / "formal_language.safetensors";
  if (!fs::exists(path)) GTEST_SKIP() << "formal_language.safetensors is not there";
  const SafetensorsFile golden = read_safetensors(path);
  TrainSpec spec;
  spec.learning_rate = 1e-3;
  spec.min_learning_rate = 1e-6;
  spec.warmup_steps = 2000;
  spec.decay_until_step = 20000;
  const auto steps = golden.values_as<std::int64_t>("lr_schedule.steps");
  const auto rates = golden.values_as<double>("lr_schedule.lr_f64");
  for (std::size_t i = 0; i < steps.size(); ++i)
    EXPECT_NEAR(learning_rate_at(spec, steps[i]), rates[i], 1e-15) << steps[i];
}

}  // namespace
}  // namespace xlab::tests
