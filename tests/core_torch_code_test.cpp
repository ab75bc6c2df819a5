// The programs that a shown number can be had as: each runs by itself where PyTorch is installed,
// and gives the recorded number.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/equations/torch_code.hpp"
#include "core/files/recording.hpp"
#include "core/generation/recorded_step.hpp"
#include "core/live_equation.hpp"
#include "tests/every_equation.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string python() {
  const char* chosen = std::getenv("XLAB_PYTHON");
  return chosen ? chosen : "python3";
}

/// What a command writes; `rc` is how it ended.
std::string output_of(const std::string& command, int& rc) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  if (!pipe) return {};
  std::string text;
  std::array<char, 4096> piece{};
  while (const std::size_t read = std::fread(piece.data(), 1, piece.size(), pipe))
    text.append(piece.data(), read);
  rc = ::pclose(pipe);
  return text;
}

/// Without importing them, which takes seconds.
bool has_package(const std::string& name) {
  int rc = 0;
  output_of(python() + " -c 'import importlib.util as u, sys; sys.exit(u.find_spec(\"" + name +
                "\") is None)' 2>/dev/null",
            rc);
  return rc == 0;
}

struct Program {
  std::string of;  ///< for messages
  std::string text;
  double recorded = 0.0;
  double sum = 0.0;  ///< of the sizes of what is added up: rounding is relative to it
};

/// Runs each program by itself, all in one Python, and compares what it computes.
void expect_recorded_numbers(const std::vector<Program>& programs, const fs::path& folder) {
  std::ofstream all(folder / "programs.txt", std::ios::binary);
  for (const Program& program : programs) all << program.text << '\f';
  all.close();
  std::ofstream(folder / "run.py") << "text = open('programs.txt', encoding='utf-8').read()\n"
                                      "for program in text.split('\\f')[:-1]:\n"
                                      "    exec(compile(program, 'program', 'exec'), {})\n";
  int rc = 0;
  const std::string output = output_of(
      "cd '" + folder.string() + "' && CUDA_VISIBLE_DEVICES= " + python() + " run.py 2>&1", rc);
  ASSERT_EQ(rc, 0) << output.substr(output.size() - std::min<std::size_t>(output.size(), 2000));
  std::istringstream lines(output);
  std::string line;
  for (const Program& program : programs) {
    ASSERT_TRUE(std::getline(lines, line)) << program.of;
    double computed = 0.0, shown = 0.0;
    std::array<char, 16> word{};
    ASSERT_EQ(std::sscanf(line.c_str(), "computed %lf, %15s %lf", &computed, word.data(), &shown),
              3)
        << line;
    EXPECT_NEAR(shown, program.recorded, 1e-6 * std::abs(program.recorded)) << program.text;
    EXPECT_NEAR(computed, program.recorded,
                1e-5 * std::max(std::abs(program.recorded), program.sum))
        << program.of << "\n"
        << program.text;
  }
  EXPECT_FALSE(std::getline(lines, line)) << line;
}

/// The programs of all values of all cells, at the first and the last step.
std::vector<Program> all_programs(const Played& sequence, std::size_t longest) {
  std::vector<Program> programs;
  for (const BlockCard& block : sequence.blocks) {
    for (const ValueCard& card : block.values->cards) {
      for (const int step : {0, sequence.trace->length() - 1}) {
        const ValuePlace place{block.path(card.name), step, block.heads - 1,
                               static_cast<int>(block.numbers(card.extent)) - 1};
        const TorchCode code = torch_code(*sequence.trace, block, place, longest);
        EXPECT_EQ(code.text.empty(), card.inputs.empty()) << place.path << ": " << code.why_not;
        EXPECT_NE(code.text.empty(), code.why_not.empty()) << place.path;
        if (code.text.empty()) continue;
        const LiveEquation live =
            live_equation(*sequence.trace, block, place.path, step, place.head, place.unit);
        double sum = 0.0;
        for (const EquationInput& input :
             inputs_of(*sequence.trace, block, place, Columns::replayed))
          if (input.whole)
            for (const double number : input.numbers) sum = std::max(sum, std::abs(number));
        programs.push_back({sequence.name + " " + place.path, code.text, live.value, sum});
      }
    }
  }
  return programs;
}

TEST(TorchCode, GivesTheRecordedNumberOfEveryValueOfEveryCell) {
  std::vector<Program> programs;
  for (const Played& sequence : every_cell_played())
    for (Program& program : all_programs(sequence, 64)) programs.push_back(std::move(program));
  EXPECT_GT(programs.size(), 1000u);
  if (!has_package("torch")) GTEST_SKIP() << python() << " has no PyTorch.";
  const TemporaryFolder folder;
  expect_recorded_numbers(programs, folder.path());
}

TEST(TorchCode, ReadsLongVectorsFromARecording) {
  const Model model = filled_model(small_mlstm(), DType::f32);
  const std::vector<int> tokens = some_tokens(5, model.spec().vocab_size);
  const Played sequence = played("mlstm", small_mlstm());
  const std::vector<Program> programs = all_programs(sequence, 1);
  int reading = 0;
  for (const Program& program : programs)
    reading += program.text.find("load_file") != std::string::npos ? 1 : 0;
  EXPECT_EQ(reading, 8) << "s and h, of two blocks, at two steps";
  if (!has_package("torch") || !has_package("safetensors"))
    GTEST_SKIP() << python() << " lacks packages.";
  const TemporaryFolder folder;
  ModelCard card;
  card.blocks = model.cards();
  const RecordingPlan plan(card, tokens, {}, {});
  std::atomic<bool> stop = false;
  write_recording(plan, *sequence.trace, folder.path() / "recording.safetensors", stop);
  expect_recorded_numbers(programs, folder.path());
}

TEST(TorchCode, IsAFewLinesThatSayWhatTheyAre) {
  const Played sequence = played("mixed", small_mixed());
  const BlockCard& block = sequence.blocks[0];
  const TorchCode code = torch_code(*sequence.trace, block, {block.path("forget_gate"), 3, 1, 0});
  EXPECT_THAT(code.text,
              StartsWith("# forget gate, stabilised: block0/mlstm/forget_gate, t = 3, head 1\n"
                         "# f'_t = exp(log σ(f_t) + m_{t−1} − m_t)\nimport torch\n"));
  EXPECT_THAT(code.text,
              HasSubstr("\nf_prime = torch.exp(torch.nn.functional.logsigmoid(f) + m_before - m)\n"
                        "print(f\"computed {f_prime.item():.9g}, recorded "));
  EXPECT_LE(std::count(code.text.begin(), code.text.end(), '\n'), 12);
  // Every number has the digits that make it the same float again.
  const float m = sequence.trace->find(2, block.path("m"))->at(1, 0);
  const std::size_t at = code.text.find("m_before = torch.tensor(");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(std::strtof(code.text.c_str() + at + 24, nullptr), m);
  // The memory's cell is written from one number of k and one of v.
  const TorchCode cell = torch_code(*sequence.trace, block, {block.path("C"), 3, 1, 5});
  EXPECT_THAT(cell.text, HasSubstr("C = f_prime * C_before + i_prime * k * v\n"));
  EXPECT_THAT(cell.text, HasSubstr(", shown "));
  // Only what is used is there: at the first token of an exponential forget gate only i.
  ModelSpec exponential = small_mlstm();
  exponential.mlstm->variant.forget_gate = ForgetGate::exponential;
  const Played other = played("exponential", exponential);
  const TorchCode first = torch_code(*other.trace, other.blocks[0], {other.blocks[0].path("m"), 0});
  EXPECT_THAT(first.text, HasSubstr("\nm = i\n"));
  EXPECT_THAT(first.text, Not(HasSubstr("m_before")));
  const TorchCode later = torch_code(*other.trace, other.blocks[0], {other.blocks[0].path("m"), 1});
  EXPECT_THAT(later.text, HasSubstr("\nm = torch.maximum(f + m_before, i)\n"));
}

TEST(TorchCode, SaysWhyThereIsNone) {
  const Played sequence = played("mlstm", small_mlstm());
  const BlockCard& block = sequence.blocks[0];
  const auto why = [&](const char* name, int step, int head, int unit) {
    const TorchCode code = torch_code(*sequence.trace, block, {block.path(name), step, head, unit});
    EXPECT_EQ(code.text, "") << name;
    return code.why_not;
  };
  EXPECT_THAT(why("q", 2, 0, 0), HasSubstr("is not recorded"));
  EXPECT_THAT(why("m", 99, 0, 0), EndsWith("is recorded."));
  EXPECT_THAT(why("h", 2, 99, 0), EndsWith("is recorded."));
  EXPECT_THAT(why("C", 2, 0, 1 << 20), EndsWith("is recorded."));
  EXPECT_THAT(why("h", -1, 0, -1), EndsWith("is recorded."));
  EXPECT_THAT(why("nothing", 0, 0, 0), HasSubstr("no equation"));
}

TEST(TorchCode, OfAProbabilityIsTheSoftmaxOfTheLogits) {
  const std::vector<float> logits{1.5f, -2.0f, 0.25f, 700.0f, 699.0f};
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - 700.0);
  std::vector<Program> programs;
  for (const std::size_t longest : {std::size_t{64}, std::size_t{4}}) {
    for (const int token : {3, 4}) {
      const double p =
          std::exp(static_cast<double>(logits[static_cast<std::size_t>(token)]) - 700.0) / sum;
      const TorchCode code = softmax_code(logits, token, static_cast<float>(p), longest);
      programs.push_back({"softmax", code.text, p, 0.0});
    }
  }
  EXPECT_THAT(programs[0].text, HasSubstr("torch.softmax(z, dim=0)[3]"));
  EXPECT_THAT(programs[2].text, HasSubstr("torch.exp(z - log_sum)"));
  EXPECT_EQ(softmax_code(logits, 5, 0.5f).text, "");
  EXPECT_EQ(softmax_code(logits, -1, 0.5f).text, "");
  if (!has_package("torch")) GTEST_SKIP() << python() << " has no PyTorch.";
  const TemporaryFolder folder;
  expect_recorded_numbers(programs, folder.path());
}

TEST(TorchCode, KeepsWhatIsNoNumber) {
  auto token = std::make_shared<TokenTrace>();
  token->values["b/mlstm/input_gate_pre"] = {1, 1, {std::numeric_limits<float>::infinity()}};
  token->values["b/mlstm/m"] = {1, 1, {std::numeric_limits<float>::quiet_NaN()}};
  token->values["b/mlstm/input_gate"] = {1, 1, {std::numeric_limits<float>::quiet_NaN()}};
  Trace trace;
  trace.steps.push_back(token);
  const TorchCode code = torch_code(trace, block_of("b/mlstm/m"), {"b/mlstm/input_gate", 0, 0, 0});
  EXPECT_THAT(code.text, HasSubstr("i = torch.tensor(float(\"inf\"))"));
  EXPECT_THAT(code.text, HasSubstr("m = torch.tensor(float(\"nan\"))"));
  EXPECT_THAT(code.text, HasSubstr("recorded nan\")"));
}

}  // namespace
}  // namespace xlab::tests
