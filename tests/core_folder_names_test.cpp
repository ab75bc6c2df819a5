// Folders as people have them: wrapped, compiled, renamed and half converted. Twins of a sound
// folder give the same bits, and what cannot be read says what it is and what to do.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files/folder_run.hpp"
#include "core/generation/generation.hpp"
#include "core/generation/stepper.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using Tensors = std::map<std::string, Tensor>;

class FolderNames : public testing::Test {
 protected:
  void make(const ModelSpec& spec) {
    fs::remove_all(folder());
    const Model model = filled_model(spec, DType::f32);
    write_model_folder(model, folder());
    logits_ = logits();
  }
  fs::path folder() const { return temporary_ / "model"; }
  fs::path file(const std::string& name) const { return folder() / name; }
  std::vector<float> logits() const {
    const std::vector<int> tokens = {3, 1, 4, 2, 5};
    return Stepper(*ModelFolder(folder()).read(FolderUse::train)).feed(tokens);
  }
  std::string remark() const { return ModelFolder(folder()).remark(); }
  std::string complaint() const {
    try {
      (void)ModelFolder(folder());
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing to complain about";
  }
  Tensors tensors(const std::string& name = "model.safetensors") const {
    Tensors all;
    const SafetensorsFile stored = read_safetensors(file(name));
    for (const StoredTensor& tensor : stored.tensors())
      all[tensor.name] = stored.tensor(tensor.name, DType::f32);
    return all;
  }
  void write(const Tensors& all, const std::string& name = "model.safetensors") const {
    std::vector<StoredTensor> list;
    for (const auto& [key, tensor] : all) list.push_back(stored(key, tensor));
    write_safetensors(file(name), std::move(list), {{"format", "pt"}});
  }
  void rename_all(const std::function<std::string(const std::string&)>& named) const {
    Tensors renamed;
    for (const auto& [name, tensor] : tensors()) renamed[named(name)] = tensor;
    write(renamed);
  }
  json config() const { return json::parse(bytes_of_file(file("config.json"))); }
  void write_config(const json& config) const { put_file(file("config.json"), config.dump()); }
  void expect_twin() const { EXPECT_EQ(logits(), logits_); }

  TemporaryFolder temporary_;
  std::vector<float> logits_;
};

TEST_F(FolderNames, WrappersLeaveTheirNamesAndNoBitChanges) {
  for (const ModelSpec& spec : {small_mixed(), small_large()}) {
    for (const std::string prefix :
         {"model.", "module.", "_orig_mod.", "_orig_mod.module.", "lit.model.net."}) {
      SCOPED_TRACE(prefix);
      make(spec);
      rename_all([&](const std::string& name) { return prefix + name; });
      expect_twin();
      const std::string left = prefix.substr(prefix.rfind('.', prefix.size() - 2) + 1);
      EXPECT_THAT(remark(), HasSubstr(left));
    }
    make(spec);
    EXPECT_EQ(remark(), "");
    // Blocks that were compiled one by one, inside a module.
    rename_all([&](std::string name) {
      const auto at = name.find("blocks.0.");
      if (at != name.npos) name.insert(at + 9, "_orig_mod.");
      return "model." + name;
    });
    expect_twin();
    EXPECT_THAT(remark(), AllOf(HasSubstr("'_orig_mod.' was left out"),
                                HasSubstr("'model.', with which all names")));
  }
}

TEST_F(FolderNames, TensorsOfSeveralSeriesAreLeftOutOfForecastingModelsOnly) {
  make(small_mixed());
  Tensors all = tensors();
  all["stack.0.variate_mixer.attn.WQ.weight"] = all.begin()->second;
  write(all);
  EXPECT_THAT(complaint(), HasSubstr("'stack.0.variate_mixer.attn.WQ.weight' is unknown"));
}

TEST_F(FolderNames, APrefixThatOnlySomeNamesHaveIsNotDropped) {
  make(small_mixed());
  int number = 0;
  rename_all([&](const std::string& name) { return number++ == 3 ? name : "model." + name; });
  EXPECT_THAT(complaint(), AllOf(HasSubstr("does not fit the model"), HasSubstr("is missing")));
  // One name for two tensors is one too many.
  make(small_mixed());
  Tensors all = tensors();
  all["_orig_mod." + all.begin()->first] = all.begin()->second;
  write(all);
  EXPECT_THAT(complaint(), HasSubstr("twice, once as '_orig_mod."));
}

TEST_F(FolderNames, ThePapersConfigurationIsFoundInsideAnother) {
  make(small_mixed());
  const json own = config();
  json inner = own;
  inner.erase("tie_weights");
  inner["_block_map"] = "0,1";
  const json outer = {
      {"model_type", "xlstm"},           {"architectures", {"SomeForCausalLM"}},
      {"_xlstm_config", inner},          {"tie_word_embeddings", own["tie_weights"]},
      {"vocab_size", own["vocab_size"]}, {"hidden_size", own["embedding_dim"]},
      {"torch_dtype", "float32"}};
  write_config(outer);
  rename_all([](const std::string& name) { return "model." + name; });
  expect_twin();
  EXPECT_THAT(remark(), Not(HasSubstr("not used")));
  // Deeper, under another name, and with the vocabulary only outside.
  json moved = inner;
  moved.erase("vocab_size");
  json other = outer;
  other.erase("_xlstm_config");
  other["model"] = {{"core", moved}};
  other["an_odd_key"] = 3;
  write_config(other);
  expect_twin();
  EXPECT_THAT(remark(), HasSubstr("an_odd_key = 3"));
  // What stands beside it on the way there is told and followed alike.
  other["model"]["dropout_schedule"] = "cosine";
  other["model"]["vocab_size"] = own["vocab_size"];
  other.erase("vocab_size");
  write_config(other);
  expect_twin();
  EXPECT_THAT(remark(), HasSubstr("model.dropout_schedule = \"cosine\""));
  other["model"]["vocab_size"] = own["vocab_size"].get<int>() + 1;
  other["vocab_size"] = own["vocab_size"];
  write_config(other);
  EXPECT_THAT(complaint(), AllOf(HasSubstr("contradicts itself"), HasSubstr("'model.vocab_size'")));
  other["model"].erase("vocab_size");
  other["model"]["quantization"] = "awq";
  write_config(other);
  EXPECT_THAT(complaint(), HasSubstr("weights that are stored like that are not read here"));
  other["model"].erase("quantization");
  other["vocab_size"] = own["vocab_size"].get<int>() + 1;
  other["model"]["core"] = inner;
  write_config(other);
  EXPECT_THAT(complaint(),
              AllOf(HasSubstr("contradicts itself"), HasSubstr("model.core.vocab_size")));
  other["vocab_size"] = own["vocab_size"];
  other["second"] = inner;
  write_config(other);
  EXPECT_THAT(complaint(), HasSubstr("several models, in 'model.core' and in 'second'"));
  // Written flat, under the type of the other family.
  json flat = own;
  flat["model_type"] = "xlstm";
  write_config(flat);
  expect_twin();
  EXPECT_THAT(remark(), Not(HasSubstr("model_type")));
  // Any other type says nothing that is followed, wherever it stands.
  flat["model_type"] = "llama";
  write_config(flat);
  expect_twin();
  EXPECT_THAT(remark(), HasSubstr("model_type = \"llama\""));
  json typed = outer;
  typed["model_type"] = "llama";
  typed["_xlstm_config"]["model_type"] = "mamba";
  write_config(typed);
  rename_all([](const std::string& name) { return name; });
  expect_twin();
  EXPECT_THAT(remark(), AllOf(HasSubstr("model_type = \"llama\""),
                              HasSubstr("_xlstm_config.model_type = \"mamba\"")));
}

TEST_F(FolderNames, WhereNothingIsSaidOfTyingTheTensorsKnow) {
  for (const bool tied : {true, false}) {
    SCOPED_TRACE(tied);
    ModelSpec spec = small_mixed();
    spec.tie_weights = tied;
    make(spec);
    json inner = config();
    inner.erase("tie_weights");
    write_config({{"model_type", "xlstm"}, {"xlstm_config", inner}});
    EXPECT_EQ(tensors().contains("lm_head.weight"), !tied);
    expect_twin();
    EXPECT_EQ(ModelFolder(folder()).spec().tie_weights, tied);
  }
}

TEST_F(FolderNames, FlashRnnsLayoutOfTheRecurrentWeightsIsAnotherViewOfThem) {
  const ModelSpec spec = small_mixed();
  for (const bool alias : {false, true}) {
    SCOPED_TRACE(alias);
    make(spec);
    Tensors changed;
    int kernels = 0;
    for (const auto& [name, tensor] : tensors()) {
      std::string now = name;
      Tensor turned = tensor;
      if (name.ends_with("_recurrent_kernel_")) {
        ++kernels;
        // The folder has (heads, in, 4 * out) or (heads, 4 * out, in): to (heads, in, 4, out).
        const bool theirs = tensor.extent(1) < tensor.extent(2);
        const std::int64_t heads = tensor.extent(0);
        const std::int64_t width = theirs ? tensor.extent(1) : tensor.extent(2);
        turned = Tensor::empty({heads, width, 4, width}, DType::f32);
        for (std::int64_t h = 0; h < heads; ++h)
          for (std::int64_t i = 0; i < width; ++i)
            for (std::int64_t o = 0; o < 4 * width; ++o)
              turned.data<float>()[(h * width + i) * 4 * width + o] =
                  theirs ? tensor.data<float>()[(h * width + i) * 4 * width + o]
                         : tensor.data<float>()[(h * 4 * width + o) * width + i];
        if (alias) now = name.substr(0, name.size() - 18) + "recurrent_kernel";
      } else if (name.ends_with("slstm_cell._bias_")) {
        const bool theirs = config()["slstm_block"]["slstm"].value("backend", "") == "cuda";
        const std::int64_t heads = spec.slstm->num_heads;
        const std::int64_t width = tensor.elements() / 4 / heads;
        turned = Tensor::empty({heads, 4, width}, DType::f32);
        for (std::int64_t h = 0; h < heads; ++h)
          for (std::int64_t g = 0; g < 4; ++g)
            for (std::int64_t u = 0; u < width; ++u)
              turned.data<float>()[(h * 4 + g) * width + u] =
                  tensor.data<float>()[theirs ? (h * 4 + g) * width + u
                                              : (g * heads + h) * width + u];
        if (alias) now = name.substr(0, name.size() - 6) + "bias";
      }
      changed[now] = turned;
    }
    ASSERT_GT(kernels, 0);
    write(changed);
    expect_twin();
    EXPECT_THAT(ModelFolder(folder()).was_read().names,
                testing::Contains(HasSubstr(fmt::format("turned around: {} tensor", kernels))))
        << "biases go with their kernels";
    // Under both names: once is enough, as long as both say the same.
    if (!alias) {
      Tensors both = changed;
      for (const auto& [name, tensor] : changed)
        if (name.ends_with("_recurrent_kernel_"))
          both[name.substr(0, name.size() - 18) + "recurrent_kernel"] = tensor;
      write(both);
      expect_twin();
      for (auto& [name, tensor] : both) {
        if (!name.ends_with(".recurrent_kernel")) continue;
        Tensor other = Tensor::empty(tensor.shape(), DType::f32);
        other.copy_from(tensor);
        other.data<float>()[1] += 1.0f;
        tensor = other;
      }
      write(both);
      EXPECT_THAT(complaint(), HasSubstr("recurrent_kernel' is unknown to this model"));
    }
  }
}

TEST_F(FolderNames, AFileOfAnotherNameIsTakenWhereThereIsOne) {
  make(small_large());
  fs::rename(file("model.safetensors"), file("my weights.safetensors"));
  expect_twin();
  EXPECT_THAT(remark(), HasSubstr("'my weights.safetensors'"));
  fs::copy_file(file("my weights.safetensors"), file("ema.safetensors"));
  EXPECT_THAT(complaint(), AllOf(HasSubstr("2 files of weights: 'ema.safetensors', 'my weights"),
                                 HasSubstr("Rename the one that is meant")));
}

TEST_F(FolderNames, AStrayFileBesideAnIndexHasToSayTheSame) {
  make(small_large());
  const Tensors all = tensors();
  const auto model = ModelFolder(folder()).read(FolderUse::train);
  fs::remove(file("model.safetensors"));
  write_model_folder(*model, folder(), {.shard_bytes = 2000});
  ASSERT_TRUE(fs::exists(file("model.safetensors.index.json")));
  write(all);
  expect_twin();
  EXPECT_THAT(remark(), HasSubstr("beside it holds the same numbers"));
  Tensors changed = all;
  Tensor& one = changed.rbegin()->second;
  Tensor other = Tensor::empty(one.shape(), DType::f32);
  other.copy_from(one);
  other.data<float>()[other.elements() - 1] += 1.0f;
  one = other;
  write(changed);
  EXPECT_THAT(complaint(), HasSubstr("has other numbers in each"));
  changed = all;
  changed.erase(changed.begin());
  write(changed);
  EXPECT_THAT(complaint(), HasSubstr("they name different tensors"));
}

TEST_F(FolderNames, ATextEndsWhereConfigurationAndTokenizerSaySo) {
  make(small_large());
  // Seven tokens: 4, 5 and 6 are special, 2 is an ordinary one.
  json tokenizer = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"normalizer", nullptr},
      {"post_processor", nullptr},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model",
       {{"type", "BPE"},
        {"vocab", {{"a", 0}, {"b", 1}, {"!", 2}, {"ab", 3}}},
        {"merges", {"a b"}}}}};
  for (const int special : {4, 5, 6})
    tokenizer["added_tokens"].push_back({{"id", special},
                                         {"content", fmt::format("<{}>", special)},
                                         {"special", true},
                                         {"normalized", false},
                                         {"single_word", false},
                                         {"lstrip", false},
                                         {"rstrip", false}});
  put_file(file("tokenizer.json"), tokenizer.dump());
  put_file(file("tokenizer_config.json"), R"({"eos_token": "<5>"})");
  const auto ends = [&] {
    const auto run = open_folder_run(folder());
    std::vector<int> all = writable_tokens(*run->task, run->model->spec()).ends;
    std::sort(all.begin(), all.end());
    return all;
  };
  json config = this->config();
  const auto say = [&](const json& value) {
    config["eos_token_id"] = value;
    write_config(config);
  };
  say(2);
  EXPECT_EQ(ends(), std::vector{5}) << "'!' is an ordinary token, whatever the configuration says";
  say({2, 4, 99});
  EXPECT_EQ(ends(), (std::vector{4, 5}));
  // What stands beside it for generation counts where the configuration says nothing.
  put_file(file("generation_config.json"), R"({"eos_token_id": [6, 5], "temperature": 0.7})");
  EXPECT_EQ(ends(), (std::vector{4, 5}));
  say(nullptr);
  EXPECT_EQ(ends(), (std::vector{5, 6}));
  config.erase("eos_token_id");
  write_config(config);
  EXPECT_EQ(ends(), (std::vector{5, 6}));
  expect_twin();
  put_file(file("generation_config.json"), R"({"eos_token_id": "six"})");
  EXPECT_THAT(remark(), HasSubstr("eos_token_id = \"six\" of generation_config.json"));
  put_file(file("generation_config.json"), R"({"eos_token_id": [4, -1]})");
  EXPECT_THAT(remark(), HasSubstr("eos_token_id = [4,-1] of generation_config.json"));
  put_file(file("generation_config.json"), "{");
  EXPECT_THAT(remark(), HasSubstr("generation_config.json, which cannot be read"));
  EXPECT_EQ(ends(), std::vector{5});
  expect_twin();
}

TEST_F(FolderNames, NoNameOfAFileGetsIntoTheLinesThatPeopleCopy) {
  make(small_large());
  fs::remove(file("model.safetensors"));
  put_file(file("x\"); import os; (\".pt"), "PK");
  EXPECT_THAT(complaint(), AllOf(HasSubstr("torch.load(\"NAME OF THE FILE\""),
                                 Not(HasSubstr("torch.load(\"x"))));
}

TEST_F(FolderNames, APyTorchFileIsNamedWithItsConversion) {
  for (const char* name : {"pytorch_model.bin", "model.ckpt", "weights.pt", "last.pth"}) {
    SCOPED_TRACE(name);
    make(small_large());
    fs::remove(file("model.safetensors"));
    put_file(file(name), "PK\x03\x04");
    EXPECT_THAT(complaint(), AllOf(HasSubstr(std::string("'") + name + "' is a PyTorch file"),
                                   HasSubstr("can run code"), HasSubstr("weights_only=True"),
                                   HasSubstr("save_file(")));
  }
}

TEST_F(FolderNames, AForecastingModelOfAnotherLayoutIsToldByName) {
  make(small_large());
  const json config = {{"num_blocks", 12},        {"input_patch_size", 32},
                       {"output_patch_size", 32}, {"quantiles", {0.1, 0.5, 0.9}},
                       {"input_ff_dim", 2048},    {"backbone", {{"embedding_dim", 512}}}};
  put_file(file("config.json"), config.dump());
  EXPECT_THAT(complaint(),
              AllOf(HasSubstr("config.json"), HasSubstr("forecasting model like TiRex"),
                    HasSubstr("the layouts of TiRex-2, which has")));
}

}  // namespace
}  // namespace xlab::tests
