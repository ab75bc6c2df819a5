// What may stand in a configuration beside what is read from it: nothing in it changes the numbers
// without a word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/spec.hpp"
#include "kernels/check.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

/// What is said of a configuration: the sentence that refuses it, or what of it is not used.
struct Said {
  std::string refusal;
  std::vector<std::string> not_used;
};

Said of_folder(const json& config) {
  Said said;
  ReadKeys keys;
  try {
    model_spec_from_config(config.dump(), keys);
  } catch (const Error& e) {
    said.refusal = e.what();
  }
  for (const ReadKey& key : keys)
    if (key.use == KeyUse::not_used) said.not_used.push_back(text_of(key));
  return said;
}

/// What became of every key, by its name; each is told once.
std::map<std::string, std::string> uses_in(const json& config) {
  ReadKeys keys;
  model_spec_from_config(config.dump(), keys);
  std::map<std::string, std::string> uses;
  for (const ReadKey& key : keys) {
    EXPECT_FALSE(uses.contains(key.key)) << key.key << " is told twice";
    uses[key.key] = std::string(name_of(key.use)) + " " + key.value;
  }
  return uses;
}

std::string of_own(const json& spec) {
  try {
    model_spec_from_json(spec.dump());
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

/// The published 7B, as its first config.json has it.
json published() {
  return {{"add_embedding_dropout", false},
          {"add_forward_backend_padding", false},
          {"add_out_norm", true},
          {"add_post_blocks_norm", true},
          {"add_post_norm", false},
          {"add_qk_norm", false},
          {"architectures", {"xLSTMForCausalLM"}},
          {"autocast_kernel_dtype", "bfloat16"},
          {"bos_token_id", 0},
          {"cell_norm_eps", 1e-06},
          {"chunk_size", 64},
          {"chunkwise_kernel", "chunkwise--triton_xl_chunk"},
          {"embedding_dim", 4096},
          {"eos_token_id", 2},
          {"eps", 1e-06},
          {"ffn_proj_factor", 2.667},
          {"ffn_round_up_to_multiple_of", 64},
          {"force_bos_token_insert", true},
          {"gate_soft_cap", 15.0},
          {"head_dim", 512},
          {"igate_bias_init_range", -10.0},
          {"inference_state_dtype", "float32"},
          {"mlstm_round_up_to_multiple_of", 64},
          {"mode", "inference"},
          {"model_type", "xlstm"},
          {"norm_eps", 1e-06},
          {"norm_reduction_force_float32", true},
          {"num_blocks", 32},
          {"num_heads", 8},
          {"output_logit_soft_cap", 30.0},
          {"pad_token_id", 1},
          {"qk_dim_factor", 0.5},
          {"return_last_states", true},
          {"sequence_kernel", "native_sequence__triton"},
          {"step_kernel", "triton"},
          {"tie_word_embeddings", false},
          {"torch_dtype", "float32"},
          {"transformers_version", "4.48.0.dev0"},
          {"use_bias", false},
          {"use_cache", true},
          {"v_dim_factor", 1.0},
          {"vocab_size", 50304},
          {"weight_mode", "single"}};
}

/// The same with the words of other versions: older kernels' names, newer keys of Hugging Face.
std::vector<json> published_otherwise() {
  json old = published(), recent = published(), fused = published();
  for (const char* key : {"chunkwise_kernel", "sequence_kernel", "step_kernel", "mode"})
    old.erase(key);
  old.update({{"forward_backend_name", "chunkwise--triton_limit_chunk"},
              {"step_backend_name", "triton_fused"},
              {"logits_soft_cap", 30.0}});
  recent.erase("torch_dtype");
  recent.update({{"dtype", "bfloat16"},
                 {"hidden_size", 4096},
                 {"num_hidden_layers", 32},
                 {"max_inference_chunksize", 16384},
                 {"name_or_path", "some/model"},
                 {"initializer_range", 0.02},
                 {"id2label", {{"0", "LABEL_0"}, {"1", "LABEL_1"}}},
                 {"output_attentions", false},
                 {"problem_type", nullptr},
                 {"quantization_config", nullptr}});
  fused.update({{"weight_mode", "fused"},
                {"mode", "train"},
                {"chunkwise_kernel", "parallel--native_stablef_custbw"},
                {"sequence_kernel", "native_sequence__native"},
                {"step_kernel", "native"}});
  return {published(), old, recent, fused};
}

json large_model() {
  return json::parse(to_config_json(small_large(), "float32"));
}

json paper_model() {
  return json::parse(to_config_json(small_mixed(), "float32"));
}

TEST(SpecKeys, ThePublishedModelsAreOpenedWithoutAWord) {
  for (const json& config : published_otherwise()) {
    const Said said = of_folder(config);
    EXPECT_EQ(said.refusal, "") << config;
    EXPECT_THAT(said.not_used, IsEmpty()) << config;
    EXPECT_EQ(of_own(config), "") << config;
  }
}

TEST(SpecKeys, WhatIsWrittenHereIsReadWithoutAWord) {
  for (const auto& [name, spec] : small_models()) {
    const json config = json::parse(to_config_json(spec, "bfloat16"));
    EXPECT_EQ(of_folder(config).refusal, "") << name;
    EXPECT_THAT(of_folder(config).not_used, IsEmpty()) << name;
    EXPECT_EQ(of_own(config), "") << name;
  }
}

TEST(SpecKeys, TheLstmHasTwoStatesAndItsOwnGates) {
  json config = json::parse(to_config_json(small_mixed(), "float32"));
  json& cell = config["slstm_block"]["slstm"];
  cell["function"] = "lstm";
  for (const json& states : {json(), json(2)}) {
    cell["num_states"] = states;
    EXPECT_EQ(of_folder(config).refusal, "");
    EXPECT_EQ(model_spec_from_json(config.dump()).slstm->memory, kernels::ScalarMemory::lstm);
  }
  cell["num_states"] = 4;
  EXPECT_THAT(of_folder(config).refusal, HasSubstr("the LSTM has 2 states"));
  cell["num_states"] = nullptr;
  for (const auto& [key, value] :
       {std::pair<const char*, json>{"forget_gate", "exponential"}, {"stabilizer", false}}) {
    json other = config;
    other["slstm_block"]["slstm"][key] = value;
    EXPECT_THAT(of_folder(other).refusal, HasSubstr("sigmoid gates and nothing to stabilise"))
        << key;
  }
}

TEST(SpecKeys, AKernelMaySayThatTheInputGateIsASigmoid) {
  const json usual = json::parse(to_config_json(small_large(), "float32"));
  for (const char* key : {"chunkwise_kernel", "forward_backend_name"}) {
    for (const char* kernel :
         {"chunkwise--triton_xl_chunk_siging", "parallel--native_siging_autograd",
          "parallel--native_siging_custbw"}) {
      SCOPED_TRACE(kernel);
      json config = usual;
      config.erase("chunkwise_kernel");
      config[key] = kernel;
      EXPECT_EQ(of_folder(config).refusal, "");
      EXPECT_THAT(of_folder(config).not_used, IsEmpty());
      const CellVariant read = model_spec_from_json(config.dump()).large->variant;
      EXPECT_EQ(read.input_gate, InputGate::sigmoid);
      EXPECT_TRUE(read.normalizer) << "the package's default";
      config["normalize_siging"] = false;
      EXPECT_FALSE(model_spec_from_json(config.dump()).large->variant.normalizer);
      config["normalizer"] = true;
      EXPECT_THAT(of_folder(config).refusal,
                  HasSubstr("'normalize_siging' is false, but 'normalizer' is true"));
      config["normalizer"] = false;
      EXPECT_EQ(of_folder(config).refusal, "");
      config.erase("normalizer");
      config["input_gate"] = "sigmoid";
      EXPECT_EQ(of_folder(config).refusal, "");
      config["input_gate"] = "exponential";
      EXPECT_THAT(of_folder(config).refusal, HasSubstr("another key says exponential"));
    }
  }
  // Where the gate is an exponential, the kernels take no notice of the other choice.
  json config = usual;
  config["normalize_siging"] = false;
  EXPECT_TRUE(model_spec_from_json(config.dump()).large->variant.normalizer);
  config["input_gate"] = "sigmoid";
  EXPECT_THAT(of_folder(config).refusal,
              AllOf(HasSubstr("'chunkwise_kernel'"), HasSubstr("another key says sigmoid")));
}

struct Word {
  const char* place;  ///< in the configuration
  std::vector<json> same, other;
  const char* sentence;  ///< a part of what is said of the others
};

const std::vector<json> kTypes = {"float32", "bfloat16", "float16", "torch.float32"};
const std::vector<json> kNoTypes = {"int8", "float8_e4m3fn", "fp4", 1};

/// Every word here changes what is computed, or says that something else would be.
const std::vector<Word>& large_words() {
  static const std::vector<Word> words = {
      {"/chunkwise_kernel",
       {"chunkwise--native_autograd", "chunkwise--native_custbw", "chunkwise--triton_limit_chunk",
        "chunkwise--triton_xl_chunk", "parallel--native_autograd", "parallel--native_custbw",
        "parallel--native_stablef_autograd", "parallel--native_stablef_custbw",
        "parallel--triton_limit_headdim"},
       {"chunkwise--another", "", 3, true, "chunkwise--triton_xl_chunk_siging2"},
       "not known here"},
      {"/chunkwise_kernel", {nullptr}, {json::array()}, "not known here"},
      {"/forward_backend_name",
       {"chunkwise--triton_xl_chunk"},
       {"chunkwise--triton_xl_chunk_siging"},
       "another key says exponential"},
      {"/forward_backend_name", {nullptr}, {"another"}, "not known here"},
      {"/sequence_kernel",
       {"native_sequence__native", "native_sequence__triton"},
       {"native_sequence__siging"},
       "not known here"},
      {"/step_kernel", {"native", "triton"}, {"native_siging"}, "not known here"},
      {"/step_backend_name", {"native", "triton_fused"}, {"another"}, "not known here"},
      {"/mode", {"train", "train_with_padding", "inference"}, {"quick"}, "no such mode"},
      {"/weight_mode", {"single", "fused"}, {"packed"}, "not stored so"},
      {"/torch_dtype", kTypes, kNoTypes, "not computed with here"},
      {"/dtype", kTypes, kNoTypes, "not computed with here"},
      {"/autocast_kernel_dtype", kTypes, kNoTypes, "not computed with here"},
      {"/inference_state_dtype", kTypes, kNoTypes, "not computed with here"},
      {"/add_qk_norm", {false, nullptr}, {true, "rms"}, "queries and keys would go through norms"},
      {"/add_post_norm", {false, nullptr}, {true}, "through a norm, which is not computed"},
      {"/add_post_blocks_norm", {true, nullptr}, {false}, "'add_out_norm' says true"},
      {"/cell_norm_eps", {1e-6, nullptr}, {1e-5, 0}, "'norm_eps' is 1e-06"},
      {"/logits_soft_cap", {nullptr}, {12.5}, "'output_logit_soft_cap' is"},
      {"/head_dim", {nullptr}, {1, 3, 512}, "the other sizes make values of"},
      {"/quantization_config", {nullptr}, {json{{"bits", 4}}, json::object()}, "not read here"},
      {"/quantization", {nullptr}, {json{{"group_size", 64}, {"bits", 4}}}, "not read here"},
      {"/compression_config", {nullptr}, {json{{"format", "pack"}}}, "not read here"},
      {"/hidden_act", {"silu", "swish"}, {"gelu", "relu"}, "have SiLU"},
      {"/norm_type", {"rmsnorm"}, {"layernorm"}, "RMS norms"},
      {"/cell_norm_type", {"layernorm"}, {"rmsnorm"}, "layer norm"},
      {"/slstm_at", {json::array()}, {json{1}, "all"}, "no sLSTM blocks"},
      {"/input_gate_activation", {"exp", "exponential"}, {"sigmoid"}, "is chosen by 'input_gate'"},
      {"/forget_gate_activation", {"sigmoid"}, {"exp", "tanh"}, "'forget_gate'"},
      {"/output_gate_activation", {"sigmoid"}, {"silu", "none"}, "is a sigmoid"}};
  return words;
}

const std::vector<Word>& paper_words() {
  static const std::vector<Word> words = {
      {"/slstm_block/slstm/function",
       {"slstm", nullptr},
       {"gru", "sLSTM", "LSTM", "", 4, true},
       "are \"slstm\" and \"lstm\""},
      {"/slstm_block/slstm/num_states", {4}, {2, 3}, "4 states"},
      {"/slstm_block/slstm/num_gates", {4}, {3}, "4 gates"},
      {"/slstm_block/slstm/initial_val", {0, 0.0}, {1.0, json{0.0, 1.0}}, "begin at 0"},
      {"/slstm_block/slstm/backend", {"vanilla", "cuda"}, {"triton"}, "not known here"},
      {"/slstm_block/slstm/input_shape", {"BSGNH", "SBGNH"}, {"BS"}, "no such layout"},
      {"/slstm_block/slstm/internal_input_shape", {"SBNGH", "SBNHG"}, {"BS"}, "no such layout"},
      {"/slstm_block/slstm/output_shape", {"BNSH", "SBH"}, {"HB"}, "no such layout"},
      {"/slstm_block/slstm/dtype", kTypes, kNoTypes, "not computed with here"},
      {"/slstm_block/slstm/dtype_b", kTypes, kNoTypes, "not computed with here"},
      {"/slstm_block/slstm/dtype_r", kTypes, kNoTypes, "not computed with here"},
      {"/slstm_block/slstm/dtype_w", kTypes, kNoTypes, "not computed with here"},
      {"/slstm_block/slstm/dtype_g", kTypes, kNoTypes, "not computed with here"},
      {"/slstm_block/slstm/dtype_s", kTypes, kNoTypes, "not computed with here"},
      {"/slstm_block/slstm/dtype_a", kTypes, kNoTypes, "not computed with here"},
      {"/slstm_block/slstm/bias_init",
       {"powerlaw_blockdependent", "small_init", "standard", "zeros"},
       {"ones"},
       "use one of"},
      {"/slstm_block/slstm/recurrent_weight_init", {"zeros", "standard"}, {"ones"}, "use one of"},
      {"/slstm_block/slstm/gradient_recurrent_cut", {false}, {true}, "not supported"},
      {"/slstm_block/slstm/gradient_recurrent_clipval", {nullptr}, {0.5}, "not supported"},
      {"/slstm_block/feedforward/act_fn",
       {"gelu", "relu", "relu^2", "sigmoid", "swish", "selu"},
       {"silu_", "mish"},
       "use one of"},
      {"/slstm_block/feedforward/ff_type", {"ffn_gated"}, {"ffn"}, "use one of"},
      {"/norm_type", {"layernorm"}, {"rmsnorm"}, "are layer norms"},
      {"/torch_dtype", kTypes, kNoTypes, "not computed with here"},
      {"/add_qk_norm", {false}, {true}, "queries and keys would go through norms"},
      {"/add_post_norm", {false}, {true}, "through a norm, which is not computed"},
      {"/quantization_config", {nullptr}, {json{{"bits", 4}}}, "not read here"}};
  return words;
}

void check_words(const json& model, const std::vector<Word>& words) {
  ASSERT_EQ(of_folder(model).refusal, "");
  for (const Word& word : words) {
    const json::json_pointer place(word.place);
    const std::string key = "'" + place.back() + "'";
    for (const json& value : word.same) {
      json changed = model;
      changed[place] = value;
      const Said said = of_folder(changed);
      EXPECT_EQ(said.refusal, "") << word.place << " " << value;
      EXPECT_THAT(said.not_used, IsEmpty()) << word.place << " " << value;
      EXPECT_EQ(of_own(changed), "") << word.place << " " << value;
    }
    for (const json& value : word.other) {
      json changed = model;
      changed[place] = value;
      for (const std::string& refusal : {of_folder(changed).refusal, of_own(changed)})
        EXPECT_THAT(refusal, AllOf(HasSubstr(key), HasSubstr(word.sentence)))
            << word.place << " " << value;
    }
  }
}

TEST(SpecKeys, WordsOfTheLargeFamilyAreComputedOrRefused) {
  check_words(large_model(), large_words());
}

TEST(SpecKeys, WordsOfThePaperAreComputedOrRefused) {
  check_words(paper_model(), paper_words());
}

TEST(SpecKeys, TheWidthOfAHeadIsThatOfItsValues) {
  json config = published();
  EXPECT_EQ(of_folder(config).refusal, "");
  // That of its keys, and that of a model with half the heads.
  for (const int width : {256, 1024}) {
    config["head_dim"] = width;
    EXPECT_THAT(of_folder(config).refusal,
                AllOf(HasSubstr("'head_dim' is"), HasSubstr("8 heads of 512")));
  }
}

TEST(SpecKeys, WhatIsUnknownIsNamedOnceWithItsValue) {
  for (json config : {large_model(), paper_model()}) {
    config.update({{"use_magic", true},
                   {"rope_theta", 10000.0},
                   {"extra", {{"a", 1}}},
                   {"word", "x"},
                   {"zero", 0},
                   // These ask for nothing.
                   {"off", false},
                   {"none", nullptr},
                   {"empty", ""},
                   {"no_list", json::array()},
                   {"no_object", json::object()},
                   {"_private", 1}});
    const Said said = of_folder(config);
    EXPECT_EQ(said.refusal, "");
    EXPECT_THAT(said.not_used, ElementsAre("extra = {\"a\":1}", "rope_theta = 10000.0",
                                           "use_magic = true", "word = \"x\"", "zero = 0"));
    EXPECT_THAT(of_own(config), HasSubstr("is unknown. Known keys:"));
  }
}

TEST(SpecKeys, WhatOnlyTrainingWouldDoIsNamedNotRefused) {
  json paper = paper_model(), large = large_model();
  paper["slstm_block"]["feedforward"]["dropout"] = 0.1;
  paper["slstm_block"]["slstm"]["forward_clipval"] = 2.0;
  paper["slstm_block"]["slstm"]["constants"] = {{"A", 1}};
  EXPECT_EQ(of_folder(paper).refusal, "");
  EXPECT_THAT(of_folder(paper).not_used, ElementsAre("slstm_block.slstm.forward_clipval = 2.0",
                                                     "slstm_block.slstm.constants = {\"A\":1}",
                                                     "slstm_block.feedforward.dropout = 0.1"));
  EXPECT_THAT(of_own(paper), HasSubstr("nothing here would follow it"));
  large["dropout"] = 0.1;
  EXPECT_THAT(of_folder(large).not_used, ElementsAre("dropout = 0.1"));
  EXPECT_THAT(of_own(large), HasSubstr("'dropout' is 0.1"));
}

TEST(SpecKeys, WhatBecameOfEveryKeyIsTold) {
  json config = {{"num_blocks", 2},
                 {"embedding_dim", 8},
                 {"vocab_size", 7},
                 {"slstm_at", {1}},
                 {"mlstm_block", {{"mlstm", {{"num_heads", 2}, {"bias", true}}}}},
                 {"slstm_block", {{"slstm", {{"num_heads", 2}, {"backend", "cuda"}}}}},
                 {"transformers_version", "4.5"},
                 {"torch_dtype", "float32"},
                 {"add_qk_norm", false},
                 {"_private", 5},
                 {"gone", nullptr},
                 {"magic", 3}};
  auto uses = uses_in(config);
  EXPECT_EQ(uses["num_blocks"], "followed 2");
  EXPECT_EQ(uses["slstm_at"], "followed [1]");
  EXPECT_EQ(uses["mlstm_block.mlstm.num_heads"], "followed 2");
  EXPECT_EQ(uses["slstm_block.slstm.backend"], "followed \"cuda\"");
  EXPECT_EQ(uses["add_qk_norm"], "followed false");
  EXPECT_EQ(uses["mlstm_block.mlstm.bias"], "ignored true") << "the model's own counts";
  for (const char* key : {"transformers_version", "torch_dtype", "_private", "gone"})
    EXPECT_THAT(uses[key], StartsWith("ignored")) << key;
  EXPECT_EQ(uses["magic"], "not used 3");
  // What usually stands there, of the whole, of a cell, and of a part that is missing altogether.
  EXPECT_EQ(uses["tie_weights"], "assumed false");
  EXPECT_EQ(uses["mlstm_block.mlstm.conv1d_kernel_size"], "assumed 4");
  EXPECT_EQ(uses["slstm_block.feedforward.act_fn"], "assumed \"gelu\"");
  // What only this program writes is not missed, and objects are told by their members.
  for (const char* key : {"mlstm_block", "slstm_block.slstm", "mlstm_block.mlstm.forget_gate",
                          "mlstm_block.mlstm.gate_soft_cap", "slstm_block.slstm.number_format"})
    EXPECT_FALSE(uses.contains(key)) << key;
  config["slstm_block"]["slstm"]["num_heads"] = nullptr;
  EXPECT_EQ(uses_in(config)["slstm_block.slstm.num_heads"], "assumed 4");
  config["mlstm_block"] = json::object();
  uses = uses_in(config);
  EXPECT_EQ(uses["mlstm_block.mlstm.num_heads"], "assumed 4");

  auto large = uses_in({{"model_type", "xlstm"}, {"num_hidden_layers", 3}});
  EXPECT_EQ(large["num_hidden_layers"], "followed 3");
  EXPECT_FALSE(large.contains("num_blocks")) << "the same under another name";
  EXPECT_EQ(large["embedding_dim"], "assumed 4096");
  EXPECT_EQ(large["gate_soft_cap"], "assumed 15.0");
  EXPECT_EQ(large["eos_token_id"], "assumed 2");
  large = uses_in({{"model_type", "xlstm"}, {"gate_soft_cap", nullptr}, {"eos_token_id", {0, 2}}});
  EXPECT_EQ(large["gate_soft_cap"], "followed null") << "which says that there is none";
  EXPECT_EQ(large["eos_token_id"], "followed [0,2]");
}

TEST(SpecKeys, ReferencesToOtherFilesAreRefusedWhereTheyMatterAndNamedWhereTheyDoNot) {
  const std::string elsewhere = "${dataset.kwargs.max_sequence_length}";
  const std::vector<std::pair<const char*, const char*>> meaningful = {
      {"/context_length", "'context_length'"},
      {"/tie_weights", "'tie_weights'"},
      {"/mlstm_block/mlstm/num_heads", "mlstm_block.mlstm: 'num_heads'"},
      {"/slstm_block/feedforward/act_fn", "slstm_block.feedforward: 'act_fn'"}};
  for (const auto& [place, said] : meaningful) {
    json config = paper_model();
    config[json::json_pointer(place)] = elsewhere;
    for (const std::string& refusal : {of_folder(config).refusal, of_own(config)})
      EXPECT_THAT(refusal,
                  AllOf(HasSubstr(said), HasSubstr("${dataset.kwargs.max_sequence_length}"),
                        HasSubstr("write what it stands for")))
          << place;
  }
  json config = paper_model();
  config["mlstm_block"]["mlstm"]["context_length"] = elsewhere;
  config["name_or_path"] = "${name}";
  config["lr"] = "${training.lr}";
  const Said said = of_folder(config);
  EXPECT_EQ(said.refusal, "");
  EXPECT_THAT(said.not_used, testing::UnorderedElementsAre(
                                 "mlstm_block.mlstm.context_length = \"" + elsewhere + "\"",
                                 "name_or_path = \"${name}\"", "lr = \"${training.lr}\""));
  config = paper_model();
  config["name_or_path"] = "a $ and {braces}";
  EXPECT_THAT(of_folder(config).not_used, IsEmpty());
}

TEST(SpecKeys, LongValuesAndNamesAreCut) {
  json config = large_model();
  config["unknown\x1b[31m"] = std::string(5000, 'x');
  const Said said = of_folder(config);
  ASSERT_EQ(said.not_used.size(), 1u);
  EXPECT_LT(said.not_used.front().size(), 200u);
  EXPECT_EQ(said.not_used.front().find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace xlab::tests
