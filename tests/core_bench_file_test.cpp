// The file of a bench: several runs come back from it whole, data that they share is stored once,
// other programs read its tensors, and what is damaged is refused in a sentence.
#include "core/bench_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/files/openable.hpp"
#include "tests/complaint.hpp"
#include "tests/temporary_folder.hpp"
#include "tests/used_run.hpp"

namespace xlab::tests {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A test has a `Run` of its own.
using LabRun = xlab::Run;

class BenchFiles : public testing::Test {
 protected:
  void add(std::unique_ptr<LabRun> run) { runs_.push_back(std::move(run)); }
  /// Runs of different tasks and sizes, of which no two are alike.
  void make_three() {
    add(used_run("recall"));
    runs_[0]->name = "Große Gates";
    runs_[0]->screen = R"({"room": "train"})";
    runs_[0]->cursor = 3;
    add(used_run("text"));
    RunSpec small;
    small.model = small_mlstm();
    small.model->vocab_size = 0;
    small.train = TrainSpec{.batch_size = 2, .sequence_length = 7, .seed = 3};
    add(make_run(make_task("parity"), small));
    runs_[2]->sequence->set_clamps({{"block0/mlstm/v", 0, 1, 0, 2, 0.25f, true}});
  }
  BenchRecord record() const {
    BenchRecord record;
    for (std::size_t i = 0; i < runs_.size(); ++i)
      record.runs.push_back({record_of(*runs_[i]), static_cast<int>(7 - i), i != 1});
    record.focus = static_cast<int>(runs_.size()) - 1;
    return record;
  }
  OpenedBench load() const { return load_bench(read_safetensors(path_)); }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "bench.xlab";
  std::vector<std::unique_ptr<LabRun>> runs_;
};

TEST_F(BenchFiles, EverythingComesBack) {
  make_three();
  save_bench(record(), path_);
  const OpenedBench opened = load();
  ASSERT_EQ(opened.runs.size(), 3u);
  EXPECT_EQ(opened.focus, 2);
  BenchRecord again;
  again.focus = opened.focus;
  for (std::size_t i = 0; i < 3; ++i) {
    SCOPED_TRACE(i);
    const LabRun& run = *opened.runs[i].run;
    if (i < 2) expect_same(*runs_[i], run);
    EXPECT_EQ(opened.runs[i].colour, static_cast<int>(7 - i));
    EXPECT_EQ(opened.runs[i].shown, i != 1);
    EXPECT_EQ(run.name, runs_[i]->name);
    EXPECT_EQ(run.screen, runs_[i]->screen);
    EXPECT_EQ(run.cursor, runs_[i]->cursor);
    EXPECT_EQ(run.sequence->clamps(), runs_[i]->sequence->clamps());
    again.runs.push_back({record_of(run), opened.runs[i].colour, opened.runs[i].shown});
  }
  EXPECT_NO_THROW(look_at_run(path_));
  const std::string bytes = bytes_of_file(path_);
  save_bench(again, path_);
  EXPECT_EQ(bytes_of_file(path_), bytes) << "saving what was loaded gives the same file";
}

TEST_F(BenchFiles, EachRunIsWhatItsOwnFileWouldHold) {
  make_three();
  save_bench(record(), path_);
  const SafetensorsFile bench = read_safetensors(path_);
  std::size_t tensors = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    save_run(*runs_[i], folder_ / "one.xlab");
    const SafetensorsFile one = read_safetensors(folder_ / "one.xlab");
    const SafetensorsFile part = bench.under(fmt::format("run{}/", i + 1));
    EXPECT_EQ(part.metadata().at("xlab"), one.metadata().at("xlab"));
    ASSERT_EQ(part.tensors().size(), one.tensors().size());
    tensors += part.tensors().size();
    for (const StoredTensor& tensor : one.tensors()) {
      EXPECT_EQ(part.at(tensor.name).shape, tensor.shape);
      EXPECT_TRUE(std::ranges::equal(part.at(tensor.name).bytes, tensor.bytes)) << tensor.name;
    }
  }
  EXPECT_EQ(bench.tensors().size(), tensors) << "nothing else is in it";
}

TEST_F(BenchFiles, ATextThatSeveralShareIsStoredOnce) {
  for (const char* task : {"text", "bpe", "recall", "text", "bpe", "bytes"}) add(used_run(task));
  save_bench(record(), path_);
  std::set<std::string> data;
  const SafetensorsFile stored_file = read_safetensors(path_);
  for (const StoredTensor& tensor : stored_file.tensors())
    if (tensor.name.find("/d/") != std::string::npos) data.insert(tensor.name);
  EXPECT_THAT(data, ElementsAre("run1/d/text", "run2/d/tokenizer", "run2/d/tokens", "run6/d/text"))
      << "the same words read by bytes are other data";
  const OpenedBench opened = load();
  for (std::size_t i = 0; i < runs_.size(); ++i) expect_same(*runs_[i], *opened.runs[i].run);
  EXPECT_EQ(opened.runs[0].run->task, opened.runs[3].run->task) << "in memory it is there once too";
  EXPECT_EQ(opened.runs[1].run->task, opened.runs[4].run->task);
  EXPECT_NE(opened.runs[0].run->task, opened.runs[5].run->task);
  // Alone each of them comes with its data as well.
  expect_same(*runs_[3], *load_named_run(stored_file, "4"));
  expect_same(*runs_[4], *load_named_run(stored_file, "5"));
}

TEST_F(BenchFiles, ModelsOfOneTokenizerMayKnowMoreTokensThanIt) {
  const auto tokens_run = [](int more) {
    const auto tokenizer = tokenizer_named(kTokenizers / "neox.json");
    RunSpec spec;
    spec.model = small_mlstm();
    spec.model->vocab_size = tokenizer->vocab_size() + more;
    return make_run(make_tokens_task(spec.model->vocab_size, tokenizer), spec);
  };
  add(tokens_run(0));
  add(tokens_run(3));
  save_bench(record(), path_);
  EXPECT_FALSE(read_safetensors(path_).contains("run2/d/tokenizer"));
  const OpenedBench opened = load();
  EXPECT_EQ(opened.runs[1].run->task->vocabulary(), runs_[1]->task->vocabulary());
  EXPECT_EQ(opened.runs[0].run->task->vocabulary(), runs_[0]->task->vocabulary());
}

TEST_F(BenchFiles, ARunIsNamedOrNumbered) {
  make_three();
  runs_[2]->name = "7";
  save_bench(record(), path_);
  const SafetensorsFile file = read_safetensors(path_);
  EXPECT_THAT(names_of_runs(file), ElementsAre("Große Gates", "some text.txt", "7"));
  expect_same(*runs_[0], *load_named_run(file, "Große Gates"));
  expect_same(*runs_[1], *load_named_run(file, "2"));
  EXPECT_EQ(load_named_run(file, "7")->task->name(), "parity");
  EXPECT_THAT(
      complaint([&] { load_named_run(file, ""); }),
      AllOf(HasSubstr("bench.xlab' holds 3 runs: 1 'Große Gates', 2 'some text.txt', 3 '7'"),
            HasSubstr("which one")));
  for (const char* wrong : {"4", "0", "-1", "Recall", " 2"})
    EXPECT_THAT(complaint([&] { load_named_run(file, wrong); }),
                AllOf(HasSubstr(fmt::format("no run '{}'", wrong)), HasSubstr("Große Gates")));
  EXPECT_THAT(complaint([&] { load_run(path_); }), HasSubstr("several runs"));
  runs_[0]->name = "7";
  save_bench(record(), path_);
  EXPECT_THAT(complaint([&] { load_named_run(read_safetensors(path_), "7"); }),
              HasSubstr("several runs '7'"));
  // A bench of one run needs no name; a file of one run has none.
  runs_.resize(1);
  save_bench(record(), path_);
  expect_same(*runs_[0], *load_named_run(read_safetensors(path_), ""));
  save_run(*runs_[0], path_);
  expect_same(*runs_[0], *load_named_run(read_safetensors(path_), ""));
  EXPECT_THAT(complaint([&] { load_named_run(read_safetensors(path_), "1"); }),
              HasSubstr("one run alone"));
  EXPECT_THAT(complaint([&] { load(); }), HasSubstr("holds no bench"));
}

TEST_F(BenchFiles, NoRunAndTooManyAreNotSaved) {
  EXPECT_THAT(complaint([&] { save_bench({}, path_); }), HasSubstr("1 to 32 runs, not 0"));
  const auto run = make_run(make_task("parity"));
  BenchRecord many;
  for (int i = 0; i < 33; ++i) many.runs.push_back({.run = record_of(*run)});
  EXPECT_THAT(complaint([&] { save_bench(many, path_); }), HasSubstr("not 33"));
  EXPECT_FALSE(std::filesystem::exists(path_));
  many.runs.pop_back();
  save_bench(many, path_);
  EXPECT_EQ(load().runs.size(), 32u);
}

TEST_F(BenchFiles, AFullDiskLeavesTheFileOfBefore) {
  make_three();
  save_bench(record(), path_);
  const std::string before = bytes_of_file(path_);
  runs_[1]->name = "another";
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{before.size() / 2, before.size() / 2};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string said = complaint([&] { save_bench(record(), path_); });
    ::_exit(said.find("bench.xlab") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "a sentence that names the file";
  EXPECT_EQ(bytes_of_file(path_), before);
}

// ---- wrong files --------------------------------------------------------------------------------

/// A saved bench taken apart, to be put together wrongly.
class WrongBenches : public BenchFiles {
 protected:
  WrongBenches() {
    add(used_run("text"));
    add(used_run("recall"));
    add(used_run("text"));
    save_bench(record(), path_);
    const SafetensorsFile file = read_safetensors(path_);
    tensors_ = file.tensors();
    metadata_ = file.metadata();
    list_ = json::parse(metadata_.at("xlab"));
  }
  SafetensorsFile file() const {
    SafetensorsHeader header{metadata_, {}};
    std::string numbers;
    for (const StoredTensor& t : tensors_) {
      header.tensors.push_back({t.name, t.type, t.shape, numbers.size(), 0});
      numbers.append(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size());
      header.tensors.back().end = numbers.size();
    }
    const std::string bytes = encode_header(header) + numbers;
    return parse_safetensors(std::as_bytes(std::span(bytes)), "bench.xlab");
  }
  std::string answer() const {
    return complaint([&] { load_bench(file()); });
  }
  std::string answer_to_text(const std::string& list) {
    const std::string before = std::exchange(metadata_["xlab"], list);
    const std::string said = answer();
    metadata_["xlab"] = before;
    return said;
  }
  std::string answer_to(const std::string& place, const json& value) {
    json list = list_;
    list[json::json_pointer(place)] = value;
    return answer_to_text(list.dump());
  }

  std::vector<StoredTensor> tensors_;
  Metadata metadata_;
  json list_;
};

TEST_F(WrongBenches, PutTogetherRightlyTheyAreFine) {
  EXPECT_EQ(answer(), kFine);
}

TEST_F(WrongBenches, EveryMissingTensorIsNamedWithItsRun) {
  const std::vector<StoredTensor> all = tensors_;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name.find("/c/") != std::string::npos) continue;
    tensors_ = all;
    tensors_.erase(tensors_.begin() + static_cast<std::ptrdiff_t>(i));
    const std::string run = all[i].name.substr(3, 1), name = all[i].name.substr(5);
    EXPECT_THAT(answer(), AllOf(HasSubstr("bench.xlab"), HasSubstr("run " + run + " of the bench"),
                                HasSubstr("'" + name + "'")));
  }
}

TEST_F(WrongBenches, TensorsOfNoRunAreNamed) {
  for (const std::string name : {"p/extra", "run4/p/extra", "run0/p/x", "runs", "run1x/p/a"}) {
    tensors_.push_back(stored<float>(name, {1}, {2}));
    EXPECT_THAT(answer(), AllOf(HasSubstr("'" + name + "'"), HasSubstr("bench.xlab")));
    tensors_.pop_back();
  }
  tensors_.push_back(stored<float>("run2/p/extra", {1}, {2}));
  EXPECT_THAT(answer(), HasSubstr("'p/extra' is unknown to this model"));
}

TEST_F(WrongBenches, EveryValueOfTheListIsChecked) {
  for (const char* key : {"focus", "runs"}) {
    json list = list_;
    list.erase(key);
    EXPECT_THAT(answer_to_text(list.dump()), AllOf(HasSubstr(key), HasSubstr("bench.xlab")));
  }
  for (const json& format : {json(1), json(9), json("2")})
    EXPECT_THAT(answer_to("/format", format),
                HasSubstr("has format " + format.dump() + ", but this version reads format 2"));
  EXPECT_THAT(answer_to("/focus", 0), HasSubstr("'focus'"));
  EXPECT_THAT(answer_to("/focus", 4), HasSubstr("from 1 to 3"));
  EXPECT_THAT(answer_to("/focus", 1e300), HasSubstr("'focus'"));
  EXPECT_THAT(answer_to("/runs", json::array()), HasSubstr("1 to 32 runs"));
  EXPECT_THAT(answer_to("/runs", json(std::vector<json>(33, list_["runs"][0]))),
              HasSubstr("1 to 32 runs"));
  EXPECT_THAT(answer_to("/runs/3", list_["runs"][0]), HasSubstr("run 4 of the bench"));
  EXPECT_THAT(answer_to("/runs/1/colour", 8), HasSubstr("'colour'"));
  EXPECT_THAT(answer_to("/runs/1/colour", -1), HasSubstr("'colour'"));
  EXPECT_NE(answer_to("/runs/1/shown", 1), kFine);
  ASSERT_EQ(list_["runs"][2]["data"], 1);
  EXPECT_THAT(answer_to("/runs/0/data", 1), HasSubstr("first run"));
  EXPECT_THAT(answer_to("/runs/2/data", 3), HasSubstr("'data'"));
  EXPECT_THAT(answer_to("/runs/2/data", 2), HasSubstr("says something else about it"));
  EXPECT_THAT(answer_to("/runs/1/data", 1), HasSubstr("says something else about it"));
  json list = list_;
  list["runs"][1]["data"] = 1;
  list["runs"][2]["data"] = 2;
  EXPECT_THAT(answer_to_text(list.dump()), HasSubstr("none of its own"));
  list = list_;
  list["runs"][2].erase("data");
  EXPECT_THAT(answer_to_text(list.dump()), HasSubstr("d/text"));
  metadata_.erase("run2/xlab");
  EXPECT_THAT(answer(), AllOf(HasSubstr("run 2 of the bench"), HasSubstr("description")));
  // The others can be taken out.
  EXPECT_THAT(names_of_runs(file()), ElementsAre(Not(""), "", Not("")));
  EXPECT_EQ(load_named_run(file(), "3")->task->text() != nullptr, true);
  EXPECT_THAT(complaint([&] { load_named_run(file(), "2"); }), HasSubstr("description is missing"));
  EXPECT_THAT(complaint([&] { load_named_run(file(), ""); }), HasSubstr("2 (cannot be read)"));
}

TEST_F(WrongBenches, WhatIsStrangeIsRefusedInASentenceOrUsable) {
  const json strange[] = {nullptr,
                          "x",
                          -1,
                          1e300,
                          0.5,
                          true,
                          json::array(),
                          json::object(),
                          std::numeric_limits<std::uint64_t>::max()};
  int refused = 0;
  const auto look = [&](const std::string& key) {
    const std::string text = metadata_.at(key);
    const json flat = json::parse(text).flatten();
    for (const auto& [place, value] : flat.items()) {
      for (const json& other : strange) {
        json changed = json::parse(text);
        changed[json::json_pointer(place)] = other;
        metadata_[key] = changed.dump();
        std::string said;
        ASSERT_NO_THROW(said = answer()) << key << place << " = " << other;
        if (said == kFine) continue;
        ++refused;
        EXPECT_THAT(said, ContainsRegex("[A-Z'].*\\.$")) << key << place << " = " << other;
      }
    }
    metadata_[key] = text;
  };
  look("xlab");
  look("run3/xlab");
  EXPECT_GE(refused, 200);
}

TEST_F(WrongBenches, DamagedBytesNeverHarm) {
  const std::string whole = bytes_of_file(path_);
  std::uint64_t length = 0;
  std::memcpy(&length, whole.data(), sizeof length);
  std::mt19937 random(7);
  for (int i = 0; i < 1500; ++i) {
    std::string bytes = whole;
    // Of the header most, since numbers may be any.
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes)
      bytes[random() % (8 + length)] = static_cast<char>(random());
    if (i % 10 == 0) bytes.resize(random() % bytes.size());
    std::string said = kFine;
    ASSERT_NO_THROW(said = complaint([&] {
                      load_bench(parse_safetensors(std::as_bytes(std::span(bytes)), "bench.xlab"));
                    }));
    if (said != kFine) {
      EXPECT_THAT(said, HasSubstr("bench.xlab"));
    }
  }
}

}  // namespace
}  // namespace xlab::tests
