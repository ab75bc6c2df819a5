// Specifications: what goes out comes in again, and whatever is wrong is named in a sentence.
#include "core/spec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/check.hpp"
#include "tests/complaint.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

std::string model_complaint(const std::string& text) {
  return complaint([&] { validate(model_spec_from_json(text)); });
}

std::string train_complaint(const std::string& text) {
  return complaint([&] { validate(train_spec_from_json(text)); });
}

ModelSpec read_config(const std::string& text) {
  ReadKeys keys;
  return model_spec_from_config(text, keys);
}

/// A model with every option present.
json complete_model() {
  return json::parse(to_json(small_mixed()));
}

TEST(Spec, ModelsComeBackFromJson) {
  ModelSpec odd = small_mixed();
  odd.tie_weights = odd.weight_decay_on_embedding = odd.bias = true;
  odd.add_post_blocks_norm = false;
  odd.dropout = 0.25;
  odd.mlstm = MlstmSpec{.num_heads = 3,
                        .conv1d_kernel_size = 5,
                        .qkv_proj_blocksize = 2,
                        .proj_factor = 1.75,
                        .round_proj_up_dim_up = false,
                        .round_proj_up_to_multiple_of = 6};
  odd.slstm = SlstmSpec{.num_heads = 8,
                        .conv1d_kernel_size = 0,
                        .group_norm_weight = false,
                        .bias_init = "small_init",
                        .recurrent_weight_init = "zeros"};
  odd.feedforward = FeedforwardSpec{.proj_factor = 2.5,
                                    .act_fn = "relu^2",
                                    .bias = true,
                                    .round_proj_up_dim_up = false,
                                    .round_proj_up_to_multiple_of = 4};
  std::vector<std::pair<std::string, ModelSpec>> models = small_models();
  models.emplace_back("odd", odd);
  for (const auto& [name, spec] : models) {
    const std::string text = to_json(spec);
    EXPECT_EQ(to_json(model_spec_from_json(text)), text) << name;
  }
  const ModelSpec back = model_spec_from_json(to_json(odd));
  EXPECT_TRUE(back.tie_weights && back.weight_decay_on_embedding && back.bias);
  EXPECT_FALSE(back.add_post_blocks_norm || back.mlstm->round_proj_up_dim_up ||
               back.slstm->group_norm_weight || back.feedforward->round_proj_up_dim_up);
  EXPECT_EQ(back.dropout, 0.25);
  EXPECT_EQ(back.mlstm->proj_factor, 1.75);
  EXPECT_EQ(back.mlstm->num_heads, 3);
  EXPECT_EQ(back.slstm->bias_init, "small_init");
  EXPECT_EQ(back.slstm->recurrent_weight_init, "zeros");
  EXPECT_EQ(back.feedforward->act_fn, "relu^2");
  EXPECT_TRUE(back.feedforward->bias);
  EXPECT_EQ(back.slstm_at, std::vector<int>{1});
}

TEST(Spec, TrainingComesBackFromJson) {
  const TrainSpec spec = {.batch_size = 3,
                          .sequence_length = 17,
                          .learning_rate = 0.1 + 0.2,
                          .min_learning_rate = 1e-7,
                          .warmup_steps = 5,
                          .decay_until_step = 123456789012,
                          .beta1 = 0.8,
                          .beta2 = 0.95,
                          .adam_eps = 1e-6,
                          .weight_decay = 0.01,
                          .gradient_clip = 0.0,
                          .seed = 9007199254740992};
  const TrainSpec back = train_spec_from_json(to_json(spec));
  EXPECT_EQ(to_json(back), to_json(spec));
  EXPECT_EQ(back.learning_rate, spec.learning_rate);
  EXPECT_EQ(back.decay_until_step, spec.decay_until_step);
  EXPECT_EQ(back.seed, spec.seed);
  EXPECT_EQ(back.gradient_clip, 0.0);
  EXPECT_EQ(to_json(train_spec_from_json("{}")), to_json(TrainSpec{}));
}

TEST(Spec, ReadsTheConfigurationsOfThePaper) {
  // As in the official experiments: keys that decide nothing here may stand in them.
  const ModelSpec spec = model_spec_from_json(R"({
    "num_blocks": 4, "embedding_dim": 64, "vocab_size": 50, "context_length": 256,
    "tie_weights": false, "weight_decay_on_embedding": false, "add_embedding_dropout": false,
    "dropout": 0.0, "_block_map": "0,1,0,0", "slstm_at": [1],
    "mlstm_block": {"mlstm": {"conv1d_kernel_size": 4, "qkv_proj_blocksize": 4, "num_heads": 4}},
    "slstm_block": {"slstm": {"backend": "cuda", "num_heads": 4, "conv1d_kernel_size": 4,
      "bias_init": "powerlaw_blockdependent", "dtype": "bfloat16",
      "enable_automatic_mixed_precision": true}, "feedforward": {"proj_factor": 1.3,
      "act_fn": "gelu"}}})");
  validate(spec);
  EXPECT_EQ(spec.num_blocks, 4);
  EXPECT_TRUE(spec.is_slstm(1));
  EXPECT_FALSE(spec.is_slstm(0) || spec.is_slstm(2) || spec.is_slstm(3));
}

TEST(Spec, BlocksMeanWhatTheyMeanInTheOfficialCode) {
  const auto read = [](const char* text) { return model_spec_from_json(text); };
  EXPECT_EQ(read(R"({"num_blocks": 3, "slstm_block": {}, "mlstm_block": {}, "slstm_at": "all"})")
                .slstm_at,
            (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(read(R"({"num_blocks": 2, "slstm_block": {}})").slstm_at, (std::vector<int>{0, 1}));
  EXPECT_EQ(
      read(R"({"num_blocks": 4, "slstm_block": {}, "mlstm_block": {}, "slstm_at": [3, 1, 3]})")
          .slstm_at,
      (std::vector<int>{1, 3}));
  EXPECT_TRUE(read(R"({"slstm_block": {}})").feedforward.has_value());
  EXPECT_FALSE(read(R"({"slstm_block": {"feedforward": null}})").feedforward.has_value());
  EXPECT_EQ(read(R"({"mlstm_block": {"mlstm": null}})").mlstm->num_heads, 4);
  EXPECT_FALSE(read("{}").mlstm.has_value());
}

TEST(Spec, AFileForRunsHoldsBothOrAModelAlone) {
  const json both = {{"model", complete_model()}, {"train", {{"batch_size", 5}}}};
  const RunSpec spec = run_spec_from_json(both.dump());
  EXPECT_EQ(spec.model->embedding_dim, 8);
  EXPECT_EQ(spec.train->batch_size, 5);
  EXPECT_FALSE(run_spec_from_json(complete_model().dump()).train.has_value());
  EXPECT_TRUE(run_spec_from_json(complete_model().dump()).model.has_value());
  EXPECT_FALSE(run_spec_from_json(R"({"train": {}})").model.has_value());
  EXPECT_THAT(complaint([] { run_spec_from_json(R"({"model": {}, "trian": {}})"); }),
              HasSubstr("'trian'"));
  EXPECT_THAT(complaint([] { run_spec_from_json("[]"); }), HasSubstr("object"));
}

TEST(Spec, WhatIsNoJsonIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("{\"embedding_dim\": }"),
        std::string("{\"a\": \"\xff\"}"), std::string("{} {}"), std::string(1, '\0')})
    EXPECT_THAT(model_complaint(text), HasSubstr("not valid JSON")) << text;
  for (const char* text : {"null", "3", "[]", "\"x\""})
    EXPECT_THAT(model_complaint(text), HasSubstr("must be a JSON object")) << text;
}

TEST(Spec, DeepNestingIsRefusedBeforeItHurts) {
  for (const char* key : {"_comment", "slstm_at", "mlstm_block", "embedding_dim"}) {
    for (const int depth : {20, 200, 1'000'000}) {
      const auto n = static_cast<std::size_t>(depth);
      const std::string text =
          std::string("{\"") + key + "\": " + std::string(n, '[') + std::string(n, ']') + "}";
      EXPECT_THAT(model_complaint(text), HasSubstr("nested deeper")) << key << depth;
    }
  }
  std::string objects;
  for (int n = 0; n < 100'000; ++n) objects += "{\"a\":";
  EXPECT_THAT(model_complaint(objects), HasSubstr("nested deeper"));
}

TEST(Spec, UnknownKeysAreNamedWhereverTheyStand) {
  const auto with_unknown = [](const json::json_pointer& place) {
    json spec = complete_model();
    spec[place]["embeding_dim"] = 1;
    return spec.dump();
  };
  for (const char* place : {"", "/mlstm_block", "/mlstm_block/mlstm", "/slstm_block",
                            "/slstm_block/slstm", "/slstm_block/feedforward"})
    EXPECT_THAT(model_complaint(with_unknown(json::json_pointer(place))),
                AllOf(HasSubstr("'embeding_dim' is unknown"), HasSubstr("Known keys"),
                      Not(HasSubstr("torchscript"))))
        << place;
  EXPECT_THAT(model_complaint(with_unknown(json::json_pointer(""))),
              HasSubstr("unknown: is 'embedding_dim' meant? Known keys"));
  EXPECT_THAT(train_complaint(R"({"lr": 1})"), HasSubstr("'lr' is unknown"));
  // Notes begin with an underscore.
  EXPECT_EQ(train_complaint(R"({"_lr": 1})"), kFine);
}

/// Where a number stands and the range it must keep to.
struct Range {
  std::string place;
  double low, high;
  bool whole = true;
};

std::vector<Range> model_ranges() {
  return {{"/vocab_size", 0, 1 << 20},
          {"/embedding_dim", 1, 8192},
          {"/num_blocks", 1, 256},
          {"/context_length", 0, 1 << 20},
          {"/dropout", 0, 0.99, false},
          {"/mlstm_block/mlstm/num_heads", 1, 256},
          {"/mlstm_block/mlstm/conv1d_kernel_size", 2, 64},
          {"/mlstm_block/mlstm/qkv_proj_blocksize", 1, 8192},
          {"/mlstm_block/mlstm/proj_factor", 0.01, 64, false},
          {"/mlstm_block/mlstm/round_proj_up_to_multiple_of", 1, 8192},
          {"/slstm_block/slstm/num_heads", 1, 256},
          {"/slstm_block/slstm/conv1d_kernel_size", 0, 64},
          {"/slstm_block/feedforward/proj_factor", 0.01, 64, false},
          {"/slstm_block/feedforward/round_proj_up_to_multiple_of", 1, 8192}};
}

std::vector<Range> train_ranges() {
  return {{"/batch_size", 1, 65536},         {"/sequence_length", 1, 1 << 20},
          {"/learning_rate", 0, 100, false}, {"/min_learning_rate", 0, 100, false},
          {"/warmup_steps", 0, 1e12},        {"/decay_until_step", 0, 1e12},
          {"/beta1", 0, 0.999999, false},    {"/beta2", 0, 0.999999999, false},
          {"/adam_eps", 1e-16, 1, false},    {"/weight_decay", 0, 100, false},
          {"/gradient_clip", 0, 1e9, false}, {"/seed", 0, 9007199254740992.0}};
}

/// The reader alone: limits of single numbers are its business.
void check_range(const json& complete, const Range& range, void (*read)(const std::string&)) {
  const json::json_pointer place(range.place);
  const std::string key = "'" + place.back() + "'";
  const auto answer = [&](const json& value) {
    json changed = complete;
    changed[place] = value;
    return complaint([&] { read(changed.dump()); });
  };
  for (const json& type : {json("4"), json(true), json::array({1}), json::object()})
    EXPECT_THAT(answer(type), AllOf(HasSubstr(key), HasSubstr("must be a number"))) << range.place;
  for (const double outside :
       {range.low - 1.0, range.high + (range.whole ? 2.0 : 1e-3 * range.high), -1e300, 1e300})
    EXPECT_THAT(answer(outside), AllOf(HasSubstr(key), HasSubstr("must lie between")))
        << range.place << " " << outside;
  if (range.whole) {
    EXPECT_THAT(answer(range.low + 0.5), AllOf(HasSubstr(key), HasSubstr("whole number")));
  }
  for (const json& huge : {json(std::numeric_limits<std::int64_t>::min()),
                           json(std::numeric_limits<std::uint64_t>::max())})
    EXPECT_THAT(answer(huge), HasSubstr(key)) << range.place;
  EXPECT_EQ(answer(range.low), kFine) << range.place;
  EXPECT_EQ(answer(nullptr), kFine) << range.place;
}

TEST(Spec, EveryNumberOfAModelHasItsLimits) {
  for (const Range& range : model_ranges()) {
    json complete = complete_model();
    complete["slstm_at"] = json::array();  // so that one block is possible
    check_range(complete, range, [](const std::string& text) { model_spec_from_json(text); });
  }
}

TEST(Spec, EveryNumberOfATrainingHasItsLimits) {
  for (const Range& range : train_ranges())
    check_range(json::parse(to_json(TrainSpec{})), range,
                [](const std::string& text) { train_spec_from_json(text); });
}

TEST(Spec, EveryKeyThatIsWrittenIsRead) {
  // A key that the reader ignored would let any value pass.
  const auto check_all = [](const json& complete, auto&& answer) {
    const json flat = complete.flatten();
    for (const auto& [pointer, value] : flat.items()) {
      if (pointer.starts_with("/slstm_at")) continue;
      json changed = complete;
      changed[json::json_pointer(pointer)] = json::object({{"strange", 1}});
      const std::string key = pointer.substr(pointer.rfind('/') + 1);
      EXPECT_THAT(answer(changed.dump()), HasSubstr("'" + key + "'")) << pointer;
    }
  };
  check_all(complete_model(), model_complaint);
  check_all(json::parse(to_json(TrainSpec{})), train_complaint);
}

TEST(Spec, ChoicesAndTruthValuesAreChecked) {
  const auto answer = [](const char* place, const json& value) {
    json changed = complete_model();
    changed[json::json_pointer(place)] = value;
    return model_complaint(changed.dump());
  };
  for (const char* place :
       {"/tie_weights", "/weight_decay_on_embedding", "/add_post_blocks_norm", "/bias",
        "/mlstm_block/mlstm/round_proj_up_dim_up", "/slstm_block/slstm/group_norm_weight",
        "/slstm_block/feedforward/bias", "/slstm_block/feedforward/round_proj_up_dim_up"})
    for (const json& value : {json(1), json("true"), json::array()})
      EXPECT_THAT(answer(place, value), HasSubstr("must be true or false")) << place;
  for (const char* place :
       {"/slstm_block/slstm/bias_init", "/slstm_block/feedforward/act_fn",
        "/slstm_block/slstm/recurrent_weight_init", "/slstm_block/feedforward/ff_type"}) {
    EXPECT_THAT(answer(place, "tanhh"), AllOf(HasSubstr("'tanhh'"), HasSubstr("use one of")))
        << place;
    EXPECT_THAT(answer(place, 1), HasSubstr("must be a text")) << place;
  }
  EXPECT_THAT(answer("/slstm_block/slstm/gradient_recurrent_cut", true), HasSubstr("gradient"));
  EXPECT_THAT(answer("/slstm_block/slstm/gradient_recurrent_clipval", 1), HasSubstr("gradient"));
}

TEST(Spec, SlstmPlacesAreChecked) {
  const auto answer = [](const json& value) {
    json changed = complete_model();
    changed["slstm_at"] = value;
    return model_complaint(changed.dump());
  };
  for (const json& value :
       {json(1), json("some"), json::object(), json::array({3}), json::array({-1}),
        json::array({"0"}), json::array({0.5}), json::array({1e300}), json::array({nullptr}),
        json::array({std::numeric_limits<std::uint64_t>::max()})})
    EXPECT_THAT(answer(value), HasSubstr("'slstm_at'")) << value;
}

TEST(Spec, ImpossibleModelsAreRefused) {
  const auto answer = [](auto&& change) {
    ModelSpec spec = small_mixed();
    change(spec);
    return complaint([&] { validate(spec); });
  };
  EXPECT_THAT(answer([](ModelSpec& s) { s.vocab_size = 0; }), HasSubstr("'vocab_size'"));
  EXPECT_THAT(answer([](ModelSpec& s) { s.mlstm.reset(); }), HasSubstr("'mlstm_block'"));
  EXPECT_THAT(answer([](ModelSpec& s) { s.slstm.reset(); }), HasSubstr("'slstm_block'"));
  EXPECT_THAT(answer([](ModelSpec& s) { s.mlstm->num_heads = 3; }), HasSubstr("3 heads"));
  EXPECT_THAT(answer([](ModelSpec& s) { s.slstm->num_heads = 3; }), HasSubstr("3 heads"));
  EXPECT_THAT(answer([](ModelSpec& s) { s.mlstm->qkv_proj_blocksize = 100; }),
              HasSubstr("'qkv_proj_blocksize'"));
  EXPECT_THAT(answer([](ModelSpec& s) {
                s.mlstm->proj_factor = 0.1;
                s.mlstm->round_proj_up_dim_up = false;
              }),
              HasSubstr("inner width of 0"));
  EXPECT_THAT(answer([](ModelSpec& s) {
                s.feedforward->proj_factor = 0.1;
                s.feedforward->round_proj_up_dim_up = false;
              }),
              HasSubstr("width of 0"));
  EXPECT_EQ(answer([](ModelSpec&) {}), kFine);
  EXPECT_THAT(train_complaint(R"({"learning_rate": 1e-4, "min_learning_rate": 1e-3})"),
              AllOf(HasSubstr("'min_learning_rate'"), HasSubstr("'learning_rate'")));
  EXPECT_THAT(
      complaint([] { validate(TrainSpec{.seed = std::numeric_limits<std::uint64_t>::max()}); }),
      HasSubstr("seed"));
}

TEST(Spec, ModelsThatFitIntoNoMemoryAreRefusedWithTheirSize) {
  const auto answer = [](auto&& change) {
    ModelSpec spec = small_mixed();
    change(spec);
    return complaint([&] { validate(spec); });
  };
  for (const std::string& said : {answer([](ModelSpec& s) {
                                    s.embedding_dim = 8192;
                                    s.vocab_size = 1 << 20;
                                  }),
                                  answer([](ModelSpec& s) {
                                    s.embedding_dim = 8192;
                                    s.num_blocks = 256;
                                  }),
                                  // Wide inside.
                                  answer([](ModelSpec& s) {
                                    s.embedding_dim = 1024;
                                    s.mlstm->proj_factor = 64;
                                    s.mlstm->qkv_proj_blocksize = 8192;
                                  }),
                                  answer([](ModelSpec& s) {
                                    s.embedding_dim = 8192;
                                    s.feedforward->proj_factor = 64;
                                  }),
                                  answer([](ModelSpec& s) {
                                    s.embedding_dim = 8192;
                                    s.slstm->num_heads = 1;
                                    s.num_blocks = 8;
                                    s.slstm_at = {0, 1, 2, 3, 4, 5, 6, 7};
                                  }),
                                  answer([](ModelSpec& s) {
                                    s.embedding_dim = 64;
                                    s.mlstm->proj_factor = 64;
                                    s.mlstm->num_heads = 256;
                                    s.num_blocks = 256;
                                  })})
    EXPECT_THAT(said, AllOf(HasSubstr("GB"), HasSubstr("million parameters")));
}

// ---- the large family ---------------------------------------------------------------------------

json complete_large() {
  return json::parse(to_json(small_large()));
}

TEST(LargeSpecs, EveryNumberHasItsLimits) {
  const std::vector<Range> ranges = {{"/vocab_size", 0, 1 << 20},
                                     {"/embedding_dim", 1, 16384},
                                     {"/num_blocks", 1, 256},
                                     {"/context_length", 0, 1 << 20},
                                     {"/num_heads", 1, 256},
                                     {"/norm_eps", 0, 1, false},
                                     {"/qk_dim_factor", 1e-3, 64, false},
                                     {"/v_dim_factor", 1e-3, 64, false},
                                     {"/ffn_proj_factor", 1e-3, 64, false},
                                     {"/ffn_round_up_to_multiple_of", 1, 8192},
                                     {"/gate_soft_cap", 0, 1e6, false},
                                     {"/output_logit_soft_cap", 0, 1e6, false},
                                     {"/eps", 0, 1, false},
                                     {"/pad_token_id", 0, 1 << 20},
                                     {"/bos_token_id", 0, 1 << 20}};
  for (const Range& range : ranges)
    check_range(complete_large(), range, [](const std::string& text) {
      model_spec_from_json(text);
      read_config(text);
    });
}

TEST(LargeSpecs, ATextMayHaveSeveralEndsOrNone) {
  const auto ends = [](const json& value) {
    json config = complete_large();
    config["eos_token_id"] = value;
    const ModelSpec spec = read_config(config.dump());
    EXPECT_EQ(json::parse(to_config_json(spec, "float32")).at("eos_token_id"),
              value == json::array()      ? json()
              : value == json::array({5}) ? json(5)
                                          : value);
    return spec.large->eos_token_ids;
  };
  EXPECT_EQ(ends(7), std::vector{7});
  EXPECT_EQ(ends({0, 2}), (std::vector{0, 2}));
  EXPECT_EQ(ends(json::array({5})), std::vector{5});
  EXPECT_EQ(ends(nullptr), std::vector<int>{});
  EXPECT_EQ(ends(json::array()), std::vector<int>{});
  json silent = complete_large();
  silent.erase("eos_token_id");
  EXPECT_EQ(read_config(silent.dump()).large->eos_token_ids, std::vector{2})
      << "the official default";
  for (const json& wrong : {json(-1), json((1 << 20) + 1), json(0.5), json("2"),
                            json::array({0, -1}), json::array({json::array({1})}), json(true)}) {
    json config = complete_large();
    config["eos_token_id"] = wrong;
    EXPECT_THAT(complaint([&] { read_config(config.dump()); }),
                AllOf(HasSubstr("'eos_token_id' is " + wrong.dump()),
                      HasSubstr("between 0 and 1048576, or a list")));
  }
}

TEST(LargeSpecs, EveryKeyThatIsWrittenIsRead) {
  const json complete = complete_large();
  for (const auto& [key, value] : complete.items()) {
    json changed = complete;
    changed[key] = json::object({{"strange", 1}});
    EXPECT_THAT(model_complaint(changed.dump()), HasSubstr("'" + key + "'"));
    EXPECT_THAT(complaint([&] { read_config(changed.dump()); }), HasSubstr("'" + key + "'"));
  }
}

TEST(LargeSpecs, OwnSpecificationsAreStrictAndForeignOnesAreNot) {
  const std::string text = R"({"model_type": "xlstm", "some_new_key": 1, "vocab_size": 9})";
  EXPECT_THAT(model_complaint(text),
              AllOf(HasSubstr("'some_new_key' is unknown"), HasSubstr("Known keys")));
  EXPECT_EQ(read_config(text).vocab_size, 9);
  EXPECT_EQ(model_complaint(R"({"model_type": "xlstm", "hidden_size": 16, "num_hidden_layers": 1,
      "vocab_size": 9, "mode": "train", "weight_mode": "fused", "chunk_size": 8})"),
            kFine);
}

TEST(LargeSpecs, DefaultsAreTheOfficialOnes) {
  const ModelSpec spec = read_config(R"({"model_type": "xlstm"})");
  EXPECT_EQ(spec.vocab_size, 50304);
  EXPECT_EQ(spec.embedding_dim, 4096);
  EXPECT_EQ(spec.num_blocks, 32);
  EXPECT_FALSE(spec.tie_weights);
  EXPECT_EQ(spec.large->num_heads, 8);
  EXPECT_EQ(large_key_width(spec), 2048);
  EXPECT_EQ(large_value_width(spec), 4096);
  EXPECT_EQ(large_feedforward_width(spec), 10944);
  // The published model's size.
  EXPECT_NEAR(parameter_count(spec), 6.865e9, 0.001e9);
  check_sizes(spec);
  EXPECT_THAT(complaint([&] { validate(spec); }), HasSubstr("GB to train"));
}

TEST(LargeSpecs, EitherSpellingOfASizeWillDoWhenBothAgree) {
  const ModelSpec spec = model_spec_from_json(
      R"({"model_type": "xlstm", "hidden_size": 24, "embedding_dim": 24, "num_hidden_layers": 3})");
  EXPECT_EQ(spec.embedding_dim, 24);
  EXPECT_EQ(spec.num_blocks, 3);
  EXPECT_THAT(model_complaint(R"({"model_type": "xlstm", "hidden_size": 24, "embedding_dim": 32})"),
              AllOf(HasSubstr("'hidden_size'"), HasSubstr("'embedding_dim'"), HasSubstr("24"),
                    HasSubstr("32")));
}

TEST(LargeSpecs, NoCapIsWrittenAsNull) {
  const ModelSpec spec = model_spec_from_json(
      R"({"model_type": "xlstm", "gate_soft_cap": null, "output_logit_soft_cap": 0})");
  EXPECT_EQ(spec.large->variant.gate_soft_cap, 0.0);
  EXPECT_EQ(spec.large->output_logit_soft_cap, 0.0);
  EXPECT_TRUE(json::parse(to_config_json(spec, "float32")).at("gate_soft_cap").is_null());
}

TEST(LargeSpecs, OtherModelsAreRefused) {
  for (const char* text : {R"({"model_type": "llama"})", R"({"model_type": 7})"})
    EXPECT_THAT(complaint([&] { read_config(text); }), HasSubstr("'model_type'"));
  for (const char* change :
       {R"({"num_heads": 3})", R"({"qk_dim_factor": 0.01})", R"({"v_dim_factor": 0.4})"}) {
    json changed = complete_large();
    changed.update(json::parse(change));
    EXPECT_THAT(model_complaint(changed.dump()), HasSubstr("cannot be shared")) << change;
  }
}

TEST(LargeSpecs, WhatIsWrittenForOthersComesBack) {
  for (const auto& [name, spec] : small_models()) {
    const std::string config = to_config_json(spec, "float32");
    EXPECT_EQ(to_json(read_config(config)), to_json(spec)) << name;
  }
}

TEST(Spec, BatchesThatFitIntoNoMemoryAreRefused) {
  EXPECT_THAT(train_complaint(R"({"batch_size": 65536, "sequence_length": 1048576})"),
              HasSubstr("too large"));
  ModelSpec wide = small_mixed();
  wide.embedding_dim = 1024;
  const TrainSpec large = {.batch_size = 4096, .sequence_length = 1024};
  EXPECT_NO_THROW(validate(large));
  EXPECT_NO_THROW(validate(wide));
  EXPECT_THAT(complaint([&] { validate(wide, large); }),
              AllOf(HasSubstr("GB"), HasSubstr("4096 sequences of 1024 tokens")));
  EXPECT_NO_THROW(validate(small_mixed(), TrainSpec{}));
}

TEST(Spec, WidthsAreRoundedAsAsked) {
  EXPECT_EQ(rounded_width(2.0, 48, true, 64), 128);
  EXPECT_EQ(rounded_width(2.0, 48, false, 64), 64);
  EXPECT_EQ(rounded_width(1.3, 64, true, 64), 128);
  EXPECT_EQ(rounded_width(2.0, 64, true, 64), 128);
  EXPECT_EQ(rounded_width(0.1, 8, false, 64), 0);
}

TEST(Spec, TheLearningRateWarmsUpThenDecays) {
  TrainSpec spec;
  spec.learning_rate = 1.0;
  spec.min_learning_rate = 0.1;
  spec.warmup_steps = 4;
  spec.decay_until_step = 24;
  EXPECT_EQ(learning_rate_at(spec, 0), 0.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(spec, 1), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate_at(spec, 4), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(spec, 14), 0.55);
  EXPECT_DOUBLE_EQ(learning_rate_at(spec, 24), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(spec, 1'000'000'000'000), 0.1);
  for (std::int64_t step = 4; step < 24; ++step)
    EXPECT_GT(learning_rate_at(spec, step), learning_rate_at(spec, step + 1));
  // Warm-up that outlasts the decay, and neither of them.
  spec.decay_until_step = 2;
  EXPECT_DOUBLE_EQ(learning_rate_at(spec, 3), 0.75);
  EXPECT_DOUBLE_EQ(learning_rate_at(spec, 4), 0.1);
  spec.warmup_steps = spec.decay_until_step = 0;
  EXPECT_DOUBLE_EQ(learning_rate_at(spec, 0), 0.1);
}

// ---- other equations ----------------------------------------------------------------------------

/// Every choice away from what is usual.
CellVariant other_variant() {
  return {.forget_gate = ForgetGate::exponential,
          .stabilizer = false,
          .input_gate = InputGate::sigmoid,
          .normalizer = false,
          .denominator_floor = DenominatorFloor::one,
          .scale = Scaled::queries,
          .eps = 1e-4,
          .gate_soft_cap = 9.0,
          .number_format = NumberFormat::bf16};
}

TEST(SpecVariants, SurviveTheirJson) {
  ModelSpec spec = small_mixed();
  spec.mlstm->variant = other_variant();
  // The sLSTM has no other input gate, normalizer, floor, scale and eps.
  spec.slstm->variant = {.forget_gate = ForgetGate::exponential,
                         .stabilizer = false,
                         .gate_soft_cap = 3.0,
                         .number_format = NumberFormat::fp16};
  const ModelSpec read = model_spec_from_json(to_json(spec));
  EXPECT_TRUE(read.mlstm->variant == spec.mlstm->variant);
  EXPECT_TRUE(read.slstm->variant == spec.slstm->variant);

  for (auto& [name, large] : small_models()) {
    if (!large.large) continue;
    large.large->variant = other_variant();
    large.large->variant.scale = Scaled::keys;
    EXPECT_TRUE(model_spec_from_json(to_json(large)).large->variant == large.large->variant);
    EXPECT_TRUE(read_config(to_config_json(large, "float32")).large->variant ==
                large.large->variant);
  }
}

TEST(SpecVariants, TheUsualOnesLeaveNoTrace) {
  const std::string text = to_json(small_mixed());
  for (const char* key :
       {"forget_gate", "input_gate", "normalizer", "stabilizer", "denominator_floor",
        "number_format", "\"eps\"", "\"scale\"", "gate_soft_cap"})
    EXPECT_EQ(text.find(key), std::string::npos) << key;
}

TEST(SpecVariants, AreKeysOfOurOwnExceptWhereTheOfficialProgramsHaveThem) {
  ModelSpec spec = small_mixed();
  EXPECT_THAT(keys_of_our_own(spec), testing::IsEmpty());
  spec.slstm->variant.stabilizer = false;
  spec.mlstm->variant.eps = 1e-4;
  EXPECT_THAT(keys_of_our_own(spec), testing::UnorderedElementsAre("eps", "stabilizer"));
  ModelSpec large = small_large();
  large.large->variant.eps = 1e-4;
  large.large->variant.gate_soft_cap = 3.0;
  EXPECT_THAT(keys_of_our_own(large), testing::IsEmpty());
  large.large->variant.stabilizer = false;
  EXPECT_THAT(keys_of_our_own(large), testing::ElementsAre("stabilizer"));
}

TEST(SpecVariants, AskForTheMemoryThatTheirArithmeticKeeps) {
  // A head of 2048 x 2048, for 20,000 steps: far more than there is, but in a number format only.
  ModelSpec spec = small_mixed();
  spec.embedding_dim = 1024;
  spec.mlstm = MlstmSpec{.num_heads = 1};
  spec.slstm_at.clear();
  spec.num_blocks = 1;
  const TrainSpec train{.batch_size = 1, .sequence_length = 20'000};
  EXPECT_NO_THROW(validate(spec, train));
  spec.mlstm->variant.number_format = NumberFormat::bf16;
  EXPECT_THROW(validate(spec, train), Error);
}

TEST(SpecVariants, RefuseWhatDoesNotExist) {
  const auto refusal = [](const std::string& block, const std::string& keys) -> std::string {
    try {
      model_spec_from_json("{\"vocab_size\": 5, \"" + block + "_block\": {\"" + block + "\": {" +
                           keys + "}}}");
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_NE(refusal("mlstm", R"("forget_gate": "relu")").find("forget_gate"), std::string::npos);
  EXPECT_NE(refusal("mlstm", R"("input_gate": "relu")").find("input_gate"), std::string::npos);
  EXPECT_NE(refusal("mlstm", R"("normalizer": 1)").find("true or false"), std::string::npos);
  EXPECT_NE(refusal("slstm", R"("input_gate": "sigmoid")").find("unknown"), std::string::npos);
  EXPECT_NE(refusal("mlstm", R"("stabilizer": "no")").find("true or false"), std::string::npos);
  EXPECT_NE(refusal("mlstm", R"("number_format": "fp8")").find("fp16"), std::string::npos);
  EXPECT_NE(refusal("mlstm", R"("scale": "both")").find("queries"), std::string::npos);
  EXPECT_NE(refusal("mlstm", R"("eps": -1)").find("eps"), std::string::npos);
  EXPECT_NE(refusal("slstm", R"("eps": 1e-6)").find("unknown"), std::string::npos);
  EXPECT_NE(refusal("slstm", R"("denominator_floor": "one")").find("unknown"), std::string::npos);
  EXPECT_EQ(refusal("slstm", R"("forget_gate": "exponential", "stabilizer": false)"), "");
}

}  // namespace
}  // namespace xlab::tests
