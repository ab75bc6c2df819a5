// Every question that is asked, or must not be asked, before work would be lost.
#include <QComboBox>
#include <QDir>
#include <QDropEvent>
#include <QElapsedTimer>
#include <QFile>
#include <QFileInfo>
#include <QMenuBar>
#include <QMimeData>
#include <QSettings>
#include <QTimer>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "app/file_dialogs.hpp"
#include "app/files.hpp"
#include "app/save_dialog.hpp"
#include "app_answers.hpp"
#include "app_files.hpp"
#include "app_window.hpp"
#include "core/bench_file.hpp"
#include "core/files/safetensors.hpp"

namespace xlab::tests {
namespace {

/// Which command an action ends in when nothing stands in its way, and -1 when none was sent.
using Place = std::function<int(const Sent&)>;

struct Way {
  const char* name;
  std::function<void()> go;
  Place place;
};

class Questions : public WindowTest {
 protected:
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
        {"opening a run", [this] { window_->open(files_.run); }, first<OpenRun>()},
        {"opening a text", [this] { window_->open(files_.text); }, first<OpenText>()},
        {"opening a model folder", [this] { window_->open(files_.model); }, first<OpenFolder>()},
        {"dropping a run", [this] { drop(files_.run); }, first<OpenRun>()},
        {"dropping a text", [this] { drop(files_.text); }, first<OpenText>()},
    };
  }

  /// A fresh recall run with `steps` training steps, saved in `path_` but for the
  /// last `unsaved` of them.
  void work(int steps, int unsaved) {
    window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
    for (int i = 0; i < steps - unsaved; ++i) window_->stage().send(command::TrainOneStep{});
    path_ = files_.path(QString("run%1.xlab").arg(++works_));
    window_->stage().send(command::Save{path_.toStdString()});
    window_->stage().engine().flush();
    for (int i = 0; i < unsaved; ++i) window_->stage().send(command::TrainOneStep{});
    settle();
    ASSERT_EQ(now().train.step, steps);
    ASSERT_EQ(now().unsaved, unsaved > 0);
  }

  /// What a button of the question leads to.
  struct Outcome {
    QMessageBox::StandardButton button;
    bool goes_on, saves;
  };
  /// Of three steps two are not saved, and something is about to replace the run: every way of
  /// doing that, and quitting, ends as the button says.
  void answer_everywhere(const Outcome& outcome) {
    for (const Way& way : ways()) {
      SCOPED_TRACE(way.name);
      work(3, 2);
      Answers answers;
      answers.button = outcome.button;
      const auto run = now().run_id;
      Sent sent(window_->stage().engine());
      way.go();
      EXPECT_TRUE(QTest::qWaitFor([&] { return !answers.questions.isEmpty(); }, 5000));
      if (outcome.goes_on) {
        EXPECT_TRUE(QTest::qWaitFor([&] { return way.place(sent) >= 0; }, 5000));
        EXPECT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 5000));
      } else {
        settle();
        EXPECT_LT(way.place(sent), 0);
        EXPECT_EQ(now().run_id, run);
        EXPECT_TRUE(now().unsaved);
        EXPECT_EQ(now().train.step, 3);
      }
      EXPECT_EQ(answers.questions.size(), 1);
      EXPECT_TRUE(answers.file_dialogs.isEmpty()) << "the run has a file";
      EXPECT_EQ(sent.count<command::Save>(), outcome.saves ? 1 : 0);
      EXPECT_EQ(steps_in(path_), outcome.saves ? 3 : 1);
      if (outcome.saves) {
        EXPECT_LT(sent.first<command::Save>(), way.place(sent));
      }
    }
    work(3, 2);
    Answers answers;
    answers.button = outcome.button;
    window_->close();
    const auto gone = [&] { return !window_->isVisible(); };
    EXPECT_TRUE(QTest::qWaitFor([&] { return answers.questions.size() == 1; }, 5000));
    EXPECT_EQ(QTest::qWaitFor(gone, outcome.goes_on ? 5000 : 300), outcome.goes_on);
    EXPECT_EQ(answers.questions.size(), 1);
    EXPECT_EQ(steps_in(path_), outcome.saves ? 3 : 1);
    if (!outcome.goes_on) {
      EXPECT_TRUE(now().unsaved);
    }
  }

  static std::int64_t steps_in(const QString& path) {
    return load_run(std::filesystem::path(path.toStdString()))->trainer->steps_done();
  }

  Files files_;
  QString path_;  // of the run that `work` has made
  int works_ = 0;
};

TEST_F(Questions, NobodyIsAskedWhereNothingIsLost) {
  // After the first scene, and then after work that is saved.
  for (const Way& way : ways()) {
    Answers answers;
    Sent sent(window_->stage().engine());
    way.go();
    EXPECT_TRUE(QTest::qWaitFor([&] { return way.place(sent) >= 0; }, 5000)) << way.name;
    EXPECT_TRUE(answers.questions.isEmpty()) << way.name;
    settle();
    work(2, 0);
  }
}

TEST_F(Questions, CancelLeavesEverythingAsItWas) {
  answer_everywhere({.button = QMessageBox::Cancel, .goes_on = false, .saves = false});
}

TEST_F(Questions, DiscardGoesOnAndLeavesTheFileAlone) {
  answer_everywhere({.button = QMessageBox::Discard, .goes_on = true, .saves = false});
}

TEST_F(Questions, SaveSavesBeforeItGoesOn) {
  answer_everywhere({.button = QMessageBox::Save, .goes_on = true, .saves = true});
}

TEST_F(Questions, WithoutAFileSaveAsksForOneAndGoesOnOnlyWithIt) {
  // A folder stands where the file is to be.
  ASSERT_TRUE(QDir(files_.folder.path()).mkpath("taken.xlab"));
  struct Case {
    const char* name;
    QStringList typed;
    QString saved;  ///< where, when it is
  };
  for (const Case& c :
       {Case{"no name", {}, {}}, Case{"a name that cannot be", {files_.path("taken")}, {}},
        Case{"a name", {files_.path("named")}, files_.path("named.xlab")}}) {
    for (const bool quits : {false, true}) {
      SCOPED_TRACE(std::string(c.name) + (quits ? ", quitting" : ", a new run"));
      window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
      window_->stage().send(command::TrainOneStep{});
      const auto run = now().run_id;
      Answers answers;
      answers.button = QMessageBox::Save;
      answers.word = "Replace";
      answers.files = c.typed;
      Sent sent(window_->stage().engine());
      if (quits) {
        window_->close();
      } else {
        press("File/New/Parity");
      }
      EXPECT_TRUE(QTest::qWaitFor([&] { return answers.file_dialogs.size() == 1; }, 5000));
      const auto gone = [&] { return quits ? !window_->isVisible() : now().run_id != run; };
      if (!c.saved.isEmpty()) {
        EXPECT_TRUE(QTest::qWaitFor(gone, 5000));
        EXPECT_EQ(steps_in(c.saved), 1) << "the extension is added";
        if (quits) open_window({.canvas = app::CanvasKind::software, .remember = false});
        continue;
      }
      settle();
      EXPECT_FALSE(gone());
      EXPECT_EQ(sent.count<command::NewRun>(), 0);
      EXPECT_TRUE(now().unsaved);
    }
  }
}

TEST_F(Questions, OpenedBesideTheRunStaysAsItIs) {
  struct Case {
    std::function<void()> go;
    const char* command;
  };
  const Case cases[] = {{[this] { press("File/New/Parity"); }, "NewRun"},
                        {[this] { drop(files_.text); }, "OpenText"},
                        {[this] { drop(files_.run); }, "OpenRun"}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.command);
    work(4, 1);
    const std::size_t runs = now().runs.size();
    const int before = now().focused_run;
    const auto tokens = now().sequence.tokens;
    Answers answers;
    answers.word = "Open &beside";
    c.go();
    ASSERT_TRUE(
        QTest::qWaitFor([&] { return window_->stage().snapshot().runs.size() == runs + 1; }, 5000));
    ASSERT_EQ(answers.questions.size(), 1);
    EXPECT_NE(now().focused_run, before);
    window_->stage().send(command::FocusRun{before});
    EXPECT_TRUE(now().unsaved);
    EXPECT_EQ(now().sequence.tokens, tokens);
  }
}

TEST_F(Questions, QuittingNamesTheOtherRunsThatAreNotSaved) {
  work(3, 1);
  const int first = now().focused_run;
  window_->stage().send(command::RenameRun{first, "The first"});
  window_->stage().send(command::DuplicateRun{first});
  const int second = now().focused_run;
  window_->stage().send(command::RenameRun{second, "The second"});
  settle();
  {
    Answers answers;
    window_->close();
    ASSERT_TRUE(QTest::qWaitFor([&] { return answers.questions.size() == 1; }, 5000));
    EXPECT_TRUE(window_->isVisible()) << "Cancel was pressed";
    EXPECT_TRUE(answers.questions[0].startsWith("Quit xLSTM Lab? "))
        << qPrintable(answers.questions[0]);
    EXPECT_TRUE(answers.notes[0].contains("Not saved either: The first (step "));
    EXPECT_FALSE(answers.notes[0].contains("The second"));
    EXPECT_FALSE(answers.buttons[0].contains("Open &beside"));
  }
  // The run on screen is saved: there is nothing to save any more, but the other one is named.
  window_->stage().send(command::Save{files_.path("second.xlab").toStdString()});
  ASSERT_TRUE(QTest::qWaitFor([&] { return !now().unsaved; }, 5000));
  {
    Answers answers;
    window_->close();
    ASSERT_TRUE(QTest::qWaitFor([&] { return answers.questions.size() == 1; }, 5000));
    EXPECT_TRUE(window_->isVisible());
    EXPECT_TRUE(answers.questions[0].contains("These runs are not saved: The first (step "));
    EXPECT_TRUE(answers.questions[0].contains("They are lost")) << "this window keeps nothing";
    QStringList buttons = answers.buttons[0];
    buttons.sort();
    EXPECT_EQ(buttons, QStringList({"Cancel", "Do&n't save", "Save &all runs"}));
  }
  Answers answers;
  answers.button = QMessageBox::Discard;
  window_->close();
  EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->isVisible(); }, 5000));
}

TEST_F(Questions, QuittingSavesAllRunsWhereThatIsWanted) {
  work(3, 1);
  const int first = now().focused_run;
  window_->stage().send(command::DuplicateRun{first});
  window_->stage().send(command::TrainOneStep{});
  // As it is drawn: a run that trains is never at rest.
  const auto shown = [&]() -> const Snapshot& { return window_->stage().snapshot(); };
  window_->stage().send(command::TrainAll{true});
  ASSERT_TRUE(QTest::qWaitFor(
      [&] { return shown().runs.size() == 2 && shown().runs[0]->state == TrainState::running; },
      5000));
  {
    // No file is chosen: nothing ends, and nothing was paused for it.
    Answers answers;
    answers.button = QMessageBox::SaveAll;
    window_->close();
    ASSERT_TRUE(QTest::qWaitFor([&] { return answers.file_dialogs.size() == 1; }, 5000));
    EXPECT_EQ(answers.file_dialogs[0], "Save all runs");
    QTest::qWait(300);
    EXPECT_TRUE(window_->isVisible());
    for (const auto& run : shown().runs) EXPECT_EQ(run->state, TrainState::running);
  }
  Answers answers;
  answers.button = QMessageBox::SaveAll;
  answers.files = {files_.path("all")};
  window_->close();
  ASSERT_TRUE(QTest::qWaitFor([&] { return !window_->isVisible(); }, 5000));
  EXPECT_EQ(answers.questions.size(), 1);
  const OpenedBench all =
      load_bench(read_safetensors(std::filesystem::path(files_.path("all.xlab").toStdString())));
  ASSERT_EQ(all.runs.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(all.runs[i].run->trainer->steps_done(), shown().runs[i]->step)
        << "nothing happened between the save and the end";
}

TEST_F(Questions, ASaveUnderWayAnswersTheQuestionOnceItHasEnded) {
  // So long that the question stands before the file is written.
  const QByteArray sentence("the quick brown fox jumps over the lazy dog. ");
  window_->open(files_.write("long.txt", sentence.repeated(600000)));
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().data && now().data->task == "text"; }, 20000));
  for (int i = 0; i < 2; ++i) window_->stage().send(command::TrainOneStep{});
  settle();
  ASSERT_TRUE(now().unsaved);
  path_ = files_.path("long.xlab");
  window_->stage().send(command::Save{path_.toStdString()});
  // Nobody presses anything.
  bool stood = false;
  QTimer looks;
  QObject::connect(&looks, &QTimer::timeout, &looks,
                   [&] { stood |= QApplication::activeModalWidget() != nullptr; });
  looks.start(1);
  window_->close();
  EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->isVisible(); }, 10000));
  if (QWidget* left = QApplication::activeModalWidget()) left->close();
  EXPECT_TRUE(stood) << "the save was faster than the question: this shows nothing";
  EXPECT_EQ(steps_in(path_), 2);
}

TEST_F(Questions, AnotherRunOnTheScreenAnswersNoQuestion) {
  work(3, 1);
  // While it stands the event loop is the question's own.
  bool sent = false, stood_on = false;
  QElapsedTimer since;
  QTimer looks;
  QObject::connect(&looks, &QTimer::timeout, &looks, [&] {
    QWidget* question = QApplication::activeModalWidget();
    if (!question) return;
    // As when a folder that was being read is open.
    if (!std::exchange(sent, true))
      window_->stage().send(command::NewRun{.task = "copy", .beside = true});
    if (now().runs.size() != 2) return;
    if (!since.isValid()) since.start();
    if (since.elapsed() < 300) return;
    stood_on = !now().unsaved;
    question->close();
  });
  looks.start(5);
  window_->close();
  EXPECT_TRUE(QTest::qWaitFor([&] { return stood_on || !window_->isVisible(); }, 5000));
  EXPECT_TRUE(stood_on) << "nobody has answered for the first run";
  EXPECT_TRUE(window_->isVisible());
}

TEST_F(Questions, WhatRestedForASaveTrainsOnBesideTheNewRun) {
  work(3, 1);
  const int first = now().focused_run;
  window_->stage().send(command::DuplicateRun{first});
  const int second = now().focused_run;
  window_->stage().send(command::SaveBench{files_.path("both.xlab").toStdString()});
  settle();
  const auto state = [&](int run) {
    for (const auto& one : window_->stage().snapshot().runs)
      if (one->id == run) return one->state;
    return TrainState::failed;
  };
  window_->stage().send(command::TrainAll{true});
  ASSERT_TRUE(QTest::qWaitFor(
      [&] { return state(first) == TrainState::running && window_->stage().snapshot().unsaved; },
      5000));
  Answers answers;
  answers.button = QMessageBox::Save;
  press("File/New/Parity");
  ASSERT_TRUE(
      QTest::qWaitFor([&] { return window_->stage().snapshot().data->task == "parity"; }, 5000));
  EXPECT_EQ(answers.questions.size(), 1);
  EXPECT_TRUE(QTest::qWaitFor([&] { return state(first) == TrainState::running; }, 5000));
  EXPECT_EQ(state(second), TrainState::idle) << "another run is in its place";
  window_->stage().send(command::TrainAll{false});
  settle();
}

TEST_F(Questions, AFileIsOpenedByItsWholePath) {
  const QFileInfo file(files_.run);
  const QString before = QDir::currentPath();
  QDir::setCurrent(file.path());
  window_->open(file.fileName());
  EXPECT_TRUE(QTest::qWaitFor([&] { return now().run_path == files_.run.toStdString(); }, 5000))
      << now().run_path;
  QDir::setCurrent(before);
}

TEST_F(Questions, AFileOfAllRunsReplacesOthersOnlyAfterAQuestion) {
  work(3, 1);
  window_->stage().send(command::DuplicateRun{now().focused_run});
  settle();
  const QString bench = files_.path("bench.xlab");
  window_->stage().send(command::SaveBench{bench.toStdString()});
  ASSERT_TRUE(QTest::qWaitFor([&] { return !now().unsaved && now().saves > 1; }, 5000));
  // The run on screen has nothing to lose, and the other one has.
  const int on_screen = now().focused_run;
  const int other = now().runs[0]->id == on_screen ? now().runs[1]->id : now().runs[0]->id;
  window_->stage().send(command::RenameRun{other, "The other"});
  ASSERT_TRUE(QTest::qWaitFor([&] { return !now().unsaved; }, 5000));
  settle();
  Answers answers;
  Sent sent(window_->stage().engine());
  window_->open(bench);
  ASSERT_TRUE(QTest::qWaitFor([&] { return answers.questions.size() == 1; }, 5000));
  EXPECT_TRUE(answers.questions[0].contains("These runs are not saved: The other (step "))
      << qPrintable(answers.questions[0]);
  EXPECT_TRUE(answers.buttons[0].contains("Open &beside"));
  settle();
  EXPECT_EQ(sent.count<command::OpenRun>(), 0) << "Cancel was pressed";
  // Only the run on screen gives its place to a single one: nobody need be asked.
  window_->open(files_.run);
  EXPECT_TRUE(QTest::qWaitFor([&] { return sent.count<command::OpenRun>() == 1; }, 5000));
  EXPECT_EQ(answers.questions.size(), 1);
  // Saved first, all is in the file that is opened then.
  answers.button = QMessageBox::SaveAll;
  answers.files = {files_.path("kept.xlab")};
  Sent later(window_->stage().engine());
  window_->open(bench);
  EXPECT_TRUE(QTest::qWaitFor([&] { return later.count<command::OpenRun>() == 1; }, 5000));
  EXPECT_EQ(later.count<command::SaveBench>(), 1);
  EXPECT_LT(later.first<command::SaveBench>(), later.first<command::OpenRun>());
}

TEST_F(Questions, EveryKindOfWorkIsWorthAQuestion) {
  using namespace command;
  const BlockCard& block = now().model->blocks[0];
  CellVariant exponential = block.variant;
  exponential.forget_gate = ForgetGate::exponential;
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
  QFile run(files_.run);
  ASSERT_TRUE(run.open(QIODevice::ReadOnly));
  const QByteArray bytes = run.readAll();
  QStringList bad = {
      files_.write("junk.xlab", "this is no run at all, just words"),
      files_.write("short.xlab", bytes.left(bytes.size() / 2)),
      files_.write("empty.xlab", ""),
      files_.path("missing.xlab"),
      files_.write("binary.txt", QByteArray("ab\0cd", 5)),
      files_.write("empty.txt", ""),
      files_.write("one.txt", "a"),
      files_.path("missing.txt"),
      files_.folder.path(),
  };
  // Benches of a newer format, and with a run that nobody can read.
  work(3, 1);
  window_->stage().send(command::DuplicateRun{now().focused_run});
  const QString bench = files_.path("bench.xlab");
  window_->stage().send(command::SaveBench{bench.toStdString()});
  settle();
  QFile sound(bench);
  ASSERT_TRUE(sound.open(QIODevice::ReadOnly));
  const QByteArray whole = sound.readAll();
  const auto with = [&](const char* name, const QByteArray& was, const QByteArray& is) {
    EXPECT_EQ(whole.count(was), 1) << was.constData();
    bad.append(files_.write(name, QByteArray(whole).replace(was, is)));
  };
  with("newer.xlab", R"(\"format\":2)", R"(\"format\":9)");
  with("second.xlab", R"("run2/xlab":)", R"("run7/xlab":)");
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

TEST_F(Questions, TheSystemsWishToEndIsNotAskedBack) {
  work(3, 2);
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
  const QString there = files_.write("there.xlab", "somebody's file");
  const auto content = [&] {
    QFile file(there);
    EXPECT_TRUE(file.open(QIODevice::ReadOnly));
    return file.readAll();
  };
  // Named without its extension, so that only the program knows which file is meant.
  for (const QString& name : {there, files_.path("there")}) {
    Answers answers;
    answers.files = {name};
    press("File/Save as…");
    settle();
    EXPECT_EQ(answers.questions.size(), 1);
    EXPECT_EQ(content(), "somebody's file");
  }
  Answers answers;
  answers.files = {files_.path("there")};
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

TEST_F(Questions, SavingARestartedRunAsksBeforeItReplacesTheTrainedOne) {
  work(3, 0);
  const QString trained = path_, other = files_.path("another.xlab");
  window_->stage().send(command::RestartRun{});
  window_->stage().send(command::TrainOneStep{});
  settle();
  for (const bool cancelled : {true, false}) {
    Answers answers;
    if (!cancelled) answers.word = "&Replace";
    press("File/Save");
    settle();
    ASSERT_EQ(answers.questions.size(), 1);
    EXPECT_TRUE(answers.questions[0].contains(QFileInfo(trained).fileName()))
        << qPrintable(answers.questions[0]);
    EXPECT_TRUE(answers.questions[0].contains("3 training steps"));
    EXPECT_TRUE(answers.questions[0].contains("after 1 step"));
    EXPECT_EQ(steps_in(trained), cancelled ? 3 : 1);
    EXPECT_EQ(now().unsaved, cancelled);
  }
  // Once it is in the file there is nothing to ask about.
  window_->stage().send(command::TrainOneStep{});
  {
    const Answers nothing;
    press("File/Save");
    settle();
    EXPECT_TRUE(nothing.questions.isEmpty());
    EXPECT_EQ(steps_in(trained), 2);
  }
  // Another file leaves that one alone, and is the run's from then on.
  window_->stage().send(command::NewSeed{});
  settle();
  Answers answers;
  answers.word = "Save &as…";
  answers.files = {other};
  press("File/Save");
  settle();
  EXPECT_EQ(answers.questions.size(), 1);
  EXPECT_EQ(steps_in(trained), 2);
  EXPECT_EQ(steps_in(other), 0);
  EXPECT_EQ(now().run_path, other.toStdString());
}

TEST_F(Questions, AModelIsExportedIntoAFolderThatIsThere) {
  work(1, 0);
  ASSERT_TRUE(QDir(files_.folder.path()).mkpath("empty"));
  ASSERT_TRUE(QDir(files_.folder.path()).mkpath("used"));
  files_.write("used/notes.txt", "mine");
  const auto exported = [&](const char* folder) {
    return QFile::exists(files_.path(QString(folder) + "/config.json"));
  };
  {
    Answers answers;
    answers.files = {files_.path("empty")};
    press("File/Export model folder…");
    EXPECT_TRUE(QTest::qWaitFor([&] { return exported("empty"); }, 5000));
    EXPECT_TRUE(answers.questions.isEmpty());
    EXPECT_EQ(answers.file_buttons, QStringList("&Export")) << "of a folder that is there, too";
  }
  for (const bool agreed : {false, true}) {
    Answers answers;
    answers.files = {files_.path("used")};
    if (agreed) answers.word = "Write";
    press("File/Export model folder…");
    settle();
    ASSERT_EQ(answers.questions.size(), 1);
    EXPECT_TRUE(answers.questions[0].contains("used")) << qPrintable(answers.questions[0]);
    EXPECT_EQ(exported("used"), agreed);
    EXPECT_TRUE(QFile::exists(files_.path("used/notes.txt")));
  }
}

TEST_F(Questions, DialogsForFilesBeginWhereTheLastOneWas) {
  ASSERT_TRUE(QDir(files_.folder.path()).mkpath("a/b"));
  const QString a = files_.path("a"), b = files_.path("a/b");
  const auto folder_of = [&](const char* action, const QString& typed) {
    Answers answers;
    answers.button = QMessageBox::Discard;
    answers.files = QStringList(typed);
    view("gates").canvas().setFocus();
    press(action);
    EXPECT_TRUE(QTest::qWaitFor([&] { return answers.folders.size() == 1; }, 5000)) << action;
    settle();
    return answers.folders.value(0);
  };
  folder_of("File/Save as…", b + "/run.xlab");
  EXPECT_EQ(folder_of("File/Export picture…", "p"), b);
  EXPECT_TRUE(QTest::qWaitFor([&] { return QFile::exists(b + "/p.png"); }, 5000));
  EXPECT_EQ(folder_of("File/Export CSV…", a + "/t.csv"), b);
  EXPECT_EQ(folder_of("File/Export model folder…", a + "/model"), a);
  // A folder of the name that is proposed stands there now.
  EXPECT_EQ(folder_of("File/Export model folder…", a + "/other"), a);
  EXPECT_TRUE(QFile::exists(a + "/other/config.json"));
  EXPECT_EQ(folder_of("File/Open text…", files_.text), a);
  EXPECT_EQ(folder_of("File/Open model folder…", a + "/model"), files_.folder.path());
  EXPECT_EQ(folder_of("File/Open run…", b + "/run.xlab"), a);
  // What is cancelled is no choice, nor a folder that is not there.
  EXPECT_EQ(folder_of("File/Export CSV…", a + "/nowhere/t.csv"), b);
  {
    Answers answers;
    press("File/Open run…");
    ASSERT_EQ(answers.folders, QStringList(b));
  }
  EXPECT_EQ(folder_of("File/Open text…", files_.text), b);
}

TEST(RememberedFolder, OfTheLastFileIsKeptForTheNextStart) {
  const QTemporaryDir folder;
  QSettings("xlstm-lab", "xlstm-lab").clear();
  for (const bool first : {true, false}) {
    app::MainWindow window(
        {.canvas = app::CanvasKind::software, .remember = true, .device = "cpu"});
    window.show();
    ASSERT_TRUE(QTest::qWaitForWindowExposed(&window));
    window.stage().send(command::NewRun{.task = "recall", .spec_json = {}});
    window.stage().engine().flush();
    Answers answers;
    if (first) answers.files = {folder.filePath("run.xlab")};
    menu_actions(window)["File/Save as…"]->trigger();
    window.stage().engine().flush();
    ASSERT_EQ(answers.folders.size(), 1);
    if (!first) {
      EXPECT_EQ(answers.folders[0], folder.path());
    }
    answers.button = QMessageBox::Discard;
    window.close();
    EXPECT_TRUE(QTest::qWaitFor([&] { return !window.isVisible(); }, 5000));
    // Another program begins where its settings say.
    app::set_last_folder({});
  }
  QSettings("xlstm-lab", "xlstm-lab").clear();
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
  EXPECT_TRUE(exported("File/Export picture…", {files_.path("plain")}).isEmpty());
  ASSERT_TRUE(QTest::qWaitFor([&] { return QFile::exists(files_.path("plain.png")); }, 5000));
  EXPECT_FALSE(QImage(files_.path("plain.png")).isNull());
  EXPECT_FALSE(QFile::exists(files_.path("plain")));
  EXPECT_TRUE(exported("File/Export CSV…", {files_.path("numbers")}).isEmpty());
  QFile csv(files_.path("numbers.csv"));
  ASSERT_TRUE(QTest::qWaitFor([&] { return csv.exists(); }, 5000));
  ASSERT_TRUE(csv.open(QIODevice::ReadOnly));
  EXPECT_TRUE(csv.readLine().contains(','));
  const QStringList refused = exported("File/Export picture…", {files_.path("drawing.svg")});
  ASSERT_EQ(refused.size(), 1);
  EXPECT_TRUE(refused[0].contains(".png")) << qPrintable(refused[0]);
  EXPECT_FALSE(QFile::exists(files_.path("drawing.svg")));
  EXPECT_EQ(exported("File/Export CSV…", {files_.path("numbers.xlsx")}).size(), 1);
  EXPECT_FALSE(QFile::exists(files_.path("numbers.xlsx")));
}

}  // namespace
}  // namespace xlab::tests
