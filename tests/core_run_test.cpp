// Runs and their files: everything comes back, and a file that is wrong is refused with a sentence
// before it costs memory or harms what is open.
#include "core/run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/engine/live_run.hpp"
#include "core/files/load_parameters.hpp"
#include "core/generation/sampler.hpp"
#include "core/generation/stepper.hpp"
#include "core/training/last_copy.hpp"
#include "kernels/device/device.hpp"
#include "tests/complaint.hpp"
#include "tests/counted_work.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"
#include "tests/used_run.hpp"

namespace xlab::tests {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class Runs : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "run.xlab";
};

TEST_F(Runs, EverythingComesBack) {
  for (const char* task : {"recall", "parity", "copy", "text", "bytes", "bpe", "characters"}) {
    SCOPED_TRACE(task);
    const auto run = used_run(task);
    save_run(*run, path_);
    const auto loaded = load_run(path_);
    expect_same(*run, *loaded);
    const std::string bytes = bytes_of_file(path_);
    save_run(*loaded, path_);
    EXPECT_EQ(bytes_of_file(path_), bytes) << "saving what was loaded gives the same file";
  }
}

TEST_F(Runs, AnUntrainedRunComesBack) {
  const auto run = make_run(make_task("copy"));
  save_run(*run, path_);
  const auto loaded = load_run(path_);
  expect_same(*run, *loaded);
  EXPECT_EQ(loaded->trainer->steps_done(), 0);
  EXPECT_FALSE(read_safetensors(path_).contains("m/token_embedding.weight"));
}

TEST_F(Runs, TheSameFromMemory) {
  const auto run = used_run("text");
  save_run(*run, path_);
  const std::string bytes = bytes_of_file(path_);
  expect_same(*run, *load_run(parse_safetensors(std::as_bytes(std::span(bytes)), "preset")));
}

TEST_F(Runs, TextsOfEveryKindComeBack) {
  const std::string mark = "\xef\xbb\xbf";
  for (const std::string& text :
       {std::string("ab"), std::string("línea\r\n\tπ 🙂\x01\x7f ab"), mark + "abab",
        mark + mark + "abab", mark + mark + mark + "abab"}) {
    const auto run = make_run(task_of("text", text));
    save_run(*run, path_);
    const auto loaded = load_run(path_);
    expect_same(*run, *loaded);
  }
}

TEST_F(Runs, TokenizersComeWithTheRun) {
  const std::string binary("\0\xff\xfe no text \xc3", 13);
  const auto bytes = make_run(task_of("bytes", binary));
  save_run(*bytes, path_);
  const auto loaded = load_run(path_);
  expect_same(*bytes, *loaded);
  EXPECT_EQ(data_card(*loaded)->unit, "bytes");
  EXPECT_EQ(model_card(*loaded)->vocabulary[0xff], "\xff");

  const auto run = make_run(task_of("bpe"));
  const SpecialTokens special = {.bos = 0, .eos = 0, .pad = 1};
  run->task = make_text_task(text_from_tokens(
      {5, 6, 7}, "t",
      tokenizer_from_json(bytes_of_file(kTokenizers / "neox.json"), "neox.json", special)));
  save_run(*run, path_);
  EXPECT_EQ(make_run(task_of("bpe", "     \n\n      Now it begins"))->sequence->tokens().size(),
            run->task->encode(" Now it begins").size())
      << "what is shown first begins with a word";
  const auto again = load_run(path_);
  EXPECT_EQ(again->task->tokenizer()->special_tokens().bos, 0);
  EXPECT_EQ(again->task->tokenizer()->special_tokens().unk, -1);
  EXPECT_EQ(again->task->tokenizer()->special_tokens().pad, 1);
  EXPECT_EQ(data_card(*again)->unit, "tokens");
  const std::string prompt = "hello wörld 日";
  EXPECT_EQ(again->task->decode(again->task->encode(prompt)), prompt);
}

TEST_F(Runs, DamagedTokenizersAreRefused) {
  const auto run = make_run(task_of("bpe"));
  save_run(*run, path_);
  const SafetensorsFile file = read_safetensors(path_);
  const auto without = [&](const std::string& name) {
    std::vector<StoredTensor> tensors;
    for (const StoredTensor& tensor : file.tensors())
      if (tensor.name != name) tensors.push_back(tensor);
    return tensors;
  };
  const auto said = [&](std::vector<StoredTensor> tensors, const Metadata& metadata) {
    write_safetensors(folder_ / "wrong.xlab", std::move(tensors), metadata);
    return complaint([&] { load_run(folder_ / "wrong.xlab"); });
  };
  EXPECT_EQ(said(without(""), file.metadata()), kFine);
  EXPECT_THAT(said(without("d/tokenizer"), file.metadata()), HasSubstr("d/tokenizer"));
  EXPECT_THAT(said(without("d/tokens"), file.metadata()), HasSubstr("d/tokens"));
  auto tensors = without("d/tokens");
  tensors.push_back(stored<std::int32_t>("d/tokens", {2}, {0, 4023}));
  EXPECT_THAT(said(tensors, file.metadata()), HasSubstr("holds the token 4023"));
  tensors = without("d/tokenizer");
  tensors.push_back(stored<std::uint8_t>("d/tokenizer", {2}, {'{', '}'}));
  EXPECT_THAT(said(tensors, file.metadata()), HasSubstr("the file has no 'model'"));
  json description = json::parse(file.metadata().at("xlab"));
  description["tokenizer"]["bos"] = 9999;
  EXPECT_THAT(said(without(""), {{"xlab", description.dump()}}), HasSubstr("special token 9999"));
  description["tokenizer"] = {{"kind", "words"}};
  EXPECT_THAT(said(without("d/tokenizer"), {{"xlab", description.dump()}}),
              HasSubstr("of the kind 'words'"));
}

TEST_F(Runs, NamesThatAreNoUtf8ComeBackReadable) {
  const std::string text = "hello";
  const auto run = make_run(
      make_text_task(text_from_bytes(std::as_bytes(std::span(text)), "caf\xe9\x1b[31m\n.txt")));
  EXPECT_EQ(run->task->title(), "caf??[31m?.txt");
  save_run(*run, path_);
  EXPECT_EQ(load_run(path_)->task->title(), "caf??[31m?.txt");
}

TEST_F(Runs, AVocabularyMayBeLargerThanItsTask) {
  RunSpec spec;
  spec.model = small_mlstm();
  spec.model->vocab_size = 12;
  const auto run = make_run(make_task("copy"), spec);
  const auto card = model_card(*run);
  ASSERT_EQ(card->vocabulary.size(), 12u);
  EXPECT_EQ(card->vocabulary[11], "<11>");
  run->sequence->set_tokens({0, 11, 9, 8});
  run->sequence->compute_all();
  save_run(*run, path_);
  EXPECT_EQ(load_run(path_)->sequence->tokens(), run->sequence->tokens());
}

TEST_F(Runs, ASequenceOfBeforeIsKeptWhateverThereIsRoomFor) {
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  auto run = make_run(make_task("parity"), spec);
  const int most = Sequence(*run->model).most_tokens();
  // As where there was more memory.
  const auto much = static_cast<std::size_t>(4.0 * most * kept_bytes(*run->model).token);
  run->sequence = std::make_unique<Sequence>(*run->model, much);
  const std::vector<int> tokens = some_tokens(most + 100, 2);
  run->sequence->set_tokens(tokens);
  run->prompt_length = most + 50;
  save_run(*run, path_);
  const auto loaded = load_run(path_);
  EXPECT_EQ(loaded->sequence->tokens(), tokens);
  EXPECT_EQ(loaded->prompt_length, most + 50);
  EXPECT_EQ(loaded->remark, "");
  for (const auto& next : {duplicate(*run), restart_run(*run, 3)}) {
    EXPECT_EQ(next->sequence->tokens(), tokens);
    EXPECT_EQ(next->sequence->full_reason(), "") << "there is as much room as there was";
  }
  // On screen and away from it.
  LiveRun live(duplicate(*run));
  live.wake();
  EXPECT_EQ(live.sequence().tokens(), tokens);
  auto short_one = live.show_tokens({0, 1});
  ASSERT_TRUE(short_one.has_value());
  live.exchange(*short_one);
  EXPECT_EQ(live.sequence().tokens(), tokens);
  live.rest();
  EXPECT_EQ(live.run().sequence->tokens(), tokens);
}

TEST_F(Runs, WhatNoMemoryOfThisComputerHoldsOfASequenceIsLeftOutAndSaid) {
  RunSpec spec;
  spec.model = small_mlstm();
  spec.model->vocab_size = 300'000;
  auto run = make_run(make_task("parity"), spec);
  constexpr int kLength = 300'000;  // more than 300 GB
  const double needed = 2.0 * kLength * kept_bytes(*run->model).token;
  if (static_cast<double>(host_device().memory_bytes) > needed / 2.0)
    GTEST_SKIP() << "this computer has memory for them";
  run->sequence = std::make_unique<Sequence>(*run->model, static_cast<std::size_t>(needed));
  run->sequence->set_tokens(std::vector<int>(kLength, 1));
  run->prompt_length = kLength;
  save_run(*run, path_);
  const auto loaded = load_run(path_);
  const int length = loaded->sequence->length();
  EXPECT_GT(length, 0);
  EXPECT_LT(length, kLength);
  EXPECT_EQ(loaded->prompt_length, length);
  EXPECT_LT(loaded->sequence->least_bytes(), host_device().memory_bytes);
  EXPECT_THAT(loaded->remark, AllOf(HasSubstr("300000 tokens"), HasSubstr(std::to_string(length))));
}

TEST_F(Runs, CardsSayWhatARunIs) {
  const auto run = used_run("text");
  const auto card = model_card(*run);
  EXPECT_EQ(card->name, "xLSTM [2:1]");
  EXPECT_EQ(card->blocks.size(), 3u);
  EXPECT_EQ(card->parameters, parameter_count(run->model->spec()));
  EXPECT_EQ(card->vocabulary, run->task->vocabulary());
  const auto data = data_card(*run);
  EXPECT_EQ(data->task, "text");
  EXPECT_EQ(data->title, "some text.txt");
  EXPECT_EQ(data->length, 11);
  EXPECT_EQ(data->examples.size(), 10u);
}

// ---- wrong files --------------------------------------------------------------------------------

/// A saved run taken apart, to be put together wrongly.
class WrongFiles : public Runs {
 protected:
  WrongFiles() {
    save_run(*used_run("recall"), path_);
    take_apart();
  }
  void take_apart() {
    const SafetensorsFile file = read_safetensors(path_);
    tensors_ = file.tensors();
    metadata_ = file.metadata();
    description_ = json::parse(metadata_.at("xlab"));
  }
  StoredTensor& tensor(const std::string& name) {
    for (StoredTensor& t : tensors_)
      if (t.name == name) return t;
    throw std::logic_error("no tensor " + name);
  }
  void remove(const std::string& name) {
    std::erase_if(tensors_, [&](const StoredTensor& t) { return t.name == name; });
  }
  void replace(const std::string& name, std::vector<std::int64_t> shape,
               std::vector<float> values) {
    tensor(name) = stored(name, std::move(shape), std::move(values));
  }
  /// What there is as a file, in memory, because a thousand files on a disk take their time.
  SafetensorsFile file(const std::string& description) const {
    SafetensorsHeader header{metadata_, {}};
    header.metadata["xlab"] = description;
    std::string numbers;
    for (const StoredTensor& t : tensors_) {
      header.tensors.push_back({t.name, t.type, t.shape, numbers.size(), 0});
      numbers.append(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size());
      header.tensors.back().end = numbers.size();
    }
    const std::string bytes = encode_header(header) + numbers;
    return parse_safetensors(std::as_bytes(std::span(bytes)), "run.xlab");
  }
  auto load() const { return load_run(file(description_.dump())); }
  /// How loading it is answered.
  std::string answer_to_text(const std::string& description) const {
    return complaint([&] { load_run(file(description)); });
  }
  std::string answer(const json& description) const { return answer_to_text(description.dump()); }
  std::string answer() const { return answer(description_); }
  json changed(const std::string& place, const json& value) const {
    json description = description_;
    description[json::json_pointer(place)] = value;
    return description;
  }
  std::string answer_to(const std::string& place, const json& value) const {
    return answer(changed(place, value));
  }

  std::vector<StoredTensor> tensors_;
  Metadata metadata_;
  json description_;
};

constexpr const char* kUp = "p/xlstm_block_stack.blocks.0.xlstm.proj_up.weight";

TEST_F(WrongFiles, PutTogetherRightlyTheyAreFine) {
  EXPECT_EQ(answer(), kFine);
}

TEST_F(WrongFiles, TensorsOfAnyOtherFileAreNoRun) {
  write_safetensors(path_, tensors_, {{"format", "pt"}});
  EXPECT_THAT(complaint([&] { load_run(path_); }), HasSubstr("holds tensors but no run"));
  EXPECT_THAT(complaint([&] { load_run(folder_ / "nowhere.xlab"); }), HasSubstr("nowhere.xlab"));
  put_file(path_, "not a run at all, but a text that is long enough to be looked at");
  EXPECT_NE(complaint([&] { load_run(path_); }), kFine);
}

TEST_F(WrongFiles, EveryMissingTensorIsNamed) {
  const std::vector<StoredTensor> all = tensors_;
  for (const StoredTensor& t : all) {
    if (t.name.starts_with("c/")) continue;  // the curve may be missing as a whole
    tensors_ = all;
    remove(t.name);
    EXPECT_THAT(answer(), AllOf(HasSubstr("'" + t.name + "'"), HasSubstr("missing"))) << t.name;
  }
  tensors_ = all;
  remove("c/loss");
  EXPECT_THAT(answer(), HasSubstr("c/loss"));
}

TEST_F(WrongFiles, ExtraTensorsAreNamed) {
  for (const std::string& name :
       {std::string("p/backbone.blocks.0.mlstm_layer.q.weight"), std::string("p/extra"),
        std::string("m/extra"), std::string("v/xlstm_block_stack.blocks.9.xlstm_norm.weight")}) {
    tensors_.push_back(stored<float>(name, {2}, {1, 2}));
    EXPECT_THAT(answer(), HasSubstr("'" + name + "' is unknown to this model"));
    tensors_.pop_back();
  }
  tensors_.push_back(stored<float>("p/\x1b[31mred\x07", {1}, {1}));
  EXPECT_THAT(answer(), AllOf(HasSubstr("?[31mred?"), Not(HasSubstr("\x1b"))));
}

TEST_F(WrongFiles, TheTensorsOfAnotherArchitectureAreRefusedInShort) {
  for (StoredTensor& t : tensors_)
    if (t.name.starts_with("p/")) t.name = "p/backbone." + t.name.substr(2);
  const std::string said = answer();
  EXPECT_THAT(said, AllOf(HasSubstr("does not fit the model"), HasSubstr("more")));
  EXPECT_EQ(std::count(said.begin(), said.end(), ';'), 10) << "ten mismatches and how many more";
}

TEST_F(WrongFiles, TransposedShapesAreRefused) {
  const std::vector<StoredTensor> all = tensors_;
  int tried = 0;
  for (const StoredTensor& t : all) {
    // The recurrent kernel alone comes in two layouts, and only among the parameters.
    const bool two_layouts = t.name.starts_with("p/") && t.name.ends_with("_recurrent_kernel_");
    if (t.shape.size() < 2 || two_layouts) continue;
    std::vector<std::int64_t> swapped = t.shape;
    std::reverse(swapped.begin(), swapped.end());
    if (swapped == t.shape) continue;
    tensors_ = all;
    tensor(t.name).shape = swapped;
    EXPECT_NE(answer(), kFine) << t.name;
    ++tried;
  }
  EXPECT_GE(tried, 30);
}

TEST_F(WrongFiles, NumbersOfAnotherKindAreRefusedOrConverted) {
  const auto shape = tensor(kUp).shape;
  const auto count = static_cast<std::size_t>(tensor(kUp).elements());
  const std::vector<StoredTensor> all = tensors_;
  tensor(kUp) = stored(kUp, shape, std::vector<std::int32_t>(count, 1));
  EXPECT_THAT(answer(), AllOf(HasSubstr(kUp), HasSubstr("I32")));
  tensors_ = all;
  tensor(kUp) = stored(kUp, shape, std::vector<std::uint8_t>(count, 1));
  EXPECT_THAT(answer(), AllOf(HasSubstr(kUp), HasSubstr("U8")));
  tensors_ = all;
  tensor(kUp) = stored(kUp, shape, std::vector<double>(count, 0.5));
  EXPECT_EQ(answer(), kFine);
  tensors_ = all;
  tensor("c/step") = stored("c/step", {4}, std::vector<float>{0, 1.5f, 2, 3});
  EXPECT_THAT(answer(), HasSubstr("c/step"));
}

TEST_F(WrongFiles, EveryNumberOfTheConfigurationMatters) {
  // One more or one less of anything that shapes the model no longer fits the tensors.
  for (const char* place :
       {"/model/vocab_size", "/model/embedding_dim", "/model/num_blocks",
        "/model/mlstm_block/mlstm/num_heads", "/model/mlstm_block/mlstm/conv1d_kernel_size",
        "/model/mlstm_block/mlstm/proj_factor", "/model/slstm_block/slstm/num_heads",
        "/model/slstm_block/slstm/conv1d_kernel_size",
        "/model/slstm_block/feedforward/proj_factor"}) {
    const json::json_pointer at(place);
    for (const double change : {-1.0, 1.0}) {
      if (description_[at].is_number_integer()) {
        const auto changed = description_[at].get<int>() + static_cast<int>(change);
        EXPECT_NE(answer_to(place, changed), kFine) << place << change;
      } else {
        EXPECT_NE(answer_to(place, description_[at].get<double>() + change), kFine) << place;
      }
    }
  }
  for (const char* place :
       {"/model/tie_weights", "/model/add_post_blocks_norm", "/model/bias",
        "/model/slstm_block/slstm/group_norm_weight", "/model/slstm_block/feedforward/bias"}) {
    const bool now = description_[json::json_pointer(place)].get<bool>();
    // A tied model may come with the head that it does not use.
    if (std::string(place) == "/model/tie_weights") {
      remove("m/lm_head.weight");
      remove("v/lm_head.weight");
      EXPECT_EQ(answer_to(place, !now), kFine);
      save_run(*used_run("recall"), path_);
      take_apart();
      continue;
    }
    EXPECT_NE(answer_to(place, !now), kFine) << place;
  }
  for (const json& blocks : {json::array(), json::array({0}), json::array({1, 2})})
    EXPECT_NE(answer_to("/model/slstm_at", blocks), kFine) << blocks;
  EXPECT_NE(answer_to("/model/mlstm_block/mlstm/qkv_proj_blocksize", 8), kFine);
}

TEST_F(WrongFiles, DamagedDescriptionsAreRefused) {
  const std::string text = description_.dump();
  for (const std::string& raw :
       {std::string(), std::string("{"), std::string("null"), std::string("[]"), std::string("{}"),
        text + "x", text.substr(0, text.size() / 2), std::string("\"xlab\"")})
    EXPECT_THAT(answer_to_text(raw), HasSubstr("run.xlab")) << raw.substr(0, 40);
  for (const int depth : {50, 2'000'000}) {
    const auto n = static_cast<std::size_t>(depth);
    json hostile = description_;
    hostile["model"]["_note"] = "HERE";
    std::string nested = hostile.dump();
    nested.replace(nested.find("\"HERE\""), 6, std::string(n, '[') + std::string(n, ']'));
    EXPECT_THAT(answer_to_text(nested), HasSubstr("nested deeper"));
  }
  // Nothing in the description may be missing.
  for (const char* key :
       {"format", "task", "model", "train", "step", "seconds", "learning_rate_scale", "session"}) {
    json changed = description_;
    changed.erase(key);
    EXPECT_THAT(answer(changed), AllOf(HasSubstr(key), HasSubstr("run.xlab"))) << key;
  }
  for (const char* key : {"tokens", "prompt_length", "clamps", "sampler"}) {
    json changed = description_;
    changed["session"].erase(key);
    EXPECT_THAT(answer(changed), HasSubstr(key)) << key;
  }
}

TEST_F(WrongFiles, EveryValueOfTheDescriptionIsChecked) {
  const json flat = description_.flatten();
  const std::vector<json> strange = {nullptr,
                                     "x",
                                     -1,
                                     1e300,
                                     -1e300,
                                     0.5,
                                     true,
                                     json::array(),
                                     json::object(),
                                     std::numeric_limits<std::int64_t>::min(),
                                     std::numeric_limits<std::uint64_t>::max()};
  int refused = 0;
  for (const auto& [place, value] : flat.items()) {
    for (const json& other : strange) {
      // Refused in a sentence, or taken for something that can be used.
      std::string said;
      ASSERT_NO_THROW(said = answer_to(place, other)) << place << " = " << other;
      if (said != kFine) {
        ++refused;
        EXPECT_THAT(said, ContainsRegex("[A-Z'].*\\.$")) << place << " = " << other;
        continue;
      }
      const auto run = load_run(file(changed(place, other).dump()));
      run->sequence->compute_all();
      const StepResult step = run->train_step();
      EXPECT_TRUE(std::isfinite(step.loss)) << place << " = " << other;
      model_card(*run);
      data_card(*run);
    }
  }
  EXPECT_GE(refused, 400);
}

TEST_F(WrongFiles, EditsThatFormerProgramsWouldMisreadHaveAFormatOfTheirOwn) {
  const auto format_with = [&](std::vector<Clamp> clamps) {
    const auto run = used_run("recall");
    run->sequence->set_clamps(std::move(clamps));
    save_run(*run, path_);
    EXPECT_EQ(load_run(path_)->sequence->clamps(), run->sequence->clamps());
    return json::parse(read_safetensors(path_).metadata().at("xlab")).at("format").get<int>();
  };
  const Clamp held{.path = "block0/mlstm/v", .begin = 1, .end = 3, .value = -1.5f};
  Clamp plus = held, drawn = held, all_heads = held, all_units = held;
  plus.change = Change::add;
  drawn.curve = {1.0f, 2.0f};
  all_heads.head = Clamp::kAll;
  all_units.unit = Clamp::kAll;
  EXPECT_EQ(format_with({}), 1);
  EXPECT_EQ(format_with({held}), 1);
  for (const Clamp& clamp : {plus, drawn, all_heads, all_units})
    EXPECT_EQ(format_with({held, clamp}), 3);
}

TEST_F(WrongFiles, NumbersThatMeanSomethingAreRead) {
  EXPECT_THAT(answer_to("/format", 2), HasSubstr("several runs"));
  EXPECT_THAT(answer_to("/format", 4), HasSubstr("newer version"));
  EXPECT_THAT(answer_to("/format", 4294967297), HasSubstr("'format'"));
  EXPECT_THAT(answer_to("/task", "sorting"), HasSubstr("'sorting'"));
  EXPECT_THAT(answer_to("/task", "text"), HasSubstr("d/text"));
  EXPECT_THAT(answer_to("/step", std::numeric_limits<std::int64_t>::max()), HasSubstr("'step'"));
  EXPECT_THAT(answer_to("/step", -1), HasSubstr("'step'"));
  EXPECT_THAT(answer_to("/seconds", -1), HasSubstr("'seconds'"));
  EXPECT_THAT(answer_to("/learning_rate_scale", 1e9), HasSubstr("'learning_rate_scale'"));
  EXPECT_THAT(answer_to("/session/sampler/temperature", -1), HasSubstr("temperature"));
  EXPECT_THAT(answer_to("/session/sampler/top_p", 1.5), HasSubstr("top-p"));
  EXPECT_THAT(answer_to("/session/clamps/0/head", 1e10), HasSubstr("'head'"));
  EXPECT_THAT(answer_to("/session/clamps/0/change", "square"), HasSubstr("'square'"));
  EXPECT_EQ(answer_to("/session/clamps/0/change", "scale"), kFine);
  EXPECT_THAT(answer_to("/session/clamps/0/curve", 2.0), HasSubstr("'curve'"));
  EXPECT_THAT(answer_to("/session/clamps/0/curve", {1.0, "x"}), HasSubstr("\"x\""));
  EXPECT_THAT(answer_to("/session/clamps/0/curve", {1.0, 2.0, 3.0}),
              HasSubstr("2 steps has a curve of 3 values"));
  EXPECT_EQ(answer_to("/session/clamps/0/curve", {1.0, 2.0}), kFine);
  EXPECT_THAT(answer_to("/session/clamps/0/begin", 3), HasSubstr("holds nothing"));
  const auto prompt_length = [&](int stored) {
    return load_run(file(changed("/session/prompt_length", stored).dump()))->prompt_length;
  };
  EXPECT_EQ(prompt_length(1000), 5);
  EXPECT_EQ(prompt_length(-3), 0);
}

TEST_F(WrongFiles, TokensMustBelongToTheModel) {
  for (const json& token : {json(21), json(-1), json(4294967296), json(1.0), json("a"), json(),
                            json(std::numeric_limits<std::uint64_t>::max())})
    EXPECT_THAT(answer_to("/session/tokens/0", token), AnyOf(HasSubstr("oken"), HasSubstr("type")))
        << token;
  EXPECT_THAT(answer_to("/session/tokens", 3), HasSubstr("'tokens'"));
  EXPECT_EQ(answer_to("/session/tokens", json::array()), kFine);
}

TEST_F(WrongFiles, LongSequencesAreOpenedAndManyClampsRefused) {
  EXPECT_EQ(answer_to("/session/tokens", json(std::vector<int>(400'000, 1))), kFine);
  EXPECT_THAT(answer_to("/session/clamps",
                        json(std::vector<json>(5000, description_["session"]["clamps"][0]))),
              HasSubstr("5000 clamps"));
}

TEST_F(WrongFiles, MomentsMustBeSound) {
  const std::string name = "xlstm_block_stack.blocks.1.xlstm.slstm_cell._bias_";
  const auto count = static_cast<std::size_t>(tensor("m/" + name).elements());
  const auto shape = tensor("m/" + name).shape;
  const std::vector<StoredTensor> all = tensors_;
  for (const char* prefix : {"m/", "v/"}) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1.0f}) {
      if (bad == -1.0f && prefix[0] == 'm') continue;  // means may be negative
      tensors_ = all;
      std::vector<float> values(count, 0.5f);
      values[3] = bad;
      replace(prefix + name, shape, values);
      EXPECT_THAT(answer(), HasSubstr("moments")) << prefix << bad;
    }
  }
  tensors_ = all;
  replace("m/" + name, {static_cast<std::int64_t>(count) / 2, 2}, std::vector<float>(count));
  EXPECT_THAT(answer(), HasSubstr("has shape"));
}

TEST_F(WrongFiles, StrangeWeightsLoadAndCanBeUsed) {
  const std::vector<StoredTensor> all = tensors_;
  int loaded = 0;
  for (const StoredTensor& t : all) {
    if (!t.name.starts_with("p/")) continue;
    for (const float strange :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::denorm_min(), 3e38f,
          0.0f}) {
      tensors_ = all;
      replace(t.name, t.shape, std::vector<float>(static_cast<std::size_t>(t.elements()), strange));
      ASSERT_EQ(answer(), kFine) << t.name << " " << strange;
      const auto run = load();
      run->sequence->compute_all();
      EXPECT_EQ(run->sequence->computed(), 5);
      Stepper stepper(*run->model);
      const auto logits = stepper.feed(run->sequence->tokens());
      const auto distribution = sampling_distribution(logits, run->sampler);
      if (std::isnan(distribution.front())) {
        EXPECT_THAT(complaint([&] { draw(distribution, 1, 5); }), HasSubstr("not finite"));
      } else {
        EXPECT_LT(draw(distribution, 1, 5), run->model->spec().vocab_size);
      }
      const auto before = run->model->params().signature();
      const StepResult step = run->train_step();
      if (!step.finite) {
        EXPECT_EQ(run->model->params().signature(), before) << t.name << " " << strange;
      }
      if (loaded++ % 20 == 0) {
        save_run(*run, path_);
        EXPECT_EQ(complaint([&] { load_run(path_); }), kFine) << t.name << " " << strange;
      }
    }
  }
  EXPECT_GE(loaded, 60);
}

TEST_F(WrongFiles, AnEmptyTextIsRefused) {
  save_run(*used_run("text"), path_);
  take_apart();
  remove("d/text");
  tensors_.push_back(stored<std::uint8_t>("d/text", {0}, {}));
  EXPECT_THAT(answer(), HasSubstr("empty"));
  remove("d/text");
  tensors_.push_back(stored<std::uint8_t>("d/text", {3}, {'a', 0, 'b'}));
  EXPECT_THAT(answer(), HasSubstr("binary"));
  remove("d/text");
  std::vector<std::uint8_t> many;
  for (int c = 'A'; c <= 'z'; ++c) many.push_back(static_cast<std::uint8_t>(c));
  tensors_.push_back(stored("d/text", {static_cast<std::int64_t>(many.size())}, many));
  EXPECT_THAT(answer(), HasSubstr("vocabulary"));
}

/// Sets a limit on new memory while it lives: what asks for more gets none.
class MemoryLimit {
 public:
  explicit MemoryLimit(rlim_t more) {
    getrlimit(RLIMIT_AS, &before_);
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    rlimit limit = before_;
    limit.rlim_cur = pages * 4096 + more;
    setrlimit(RLIMIT_AS, &limit);
  }
  ~MemoryLimit() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_;
};

/// What a wrong file may cost, in mebibytes read byte by byte.
constexpr double kLittleWork = 1000.0;

TEST_F(WrongFiles, ATinyFileCannotAskForAHugeModel) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need an address space without limits";
#endif
  json huge = description_;
  json& model = huge["model"];
  model["embedding_dim"] = 8192;
  model["mlstm_block"]["mlstm"]["num_heads"] = 8;
  model["slstm_block"]["slstm"]["num_heads"] = 256;
  model["num_blocks"] = 1;
  model["slstm_at"] = json::array();
  {
    const MemoryLimit limit(256 << 20);
    std::string refusal;
    const double work = work_of([&] { refusal = answer(huge); });
    EXPECT_THAT(refusal, HasSubstr("does not fit the model"));
    EXPECT_LT(work, kLittleWork) << "mebibytes read byte by byte";
  }
  // As large as specifications can be.
  model["num_blocks"] = 256;
  EXPECT_THAT(answer(huge), HasSubstr("GB"));
  model["embedding_dim"] = 1 << 20;
  EXPECT_THAT(answer(huge), HasSubstr("'embedding_dim'"));
  EXPECT_THAT(answer_to("/train/batch_size", 1u << 31), HasSubstr("'batch_size'"));
  EXPECT_THAT(answer_to("/model/context_length", std::int64_t{1} << 40),
              HasSubstr("'context_length'"));
}

TEST_F(WrongFiles, ALargeBatchIsRefusedWhenItIsTrainedNotWhenItIsOpened) {
  // The file may come from a larger computer.
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  spec.model->embedding_dim = 256;
  save_run(*make_run(make_task("recall"), spec), path_);
  take_apart();
  description_["train"]["batch_size"] = 4096;
  description_["train"]["sequence_length"] = 1024;
  const auto run = load();
  const auto before = run->model->params().signature();
  run->sequence->compute_all();
  EXPECT_THAT(complaint([&] { run->train_step(); }), HasSubstr("4096 sequences of 1024 tokens"));
  EXPECT_EQ(run->model->params().signature(), before);
}

TEST_F(WrongFiles, ManyTensorsAreRefusedWithLittleWork) {
  for (int i = 0; i < 60'000; ++i)
    tensors_.push_back(
        stored<float>("p/xlstm_block_stack.blocks.0.xlstm.extra" + std::to_string(i), {1}, {0}));
  write_safetensors(path_, tensors_, metadata_);
  std::string refusal;
  const double work = work_of([&] { refusal = complaint([&] { load_run(path_); }); });
  EXPECT_THAT(refusal, HasSubstr("and 59990 more"));
  // Each tensor against each other would be 3.6 thousand million comparisons.
  EXPECT_LT(work, kLittleWork) << "mebibytes read byte by byte";
}

// ---- loading into a model that is in use --------------------------------------------------------

TEST_F(WrongFiles, ARefusedFileLeavesTheModelAsItWas) {
  Model model = filled_model(used_run("recall")->model->spec(), DType::f32, 9);
  const auto before = model.params().signature();
  const std::vector<StoredTensor> all = tensors_;
  const auto refuses = [&](const std::function<void()>& change) {
    tensors_ = all;
    change();
    write_safetensors(path_, tensors_, metadata_);
    EXPECT_NE(complaint([&] { load_parameters(model, read_safetensors(path_), "p/"); }), kFine);
    EXPECT_EQ(model.params().signature(), before);
  };
  refuses([&] { remove("p/lm_head.weight"); });
  refuses([&] { tensors_.push_back(stored<float>("p/more", {1}, {1})); });
  refuses([&] {
    StoredTensor& t = tensor("p/lm_head.weight");
    std::swap(t.shape[0], t.shape[1]);
  });
  tensors_ = all;
  write_safetensors(path_, tensors_, metadata_);
  load_parameters(model, read_safetensors(path_), "p/");
  EXPECT_EQ(model.params().signature(), used_run("recall")->model->params().signature());
}

}  // namespace
}  // namespace xlab::tests
