// A run that reads a series: what the engine says of it, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files/folder_run.hpp"
#include "core/series/csv_column.hpp"
#include "core/series/forecast.hpp"
#include "core/series/read_series.hpp"
#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;

class SeriesRuns : public EngineStage {
 protected:
  SeriesRuns() {
    // Two gaps, and no trend.
    std::string text = "hour,wave\n";
    for (int t = 0; t < 50; ++t)
      text += std::to_string(t) + "," +
              (t == 17 || t == 42 ? "" : std::to_string(10.0 + 3.0 * std::sin(t / 4.0))) + "\n";
    put_file(folder_ / "wave.csv", text);
    text = "v\n";
    for (int t = 0; t < 40; ++t) text += std::to_string(2 * t + t % 3) + "\n";
    put_file(folder_ / "rising.csv", text);
  }
  static std::string golden(const char* name) { return std::string(XLAB_GOLDEN_SERIES "/") + name; }
  SnapshotPtr open(const char* model, const char* csv, const char* column) {
    return after(command::OpenFolder{
        .path = golden(model), .series = (folder_ / csv).string(), .column = column});
  }
  static void expect_near(const std::vector<std::vector<double>>& seen,
                          const std::vector<std::vector<double>>& wanted, std::size_t from = 0) {
    ASSERT_EQ(seen.size(), wanted.size());
    for (std::size_t q = 0; q < seen.size(); ++q) {
      ASSERT_LE(from + seen[q].size(), wanted[q].size() + from);
      for (std::size_t t = 0; t < seen[q].size(); ++t)
        EXPECT_NEAR(seen[q][t], wanted[q][t], 1e-3) << q << " " << t;
    }
  }
};

TEST_F(SeriesRuns, ForetellWhatTheCommandLineDoes) {
  for (const auto& [csv, column] : {std::pair("wave.csv", "wave"), std::pair("rising.csv", "v")}) {
    SCOPED_TRACE(csv);
    const SnapshotPtr shown = open("relu", csv, column);
    ASSERT_EQ(shown->failure.what, "");
    ASSERT_TRUE(shown->data->series && shown->foretold);
    const SeriesCard& series = *shown->data->series;
    EXPECT_EQ(series.name, column);
    EXPECT_EQ(series.patch, 8);
    EXPECT_EQ(series.future, 24);
    EXPECT_EQ(series.differenced, std::string(csv) == "rising.csv");
    const auto model = ModelFolder(golden("relu")).read(FolderUse::read);
    const Forecast wanted = forecast(*model, read_csv_column(folder_ / csv, column).numbers, 24);
    EXPECT_EQ(shown->foretold->begin, static_cast<int>(series.numbers.size()));
    EXPECT_EQ(shown->foretold->quantiles[0].size(), 24u);
    expect_near(shown->foretold->quantiles, wanted.quantiles);
    EXPECT_TRUE(shown->foretold->unclamped.empty());
    EXPECT_EQ(shown->next, nullptr);
    EXPECT_THAT(shown->sequence.expected, Each(-1));
    EXPECT_THAT(shown->sequence.surprise, Each(0.0f));
    EXPECT_EQ(shown->sequence.tokens.size(), 11u);
    EXPECT_EQ(shown->model->vocabulary.size(), 11u);
  }
}

TEST_F(SeriesRuns, OfTirexForetellAPatchAfterTheirLast) {
  const SnapshotPtr shown = open("first", "rising.csv", "v");
  ASSERT_EQ(shown->failure.what, "");
  const SeriesCard& series = *shown->data->series;
  // Nothing is read ahead: 64 numbers, of which the last 40 are there.
  EXPECT_EQ(shown->sequence.tokens.size(), 8u);
  EXPECT_EQ(shown->sequence.cursor, 7);
  EXPECT_EQ(series.begin, 40 - 64);
  EXPECT_EQ(series.future, 8);
  EXPECT_FALSE(series.differenced);
  EXPECT_EQ(shown->foretold->begin, 40);
  const auto model = ModelFolder(golden("first")).read(FolderUse::read);
  const Forecast wanted = forecast(*model, read_csv_column(folder_ / "rising.csv", "v").numbers, 8);
  ASSERT_EQ(shown->foretold->quantiles[0].size(), 8u);
  expect_near(shown->foretold->quantiles, wanted.quantiles);
  EXPECT_EQ(after(command::SetCursor{5})->foretold->begin, 24);
}

TEST_F(SeriesRuns, EachPatchForetellsTheOneAfterIt) {
  open("relu", "wave.csv", "wave");
  const SnapshotPtr shown = after(command::SetCursor{4});
  const SeriesCard& series = *shown->data->series;
  // 88 numbers in all, of which the last 24 are to come.
  EXPECT_EQ(series.begin, 50 + 24 - 88);
  EXPECT_EQ(shown->foretold->begin, series.begin + 5 * 8);
  EXPECT_EQ(shown->foretold->quantiles[0].size(), 8u);
  // From the last patch on it is all of it, wherever the cursor stands.
  const auto at_end = after(command::SetCursor{10})->foretold;
  EXPECT_EQ(at_end->begin, 50);
  EXPECT_EQ(at_end->quantiles, after(command::SetCursor{7})->foretold->quantiles);
  // What is foretold of the next patch is the beginning of a forecast of a series that ends here,
  // but for the scale, which is that of the whole.
  EXPECT_EQ(after(command::SetCursor{6})->foretold->begin, 42);
}

TEST_F(SeriesRuns, OfDifferencesGoOnFromTheLastNumberThatIsThere) {
  const ModelFolder folder(golden("relu"));
  std::vector<double> numbers = read_csv_column(folder_ / "rising.csv", "v").numbers;
  numbers[31] = std::nan("");
  const ReadSeries series = read_series(*folder.spec().series, "v", numbers);
  ASSERT_TRUE(series.patches.differenced);
  // Of a model that puts out nothing but zeros each step is the mean of the differences.
  const std::vector<float> zeros(9 * 8, 0.0f);
  const std::vector<const std::vector<float>*> rows(11, &zeros);
  const auto expect = [&](int at, int begin, double last, std::size_t steps) {
    const Foretold foretold = foretold_after(series, at, rows);
    EXPECT_EQ(foretold.begin, begin);
    ASSERT_EQ(foretold.quantiles[4].size(), steps);
    for (std::size_t t = 0; t < steps; ++t)
      EXPECT_NEAR(foretold.quantiles[4][t], last + series.patches.mean * static_cast<double>(t + 1),
                  1e-9);
  };
  EXPECT_GT(series.patches.mean, 1.0);
  expect(5, 24, numbers[23], 8);
  expect(6, 32, numbers[30], 8);  // number 31 is missing
  expect(7, 40, numbers[39], 24);
}

TEST_F(SeriesRuns, ShowWhatAClampDoesToTheForecast) {
  const auto before = open("relu", "wave.csv", "wave")->foretold->quantiles;
  const SnapshotPtr clamped = after(command::SetClamp{{.path = "block1/slstm/forget_gate_pre",
                                                       .head = 0,
                                                       .unit = 3,
                                                       .begin = 2,
                                                       .end = 9,
                                                       .value = -8.0f}});
  ASSERT_EQ(clamped->failure.what, "");
  ASSERT_EQ(clamped->foretold->unclamped[0].size(), clamped->foretold->quantiles[0].size());
  expect_near(clamped->foretold->unclamped, before);
  EXPECT_NE(clamped->foretold->quantiles, before);
  const SnapshotPtr undone = after(command::Undo{});
  EXPECT_EQ(undone->foretold->quantiles, before);
  EXPECT_TRUE(undone->foretold->unclamped.empty());
}

TEST_F(SeriesRuns, TakeOtherEquationsLikeAnyModel) {
  const auto before = open("relu", "wave.csv", "wave")->foretold->quantiles;
  CellVariant variant;
  variant.gate_soft_cap = 2.0;
  const SnapshotPtr changed = after(command::SetVariant{.kind = "slstm", .variant = variant});
  ASSERT_EQ(changed->failure.what, "");
  EXPECT_NE(changed->foretold->quantiles, before);
  EXPECT_EQ(after(command::Undo{})->foretold->quantiles, before);
}

TEST_F(SeriesRuns, RefuseWhatIsForTokens) {
  open("relu", "wave.csv", "wave");
  after(command::SetCursor{10});
  const auto refusal = [&](Command command) {
    const std::uint64_t id = engine_.snapshot()->failure.id;
    const SnapshotPtr now = after(std::move(command));
    EXPECT_GT(now->failure.id, id);
    EXPECT_EQ(now->sequence.tokens.size(), 11u);
    return now->failure.what;
  };
  EXPECT_THAT(refusal(command::StepForward{}), HasSubstr("The series ends here"));
  EXPECT_THAT(refusal(command::TakeToken{2}), HasSubstr("The series ends here"));
  EXPECT_THAT(refusal(command::SetPrompt{"0 2"}), HasSubstr("no prompt to write"));
  EXPECT_THAT(refusal(command::NewSample{}), testing::Not(IsEmpty()));
  EXPECT_THAT(refusal(command::TrainOneStep{}), HasSubstr("not trained here"));
  EXPECT_THAT(refusal(command::Save{(folder_ / "a.xlab").string()}), HasSubstr("not saved"));
  EXPECT_THAT(refusal(command::ExportFolder{(folder_ / "out").string()}),
              HasSubstr("not exported"));
  const SnapshotPtr checked = after(command::Selfcheck{});
  ASSERT_TRUE(checked->health);
  EXPECT_THAT(checked->health->failure, HasSubstr("reads a series of numbers"));
  EXPECT_FALSE(checked->health->running);
  EXPECT_THAT(engine_.snapshot()->cannot_save, HasSubstr("A forecast is not saved"));
  EXPECT_THAT(engine_.snapshot()->sequence.full_reason, HasSubstr("The series ends here"));
}

TEST_F(SeriesRuns, DoNotFollowOneAnother) {
  open("relu", "wave.csv", "wave");
  const SnapshotPtr both = after(command::OpenFolder{.path = golden("relu"),
                                                     .beside = true,
                                                     .series = (folder_ / "wave.csv").string(),
                                                     .column = "wave"});
  ASSERT_EQ(both->runs.size(), 2u);
  const SnapshotPtr now = after(command::FollowSequence{.run = both->runs.front()->id, .on = true});
  EXPECT_THAT(now->failure.what, HasSubstr("do not follow one another"));
}

TEST_F(SeriesRuns, NeedAModelThatReadsOne) {
  write_model_folder(filled_model(small_large(), DType::f32), folder_ / "large");
  EXPECT_THAT(after(command::OpenFolder{.path = (folder_ / "large").string(),
                                        .series = (folder_ / "wave.csv").string(),
                                        .column = "wave"})
                  ->failure.what,
              HasSubstr("foretells no numbers"));
  EXPECT_THAT(after(command::OpenFolder{.path = golden("relu")})->failure.what,
              HasSubstr("give it one"));
  EXPECT_THAT(open("relu", "wave.csv", "height")->failure.what, HasSubstr("no column 'height'"));
}

TEST_F(SeriesRuns, ThatLookBackFurtherThanTheyPutOutNumbersAreReadWhole) {
  const SnapshotPtr shown = open("single", "wave.csv", "wave");
  ASSERT_EQ(shown->failure.what, "");
  EXPECT_GT(shown->sequence.tokens.size(), 4u);
  EXPECT_EQ(shown->foretold->quantiles.size(), 1u);
  EXPECT_EQ(shown->foretold->quantiles[0].size(), 24u);
}

}  // namespace
}  // namespace xlab::tests
