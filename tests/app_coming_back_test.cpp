// What comes back looks as it did: a run out of its file or by Undo, a view that was closed.
#include <QAction>
#include <QDockWidget>
#include <QSettings>
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "app_answers.hpp"
#include "app_window.hpp"

namespace xlab::tests {
namespace {

using app::Room;

class ComingBack : public WindowTest {
 protected:
  /// The matrix memory as it is drawn now, without the mouse.
  QImage memory() {
    settle();
    return view("memory").picture({520, 320}, {}, 1.0);
  }
  void send(Command command) {
    window_->stage().send(std::move(command));
    settle();
  }
  /// Holds the input gate wide open, which makes the memory many times as large.
  Clamp flood() {
    return {.path = now().model->blocks[0].prefix + "/input_gate_pre",
            .head = 1,
            .begin = 2,
            .end = 9,
            .value = 14.0f};
  }
  void select(int block, int head) {
    window_->stage().set_block(block);
    window_->stage().set_head(head);
    ui::Focus focus = window_->stage().focus();
    focus.pinned = ui::ValueRef{
        .path = now().model->blocks[static_cast<std::size_t>(block)].prefix + "/forget_gate",
        .step = 3,
        .head = head,
        .unit = 0};
    window_->stage().set_focus(focus);
    settle();
  }
};

TEST_F(ComingBack, ARunOutOfItsFileHasTheColoursItWasSavedWith) {
  const QTemporaryDir folder;
  const QString path = folder.filePath("run.xlab");
  // The range is that of the last token; the first one is faint in it.
  (void)memory();
  send(command::SetCursor{0});
  const QImage before = memory();
  Answers answers;
  answers.files = {path};
  menu_actions(*window_)["File/Save as…"]->trigger();
  ASSERT_TRUE(QTest::qWaitFor([&] { return !now().run_path.empty(); }, 5000));
  send(command::NewRun{.task = "copy", .spec_json = {}});
  EXPECT_GT(difference(before, memory()), 0.001);
  window_->open(path);
  ASSERT_TRUE(QTest::qWaitFor([&] { return !now().run_path.empty(); }, 10000));
  ASSERT_EQ(now().sequence.cursor, 0);
  EXPECT_LT(difference(before, memory()), 1e-6);
}

TEST_F(ComingBack, UndoBringsTheColoursBackWithTheNumbers) {
  const QImage before = memory();
  send(command::SetClamp{flood()});
  const QImage flooded = memory();
  EXPECT_GT(difference(before, flooded), 0.001);
  key(Qt::Key_Z, Qt::ControlModifier);
  ASSERT_TRUE(now().sequence.clamps.empty());
  EXPECT_LT(difference(before, memory()), 1e-6);
  key(Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
  ASSERT_FALSE(now().sequence.clamps.empty());
  EXPECT_LT(difference(flooded, memory()), 1e-6);
}

TEST_F(ComingBack, UndoOfARestartBringsBackWhatWasSelected) {
  send(command::NewRun{.task = "recall", .spec_json = {}});
  send(command::TrainOneStep{});
  select(1, 1);
  const ui::Focus before = window_->stage().focus();
  Answers answers;
  answers.button = QMessageBox::Discard;
  const auto run = now().run_id;
  key(Qt::Key_R, Qt::ShiftModifier);
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 5000));
  ASSERT_EQ(now().train.step, 0);
  const auto expect_selected = [&](const char* when) {
    settle();
    const ui::Focus& focus = window_->stage().focus();
    EXPECT_EQ(focus.block, before.block) << when;
    EXPECT_EQ(focus.head, before.head) << when;
    EXPECT_EQ(focus.pinned, before.pinned) << when;
  };
  expect_selected("the same model, begun again");
  // What is selected since then does not stand in the way, nor is the room changed.
  select(0, 0);
  window_->set_room(Room::generate);
  settle();
  window_->activateWindow();
  ASSERT_TRUE(QTest::qWaitForWindowActive(window_.get()));
  key(Qt::Key_Z, Qt::ControlModifier);
  ASSERT_EQ(now().train.step, 1);
  expect_selected("undone");
  EXPECT_EQ(window_->room(), Room::generate);
  key(Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
  ASSERT_EQ(now().train.step, 0);
  settle();
  EXPECT_EQ(window_->stage().focus().block, 0) << "as it was left";
}

TEST_F(ComingBack, ViewsThatWereClosedStandWhereTheyStood) {
  const auto places = [&] {
    settle();
    std::map<std::string, QRect> found;
    for (QDockWidget* dock :
         window_->findChildren<QDockWidget*>(QString(), Qt::FindDirectChildrenOnly)) {
      if (dock->isVisible() && !dock->visibleRegion().isEmpty())
        found[dock->objectName().toStdString()] = dock->geometry();
    }
    return found;
  };
  const auto expect_same = [](const std::map<std::string, QRect>& before,
                              const std::map<std::string, QRect>& after) {
    EXPECT_EQ(before.size(), after.size());
    for (const auto& [name, place] : before) {
      ASSERT_TRUE(after.contains(name)) << name;
      const QRect now = after.at(name);
      EXPECT_NEAR(now.x(), place.x(), 3) << name;
      EXPECT_NEAR(now.y(), place.y(), 3) << name;
      EXPECT_NEAR(now.width(), place.width(), 3) << name;
      EXPECT_NEAR(now.height(), place.height(), 3) << name;
    }
  };
  const std::vector<Qt::Key> views = {Qt::Key_1, Qt::Key_2, Qt::Key_3,
                                      Qt::Key_4, Qt::Key_5, Qt::Key_6};
  for (const Room room : {Room::train, Room::explore, Room::generate}) {
    SCOPED_TRACE(static_cast<int>(room));
    window_->set_room(room);
    const auto before = places();
    std::vector<Qt::Key> shown;
    for (const Qt::Key digit : views) {
      const app::ViewDock* dock = window_->views()[digit - Qt::Key_1];
      if (dock->isVisible() && !dock->visibleRegion().isEmpty()) shown.push_back(digit);
    }
    ASSERT_GE(shown.size(), 3u);
    for (const bool backwards : {false, true}) {
      for (const Qt::Key digit : shown) key(digit);
      settle();
      EXPECT_EQ(places().size(), before.size() - shown.size());
      if (backwards) std::reverse(shown.begin(), shown.end());
      for (const Qt::Key digit : shown) key(digit);
      expect_same(before, places());
    }
    // Some of them: those that stay are no wider than they were.
    key(shown[0]);
    key(shown[1]);
    const auto without = places();
    key(shown[2]);
    key(shown[2]);
    expect_same(without, places());
    key(shown[0]);
    key(shown[1]);
    expect_same(before, places());
  }
}

}  // namespace
}  // namespace xlab::tests
