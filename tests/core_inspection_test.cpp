// What can be said of a place without running it: against the models, runs and sentences
// themselves.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/bench_file.hpp"
#include "core/files/folder_run.hpp"
#include "core/files/hf_folder.hpp"
#include "core/files/inspection.hpp"
#include "core/files/openable.hpp"
#include "core/files/safetensors.hpp"
#include "core/generation/sequence.hpp"
#include "core/run.hpp"
#include "kernels/check.hpp"
#include "tests/complaint.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class InspectionTest : public testing::Test {
 protected:
  void make(const ModelSpec& spec) {
    fs::remove_all(folder());
    write_model_folder(filled_model(spec, DType::f32), folder());
  }
  fs::path folder() const { return temporary_ / "model"; }
  fs::path file(const std::string& name) const { return folder() / name; }
  json config() const { return json::parse(bytes_of_file(file("config.json"))); }
  void change_config(const std::string& key, const json& value) const {
    json changed = config();
    changed[key] = value;
    put_file(file("config.json"), changed.dump());
  }
  /// A tokenizer of seven tokens, of which 4, 5 and 6 are special.
  void put_tokenizer(const std::string& eos = "<5>") const {
    json tokenizer = {{"version", "1.0"},
                      {"normalizer", nullptr},
                      {"post_processor", nullptr},
                      {"pre_tokenizer",
                       {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
                      {"decoder", {{"type", "ByteLevel"}}},
                      {"model",
                       {{"type", "BPE"},
                        {"vocab", {{"a", 0}, {"b", 1}, {"!", 2}, {"ab", 3}}},
                        {"merges", {"a b"}}}}};
    for (const int special : {4, 5, 6})
      tokenizer["added_tokens"].push_back(
          {{"id", special}, {"content", fmt::format("<{}>", special)}, {"special", true}});
    put_file(file("tokenizer.json"), tokenizer.dump());
    put_file(file("tokenizer_config.json"), json{{"eos_token", eos}}.dump());
  }

  TemporaryFolder temporary_;
};

TEST_F(InspectionTest, AModelFolderIsToldAsItIs) {
  for (const auto& [name, spec] : small_models()) {
    SCOPED_TRACE(name);
    make(spec);
    const Inspection found = inspect(folder());
    EXPECT_EQ(found.kind, PlaceKind::model_folder);
    EXPECT_EQ(found.why, "");
    ASSERT_EQ(found.models.size(), 1u);
    const InspectedModel& model = found.models.front();
    const auto run = open_folder_run(folder());
    EXPECT_EQ(model.title, model_card(*run)->name);
    EXPECT_EQ(model.family, model_family(spec));
    EXPECT_EQ(model.parameters, model_card(*run)->parameters);
    EXPECT_EQ(model.width, spec.embedding_dim);
    EXPECT_EQ(model.vocabulary, spec.vocab_size);
    EXPECT_EQ(model.context_length, spec.context_length);
    EXPECT_EQ(model.tied, spec.tie_weights);
    ASSERT_EQ(model.blocks.size(), static_cast<std::size_t>(spec.num_blocks));
    std::int64_t of_blocks = 0;
    for (const BlockCard& block : model.blocks) of_blocks += block.parameters;
    EXPECT_LT(of_blocks, model.parameters);
    // What a token really leaves behind.
    Sequence sequence(*run->model);
    sequence.set_tokens({1, 2});
    sequence.compute_all();
    EXPECT_EQ(model.state_bytes, static_cast<std::int64_t>(sequence.steps().back().after->bytes()));
    EXPECT_EQ(model.cannot_train, "");
    EXPECT_FALSE(model.tokenizer.has_value());
    EXPECT_EQ(model.padded_rows, 0);
    ASSERT_EQ(model.weights.size(), 1u);
    EXPECT_EQ(model.weights.front().type, "F32");
    // A tied head of the large family is written twice.
    EXPECT_GE(model.weights.front().numbers, model.parameters);
    EXPECT_EQ(found.bytes, static_cast<std::int64_t>(fs::file_size(file("config.json")) +
                                                     fs::file_size(file("model.safetensors"))));
    ASSERT_NE(found.reading, nullptr);
    EXPECT_EQ(found.reading->count(KeyUse::not_used), 0u);
    EXPECT_THAT(found.odd, IsEmpty()) << "an export of ours is as usual";
  }
  EXPECT_EQ(inspect(file("config.json")).kind, PlaceKind::model_folder);
}

TEST_F(InspectionTest, TheStateOfAKnownModelIsThatOfItsEquations) {
  // Two heads of 8 x 8 with n, m and a window of 4 x 16 before them; of the sLSTM four states of 8.
  ModelSpec spec = small_mixed();
  spec.mlstm->conv1d_kernel_size = 4;
  spec.slstm->conv1d_kernel_size = 0;
  make(spec);
  const Inspection found = inspect(folder());
  const std::int64_t mlstm = 4 * (2 * 8 * 8 + 2 * 8 + 2 + 4 * 16), slstm = 4 * 4 * 8;
  EXPECT_EQ(found.models.at(0).state_bytes, 2 * mlstm + slstm);
}

TEST_F(InspectionTest, EndsAreToldWithWhoNamesThem) {
  make(small_large());
  put_tokenizer();
  change_config("eos_token_id", json{2, 4, 5});
  Inspection found = inspect(folder());
  const auto ends = [&] {
    std::vector<std::string> list;
    for (const InspectedEnd& end : found.models.at(0).ends)
      list.push_back(fmt::format("{} {} {}", end.token, end.text, fmt::join(end.from, "+")));
    return list;
  };
  EXPECT_THAT(ends(), ElementsAre("5 <5> tokenizer_config.json+config.json", "4 <4> config.json"));
  EXPECT_THAT(found.odd, ElementsAre(AllOf(HasSubstr("eos_token_id 2 ends no text"),
                                           HasSubstr("'!', a token like others"))));
  json without = config();
  without.erase("eos_token_id");
  put_file(file("config.json"), without.dump());
  put_file(file("generation_config.json"), R"({"eos_token_id": 6})");
  found = inspect(folder());
  EXPECT_THAT(ends(), ElementsAre("5 <5> tokenizer_config.json", "6 <6> generation_config.json"));
  EXPECT_THAT(found.odd, IsEmpty());
  fs::remove(file("generation_config.json"));
  found = inspect(folder());
  EXPECT_THAT(ends(), ElementsAre("5 <5> tokenizer_config.json"));
  EXPECT_THAT(found.odd, IsEmpty()) << "nobody has said that 2 is an end";
  ASSERT_TRUE(found.models.at(0).tokenizer.has_value());
  EXPECT_EQ(found.models.at(0).tokenizer->kind, "bpe");
  EXPECT_EQ(found.models.at(0).tokenizer->tokens, 7);
}

TEST_F(InspectionTest, PaddingAndTokenizersThatDoNotFitAreToldInNumbers) {
  ModelSpec spec = small_large();
  spec.vocab_size = 12;
  make(spec);
  put_tokenizer();
  Inspection found = inspect(folder());
  EXPECT_EQ(found.models.at(0).padded_rows, 5);
  EXPECT_EQ(found.models.at(0).tokenizer->beyond_model, 0);
  EXPECT_THAT(found.odd, Contains(HasSubstr("is padded: 5 of its 12 rows")));
  EXPECT_THAT(open_folder_run(folder())->remark, HasSubstr("is padded: 5 of its 12 rows"));
  spec.vocab_size = 4;
  make(spec);
  put_tokenizer();
  found = inspect(folder());
  EXPECT_EQ(found.models.at(0).padded_rows, 0);
  EXPECT_EQ(found.models.at(0).tokenizer->beyond_model, 3);
  EXPECT_THAT(found.odd, Contains(HasSubstr("3 more tokens than the model")));
  put_file(file("tokenizer.json"), "{}");
  found = inspect(folder());
  EXPECT_EQ(found.why, "") << "the model opens all the same";
  EXPECT_THAT(found.models.at(0).tokenizer_problem,
              AllOf(HasSubstr("has no 'model'"), HasSubstr("plain numbers here")));
  EXPECT_THAT(found.odd, ElementsAre(found.models.at(0).tokenizer_problem));
}

TEST_F(InspectionTest, WhatIsNotAsUsualIsTold) {
  make(small_large());
  change_config("a_new_key", 7);
  change_config("ffn_proj_factor", 5.0);
  change_config("tie_word_embeddings", true);
  put_file(file("README.md"), "words");
  put_file(file("chat_template.jinja"), "{{ x }}");
  const SafetensorsFile stored_before = read_safetensors(file("model.safetensors"));
  std::vector<StoredTensor> renamed;
  for (const StoredTensor& tensor : stored_before.tensors()) {
    std::string name = tensor.name;
    if (const auto at = name.find(".mlstm_layer.q."); at != name.npos)
      name.replace(at, 15, ".mlstm_layer.query.");
    renamed.push_back(stored("model." + name, stored_before.tensor(tensor.name, DType::f32)));
  }
  write_safetensors(file("model.safetensors"), std::move(renamed));
  const Inspection found = inspect(folder());
  EXPECT_EQ(found.why, "");
  EXPECT_THAT(found.odd, Contains("Not used: a_new_key = 7."));
  EXPECT_THAT(found.odd, Contains(AllOf(HasSubstr("ffn_proj_factor = 5.0 was replaced"),
                                        HasSubstr("a width of 24"))));
  EXPECT_THAT(found.odd, Contains(AllOf(HasSubstr("tie_word_embeddings = true was replaced"),
                                        HasSubstr("a head of their own"))));
  EXPECT_THAT(found.odd, Contains(HasSubstr("'model.', with which all names")));
  EXPECT_THAT(ModelFolder(folder()).remark(),
              HasSubstr("Of config.json, tie_word_embeddings = true was replaced: "));
  EXPECT_THAT(found.odd,
              Contains(HasSubstr("'mlstm_layer.query' was read as 'mlstm_layer.q', 2 tensors")));
  EXPECT_THAT(found.reading->left, ElementsAre("README.md", "chat_template.jinja"));
  for (const InspectedFile& file : found.files)
    EXPECT_EQ(file.read, file.name == "config.json" || file.name == "model.safetensors")
        << file.name;
  fs::copy_file(file("model.safetensors"), file("other.safetensors"));
  EXPECT_THAT(inspect(folder()).odd, Contains("'other.safetensors' was not read."));
}

TEST_F(InspectionTest, JoinedAndTurnedTensorsAreTold) {
  make(small_large());
  const SafetensorsFile before = read_safetensors(file("model.safetensors"));
  std::vector<StoredTensor> joined;
  for (const StoredTensor& tensor : before.tensors()) {
    const std::string& name = tensor.name;
    if (name.find("fgate_preact") != name.npos) continue;
    const auto at = name.find("igate_preact");
    if (at == name.npos) {
      joined.push_back(tensor);
      continue;
    }
    std::string other = name, both = name;
    other.replace(at, 12, "fgate_preact");
    both.replace(at, 12, "ifgate_preact");
    const Tensor a = before.tensor(name, DType::f32), b = before.tensor(other, DType::f32);
    std::vector<float> numbers(a.data<float>(), a.data<float>() + a.elements());
    numbers.insert(numbers.end(), b.data<float>(), b.data<float>() + b.elements());
    std::vector<std::int64_t> shape = tensor.shape;
    shape[0] *= 2;
    joined.push_back(stored(both, shape, std::move(numbers)));
  }
  write_safetensors(file("model.safetensors"), std::move(joined));
  const Inspection found = inspect(folder());
  EXPECT_EQ(found.why, "");
  EXPECT_THAT(found.odd, ElementsAre(AllOf(HasSubstr("4 tensors hold several matrices"),
                                           HasSubstr("ifgate_preact"))));
}

TEST_F(InspectionTest, AFolderThatIsRefusedIsToldAsFarAsItIsKnown) {
  const auto opening = [&] { return complaint([&] { (void)open_folder_run(folder()); }); };
  // The weights are not there yet.
  make(small_mixed());
  put_tokenizer();
  fs::rename(file("model.safetensors"), file("pytorch_model.bin"));
  Inspection found = inspect(folder());
  EXPECT_EQ(found.kind, PlaceKind::model_folder);
  EXPECT_EQ(found.why, opening());
  EXPECT_THAT(found.why, HasSubstr("PyTorch"));
  ASSERT_EQ(found.models.size(), 1u);
  EXPECT_EQ(found.models.front().title, "xLSTM [2:1]");
  EXPECT_EQ(found.models.front().parameters,
            static_cast<std::int64_t>(parameter_count(small_mixed())));
  EXPECT_TRUE(found.models.front().tokenizer.has_value());
  EXPECT_THAT(found.models.front().weights, IsEmpty());
  // The equations are others.
  make(small_mixed());
  json other = config();
  other["slstm_block"]["slstm"]["function"] = "gru";
  put_file(file("config.json"), other.dump());
  found = inspect(folder());
  EXPECT_EQ(found.why, opening());
  EXPECT_THAT(found.models, IsEmpty());
  // The tensors are of another model.
  make(small_mixed());
  change_config("embedding_dim", 16);
  found = inspect(folder());
  EXPECT_EQ(found.why, opening());
  EXPECT_THAT(found.why, HasSubstr("does not fit the model"));
  ASSERT_EQ(found.models.size(), 1u);
  EXPECT_EQ(found.models.front().width, 16);
  EXPECT_EQ(found.models.front().weights.at(0).type, "F32");
  // Nothing of a model.
  fs::remove_all(folder());
  fs::create_directory(folder());
  found = inspect(folder());
  EXPECT_EQ(found.kind, PlaceKind::folder);
  EXPECT_EQ(found.why, opening());
  EXPECT_EQ(found.reading, nullptr);
}

TEST_F(InspectionTest, AModelAmongHundredsOfFilesIsFound) {
  make(small_mixed());
  const std::int64_t bytes = inspect(folder()).bytes;
  for (int i = 0; i < 300; ++i) put_file(file(fmt::format("{:04}.png", i)), "a picture");
  const Inspection found = inspect(folder());
  EXPECT_EQ(found.kind, PlaceKind::model_folder);
  EXPECT_EQ(found.why, "");
  EXPECT_EQ(found.bytes, bytes);
  EXPECT_EQ(found.files.size(), 202u) << "what is read, and the first of the others";
  EXPECT_EQ(found.reading->left.size(), 200u);
  ASSERT_TRUE(fs::exists(file("config.json")));
  fs::rename(file("config.json"), file("config.yaml"));
  EXPECT_EQ(model_folder_of(file("config.yaml")), folder());
}

TEST_F(InspectionTest, RunsAreToldOneByOne) {
  const auto first = make_run(make_task("copy")), second = make_run(make_task("recall"));
  first->train_step();
  second->name = "by hand";
  const fs::path one = temporary_ / "one.xlab", two = temporary_ / "two.xlab";
  save_run(*first, one);
  Inspection found = inspect(one);
  EXPECT_EQ(found.kind, PlaceKind::run);
  EXPECT_EQ(found.why, "");
  ASSERT_EQ(found.models.size(), 1u);
  EXPECT_EQ(found.models[0].title, model_card(*first)->name);
  EXPECT_EQ(found.models[0].data, first->task->title());
  EXPECT_EQ(found.models[0].steps, 1);
  EXPECT_EQ(found.models[0].cannot_train, "");
  EXPECT_EQ(found.models[0].weights.at(0).numbers, found.models[0].parameters)
      << "without the optimizer's";
  EXPECT_EQ(found.bytes, static_cast<std::int64_t>(fs::file_size(one)));

  BenchRecord bench;
  bench.runs.push_back({.run = record_of(*first)});
  bench.runs.push_back({.run = record_of(*second)});
  save_bench(bench, two);
  found = inspect(two);
  EXPECT_EQ(found.kind, PlaceKind::bench);
  ASSERT_EQ(found.models.size(), 2u);
  EXPECT_EQ(found.models[1].run, "by hand");
  EXPECT_EQ(found.models[1].steps, 0);
  EXPECT_EQ(found.models[1].weights.at(0).numbers, found.models[1].parameters);

  // A run of which a tensor is missing: what it would have been is said.
  const SafetensorsFile whole = read_safetensors(one);
  std::vector<StoredTensor> part(whole.tensors().begin(), whole.tensors().end());
  std::erase_if(part, [](const auto& t) { return t.name == "p/token_embedding.weight"; });
  write_safetensors(one, std::move(part), whole.metadata());
  found = inspect(one);
  EXPECT_EQ(found.kind, PlaceKind::run);
  EXPECT_EQ(found.why, complaint([&] { (void)load_run(one); }));
  ASSERT_EQ(found.models.size(), 1u);
  EXPECT_EQ(found.models[0].title, model_card(*first)->name);
}

TEST_F(InspectionTest, OtherFilesAreToldByWhatTheyAre) {
  make(small_mixed());
  Inspection found = inspect(file("model.safetensors"));
  EXPECT_EQ(found.kind, PlaceKind::tensors);
  EXPECT_EQ(found.why, complaint([&] { (void)load_run(file("model.safetensors")); }));
  EXPECT_EQ(found.tensors.at(0).numbers, static_cast<std::int64_t>(parameter_count(small_mixed())));
  EXPECT_THAT(found.odd, ElementsAre(HasSubstr("lies in the model folder")));
  fs::copy_file(file("model.safetensors"), temporary_ / "bare.safetensors");
  EXPECT_THAT(inspect(temporary_ / "bare.safetensors").odd, IsEmpty());

  const fs::path path = temporary_ / "file";
  put_file(path, "Über den Dingen\n");
  found = inspect(path);
  EXPECT_EQ(found.kind, PlaceKind::text);
  EXPECT_EQ(found.why, "");
  ASSERT_TRUE(found.text.has_value());
  EXPECT_TRUE(found.text->utf8);
  EXPECT_EQ(found.text->characters, 16);
  put_file(path, "\xef\xbb\xbfÜber den Dingen\n");
  EXPECT_EQ(inspect(path).text->characters, 16) << "as it is learned";
  put_file(path, "\xdc\x62\x65r den Dingen, in another encoding\n");
  found = inspect(path);
  EXPECT_EQ(found.kind, PlaceKind::text);
  EXPECT_FALSE(found.text->utf8);
  EXPECT_THAT(found.odd, ElementsAre(HasSubstr("read as bytes")));
  for (const char* text : {"{\"a\": [1, 2, 3]}", "key: value\nlist: [1]\n", "ab"}) {
    put_file(path, text);
    EXPECT_EQ(inspect(path).kind, PlaceKind::text) << text;
  }
  const std::vector<std::string> foreign = {
      std::string("PK\x03\x04", 4) + std::string(60, '\0'),
      std::string("\x80\x02}q\x00.", 6),
      "GGUF" + std::string(40, '\1'),
      "version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
      "<!DOCTYPE html><html></html>",
      std::string(100, '\0')};
  for (const std::string& bytes : foreign) {
    put_file(path, bytes);
    found = inspect(path);
    EXPECT_EQ(found.kind, PlaceKind::foreign) << bytes;
    EXPECT_EQ(found.why, complaint([&] { (void)load_run(path); })) << bytes;
  }
  put_file(path, "");
  EXPECT_NE(inspect(path).why, "");
  fs::remove(path);
  found = inspect(path);
  EXPECT_EQ(found.kind, PlaceKind::missing);
  EXPECT_EQ(found.why, complaint([&] { (void)load_run(path); }));
  EXPECT_EQ(inspect("/dev/zero").kind, PlaceKind::missing);
}

}  // namespace
}  // namespace xlab::tests
