// What a crash left, in the window: offered in the banner, accepted, declined, listed; and a saved
// run that opens on the screen it was saved with.
#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QFileInfo>
#include <QMenu>
#include <QMenuBar>
#include <QPushButton>
#include <QTemporaryDir>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <thread>

#include "app/files.hpp"
#include "app/recovery.hpp"
#include "app_answers.hpp"
#include "app_window.hpp"
#include "core/engine/engine.hpp"
#include "core/keeping/kept_runs.hpp"
#include "core/keeping/lost_runs.hpp"

namespace xlab::tests {
namespace {

using app::Room;

class RecoveryTest : public WindowTest {
 protected:
  void SetUp() override { QDir(app::state_folder()).removeRecursively(); }
  void TearDown() override {
    window_.reset();
    QDir(app::state_folder()).removeRecursively();
  }

  static std::filesystem::path root() { return app::state_folder().toStdString(); }

  /// An instance that trained this far and was killed.
  static void crash_at(int step, const char* task = "recall") {
    Engine lost([] {}, "cpu", Keeping{root(), std::chrono::milliseconds(10)});
    lost.send(command::NewRun{task, ""});
    for (int i = 0; i < step; ++i) lost.send(command::TrainOneStep{});
    lost.flush();
    const auto kept = [&] {
      std::error_code error;
      for (const auto& entry :
           std::filesystem::recursive_directory_iterator(root() / "sessions", error)) {
        if (entry.path().extension() == ".xlab" && about_kept_run(entry.path()).step == step &&
            about_kept_run(entry.path()).title == lost.snapshot()->data->title)
          return true;
      }
      return false;
    };
    ASSERT_TRUE(QTest::qWaitFor(kept, 20000));
  }

  void start() {
    open_window({.canvas = app::CanvasKind::software, .remember = true});
    ASSERT_TRUE(QTest::qWaitFor([&] { return window_->recovery().looked(); }, 10000));
  }

  static void press(app::MainWindow& window, const QString& text) {
    for (QPushButton* button : window.banner().findChildren<QPushButton*>()) {
      if (button->isVisible() && button->text() == text) {
        QTest::mouseClick(button, Qt::LeftButton);
        return;
      }
    }
    ADD_FAILURE() << "there is no button " << qPrintable(text);
  }

  /// The texts of File > Reopen, as it is when it is listed now.
  QStringList listed() {
    int lists = 0;
    const auto counted =
        QObject::connect(&window_->recovery(), &app::Recovery::listed, [&] { ++lists; });
    // The first may have begun before.
    for (const int wanted : {1, 2}) {
      window_->recovery().list();
      EXPECT_TRUE(QTest::qWaitFor([&] { return lists >= wanted; }, 5000));
    }
    QObject::disconnect(counted);
    QMenu menu;
    window_->recovery().fill(&menu, false);
    QStringList texts;
    for (const QAction* action : menu.actions())
      if (!action->isSeparator()) texts.append(action->text());
    return texts;
  }
};

TEST_F(RecoveryTest, WhatACrashLeftIsOfferedAndReopened) {
  crash_at(3);
  start();
  const QString offer = window_->banner().offered();
  EXPECT_TRUE(offer.contains("Associative recall, step 3, today at ")) << qPrintable(offer);
  EXPECT_TRUE(window_->banner().isVisible());
  EXPECT_EQ(QApplication::activeModalWidget(), nullptr);
  press(*window_, "Reopen");
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().train.step == 3; }, 10000));
  EXPECT_EQ(window_->banner().offered(), "");
  EXPECT_TRUE(now().unsaved);
  EXPECT_EQ(now().run_path, "") << "saving asks for a name and overwrites nothing";
  // It was answered: the next start offers nothing, whatever becomes of this one.
  window_.reset();
  start();
  EXPECT_EQ(window_->banner().offered(), "");
  // What was not saved at the end can be reopened, with its step.
  ASSERT_EQ(listed().size(), 1);
  EXPECT_TRUE(listed()[0].contains("step 3, today")) << qPrintable(listed()[0]);
}

TEST_F(RecoveryTest, DecliningKeepsItInTheMenu) {
  crash_at(2);
  start();
  press(*window_, "Not now");
  EXPECT_EQ(window_->banner().offered(), "");
  EXPECT_EQ(listed().size(), 1);
  window_.reset();
  start();
  EXPECT_EQ(window_->banner().offered(), "");
  ASSERT_EQ(listed().size(), 1);
  QMenu menu;
  window_->recovery().fill(&menu, false);
  menu.actions()[0]->trigger();
  EXPECT_TRUE(QTest::qWaitFor([&] { return now().train.step == 2; }, 10000));
}

TEST_F(RecoveryTest, SeveralRunsAreOfferedTogetherAndAllReopened) {
  crash_at(2);
  crash_at(1, "copy");
  start();
  const QString offer = window_->banner().offered();
  EXPECT_TRUE(offer.contains("Copy, step 1")) << qPrintable(offer);
  EXPECT_TRUE(offer.contains("Associative recall, step 2")) << qPrintable(offer);
  press(*window_, "Reopen all");
  // What nobody has worked on gives its place, and the newest is on screen.
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().runs.size() == 2 && now().data->title == "Copy"; },
                              10000));
  EXPECT_EQ(now().train.step, 1);
  EXPECT_EQ(now().runs[0]->name, "Associative recall");
  EXPECT_EQ(now().runs[0]->step, 2);
  EXPECT_TRUE(now().runs[0]->unsaved);
  EXPECT_EQ(window_->banner().offered(), "");
  window_.reset();
  start();
  EXPECT_EQ(window_->banner().offered(), "") << "both were answered";
  ASSERT_EQ(listed().size(), 3);
  EXPECT_TRUE(listed()[0].startsWith("All 2 runs, today at ")) << qPrintable(listed()[0]);
  // All of them come back from the menu as they stood.
  QMenu menu;
  window_->recovery().fill(&menu, false);
  menu.actions()[0]->trigger();
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().runs.size() == 2; }, 10000));
  std::map<std::string, std::int64_t> steps;
  for (const auto& run : now().runs) steps[run->name] = run->step;
  EXPECT_EQ(steps, (std::map<std::string, std::int64_t>{{"Copy", 1}, {"Associative recall", 2}}));
}

TEST_F(RecoveryTest, ReopenedTogetherRunsStandAsTheyStood) {
  start();
  window_->stage().send(command::NewRun{"copy", ""});
  window_->stage().send(command::NewRun{.task = "parity", .beside = true});
  window_->stage().send(command::NewRun{.task = "recall", .beside = true});
  settle();
  // Worked on in another order than they stand in.
  std::vector<std::pair<std::string, int>> before;
  for (const auto& run : now().runs) before.emplace_back(run->name, run->colour);
  ASSERT_EQ(before.size(), 3u);
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}, std::size_t{0}}) {
    window_->stage().send(command::FocusRun{now().runs[i]->id});
    window_->stage().send(command::TrainOneStep{});
    settle();
  }
  const std::string on_screen = now().runs[0]->name;
  window_->close_interrupted();
  window_.reset();
  start();
  press(*window_, "Reopen all");
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().runs.size() == 3; }, 10000));
  EXPECT_EQ(now().focused_run, now().runs[0]->id);
  EXPECT_EQ(now().runs[0]->name, on_screen);
  std::vector<std::pair<std::string, int>> after;
  for (const auto& run : now().runs) after.emplace_back(run->name, run->colour);
  EXPECT_EQ(after, before);
}

TEST_F(RecoveryTest, WhatASignalEndedIsOffered) {
  start();
  window_->stage().send(command::NewRun{"parity", ""});
  window_->stage().send(command::TrainOneStep{});
  settle();
  window_->close_interrupted();
  EXPECT_FALSE(window_->isVisible());
  window_.reset();
  start();
  EXPECT_TRUE(window_->banner().offered().contains("Parity, step 1"))
      << qPrintable(window_->banner().offered());
}

TEST_F(RecoveryTest, DecliningSeveralKeepsAllInTheMenu) {
  crash_at(2);
  crash_at(1, "copy");
  start();
  press(*window_, "Not now");
  EXPECT_EQ(window_->banner().offered(), "");
  EXPECT_EQ(listed().size(), 2);
}

TEST_F(RecoveryTest, WhatIsReopenedGoesBesideARunThatIsWorthSomething) {
  crash_at(2);
  start();
  window_->stage().send(command::NewRun{"copy", ""});
  window_->stage().send(command::TrainOneStep{});
  settle();
  Answers answers;
  answers.word = "Open &beside";
  press(*window_, "Reopen");
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().runs.size() == 2; }, 10000));
  EXPECT_EQ(answers.questions.size(), 1);
  EXPECT_EQ(now().train.step, 2);
  EXPECT_EQ(now().runs[0]->name, "Copy");
  EXPECT_EQ(window_->banner().offered(), "");
}

TEST_F(RecoveryTest, TheMenuOpensBesideWithoutAQuestion) {
  crash_at(2);
  start();
  press(*window_, "Not now");
  window_->stage().send(command::NewRun{"copy", ""});
  window_->stage().send(command::TrainOneStep{});
  ASSERT_TRUE(QTest::qWaitFor([&] { return listed().size() >= 1; }, 10000));
  Answers answers;
  QMenu menu;
  window_->recovery().fill(&menu, true);
  for (QAction* action : menu.actions())
    if (action->text().contains("Associative recall, step 2")) action->trigger();
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().runs.size() == 2; }, 10000));
  EXPECT_TRUE(answers.questions.isEmpty());
  EXPECT_EQ(now().train.step, 2);
}

TEST_F(RecoveryTest, OfTwoWindowsOneOffers) {
  crash_at(2);
  start();
  EXPECT_NE(window_->banner().offered(), "");
  app::MainWindow second({.canvas = app::CanvasKind::software, .remember = true, .device = "cpu"});
  second.show();
  ASSERT_TRUE(QTest::qWaitFor([&] { return second.recovery().looked(); }, 10000));
  EXPECT_EQ(second.banner().offered(), "");
}

TEST_F(RecoveryTest, ThatNothingIsKeptIsSaidUntilItIsKeptAgain) {
  // A file stands where the folder is to be.
  const QString root = app::state_folder();
  ASSERT_TRUE(QDir().mkpath(QFileInfo(root).path()));
  QFile in_the_way(root);
  ASSERT_TRUE(in_the_way.open(QIODevice::WriteOnly));
  in_the_way.close();
  open_window({.canvas = app::CanvasKind::software, .remember = true, .keep_every_ms = 200});
  const auto said = [&] { return window_->banner().sentence().contains("could not be kept"); };
  window_->stage().send(command::NewRun{"recall", ""});
  window_->stage().send(command::TrainOneStep{});
  ASSERT_TRUE(QTest::qWaitFor(said, 10000));
  // Another run changes nothing about it, nor does a save somewhere else.
  const QTemporaryDir folder;
  window_->stage().send(command::NewRun{"copy", ""});
  window_->stage().send(command::Save{folder.filePath("run.xlab").toStdString()});
  window_->stage().send(command::TrainOneStep{});
  settle();
  QTest::qWait(500);
  EXPECT_TRUE(said());
  ASSERT_TRUE(QFile::remove(root));
  EXPECT_TRUE(QTest::qWaitFor([&] { return window_->banner().sentence().isEmpty(); }, 10000))
      << qPrintable(window_->banner().sentence());
  EXPECT_FALSE(window_->banner().isVisible());
  EXPECT_TRUE(std::filesystem::exists(RecoveryTest::root() / "sessions"));
}

TEST_F(RecoveryTest, WhatCannotBeKeptIsNotPromisedWhenOneQuits) {
  const QString root = app::state_folder();
  ASSERT_TRUE(QDir().mkpath(QFileInfo(root).path()));
  QFile in_the_way(root);
  ASSERT_TRUE(in_the_way.open(QIODevice::WriteOnly));
  in_the_way.close();
  // Nothing is kept before that of its own accord.
  open_window({.canvas = app::CanvasKind::software, .remember = true, .keep_every_ms = 600000});
  window_->stage().send(command::NewRun{"recall", ""});
  window_->stage().send(command::TrainOneStep{});
  settle();
  ASSERT_FALSE(now().keeping_fails);
  QString last;
  QTimer looks;
  int patience = 1000;
  QObject::connect(&looks, &QTimer::timeout, &looks, [&] {
    auto* box = qobject_cast<QMessageBox*>(QApplication::activeModalWidget());
    if (!box) return;
    last = box->informativeText();
    if (last.contains("is lost") || --patience == 0) box->reject();
  });
  looks.start(10);
  window_->close();
  EXPECT_TRUE(
      QTest::qWaitFor([&] { return last.contains("is lost: it could not be kept"); }, 12000))
      << qPrintable(last);
  EXPECT_TRUE(window_->isVisible());
  EXPECT_TRUE(QFile::remove(root));
}

TEST_F(RecoveryTest, ADamagedRunIsToldInASentence) {
  crash_at(2);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root() / "sessions")) {
    if (entry.path().extension() == ".xlab") std::filesystem::resize_file(entry.path(), 500);
  }
  start();
  EXPECT_EQ(window_->banner().offered(), "");
  EXPECT_TRUE(window_->banner().sentence().contains("cannot be read and is left out"))
      << qPrintable(window_->banner().sentence());
}

TEST_F(RecoveryTest, AMessageAndAnOfferStandSideBySide) {
  crash_at(2);
  start();
  window_->banner().tell("Something went wrong.", app::About::opening);
  EXPECT_NE(window_->banner().offered(), "");
  EXPECT_EQ(window_->banner().sentence(), "Something went wrong.");
  press(*window_, "Not now");
  EXPECT_EQ(window_->banner().sentence(), "Something went wrong.");
  EXPECT_TRUE(window_->banner().isVisible());
}

TEST_F(RecoveryTest, AnOfferOutlastsTheFirstSceneAndEveryOtherRun) {
  crash_at(2);
  start();
  window_->begin();
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().model != nullptr; }, 20000));
  EXPECT_TRUE(window_->banner().offered().contains("Associative recall, step 2"));
  EXPECT_TRUE(window_->banner().isVisible());
  const auto first = now().run_id;
  window_->stage().send(command::NewRun{"copy", ""});
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_id != first; }, 10000));
  EXPECT_TRUE(window_->banner().offered().contains("Associative recall, step 2"));
  press(*window_, "Reopen");
  EXPECT_TRUE(QTest::qWaitFor([&] { return now().train.step == 2; }, 10000));
}

TEST_F(RecoveryTest, AMessageThatEndsLeavesTheOffer) {
  using app::About;
  crash_at(2);
  start();
  window_->begin();
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().model != nullptr; }, 20000));
  const std::pair<About, std::function<void()>> ends[] = {
      {About::training, [this] { window_->stage().send(command::Train{}); }},
      {About::sequence, [this] { window_->stage().send(command::NewSample{}); }},
      {About::writing, [this] { window_->banner().written(); }},
      {About::device, [this] { window_->stage().send(command::UseDevice{"cpu"}); }},
      {About::run, [this] {
         window_->stage().send(command::NewRun{"copy", ""});
       }}};
  for (const auto& [about, end] : ends) {
    window_->banner().tell("Something went wrong.", about);
    end();
    EXPECT_TRUE(QTest::qWaitFor([&] { return window_->banner().sentence().isEmpty(); }, 5000));
    EXPECT_NE(window_->banner().offered(), "") << static_cast<int>(about);
    window_->stage().send(command::Pause{});
    settle();
  }
  press(*window_, "Not now");
  EXPECT_FALSE(window_->banner().isVisible()) << "what ended does not come back";
}

TEST_F(RecoveryTest, TheFileMenuDoesNotWaitForTheDisk) {
  start();
  window_->begin();
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().model != nullptr; }, 20000));
  // So much was kept that reading it takes a while.
  const std::filesystem::path session = root() / "sessions" / "000900";
  std::filesystem::create_directories(session);
  for (int i = 1; i <= 20000; ++i) {
    QFile file(QString::fromStdString(session.string()) + QString("/run-%1-a.xlab").arg(i));
    ASSERT_TRUE(file.open(QIODevice::WriteOnly));
  }
  QElapsedTimer clock;
  clock.start();
  (void)kept_runs(root());
  const qint64 reading = clock.restart();
  QMenuBar* bar = window_->menuBar();
  QTest::mouseClick(window_->windowHandle(), Qt::LeftButton, Qt::NoModifier,
                    bar->mapTo(window_.get(), bar->actionGeometry(bar->actions()[0]).center()));
  EXPECT_TRUE(bar->actions()[0]->menu()->isVisible());
  EXPECT_LT(clock.elapsed(), reading / 2) << "reading takes " << reading << " ms";
  QTest::keyClick(bar->actions()[0]->menu(), Qt::Key_Escape);
}

TEST_F(RecoveryTest, TheReplacedRunIsInTheMenu) {
  start();
  window_->stage().send(command::NewRun{"recall", ""});
  window_->stage().send(command::TrainOneStep{});
  window_->stage().send(command::NewRun{"copy", ""});
  ASSERT_TRUE(QTest::qWaitFor([&] { return listed().size() == 1; }, 10000));
  EXPECT_TRUE(listed()[0].contains("Associative recall, step 1")) << qPrintable(listed()[0]);
  EXPECT_TRUE(listed()[0].contains("(replaced or removed)")) << qPrintable(listed()[0]);
}

TEST_F(RecoveryTest, TheQuestionSaysForHowLongTheRestIsKept) {
  const auto ask = [&] {
    window_->stage().send(command::NewRun{"recall", ""});
    window_->stage().send(command::TrainOneStep{});
    settle();
    Answers answers;
    answers.button = QMessageBox::Discard;
    menu_actions(*window_)["File/New/Copy"]->trigger();
    EXPECT_EQ(answers.notes.size(), 1);
    return answers.notes.value(0);
  };
  start();
  const QString note = ask();
  EXPECT_EQ(note, QString("What you do not save is kept for up to %1 days under File > Reopen.")
                      .arg(kKeptDays));
  // As it says: there it is.
  ASSERT_TRUE(QTest::qWaitFor([&] { return listed().size() == 1; }, 10000));
  EXPECT_TRUE(listed()[0].contains("Associative recall, step 1")) << qPrintable(listed()[0]);
  // Where nothing is kept it promises nothing.
  window_.reset();
  open_window({.canvas = app::CanvasKind::software, .remember = false});
  EXPECT_EQ(ask(), "");
}

TEST_F(RecoveryTest, ASavedRunOpensOnItsScreen) {
  const QTemporaryDir folder;
  const std::string path = folder.filePath("run.xlab").toStdString();
  start();
  window_->stage().send(command::NewRun{"recall", ""});
  (void)now();
  window_->set_room(Room::generate);
  window_->stage().send(command::SetCursor{4});
  window_->stage().set_block(1);
  window_->stage().set_head(1);
  ui::Focus focus = window_->stage().focus();
  focus.pinned = ui::ValueRef{
      .path = now().model->blocks[1].prefix + "/forget_gate", .step = 3, .head = 1, .unit = 0};
  window_->stage().set_focus(focus);
  window_->view("loss")->show();
  settle();
  QTest::qWait(1200);  // the window says what it shows now and then
  window_->stage().send(command::Save{path});
  ASSERT_EQ(now().run_path, path);
  window_->view("loss")->hide();
  window_->set_room(Room::explore);
  window_->stage().send(command::NewRun{"copy", ""});
  (void)now();

  window_->open(QString::fromStdString(path));
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_path == path; }, 10000));
  settle();
  EXPECT_EQ(window_->room(), Room::generate);
  EXPECT_EQ(now().sequence.cursor, 4);
  EXPECT_EQ(window_->stage().focus().block, 1);
  EXPECT_EQ(window_->stage().focus().head, 1);
  EXPECT_EQ(window_->stage().focus().pinned, focus.pinned);
  EXPECT_FALSE(window_->view("loss")->isHidden());
  EXPECT_EQ(window_->banner().sentence(), "");
}

TEST_F(RecoveryTest, AScreenThatIsNoneIsToldAndTheRunIsThere) {
  const QTemporaryDir folder;
  const std::string path = folder.filePath("run.xlab").toStdString();
  for (const char* screen : {"{\"version\":1", "[]", "{\"version\":1,\"room\":\"cellar\"}", "x"}) {
    {
      Engine engine([] {}, "cpu");
      engine.send(command::NewRun{"recall", ""});
      engine.send(command::SetScreen{screen});
      engine.send(command::Save{path});
      engine.flush();
    }
    start();
    window_->open(QString::fromStdString(path));
    ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_path == path; }, 10000));
    EXPECT_TRUE(QTest::qWaitFor(
        [&] { return window_->banner().sentence().contains("cannot be read and is left out"); },
        5000))
        << screen;
    window_.reset();
  }
}

}  // namespace
}  // namespace xlab::tests
