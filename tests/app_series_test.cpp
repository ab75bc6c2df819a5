// A forecasting model in the window: which series it reads is asked, and the panels show it.
#include <QFile>
#include <QPushButton>
#include <QTemporaryDir>
#include <cmath>

#include "app/series_question.hpp"
#include "app/view_dock.hpp"
#include "app_answers.hpp"
#include "app_window.hpp"
#include "ui/fan_chart.hpp"

namespace xlab::tests {
namespace {

class SeriesWindow : public WindowTest {
 protected:
  SeriesWindow() {
    QByteArray text = "hour,wave,wave\n", one = "v\n";
    for (int t = 0; t < 50; ++t) {
      const QByteArray number = QByteArray::number(10.0 + 3.0 * std::sin(t / 4.0));
      text += QByteArray::number(t) + "," + number + ",7\n";
      one += number + "\n";
    }
    write("data.csv", text);
    write("one.csv", one);
    write("broken.csv", "\"v\n1\n2\n");
  }
  QString path(const char* name) const { return folder_.filePath(name); }
  void write(const char* name, const QByteArray& bytes) const {
    QFile file(path(name));
    ASSERT_TRUE(file.open(QIODevice::WriteOnly));
    file.write(bytes);
  }
  bool reads_series() {
    return QTest::qWaitFor([&] { return now().data && now().data->series; }, 5000);
  }
  const QString model_ = XLAB_GOLDEN_SERIES "/relu";

  QTemporaryDir folder_;
};

TEST_F(SeriesWindow, IsAskedForAFileAndAColumn) {
  Answers answers;
  answers.files = {path("data.csv")};
  answers.choices = {"hour"};
  window_->open(model_);
  ASSERT_TRUE(reads_series());
  EXPECT_EQ(answers.file_dialogs, QStringList("Series for 'relu' to foretell"));
  EXPECT_EQ(answers.lists, QList<QStringList>({{"hour", "wave", "wave"}}));
  EXPECT_EQ(now().data->series->name, "hour");
  EXPECT_EQ(now().data->series->numbers.at(7), 7.0);
  EXPECT_EQ(window_->banner().sentence(), "");
}

TEST_F(SeriesWindow, TakesTheOnlyColumnUnasked) {
  Answers answers;
  answers.files = {path("one.csv")};
  window_->open(model_);
  ASSERT_TRUE(reads_series());
  EXPECT_TRUE(answers.lists.isEmpty());
  EXPECT_EQ(now().data->series->name, "v");
}

TEST_F(SeriesWindow, TellsWhatIsWrongWithAFileAndAsksAgain) {
  Answers answers;
  answers.files = {path("broken.csv"), path("one.csv")};
  window_->open(model_);
  ASSERT_TRUE(reads_series());
  ASSERT_EQ(answers.questions.size(), 1);
  EXPECT_TRUE(answers.questions[0].contains("quotation mark"))
      << answers.questions[0].toStdString();
}

TEST_F(SeriesWindow, StaysAsItIsWhenTheQuestionIsCancelled) {
  const auto run = now().run_id;
  Answers answers;
  window_->open(model_);
  EXPECT_TRUE(QTest::qWaitFor([&] { return answers.file_dialogs.size() == 1; }, 5000));
  settle();
  EXPECT_EQ(now().run_id, run);
  answers.files = {path("data.csv")};
  window_->open(model_);
  EXPECT_TRUE(QTest::qWaitFor([&] { return answers.lists.size() == 1; }, 5000));
  settle();
  EXPECT_EQ(now().run_id, run);
}

TEST_F(SeriesWindow, ASeriesIsForTheFolderThatItWasNamedWith) {
  // Another model is asked about again, also when the first one did not come about.
  window_->open_series(path("nowhere"), path("data.csv"), "hour");
  EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->banner().sentence().isEmpty(); }, 5000));
  Answers answers;
  answers.files = {path("one.csv")};
  window_->open(model_);
  ASSERT_TRUE(reads_series());
  EXPECT_EQ(answers.file_dialogs.size(), 1);
  EXPECT_EQ(now().data->series->name, "v");
}

TEST_F(SeriesWindow, AModelOfTokensReadsNone) {
  const auto run = now().run_id;
  const QString text = path("data.csv");
  window_->open_series(text, text, "hour");
  EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->banner().sentence().isEmpty(); }, 5000));
  EXPECT_EQ(now().run_id, run);
}

TEST_F(SeriesWindow, ShowsTheForecastInThePlaceOfTheNextToken) {
  const QString usual = dock("view_next")->title();
  auto* set = named<QPushButton>("Set the prompt");
  ASSERT_NE(set, nullptr);
  window_->open_series(model_, path("data.csv"), "2");
  ASSERT_TRUE(reads_series());
  // The second of two columns that are called the same.
  EXPECT_EQ(now().data->series->numbers.size(), 50u);
  settle();
  EXPECT_EQ(usual, "Next token");
  EXPECT_EQ(dock("view_next")->title(), "Forecast");
  EXPECT_TRUE(set->isHidden());
  ASSERT_TRUE(now().foretold);
  EXPECT_EQ(now().foretold->begin, 50);
  const ui::Table table = ui::fan_table(now());
  EXPECT_EQ(table.columns.at(0), "number");
  EXPECT_EQ(table.rows.size(), 24u);
  // Going back to tokens brings them back.
  window_->stage().send(command::NewRun{"copy", ""});
  EXPECT_EQ(now().data->series, nullptr);
  settle();
  EXPECT_EQ(dock("view_next")->title(), "Next token");
  EXPECT_FALSE(set->isHidden());
}

}  // namespace
}  // namespace xlab::tests
