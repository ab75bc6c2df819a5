// The command line as a person meets it: the program itself, its answers, its exit codes and its
// files.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench_bytes.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Arguments = std::vector<std::string>;

struct Answer {
  int code = -1;  ///< exit code, or 128 + signal
  std::string out, err;
};

/// The program, started with its output in files, or with stderr in a pipe to be read as it comes.
class Program {
 public:
  Program(const Arguments& arguments, const std::string& out, const std::string& err,
          const std::string& in = "/dev/null")
      : Program(arguments, out, ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), in) {}

  Program(const Arguments& arguments, const std::string& out, int err,
          const std::string& in = "/dev/null") {
    std::vector<std::string> words = {XLAB_XLSTM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(::open(in.c_str(), O_RDONLY), STDIN_FILENO);
      ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
      ::dup2(err, STDERR_FILENO);
      ::execv(argv.front(), argv.data());
      ::_exit(127);
    }
    ::close(err);
  }
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(int signal) const { ::kill(pid_, signal); }
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

class CommandLine : public testing::Test {
 protected:
  CommandLine() {
    put_file(folder_ / "small.json", R"({"model": {"embedding_dim": 8, "num_blocks": 2,
      "slstm_at": [1], "mlstm_block": {"mlstm": {"num_heads": 2,
      "round_proj_up_to_multiple_of": 8}}, "slstm_block": {"slstm": {"num_heads": 2},
      "feedforward": {"round_proj_up_to_multiple_of": 8}}},
      "train": {"batch_size": 4, "sequence_length": 16, "warmup_steps": 3,
      "decay_until_step": 20}})");
    std::string text;
    for (int i = 0; i < 30; ++i) text += "to be or not to be, that is the question.\n";
    put_file(folder_ / "text.txt", text);
  }

  std::string at(const std::string& name) const { return folder_ / name; }
  Answer run(const Arguments& arguments, const std::string& out = {},
             const std::string& in = "/dev/null") const {
    Answer answer;
    answer.code = Program(arguments, out.empty() ? at("out") : out, at("err"), in).wait();
    answer.out = bytes_of_file(at("out"));
    answer.err = bytes_of_file(at("err"));
    return answer;
  }
  /// Trains a small run, in the place of any before; further arguments follow.
  Answer train(const std::string& name, Arguments more) const {
    Arguments arguments = {"train", "--force", "--out", at(name)};
    if (std::find(more.begin(), more.end(), "--resume") == more.end())
      arguments.insert(arguments.end(), {"--spec", at("small.json")});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  std::string signature(const std::string& name) const {
    const Answer answer = run({"signature", at(name)});
    EXPECT_EQ(answer.code, 0) << answer.err;
    EXPECT_THAT(answer.out, ContainsRegex("^[0-9a-f]{16}\n$"));
    return answer.out;
  }
  /// Refused with one line on stderr, nothing on stdout.
  void expect_refusal(const Arguments& arguments, int code, const std::string& said) const {
    const Answer answer = run(arguments);
    std::string line;
    for (const std::string& word : arguments) line += word + " ";
    EXPECT_EQ(answer.code, code) << line << answer.err;
    EXPECT_EQ(answer.out, "") << line;
    EXPECT_THAT(answer.err, AllOf(StartsWith("xlstm: "), HasSubstr(said))) << line;
    EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << line << answer.err;
    EXPECT_TRUE(answer.err.ends_with(".\n")) << line << answer.err;
  }

  TemporaryFolder folder_;
};

// ---- help and wrong arguments -------------------------------------------------------------------

TEST_F(CommandLine, HelpNamesEveryOption) {
  const std::map<std::string, std::vector<std::string>> options = {
      {"",
       {"train", "generate", "selfcheck", "trace", "export", "signature", "info", "--help",
        "--version"}},
      {"train",
       {"--task", "--text", "--out", "--spec", "--model", "--resume", "--steps", "--seconds",
        "--seed", "--threads", "--log", "--force", "--run", "recall", "parity", "copy"}},
      {"generate",
       {"file", "--prompt", "--tokens", "--temperature", "--top-k", "--top-p", "--seed",
        "--threads", "--bf16", "--weights"}},
      {"trace",
       {"model", "--prompt", "--ids", "--text", "--out", "--values", "--memory", "--most", "--run",
        "--device", "--precision", "--threads", "--weights"}},
      {"logits", {"--weights"}},
      {"export", {"file", "folder", "--bf16", "--force"}},
      {"selfcheck", {"file", "--seed", "--threads", "--damage", "--weights", "--text", "--tokens"}},
      {"signature", {"file", "--run"}},
      {"check", {"place", "--json"}},
      {"info", {"file", "--run"}}};
  for (const auto& [command, names] : options) {
    for (const char* flag : {"--help", "-h"}) {
      const Answer answer = run(command.empty() ? Arguments{flag} : Arguments{command, flag});
      EXPECT_EQ(answer.code, 0) << command;
      EXPECT_EQ(answer.err, "") << command;
      for (const std::string& name : names) {
        EXPECT_THAT(answer.out, HasSubstr(name)) << command;
        // Newer versions of CLI11 take an argument and an option of one name for the same.
        if (!name.starts_with("--")) {
          EXPECT_THAT(answer.out, Not(ContainsRegex("--" + name + "[ ,=]"))) << command;
        }
      }
    }
  }
  const Answer version = run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, ContainsRegex("^[0-9]+\\.[0-9]+\\.[0-9]+\n$"));
}

TEST_F(CommandLine, WrongArgumentsAreAnsweredInOneLine) {
  const std::string out = at("never.xlab");
  const Arguments task = {"train", "--task", "copy", "--out", out};
  const auto with = [&](Arguments more) {
    Arguments all = task;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const std::vector<std::pair<Arguments, std::string>> wrong = {
      {{}, "A command is missing; the commands are train, generate, selfcheck"},
      {{"fly"}, "'fly' is no command; the commands are train, generate, selfcheck"},
      {{"--fast"}, ""},
      {{"train"}, "--out"},
      {{"train", "--task", "copy"}, "--out"},
      {{"train", "--task", "copy", "--out", ""}, "--out needs the name of a file"},
      {{"logits", out, "--ids", "1", "--out", ""}, "--out needs the name of a file"},
      {{"trace", out, "--ids", "1", "--out", ""}, "--out needs the name of a file"},
      {{"trace", out, "--out", out},
       "one of --prompt TEXT, --ids NUMBERS, --text FILE and --series FILE"},
      {{"trace", out, "--ids", "1", "--prompt", "a", "--out", out}, "one of --prompt TEXT"},
      {{"trace", out, "--text", "a", "--prompt", "a", "--out", out}, "one of --prompt TEXT"},
      {{"trace", out, "--ids", "1,,2", "--out", at("t")}, "a number is missing"},
      {{"trace", out, "--ids", "1", "--most", "0", "--out", at("t")}, "a number larger than 0"},
      {{"export", out, ""}, "needs a name"},
      {{"train", "--out", out}, "--task NAME or --text FILE"},
      {{"train", "--task", "explorer", "--out", out}, "not trained"},
      {with({"--text", at("text.txt")}), "not both"},
      {{"train", "--task", "sorting", "--out", out}, "recall, parity, copy"},
      {with({"--speed", "3"}), "--speed"},
      {with({"more"}), "This argument was not expected: more."},
      {with({"zebra", "apple"}), "These arguments were not expected: zebra apple."},
      {with({"--steps"}), "--steps"},
      {with({"--steps", "0"}), "--steps"},
      {with({"--steps", "-5"}), "--steps"},
      {with({"--steps", "many"}), "--steps"},
      {with({"--steps", "1.5"}), "--steps"},
      {with({"--steps", "9223372036854775807"}), "--steps"},
      {with({"--steps", "99999999999999999999"}), "--steps"},
      {with({"--seconds", "0"}), "--seconds"},
      {with({"--seconds", "-1"}), "--seconds: '-1' is not a number larger than 0"},
      {with({"--seconds", "nan"}), "--seconds"},
      {with({"--seconds", "inf"}), "--seconds"},
      {with({"--seed", "-1"}), "--seed"},
      {with({"--seed", "9007199254740993"}), "--seed"},
      {with({"--threads", "-1"}), "--threads"},
      {with({"--threads", "100000"}), "--threads"},
      {{"train", "--resume", out, "--seed", "3", "--out", out}, "leave --spec and --seed away"},
      {{"train", "--resume", out, "--spec", out, "--out", out}, "leave --spec and --seed away"},
      {{"train", "--resume", out, "--model", at(""), "--out", out}, "leave --model away"},
      {with({"--spec", at("small.json"), "--model", at("")}), "--model brings its own"},
      {{"export", out}, "folder"},
      {{"export", at(""), at("")}, "another one"},
      {{"train", "--resume", out, "--tokenizer", "bytes", "--out", out}, "leave --tokenizer away"},
      {with({"--tokenizer", "bytes"}), "--tokenizer is for a text"},
      {{"train", "--text", at("text.txt"), "--out", at("text.txt")}, "overwritten"},
      {{"train", "--text", at("text.txt"), "--out", out, "--log", at("text.txt")}, "overwritten"},
      {with({"--spec", at("small.json"), "--log", at("small.json")}), "overwritten"},
      {with({"--log", out}), "--log"},
      {{"generate"}, "file"},
      {{"generate", out}, "--prompt"},
      {{"generate", out, "--prompt", "a", "--tokens", "-1"}, "--tokens"},
      {{"generate", out, "--prompt", "a", "--temperature", "-0.5"}, "temperature"},
      {{"generate", out, "--prompt", "a", "--temperature", "nan"}, "temperature"},
      {{"generate", out, "--prompt", "a", "--temperature", "warm"}, "--temperature"},
      {{"generate", out, "--prompt", "a", "--top-k", "-1"}, "top-k"},
      {{"generate", out, "--prompt", "a", "--top-p", "0"}, "top-p"},
      {{"generate", out, "--prompt", "a", "--top-p", "1.1"}, "top-p"},
      {{"generate", out, "--prompt", "a", "--seed", "-1"}, "--seed"},
      {{"selfcheck"}, "file"},
      {{"selfcheck", out, "--damage", "much"}, "--damage"},
      {{"signature"}, "file"},
      {{"signature", out, out}, ""},
      {{"info"}, "file"},
      {{"info", out, "--run", ""}, "--run: It is empty."},
      {{"train", "--text", at("text.txt"), "--tokenizer", "", "--out", out},
       "--tokenizer: It is empty."}};
  for (const auto& [arguments, said] : wrong) expect_refusal(arguments, 2, said);
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_THAT(bytes_of_file(at("text.txt")), StartsWith("to be")) << "nothing was overwritten";
  EXPECT_THAT(bytes_of_file(at("small.json")), StartsWith("{"));
}

TEST_F(CommandLine, FilesThatCannotBeUsedAreAnsweredInOneLine) {
  put_file(at("empty.txt"), "");
  put_file(at("one.txt"), "a");
  put_file(at("binary.txt"), std::string("ab\0cd", 5));
  put_file(at("broken.json"), "{\"model\": ");
  put_file(at("unknown.json"), "{\"model\": {\"embeding_dim\": 4}}");
  put_file(at("huge.json"),
           "{\"model\": {\"embedding_dim\": 8192, \"num_blocks\": 256, "
           "\"mlstm_block\": {}}}");
  put_file(at("deep.json"), std::string(100'000, '['));
  put_file(at("garbage.xlab"), "no run, no tensors, but long enough to be looked at closely");
  put_file(at("empty.xlab"), "");
  const std::string out = at("never.xlab");
  const auto text = [&](const std::string& name) {
    return Arguments{"train", "--text", at(name), "--out", out};
  };
  const auto spec = [&](const std::string& name) {
    return Arguments{"train", "--task", "copy", "--out", out, "--spec", at(name)};
  };
  const std::vector<std::pair<Arguments, std::string>> wrong = {
      {text("missing.txt"), "missing.txt"},
      {text("empty.txt"), "empty"},
      {text("one.txt"), "at least two"},
      {text("binary.txt"), "binary"},
      {{"train", "--text", folder_.path(), "--out", out}, "folder"},
      {spec("missing.json"), "missing.json"},
      {spec("broken.json"), "not valid JSON"},
      {spec("unknown.json"), "'embeding_dim'"},
      {spec("huge.json"), "GB"},
      {spec("deep.json"), "nested deeper"},
      {{"train", "--task", "copy", "--out", at("no/such/folder.xlab")}, "--out"},
      {{"train", "--task", "copy", "--out", out, "--log", at("no/such/log")}, "log"},
      {{"train", "--resume", at("garbage.xlab"), "--out", out}, "garbage.xlab"},
      {{"generate", at("missing.xlab"), "--prompt", "a"}, "missing.xlab"},
      {{"generate", at("garbage.xlab"), "--prompt", "a"}, "garbage.xlab"},
      {{"selfcheck", at("garbage.xlab")}, "garbage.xlab"},
      {{"signature", at("empty.xlab")}, "empty.xlab"},
      {{"info", at("garbage.xlab")}, "garbage.xlab"},
      {{"info", folder_.path()}, "folder"},
      {{"export", folder_.path(), at("copy")}, "holds neither"},
      {{"train", "--task", "copy", "--model", at("text.txt"), "--out", out}, "no model folder"},
      {{"generate", folder_.path(), "--prompt", "1"}, "holds neither"},
      {{"info", "/dev/zero"}, "/dev/zero"}};
  for (const auto& [arguments, said] : wrong) expect_refusal(arguments, 1, said);
  EXPECT_FALSE(std::filesystem::exists(out));
}

// ---- training -----------------------------------------------------------------------------------

TEST_F(CommandLine, TrainingSavesARun) {
  const Answer answer = train("run.xlab", {"--task", "recall", "--steps", "5"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(answer.out, "");
  EXPECT_THAT(answer.err, AllOf(HasSubstr("step 5  loss "), HasSubstr("nats per token"),
                                HasSubstr("tokens/s"), HasSubstr("Done after 5 steps")));
  signature("run.xlab");
}

TEST_F(CommandLine, ThreadsAndRepetitionChangeNoBit) {
  // The default model, so that there is work to share.
  const auto trained = [&](const std::string& threads, const std::string& seed) {
    EXPECT_EQ(run({"train", "--task", "recall", "--out", at("run.xlab"), "--steps", "4",
                   "--threads", threads, "--seed", seed, "--force"})
                  .code,
              0);
    return signature("run.xlab");
  };
  const std::string once = trained("1", "7");
  EXPECT_EQ(trained("1", "7"), once);
  EXPECT_EQ(trained("2", "7"), once);
  EXPECT_EQ(trained("3", "7"), once);
  EXPECT_NE(trained("1", "8"), once);
}

TEST_F(CommandLine, ResumingIsExact) {
  for (const Arguments& data :
       {Arguments{"--task", "parity"}, Arguments{"--text", at("text.txt")}}) {
    const auto with_data = [&](Arguments more) {
      more.insert(more.begin(), data.begin(), data.end());
      return more;
    };
    EXPECT_EQ(train("whole.xlab", with_data({"--steps", "12"})).code, 0);
    EXPECT_EQ(train("part.xlab", with_data({"--steps", "5", "--threads", "1"})).code, 0);
    EXPECT_NE(signature("part.xlab"), signature("whole.xlab"));
    // Its data comes with it, and may be named again.
    EXPECT_EQ(train("part.xlab", {"--resume", at("part.xlab"), "--steps", "4"}).code, 0);
    const Answer last =
        train("rest.xlab", with_data({"--resume", at("part.xlab"), "--steps", "3"}));
    EXPECT_EQ(last.code, 0) << last.err;
    EXPECT_THAT(last.err, HasSubstr("Done after 12 steps"));
    EXPECT_EQ(signature("rest.xlab"), signature("whole.xlab")) << data.back();
  }
}

TEST_F(CommandLine, ResumingWithOtherDataIsRefused) {
  train("run.xlab", {"--text", at("text.txt"), "--steps", "2"});
  put_file(at("other.txt"), "something else entirely");
  const std::string run = at("run.xlab"), out = at("out.xlab");
  expect_refusal({"train", "--resume", run, "--text", at("other.txt"), "--out", out}, 1,
                 "trained on other data");
  expect_refusal({"train", "--resume", run, "--task", "copy", "--out", out}, 1,
                 "trained on other data");
}

TEST_F(CommandLine, WithoutStepsItTrainsToTheEndOfTheSchedule) {
  EXPECT_EQ(train("run.xlab", {"--task", "copy", "--steps", "15"}).code, 0);
  const Answer rest = train("run.xlab", {"--resume", at("run.xlab")});
  EXPECT_THAT(rest.err, HasSubstr("Done after 20 steps"));
  expect_refusal({"train", "--resume", at("run.xlab"), "--out", at("run.xlab")}, 1,
                 "finished its schedule of 20 steps");
}

TEST_F(CommandLine, SecondsEndTraining) {
  const auto start = std::chrono::steady_clock::now();
  const Answer answer = train("run.xlab", {"--task", "copy", "--seconds", "0.3"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  EXPECT_EQ(train("run.xlab", {"--task", "copy", "--seconds", "1e300", "--steps", "3"}).code, 0);
}

TEST_F(CommandLine, TheLogHoldsOneObjectAStep) {
  const auto read_log = [&] {
    std::vector<json> lines;
    std::istringstream log(bytes_of_file(at("log.jsonl")));
    for (std::string line; std::getline(log, line);) lines.push_back(json::parse(line));
    return lines;
  };
  train("run.xlab", {"--task", "copy", "--steps", "6", "--log", at("log.jsonl")});
  EXPECT_EQ(read_log().size(), 6u);
  train("run.xlab", {"--resume", at("run.xlab"), "--steps", "3", "--log", at("log.jsonl")});
  const auto lines = read_log();
  ASSERT_EQ(lines.size(), 9u) << "resuming goes on with the log";
  double seconds = 0.0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::set<std::string> keys;
    for (const auto& [key, value] : lines[i].items()) {
      keys.insert(key);
      EXPECT_TRUE(value.is_number()) << key;
    }
    EXPECT_EQ(keys, (std::set<std::string>{"step", "loss", "tokens_per_second", "seconds"}));
    EXPECT_EQ(lines[i]["step"], i + 1) << "counted as on the terminal";
    EXPECT_GT(lines[i]["loss"].get<double>(), 0.0);
    EXPECT_GT(lines[i]["tokens_per_second"].get<double>(), 0.0);
    if (i != 6) {
      EXPECT_GE(lines[i]["seconds"].get<double>(), seconds);
    }
    seconds = lines[i]["seconds"].get<double>();
  }
  train("run.xlab", {"--task", "copy", "--steps", "2", "--log", at("log.jsonl")});
  EXPECT_EQ(read_log().size(), 2u) << "a new run begins a new log";
}

TEST_F(CommandLine, ALogThatCannotBeWrittenStopsTrainingButLosesNothing) {
  const Answer answer = train("run.xlab", {"--task", "copy", "--steps", "6", "--log", "/dev/full"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.err, HasSubstr("Writing the log file '/dev/full' failed"));
  signature("run.xlab");
}

TEST_F(CommandLine, WhoeverReadsTheProgressMayGoAndTheRunIsSaved) {
  const Arguments train = {"train",          "--task",  "recall", "--spec",
                           at("small.json"), "--steps", "40",     "--out"};
  const auto to = [&](const std::string& out) {
    Arguments arguments = train;
    arguments.push_back(at(out));
    return arguments;
  };
  // A full disk takes no progress.
  Program full(to("full.xlab"), at("out"), ::open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(full.wait(), 0);
  // Nor does a pipe that nobody reads.
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[0]);
  Program pipe(to("pipe.xlab"), at("out"), ends[1]);
  EXPECT_EQ(pipe.wait(), 0);
  this->train("told.xlab", {"--task", "recall", "--steps", "40"});
  for (const char* out : {"full.xlab", "pipe.xlab"})
    EXPECT_EQ(signature(out), signature("told.xlab"));
}

TEST_F(CommandLine, SignalsSaveAndEndInOrder) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Program program({"train", "--task", "recall", "--spec", at("small.json"), "--steps",
                     "1000000000", "--out", at("run.xlab"), "--force"},
                    at("out"), ends[1]);
    // It says how far it is after the first step.
    std::string said;
    char buffer[256];
    const auto read_more = [&] {
      const ssize_t count = ::read(ends[0], buffer, sizeof buffer);
      if (count > 0) said.append(buffer, static_cast<std::size_t>(count));
      return count > 0;
    };
    while (said.find("step 1 ") == std::string::npos && read_more()) {
    }
    const auto start = std::chrono::steady_clock::now();
    program.send(signal);
    EXPECT_EQ(program.wait(), 0) << said;
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
    while (read_more()) {
    }
    ::close(ends[0]);
    EXPECT_THAT(said, HasSubstr("Interrupted after "));

    const std::size_t at_step = said.find("Interrupted after ") + 18;
    const std::string steps = said.substr(at_step, said.find(' ', at_step) - at_step);
    EXPECT_THAT(run({"info", at("run.xlab")}).out, HasSubstr(steps + " steps of"));
    EXPECT_EQ(train("on.xlab", {"--resume", at("run.xlab"), "--steps", "2"}).code, 0);
    EXPECT_EQ(
        train("whole.xlab", {"--task", "recall", "--steps", std::to_string(std::stoll(steps) + 2)})
            .code,
        0);
    EXPECT_EQ(signature("on.xlab"), signature("whole.xlab")) << "nothing was lost or doubled";
  }
}

TEST_F(CommandLine, AKilledTrainingLeavesTheLastSave) {
  EXPECT_EQ(train("run.xlab", {"--task", "recall", "--steps", "3"}).code, 0);
  const std::string before = signature("run.xlab");
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Program program(
      {"train", "--resume", at("run.xlab"), "--steps", "1000000000", "--out", at("run.xlab")},
      at("out"), ends[1]);
  std::string said;
  char buffer[256];
  for (ssize_t count = 1; count > 0 && said.find("step 4 ") == std::string::npos;) {
    count = ::read(ends[0], buffer, sizeof buffer);
    if (count > 0) said.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  program.send(SIGKILL);
  EXPECT_EQ(program.wait(), 128 + SIGKILL);
  EXPECT_EQ(signature("run.xlab"), before);
  // What is trained again is what would have been.
  EXPECT_EQ(train("again.xlab", {"--resume", at("run.xlab"), "--steps", "3"}).code, 0);
  EXPECT_EQ(train("whole.xlab", {"--task", "recall", "--steps", "6"}).code, 0);
  EXPECT_EQ(signature("again.xlab"), signature("whole.xlab"));
}

TEST_F(CommandLine, WhatIsTrainedIsSavedNowAndThen) {
  Program program({"train", "--task", "copy", "--spec", at("small.json"), "--seconds", "600",
                   "--out", at("run.xlab")},
                  at("out"), at("err"));
  for (int i = 0; i < 6000 && !std::filesystem::exists(at("run.xlab")); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  program.send(SIGKILL);
  EXPECT_EQ(program.wait(), 128 + SIGKILL);
  ASSERT_TRUE(std::filesystem::exists(at("run.xlab"))) << bytes_of_file(at("err"));
  const Answer on =
      run({"train", "--resume", at("run.xlab"), "--steps", "1", "--out", at("run.xlab")});
  EXPECT_EQ(on.code, 0) << on.err;
  EXPECT_THAT(on.err, Not(HasSubstr("after 1 steps"))) << "steps of before are in it";
}

TEST_F(CommandLine, TextThatIsNotUtf8IsReadAsBytesAndThatIsSaid) {
  put_file(at("latin1.txt"),
           std::string("caf\xe9 au lait, caf\xe9 noir. ") + bytes_of_file(at("text.txt")));
  const Answer answer = train("run.xlab", {"--text", at("latin1.txt"), "--steps", "1"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("bytes"));
  EXPECT_THAT(run({"info", at("run.xlab")}).out, HasSubstr("bytes"));
  expect_refusal(
      {"train", "--text", at("latin1.txt"), "--tokenizer", "characters", "--out", at("other.xlab")},
      1, "UTF-8");
}

TEST_F(CommandLine, TrainingThatDivergesSavesAndSaysSo) {
  put_file(at("wild.json"), R"({"model": {"embedding_dim": 8, "mlstm_block": {"mlstm":
    {"num_heads": 2, "round_proj_up_to_multiple_of": 8}}}, "train": {"batch_size": 2,
    "sequence_length": 16, "learning_rate": 100, "min_learning_rate": 100, "warmup_steps": 0,
    "decay_until_step": 0, "weight_decay": 100, "gradient_clip": 0}})");
  const Answer answer = run({"train", "--task", "copy", "--spec", at("wild.json"), "--steps", "200",
                             "--out", at("run.xlab")});
  EXPECT_EQ(answer.code, 1) << answer.err;
  // The step that is named is the last one that was made.
  const std::string info = run({"info", at("run.xlab")}).out;
  const std::size_t end = info.find(" steps of ");
  const std::size_t begin = info.rfind(' ', end - 1) + 1;
  const std::string steps = info.substr(begin, end - begin);
  EXPECT_THAT(answer.err, HasSubstr("stopped after step " + steps + ": three steps in a row, " +
                                    std::to_string(std::stoi(steps) - 2) + " to " + steps +
                                    ", gave numbers that are not finite"));
  EXPECT_THAT(answer.err, HasSubstr("lower the learning rate"));
  signature("run.xlab");
}

/// Puts `value` into every number of a tensor of a safetensors file.
void fill_tensor(const std::string& path, const std::string& name, float value) {
  std::string bytes = bytes_of_file(path);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const json tensors = json::parse(bytes.substr(sizeof header, header));
  const std::size_t begin = tensors.at(name).at("data_offsets").at(0);
  const std::size_t end = tensors.at(name).at("data_offsets").at(1);
  for (std::size_t at = begin; at < end; at += sizeof value)
    std::memcpy(bytes.data() + sizeof header + header + at, &value, sizeof value);
  put_file(path, bytes);
}

TEST_F(CommandLine, TrainingThatNeverWorkedLeavesTheFileAlone) {
  train("good.xlab", {"--task", "copy", "--steps", "4"});
  const std::string good = bytes_of_file(at("good.xlab"));
  EXPECT_EQ(run({"export", at("good.xlab"), at("model")}).code, 0);
  const std::string weights = at("model/model.safetensors");
  const auto train_on = [&](const char* steps, const char* out) {
    return run({"train", "--model", at("model"), "--task", "copy", "--steps", steps, "--out",
                at(out), "--force"});
  };
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    fill_tensor(weights, "token_embedding.weight", bad);
    for (const char* out : {"good.xlab", "new.xlab"}) {
      const Answer answer = train_on("3", out);
      EXPECT_EQ(answer.code, 1);
      EXPECT_THAT(answer.err,
                  AllOf(HasSubstr("not finite before the first step"),
                        HasSubstr("token_embedding.weight"), Not(HasSubstr("three steps"))));
    }
  }
  EXPECT_FALSE(std::filesystem::exists(at("new.xlab")));
  // Finite, but too large to compute with: so many steps as were made, and no choice to blame.
  fill_tensor(weights, "token_embedding.weight", 3e38f);
  const Answer three = train_on("9", "good.xlab");
  EXPECT_EQ(three.code, 1);
  EXPECT_THAT(three.err, AllOf(HasSubstr("stopped after step 3: three steps in a row, 1 to 3,"),
                               HasSubstr("the largest is 3e+38"), Not(HasSubstr("stabilizer")),
                               HasSubstr("good.xlab' is left as it was")));
  for (const auto& [steps, said] : {std::pair{"1", "Step 1 gave"}, {"2", "Both steps, 1 and 2,"}}) {
    const Answer answer = train_on(steps, "good.xlab");
    EXPECT_EQ(answer.code, 1);
    EXPECT_THAT(answer.err, AllOf(HasSubstr(said), Not(HasSubstr("three steps"))));
  }
  EXPECT_TRUE(bytes_of_file(at("good.xlab")) == good) << "not a byte of it changed";
}

// ---- where a run goes ---------------------------------------------------------------------------

TEST_F(CommandLine, APlaceThatCannotTakeTheRunIsRefusedBeforeTheFirstStep) {
  std::filesystem::create_directory(at("taken"));
  std::filesystem::create_directory(at("locked"));
  put_file(at("file"), "x");
  std::filesystem::permissions(
      at("locked"), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  std::vector<std::pair<std::string, std::string>> places = {
      {at("taken"), "it is a folder"},
      {"/dev/full", "it is a device"},
      {at("file/run.xlab"), "does not exist or cannot be written to"}};
  if (::geteuid() != 0)
    places.emplace_back(at("locked/run.xlab"), "does not exist or cannot be written to");
  for (const auto& [place, said] : places)
    expect_refusal({"train", "--task", "copy", "--steps", "2", "--out", place}, 1, said);
  EXPECT_EQ(bytes_of_file(at("file")), "x");
}

TEST_F(CommandLine, ADiskThatIsTooSmallIsNoticedBeforeTheFirstStep) {
  rlimit small{}, before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Answer answer = run({"train", "--task", "copy", "--steps", "2", "--out", at("run.xlab")});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.err, AllOf(StartsWith("xlstm: Could not save"), Not(HasSubstr("step 2"))));
  EXPECT_FALSE(std::filesystem::exists(at("run.xlab")));
}

TEST_F(CommandLine, ARunThatCannotBeSavedWhereItShouldIsSavedElsewhere) {
  std::filesystem::create_directory(at("gone"));
  std::filesystem::create_directory(at("temporary"));
  const char* usual = std::getenv("TMPDIR");
  const std::string before = usual ? usual : "";
  ::setenv("TMPDIR", at("temporary").c_str(), 1);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Program program({"train", "--task", "recall", "--spec", at("small.json"), "--steps", "1000000000",
                   "--out", at("gone/run.xlab")},
                  at("out"), ends[1]);
  usual ? ::setenv("TMPDIR", before.c_str(), 1) : ::unsetenv("TMPDIR");
  std::string said;
  char buffer[256];
  const auto read_more = [&] {
    const ssize_t count = ::read(ends[0], buffer, sizeof buffer);
    if (count > 0) said.append(buffer, static_cast<std::size_t>(count));
    return count > 0;
  };
  while (said.find("step 1 ") == std::string::npos && read_more()) {
  }
  std::filesystem::remove(at("gone"));
  program.send(SIGINT);
  EXPECT_EQ(program.wait(), 1);
  while (read_more()) {
  }
  ::close(ends[0]);
  EXPECT_THAT(said, AllOf(HasSubstr("Could not save"), HasSubstr("gone/run.xlab"),
                          HasSubstr("is saved to '" + at("temporary"))));
  const std::size_t begin = said.find("is saved to '") + 13;
  const std::string place = said.substr(begin, said.find('\'', begin) - begin);
  EXPECT_EQ(run({"train", "--resume", place, "--steps", "1", "--out", place}).code, 0);
}

TEST_F(CommandLine, WhatIsNoRunIsNotReplacedAndARunOnlyWhenTold) {
  put_file(at("notes.md"), "what I thought today");
  train("run.xlab", {"--task", "copy", "--steps", "2"});
  const std::string copy = bytes_of_file(at("run.xlab"));
  const auto parity = [&](const char* out, Arguments more = {}) {
    Arguments all = {"train", "--task", "parity", "--steps", "1", "--out", at(out)};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_refusal(parity("notes.md"), 1, "is no run of xLSTM Lab");
  expect_refusal(parity("notes.md", {"--force"}), 1, "remove that file first");
  expect_refusal(parity("run.xlab"), 1, "add --force");
  expect_refusal(parity("new.xlab", {"--log", at("notes.md")}), 1, "is no log");
  expect_refusal({"logits", at("run.xlab"), "--ids", "1", "--out", at("notes.md")}, 1,
                 "is no file of logits");
  EXPECT_EQ(bytes_of_file(at("notes.md")), "what I thought today");
  EXPECT_TRUE(bytes_of_file(at("run.xlab")) == copy);
  EXPECT_FALSE(std::filesystem::exists(at("new.xlab")));

  EXPECT_EQ(run({"export", at("run.xlab"), at("folder")}).code, 0);
  const std::string config = bytes_of_file(at("folder/config.json"));
  EXPECT_THAT(run(parity("other.xlab")).err, HasSubstr("Done after 1 step; saved"));
  expect_refusal({"export", at("other.xlab"), at("folder")}, 1, "holds a model already");
  EXPECT_EQ(bytes_of_file(at("folder/config.json")), config);
  EXPECT_EQ(run({"export", at("other.xlab"), at("folder"), "--force"}).code, 0);

  // Its own run a training goes on in, and an empty file holds nothing to lose.
  EXPECT_EQ(
      run({"train", "--resume", at("run.xlab"), "--steps", "1", "--out", at("run.xlab")}).code, 0);
  put_file(at("empty.xlab"), "");
  EXPECT_EQ(run(parity("empty.xlab")).code, 0);
  EXPECT_EQ(run(parity("run.xlab", {"--force"})).code, 0);
}

// ---- generating ---------------------------------------------------------------------------------

TEST_F(CommandLine, GeneratingRepeatsWithItsSeed) {
  train("run.xlab", {"--text", at("text.txt"), "--steps", "5"});
  const auto generate = [&](Arguments more) {
    more.insert(more.begin(), {"generate", at("run.xlab"), "--prompt", "to be"});
    const Answer answer = run(more);
    EXPECT_EQ(answer.code, 0) << answer.err;
    EXPECT_EQ(answer.err, "");
    EXPECT_THAT(answer.out, StartsWith("to be"));
    return answer.out;
  };
  const std::string first = generate({"--seed", "3", "--tokens", "60"});
  EXPECT_EQ(first.size(), 5u + 60u + 1u);
  EXPECT_EQ(generate({"--seed", "3", "--tokens", "60"}), first);
  EXPECT_EQ(generate({"--seed", "3", "--tokens", "60", "--threads", "2"}), first);
  EXPECT_NE(generate({"--seed", "4", "--tokens", "60"}), first);
  EXPECT_TRUE(first.starts_with(generate({"--seed", "3", "--tokens", "20"}).substr(0, 25)))
      << "more tokens go on from fewer";
  EXPECT_EQ(generate({"--temperature", "0", "--seed", "1"}),
            generate({"--temperature", "0", "--seed", "2"}));
  EXPECT_EQ(generate({"--top-k", "1", "--tokens", "30"}),
            generate({"--temperature", "0", "--tokens", "30"}));
  EXPECT_EQ(generate({"--tokens", "0"}), "to be\n");
}

TEST_F(CommandLine, TokensOfTasksAreSeparated) {
  train("run.xlab", {"--task", "recall", "--steps", "2"});
  const Answer answer =
      run({"generate", at("run.xlab"), "--prompt", " a  3 b 7 a ?", "--tokens", "2"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, ContainsRegex("^a 3 b 7 a \\? [a-j0-9?] [a-j0-9?]\n$"));
}

TEST_F(CommandLine, WritingStopsAtTheEndOfTheText) {
  std::filesystem::create_directory(folder_ / "words");
  put_file(folder_ / "words" / "tokenizer.json", R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 4, "content": "<end>", "special": true, "normalized": false,
                      "single_word": false, "lstrip": false, "rstrip": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": null,
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "d": 3}, "merges": []}})");
  put_file(folder_ / "words" / "tokenizer_config.json", R"({"eos_token": "<end>"})");
  std::string text;
  for (int i = 0; i < 100; ++i) text += "abcd<end>";
  put_file(folder_ / "ends.txt", text);
  const Answer trained =
      train("run.xlab", {"--text", at("ends.txt"), "--tokenizer", at("words"), "--steps", "40"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto written = [&](const std::string& prompt) {
    return run({"generate", at("run.xlab"), "--prompt", prompt, "--temperature", "0", "--tokens",
                "30"})
        .out;
  };
  EXPECT_EQ(written("ab"), "abcd\n");
  EXPECT_EQ(written("abcd<end>a"), "abcdabcd\n") << "an end that is given ends nothing";
}

TEST_F(CommandLine, PromptsTheModelCannotReadAreRefused) {
  train("text.xlab", {"--text", at("text.txt"), "--steps", "2"});
  train("task.xlab", {"--task", "recall", "--steps", "2"});
  expect_refusal({"generate", at("text.xlab"), "--prompt", "Zoë"}, 1, "'Z' (U+005A)");
  expect_refusal({"generate", at("text.xlab"), "--prompt", "to \xff"}, 1, "UTF-8");
  expect_refusal({"generate", at("text.xlab"), "--prompt", "\x1b[31m"}, 1, "U+001B");
  expect_refusal({"generate", at("text.xlab"), "--prompt", ""}, 1, "empty");
  expect_refusal({"generate", at("task.xlab"), "--prompt", "a 3 zebra"}, 1, "'zebra'");
  expect_refusal({"generate", at("task.xlab"), "--prompt", "  "}, 1, "empty");
}

TEST_F(CommandLine, TextIsReadByOtherTokenizers) {
  const std::string bpe = XLAB_TOKENIZERS "/neox.json";
  for (const auto& [tokenizer, said] : {std::pair<std::string, std::string>{"bytes", "256 bytes"},
                                        {"characters", "characters"},
                                        {bpe, "byte-level BPE, 4023 tokens"}}) {
    const Answer answer =
        train("run.xlab", {"--text", at("text.txt"), "--tokenizer", tokenizer, "--steps", "3"});
    EXPECT_EQ(answer.code, 0) << answer.err;
    EXPECT_THAT(run({"info", at("run.xlab")}).out, HasSubstr(said));
    const Answer resumed =
        train("run.xlab", {"--resume", at("run.xlab"), "--text", at("text.txt"), "--steps", "1"});
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    const Answer written = run({"generate", at("run.xlab"), "--prompt", "to be", "--tokens", "20"});
    EXPECT_THAT(written.out, StartsWith("to be"));
    if (tokenizer == "characters") continue;
    const Answer other = run({"generate", at("run.xlab"), "--prompt", "日本 ë", "--tokens", "0"});
    EXPECT_EQ(other.out, "日本 ë\n") << "any prompt can be read";
  }
  const auto with = [&](const std::string& tokenizer) {
    return Arguments{"train", "--text", at("text.txt"), "--tokenizer", tokenizer, "--out", at("n")};
  };
  expect_refusal(with("words"), 1, "'words'");
  expect_refusal(with(at("small.json")), 1, "has no 'vocab'");
  expect_refusal(with(folder_.path()), 1, "has no tokenizer.json");
}

TEST_F(CommandLine, NumbersNeedNoTokenizerAndMayComeFromTheStandardInput) {
  train("run.xlab",
        {"--text", at("text.txt"), "--tokenizer", XLAB_TOKENIZERS "/neox.json", "--steps", "1"});
  ASSERT_EQ(run({"export", at("run.xlab"), at("folder")}).code, 0);
  const auto logits = [&](const Arguments& how, const std::string& in = "/dev/null") {
    Arguments arguments = {"logits", at("folder"), "--out", at("logits")};
    arguments.insert(arguments.end(), how.begin(), how.end());
    const Answer answer = run(arguments, {}, in);
    EXPECT_EQ(answer.code, 0) << answer.err;
    return std::pair(bytes_of_file(at("logits")), answer.err);
  };
  const auto generate = [&](const Arguments& how, const std::string& in = "/dev/null") {
    Arguments arguments = {"generate", at("folder"), "--tokens", "4", "--temperature", "0"};
    arguments.insert(arguments.end(), how.begin(), how.end());
    const Answer answer = run(arguments, {}, in);
    EXPECT_EQ(answer.code, 0) << answer.err;
    return answer.out;
  };
  const auto listed = logits({"--ids", "5,17,300,2"});
  EXPECT_EQ(listed.second, "");
  put_file(at("ids.txt"), "5, 17\n300\t2,\n");
  EXPECT_TRUE(logits({"--ids", "-"}, at("ids.txt")).first == listed.first);
  const std::string text = generate({"--prompt", "to be"});
  // The numbers of the prompt, from the file that has them.
  const std::string bytes = logits({"--prompt", "to be"}).first;
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const json place = json::parse(bytes.substr(8, header)).at("ids").at("data_offsets");
  std::string ids;
  for (std::size_t i = place[0]; i < place[1].get<std::size_t>(); i += 4) {
    std::int32_t id = 0;
    std::memcpy(&id, bytes.data() + 8 + header + i, sizeof id);
    ids += std::to_string(id) + " ";
  }
  put_file(at("ids.txt"), ids);
  EXPECT_EQ(generate({"--ids", "-"}, at("ids.txt")), text);
  put_file(at("ids.txt"), " \n");
  const Answer none = run({"generate", at("folder"), "--ids", "-"}, {}, at("ids.txt"));
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("holds no numbers"));
  expect_refusal({"generate", at("folder"), "--ids", "1,,2"}, 2, "a number is missing");
  expect_refusal({"generate", at("folder"), "--ids", "1", "--prompt", "a"}, 2, "either --prompt");
  expect_refusal({"generate", at("folder"), "--ids", "999999"}, 1,
                 "outside the model's vocabulary");

  // Nor are numbers that a task does not know.
  train("task.xlab", {"--task", "copy", "--steps", "1"});
  for (const char* outside : {"--ids=-1", "--ids=1,999"})
    expect_refusal({"generate", at("task.xlab"), outside}, 1, "outside the model's vocabulary");

  // A tokenizer that cannot be read is told, and numbers do without it.
  json file = json::parse(bytes_of_file(at("folder/tokenizer.json")));
  file["pre_tokenizer"] = {{"type", "Metaspace"}};
  put_file(at("folder/tokenizer.json"), file.dump());
  const auto without = logits({"--ids", "5,17,300,2"});
  EXPECT_TRUE(without.first == listed.first);
  EXPECT_THAT(without.second, AllOf(HasSubstr("is of type 'Metaspace'"),
                                    HasSubstr("tokens are plain numbers here")));
  EXPECT_THAT(generate({"--ids", "5,17"}), StartsWith("5 17 "));
  const Answer words = run({"generate", at("folder"), "--prompt", "to be"});
  EXPECT_EQ(words.code, 1);
  EXPECT_THAT(words.err, HasSubstr("'to' is no token: this model's tokens are the numbers"));
}

TEST_F(CommandLine, GeneratingEndsWithTheEndToken) {
  train("run.xlab",
        {"--text", at("text.txt"), "--tokenizer", XLAB_TOKENIZERS "/neox.json", "--steps", "1"});
  ASSERT_EQ(run({"export", at("run.xlab"), at("folder")}).code, 0);
  // A model that finds all tokens alike: the likeliest is the first, number 0.
  fill_tensor(at("folder/model.safetensors"), "lm_head.weight", 0.0f);
  // And one that is shown where it is written.
  json tokenizer = json::parse(bytes_of_file(at("folder/tokenizer.json")));
  std::string first;
  for (json& token : tokenizer.at("added_tokens")) {
    if (token.at("id") != 0) continue;
    first = token.at("content");
    token["special"] = false;
  }
  ASSERT_FALSE(first.empty());
  put_file(at("folder/tokenizer.json"), tokenizer.dump());
  const auto written = [&](const char* prompt) {
    const Answer answer =
        run({"generate", at("folder"), "--prompt", prompt, "--tokens", "3", "--temperature", "0"});
    EXPECT_EQ(answer.code, 0) << answer.err;
    return answer.out;
  };
  json config = json::parse(bytes_of_file(at("folder/tokenizer_config.json")));
  config["eos_token"] = first;
  put_file(at("folder/tokenizer_config.json"), config.dump());
  EXPECT_EQ(written("to be"), "to be\n") << "nothing after the end, and not its name either";
  const Answer ended =
      run({"generate", at("folder"), "--prompt", "to be", "--tokens", "3", "--temperature", "0"});
  EXPECT_THAT(ended.err, AllOf(HasSubstr("ended its text: '" + first), HasSubstr("--past-end")));
  const Answer past = run({"generate", at("folder"), "--prompt", "to be", "--tokens", "3",
                           "--temperature", "0", "--past-end"});
  EXPECT_EQ(past.out, "to be" + first + first + first + "\n");
  EXPECT_THAT(past.err, Not(HasSubstr("ended")));
  // The end of what was read is no end of what is written.
  EXPECT_EQ(written((first + "to be").c_str()), first + "to be\n");
  config.erase("eos_token");
  put_file(at("folder/tokenizer_config.json"), config.dump());
  EXPECT_EQ(written("to be"), "to be" + first + first + first + "\n");
}

TEST_F(CommandLine, TextThatCannotBeWrittenIsNoSuccess) {
  train("run.xlab", {"--text", at("text.txt"), "--steps", "2"});
  const Answer answer = run({"generate", at("run.xlab"), "--prompt", "to be"}, "/dev/full");
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.err, HasSubstr("Writing the text failed"));
}

// ---- checking a model ---------------------------------------------------------------------------

TEST_F(CommandLine, SelfcheckPrintsATableAndFailsWhereAModelDisagrees) {
  train("run.xlab", {"--task", "copy", "--steps", "3"});
  const Answer sound = run({"selfcheck", at("run.xlab")});
  EXPECT_EQ(sound.code, 0) << sound.out << sound.err;
  for (const char* said : {"check", "largest", "allowed", "Recurrent = chunkwise = parallel",
                           "Step by step = whole sequence", "One thread = all threads", "same bits",
                           "All 8 checks passed."})
    EXPECT_THAT(sound.out, HasSubstr(said));
  EXPECT_THAT(sound.out, Not(HasSubstr("FAILED")));

  const Answer damaged = run({"selfcheck", at("run.xlab"), "--damage", "0.01"});
  EXPECT_EQ(damaged.code, 1);
  EXPECT_THAT(damaged.out, HasSubstr("FAILED"));
  EXPECT_THAT(damaged.out, HasSubstr("differ most in"));
  EXPECT_THAT(damaged.out, HasSubstr("does not agree with itself"));
  EXPECT_EQ(damaged.err, "");
}

TEST_F(CommandLine, SelfcheckTellsWhatCannotBeComparedFromWhatDiffers) {
  put_file(at("raw.json"), R"({"model": {"embedding_dim": 8, "num_blocks": 1,
      "mlstm_block": {"mlstm": {"num_heads": 2, "round_proj_up_to_multiple_of": 8,
      "forget_gate": "exponential", "stabilizer": false}}},
      "train": {"batch_size": 4, "sequence_length": 16}})");
  run({"train", "--out", at("raw.xlab"), "--spec", at("raw.json"), "--task", "copy", "--steps",
       "1"});
  const Answer answer = run({"selfcheck", at("raw.xlab")});
  EXPECT_EQ(answer.code, 3) << answer.out << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("no comparison"));
  EXPECT_THAT(answer.out, HasSubstr("because the stabilizer of block0/mlstm is switched off and a "
                                    "forget gate is exp(f)"));
  EXPECT_THAT(answer.out, HasSubstr("cannot be compared"));
  EXPECT_THAT(answer.out, Not(HasSubstr("FAILED")));
}

TEST_F(CommandLine, LogitsThatAreNotFiniteAreWrittenAndSaid) {
  train("run.xlab", {"--task", "copy", "--steps", "1"});
  EXPECT_EQ(run({"export", at("run.xlab"), at("model")}).code, 0);
  const auto logits = [&] {
    return run({"logits", at("model"), "--ids", "1,2", "--out", at("logits")});
  };
  EXPECT_EQ(logits().code, 0);
  EXPECT_EQ(logits().err, "");
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
    fill_tensor(at("model/model.safetensors"), "token_embedding.weight", bad);
    std::filesystem::remove(at("logits"));
    const Answer answer = logits();
    EXPECT_EQ(answer.code, 3);
    EXPECT_THAT(answer.err, HasSubstr("logits"));
    EXPECT_THAT(answer.err, HasSubstr("are not finite.\n"));
    EXPECT_THAT(run({"info", at("logits")}).out, HasSubstr("logits")) << "written all the same";
  }
}

// ---- looking into files -------------------------------------------------------------------------

TEST_F(CommandLine, InfoDescribesARun) {
  train("run.xlab", {"--text", at("text.txt"), "--steps", "4", "--seed", "9"});
  const Answer answer = run({"info", at("run.xlab")});
  EXPECT_EQ(answer.code, 0) << answer.err;
  for (const char* said :
       {"a run of xLSTM Lab", "xLSTM [1:1]", "parameters", "block0/mlstm", "block1/slstm",
        "text.txt", "1260 characters", "4 steps of 4 x 16", "seed 9", "nats per token"})
    EXPECT_THAT(answer.out, HasSubstr(said));
  std::string hash = signature("run.xlab");
  hash.pop_back();
  EXPECT_THAT(answer.out, HasSubstr("weights   " + hash));
}

TEST_F(CommandLine, OneRunOfABenchIsNamed) {
  train("first.xlab", {"--text", at("text.txt"), "--steps", "4", "--seed", "9"});
  train("second.xlab", {"--task", "recall", "--steps", "3"});
  put_file(at("bench.xlab"),
           bench_of({bytes_of_file(at("first.xlab")), bytes_of_file(at("second.xlab"))}));
  const std::string bench = bytes_of_file(at("bench.xlab"));
  const Answer all = run({"info", at("bench.xlab")});
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_THAT(all.out, AllOf(HasSubstr("a bench of 2 runs"), HasSubstr("   1  text.txt: xLSTM"),
                             HasSubstr("4 steps, loss"), HasSubstr("   2  Associative recall:"),
                             HasSubstr("3 steps, loss"), HasSubstr("on screen")));
  const Answer one = run({"info", at("bench.xlab"), "--run", "text.txt"});
  EXPECT_THAT(one.out, AllOf(HasSubstr("seed 9"), HasSubstr("1260 characters")));
  EXPECT_EQ(run({"signature", at("bench.xlab"), "--run", "1"}).out, signature("first.xlab"));
  EXPECT_EQ(run({"signature", at("bench.xlab"), "--run", "Associative recall"}).out,
            signature("second.xlab"));
  EXPECT_EQ(run({"generate", at("bench.xlab"), "--run", "1", "--prompt", "to be"}).out,
            run({"generate", at("first.xlab"), "--prompt", "to be"}).out);
  EXPECT_EQ(run({"selfcheck", at("bench.xlab"), "--run", "2"}).code, 0);
  EXPECT_EQ(run({"export", at("bench.xlab"), at("folder"), "--run", "2"}).code, 0);
  EXPECT_EQ(run({"logits", at("bench.xlab"), "--run", "2", "--ids", "1", "--out", at("l")}).code,
            0);
  const std::vector<Arguments> need_one = {
      {"signature", at("bench.xlab")},
      {"generate", at("bench.xlab"), "--prompt", "to"},
      {"selfcheck", at("bench.xlab")},
      {"export", at("bench.xlab"), at("other")},
      {"logits", at("bench.xlab"), "--ids", "1", "--out", at("l")},
      {"train", "--resume", at("bench.xlab"), "--out", at("o")}};
  for (const Arguments& arguments : need_one)
    expect_refusal(arguments, 1,
                   "holds 2 runs: 1 'text.txt', 2 'Associative recall'. Say with --run");
  expect_refusal({"signature", at("bench.xlab"), "--run", "3"}, 1, "holds no run '3', but these");
  expect_refusal({"signature", at("first.xlab"), "--run", "1"}, 1, "one run alone");
  expect_refusal({"signature", at("folder"), "--run", "1"}, 2, "model folder");
  expect_refusal({"train", "--task", "copy", "--run", "1", "--out", at("o")}, 2, "--resume");
  // One of its runs is never written over all of them, unless that is said.
  const Arguments on = {"train",   "--resume", at("bench.xlab"), "--run", "1",
                        "--steps", "2",        "--out"};
  const auto train_to = [&](const std::string& out) {
    Arguments arguments = on;
    arguments.push_back(at(out));
    return arguments;
  };
  expect_refusal(train_to("bench.xlab"), 1, "holds several runs");
  EXPECT_EQ(bytes_of_file(at("bench.xlab")), bench);
  EXPECT_EQ(run(train_to("on.xlab")).code, 0);
  train("whole.xlab", {"--text", at("text.txt"), "--steps", "6", "--seed", "9"});
  EXPECT_EQ(signature("on.xlab"), signature("whole.xlab"));
  Arguments forced = train_to("bench.xlab");
  forced.push_back("--force");
  EXPECT_THAT(run(forced).err,
              HasSubstr("bench.xlab' holds several runs; this one will take the place of all"));
  EXPECT_EQ(signature("bench.xlab"), signature("whole.xlab"));
}

/// A file in the safetensors format with one tensor of two numbers.
std::string small_safetensors(const std::string& name) {
  std::string header =
      R"({")" + name + R"(": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})";
  while (header.size() % 8 != 0) header += ' ';
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header + std::string(8, '\0');
}

TEST_F(CommandLine, InfoListsTheTensorsOfOtherFiles) {
  put_file(at("other.safetensors"), small_safetensors("layer.weight"));
  const Answer answer = run({"info", at("other.safetensors")});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("1 tensors, 2 numbers"), HasSubstr("F32"),
                                HasSubstr("(2)"), HasSubstr("layer.weight")));
  expect_refusal({"signature", at("other.safetensors")}, 1, "no run");
}

TEST_F(CommandLine, NamesInFilesCannotCommandTheTerminal) {
  put_file(at("evil.safetensors"), small_safetensors("\\u001b]0;owned\\u0007"));
  const Answer answer = run({"info", at("evil.safetensors")});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("?]0;owned?"), Not(HasSubstr("\x1b"))));
}

// ---- recordings ---------------------------------------------------------------------------------

/// A safetensors file: its header, and the bytes of each tensor.
struct Tensors {
  json header;
  std::map<std::string, std::string> bytes;
  explicit Tensors(const std::string& file) {
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), sizeof length);
    header = json::parse(file.substr(8, length));
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") continue;
      const auto& place = entry.at("data_offsets");
      bytes[name] = file.substr(8 + length + place[0].get<std::size_t>(),
                                place[1].get<std::size_t>() - place[0].get<std::size_t>());
    }
  }
};

TEST_F(CommandLine, TraceWritesEveryValueOfEveryToken) {
  train("run.xlab", {"--text", at("text.txt"), "--steps", "3"});
  const auto trace = [&](const std::string& model, const Arguments& more,
                         const std::string& in = "/dev/null") {
    Arguments arguments = {"trace", at(model), "--out", at("t.safetensors")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Answer answer = run(arguments, {}, in);
    EXPECT_EQ(answer.code, 0) << answer.err;
    EXPECT_EQ(answer.out, "");
    EXPECT_THAT(answer.err, HasSubstr("Written to " + at("t.safetensors")));
    return bytes_of_file(at("t.safetensors"));
  };
  const std::string by_prompt = trace("run.xlab", {"--prompt", "to be"});
  const Tensors whole(by_prompt);
  EXPECT_EQ(whole.header.at("block0/mlstm/forget_gate").at("shape"), (json{5, 2, 1}));
  EXPECT_EQ(whole.header.at("block1/slstm/c").at("shape"), (json{5, 2, 4}));
  EXPECT_EQ(whole.header.at("residual/norm").at("shape"), (json{5, 1, 3}));
  EXPECT_EQ(whole.header.at("ids").at("dtype"), "I64");
  EXPECT_FALSE(whole.header.contains("block0/mlstm/C"));
  const json& said = whole.header.at("__metadata__");
  EXPECT_EQ(said.at("tokens"), R"(["t","o"," ","b","e"])");
  EXPECT_THAT(said.at("program").get<std::string>(), ContainsRegex("^xLSTM Lab [0-9]"));
  EXPECT_THAT(run({"trace", at("run.xlab"), "--prompt", "to be", "--out", at("t.safetensors")}).err,
              HasSubstr(std::to_string(whole.bytes.size() - 1) + " values: "));

  // However the tokens come.
  std::string ids;
  for (std::size_t i = 0; i < 5; ++i) {
    std::int64_t id = 0;
    std::memcpy(&id, whole.bytes.at("ids").data() + 8 * i, sizeof id);
    ids += (i == 0 ? "" : ",") + std::to_string(id);
  }
  put_file(at("ids.txt"), ids);
  put_file(at("short.txt"), "to be");
  EXPECT_TRUE(trace("run.xlab", {"--ids", ids}) == by_prompt);
  EXPECT_TRUE(trace("run.xlab", {"--ids", "-"}, at("ids.txt")) == by_prompt);
  EXPECT_TRUE(trace("run.xlab", {"--text", at("short.txt")}) == by_prompt);
  put_file(at("marked.txt"), "\xef\xbb\xbfto be");
  EXPECT_TRUE(trace("run.xlab", {"--text", at("marked.txt")}) == by_prompt);
  EXPECT_TRUE(trace("run.xlab", {"--ids", ids, "--threads", "2"}) == by_prompt);
  put_file(at("bench.xlab"),
           bench_of({bytes_of_file(at("run.xlab")), bytes_of_file(at("run.xlab"))}));
  EXPECT_TRUE(trace("bench.xlab", {"--run", "2", "--ids", ids}) == by_prompt);
  ASSERT_EQ(run({"export", at("run.xlab"), at("folder")}).code, 0);
  EXPECT_TRUE(Tensors(trace("folder", {"--prompt", "to be"})).bytes == whole.bytes);

  // A part of it is that part.
  const Tensors some(trace("run.xlab", {"--ids", ids, "--values", "block0/*,residual/norm",
                                        "--values", "*/m", "--memory"}));
  EXPECT_TRUE(some.bytes.contains("block1/slstm/m"));
  EXPECT_FALSE(some.bytes.contains("block1/slstm/n"));
  EXPECT_EQ(some.header.at("block0/mlstm/C").at("shape"), (json{5, 2, 8, 8}));
  for (const auto& [name, bytes] : some.bytes)
    EXPECT_TRUE(name.ends_with("/C") || bytes == whole.bytes.at(name)) << name;

  const Answer info = run({"info", at("t.safetensors")});
  EXPECT_EQ(info.code, 0) << info.err;
  EXPECT_THAT(info.out, HasSubstr("(5, 2, 8, 8)  block0/mlstm/C"));
}

TEST_F(CommandLine, ATraceThatMakesNoSenseIsRefusedAndReplacesNothing) {
  train("run.xlab", {"--text", at("text.txt"), "--steps", "1"});
  put_file(at("notes.md"), "what I thought today");
  put_file(at("empty.txt"), "");
  const auto with = [&](const Arguments& more, const std::string& out) {
    Arguments arguments = {"trace", at("run.xlab"), "--out", at(out)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  expect_refusal(with({"--ids", "1"}, "notes.md"), 1, "is no recording");
  expect_refusal(with({"--ids", "1"}, "run.xlab"), 2, "would be overwritten");
  expect_refusal(with({"--text", at("notes.md")}, "notes.md"), 2, "would be overwritten");
  expect_refusal(with({"--ids", "1,999"}, "t"), 1, "Token 999 is outside");
  expect_refusal(with({"--ids", "1", "--values", "block7/*"}, "t"), 1,
                 "'block7/*' names none of this model's");
  expect_refusal(with({"--ids", "1", "--values", "*/C"}, "t"), 1, "with --memory");
  expect_refusal(with({"--text", at("empty.txt")}, "t"), 1, "empty.txt' is empty");
  expect_refusal(with({"--text", at("missing.txt")}, "t"), 1, "missing.txt");
  expect_refusal(with({"--ids", "1"}, "no/folder/t"), 1, "No such file or directory");
  // The size is told first; what is more than anybody asked for is refused.
  const Answer large = run(with({"--ids", "1,2,3", "--most", "0.000001"}, "t"));
  EXPECT_EQ(large.code, 1);
  EXPECT_THAT(large.err, AllOf(ContainsRegex("3 tokens of [0-9]+ values: [0-9.]+ kB\n"),
                               HasSubstr("more than 1.00 kB: name fewer --values, or allow it")));
  // Nor is a disk that is too small tried.
  ASSERT_EQ(run(with({"--ids", "1"}, "t.safetensors")).code, 0);
  const std::string before = bytes_of_file(at("t.safetensors"));
  rlimit small{}, usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
  small = usual;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Answer full = run(with({"--ids", "1,2,3"}, "t.safetensors"));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &usual), 0);
  EXPECT_EQ(full.code, 1);
  EXPECT_THAT(full.err, AllOf(HasSubstr("Could not save"), HasSubstr("previous file is unchanged"),
                              Not(HasSubstr("Written"))));
  EXPECT_TRUE(bytes_of_file(at("t.safetensors")) == before);
  EXPECT_EQ(bytes_of_file(at("notes.md")), "what I thought today");
  EXPECT_FALSE(std::filesystem::exists(at("t")));
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
}

TEST_F(CommandLine, ALongTraceIsWrittenInLittleMemoryAndStopsWithoutATrace) {
  put_file(at("wide.json"), R"({"model": {"embedding_dim": 64, "num_blocks": 1,
      "mlstm_block": {"mlstm": {"num_heads": 2}}}, "train": {"batch_size": 1}})");
  ASSERT_EQ(run({"train", "--spec", at("wide.json"), "--task", "copy", "--steps", "1", "--out",
                 at("run.xlab")})
                .code,
            0);
  const auto ids_of = [&](int count) {
    std::string ids;
    for (int i = 0; i < count; ++i) ids += std::to_string(i * 7 % 8) + "\n";
    put_file(at("ids.txt"), ids);
  };
  const Arguments arguments = {"trace", at("run.xlab"),     "--ids", "-", "--memory",
                               "--out", at("t.safetensors")};
  ids_of(5000);
  const Answer answer = run(arguments, {}, at("ids.txt"));
  EXPECT_EQ(answer.code, 0) << answer.err;
  const auto size = std::filesystem::file_size(at("t.safetensors"));
  EXPECT_GT(size, 160'000'000u);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // A sanitizer keeps what was given back.
  rusage used{};
  ASSERT_EQ(::getrusage(RUSAGE_CHILDREN, &used), 0);
  EXPECT_LT(static_cast<double>(used.ru_maxrss) * 1024, 0.9 * static_cast<double>(size));
#endif
  std::filesystem::remove(at("t.safetensors"));

  ids_of(50'000);
  Program program(arguments, at("out"), at("err"), at("ids.txt"));
  const auto hidden = [&] {
    int found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      found += entry.path().filename().string().starts_with(".");
    return found;
  };
  for (int i = 0; i < 2000 && hidden() == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(hidden(), 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  program.send(SIGINT);
  EXPECT_EQ(program.wait(), 1);
  EXPECT_THAT(bytes_of_file(at("err")),
              ContainsRegex("Stopped after [0-9]+ of 50000 tokens; nothing is written"));
  EXPECT_EQ(hidden(), 0);
  EXPECT_FALSE(std::filesystem::exists(at("t.safetensors")));
}

TEST_F(CommandLine, ATraceWithoutFiniteNumbersIsWrittenAndSaid) {
  train("run.xlab", {"--task", "copy", "--steps", "1"});
  ASSERT_EQ(run({"export", at("run.xlab"), at("model")}).code, 0);
  fill_tensor(at("model/model.safetensors"), "token_embedding.weight", 3e38f);
  const Answer answer = run({"trace", at("model"), "--ids", "1,2", "--out", at("t")});
  EXPECT_EQ(answer.code, 3);
  EXPECT_THAT(answer.err, ContainsRegex("Written to .*\n[0-9]+ of the numbers written are not "
                                        "finite\\.\n"));
  EXPECT_THAT(run({"info", at("t")}).out, HasSubstr("residual/norm"));
}

// ---- model folders ------------------------------------------------------------------------------

TEST_F(CommandLine, AModelOfTheLargeFamilyGoesThereAndBack) {
  put_file(at("large.json"), R"({"model": {"model_type": "xlstm", "hidden_size": 16,
      "num_hidden_layers": 2, "num_heads": 2, "ffn_round_up_to_multiple_of": 8},
      "train": {"batch_size": 4, "sequence_length": 16, "warmup_steps": 1}})");
  const Answer trained = run({"train", "--spec", at("large.json"), "--text", at("text.txt"),
                              "--steps", "20", "--out", at("run.xlab")});
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("xLSTM-large, 2 blocks"));
  EXPECT_THAT(run({"info", at("run.xlab")}).out, HasSubstr("block1/mlstm_large: 2 heads of 4 x 8"));

  EXPECT_EQ(run({"export", at("run.xlab"), at("folder")}).code, 0);
  EXPECT_EQ(signature("folder"), signature("run.xlab"));
  const Answer info = run({"info", at("folder")});
  EXPECT_EQ(info.code, 0) << info.err;
  EXPECT_THAT(info.out, AllOf(HasSubstr("large family"), HasSubstr("block0/mlstm_large"),
                              HasSubstr("F32 in 1 file"), HasSubstr("can be trained here")));
  EXPECT_EQ(run({"info", at("folder/config.json")}).code, 0);

  const Arguments same = {"--prompt", "to be", "--tokens", "30", "--seed", "3"};
  const auto written = [&](const std::string& model) {
    Arguments arguments = {"generate", at(model)};
    arguments.insert(arguments.end(), same.begin(), same.end());
    return run(arguments).out;
  };
  EXPECT_THAT(written("folder"), StartsWith("to be"));
  EXPECT_EQ(written("folder"), written("run.xlab")) << "the tokenizer goes along";
  EXPECT_EQ(run({"logits", at("folder"), "--ids", "3,1,2", "--out", at("a")}).code, 0);
  EXPECT_EQ(run({"logits", at("run.xlab"), "--ids", "3,1,2", "--out", at("b")}).code, 0);
  EXPECT_EQ(bytes_of_file(at("a")), bytes_of_file(at("b")));
  EXPECT_THAT(run({"info", at("a")}).out, HasSubstr("(3, 16)  logits"));
  expect_refusal({"logits", at("folder"), "--ids", "99", "--out", at("a")}, 1, "outside");
  expect_refusal({"logits", at("folder"), "--out", at("a")}, 2, "--ids NUMBERS or --prompt TEXT");

  // Without its tokenizer a model takes plain numbers.
  std::filesystem::remove(at("folder/tokenizer.json"));
  const Answer numbers =
      run({"generate", at("folder"), "--prompt", "3 1 2", "--tokens", "5", "--temperature", "0"});
  EXPECT_EQ(numbers.code, 0) << numbers.err;
  EXPECT_THAT(numbers.out, ContainsRegex("^3 1 2( [0-9]+){5}\n$"));
  expect_refusal({"generate", at("folder"), "--prompt", "3 x"}, 1, "no token");

  // Trained on, it is the same model at first and another one later.
  EXPECT_EQ(run({"train", "--model", at("folder"), "--text", at("text.txt"), "--steps", "2",
                 "--out", at("on.xlab")})
                .code,
            0);
  EXPECT_NE(signature("on.xlab"), signature("run.xlab"));
  expect_refusal({"train", "--model", at("folder"), "--task", "recall", "--out", at("no.xlab")}, 1,
                 "different tokens");
}

TEST_F(CommandLine, OtherEquationsAreRefusedAndWhatIsNotUsedIsSaid) {
  train("run.xlab", {"--task", "copy", "--steps", "1"});
  EXPECT_EQ(run({"export", at("run.xlab"), at("folder")}).code, 0);
  const json usual = json::parse(bytes_of_file(at("folder/config.json")));
  const auto with = [&](const char* place, const json& value) {
    json config = usual;
    config[json::json_pointer(place)] = value;
    return config.dump();
  };
  const std::vector<Arguments> uses = {
      {"info", at("folder")},
      {"signature", at("folder")},
      {"generate", at("folder"), "--prompt", "1 2", "--tokens", "2"},
      {"logits", at("folder"), "--ids", "1,2", "--out", at("logits")},
      {"export", at("folder"), at("copy"), "--force"},
      {"train", "--model", at("folder"), "--task", "copy", "--steps", "1", "--out", at("on"),
       "--force"}};
  for (const Arguments& use : uses) {
    SCOPED_TRACE(use.front());
    put_file(at("folder/config.json"), with("/slstm_block/slstm/function", "gru"));
    expect_refusal(use, 1, "'function' is \"gru\"");
    put_file(at("folder/config.json"), with("/use_magic", true));
    const Answer answer = run(use);
    EXPECT_EQ(answer.code, 0) << answer.err;
    const std::string said = "not used: use_magic = true";
    EXPECT_THAT(answer.err, HasSubstr(said));
    EXPECT_EQ(answer.err.find(said), answer.err.rfind(said)) << "once";
    EXPECT_THAT(answer.out, Not(HasSubstr("not used")));
    put_file(at("folder/config.json"), usual.dump());
    EXPECT_THAT(run(use).err, Not(HasSubstr("not used")));
  }
  // The same words in a specification of one's own, and in a run.
  json spec = json::parse(bytes_of_file(at("small.json")));
  spec["model"]["slstm_block"]["slstm"]["function"] = "gru";
  put_file(at("gru.json"), spec.dump());
  expect_refusal({"train", "--task", "copy", "--spec", at("gru.json"), "--out", at("no.xlab")}, 1,
                 "'function' is \"gru\"");
}

TEST_F(CommandLine, AListWithoutNumbersIsNoList) {
  train("run.xlab", {"--task", "copy", "--steps", "1"});
  for (const char* ids : {" ", ",", ",,", " , ", "1,", ",1", "1,,2", "1 2", "one", "1.5", "0x1",
                          "99999999999", "--", "1;2"})
    expect_refusal({"logits", at("run.xlab"), std::string("--ids=") + ids, "--out", at("logits")},
                   2, "--ids");
  expect_refusal({"logits", at("run.xlab"), "--ids", "", "--out", at("logits")}, 2, "--ids");
  EXPECT_FALSE(std::filesystem::exists(at("logits")));
  for (const char* ids : {"1", "1,2,3", " 1 , 2 "})
    EXPECT_EQ(run({"logits", at("run.xlab"), "--ids", ids, "--out", at("logits")}).code, 0) << ids;
  EXPECT_EQ(run({"logits", at("run.xlab"), "--ids", "1", "2", "3", "--out", at("apart")}).code, 0);
  EXPECT_EQ(run({"logits", at("run.xlab"), "--ids", "1,2,3", "--out", at("joined")}).code, 0);
  EXPECT_EQ(bytes_of_file(at("apart")), bytes_of_file(at("joined")));
  // Nor is a prompt without a token one.
  for (const char* prompt : {"", " ", "   "}) {
    expect_refusal({"logits", at("run.xlab"), "--prompt", prompt, "--out", at("no")},
                   *prompt ? 1 : 2, *prompt ? "prompt is empty" : "--prompt");
    expect_refusal({"generate", at("run.xlab"), "--prompt", prompt}, 1, "prompt is empty");
  }
}

TEST_F(CommandLine, NothingThatIsReadIsOverwritten) {
  train("run.xlab", {"--text", at("text.txt"), "--steps", "2"});
  const std::string before = signature("run.xlab");
  expect_refusal({"logits", at("run.xlab"), "--ids", "1", "--out", at("run.xlab")}, 2,
                 "would be overwritten");
  EXPECT_EQ(run({"export", at("run.xlab"), at("folder")}).code, 0);
  for (const char* written : {"folder/model.safetensors", "folder/config.json"}) {
    expect_refusal({"logits", at("folder"), "--ids", "1", "--out", at(written)}, 2,
                   "would be overwritten");
    expect_refusal(
        {"train", "--model", at("folder"), "--text", at("text.txt"), "--out", at(written)}, 2,
        "would be overwritten");
  }
  expect_refusal({"export", at("folder/config.json"), at("folder")}, 2, "another one");
  EXPECT_EQ(signature("run.xlab"), before);
  EXPECT_EQ(signature("folder"), before);
}

TEST_F(CommandLine, AnExportedFolderIsWholeAndSaysWhatOthersDoNotKnow) {
  train("text.xlab", {"--text", at("text.txt"), "--steps", "1"});
  train("task.xlab", {"--task", "copy", "--steps", "1"});
  EXPECT_EQ(run({"export", at("text.xlab"), at("folder")}).err.find("do not know"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(at("folder/tokenizer.json")));
  EXPECT_EQ(run({"export", at("task.xlab"), at("folder"), "--force"}).code, 0);
  EXPECT_FALSE(std::filesystem::exists(at("folder/tokenizer.json"))) << "that of another model";

  put_file(at("other.json"), R"({"model": {"embedding_dim": 8, "mlstm_block": {"mlstm":
    {"num_heads": 2, "round_proj_up_to_multiple_of": 8, "forget_gate": "exponential"}}}})");
  EXPECT_EQ(run({"train", "--task", "copy", "--spec", at("other.json"), "--steps", "1", "--out",
                 at("other.xlab")})
                .code,
            0);
  EXPECT_THAT(run({"export", at("other.xlab"), at("other")}).err,
              HasSubstr("do not know this model's forget_gate"));
}

TEST_F(CommandLine, AnExportThatFailsLeavesNoFolderAndNoOtherModel) {
  train("text.xlab", {"--text", at("text.txt"), "--steps", "1"});
  train("other.xlab", {"--text", at("text.txt"), "--steps", "3"});
  ASSERT_EQ(run({"export", at("other.xlab"), at("there")}).code, 0);
  put_file(at("there/notes.md"), "my own");
  const auto content = [&] {
    std::map<std::string, std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(at("there")))
      found[entry.path().filename()] = bytes_of_file(entry.path());
    return found;
  };
  const auto before = content();
  const auto weights = std::filesystem::file_size(at("there/model.safetensors"));
  rlimit small{}, usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
  small = usual;
  small.rlim_cur = weights - 1;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Answer fresh = run({"export", at("text.xlab"), at("deep/new")});
  const Answer replaced = run({"export", at("text.xlab"), at("there"), "--force"});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &usual), 0);
  for (const Answer& answer : {fresh, replaced}) {
    EXPECT_EQ(answer.code, 1);
    EXPECT_THAT(answer.err, AllOf(HasSubstr("Could not save"), HasSubstr("File too large")));
  }
  EXPECT_FALSE(std::filesystem::exists(at("deep")));
  EXPECT_TRUE(content() == before);
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
  EXPECT_EQ(run({"export", at("text.xlab"), at("there"), "--force"}).code, 0);
  EXPECT_EQ(signature("there"), signature("text.xlab"));
  EXPECT_EQ(bytes_of_file(at("there/notes.md")), "my own");
}

TEST_F(CommandLine, WhatAnotherProgramSaysOfATokenizerStays) {
  train("run.xlab", {"--text", at("text.txt"), "--steps", "1"});
  train("task.xlab", {"--task", "copy", "--steps", "1"});
  const std::string config = at("folder/tokenizer_config.json");
  ASSERT_EQ(run({"export", at("run.xlab"), at("folder")}).code, 0);
  const std::string own = bytes_of_file(config);
  put_file(config, R"({"tokenizer_class": "PreTrainedTokenizerFast",
      "clean_up_tokenization_spaces": false, "bos_token": "a"})");
  EXPECT_THAT(run({"export", at("run.xlab"), at("folder"), "--force"}).err,
              Not(HasSubstr("another program")));
  EXPECT_EQ(bytes_of_file(config), own) << "what was written here";

  for (const std::string theirs :
       {R"({"tokenizer_class": "LlamaTokenizer", "clean_up_tokenization_spaces": false})",
        R"({"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": "{{ x }}"})",
        R"({"bos_token": {"content": "<s>"}})", R"({"clean_up_tokenization_spaces": true})", "[]",
        "no JSON"}) {
    put_file(config, theirs);
    for (const char* from : {"run.xlab", "task.xlab"}) {
      const Answer answer = run({"export", at(from), at("folder"), "--force"});
      EXPECT_EQ(answer.code, 0) << answer.err;
      EXPECT_THAT(answer.err, HasSubstr("was written by another program and stays as it is"));
      EXPECT_EQ(bytes_of_file(config), theirs);
      EXPECT_EQ(std::filesystem::exists(at("folder/tokenizer.json")), from[0] == 'r');
    }
  }
  std::filesystem::remove(config);
  EXPECT_EQ(run({"export", at("task.xlab"), at("folder"), "--force"}).code, 0);
  EXPECT_FALSE(std::filesystem::exists(config));
}

TEST_F(CommandLine, WeightsMayBeRoundedToHalves) {
  put_file(at("large.json"), R"({"model_type": "xlstm", "hidden_size": 16, "num_hidden_layers": 1,
      "num_heads": 2, "ffn_round_up_to_multiple_of": 8})");
  EXPECT_EQ(run({"train", "--spec", at("large.json"), "--task", "copy", "--steps", "2", "--out",
                 at("run.xlab")})
                .code,
            0);
  EXPECT_EQ(run({"export", at("run.xlab"), at("full")}).code, 0);
  EXPECT_EQ(run({"export", at("run.xlab"), at("halves"), "--bf16"}).code, 0);
  EXPECT_THAT(run({"info", at("halves")}).out, HasSubstr("BF16"));
  const auto written = [&](const std::string& folder, const Arguments& more) {
    Arguments arguments = {"generate", at(folder), "--prompt",      "1 2",
                           "--tokens", "30",       "--temperature", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments).out;
  };
  EXPECT_EQ(written("halves", {}), written("full", {"--bf16"}));
}

TEST_F(CommandLine, WeightsMayBeHeldInFewerBits) {
  put_file(at("large.json"), R"({"model_type": "xlstm", "hidden_size": 64, "num_hidden_layers": 1,
      "num_heads": 2, "ffn_round_up_to_multiple_of": 64})");
  EXPECT_EQ(run({"train", "--spec", at("large.json"), "--task", "copy", "--steps", "2", "--out",
                 at("run.xlab")})
                .code,
            0);
  EXPECT_EQ(run({"export", at("run.xlab"), at("full")}).code, 0);
  for (const std::string bits : {"8", "4"}) {
    const std::string held = bits + "bit", said = "The weights are held in " + bits + " bits";
    for (const Arguments& command :
         {Arguments{"generate", at("full"), "--prompt", "1 2", "--tokens", "3"},
          Arguments{"logits", at("full"), "--ids", "1,2", "--out", at(held + ".safetensors")},
          Arguments{"trace", at("full"), "--ids", "1,2", "--out", at(held + ".trace")},
          Arguments{"selfcheck", at("full")}}) {
      Arguments with = command;
      with.insert(with.end(), {"--weights", held});
      const Answer answer = run(with);
      EXPECT_EQ(answer.code, 0) << command.front() << answer.err << answer.out;
      EXPECT_THAT(answer.err, HasSubstr(said)) << command.front();
    }
  }
  EXPECT_NE(bytes_of_file(at("8bit.safetensors")), bytes_of_file(at("4bit.safetensors")));
  put_file(at("numbers.txt"), "1 2 1 0 2 1 1 2");
  const Answer cost = run(
      {"selfcheck", at("full"), "--weights", "4bit", "--text", at("numbers.txt"), "--tokens", "6"});
  EXPECT_EQ(cost.code, 0) << cost.err;
  EXPECT_THAT(cost.out, AllOf(HasSubstr("What 4 bits cost after each of 6 tokens"),
                              ContainsRegex("block 0  +[0-9.e-]+ "),
                              ContainsRegex("all  +[0-9.e-]+ "), HasSubstr("checks passed")));
  expect_refusal({"selfcheck", at("full"), "--text", at("numbers.txt")}, 2, "--weights 8bit");
  expect_refusal({"generate", at("run.xlab"), "--prompt", "1", "--weights", "4bit"}, 2,
                 "only of model folders");
  expect_refusal({"generate", at("full"), "--prompt", "1", "--weights", "3bit"}, 2, "3bit");
  expect_refusal({"generate", at("full"), "--prompt", "1", "--weights", "4bit", "--bf16"}, 2,
                 "--bf16");
  expect_refusal({"train", "--model", at("full"), "--task", "copy", "--weights", "8bit", "--out",
                  at("other.xlab")},
                 2, "--weights");
}

TEST_F(CommandLine, AModelOfThePaperGoesThereAndBack) {
  train("run.xlab", {"--task", "copy", "--steps", "2"});
  EXPECT_EQ(run({"export", at("run.xlab"), at("folder")}).code, 0);
  EXPECT_EQ(signature("folder"), signature("run.xlab"));
  EXPECT_THAT(run({"info", at("folder")}).out,
              AllOf(HasSubstr("paper family"), HasSubstr("block1/slstm")));
  expect_refusal({"export", at("run.xlab"), at("halves"), "--bf16"}, 1, "large family");
}

}  // namespace
}  // namespace xlab::tests
