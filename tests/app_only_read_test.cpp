// A model that this computer can only read: what cannot be saved is neither offered nor promised.
#include <unistd.h>

#include <QMenuBar>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "app_answers.hpp"
#include "app_files.hpp"
#include "app_window.hpp"
#include "core/bytes_text.hpp"
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

// ---- what its weights are held in ---------------------------------------------------------------

class LargeModel : public OnlyRead {
 protected:
  LargeModel() {
    ModelSpec spec;
    spec.vocab_size = 70;
    spec.embedding_dim = 128;
    spec.large = LargeSpec{.num_heads = 2, .ffn_round_up_to_multiple_of = 64};
    Model made(spec);
    made.params().initialise(1);
    write_model_folder(made, path_.toStdString());
  }

  /// Says how many bytes of memory the computer has for every parameter.
  void say_memory(double bytes_per_parameter) {
    const double bytes = bytes_per_parameter * parameter_count(folder().spec());
    pages_said = std::lround(bytes / static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  ModelFolder folder() const { return ModelFolder(path_.toStdString()); }
  QString words(const char* name, FolderUse use) const {
    return QString("%1 (%2)").arg(
        name, QString::fromStdString(bytes_text(folder().bytes_in_memory(use))));
  }
  bool opened_after(std::uint64_t run) {
    return QTest::qWaitFor([&] { return now().run_id != run; }, 10000);
  }

  QString path_ = files_.path("wide");
};

TEST_F(LargeModel, IsOpenedAsAPersonAnswers) {
  const QString stored = words("As &stored", FolderUse::read),
                eight = words("In &8 bits", FolderUse::read_8bit),
                four = words("In &4 bits", FolderUse::read_4bit);
  const std::vector<std::pair<QString, int>> cases = {{stored, 0}, {eight, 8}, {four, 4}};
  for (const auto& [word, bits] : cases) {
    say_memory(16.0);
    Answers answers;
    answers.word = word;
    Sent sent(window_->stage().engine());
    const auto run = now().run_id;
    window_->open(path_);
    ASSERT_TRUE(opened_after(run)) << qPrintable(window_->banner().sentence());
    ASSERT_EQ(answers.questions.size(), 1);
    EXPECT_TRUE(answers.questions[0].contains("'wide'")) << qPrintable(answers.questions[0]);
    for (const QString& choice : {stored, eight, four, QString("Cancel")})
      EXPECT_TRUE(answers.buttons[0].contains(choice)) << qPrintable(choice);
    ASSERT_EQ(sent.count<command::OpenFolder>(), 1);
    const auto at = static_cast<std::size_t>(sent.first<command::OpenFolder>());
    EXPECT_EQ(std::get<command::OpenFolder>(sent.commands[at]).bits, bits);
    const std::string held = "held in " + std::to_string(bits) + " bits";
    EXPECT_EQ(now().notice.find(held) != std::string::npos, bits != 0) << now().notice;
    EXPECT_NE(now().train.cannot_train.find(bits == 0 ? "too large" : "fewer bits"),
              std::string::npos)
        << now().train.cannot_train;
  }
}

TEST_F(LargeModel, IsNotOpenedWhenTheQuestionIsCancelled) {
  say_memory(16.0);
  Answers answers;
  Sent sent(window_->stage().engine());
  const auto run = now().run_id;
  window_->open(path_);
  ASSERT_TRUE(QTest::qWaitFor([&] { return answers.questions.size() == 1; }, 10000));
  settle();
  EXPECT_EQ(sent.count<command::OpenFolder>(), 0);
  EXPECT_EQ(now().run_id, run);
}

TEST_F(LargeModel, WhatThereIsNoRoomForCannotBeChosen) {
  say_memory(3.0);  // f32 takes four bytes
  const QString stored = words("As &stored", FolderUse::read),
                eight = words("In &8 bits", FolderUse::read_8bit);
  const auto run = now().run_id;
  bool seen = false;
  QTimer look;
  QObject::connect(&look, &QTimer::timeout, &look, [&] {
    auto* box = qobject_cast<QMessageBox*>(QApplication::activeModalWidget());
    if (!box || seen) return;
    seen = true;
    for (QAbstractButton* button : box->buttons())
      EXPECT_EQ(button->isEnabled(), button->text() != stored) << qPrintable(button->text());
    ASSERT_NE(box->defaultButton(), nullptr);
    EXPECT_EQ(box->defaultButton()->text(), eight);
    QTest::keyClick(box, Qt::Key_Return);
  });
  look.start(10);
  window_->open(path_);
  ASSERT_TRUE(opened_after(run));
  EXPECT_NE(now().notice.find("held in 8 bits"), std::string::npos) << now().notice;
}

TEST_F(LargeModel, NobodyIsAskedWhereItCanBeTrained) {
  Answers answers;
  const auto run = now().run_id;
  window_->open(path_);
  ASSERT_TRUE(opened_after(run));
  EXPECT_TRUE(answers.questions.isEmpty());
  EXPECT_EQ(now().train.cannot_train.find("only read"), std::string::npos);
}

}  // namespace
}  // namespace xlab::tests
