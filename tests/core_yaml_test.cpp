// YAML from strangers becomes the JSON that it means, or a sentence; and folders whose
// configuration is one give the same numbers.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/files/folder_run.hpp"
#include "core/files/hf_folder.hpp"
#include "core/files/yaml_text.hpp"
#include "core/generation/stepper.hpp"
#include "kernels/check.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

json read(const std::string& yaml) {
  return json::parse(json_of_yaml(yaml, "The file"));
}

std::string refusal(const std::string& yaml) {
  try {
    return "read as " + json_of_yaml(yaml, "The file").substr(0, 200);
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(Yaml, WordsBecomeWhatPythonReadsThemAs) {
  const std::vector<std::pair<const char*, json>> words = {
      {"7", 7},
      {"-3", -3},
      {"+5", 5},
      {"0", 0},
      {"0.5", 0.5},
      {".5", 0.5},
      {"2.667", 2.667},
      {"1e-6", 1e-6},
      {"1.0e+3", 1000.0},
      {"9223372036854775808", 9223372036854775808.0},
      {"true", true},
      {"False", false},
      {"no", false},
      {"ON", true},
      {"null", nullptr},
      {"~", nullptr},
      {"", nullptr},
      {"all", "all"},
      {"\"7\"", "7"},
      {"'true'", "true"},
      {"!!str 7", "7"},
      {"tRuE", "tRuE"},
      // What programs read differently is a text, which nobody takes for a number.
      {"010", "010"},
      {"0x10", "0x10"},
      {"1_000", "1_000"},
      {"1:30", "1:30"},
      {".inf", ".inf"},
      {"1e999", "1e999"},
      {"1-2", "1-2"},
      {"${dataset.kwargs.max_sequence_length}", "${dataset.kwargs.max_sequence_length}"}};
  for (const auto& [word, value] : words)
    EXPECT_EQ(read(fmt::format("key: {}\n", word))["key"], value) << word;
}

TEST(Yaml, ListsObjectsAnchorsAndComments) {
  const json deep = {{"a", {1, 2}}, {"b", "x: y"}};
  EXPECT_EQ(read("# of a model\nslstm_at:\n- 1\n- 3\nblock: &b\n  heads: 4   # of them\n"
                 "  deep: {a: [1, 2], b: 'x: y'}\nother: *b\n1: one\n"),
            (json{{"slstm_at", {1, 3}},
                  {"block", {{"heads", 4}, {"deep", deep}}},
                  {"other", {{"heads", 4}, {"deep", deep}}},
                  {"1", "one"}}));
  EXPECT_EQ(read("---\na: 1\n...\n"), (json{{"a", 1}}));
  EXPECT_EQ(read("a: |\n  two\n  lines\n"), (json{{"a", "two\nlines\n"}}));
  EXPECT_EQ(read("\xef\xbb\xbfkey: ü\n"), (json{{"key", "ü"}}));
}

TEST(Yaml, WhatIsNoConfigurationIsRefusedInASentence) {
  const std::vector<std::pair<std::string, const char*>> wrong = {
      {"", "must be a list of keys"},
      {"word", "must be a list of keys"},
      {"- 1\n- 2\n", "must be a list of keys"},
      {"a: 1\n---\nb: 2\n", "several documents"},
      {"a: [1, 2\n", "is not valid YAML: line"},
      {"a: 1\n\tb: 2\n", "is not valid YAML: line 2"},
      {"a: 1\na: 2\n", "line 2: the key 'a' stands there twice"},
      {"a: !!python/object:os.system [x]\n", "line 1: the tag"},
      {"a: !thing 3\n", "the tag '!thing'"},
      {"? [1, 2]\n: 3\n", "a key must be a word"},
      {"? {a: 1}\n: 3\n", "a key must be a word"},
      {"a: &x {b: 1}\nc:\n  <<: *x\n", "line 3: '<<' takes over the keys"},
      {"a: &x [1, *x]\n", "repeats something that contains it"},
      {"a: *nowhere\n", "is not valid YAML: line 1"},
      {"a: \"\\xff\\x00\"\nb: \xff\n", "is no text in UTF-8"},
      {std::string("a: b\0c\n", 7), "is no text in UTF-8"}};
  for (const auto& [text, said] : wrong)
    EXPECT_THAT(refusal(text), AllOf(testing::StartsWith("The file"), HasSubstr(said))) << text;
}

TEST(Yaml, WhatGrowsWithoutBoundsIsRefusedBeforeItDoes) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name <= 'j'; ++name) {
    const std::string before(1, static_cast<char>(name - 1));
    bomb += fmt::format("{0}: &{0} [", name);
    for (int i = 0; i < 10; ++i) bomb += (i > 0 ? ", *" : "*") + before;
    bomb += "]\n";
  }
  // One long text many times, alone and in a list.
  std::string long_text = "a: &a \"" + std::string(200'000, 'x') + "\"\nb: [";
  for (int i = 0; i < 1000; ++i) long_text += "*a, ";
  long_text += "1]\n";
  std::string long_list = "a: &a [\"" + std::string(200'000, 'x') + "\"]\nb: [";
  for (int i = 0; i < 1000; ++i) long_list += "*a, ";
  long_list += "1]\n";
  std::string many = "a: [";
  for (int i = 0; i < 20'000; ++i) many += "1,";
  many += "1]\n";
  for (const std::string& text : {bomb, long_text, long_list, many})
    EXPECT_THAT(refusal(text), HasSubstr("is too large for a configuration"));
  EXPECT_THAT(refusal("a: " + std::string((1 << 20) + 1, 'x')), HasSubstr("larger than 1024 KiB"));

  const std::size_t most = 1 << 20;
  const auto repeated = [&](const std::string& piece, std::size_t times = 0) {
    std::string text;
    while (text.size() + piece.size() <= most && (times == 0 || times-- > 0)) text += piece;
    return text;
  };
  std::string stairs;
  for (int level = 0; level < 200; ++level) stairs += std::string(level, ' ') + "a:\n";
  for (const std::string& text : {repeated("["), repeated("{"), repeated("a: ["), repeated("[{a: "),
                                  repeated("- "), repeated("? "), stairs}) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_THAT(refusal(text), AllOf(HasSubstr("The file"), Not(HasSubstr("read as"))))
        << text.substr(0, 20);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10))
        << text.substr(0, 20);
  }
  EXPECT_THAT(refusal(stairs), HasSubstr("nested deeper than 16 levels"));
  EXPECT_THAT(refusal(repeated("a: [")), HasSubstr("nested deeper than 16 levels"));
}

// ---- folders ------------------------------------------------------------------------------------

/// The same configuration as people's programs write it.
std::string yaml_of(const json& value, int indent = 0) {
  std::string text;
  for (const auto& [key, member] : value.items()) {
    text += std::string(static_cast<std::size_t>(indent), ' ') + key + ":";
    if (member.is_object() && !member.empty()) {
      text += "\n" + yaml_of(member, indent + 2);
    } else if (member.is_array() && !member.empty()) {
      for (const json& item : member)
        text += "\n" + std::string(static_cast<std::size_t>(indent), ' ') + "- " + item.dump();
      text += "\n";
    } else {
      text += " " + (member.is_string() ? member.get<std::string>() : member.dump()) + "\n";
    }
  }
  return text;
}

class YamlFolder : public testing::Test {
 protected:
  void make(const ModelSpec& spec) {
    fs::remove_all(folder());
    write_model_folder(filled_model(spec, DType::f32), folder());
    logits_ = logits();
    config_ = json::parse(bytes_of_file(folder() / "config.json"));
    fs::remove(folder() / "config.json");
  }
  fs::path folder() const { return temporary_ / "model"; }
  void put(const std::string& name, const std::string& text) const {
    put_file(folder() / name, text);
  }
  std::vector<float> logits() const {
    const std::vector<int> tokens = {2, 1, 0, 2, 1};
    return Stepper(*ModelFolder(folder()).read(FolderUse::train)).feed(tokens);
  }
  std::string complaint() const {
    try {
      (void)ModelFolder(folder());
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing to complain about";
  }

  TemporaryFolder temporary_;
  std::vector<float> logits_;
  json config_;
};

TEST_F(YamlFolder, EveryModelGivesTheSameBits) {
  for (const auto& [name, spec] : small_models()) {
    SCOPED_TRACE(name);
    for (const char* file : {"config.yaml", "model.yaml"}) {
      make(spec);
      put(file, yaml_of(config_));
      EXPECT_EQ(logits(), logits_);
      EXPECT_EQ(ModelFolder(folder()).was_read().config, file);
      EXPECT_EQ(ModelFolder(folder()).remark(), "");
      EXPECT_EQ(model_folder_of(folder() / file), folder());
    }
  }
}

TEST_F(YamlFolder, ABareMusicModelHasTheSizesOfItsKind) {
  ModelSpec spec = small_mixed();
  spec.num_blocks = 2;
  spec.slstm_at = {1};
  spec.embedding_dim = 64;
  spec.vocab_size = 119;
  spec.context_length = 256;
  spec.mlstm = MlstmSpec{.num_heads = 1};
  spec.slstm = SlstmSpec{.num_heads = 1};
  spec.feedforward = FeedforwardSpec{};
  make(spec);
  put("config.yaml",
      "num_blocks: 2\nembedding_dim: 64\nmlstm_block:\n  mlstm:\n    num_heads: 1\n"
      "slstm_block:\n  slstm:\n    num_heads: 1\nslstm_at:\n- 1\ncontext_length: 256\n"
      "vocab_size: 119\n");
  EXPECT_EQ(logits(), logits_);
  const ModelFolder opened(folder());
  EXPECT_FALSE(opened.spec().tie_weights);
  EXPECT_EQ(parameter_count(opened.spec()), 101'250);
}

TEST_F(YamlFolder, AModelInsideAnExperimentIsFound) {
  for (const bool tied : {false, true}) {
    ModelSpec spec = small_mixed();
    spec.tie_weights = tied;
    make(spec);
    config_.erase("tie_weights");
    put("config.yaml", yaml_of({{"training", {{"lr", 0.001}, {"save_every", "${training.steps}"}}},
                                {"model", config_},
                                {"dataset", {{"name", "music"}}}}));
    EXPECT_EQ(logits(), logits_);
    const ModelFolder opened(folder());
    EXPECT_EQ(opened.spec().tie_weights, tied);
    EXPECT_THAT(opened.remark(), AllOf(HasSubstr("Of config.yaml, not used: dataset = "),
                                       HasSubstr("training = {\"lr\":0.001")));
    bool found = false;
    for (const ReadKey& key : opened.was_read().keys)
      found |= key.key == "model.num_blocks" && key.use == KeyUse::followed && key.value == "3";
    EXPECT_TRUE(found);
  }
  // What is meaningful has to stand there.
  json config = config_;
  config["context_length"] = "${dataset.kwargs.max_sequence_length}";
  put("config.yaml", yaml_of({{"model", config}}));
  EXPECT_THAT(complaint(), AllOf(HasSubstr("'context_length' is \"${dataset.kwargs."),
                                 HasSubstr("write what it stands for")));
}

TEST_F(YamlFolder, ConfigJsonCountsMoreAndThatIsSaid) {
  make(small_mixed());
  put("config.json", config_.dump());
  put("config.yaml", "num_blocks: 77\n");
  put("model.yaml", "is: [no, model");
  EXPECT_EQ(logits(), logits_);
  EXPECT_EQ(ModelFolder(folder()).remark(),
            "'config.json' was read; 'config.yaml' and 'model.yaml' beside it were not.");
  EXPECT_EQ(open_folder_run(folder())->remark, ModelFolder(folder()).remark());
  fs::remove(folder() / "config.json");
  EXPECT_THAT(complaint(), HasSubstr("no vocabulary"));
  fs::remove(folder() / "config.yaml");
  EXPECT_THAT(complaint(), HasSubstr("The model's model.yaml is not valid YAML: line 1"));
  fs::remove(folder() / "model.yaml");
  EXPECT_THAT(complaint(), HasSubstr("Cannot read"));
}

TEST_F(YamlFolder, AYamlThatStandsAloneIsAnybodys) {
  fs::create_directory(folder());
  put("config.yaml", "a: 1\n");
  EXPECT_FALSE(model_folder_of(folder() / "config.yaml").has_value());
}

}  // namespace
}  // namespace xlab::tests
