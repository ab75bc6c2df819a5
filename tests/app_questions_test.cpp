// Every question that is asked, or must not be asked, before work would be lost.
#include <QComboBox>
#include <QDropEvent>
#include <QFile>
#include <QMenuBar>
#include <QMimeData>
#include <functional>
#include <optional>
#include <string>

#include "app/files.hpp"
#include "app/save_dialog.hpp"
#include "app_answers.hpp"
#include "app_window.hpp"
#include "core/hf_folder.hpp"
#include "core/run.hpp"

namespace xlab::tests {
namespace {

using Button = QMessageBox::StandardButton;

/// Which command an action ends in when nothing stands in its way, and -1 when none was sent.
using Place = std::function<int(const Sent&)>;

struct Way {
  const char* name;
  std::function<void()> go;
  Place place;
};

class Questions : public WindowTest {
 protected:
  void SetUp() override {
    WindowTest::SetUp();
    if (HasFatalFailure()) return;
    text_ = write("words.txt",
                  QByteArray("the quick brown fox jumps over the lazy dog. ").repeated(40));
    other_ = folder_.filePath("other.xlab");
    save_run(*make_run(make_task("copy")), other_.toStdString());
    ModelSpec spec;
    spec.vocab_size = 12;
    spec.embedding_dim = 16;
    spec.large = LargeSpec{.num_heads = 2, .ffn_round_up_to_multiple_of = 8};
    Model model(spec);
    model.params().initialise(1);
    model_ = folder_.filePath("model");
    write_model_folder(model, model_.toStdString());
  }

  QString write(const char* name, const QByteArray& content) {
    const QString path = folder_.filePath(name);
    QFile file(path);
    EXPECT_TRUE(file.open(QIODevice::WriteOnly));
    file.write(content);
    return path;
  }

  void press(const char* path) {
    QAction* action = menu_actions(*window_).value(path);
    ASSERT_NE(action, nullptr) << path;
    action->trigger();
  }

  void drop(const QString& path) {
    QMimeData data;
    data.setUrls({QUrl::fromLocalFile(path)});
    QDragEnterEvent enter(QPoint(600, 400), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(window_.get(), &enter);
    QDropEvent event(QPointF(600, 400), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(window_.get(), &event);
  }

  void choose_task(const char* task) {
    for (QComboBox* box : window_->findChildren<QComboBox*>()) {
      const int index = box->accessibleName() == "Task" ? box->findData(task) : -1;
      if (index < 0) continue;
      box->setCurrentIndex(index);
      emit box->activated(index);
      return;
    }
    ADD_FAILURE() << "there is no box for the task";
  }

  template <typename Kind>
  static Place first() {
    return [](const Sent& sent) { return sent.first<Kind>(); };
  }

  /// Everything that puts another run in the place of the one that is open.
  std::vector<Way> ways() {
    using namespace command;
    return {
        {"New, Recall", [this] { press("File/New/Associative recall"); }, first<NewRun>()},
        {"New, Parity", [this] { press("File/New/Parity"); }, first<NewRun>()},
        {"New, Copy", [this] { press("File/New/Copy"); }, first<NewRun>()},
        {"the task box", [this] { choose_task("parity"); }, first<NewRun>()},
        {"Restart run", [this] { press("Run/Restart run"); }, first<RestartRun>()},
        {"New seed", [this] { press("Run/New seed"); }, first<NewSeed>()},
        {"Back to start", [this] { press("File/Back to start"); }, first<OpenRun>()},
        {"opening a run", [this] { window_->open(other_); }, first<OpenRun>()},
        {"opening a text", [this] { window_->open(text_); }, first<OpenText>()},
        {"opening a model folder", [this] { window_->open(model_); }, first<OpenFolder>()},
        {"dropping a run", [this] { drop(other_); }, first<OpenRun>()},
        {"dropping a text", [this] { drop(text_); }, first<OpenText>()},
    };
  }

  /// A fresh recall run with one clamp and `steps` training steps, saved in `path_` but for the
  /// last `unsaved` of them.
  void work(int steps, int unsaved) {
    window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
    for (int i = 0; i < steps - unsaved; ++i) window_->stage().send(command::TrainOneStep{});
    path_ = folder_.filePath(QString("run%1.xlab").arg(++files_));
    window_->stage().send(command::Save{path_.toStdString()});
    window_->stage().engine().flush();
    for (int i = 0; i < unsaved; ++i) window_->stage().send(command::TrainOneStep{});
    settle();
    ASSERT_EQ(now().train.step, steps);
    ASSERT_EQ(now().unsaved, unsaved > 0);
  }

  static std::int64_t steps_in(const QString& path) {
    return load_run(std::filesystem::path(path.toStdString()))->trainer->steps_done();
  }

  QTemporaryDir folder_;
  QString text_, other_, model_, path_;
  int files_ = 0;
};

TEST_F(Questions, NobodyIsAskedWhereNothingIsLost) {
  const auto nobody_asks = [&](const char* when) {
    for (const Way& way : ways()) {
      Answers answers;
      Sent sent(window_->stage().engine());
      way.go();
      EXPECT_TRUE(QTest::qWaitFor([&] { return way.place(sent) >= 0; }, 5000))
          << way.name << " after " << when;
      EXPECT_TRUE(answers.questions.isEmpty()) << way.name << " after " << when;
      settle();
      work(2, 0);
    }
  };
  nobody_asks("the first scene and after saving");
}

TEST_F(Questions, CancelLeavesEverythingAsItWas) {
  for (const Way& way : ways()) {
    work(3, 2);
    Answers answers;
    answers.button = QMessageBox::Cancel;
    const auto run = now().run_id;
    Sent sent(window_->stage().engine());
    way.go();
    EXPECT_TRUE(QTest::qWaitFor([&] { return !answers.questions.isEmpty(); }, 5000)) << way.name;
    settle();
    EXPECT_EQ(answers.questions.size(), 1) << way.name;
    EXPECT_LT(way.place(sent), 0) << way.name;
    EXPECT_EQ(sent.count<command::Save>(), 0) << way.name;
    EXPECT_EQ(now().run_id, run) << way.name;
    EXPECT_TRUE(now().unsaved) << way.name;
    EXPECT_EQ(now().train.step, 3) << way.name;
    EXPECT_EQ(steps_in(path_), 1) << way.name;
  }
}

TEST_F(Questions, DiscardGoesOnAndLeavesTheFileAlone) {
  for (const Way& way : ways()) {
    work(3, 2);
    Answers answers;
    answers.button = QMessageBox::Discard;
    const auto run = now().run_id;
    Sent sent(window_->stage().engine());
    way.go();
    EXPECT_TRUE(QTest::qWaitFor([&] { return way.place(sent) >= 0; }, 5000)) << way.name;
    EXPECT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 5000)) << way.name;
    EXPECT_EQ(answers.questions.size(), 1) << way.name;
    EXPECT_EQ(sent.count<command::Save>(), 0) << way.name;
    EXPECT_EQ(steps_in(path_), 1) << way.name;
  }
}

TEST_F(Questions, SaveSavesBeforeItGoesOn) {
  for (const Way& way : ways()) {
    work(3, 2);
    Answers answers;
    answers.button = QMessageBox::Save;
    const auto run = now().run_id;
    Sent sent(window_->stage().engine());
    way.go();
    EXPECT_TRUE(QTest::qWaitFor([&] { return way.place(sent) >= 0; }, 5000)) << way.name;
    EXPECT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 5000)) << way.name;
    EXPECT_EQ(answers.questions.size(), 1) << way.name;
    EXPECT_TRUE(answers.file_dialogs.isEmpty()) << way.name << ": the run has a file";
    EXPECT_GE(sent.first<command::Save>(), 0) << way.name;
    EXPECT_LT(sent.first<command::Save>(), way.place(sent)) << way.name;
    EXPECT_EQ(steps_in(path_), 3) << way.name;
  }
}

TEST_F(Questions, WithoutAFileSaveAsksForOneAndItsCancelCancelsAll) {
  window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
  window_->stage().send(command::TrainOneStep{});
  const auto run = now().run_id;
  Answers answers;
  answers.button = QMessageBox::Save;
  Sent sent(window_->stage().engine());
  press("File/New/Parity");
  EXPECT_EQ(answers.file_dialogs.size(), 1);
  settle();
  EXPECT_EQ(sent.count<command::NewRun>(), 0);
  EXPECT_EQ(now().run_id, run);
  EXPECT_TRUE(now().unsaved);

  answers.files = {folder_.filePath("named")};
  press("File/New/Parity");
  EXPECT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 5000));
  EXPECT_EQ(steps_in(folder_.filePath("named.xlab")), 1) << "the extension is added";
}

TEST_F(Questions, AFailedSaveLosesNothing) {
  window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
  window_->stage().send(command::TrainOneStep{});
  const auto run = now().run_id;
  Answers answers;
  answers.button = QMessageBox::Save;
  // A folder stands where the file is to be.
  ASSERT_TRUE(QDir(folder_.path()).mkpath("taken.xlab"));
  answers.files = {folder_.filePath("taken")};
  answers.word = "Replace";
  Sent sent(window_->stage().engine());
  press("File/New/Parity");
  settle();
  EXPECT_EQ(sent.count<command::NewRun>(), 0);
  EXPECT_EQ(now().run_id, run);
  EXPECT_TRUE(now().unsaved);
}

TEST_F(Questions, EveryKindOfWorkIsWorthAQuestion) {
  using namespace command;
  const BlockCard& block = now().model->blocks[0];
  CellVariant exponential = block.variant;
  exponential.forget_gate = "exponential";
  const std::string prompt = now().model->vocabulary[1] + " " + now().model->vocabulary[2];
  const std::pair<const char*, Command> works[] = {
      {"a training step", TrainOneStep{}},
      {"a clamp",
       SetClamp{
           Clamp{.path = block.prefix + "/forget_gate_pre", .begin = 1, .end = 2, .value = 3.0f}}},
      {"a prompt", SetPrompt{prompt}},
      {"another sample", NewSample{}},
      {"a token taken", TakeToken{1}},
      {"other equations", SetVariant{block.kind, exponential}},
      {"another sampler", SetSampler{SamplerSettings{.greedy = false}}},
      {"another learning rate", SetLearningRateScale{2.0}}};
  for (const auto& [name, command] : works) {
    window_->stage().send(NewRun{.task = "recall", .spec_json = {}});
    settle();
    window_->stage().send(command);
    settle();
    const bool trained = std::holds_alternative<TrainOneStep>(command);
    Answers answers;
    press("File/New/Copy");
    ASSERT_EQ(answers.questions.size(), 1) << name;
    EXPECT_EQ(answers.questions[0].contains("training step"), trained)
        << name << ": " << qPrintable(answers.questions[0]);
    answers.button = QMessageBox::Discard;
    press("File/New/Copy");
    settle();
  }
}

TEST_F(Questions, TheNumberOfUnsavedStepsIsRight) {
  work(7, 3);
  Answers answers;
  press("File/New/Copy");
  ASSERT_EQ(answers.questions.size(), 1);
  EXPECT_TRUE(answers.questions[0].contains("last 3 training steps"))
      << qPrintable(answers.questions[0]);
  window_->stage().send(command::Save{});
  window_->stage().engine().flush();
  window_->stage().send(command::TrainOneStep{});
  settle();
  press("File/New/Copy");
  ASSERT_EQ(answers.questions.size(), 2);
  EXPECT_TRUE(answers.questions[1].contains("last training step is"))
      << qPrintable(answers.questions[1]);
  // A run that is opened has its steps in its file.
  answers.button = QMessageBox::Discard;
  window_->open(path_);
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().train.step == 7; }, 5000));
  window_->stage().send(command::TrainOneStep{});
  settle();
  answers.button = QMessageBox::Cancel;
  press("File/New/Copy");
  EXPECT_TRUE(answers.questions.last().contains("last training step is"))
      << qPrintable(answers.questions.last());
}

TEST_F(Questions, WhatCannotBeOpenedIsRefusedBeforeAnybodyIsAsked) {
  QFile run(other_);
  ASSERT_TRUE(run.open(QIODevice::ReadOnly));
  const QByteArray bytes = run.readAll();
  const QString bad[] = {
      write("junk.xlab", "this is no run at all, just words"),
      write("short.xlab", bytes.left(bytes.size() / 2)),
      write("empty.xlab", ""),
      folder_.filePath("missing.xlab"),
      write("binary.txt", QByteArray("ab\0cd", 5)),
      write("empty.txt", ""),
      write("one.txt", "a"),
      folder_.filePath("missing.txt"),
      folder_.path(),
  };
  work(3, 2);
  for (const QString& path : bad) {
    window_->banner().hide();
    Answers answers;
    const auto id = now().run_id;
    window_->open(path);
    EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->banner().sentence().isEmpty(); }, 5000))
        << qPrintable(path);
    settle();
    EXPECT_TRUE(answers.questions.isEmpty()) << qPrintable(path);
    EXPECT_EQ(now().run_id, id) << qPrintable(path);
    EXPECT_TRUE(now().unsaved) << qPrintable(path);
  }
}

/// What quitting does with a button pressed: whether the window closed, and the steps in the file.
TEST_F(Questions, QuittingAsksAsOpeningDoes) {
  work(3, 2);
  {
    Answers answers;
    EXPECT_FALSE(window_->close());
    EXPECT_TRUE(QTest::qWaitFor([&] { return answers.questions.size() == 1; }, 5000));
    settle();
    EXPECT_TRUE(window_->isVisible());
    EXPECT_TRUE(now().unsaved);
  }
  {
    Answers answers;
    answers.button = QMessageBox::Save;
    window_->close();
    EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->isVisible(); }, 5000));
    EXPECT_EQ(answers.questions.size(), 1);
    EXPECT_EQ(steps_in(path_), 3);
  }
  open_window({.canvas = app::CanvasKind::software, .remember = false});
  window_->begin();
  work(3, 2);
  {
    Answers answers;
    answers.button = QMessageBox::Discard;
    window_->close();
    EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->isVisible(); }, 5000));
    EXPECT_EQ(answers.questions.size(), 1);
    EXPECT_EQ(steps_in(path_), 1);
  }
  // A run without a file: cancelling the dialog for its name cancels the quitting.
  open_window({.canvas = app::CanvasKind::software, .remember = false});
  window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
  window_->stage().send(command::TrainOneStep{});
  settle();
  {
    Answers answers;
    answers.button = QMessageBox::Save;
    window_->close();
    EXPECT_TRUE(QTest::qWaitFor([&] { return answers.file_dialogs.size() == 1; }, 5000));
    settle();
    EXPECT_TRUE(window_->isVisible());
  }
  // The system's wish to end is not asked back.
  Answers answers;
  window_->close_unasked();
  EXPECT_FALSE(window_->isVisible());
  EXPECT_TRUE(answers.questions.isEmpty());
}

TEST_F(Questions, TheUntouchedFirstSceneQuitsAtOnce) {
  Answers answers;
  EXPECT_TRUE(window_->close());
  EXPECT_TRUE(answers.questions.isEmpty());
}

TEST_F(Questions, AFileIsReplacedOnlyAfterAQuestion) {
  work(2, 0);
  const QString there = write("there.xlab", "somebody's file");
  const auto content = [&] {
    QFile file(there);
    EXPECT_TRUE(file.open(QIODevice::ReadOnly));
    return file.readAll();
  };
  // Named without its extension, so that only the program knows which file is meant.
  for (const QString& name : {there, folder_.filePath("there")}) {
    Answers answers;
    answers.files = {name};
    press("File/Save as…");
    settle();
    EXPECT_EQ(answers.questions.size(), 1);
    EXPECT_EQ(content(), "somebody's file");
  }
  Answers answers;
  answers.files = {folder_.filePath("there")};
  answers.word = "Replace";
  press("File/Save as…");
  settle();
  EXPECT_EQ(answers.questions.size(), 1);
  EXPECT_EQ(steps_in(there), 2);
  // To its own file a run is saved without a word.
  press("File/Save");
  settle();
  EXPECT_EQ(answers.questions.size(), 1);
}

TEST_F(Questions, ExportsGetTheirExtensionOrARefusal) {
  const auto exported = [&](const char* words, const QStringList& names) {
    Answers answers;
    answers.button = QMessageBox::Ok;
    answers.files = names;
    view("gates").canvas().setFocus();
    press(words);
    settle();
    return answers.questions;
  };
  EXPECT_TRUE(exported("File/Export picture…", {folder_.filePath("plain")}).isEmpty());
  EXPECT_FALSE(QImage(folder_.filePath("plain.png")).isNull());
  EXPECT_FALSE(QFile::exists(folder_.filePath("plain")));
  EXPECT_TRUE(exported("File/Export CSV…", {folder_.filePath("numbers")}).isEmpty());
  QFile csv(folder_.filePath("numbers.csv"));
  ASSERT_TRUE(csv.open(QIODevice::ReadOnly));
  EXPECT_TRUE(csv.readLine().contains(','));
  const QStringList refused = exported("File/Export picture…", {folder_.filePath("drawing.svg")});
  ASSERT_EQ(refused.size(), 1);
  EXPECT_TRUE(refused[0].contains(".png")) << qPrintable(refused[0]);
  EXPECT_FALSE(QFile::exists(folder_.filePath("drawing.svg")));
  EXPECT_EQ(exported("File/Export CSV…", {folder_.filePath("numbers.xlsx")}).size(), 1);
  EXPECT_FALSE(QFile::exists(folder_.filePath("numbers.xlsx")));
}

}  // namespace
}  // namespace xlab::tests
