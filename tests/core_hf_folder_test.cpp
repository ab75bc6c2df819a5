// Model folders: what is written comes back, other programs' forms are understood, and a folder
// that is wrong is refused with a sentence.
#include "core/files/hf_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "core/engine/engine.hpp"
#include "core/files/folder_run.hpp"
#include "core/generation/stepper.hpp"
#include "tests/complaint.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

json read_json(const fs::path& path) {
  return json::parse(bytes_of_file(path));
}

std::vector<float> logits_of(const Model& model, const std::vector<int>& tokens) {
  return Stepper(model).feed(tokens);
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0.0;
  for (std::size_t j = 0; j < a.size(); ++j)
    worst = std::max(worst, std::abs(static_cast<double>(a[j]) - b[j]));
  return worst;
}

/// A folder with the small model of the large family, and ways to spoil it.
class ModelFolders : public testing::Test {
 protected:
  ModelFolders() : model_(filled_model(small_large(), DType::f32)) {
    write_model_folder(model_, folder());
  }
  fs::path folder() const { return temporary_ / "model"; }
  fs::path file(const std::string& name) const { return folder() / name; }

  /// Takes every tensor of the file, changes the list and writes it again.
  void rewrite(const std::function<void(std::map<std::string, Tensor>&)>& change,
               const std::string& name = "model.safetensors") const {
    std::map<std::string, Tensor> tensors;
    {
      const SafetensorsFile all = read_safetensors(file("model.safetensors"));
      for (const StoredTensor& tensor : all.tensors())
        tensors[tensor.name] = all.tensor(tensor.name, DType::f32);
    }
    change(tensors);
    std::vector<StoredTensor> list;
    for (const auto& [key, tensor] : tensors) list.push_back(stored(key, tensor));
    write_safetensors(file(name), std::move(list), {{"format", "pt"}});
  }
  void change_config(const std::string& key, const json& value) const {
    json config = read_json(file("config.json"));
    config[key] = value;
    put_file(file("config.json"), config.dump());
  }
  std::string answer() const {
    return complaint([&] { ModelFolder(folder()).read(FolderUse::train); });
  }

  TemporaryFolder temporary_;
  Model model_;
};

Tensor below(const std::vector<Tensor>& parts) {
  std::int64_t rows = 0;
  for (const Tensor& part : parts) rows += part.extent(0);
  const Tensor out = parts.front().rank() == 1
                         ? Tensor::empty({rows}, DType::f32)
                         : Tensor::empty({rows, parts.front().extent(1)}, DType::f32);
  std::int64_t at = 0;
  for (const Tensor& part : parts) {
    out.slice(at, at + part.extent(0)).copy_from(part);
    at += part.extent(0);
  }
  return out;
}

// ---- there and back -----------------------------------------------------------------------------

TEST(ModelFolder, WhatIsWrittenComesBack) {
  for (const auto& [name, spec] : small_models()) {
    SCOPED_TRACE(name);
    const TemporaryFolder temporary;
    const Model model = filled_model(spec, DType::f32);
    for (const std::uint64_t shard_bytes : {kShardBytes, std::uint64_t{2000}}) {
      write_model_folder(model, temporary.path(), {.shard_bytes = shard_bytes});
      const ModelFolder folder(temporary.path());
      EXPECT_EQ(folder.tensors().files().size() > 1, shard_bytes != kShardBytes);
      EXPECT_EQ(folder.main_type(), StoredType::f32);
      EXPECT_TRUE(folder.trainable());
      EXPECT_EQ(to_json(folder.spec()), to_json(spec));
      EXPECT_EQ(folder.read(FolderUse::train)->params().signature(), model.params().signature());
      EXPECT_EQ(folder.read(FolderUse::read)->params().signature(), model.params().signature());
    }
  }
}

TEST_F(ModelFolders, FilesAreWhatOtherProgramsExpect) {
  const json config = read_json(file("config.json"));
  EXPECT_EQ(config.at("architectures"), json::array({"xLSTMForCausalLM"}));
  EXPECT_EQ(config.at("model_type"), "xlstm");
  EXPECT_EQ(config.at("torch_dtype"), "float32");
  EXPECT_EQ(config.at("hidden_size"), config.at("embedding_dim"));
  EXPECT_EQ(config.at("num_hidden_layers"), config.at("num_blocks"));
  const SafetensorsFile tensors = read_safetensors(file("model.safetensors"));
  EXPECT_EQ(tensors.metadata().at("format"), "pt");
  EXPECT_TRUE(tensors.contains("backbone.blocks.1.mlstm_layer.ogate_preact.weight"));

  write_model_folder(model_, folder(), {.shard_bytes = 1000});
  EXPECT_FALSE(fs::exists(file("model.safetensors")));
  const json index = read_json(file("model.safetensors.index.json"));
  std::uint64_t bytes = 0;
  for (const ParamInfo& info : model_.params().infos()) {
    bytes += static_cast<std::uint64_t>(info.shape.elements()) * sizeof(float);
    EXPECT_TRUE(fs::exists(file(index.at("weight_map").at(info.name).get<std::string>())));
  }
  EXPECT_EQ(index.at("metadata").at("total_size"), bytes);
  write_model_folder(model_, folder());
  EXPECT_FALSE(fs::exists(file("model.safetensors.index.json")));
  EXPECT_EQ(answer(), kFine);

  const TemporaryFolder paper;
  write_model_folder(filled_model(small_mixed(), DType::f32), paper.path());
  const json keys = read_json(paper / "config.json");
  EXPECT_EQ(keys.at("slstm_block").at("slstm").at("backend"), "vanilla");
  EXPECT_EQ(keys.at("mlstm_block").at("mlstm").at("num_heads"), 2);
  EXPECT_FALSE(keys.contains("model_type"));
}

TEST_F(ModelFolders, AFolderOrItsConfigurationMayBeNamed) {
  EXPECT_EQ(model_folder_of(folder()), folder());
  EXPECT_EQ(model_folder_of(file("config.json")), folder());
  EXPECT_FALSE(model_folder_of(file("model.safetensors")).has_value());
  EXPECT_FALSE(model_folder_of(temporary_ / "nowhere").has_value());
}

TEST_F(ModelFolders, AFileInTheWayIsNamed) {
  put_file(temporary_ / "busy", "x");
  EXPECT_THAT(complaint([&] { write_model_folder(model_, temporary_ / "busy"); }),
              AllOf(HasSubstr("busy"), HasSubstr("cannot be made")));
  EXPECT_THAT(complaint([&] {
                write_model_folder(filled_model(small_mixed(), DType::f32), temporary_ / "p",
                                   {.halves = true});
              }),
              HasSubstr("large family"));
}

// ---- what other programs write ------------------------------------------------------------------

TEST_F(ModelFolders, OtherNamesAreUnderstood) {
  rewrite([](auto& tensors) {
    const auto rename = [&](const std::string& from, const std::string& to) {
      auto node = tensors.extract(from);
      node.key() = to;
      tensors.insert(std::move(node));
    };
    rename("backbone.embeddings.weight", "embedding.weight");
    for (const char* block : {"backbone.blocks.0.mlstm_layer.", "backbone.blocks.1.mlstm_layer."}) {
      rename(block + std::string("q.weight"), block + std::string("query.weight"));
      rename(block + std::string("k.weight"), block + std::string("key.weight"));
      rename(block + std::string("v.weight"), block + std::string("value.weight"));
    }
  });
  EXPECT_EQ(ModelFolder(folder()).read(FolderUse::train)->params().signature(),
            model_.params().signature());
}

TEST(ModelFolder, JoinedMatricesGiveTheSameModel) {
  for (const bool bias : {false, true}) {
    const TemporaryFolder temporary;
    ModelSpec spec = small_large();
    spec.large->use_bias = bias;
    spec.large->v_dim_factor = 2.0;
    const Model model = filled_model(spec, DType::f32);
    write_model_folder(model, temporary.path());
    std::map<std::string, Tensor> tensors;
    for (const ParamInfo& info : model.params().infos())
      tensors[info.name] = model.params()[model.params().find(info.name)].value;
    for (const std::string block : {"backbone.blocks.0.", "backbone.blocks.1."}) {
      const auto join = [&](const std::string& name, const std::vector<std::string>& parts,
                            const std::string& kind) {
        std::vector<Tensor> list;
        for (const std::string& part : parts) {
          list.push_back(tensors.at(block + part + kind));
          tensors.erase(block + part + kind);
        }
        tensors[block + name + kind] = below(list);
      };
      for (const std::string kind : {".weight", ".bias"}) {
        if (bias || kind == ".weight") {
          join("mlstm_layer.qkv_opreact",
               {"mlstm_layer.q", "mlstm_layer.k", "mlstm_layer.v", "mlstm_layer.ogate_preact"},
               kind);
          join("ffn.proj_up_gate_z", {"ffn.proj_up_gate", "ffn.proj_up"}, kind);
        }
        join("mlstm_layer.ifgate_preact", {"mlstm_layer.igate_preact", "mlstm_layer.fgate_preact"},
             kind);
      }
    }
    std::vector<StoredTensor> list;
    for (const auto& [name, tensor] : tensors) list.push_back(stored(name, tensor));
    write_safetensors(temporary / "model.safetensors", std::move(list));
    json config = read_json(temporary / "config.json");
    config["weight_mode"] = "fused";
    put_file(temporary / "config.json", config.dump());
    EXPECT_EQ(ModelFolder(temporary.path()).read(FolderUse::train)->params().signature(),
              model.params().signature());
  }
}

TEST_F(ModelFolders, TheTensorsKnowTheWidthOfTheFeedForwardLayer) {
  change_config("ffn_proj_factor", 5.0);
  change_config("ffn_round_up_to_multiple_of", 32);
  const ModelFolder opened(folder());
  EXPECT_EQ(large_feedforward_width(opened.spec()), 24);
  EXPECT_EQ(opened.read(FolderUse::train)->params().signature(), model_.params().signature());
}

TEST_F(ModelFolders, ATiedHeadMayBeThereOrNot) {
  change_config("tie_word_embeddings", true);
  EXPECT_EQ(answer(), kFine);
  rewrite([](auto& tensors) { tensors.erase("lm_head.weight"); });
  EXPECT_EQ(answer(), kFine);
  change_config("tie_word_embeddings", false);
  EXPECT_THAT(answer(), HasSubstr("'lm_head.weight' is missing"));
}

TEST_F(ModelFolders, EveryFloatingPointTypeIsRead) {
  for (const DType type : {DType::f64, DType::bf16}) {
    std::vector<StoredTensor> list;
    for (const ParamInfo& info : model_.params().infos())
      list.push_back(
          stored(info.name, model_.params()[model_.params().find(info.name)].value.to(type)));
    write_safetensors(file("model.safetensors"), std::move(list));
    const auto model = ModelFolder(folder()).read(FolderUse::train);
    EXPECT_EQ(model->params().dtype(), DType::f32);
    for (std::size_t p = 0; p < model->params().infos().size(); ++p) {
      const Tensor expected = model_.params()[static_cast<int>(p)].value.to(type).to(DType::f32);
      const Tensor& value = model->params()[static_cast<int>(p)].value;
      for (std::int64_t j = 0; j < value.elements(); ++j)
        ASSERT_EQ(value.data<float>()[j], expected.data<float>()[j]);
    }
  }
}

// ---- halves -------------------------------------------------------------------------------------

TEST(Halves, StayHalvesAndGiveTheSameNumbers) {
  for (const auto& [name, spec] : small_models()) {
    if (!spec.large) continue;
    SCOPED_TRACE(name);
    const TemporaryFolder temporary;
    const Model model = filled_model(spec, DType::f32);
    write_model_folder(model, temporary / "halves", {.halves = true});
    write_model_folder(model, temporary / "full");
    const ModelFolder folder(temporary / "halves");
    EXPECT_EQ(folder.main_type(), StoredType::bf16);
    EXPECT_EQ(read_json(temporary / "halves" / "config.json").at("torch_dtype"), "bfloat16");

    const auto halves = folder.read(FolderUse::read);
    const auto widened = folder.read(FolderUse::train);
    const auto rounded = ModelFolder(temporary / "full").read(FolderUse::read_halves);
    EXPECT_FALSE(halves->params().trainable());
    for (std::size_t p = 0; p < halves->params().infos().size(); ++p) {
      const Param& param = halves->params()[static_cast<int>(p)];
      EXPECT_EQ(param.value.dtype(), param.value.rank() == 2 ? DType::bf16 : DType::f32);
      EXPECT_FALSE(param.grad.defined());
    }
    EXPECT_EQ(halves->params().signature(), rounded->params().signature());
    const std::vector<int> tokens = some_tokens(25, spec.vocab_size);
    const std::vector<float> expected = logits_of(*widened, tokens);
    EXPECT_LT(largest_difference(logits_of(*halves, tokens), expected), 2e-5);
    Stepper steps(*halves);
    std::vector<float> last;
    for (const int token : tokens) last = steps.feed({&token, 1});
    EXPECT_LT(largest_difference(last, expected), 2e-5);

    // Written again they are the same.
    write_model_folder(*halves, temporary / "again");
    EXPECT_EQ(bytes_of_file(temporary / "again" / "model.safetensors"),
              bytes_of_file(temporary / "halves" / "model.safetensors"));
  }
}

TEST(Halves, AreNeitherTrainedNorSavedAsARun) {
  const TemporaryFolder temporary;
  write_model_folder(filled_model(small_large(), DType::f32), temporary.path(), {.halves = true});
  const auto run = open_folder_run(temporary.path(), FolderUse::read);
  const Batch batch{Tensor::zeros({1, 4}, DType::i32), Tensor::zeros({1, 4}, DType::i32)};
  EXPECT_THAT(complaint([&] { run->trainer->step(batch); }), HasSubstr("read only"));
  EXPECT_THAT(complaint([&] { save_run(*run, temporary / "run.xlab"); }), HasSubstr("too large"));
  EXPECT_FALSE(fs::exists(temporary / "run.xlab"));
  run->sequence->compute_all();
  EXPECT_EQ(run->sequence->computed(), 7);
}

// ---- what is wrong ------------------------------------------------------------------------------

TEST_F(ModelFolders, MismatchesAreNamed) {
  rewrite([](auto& tensors) {
    tensors.erase("backbone.out_norm.weight");
    tensors["surprise.weight"] = Tensor::zeros({2}, DType::f32);
    tensors["lm_head.weight"] = Tensor::zeros({7, 9}, DType::f32);
    tensors["backbone.blocks.0.norm_ffn.weight"] = Tensor::zeros({8}, DType::i32);
  });
  EXPECT_THAT(answer(), AllOf(HasSubstr("'backbone.out_norm.weight' is missing"),
                              HasSubstr("'surprise.weight' is unknown"),
                              HasSubstr("'lm_head.weight' has shape (7, 9), but (7, 8) is needed"),
                              HasSubstr("'backbone.blocks.0.norm_ffn.weight' holds I32")));
  const std::uint64_t before = model_.params().signature();
  EXPECT_NE(complaint([&] { ModelFolder(folder()).load_into(model_); }), kFine);
  EXPECT_EQ(model_.params().signature(), before);
}

TEST_F(ModelFolders, TheFirstTenMismatchesAreNamed) {
  rewrite([](auto& tensors) { tensors.clear(); });
  EXPECT_THAT(answer(), AllOf(HasSubstr("'backbone.embeddings.weight' is missing"),
                              HasSubstr("and 23 more")));
}

TEST_F(ModelFolders, TensorsOfOtherSizesAreRefused) {
  change_config("num_heads", 4);  // widths stay, but the gates do not
  EXPECT_THAT(answer(), HasSubstr("has shape (2, 8), but (4, 8) is needed"));
  change_config("num_heads", 2);
  change_config("hidden_size", 16);
  EXPECT_THAT(answer(), AllOf(HasSubstr("'hidden_size'"), HasSubstr("'embedding_dim'")));
  change_config("embedding_dim", 16);
  EXPECT_THAT(answer(), HasSubstr("is needed"));
  change_config("hidden_size", 8);
  change_config("embedding_dim", 8);
  change_config("num_hidden_layers", 3);
  change_config("num_blocks", 3);
  EXPECT_THAT(answer(), HasSubstr("'backbone.blocks.2.norm_mlstm.weight' is missing"));
}

TEST_F(ModelFolders, LayersThatDisagreeWithTheFirstOneAreRefused) {
  rewrite([](auto& tensors) {
    tensors["backbone.blocks.1.ffn.proj_up.weight"] = Tensor::zeros({32, 8}, DType::f32);
  });
  EXPECT_THAT(answer(), HasSubstr("'backbone.blocks.1.ffn.proj_up.weight' has shape (32, 8)"));
}

TEST_F(ModelFolders, AWidthBeyondReasonIsAMismatch) {
  rewrite([](auto& tensors) {
    tensors["backbone.blocks.0.ffn.proj_up.weight"] = Tensor::zeros({8000, 8}, DType::f32);
  });
  EXPECT_THAT(answer(), HasSubstr("'backbone.blocks.0.ffn.proj_up.weight' has shape (8000, 8)"));
}

TEST_F(ModelFolders, BrokenConfigurationsAreRefused) {
  for (const char* text : {"", "{", "[]", "7", R"({"model_type": "llama"})",
                           R"({"model_type": {}})", R"({"model_type": "xlstm", "num_heads": -1})",
                           R"({"model_type": "xlstm", "hidden_size": "wide"})"}) {
    put_file(file("config.json"), text);
    EXPECT_THAT(answer(), AllOf(HasSubstr("model"), Not(kFine))) << text;
  }
  put_file(file("config.json"), std::string(2 << 20, ' '));
  EXPECT_THAT(answer(), HasSubstr("larger than"));
  fs::remove(file("config.json"));
  EXPECT_THAT(answer(), HasSubstr("config.json"));
}

TEST_F(ModelFolders, WhatStandsForOtherEquationsIsRefusedBeforeAnyNumber) {
  const json usual = read_json(file("config.json"));
  change_config("chunkwise_kernel", "chunkwise--triton_xl_chunk_sig");
  EXPECT_THAT(answer(), AllOf(HasSubstr("cannot be opened"), HasSubstr("'chunkwise_kernel'"),
                              HasSubstr("not known here")));
  put_file(file("config.json"), usual.dump());
  change_config("head_dim", 5);
  EXPECT_THAT(answer(), AllOf(HasSubstr("'head_dim' is 5"), HasSubstr("heads of")));

  TemporaryFolder other;
  write_model_folder(filled_model(small_mixed(), DType::f32), other.path());
  json config = read_json(other / "config.json");
  config["slstm_block"]["slstm"]["function"] = "gru";
  put_file(other / "config.json", config.dump());
  EXPECT_THAT(complaint([&] { open_folder_run(other.path()); }),
              AllOf(HasSubstr("'function' is \"gru\""), HasSubstr("\"slstm\" and \"lstm\"")));
}

TEST_F(ModelFolders, WhatIsNotUsedIsSaidOnceAndOpensAllTheSame) {
  EXPECT_EQ(ModelFolder(folder()).remark(), "");
  EXPECT_EQ(open_folder_run(folder())->remark, "");
  change_config("a_new_key", 7);
  change_config("another", "word");
  const std::string said = "Of config.json, not used: a_new_key = 7, another = \"word\".";
  EXPECT_EQ(ModelFolder(folder()).remark(), said);
  EXPECT_EQ(open_folder_run(folder())->remark, said);
  EXPECT_EQ(train_folder_run(make_task("parity"), std::nullopt, folder())->remark, said);
  EXPECT_EQ(open_folder_run(folder())->model->params().signature(), model_.params().signature());
  Engine engine([] {}, "cpu");
  engine.send(command::OpenFolder{folder().string()});
  engine.flush();
  EXPECT_THAT(engine.snapshot()->notice, AllOf(HasSubstr("Opened the model"), HasSubstr(said)));

  for (int i = 0; i < 40; ++i) change_config("key" + std::to_string(i), i);
  EXPECT_THAT(ModelFolder(folder()).remark(), HasSubstr("and 34 more."));
}

TEST_F(ModelFolders, MissingAndForeignWeightsAreRefused) {
  fs::remove(file("model.safetensors"));
  EXPECT_THAT(answer(), AllOf(HasSubstr("holds neither"), Not(HasSubstr("PyTorch"))));
  put_file(file("pytorch_model.bin"), "\x80\x02");
  EXPECT_THAT(answer(), HasSubstr("is a PyTorch file, which can run code"));
  put_file(file("model.safetensors"), "version https://git-lfs.github.com/spec/v1");
  EXPECT_THAT(answer(), HasSubstr("Git LFS"));
  fs::remove(file("model.safetensors"));
  fs::create_directory(file("model.safetensors"));
  EXPECT_THAT(answer(), HasSubstr("it is a folder"));
  EXPECT_THAT(complaint([&] { ModelFolder(temporary_ / "nowhere"); }), HasSubstr("nowhere"));
}

TEST_F(ModelFolders, BrokenIndexesAreRefused) {
  write_model_folder(model_, folder(), {.shard_bytes = 1000});
  const json good = read_json(file("model.safetensors.index.json"));
  const auto with = [&](auto&& change) {
    json index = good;
    change(index);
    put_file(file("model.safetensors.index.json"), index.dump());
    return answer();
  };
  const std::string tensor = "lm_head.weight";
  EXPECT_EQ(with([](json&) {}), kFine);
  for (const json& name :
       {json("../model.safetensors"), json("/etc/passwd"), json("sub/a.safetensors"), json(".."),
        json("a\\b.safetensors"), json(std::string("a\0b.safetensors", 15)), json(""), json(7),
        json(nullptr), json(".hidden.safetensors"), json("config.json"),
        json(std::string(300, 'a') + ".safetensors")})
    EXPECT_THAT(with([&](json& index) { index["weight_map"][tensor] = name; }),
                AllOf(HasSubstr("'lm_head.weight'"), HasSubstr("no safetensors file of the same")))
        << name;
  EXPECT_THAT(
      with([&](json& index) { index["weight_map"][tensor] = "model-00099-of-00099.safetensors"; }),
      AllOf(HasSubstr("incomplete"), HasSubstr("model-00099-of-00099.safetensors")));
  EXPECT_THAT(with([&](json& index) {
                index["weight_map"][tensor] = index["weight_map"]["backbone.embeddings.weight"];
              }),
              HasSubstr("but it does not"));
  EXPECT_THAT(
      with([&](json& index) { index["weight_map"]["nothing"] = index["weight_map"][tensor]; }),
      HasSubstr("'nothing' lies in"));
  EXPECT_THAT(with([](json& index) { index.erase("weight_map"); }), HasSubstr("weight_map"));
  EXPECT_THAT(with([](json& index) { index = json::array(); }), HasSubstr("weight_map"));
  EXPECT_THAT(with([](json& index) { index["weight_map"] = json::array(); }),
              HasSubstr("weight_map"));
  EXPECT_THAT(with([](json& index) { index["weight_map"] = json::object(); }),
              HasSubstr("is missing"));
  put_file(file("model.safetensors.index.json"), "{");
  EXPECT_THAT(answer(), HasSubstr("not valid JSON"));
}

TEST_F(ModelFolders, ShardsThatAreMissingCutOrDoubleAreRefused) {
  write_model_folder(model_, folder(), {.shard_bytes = 1000});
  const auto files = ModelFolder(folder()).tensors().files();
  ASSERT_GE(files.size(), 3u);
  const std::string first = bytes_of_file(file(files[0])), second = bytes_of_file(file(files[1]));
  put_file(file(files[1]), second.substr(0, second.size() - 5));
  EXPECT_THAT(answer(), AllOf(HasSubstr(files[1]), HasSubstr("cut off")));
  put_file(file(files[1]), first);
  EXPECT_THAT(answer(), AllOf(HasSubstr("twice"), HasSubstr(files[0]), HasSubstr(files[1])));
  fs::remove(file(files[1]));
  EXPECT_THAT(answer(), AllOf(HasSubstr("incomplete"), HasSubstr(files[1])));
}

// ---- runs ---------------------------------------------------------------------------------------

TEST_F(ModelFolders, ASmallModelIsARun) {
  const auto run = open_folder_run(folder());
  EXPECT_EQ(run->model->params().signature(), model_.params().signature());
  EXPECT_EQ(prompt_tokens(*run, "3 0 6"), (std::vector<int>{3, 0, 6}));
  EXPECT_THAT(complaint([&] { run->task->encode("3 x"); }),
              AllOf(HasSubstr("'x'"), HasSubstr("0 to 6")));
  EXPECT_NE(complaint([&] { run->task->encode("7"); }), kFine);
  EXPECT_THAT(complaint([&] { run->train_step(); }), HasSubstr("nothing to train on"));
  EXPECT_THAT(complaint([&] { restart_run(*run, 2); }),
              HasSubstr("open again what they came from"));
  EXPECT_EQ(model_card(*run)->name, "xLSTM-large, 2 blocks");
  EXPECT_EQ(data_card(*run)->task, "tokens");

  save_run(*run, temporary_ / "run.xlab");
  const auto back = load_run(temporary_ / "run.xlab");
  EXPECT_EQ(back->model->params().signature(), model_.params().signature());
  EXPECT_EQ(back->task->vocabulary(), run->task->vocabulary());
}

TEST(ModelFolder, DropoutOfAnEarlierTrainingDoesNotKeepItFromBeingRead) {
  const TemporaryFolder temporary;
  ModelSpec spec = small_mixed();
  spec.dropout = 0.1;
  write_model_folder(filled_model(spec, DType::f32), temporary.path());
  EXPECT_EQ(open_folder_run(temporary.path())->model->spec().dropout, 0.1);
  EXPECT_THAT(
      complaint([&] { train_folder_run(make_task("parity"), std::nullopt, temporary.path()); }),
      HasSubstr("dropout"));
}

TEST_F(ModelFolders, SomeModelsWantEveryPromptToBeginWithAToken) {
  change_config("force_bos_token_insert", true);
  change_config("bos_token_id", 5);
  const auto run = open_folder_run(folder());
  EXPECT_EQ(prompt_tokens(*run, "3 0"), (std::vector<int>{5, 3, 0}));
  EXPECT_EQ(prompt_tokens(*run, "5 3"), (std::vector<int>{5, 3}));
  EXPECT_EQ(prompt_tokens(*run, ""), (std::vector<int>{5}));
}

TEST_F(ModelFolders, NumbersThatAreNotFiniteAreExportedWithAWord) {
  const auto run = open_folder_run(folder());
  EXPECT_EQ(export_run(*run, temporary_ / "sound"), "");
  const Params& params = run->model->params();
  params[0].value.data<float>()[1] = std::nanf("");
  EXPECT_THAT(export_run(*run, temporary_ / "odd"),
              AllOf(HasSubstr(params.infos()[0].name), HasSubstr("not finite")));
  EXPECT_TRUE(std::filesystem::exists(temporary_ / "odd" / "model.safetensors"));
}

TEST_F(ModelFolders, TheTokenThatPromptsBeginWithHasToBeThere) {
  json config = json::parse(bytes_of_file(file("config.json")));
  const json before = config;
  config["force_bos_token_insert"] = true;
  config["bos_token_id"] = nullptr;
  put_file(file("config.json"), config.dump());
  EXPECT_THAT(complaint([&] { (void)open_folder_run(folder()); }),
              AllOf(HasSubstr("'bos_token_id' is null"), HasSubstr(folder().string())));
  config["bos_token_id"] = config["vocab_size"];
  put_file(file("config.json"), config.dump());
  EXPECT_THAT(complaint([&] { (void)open_folder_run(folder()); }),
              HasSubstr("'bos_token_id' is " + config["vocab_size"].dump()));
  config = before;
  config["bos_token_id"] = nullptr;
  config["force_bos_token_insert"] = false;
  put_file(file("config.json"), config.dump());
  EXPECT_NO_THROW((void)open_folder_run(folder()));
}

TEST_F(ModelFolders, AModelIsTrainedOnWithOtherData) {
  const TrainSpec train{.batch_size = 2, .sequence_length = 8, .warmup_steps = 0};
  const auto run = train_folder_run(make_task("parity"), train, folder());
  EXPECT_EQ(run->model->params().signature(), model_.params().signature());
  EXPECT_TRUE(run->train_step().finite);
  EXPECT_NE(run->model->params().signature(), model_.params().signature());
  EXPECT_THAT(complaint([&] { train_folder_run(make_task("recall"), train, folder()); }),
              HasSubstr("different tokens"));
}

TEST_F(ModelFolders, TheEngineOpensAndWritesThem) {
  Engine engine([] {}, "cpu");
  engine.send(command::OpenFolder{folder().string()});
  engine.send(command::SetPrompt{"1 2 3"});
  engine.send(command::StepForward{});
  engine.send(command::ExportFolder{(temporary_ / "copy").string()});
  engine.flush();
  const auto now = engine.snapshot();
  EXPECT_EQ(now->failure.id, 0u) << now->failure.what;
  EXPECT_EQ(now->sequence.tokens.size(), 4u);
  // Nothing is asked, so every token is a guess.
  EXPECT_TRUE(now->sequence.expected.empty());
  EXPECT_GT(now->sequence.surprise[3], 0.0f);
  EXPECT_EQ(now->model->blocks.front().prefix, "block0/mlstm_large");
  EXPECT_EQ(bytes_of_file(temporary_ / "copy" / "model.safetensors"),
            bytes_of_file(file("model.safetensors")));

  put_file(file("model.safetensors"), "nothing");
  engine.send(command::OpenFolder{folder().string()});
  engine.flush();
  EXPECT_EQ(engine.snapshot()->failure.id, 1u);
  EXPECT_EQ(engine.snapshot()->run_id, now->run_id);
  EXPECT_EQ(engine.snapshot()->sequence.tokens, now->sequence.tokens);
}

TEST(RoomForWeights, IsSaidBeforeTheyAreRead) {
  EXPECT_EQ(why_no_room(13e9, 24e9, 14e9), "");
  EXPECT_THAT(why_no_room(23e9, 24e9, 24e9), HasSubstr("has room for 21.6 GB"));
  EXPECT_THAT(why_no_room(15e9, 24e9, 14e9),
              AllOf(HasSubstr("14.0 GB of this computer's memory are free"),
                    HasSubstr("a large model that is open here")));
}

}  // namespace
}  // namespace xlab::tests
