// Specifications of forecasting models: what is read, what is refused by name, what comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/model.hpp"
#include "core/run.hpp"
#include "core/spec.hpp"
#include "core/tasks/task.hpp"
#include "kernels/check.hpp"

namespace xlab::tests {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

json usual() {
  const json block = {
      {"time_mixer", {{"model_type", "bi-slstm"}, {"embedding_dim", 12}, {"num_heads", 3}}},
      {"variate_mixer", {{"embedding_dim", 12}, {"num_heads", 2}}},
      {"dropout", 0.0},
      {"eps", 1e-6}};
  return {{"stack_config", {{"templates", {{"a", block}, {"b", block}}}, {"recipe", {"a", "b"}}}},
          {"num_blocks", 2},
          {"embedding_dim", 12},
          {"input_patch_size", 4},
          {"output_patch_size", 4},
          {"quantiles", {0.25, 0.5, 0.75}},
          {"tokenizer_cfg",
           {{"input_patch_size", 4}, {"output_patch_size", 4}, {"input_patch_stride", 4}}},
          {"scaler_cfg", {{"eps", 1e-4}, {"use_arcsinh", true}}},
          {"h_expand", 1.75},
          {"context_len", 40},
          {"future_len", 16},
          {"input_ff_dim", 9},
          {"act_func", "torch.nn.SiLU"},
          {"dropout", 0.1},
          {"stack_out_norm_config", {{"use_rmsnorm", false}}},
          {"tta_sign_flip", true}};
}

std::string refusal(const json& config) {
  try {
    model_spec_from_json(config.dump());
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

TEST(SeriesSpecs, AreReadInTheLayoutOfTirex2) {
  const ModelSpec spec = model_spec_from_json(usual().dump());
  ASSERT_TRUE(spec.series.has_value());
  EXPECT_STREQ(model_family(spec), "forecasting");
  EXPECT_EQ(title_of(spec), "TiRex-2, 2 blocks");
  EXPECT_EQ(spec.series->patch, 4);
  EXPECT_EQ(spec.series->context, 40);
  EXPECT_EQ(spec.series->future, 16);
  EXPECT_EQ(spec.series->input_width, 9);
  EXPECT_EQ(spec.series->output_width, 21);
  EXPECT_EQ(spec.series->act_fn, "swish");
  EXPECT_EQ(spec.series->least_scale, 1e-4);
  EXPECT_TRUE(spec.series->arcsinh);
  EXPECT_FALSE(spec.series->leaves_binary);
  EXPECT_EQ(spec.series->out_norm_eps, 1e-7);
  EXPECT_TRUE(spec.series->flips);
  EXPECT_TRUE(spec.series->differences);
  EXPECT_EQ(spec.vocab_size, 12);
  EXPECT_EQ(spec.slstm->num_heads, 3);
  EXPECT_EQ(spec.slstm->conv1d_kernel_size, 0);
  EXPECT_TRUE(spec.is_slstm(0) && spec.is_slstm(1));
}

TEST(SeriesSpecs, AreCountedAsTheyAreDeclared) {
  const ModelSpec spec = model_spec_from_json(usual().dump());
  double declared = 0;
  for (const ParamInfo& info : Model::parameters_of(spec))
    declared += static_cast<double>(info.shape.elements());
  EXPECT_EQ(parameter_count(spec), declared);
}

json first() {
  return {{"model_config",
           {{"input_patch_size", 4},
            {"output_patch_size", 4},
            {"quantiles", {0.25, 0.5, 0.75}},
            {"block_kwargs",
             {{"embedding_dim", 12},
              {"num_heads", 3},
              {"num_blocks", 2},
              {"vocab_size", 7},
              {"gate_soft_cap", 15.0}}},
            {"input_ff_dim", 9}}},
          {"train_ctx_len", 42}};
}

TEST(SeriesSpecs, AreReadInTheLayoutOfTirex) {
  const ModelSpec spec = model_spec_from_json(first().dump());
  ASSERT_TRUE(spec.series.has_value());
  EXPECT_EQ(title_of(spec), "TiRex, 2 blocks");
  EXPECT_EQ(spec.series->program, SeriesProgram::tirex);
  EXPECT_EQ(spec.series->context, 42);
  EXPECT_EQ(spec.series->future, 4);
  EXPECT_EQ(spec.series->most_steps(), 42);
  EXPECT_EQ(spec.series->patches(), 11);
  EXPECT_EQ(spec.series->out_norm_eps, 1e-6);
  EXPECT_FALSE(spec.series->differences);
  EXPECT_EQ(spec.series->output_width, 9);
  EXPECT_EQ(spec.vocab_size, 12);
  EXPECT_EQ(spec.slstm->num_heads, 3);
  // The key is one of mLSTM blocks, which there are none of.
  EXPECT_EQ(spec.slstm->variant.gate_soft_cap, 0.0);
  double declared = 0;
  for (const ParamInfo& info : Model::parameters_of(spec))
    declared += static_cast<double>(info.shape.elements());
  EXPECT_EQ(parameter_count(spec), declared);
  json flat = first()["model_config"];
  flat["train_ctx_len"] = 42;
  EXPECT_EQ(to_json(model_spec_from_json(flat.dump())), to_json(spec));
}

TEST(SeriesSpecs, OfTirexComeBackFromTheirJson) {
  json config = first();
  json& blocks = config["model_config"]["block_kwargs"];
  blocks["add_out_norm"] = false;
  blocks["norm_eps"] = 1e-3;
  blocks["ffn_proj_factor"] = 1.7;
  blocks["ffn_round_up_to_multiple_of"] = 2;
  ModelSpec spec = model_spec_from_json(config.dump());
  spec.slstm->variant.stabilizer = false;
  const ModelSpec again = model_spec_from_json(to_json(spec));
  EXPECT_EQ(to_json(again), to_json(spec));
  EXPECT_EQ(parameter_count(again), parameter_count(spec));
  EXPECT_EQ(again.series->norm_eps, 1e-3);
  EXPECT_FALSE(again.series->out_norm_eps.has_value());
  EXPECT_FALSE(again.slstm->variant.stabilizer);
}

TEST(SeriesSpecs, TheLastNormOfTirexHasTheEpsOfTheOthers) {
  json config = first();
  config["model_config"]["block_kwargs"]["norm_eps"] = 1e-3;
  EXPECT_EQ(model_spec_from_json(config.dump()).series->out_norm_eps, 1e-3);
}

TEST(SeriesSpecs, OfTirexAreRefusedByName) {
  const auto with = [](const char* key, json value) {
    json config = first();
    config["model_config"]["block_kwargs"][key] = std::move(value);
    return refusal(config);
  };
  EXPECT_THAT(with("use_bias", true), HasSubstr("'use_bias' is true"));
  EXPECT_THAT(with("num_gates", 3), HasSubstr("an sLSTM has 4 gates"));
  EXPECT_THAT(with("all_slstm", false), HasSubstr("block 0 is no sLSTM"));
  EXPECT_THAT(with("odd", 1), HasSubstr("'odd' is unknown"));
  json mixed = first();
  mixed["model_config"]["block_kwargs"]["all_slstm"] = false;
  mixed["model_config"]["block_kwargs"]["slstm_at"] = {0};
  EXPECT_THAT(refusal(mixed), HasSubstr("block 1 is no sLSTM"));
  for (const char* key : {"embedding_dim", "num_heads", "num_blocks"}) {
    json missing = first();
    missing["model_config"]["block_kwargs"].erase(key);
    EXPECT_THAT(refusal(missing), HasSubstr("'" + std::string(key) + "' is missing"));
  }
  for (const char* key : {"input_patch_size", "output_patch_size", "input_ff_dim"}) {
    json missing = first();
    missing["model_config"].erase(key);
    EXPECT_THAT(refusal(missing), HasSubstr("'" + std::string(key) + "' is missing"));
  }
  json masked = first();
  masked["model_config"]["nan_mask_value"] = 1;
  EXPECT_THAT(refusal(masked), HasSubstr("'nan_mask_value' is 1"));
  json without = first();
  without.erase("train_ctx_len");
  EXPECT_THAT(refusal(without), HasSubstr("'train_ctx_len' is missing"));
}

TEST(SeriesSpecs, MakeNoRunOfTokens) {
  EXPECT_THROW(make_run(make_task("copy"), RunSpec{.model = model_spec_from_json(usual().dump())}),
               Error);
}

TEST(SeriesSpecs, ComeBackFromTheirJson) {
  ModelSpec spec = model_spec_from_json(usual().dump());
  spec.slstm->variant.gate_soft_cap = 7.0;
  const std::string text = to_json(spec);
  EXPECT_EQ(to_json(model_spec_from_json(text)), text);
  const ModelSpec again = model_spec_from_json(text);
  EXPECT_EQ(again.series->output_width, 21);
  EXPECT_EQ(again.series->out_norm_eps, 1e-7);
  EXPECT_TRUE(again.slstm->variant == spec.slstm->variant);
  EXPECT_EQ(parameter_count(again), parameter_count(spec));
  EXPECT_THAT(keys_of_our_own(again), ElementsAre("gate_soft_cap"));
  json without = usual();
  without["stack_out_norm_config"] = nullptr;
  const ModelSpec plain = model_spec_from_json(without.dump());
  EXPECT_FALSE(plain.series->out_norm_eps.has_value());
  EXPECT_FALSE(model_spec_from_json(to_json(plain)).series->out_norm_eps.has_value());
}

TEST(SeriesSpecs, AreRefusedByName) {
  const auto with = [](const char* pointer, json value) {
    json config = usual();
    config[json::json_pointer(pointer)] = std::move(value);
    return refusal(config);
  };
  EXPECT_THAT(with("/stack_config/templates/b/time_mixer/model_type", "bi-mlstm"),
              AllOf(HasSubstr("stack_config.templates.b.time_mixer"), HasSubstr("\"bi-mlstm\"")));
  EXPECT_THAT(with("/stack_config/templates/b/time_mixer/num_slstm_heads", 4),
              HasSubstr("different heads"));
  EXPECT_THAT(with("/stack_config/templates/b/time_mixer/embedding_dim", 24),
              AllOf(HasSubstr("'embedding_dim' is 24"), HasSubstr("is 12")));
  EXPECT_THAT(with("/stack_config/templates/b/time_mixer/window", 4),
              AllOf(HasSubstr("'window' is unknown")));
  EXPECT_THAT(with("/stack_config/recipe", {"a", "c"}), HasSubstr("names \"c\""));
  EXPECT_THAT(with("/stack_config/recipe", {"a"}), HasSubstr("lists 1 blocks"));
  EXPECT_THAT(with("/tokenizer_cfg/input_patch_stride", 2), HasSubstr("'input_patch_stride' is 2"));
  EXPECT_THAT(with("/output_patch_size", 8), HasSubstr("'output_patch_size' is 8"));
  EXPECT_THAT(with("/quantiles", {0.5, 0.25, 0.75}), HasSubstr("must rise"));
  EXPECT_THAT(with("/quantiles", {0.5, 1.0}), HasSubstr("between 0 and 1"));
  EXPECT_THAT(with("/quantiles", {0.25, 0.5, 0.8}), HasSubstr("'tta_sign_flip' needs quantiles"));
  EXPECT_THAT(with("/act_func", "torch.nn.Mish"), HasSubstr("'act_func' is \"torch.nn.Mish\""));
  EXPECT_THAT(with("/future_len", 18), HasSubstr("'future_len' 18 is no multiple"));
  EXPECT_THAT(with("/odd", 1), HasSubstr("'odd' is unknown"));
  EXPECT_THAT(with("/act_func", "my_package.GELU"), HasSubstr("'act_func' is"));
  EXPECT_THAT(with("/quantiles", {0.25, 0.25, 0.75}), HasSubstr("must rise"));
  json hostile = usual();
  hostile["context_len"] = hostile["future_len"] = 1 << 20;
  hostile["tta_sign_flip"] = false;
  hostile["quantiles"] = json::array();
  for (int q = 1; q <= 900; ++q) hostile["quantiles"].push_back(q / 1000.0);
  EXPECT_THAT(refusal(hostile), HasSubstr("more than fit here"));
  for (const char* key :
       {"act_func", "num_blocks", "embedding_dim", "input_patch_size", "context_len", "future_len",
        "h_expand", "input_ff_dim", "tokenizer_cfg", "scaler_cfg"}) {
    json missing = usual();
    missing.erase(key);
    EXPECT_THAT(refusal(missing), HasSubstr("'" + std::string(key) + "' is missing"));
  }
  json heads = usual();
  for (const char* name : {"a", "b"})
    heads["stack_config"]["templates"][name]["time_mixer"]["num_heads"] = 5;
  ModelSpec spec = model_spec_from_json(heads.dump());
  EXPECT_THROW(check_sizes(spec), Error);
}

}  // namespace
}  // namespace xlab::tests
