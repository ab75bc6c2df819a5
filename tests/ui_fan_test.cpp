// The fan of a forecast, and the series on the time axis: what they draw is what the snapshot says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/ui_stage.hpp"
#include "ui/fan_chart.hpp"
#include "ui/series_row.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

/// Twelve numbers, the third of which is missing, in patches of five; two quantiles around one.
Snapshot scene_of_series() {
  Snapshot now;
  now.id = now.run_id = 1;
  auto series = std::make_shared<SeriesCard>();
  series->name = "sold";
  for (int i = 0; i < 12; ++i) series->numbers.push_back(i == 2 ? kNothing : 100.0 + i * i);
  series->patch = 5;
  series->future = 10;
  series->begin = 12 - 15;
  series->quantiles = {0.1, 0.5, 0.9};
  auto data = std::make_shared<DataCard>();
  data->series = series;
  now.data = data;
  auto model = std::make_shared<ModelCard>();
  model->vocabulary = {"0", "2", "7", "12", "17"};
  now.model = model;
  now.sequence.tokens = {0, 1, 2, 3, 4};
  now.sequence.expected = {-1, -1, -1, -1, -1, -1};
  now.sequence.top_choice = {-1, -1, -1, -1, -1, -1};
  now.sequence.surprise = {0, 0, 0, 0, 0};
  now.sequence.prompt_length = 5;
  now.sequence.cursor = 2;
  now.sequence.full_reason = "The series ends here.";
  auto trace = std::make_shared<Trace>();
  now.trace = trace;
  auto foretold = std::make_shared<Foretold>();
  foretold->begin = 12;
  foretold->quantiles.resize(3);
  for (int t = 0; t < 10; ++t) {
    foretold->quantiles[0].push_back(180.0 + t);
    foretold->quantiles[1].push_back(210.5 + 3 * t);
    foretold->quantiles[2].push_back(260.0 + 9 * t);
  }
  now.foretold = foretold;
  return now;
}

std::vector<std::string> texts(const Stage& stage) {
  std::vector<std::string> all;
  for (const auto& text : stage.log.texts) all.push_back(text.wanted);
  return all;
}

TEST(Fans, SayWhatIsForetoldAndOfWhat) {
  Snapshot now = scene_of_series();
  Stage stage(now);
  stage.size = {620, 420};
  const auto view = ui::make_next_view();
  stage.frame(*view);
  stage.frame(*view);
  EXPECT_THAT(texts(stage), Contains("foretold after the series: numbers 12 to 21"));
  EXPECT_THAT(texts(stage), Contains("series"));
  EXPECT_THAT(texts(stage), Contains("quantile 50 %"));
  EXPECT_THAT(texts(stage), Contains("10 % to 90 %"));
  EXPECT_THAT(texts(stage), Not(Contains("without clamps")));
  EXPECT_THAT(texts(stage), Not(Contains(HasSubstr("prob."))));
  EXPECT_EQ(view->title_now(now), "Forecast");
  EXPECT_EQ(view->title_now(Snapshot{}), "Next token");
}

TEST(Fans, DrawTheMiddleQuantileAndTheUntouchedOne) {
  Snapshot now = scene_of_series();
  auto foretold = std::make_shared<Foretold>(*now.foretold);
  foretold->unclamped = foretold->quantiles;
  for (double& number : foretold->unclamped[1]) number -= 20.0;
  now.foretold = foretold;
  Stage stage(now);
  stage.size = {620, 420};
  const auto view = ui::make_next_view();
  stage.frame(*view);
  stage.frame(*view);
  ASSERT_EQ(stage.log.curves.size(), 2u);
  const auto& middle = stage.log.curves[0];
  const auto& untouched = stage.log.curves[1];
  ASSERT_EQ(middle.ys.size(), 10u);
  for (std::size_t t = 0; t < 10; ++t) {
    EXPECT_FLOAT_EQ(middle.ys[t], static_cast<float>(foretold->quantiles[1][t]));
    EXPECT_FLOAT_EQ(untouched.ys[t], static_cast<float>(foretold->unclamped[1][t]));
    EXPECT_EQ(middle.xs[t], untouched.xs[t]);
    if (t > 0) {
      EXPECT_GT(middle.xs[t], middle.xs[t - 1]);
    }
  }
  EXPECT_EQ(middle.stroke.dash, ui::Dash::solid);
  EXPECT_EQ(untouched.stroke.dash, ui::Dash::dashed);
  // Everything has its room: from the least number of the series to the largest quantile.
  EXPECT_LE(middle.axis.low, 100.0);
  EXPECT_GE(middle.axis.high, 341.0);
  // The series itself, but for the number that is missing.
  bool drawn = false;
  for (const auto& line : stage.log.lines) {
    if (line.points.size() < 12) continue;
    drawn = true;
    EXPECT_TRUE(std::isnan(line.points[2].y));
    EXPECT_NEAR(line.points[11].y, middle.axis.y(221.0, middle.box), 0.01f);
    EXPECT_LT(line.points[11].x, middle.xs[0]);
  }
  EXPECT_TRUE(drawn);
}

TEST(Fans, OfAPatchNameTheStepTheyFollow) {
  Snapshot now = scene_of_series();
  auto foretold = std::make_shared<Foretold>(*now.foretold);
  foretold->begin = 7;
  for (auto& row : foretold->quantiles) row.resize(5);
  foretold->unclamped = foretold->quantiles;
  now.foretold = foretold;
  now.sequence.cursor = 1;
  Stage stage(now);
  stage.size = {620, 420};
  const auto view = ui::make_next_view();
  stage.frame(*view);
  stage.frame(*view);
  EXPECT_THAT(texts(stage), Contains("foretold after t = 1: numbers 7 to 11"));
  EXPECT_THAT(texts(stage), Contains("without clamps"));
}

TEST(Fans, ShowTheNumbersOfAPlaceBesideTheMouse) {
  Snapshot now = scene_of_series();
  Stage stage(now);
  stage.size = {620, 420};
  const auto view = ui::make_next_view();
  bool series = false, foretold = false;
  for (float x = 60; x < 610; x += 4) {
    stage.move(*view, x, 200);
    const std::vector<std::string> said = texts(stage);
    for (const std::string& text : said) {
      if (text == "number 11 of the series") {
        series = true;
        EXPECT_THAT(said, Contains("in the series: 221"));
      }
      if (text == "number 14 of the series") {
        foretold = true;
        EXPECT_THAT(said, Contains("10 %: 182"));
        EXPECT_THAT(said, Contains("50 %: 216"));  // 216.5 in three digits
        EXPECT_THAT(said, Contains("90 %: 278"));
      }
      if (text == "number 2 of the series") {
        EXPECT_THAT(said, Contains("not there"));
      }
    }
  }
  EXPECT_TRUE(series);
  EXPECT_TRUE(foretold);
}

TEST(Fans, HaveTheirNumbersInTheTable) {
  Snapshot now = scene_of_series();
  const ui::Table table = ui::fan_table(now);
  EXPECT_THAT(table.columns, ElementsAre("number", "in the series", "quantile 0.1", "quantile 0.5",
                                         "quantile 0.9"));
  ASSERT_EQ(table.rows.size(), 10u);
  EXPECT_THAT(table.rows[3], ElementsAre("15", "", "183", "219.5", "287"));
  auto foretold = std::make_shared<Foretold>(*now.foretold);
  foretold->begin = 9;
  foretold->unclamped = foretold->quantiles;
  now.foretold = foretold;
  const ui::Table inside = ui::fan_table(now);
  EXPECT_EQ(inside.columns.size(), 8u);
  EXPECT_EQ(inside.rows[1][1], "200");
  EXPECT_EQ(inside.rows[5][1], "");
}

TEST(Fans, WithoutANumberAreNotDrawnButSaid) {
  Snapshot now = scene_of_series();
  now.foretold = nullptr;
  Stage stage(now);
  stage.size = {400, 300};
  const auto view = ui::make_next_view();
  stage.frame(*view);
  EXPECT_THAT(texts(stage), Contains(HasSubstr("has not read this patch")));
  auto foretold = std::make_shared<Foretold>();
  foretold->begin = 12;
  foretold->quantiles.resize(3, std::vector<double>(10, kNothing));
  now.foretold = foretold;
  stage.frame(*view);
  stage.frame(*view);
  EXPECT_THAT(texts(stage), Contains("quantile 50 %"));
}

TEST(Fans, BeforeTheSeriesSaySo) {
  Snapshot now = scene_of_series();
  auto foretold = std::make_shared<Foretold>(*now.foretold);
  foretold->begin = -3;
  now.foretold = foretold;
  Stage stage(now);
  stage.size = {400, 300};
  const auto view = ui::make_next_view();
  stage.frame(*view);
  EXPECT_THAT(texts(stage), Contains(HasSubstr("The series begins later")));
}

TEST(Fans, FitIntoAnyRoom) {
  Snapshot now = scene_of_series();
  Stage stage(now);
  for (const float scale : {1.0f, 2.0f}) {
    stage.scale = scale;
    for (float width = 60; width < 700; width += 80) {
      for (float height = 40; height < 500; height += 60) {
        stage.size = {width, height};
        const auto next = ui::make_next_view(), time = ui::make_time_view();
        stage.frame(*next);
        stage.frame(*time);
      }
    }
  }
}

TEST(SeriesOnTheTimeAxis, AreNamedByTheirPlacesAndHaveNoSurprise) {
  Snapshot now = scene_of_series();
  Stage stage(now);
  stage.size = {900, 260};
  const auto view = ui::make_time_view();
  stage.frame(*view);
  stage.frame(*view);
  const auto said = texts(stage);
  EXPECT_THAT(said, Contains("t = 2 of 0…4   numbers 7 to 11"));
  EXPECT_THAT(said, Contains("12 numbers in patches of 5, then 10 that are foretold"));
  EXPECT_THAT(said, Contains("from"));
  for (const std::string& text : said) {
    EXPECT_THAT(text, Not(HasSubstr("nats")));
    EXPECT_THAT(text, Not(HasSubstr("answer")));
  }
  stage.move(*view, 120, 60);
}

TEST(SeriesOnTheTimeAxis, PatchesSayWhatTheyHold) {
  const Snapshot now = scene_of_series();
  const SeriesCard& series = *now.data->series;
  EXPECT_EQ(ui::patch_words(series, 0), "numbers 0 to 1");
  EXPECT_EQ(ui::patch_words(series, 2), "numbers 7 to 11");
  EXPECT_EQ(ui::patch_words(series, 3), "foretold numbers 12 to 16");
  const auto lines = ui::patch_lines(series, 1);  // numbers 2 to 6, the first of which is missing
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[1].text, "from 109 up to 136");
  EXPECT_EQ(lines[2].text, "4 of 5 numbers are there");
  const ui::Table table = ui::patch_table(now, series);
  ASSERT_EQ(table.rows.size(), 22u);
  EXPECT_THAT(table.rows[2], ElementsAre("1", "2", "", ""));
  EXPECT_THAT(table.rows[8], ElementsAre("2", "8", "164", "here"));
}

}  // namespace
}  // namespace xlab::tests
