// What the model panel says of the folder that a model came from, in the real window.
#include <gtest/gtest.h>

#include <QDialog>
#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QPlainTextEdit>
#include <QPointer>
#include <QPushButton>
#include <QTextBrowser>
#include <QTextCursor>

#include "app/panel_reading.hpp"
#include "app_window.hpp"
#include "core/files/folder_run.hpp"
#include "core/run.hpp"
#include "core/tasks/task.hpp"

namespace xlab::tests {
namespace {

class Reading : public WindowTest {
 protected:
  void SetUp() override {
    WindowTest::SetUp();
    path_ = folder_.filePath("model");
    export_run(*make_run(make_task("copy")), path_.toStdString());
    QFile file(path_ + "/config.json");
    ASSERT_TRUE(file.open(QIODevice::ReadOnly));
    QJsonObject config = QJsonDocument::fromJson(file.readAll()).object();
    file.close();
    config["a_new_key"] = 7;
    config["transformers_version"] = "4.5";
    config.remove("dropout");
    ASSERT_TRUE(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
    file.write(QJsonDocument(config).toJson());
    file.close();
    QFile notes(path_ + "/NOTES.md");
    ASSERT_TRUE(notes.open(QIODevice::WriteOnly));
    ASSERT_TRUE(
        QFile::rename(path_ + "/model.safetensors", path_ + "/weights of mine.safetensors"));
  }
  void open(const QString& path) {
    const auto run = now().run_id;
    window_->open(path);
    ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 10000))
        << qPrintable(window_->banner().sentence());
  }
  QTextBrowser* words() { return named<QTextBrowser>("What was read of the model's folder"); }
  app::ReadingGroup* group() { return window_->findChild<app::ReadingGroup*>(); }

  QTemporaryDir folder_;
  QString path_;
};

TEST_F(Reading, IsThereForModelsOfFoldersOnly) {
  front("panel_model");
  ASSERT_NE(group(), nullptr);
  EXPECT_FALSE(group()->isVisible()) << "the first scene comes from no folder";
  open(path_);
  front("panel_model");
  EXPECT_TRUE(group()->isVisible());
  const QString text = words()->toPlainText();
  for (const char* said :
       {"Read: config.json, weights of mine.safetensors", "Left alone: NOTES.md",
        "Not used: a_new_key = 7", "The weights are those of 'weights of mine.safetensors'.",
        " followed, 1 assumed, ", " 1 not used"})
    EXPECT_TRUE(text.contains(said)) << said << " in " << qPrintable(text);
  // A run that was saved does not bring it back: what it holds is all there is of it.
  const QString saved = folder_.filePath("run.xlab");
  save_run(*make_run(make_task("copy")), saved.toStdString());
  open(saved);
  EXPECT_FALSE(group()->isVisible());
}

TEST_F(Reading, ARunThatGoesOnWithTheModelKeepsIt) {
  open(path_);
  const auto run = now().run_id;
  window_->stage().send(command::NewRun{.task = "parity", .spec_json = {}, .from_model = true});
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 10000));
  front("panel_model");
  EXPECT_TRUE(group()->isVisible());
  EXPECT_TRUE(words()->toPlainText().contains("a_new_key = 7"));
  const int focused = now().focused_run;
  window_->stage().send(command::DuplicateRun{.run = focused});
  settle();
  ASSERT_EQ(now().runs.size(), 2u);
  window_->stage().send(command::FocusRun{now().runs.back()->id});
  settle();
  EXPECT_TRUE(group()->isVisible()) << "a copy of it comes from the same folder";
}

TEST_F(Reading, IsWholeAndCanBeCopied) {
  QFile chat(QDir(path_).filePath("chat_template.jinja"));
  ASSERT_TRUE(chat.open(QIODevice::WriteOnly));
  chat.write("{% if x %}\n{{ x }}");
  chat.close();
  open(path_);
  EXPECT_TRUE(words()->toPlainText().contains(
      "neither followed nor executed: chat template (chat_template.jinja)"))
      << qPrintable(words()->toPlainText());
  for (const int size : {1280, 1800}) {
    window_->resize(size, 1000);
    front("panel_model");
    show_in_scroll(words());
    settle();
    // As high as its words, which never scroll and never begin a bar of their own.
    EXPECT_GE(words()->viewport()->height() + 1,
              static_cast<int>(words()->document()->size().height()));
    EXPECT_LE(words()->document()->idealWidth(), words()->viewport()->width() + 1.0);
  }
  words()->setFocus();
  QTest::keyClick(words(), Qt::Key_A, Qt::ControlModifier);
  EXPECT_TRUE(words()->textCursor().selectedText().contains("a_new_key = 7"));
  EXPECT_TRUE(words()->isReadOnly());
  QTest::keyClick(words(), Qt::Key_Tab);
  EXPECT_FALSE(words()->hasFocus()) << "Tab goes on to the next control";

  click(named<QPushButton>("Everything that was read of the model's folder"));
  auto* all = named<QPlainTextEdit>("Everything that was read");
  ASSERT_NE(all, nullptr);
  EXPECT_TRUE(all->isReadOnly());
  const QString text = all->toPlainText();
  const auto place = [&](const char* words) {
    const auto at = text.indexOf(words);
    EXPECT_GE(at, 0) << words << " in " << qPrintable(text);
    return at;
  };
  EXPECT_LT(place("Files that were read"), place("  weights of mine.safetensors"));
  EXPECT_LT(place("Keys that were followed"), place("  num_blocks = "));
  EXPECT_LT(place("Keys that are missing"), place("  dropout = 0.0"));
  EXPECT_LT(place("of no consequence here"), place("  transformers_version = \"4.5\""));
  EXPECT_LT(place("Keys that nothing here follows"), place("  a_new_key = 7"));
  EXPECT_TRUE(text.contains(path_));
  EXPECT_LT(place("chat template, chat_template.jinja, 18 bytes: shown"), place("  {% if x %}"));
  EXPECT_LT(place("  {% if x %}"), place("  {{ x }}"));
  // One window of it is closed by Escape and leaves nothing behind.
  QPointer<QWidget> dialog = all->window();
  QTest::keyClick(all, Qt::Key_Escape);
  EXPECT_TRUE(QTest::qWaitFor([&] { return dialog.isNull(); }, 2000));
}

}  // namespace
}  // namespace xlab::tests
