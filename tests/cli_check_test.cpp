// `xlstm check` as a person and as a program meets it: what it says of every kind of place, and
// that its JSON keeps to the schema that is published for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/bench_bytes.hpp"
#include "tests/json_schema.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct Answer {
  int code = -1;
  std::string out, err;
};

class CheckCommand : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return folder_ / name; }
  Answer run(const std::string& arguments) const {
    const std::string line = std::string("'") + XLAB_XLSTM + "' " + arguments + " >'" + at("out") +
                             "' 2>'" + at("err") + "' </dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, bytes_of_file(at("out")),
            bytes_of_file(at("err"))};
  }
  std::string quoted(const std::string& name) const { return "'" + at(name) + "'"; }
  Answer check(const std::string& name) const { return run("check " + quoted(name)); }
  /// The object that --json writes, which must keep to the schema.
  json checked(const std::string& name) const {
    const Answer answer = run("check --json " + quoted(name));
    const json object = json::parse(answer.out);
    EXPECT_THAT(schema().problems(object), IsEmpty()) << name;
    EXPECT_EQ(object.at("opens").get<bool>(), answer.code == 0) << name;
    EXPECT_EQ(object.at("why").is_null(), answer.code == 0) << name;
    EXPECT_EQ(answer.err,
              answer.code == 0 ? "" : "xlstm: " + object.at("why").get<std::string>() + "\n")
        << name;
    return object;
  }
  static json schema_text() {
    return json::parse(bytes_of_file(fs::path(XLAB_SCHEMAS) / "check.schema.json"));
  }
  static JsonSchema schema() { return JsonSchema(schema_text()); }

  void make_places() const {
    put_file(at("small.json"), R"({"model": {"embedding_dim": 8, "num_blocks": 3,
      "slstm_at": [1], "mlstm_block": {"mlstm": {"num_heads": 2,
      "round_proj_up_to_multiple_of": 8}}, "slstm_block": {"slstm": {"num_heads": 4},
      "feedforward": {"round_proj_up_to_multiple_of": 8}}},
      "train": {"batch_size": 4, "sequence_length": 16, "warmup_steps": 3}})");
    put_file(at("large.json"), R"({"model": {"model_type": "xlstm", "hidden_size": 16,
      "num_hidden_layers": 2, "num_heads": 2, "ffn_round_up_to_multiple_of": 8, "vocab_size": 60},
      "train": {"batch_size": 4, "sequence_length": 16, "warmup_steps": 1}})");
    std::string text;
    for (int i = 0; i < 30; ++i) text += "to be or not to be, that is the question.\n";
    put_file(at("text.txt"), text);
    const auto made = [&](const std::string& words) {
      const Answer answer = run(words);
      ASSERT_EQ(answer.code, 0) << words << answer.err;
    };
    made("train --task copy --steps 2 --spec " + quoted("small.json") + " --out " +
         quoted("run.xlab"));
    made("train --text " + quoted("text.txt") + " --steps 1 --spec " + quoted("large.json") +
         " --out " + quoted("large.xlab"));
    made("export " + quoted("run.xlab") + " " + quoted("paper"));
    made("export --bf16 " + quoted("large.xlab") + " " + quoted("large"));
    put_file(at("bench.xlab"),
             bench_of({bytes_of_file(at("run.xlab")), bytes_of_file(at("large.xlab"))}));
    fs::copy_file(at("paper/model.safetensors"), at("bare.safetensors"));
    fs::copy(at("paper"), at("refused"));
    json config = json::parse(bytes_of_file(at("refused/config.json")));
    config["embedding_dim"] = 16;
    config["odd_key"] = {1, 2};
    put_file(at("refused/config.json"), config.dump());
    fs::create_directory(at("empty"));
    put_file(at("foreign"), "GGUF" + std::string(40, '\1'));
    put_file(at("latin"), "\xdc\x62\x65r den Dingen, in another encoding\n");
  }

  TemporaryFolder folder_;
};

TEST_F(CheckCommand, EveryKindOfPlaceKeepsToTheSchema) {
  make_places();
  const std::vector<std::tuple<std::string, std::string, bool, std::size_t>> places = {
      {"paper", "model_folder", true, 1},
      {"large", "model_folder", true, 1},
      {"run.xlab", "run", true, 1},
      {"bench.xlab", "bench", true, 2},
      {"bare.safetensors", "tensors", false, 0},
      {"text.txt", "text", true, 0},
      {"latin", "text", true, 0},
      {"small.json", "text", true, 0},
      {"foreign", "foreign", false, 0},
      {"refused", "model_folder", false, 1},
      {"empty", "folder", false, 0},
      {"nowhere", "missing", false, 0}};
  for (const auto& [name, kind, opens, models] : places) {
    const json object = checked(name);
    EXPECT_EQ(object.at("schema_version"), 1);
    EXPECT_EQ(object.at("kind"), kind) << name;
    EXPECT_EQ(object.at("opens"), opens) << name;
    EXPECT_EQ(object.at("models").size(), models) << name;
    for (const json& model : object.at("models")) EXPECT_EQ(model.at("trainable"), opens) << name;
  }
  const json paper = checked("paper").at("models").at(0);
  EXPECT_EQ(paper.at("family"), "paper");
  EXPECT_EQ(paper.at("title"), "xLSTM [2:1]");
  EXPECT_EQ(paper.at("blocks").at(1).at("cell"), "sLSTM");
  EXPECT_EQ(paper.at("blocks").at(1).at("heads"), 4);
  EXPECT_EQ(paper.at("trainable"), true);
  std::int64_t state = 0;
  for (const json& block : paper.at("blocks")) state += block.at("state_bytes").get<int>();
  EXPECT_EQ(paper.at("state_bytes"), state);
  const json large = checked("large");
  EXPECT_EQ(large.at("models").at(0).at("family"), "large");
  EXPECT_EQ(large.at("models").at(0).at("weights").at(0).at("type"), "BF16");
  EXPECT_EQ(large.at("models").at(0).at("tokenizer").at("kind"), "characters");
  EXPECT_GT(large.at("models").at(0).at("padded_rows"), 0);
  EXPECT_TRUE(paper.at("memory").is_null());
  EXPECT_GT(large.at("models").at(0).at("memory").at("as_stored"), 0);
  EXPECT_EQ(large.at("reading").at("config"), "config.json");
  EXPECT_TRUE(large.at("reading").at("texts").empty());
  put_file(at("large/chat_template.jinja"), "{{ m }}\xff");
  const json text = checked("large").at("reading").at("texts").at(0);
  EXPECT_EQ(text.at("file"), "chat_template.jinja");
  EXPECT_EQ(text.at("what"), "chat template");
  EXPECT_EQ(text.at("bytes"), 8);
  EXPECT_EQ(text.at("text"), "{{ m }}\xef\xbf\xbd");
  EXPECT_EQ(checked("run.xlab").at("models").at(0).at("steps"), 2);
  EXPECT_EQ(checked("text.txt").at("text").at("characters"), 1260);
  EXPECT_TRUE(checked("latin").at("text").at("characters").is_null());
}

TEST_F(CheckCommand, WhatOpeningRefusesItRefusesWithTheSameSentence) {
  make_places();
  for (const char* name : {"refused", "empty", "foreign", "nowhere", "bare.safetensors"}) {
    const Answer refused = run("signature " + quoted(name)), answer = check(name);
    EXPECT_EQ(refused.code, 1) << name;
    EXPECT_EQ(answer.code, 1) << name;
    EXPECT_EQ(answer.err, refused.err) << name;
    EXPECT_EQ(json(checked(name).at("why")), refused.err.substr(7, refused.err.size() - 8));
  }
  // What is known of it is said all the same.
  EXPECT_THAT(check("refused").out,
              AllOf(HasSubstr("xLSTM [2:1], paper family"), HasSubstr("width 16"),
                    HasSubstr("Not used: odd_key = [1,2].")));
  EXPECT_EQ(run("check").code, 2);
  EXPECT_EQ(run("check " + quoted("paper") + " " + quoted("large")).code, 2);
}

TEST_F(CheckCommand, PeopleReadShortAlignedLines) {
  make_places();
  const Answer folder = check("large");
  EXPECT_EQ(folder.code, 0) << folder.err;
  EXPECT_EQ(folder.err, "");
  EXPECT_THAT(folder.out,
              AllOf(HasSubstr("large: a model folder, "), HasSubstr("\nmodel     xLSTM-large, 2 "),
                    HasSubstr("\nsizes     width 16, vocabulary 60"),
                    HasSubstr("\nblocks    0 to 1: mLSTM, 2 heads of 4 x 8, "),
                    HasSubstr("\nstate     "), HasSubstr(" BF16 in "), HasSubstr("\ntokens    "),
                    HasSubstr("more rows"), HasSubstr("\ntraining  can be trained here"),
                    HasSubstr("\nread      config.json ("), HasSubstr("\nkeys      ")));
  std::istringstream lines(folder.out);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    EXPECT_THAT(line, ContainsRegex("^([a-z ]{10}|          )[^ ]")) << line;
    EXPECT_LT(line.size(), 160u) << line;
  }
  EXPECT_THAT(check("bench.xlab").out,
              AllOf(HasSubstr("a bench of xLSTM Lab"), HasSubstr("\ndata      "),
                    HasSubstr("2 steps"), HasSubstr("\nrun       text.txt")));
  EXPECT_THAT(check("text.txt").out, HasSubstr("\ntext      1,260 characters in UTF-8"));
}

TEST_F(CheckCommand, NamesInFilesCannotCommandTheTerminal) {
  make_places();
  json config = json::parse(bytes_of_file(at("paper/config.json")));
  config["\x1b]0;owned\x07"] = "\x1b[2J";
  put_file(at("paper/config.json"), config.dump());
  put_file(at("paper/\x1b[31m.txt"), "x");
  const Answer answer = check("paper");
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("owned"), Not(HasSubstr("\x1b"))));
  put_file(at("paper/bad\xff.txt"), "x");
  EXPECT_EQ(checked("paper").at("opens"), true);
}

TEST_F(CheckCommand, AYamlBesideTheWeightsKeepsEveryBit) {
  make_places();
  const auto logits = [&] {
    const Answer answer = run("logits " + quoted("paper") + " --ids 1,2,3,0 --out " + quoted("l"));
    EXPECT_EQ(answer.code, 0) << answer.err;
    return bytes_of_file(at("l"));
  };
  const std::string before = logits();
  const json config = json::parse(bytes_of_file(at("paper/config.json")));
  fs::remove(at("paper/config.json"));
  // Every JSON of one line is YAML too; the keys of the outer object as people write them.
  std::string yaml;
  for (const auto& [key, value] : config.items()) yaml += key + ": " + value.dump() + "\n";
  put_file(at("paper/config.yaml"), yaml);
  EXPECT_TRUE(logits() == before);
  EXPECT_EQ(checked("paper").at("reading").at("config"), "config.yaml");
  EXPECT_EQ(run("info " + quoted("paper/config.yaml")).code, 0);
  put_file(at("paper/config.yaml"), yaml + "a: &a [1, *a]\n");
  EXPECT_THAT(checked("paper").at("why").get<std::string>(),
              HasSubstr("repeats something that contains it"));
}

// ---- the schema itself --------------------------------------------------------------------------

TEST_F(CheckCommand, TheSchemaIsStrictAndUsesWhatTheTestsKnow) {
  EXPECT_NO_THROW(schema());
  EXPECT_EQ(schema_text().at("$schema"), "https://json-schema.org/draft/2020-12/schema");
  int objects = 0;
  const std::function<void(const json&)> look = [&](const json& part) {
    if (!part.is_object()) return;
    if (part.value("type", json()) == "object") {
      ++objects;
      EXPECT_EQ(part.value("additionalProperties", json()), json(false)) << part;
      ASSERT_TRUE(part.contains("required") && part.contains("properties")) << part;
      EXPECT_EQ(part["required"].size(), part["properties"].size()) << part;
      for (const json& key : part["required"])
        EXPECT_TRUE(part["properties"].contains(key.get<std::string>())) << key;
    }
    for (const auto& [key, inner] : part.items()) look(inner);
  };
  look(schema_text());
  EXPECT_GT(objects, 8);
  // A keyword that the validator does not know is no keyword that is fulfilled.
  for (const char* place : {"/maxProperties", "/$defs/key/properties/value/maxLength",
                            "/properties/odd/items/pattern", "/$defs/model/anyOf"}) {
    json changed = schema_text();
    changed[json::json_pointer(place)] = 3;
    EXPECT_THROW(JsonSchema{changed}, std::runtime_error) << place;
  }
}

TEST_F(CheckCommand, ABrokenObjectIsRefused) {
  make_places();
  const json good = checked("large");
  const std::vector<std::pair<const char*, json>> changes = {
      {"/schema_version", 2},
      {"/kind", "other"},
      {"/opens", "yes"},
      {"/bytes", -1},
      {"/bytes", 1.5},
      {"/odd", "none"},
      {"/odd", {1}},
      {"/surplus", 1},
      {"/models/0/surplus", nullptr},
      {"/models/0/blocks/1/heads", 0},
      {"/models/0/blocks/0/cell", "GRU"},
      {"/models/0/tokenizer", 7},
      {"/models/0/tokenizer/kind", "unigram"},
      {"/models/0/weights/0/type", "F8"},
      {"/reading/keys/0/use", "perhaps"},
      {"/text", {{"encoding", "UTF-8"}}}};
  for (const auto& [place, value] : changes) {
    json broken = good;
    broken[json::json_pointer(place)] = value;
    EXPECT_THAT(schema().problems(broken), Not(IsEmpty())) << place << " " << value;
  }
  const std::function<void(const json&, const json::json_pointer&)> without_each =
      [&](const json& part, const json::json_pointer& place) {
        for (const auto& [key, inner] : part.items()) {
          json broken = good;
          (place.empty() ? broken : broken[place]).erase(key);
          EXPECT_THAT(schema().problems(broken), Contains(HasSubstr("lacks " + key)));
        }
      };
  without_each(good, json::json_pointer());
  without_each(good.at("models").at(0), json::json_pointer("/models/0"));
  without_each(good.at("models").at(0).at("blocks").at(0),
               json::json_pointer("/models/0/blocks/0"));
  without_each(good.at("files").at(0), json::json_pointer("/files/0"));
  without_each(good.at("reading"), json::json_pointer("/reading"));
}

}  // namespace
}  // namespace xlab::tests
