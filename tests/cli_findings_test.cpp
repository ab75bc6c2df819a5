// `xlstm findings` as a person meets it; its JSON keeps to the schema that is published for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli_command.hpp"
#include "tests/json_schema.hpp"

namespace xlab::tests {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class FindingsCommand : public CommandTest {
 protected:
  /// A run that has learned a little, in a moment.
  void train() const {
    put_file(at("spec.json"),
             R"({"model": {"embedding_dim": 16, "num_blocks": 2, "slstm_at": [1],
                 "mlstm_block": {"mlstm": {"num_heads": 2}},
                 "slstm_block": {"slstm": {"num_heads": 2}}}})");
    const CommandAnswer trained =
        run("train --task recall --spec spec.json --steps 3 --out run.xlab");
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
};

TEST_F(FindingsCommand, TellsWhatIsMeasuredAndWhatEachHeadIsWorth) {
  train();
  const CommandAnswer told = run("findings run.xlab --task recall");
  EXPECT_EQ(told.code, 0) << told.err;
  EXPECT_THAT(told.out,
              AllOf(HasSubstr("Read 64 tokens: "), HasSubstr("over what the task asks for"),
                    HasSubstr("Block 0 (mLSTM): half of what is stored would be gone after"),
                    HasSubstr("opens the input gate widest"),
                    HasSubstr("Block 1 (sLSTM): the output gates of all 16 units"),
                    HasSubstr("directions in head"), HasSubstr("hangs most on"),
                    HasSubstr("Without head 1 of block 0 (mLSTM) the loss is"),
                    HasSubstr("Without all heads of block 1 (sLSTM)")));
  EXPECT_EQ(run("findings run.xlab").out, told.out) << "the run's own data is that task";
  const CommandAnswer few = run("findings run.xlab --no-ablations");
  EXPECT_THAT(few.out, testing::Not(HasSubstr("Without")));
  EXPECT_TRUE(told.out.starts_with(few.out));
}

TEST_F(FindingsCommand, JsonKeepsToItsSchema) {
  train();
  const std::filesystem::path place = std::filesystem::path(XLAB_SCHEMAS) / "findings.schema.json";
  const JsonSchema schema(json::parse(bytes_of_file(place)));
  const CommandAnswer told = run("findings run.xlab --json --ids 1,2,3,4,5,6");
  EXPECT_EQ(told.code, 0) << told.err;
  const json object = json::parse(told.out);
  EXPECT_THAT(schema.problems(object), IsEmpty());
  EXPECT_EQ(object.at("tokens"), 6);
  double dearest = 1e300;
  int heads = 0;
  for (const json& finding : object.at("findings")) {
    if (finding.at("about") != "ablation") continue;
    ++heads;
    ASSERT_EQ(finding.at("numbers").at(0).at("name"), "loss");
    ASSERT_EQ(finding.at("numbers").at(1).at("name"), "costs");
    const double loss = finding.at("numbers").at(0).at("value");
    EXPECT_LE(loss, dearest);
    dearest = loss;
    EXPECT_NEAR(loss - object.at("loss").get<double>(), finding.at("numbers").at(1).at("value"),
                1e-12);
  }
  EXPECT_EQ(heads, 6);
}

TEST_F(FindingsCommand, SaysWhatIsWrong) {
  train();
  const auto complains = [&](const std::string& arguments, int code, const std::string& words) {
    const CommandAnswer told = run("findings " + arguments);
    EXPECT_EQ(told.code, code) << arguments;
    EXPECT_THAT(told.err, HasSubstr(words)) << arguments;
    EXPECT_EQ(told.out, "") << arguments;
  };
  complains("run.xlab --ids 1", 1, "At least two tokens are needed");
  complains("run.xlab --ids 1,900", 1, "900");
  complains("run.xlab --ids 1,2 --task copy", 2, "Give one of --text");
  complains("run.xlab --task copy", 1, "The task 'copy' has");
  complains("run.xlab --task nonsense", 1, "nonsense");
  complains("'" XLAB_GOLDEN_SERIES "/relu' --ids 1,2", 1, "series of numbers");
}

}  // namespace
}  // namespace xlab::tests
