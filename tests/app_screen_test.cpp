// What of the window is saved with a run, and what that may not do to the person's own window.
#include <QDockWidget>
#include <QSettings>
#include <cstdlib>
#include <map>
#include <string>

#include "app_window.hpp"

namespace xlab::tests {
namespace {

using app::Room;

class SavedScreen : public WindowTest {
 protected:
  void SetUp() override {
    QSettings("xlstm-lab", "xlstm-lab").clear();
    start();
  }
  void TearDown() override {
    window_.reset();
    QSettings("xlstm-lab", "xlstm-lab").clear();
    QDir(QString::fromLocal8Bit(qgetenv("XDG_STATE_HOME"))).removeRecursively();
  }

  void start() {
    open_window({.canvas = app::CanvasKind::software, .remember = true});
    window_->resize(1280, 800);
    window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
    ASSERT_NE(now().model, nullptr);
  }
  /// Saves the run as the window is now.
  QString save() {
    const QString path = folder_.filePath("run.xlab");
    QTest::qWait(1200);  // the window says what it shows now and then
    window_->stage().send(command::Save{path.toStdString()});
    EXPECT_TRUE(QTest::qWaitFor([&] { return now().run_path == path.toStdString(); }, 5000));
    return path;
  }
  void open(const QString& path) {
    window_->stage().send(command::NewRun{.task = "copy", .spec_json = {}});
    (void)now();
    window_->stage().send(command::OpenRun{.path = path.toStdString(), .bytes = nullptr});
    EXPECT_TRUE(QTest::qWaitFor([&] { return now().run_path == path.toStdString(); }, 5000));
    settle();
  }
  void resize(int width, int height) {
    window_->resize(width, height);
    QTest::qWait(150);
    settle();
  }
  bool seen(const char* dock) { return !places()[dock].isEmpty(); }

  QTemporaryDir folder_;
};

TEST_F(SavedScreen, ALayoutThatNobodyArrangedIsStillMadeAnewForTheRoomThereIs) {
  const auto wide = places();
  resize(620, 600);
  const auto narrow = places();
  ASSERT_NE(narrow, wide);
  resize(1280, 800);
  open(save());
  resize(620, 600);
  EXPECT_EQ(places(), narrow);
}

TEST_F(SavedScreen, DraggedSizesOutlastANarrowWindow) {
  const auto before = places();
  const QRect gates = before.at("view_gates");
  const QPoint edge(gates.right() + 3, gates.center().y());
  ASSERT_EQ(window_->childAt(edge), nullptr) << "between two docks";
  drag(window_.get(), edge, edge + QPoint(120, 0));
  const auto dragged = places();
  ASSERT_GT(dragged.at("view_gates").width(), gates.width() + 80);
  resize(620, 600);
  const auto narrow = places();
  ASSERT_TRUE(narrow.at("view_next").isEmpty()) << "behind a tab";
  resize(1280, 800);
  const auto after = places();
  for (const auto& [name, place] : dragged) {
    EXPECT_LE((after.at(name).topLeft() - place.topLeft()).manhattanLength(), 4) << name;
    EXPECT_LE(std::abs(after.at(name).width() - place.width()), 4) << name;
    EXPECT_LE(std::abs(after.at(name).height() - place.height()), 4) << name;
  }
  // Resetting forgets them.
  window_->reset_layout();
  QTest::qWait(50);
  EXPECT_EQ(places(), before);
}

TEST_F(SavedScreen, TheOwnArrangementOutlastsTheRunsOfOthers) {
  const QString others = save();
  // The person's own room has no memory view.
  key(Qt::Key_3);
  ASSERT_TRUE(view("memory").isHidden());
  open(others);
  EXPECT_FALSE(view("memory").isHidden()) << "as the run was saved";
  // In this session the room stays as the run has it.
  window_->set_room(Room::train);
  settle();
  window_->set_room(Room::explore);
  EXPECT_FALSE(view("memory").isHidden());
  window_->close_unasked();
  start();
  EXPECT_EQ(window_->room(), Room::explore);
  EXPECT_TRUE(view("memory").isHidden()) << "the person's own room again";
}

TEST_F(SavedScreen, WhoGoesOnFromARunsArrangementHasMadeItTheirOwn) {
  const QString others = save();
  key(Qt::Key_3);
  open(others);
  key(Qt::Key_5);
  ASSERT_FALSE(view("loss").isHidden()) << "opened beside what the run had";
  window_->close_unasked();
  start();
  EXPECT_FALSE(view("memory").isHidden());
  EXPECT_FALSE(view("loss").isHidden());
}

TEST_F(SavedScreen, APictureMaximisedWithoutPanelsIsSavedWithThem) {
  const auto before = places();
  key(Qt::Key_F9);
  settle();
  ASSERT_FALSE(seen("panel_prompt"));
  window_->maximise(&view("gates"));
  open(save());
  EXPECT_FALSE(seen("panel_prompt")) << "panels were hidden";
  key(Qt::Key_F9);
  EXPECT_TRUE(seen("panel_prompt"));
  for (const auto& [name, place] : places())
    EXPECT_EQ(place.isEmpty(), before.at(name).isEmpty()) << name;
}

}  // namespace
}  // namespace xlab::tests
