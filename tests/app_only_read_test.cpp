// A model that this computer can only read: what cannot be saved is neither offered nor promised.
#include <unistd.h>

#include <QMenuBar>
#include <cmath>

#include "app_answers.hpp"
#include "app_files.hpp"
#include "app_window.hpp"
#include "core/files/hf_folder.hpp"
#include "core/spec.hpp"

namespace {

/// What the computer says it has; 0: the truth.
volatile long pages_said = 0;

}  // namespace

/// The system library's own, under its other name.
extern "C" long __sysconf(int name) noexcept;

/// Stands before that of the system's library. The thread sanitizer asks it before it is there
/// itself, so nothing may be looked at here.
extern "C" __attribute__((no_sanitize("thread"))) long sysconf(int name) noexcept {
  const long said = pages_said;
  return name == _SC_PHYS_PAGES && said > 0 ? said : __sysconf(name);
}

namespace xlab::tests {
namespace {

class OnlyRead : public WindowTest {
 protected:
  void TearDown() override { pages_said = 0; }

  /// Opens the folder on a computer with memory for its weights, but not for training them.
  void open_only_read() {
    const auto run = now().run_id;
    const double bytes = 16.0 * parameter_count(ModelFolder(files_.model.toStdString()).spec());
    pages_said = std::lround(bytes / static_cast<double>(sysconf(_SC_PAGESIZE)));
    window_->open(files_.model);
    ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 10000))
        << qPrintable(window_->banner().sentence());
    pages_said = 0;
    ASSERT_NE(now().train.cannot_train.find("only read"), std::string::npos)
        << now().train.cannot_train;
  }

  QAction* action(const char* path) { return menu_actions(*window_).value(path); }

  Files files_;
};

TEST_F(OnlyRead, IsNotOfferedToBeSaved) {
  EXPECT_TRUE(action("File/Save")->isEnabled());
  open_only_read();
  for (const char* path : {"File/Save", "File/Save as…"}) {
    EXPECT_FALSE(action(path)->isEnabled()) << path;
    EXPECT_TRUE(action(path)->toolTip().contains("only read"))
        << qPrintable(action(path)->toolTip());
  }
  EXPECT_TRUE(window_->menuBar()->actions()[0]->menu()->toolTipsVisible())
      << "what cannot be chosen says why";
  Answers answers;
  Sent sent(window_->stage().engine());
  key(Qt::Key_S, Qt::ControlModifier);
  key(Qt::Key_S, Qt::ControlModifier | Qt::ShiftModifier);
  settle();
  EXPECT_EQ(sent.count<command::Save>(), 0);
  EXPECT_TRUE(answers.file_dialogs.isEmpty());
  // Whoever asks the engine all the same hears the same reason.
  window_->stage().send(command::Save{files_.path("no.xlab").toStdString()});
  EXPECT_NE(now().failure.what.find("only read"), std::string::npos);
  EXPECT_FALSE(QFile::exists(files_.path("no.xlab")));
  // With another run it can be saved again.
  window_->stage().send(command::NewRun{.task = "copy", .spec_json = {}});
  EXPECT_TRUE(now().cannot_save.empty());
  for (const char* path : {"File/Save", "File/Save as…"}) {
    EXPECT_TRUE(action(path)->isEnabled()) << path;
    EXPECT_TRUE(action(path)->toolTip().contains("Save")) << qPrintable(action(path)->toolTip());
  }
  EXPECT_FALSE(window_->menuBar()->actions()[0]->menu()->toolTipsVisible());
}

TEST_F(OnlyRead, TheQuestionOffersToLeaveItOrNot) {
  open_only_read();
  window_->stage().send(command::TakeToken{3});
  ASSERT_TRUE(now().unsaved);
  const auto run = now().run_id;
  for (const bool leaves : {false, true}) {
    Answers answers;
    if (leaves) answers.word = "&Leave";
    action("File/New/Copy")->trigger();
    settle();
    ASSERT_EQ(answers.questions.size(), 1);
    EXPECT_TRUE(answers.questions[0].contains("cannot be kept"))
        << qPrintable(answers.questions[0]);
    EXPECT_TRUE(answers.notes[0].contains("only read")) << qPrintable(answers.notes[0]);
    QStringList buttons = answers.buttons[0];
    buttons.sort();
    EXPECT_EQ(buttons.join(", ").toStdString(), "&Leave, Cancel, Open &beside");
    EXPECT_EQ(now().run_id != run, leaves);
  }
}

TEST_F(OnlyRead, ItIsQuitWithTheSameQuestion) {
  open_only_read();
  window_->stage().send(command::TakeToken{3});
  ASSERT_TRUE(now().unsaved);
  const auto gone = [&] { return !window_->isVisible(); };
  {
    Answers answers;
    window_->close();
    EXPECT_TRUE(QTest::qWaitFor([&] { return answers.questions.size() == 1; }, 5000));
    EXPECT_FALSE(QTest::qWaitFor(gone, 200));
  }
  Answers answers;
  answers.word = "&Leave";
  window_->close();
  EXPECT_TRUE(QTest::qWaitFor(gone, 5000));
  EXPECT_EQ(answers.questions.size(), 1);
  EXPECT_TRUE(answers.file_dialogs.isEmpty());
}

TEST_F(OnlyRead, AmongOthersItKeepsThemFromBeingSavedAsOneFile) {
  window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
  window_->stage().send(command::RenameRun{now().focused_run, "The other"});
  window_->stage().send(command::TrainOneStep{});
  settle();
  ASSERT_TRUE(action("File/Save all runs as…")->toolTip().contains("One file"));
  window_->stage().send(command::DuplicateRun{now().focused_run});
  window_->stage().send(command::Save{files_.path("copy.xlab").toStdString()});
  settle();
  ASSERT_FALSE(now().unsaved);
  open_only_read();
  const std::string reason = "keeps the runs from being saved as one file";
  EXPECT_NE(now().cannot_save_bench.find(reason), std::string::npos) << now().cannot_save_bench;
  EXPECT_FALSE(action("File/Save all runs as…")->isEnabled());
  EXPECT_TRUE(action("File/Save all runs as…")->toolTip().contains(QString::fromStdString(reason)));
  Answers answers;
  window_->close();
  ASSERT_TRUE(QTest::qWaitFor([&] { return answers.questions.size() == 1; }, 5000));
  EXPECT_TRUE(window_->isVisible()) << "Cancel was pressed";
  EXPECT_TRUE(answers.questions[0].contains("These runs are not saved: The other (step 1)"))
      << qPrintable(answers.questions[0]);
  EXPECT_TRUE(answers.notes[0].contains(QString::fromStdString(reason)))
      << qPrintable(answers.notes[0]);
  for (const QString& button : answers.buttons[0])
    EXPECT_FALSE(button.contains("Save")) << qPrintable(button);
}

}  // namespace
}  // namespace xlab::tests
