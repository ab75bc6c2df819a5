// What follows when opening, saving before it, or exporting does not come about.
#include <sys/resource.h>

#include <QDir>
#include <QFile>
#include <QLabel>
#include <QMenu>
#include <QProgressBar>
#include <QPushButton>
#include <QToolButton>
#include <csignal>
#include <utility>

#include "app/files.hpp"
#include "app/recovery.hpp"
#include "app_answers.hpp"
#include "app_window.hpp"
#include "core/bytes_text.hpp"
#include "core/files/folder_run.hpp"
#include "core/files/hf_folder.hpp"
#include "core/run.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

using app::Room;

class Opening : public WindowTest {
 protected:
  QString write_run(const char* name) {
    const QString path = folder_.filePath(name);
    save_run(*make_run(make_task("copy")), path.toStdString());
    return path;
  }
  /// What trains the open model on another task.
  QAction* onward(const char* task) {
    for (QToolButton* button : window_->findChildren<QToolButton*>()) {
      if (button->accessibleName() != "Train this model on another task") continue;
      for (QAction* action : button->menu()->actions())
        if (action->text() == task) return action;
    }
    return nullptr;
  }
  template <typename Look>
  QMetaObject::Connection connect_changes(Look look) {
    return QObject::connect(&window_->stage().engine(), &app::EngineLink::changed, look);
  }
  bool told() {
    return QTest::qWaitFor([&] { return !window_->banner().sentence().isEmpty(); }, 5000);
  }

  QTemporaryDir folder_;
};

TEST_F(Opening, OfTwoFilesTheSecondCounts) {
  window_->stage().send(command::TrainOneStep{});
  ASSERT_TRUE(now().unsaved);
  const QString first = write_run("first.xlab"), second = write_run("second.xlab");
  Answers answers;
  answers.button = QMessageBox::Discard;
  window_->open(first);
  window_->open(second);
  EXPECT_TRUE(QTest::qWaitFor([&] { return now().run_path == second.toStdString(); }, 5000));
  settle();
  EXPECT_EQ(answers.questions.size(), 1);
  EXPECT_EQ(now().run_path, second.toStdString());
}

TEST_F(Opening, AModelFolderMayBeCalledLikeARun) {
  const QString folder = folder_.filePath("model.xlab");
  export_run(*make_run(make_task("copy")), folder.toStdString());
  const auto before = now().run_id;
  window_->open(folder);
  EXPECT_TRUE(QTest::qWaitFor([&] { return now().run_id != before; }, 5000));
  EXPECT_EQ(window_->banner().sentence(), "");
}

/// About 90 MB: read beside everything else.
void write_large_folder(const QString& folder) {
  ModelSpec spec = small_large();
  spec.embedding_dim = 1024;
  Model model(spec);
  model.params().initialise(3);
  write_model_folder(model, folder.toStdString());
}

TEST_F(Opening, OfALargeModelItIsShownHowMuchIsReadAndItCanBeCancelled) {
  const QString folder = folder_.filePath("large");
  write_large_folder(folder);
  const auto before = now().run_id;
  auto* bar = window_->banner().findChild<QProgressBar*>();
  ASSERT_NE(bar, nullptr);
  auto* cancel = named<QPushButton>("Cancel opening");
  auto* words = named<QLabel>("Opening");
  ASSERT_TRUE(cancel && words);
  EXPECT_FALSE(bar->isVisible());
  QStringList told;
  bool pressed = false;
  const auto look = connect_changes([&] {
    if (!words->isVisible()) return;
    told.append(words->text());
    EXPECT_TRUE(bar->isVisible());
    EXPECT_LE(bar->value(), bar->maximum());
    if (!std::exchange(pressed, true)) QTest::mouseClick(cancel, Qt::LeftButton);
  });
  window_->open(folder);
  ASSERT_TRUE(QTest::qWaitFor([&] { return pressed; }, 10000));
  ASSERT_TRUE(QTest::qWaitFor([&] { return !bar->isVisible(); }, 10000));
  QObject::disconnect(look);
  EXPECT_EQ(now().run_id, before);
  EXPECT_TRUE(told.first().startsWith("Opening 'large'")) << qPrintable(told.first());
  EXPECT_EQ(window_->banner().sentence(), "");
  EXPECT_TRUE(cancel->isEnabled()) << "for the next one";
  // Not cancelled, it opens, and nothing is left of the row.
  window_->open(folder);
  EXPECT_TRUE(QTest::qWaitFor([&] { return window_->stage().snapshot().run_id != before; }, 20000));
  EXPECT_EQ(now().model->embedding_dim, 1024);
  EXPECT_FALSE(bar->isVisible());
  EXPECT_FALSE(window_->banner().isVisible());
}

TEST_F(Opening, OfALargeModelItIsSaidHowManyTokensThereIsMemoryFor) {
  auto* room = named<QLabel>("Memory for going back");
  ASSERT_NE(room, nullptr);
  EXPECT_TRUE(room->isHidden()) << "of a small one there are more than anybody needs";
  const QString folder = folder_.filePath("wide");
  ModelSpec spec = small_large();
  spec.embedding_dim = 2048;
  spec.large->num_heads = 1;
  write_model_folder(Model(spec), folder.toStdString());
  window_->open(folder);
  ASSERT_TRUE(QTest::qWaitFor(
      [&] { return window_->stage().snapshot().model->embedding_dim == 2048; }, 20000));
  const SequenceStatus& sequence = now().sequence;
  ASSERT_GT(sequence.most_tokens, 0);
  ASSERT_LT(sequence.most_tokens, 20'000);
  EXPECT_FALSE(room->isHidden());
  const QString text = room->text();
  EXPECT_TRUE(text.contains(QString("%1 of at most ").arg(sequence.tokens.size())))
      << qPrintable(text);
  const auto size = [](std::size_t bytes) {
    return QString::fromStdString(bytes_text(static_cast<double>(bytes)));
  };
  EXPECT_TRUE(text.endsWith(
      QString(", %1 of %2").arg(size(sequence.kept_bytes), size(sequence.most_kept_bytes))))
      << qPrintable(text);
}

TEST_F(Opening, ADiskWithoutRoomForAPictureOrATableIsNamed) {
  settle();
  const QString picture = folder_.filePath("p.png"), table = folder_.filePath("t.csv");
  Answers answers;
  answers.files = {picture, table};
  rlimit before{}, small{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 100;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  testing::internal::CaptureStderr();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  view("gates").export_picture(1.0);
  // Both are written beside the window.
  EXPECT_TRUE(
      QTest::qWaitFor([&] { return window_->banner().sentence().contains(picture); }, 10000));
  const QString of_picture = window_->banner().sentence();
  view("gates").export_csv();
  EXPECT_TRUE(QTest::qWaitFor([&] { return window_->banner().sentence().contains(table); }, 10000));
  const QString of_table = window_->banner().sentence();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  const std::string raw = testing::internal::GetCapturedStderr();
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(raw, "") << "no line of a library";
  for (const QString& said : {of_picture, of_table}) {
    EXPECT_TRUE(said.contains("File too large")) << qPrintable(said);
    EXPECT_FALSE(said.contains("Unknown")) << qPrintable(said);
  }
  EXPECT_TRUE(of_picture.contains(picture)) << qPrintable(of_picture);
  EXPECT_TRUE(of_table.contains(table)) << qPrintable(of_table);
  EXPECT_FALSE(QFile::exists(picture));
  EXPECT_FALSE(QFile::exists(table));
}

TEST_F(Opening, ReopeningAndTrainingTheModelOnAskAsEverythingElseDoes) {
  // A window that keeps what is not saved, with a run that another one replaced.
  QDir(app::state_folder()).removeRecursively();
  window_.reset();
  open_window({.canvas = app::CanvasKind::software, .remember = true});
  ASSERT_TRUE(QTest::qWaitFor([&] { return window_->recovery().looked(); }, 10000));
  using namespace command;
  for (const Command& command :
       std::initializer_list<Command>{NewRun{.task = "recall", .spec_json = {}}, TrainOneStep{},
                                      NewRun{.task = "copy", .spec_json = {}}, TrainOneStep{}})
    window_->stage().send(command);
  ASSERT_TRUE(now().unsaved);
  QMenu kept;
  ASSERT_TRUE(QTest::qWaitFor(
      [&] {
        window_->recovery().list();
        QTest::qWait(20);
        window_->recovery().fill(&kept, false);
        return kept.actions().size() == 1;
      },
      10000));
  const std::pair<const char*, QAction*> ways[] = {
      {"Reopen", kept.actions()[0]}, {"Train this model on", onward("Associative recall")}};
  for (const auto& [name, way] : ways) {
    ASSERT_NE(way, nullptr) << name;
    const auto run = now().run_id;
    Answers answers;
    Sent sent(window_->stage().engine());
    way->trigger();
    settle();
    EXPECT_EQ(answers.questions.size(), 1) << name;
    EXPECT_EQ(now().run_id, run) << name;
    EXPECT_EQ(sent.count<ReopenRuns>() + sent.count<NewRun>(), 0) << name;
    answers.button = QMessageBox::Discard;
    way->trigger();
    EXPECT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 5000)) << name;
    EXPECT_EQ(answers.questions.size(), 2) << name;
    window_->stage().send(TrainOneStep{});
    settle();
  }
  window_.reset();
  QDir(app::state_folder()).removeRecursively();
}

TEST_F(Opening, ARefusedModelLeavesTheRoom) {
  ModelSpec spec;
  spec.vocab_size = 7;
  spec.embedding_dim = 16;
  spec.large = LargeSpec{.num_heads = 2, .ffn_round_up_to_multiple_of = 8};
  Model model(spec);
  model.params().initialise(1);
  const std::string path = folder_.filePath("model").toStdString();
  write_model_folder(model, path);
  window_->stage().send(command::OpenFolder{path});
  ASSERT_EQ(now().model->vocabulary.size(), 7u);
  ASSERT_EQ(window_->room(), Room::explore);
  QAction* recall = onward("Associative recall");
  ASSERT_NE(recall, nullptr);
  recall->trigger();
  ASSERT_TRUE(told());
  settle();
  EXPECT_EQ(now().model->vocabulary.size(), 7u) << "refused";
  EXPECT_EQ(window_->room(), Room::explore);
  // Nor does the next run that is opened lead there.
  window_->open(write_run("other.xlab"));
  ASSERT_TRUE(QTest::qWaitFor([&] { return !now().run_path.empty(); }, 5000));
  EXPECT_EQ(window_->room(), Room::explore);
}

TEST_F(Opening, TrainingGoesOnWhenWhatItWasPausedForFails) {
  const QString path = folder_.filePath("run.xlab"), other = write_run("other.xlab");
  window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
  window_->stage().send(command::Save{path.toStdString()});
  window_->stage().send(command::Train{});
  ASSERT_TRUE(QTest::qWaitFor(
      [&] {
        const Snapshot& s = window_->stage().snapshot();
        return s.unsaved && s.run_path == path.toStdString() &&
               s.train.state == TrainState::running;
      },
      5000));
  // The file is there when it is looked at, and gone when it is opened.
  const auto gone = QObject::connect(&window_->stage().engine(), &app::EngineLink::sent,
                                     window_.get(), [&](const Command& command) {
                                       if (std::holds_alternative<command::Save>(command))
                                         QFile::remove(other);
                                     });
  Answers answers;
  answers.button = QMessageBox::Save;
  window_->open(other);
  EXPECT_TRUE(told());
  EXPECT_EQ(answers.questions.size(), 1);
  EXPECT_FALSE(QFile::exists(other));
  EXPECT_TRUE(QTest::qWaitFor(
      [&] { return window_->stage().snapshot().train.state == TrainState::running; }, 5000));
  QObject::disconnect(gone);
  window_->stage().send(command::Pause{});
  EXPECT_NE(now().train.state, TrainState::running);
  EXPECT_EQ(now().run_path, path.toStdString());
}

TEST_F(Opening, AFailedExportIsToldUntilItIsTriedAgain) {
  Answers answers;
  answers.button = QMessageBox::Ok;
  // A file stands where the folder is to be.
  const QString taken = write_run("taken.xlab");
  window_->stage().send(command::ExportFolder{(taken + "/model").toStdString()});
  ASSERT_TRUE(told());
  // A picture is another thing.
  answers.files = {folder_.filePath("p.png")};
  view("gates").export_picture(1.0);
  EXPECT_TRUE(QTest::qWaitFor([&] { return QFile::exists(folder_.filePath("p.png")); }, 10000));
  settle();
  EXPECT_NE(window_->banner().sentence(), "");
  window_->stage().send(command::ExportFolder{folder_.filePath("model").toStdString()});
  EXPECT_TRUE(
      QTest::qWaitFor([&] { return QFile::exists(folder_.filePath("model/config.json")); }, 5000));
  EXPECT_EQ(window_->banner().sentence(), "");
  // Nor does a device that is not there stay when another one is chosen.
  window_->stage().send(command::UseDevice{"cuda:77"});
  ASSERT_TRUE(told());
  window_->stage().send(command::UseDevice{"cpu"});
  settle();
  EXPECT_EQ(window_->banner().sentence(), "");
}

}  // namespace
}  // namespace xlab::tests
