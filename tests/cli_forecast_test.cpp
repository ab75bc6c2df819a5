// `xlstm forecast` as a person meets it, and what the other commands say of such a model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli_command.hpp"
#include "tests/json_schema.hpp"

namespace xlab::tests {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ForecastCommand : public CommandTest {
 protected:
  void SetUp() override {
    const json all = json::parse(std::ifstream(XLAB_GOLDEN_SERIES "/series.json"));
    std::string text = "hour,wave\n";
    int hour = 0;
    for (const json& one : all.at("wave"))
      text += std::to_string(hour++) + "," + (one.is_null() ? "" : one.dump()) + "\n";
    put_file(at("data.csv"), text);
  }
  CommandAnswer forecast(const std::string& arguments) const {
    return run("forecast '" XLAB_GOLDEN_SERIES "/relu' data.csv " + arguments);
  }
};

TEST_F(ForecastCommand, WritesTheQuantilesOfEveryStep) {
  const CommandAnswer answer = forecast("--column wave --steps 10");
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("wave: 50 numbers, 4 of them missing"));
  std::istringstream lines(answer.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "step,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9");
  const json expected =
      json::parse(std::ifstream(XLAB_GOLDEN_SERIES "/relu/expected.json")).at("wave 10");
  for (std::size_t t = 0; t < 10; ++t) {
    ASSERT_TRUE(std::getline(lines, line));
    std::istringstream fields(line);
    std::string field;
    std::getline(fields, field, ',');
    EXPECT_EQ(field, std::to_string(t + 1));
    for (std::size_t q = 0; q < 9; ++q) {
      ASSERT_TRUE(std::getline(fields, field, ','));
      EXPECT_NEAR(std::stod(field), expected.at(q).at(t).get<double>(), 1e-4) << t << " " << q;
    }
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(ForecastCommand, WritesAPatchUnlessItIsToldOtherwiseAndIntoAFile) {
  const CommandAnswer answer = forecast("--column 2 --out foretold.csv");
  EXPECT_EQ(answer.code, 0);
  EXPECT_THAT(answer.err, HasSubstr("8 steps written to foretold.csv"));
  EXPECT_EQ(answer.out, "");
  const std::string text = bytes_of_file(at("foretold.csv"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 9);
  EXPECT_THAT(text, StartsWith("step,0.1,"));
  EXPECT_EQ(forecast("--column 2 --out foretold.csv").code, 0);
  EXPECT_EQ(forecast("--column 2 --out data.csv").code, 2);
}

TEST_F(ForecastCommand, ReplacesNothingButForecasts) {
  std::filesystem::copy(XLAB_GOLDEN_SERIES "/relu", at("model"));
  const std::string config = bytes_of_file(at("model/config.json"));
  const std::string weights = bytes_of_file(at("model/model.safetensors"));
  for (const char* out : {"model/config.json", "model/model.safetensors"})
    EXPECT_NE(run(std::string("forecast model data.csv --column wave --out ") + out).code, 0);
  put_file(at("notes.txt"), "mine\n");
  EXPECT_THAT(forecast("--column wave --out notes.txt").err, HasSubstr("is no forecast"));
  EXPECT_EQ(bytes_of_file(at("notes.txt")), "mine\n");
  EXPECT_EQ(bytes_of_file(at("model/config.json")), config);
  EXPECT_EQ(bytes_of_file(at("model/model.safetensors")), weights);
}

TEST_F(ForecastCommand, KeepsTheDigitsOfLargeNumbers) {
  std::string text = "v\n";
  for (int t = 0; t < 40; ++t) text += std::to_string(1'000'000'000 + 10 * t + t % 3) + "\n";
  put_file(at("large.csv"), text);
  const CommandAnswer answer = run("forecast '" XLAB_GOLDEN_SERIES "/relu' large.csv --steps 3");
  EXPECT_THAT(answer.err, HasSubstr("a trend"));
  std::istringstream lines(answer.out);
  std::string line, last;
  std::getline(lines, line);
  std::set<std::string> different;
  while (std::getline(lines, line)) different.insert(line.substr(2));
  EXPECT_EQ(different.size(), 3u);
  EXPECT_THAT(answer.out, HasSubstr("1000000"));
}

TEST_F(ForecastCommand, ReadsTheStandardInputAndTellsOfNumbersThatAreNone) {
  const std::string line = std::string("cd '") + folder_.path().string() +
                           "' && cut -d, -f2 data.csv | '" XLAB_XLSTM
                           "' forecast '" XLAB_GOLDEN_SERIES "/relu' - --steps 10 >out 2>err";
  EXPECT_EQ(std::system(line.c_str()), 0) << bytes_of_file(at("err"));
  EXPECT_EQ(bytes_of_file(at("out")), forecast("--column wave --steps 10").out);
  put_file(at("huge.csv"), "v\n1e308\n-1e308\n1e308\n2\n");
  const CommandAnswer huge = run("forecast '" XLAB_GOLDEN_SERIES "/relu' huge.csv");
  EXPECT_EQ(huge.code, 3);
  EXPECT_THAT(huge.err, HasSubstr("Not all of these numbers are finite"));
  EXPECT_THAT(huge.out, testing::Not(HasSubstr("-nan")));
}

TEST_F(ForecastCommand, SaysWhatIsWrong) {
  EXPECT_THAT(forecast("").err, AllOf(HasSubstr("2 columns"), HasSubstr("'hour', 'wave'")));
  EXPECT_EQ(forecast("").code, 1);
  EXPECT_THAT(forecast("--column wave --steps 25").err, HasSubstr("foretells 1 to 24 numbers"));
  EXPECT_EQ(forecast("--column wave --steps 0").code, 2);
  EXPECT_THAT(run("forecast '" XLAB_GOLDEN_SERIES "/relu' nowhere.csv").err,
              HasSubstr("nowhere.csv"));
  EXPECT_THAT(run("forecast data.csv data.csv").err, HasSubstr("data.csv"));
}

TEST_F(ForecastCommand, TheGatesOfASeriesAreTracedPatchByPatch) {
  const CommandAnswer answer =
      run("trace '" XLAB_GOLDEN_SERIES
          "/relu' --series data.csv --column wave --values '*/forget_gate,*/c' "
          "--out t.safetensors");
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("11 tokens of 6 values"));
  const std::string bytes = bytes_of_file(at("t.safetensors"));
  EXPECT_THAT(bytes, HasSubstr("block2/slstm/forget_gate"));
  EXPECT_THAT(bytes, HasSubstr("[11,2,8]"));
  EXPECT_EQ(
      run("trace '" XLAB_GOLDEN_SERIES "/relu' --series data.csv --ids 0 --out u.safetensors").code,
      2);
  EXPECT_THAT(run("trace '" XLAB_GOLDEN_SERIES "/relu' --ids 0 --out u.safetensors").err,
              HasSubstr("give it one"));
}

TEST_F(ForecastCommand, OtherCommandsTellWhatSuchAModelIs) {
  const CommandAnswer checked = run("check '" XLAB_GOLDEN_SERIES "/relu'");
  EXPECT_EQ(checked.code, 0);
  EXPECT_THAT(checked.out, AllOf(HasSubstr("TiRex-2, 3 blocks, forecasting family"),
                                 HasSubstr("looks back on 64 numbers and foretells 24"),
                                 HasSubstr("0.1, 0.2"), HasSubstr("patches of 8 numbers")));
  const JsonSchema schema(json::parse(std::ifstream(XLAB_SCHEMAS "/check.schema.json")));
  const json object = json::parse(run("check --json '" XLAB_GOLDEN_SERIES "/relu'").out);
  EXPECT_THAT(schema.problems(object), IsEmpty());
  EXPECT_EQ(object.at("models").at(0).at("family"), "forecasting");
  EXPECT_EQ(object.at("models").at(0).at("trainable"), false);
  EXPECT_EQ(object.at("models").at(0).at("series").at("context"), 64);
  EXPECT_THAT(run("info '" XLAB_GOLDEN_SERIES "/relu'").out,
              AllOf(HasSubstr("forecasting family"), HasSubstr("patches of 8 numbers"),
                    HasSubstr("xlstm forecast reads it")));
  for (const char* command :
       {"generate --ids 0", "selfcheck", "logits --ids 0 --out x.safetensors"})
    EXPECT_THAT(run(std::string(command) + " '" XLAB_GOLDEN_SERIES "/relu'").err,
                HasSubstr("foretells a series of numbers"))
        << command;
}

}  // namespace
}  // namespace xlab::tests
