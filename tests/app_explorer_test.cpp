// The gate explorer in the window: opened from the menu, drawn in with the mouse, told stories by a
// click and by the keys, undone, saved and opened again.
#include <gtest/gtest.h>

#include <QMenu>
#include <QMenuBar>
#include <QSettings>
#include <memory>
#include <string>
#include <vector>

#include "app_window.hpp"
#include "core/explorer.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

class ExplorerOnScreen : public WindowTest {
 protected:
  void SetUp() override {
    QSettings("xlstm-lab", "xlstm-lab").clear();
    open_window({.canvas = app::CanvasKind::software, .remember = false});
    window_->resize(1280, 800);
    choose("Gate explorer");
    ASSERT_TRUE(QTest::qWaitFor([&] { return now().data && told() == "remember"; }, 10000));
  }
  /// An entry of File > New.
  void choose(const QString& title) {
    for (QAction* action : window_->findChildren<QAction*>()) {
      auto* menu = qobject_cast<QMenu*>(action->parent());
      if (menu && menu->title().remove('&') == "New" && action->text().remove('&') == title) {
        action->trigger();
        return;
      }
    }
    FAIL() << "File > New has no " << title.toStdString();
  }
  std::string told() {
    const Snapshot& shown = now();
    if (!shown.model) return "";
    const auto* story = explorer::told_by(shown.sequence.clamps, shown.model->blocks);
    return story ? story->name : "";
  }
  QWidget* canvas() { return &view("explorer").canvas(); }
  /// A place where the forget gate of some step is drawn.
  QPoint forget_gate() {
    for (int y = 60; y < canvas()->height() / 2; y += 9) {
      for (int x = 20; x < canvas()->width(); x += 9) {
        QTest::mouseMove(window_->windowHandle(), canvas()->mapTo(window_.get(), QPoint(x, y)));
        QTest::qWait(12);
        const auto& hovered = window_->stage().focus().hovered;
        if (hovered && hovered->path.ends_with("/forget_gate_pre") && hovered->step > 3 &&
            hovered->step < 9)
          return {x, y};
      }
    }
    ADD_FAILURE() << "no forget gate is drawn";
    return {};
  }
  static std::vector<float> numbers(const Snapshot& shown) {
    std::vector<float> all;
    for (const auto& step : shown.trace->steps)
      for (const auto& [path, value] : step->values)
        all.insert(all.end(), value.values.begin(), value.values.end());
    return all;
  }
};

TEST_F(ExplorerOnScreen, IsDrawnInToldUndoneSavedAndOpenedAgain) {
  EXPECT_EQ(window_->perspective(), app::Perspective::explorer);
  EXPECT_FALSE(view("explorer").visibleRegion().isEmpty());
  const auto first = std::make_shared<const Snapshot>(now());

  // Drawn by hand: in all cells, one edit.
  const QPoint at = forget_gate();
  drag(canvas(), at, at + QPoint(40, 25));
  const auto drawn = std::make_shared<const Snapshot>(now());
  EXPECT_EQ(told(), "");
  for (const BlockCard& block : drawn->model->blocks) {
    int changed = 0;
    for (int step = 0; step < drawn->trace->length(); ++step) {
      const std::string path = block.path("forget_gate_pre");
      changed +=
          drawn->trace->find(step, path)->at(0, 0) != first->trace->find(step, path)->at(0, 0) ? 1
                                                                                               : 0;
    }
    EXPECT_GT(changed, 2) << block.title;
    EXPECT_LT(changed, 15) << block.title;
  }
  key(Qt::Key_Z, Qt::ControlModifier);
  EXPECT_EQ(numbers(now()), numbers(*first)) << "one drag is one undo";
  key(Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
  EXPECT_EQ(numbers(now()), numbers(*drawn));

  // Stories by the keys: the first control of the view is their row.
  canvas()->setFocus();
  key(Qt::Key_Tab);
  for (int i = 0; i < 2; ++i) key(Qt::Key_Right);
  settle();
  key(Qt::Key_Space);
  EXPECT_TRUE(QTest::qWaitFor([&] { return told() == "slow leak"; }, 5000)) << told();
  const auto leak = std::make_shared<const Snapshot>(now());
  key(Qt::Key_Z, Qt::ControlModifier);
  EXPECT_EQ(numbers(now()), numbers(*drawn)) << "a story is one undo";
  key(Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
  EXPECT_EQ(told(), "slow leak");

  // Saved and opened again.
  const TemporaryFolder folder;
  const std::string file = folder / "explorer.xlab";
  window_->stage().send(command::Save{file});
  ASSERT_EQ(now().failure.what, "");
  window_->stage().send(command::NewRun{.task = "parity", .spec_json = {}});
  ASSERT_EQ(now().data->task, "parity");
  window_->stage().send(command::OpenRun{.path = file, .bytes = {}});
  ASSERT_TRUE(QTest::qWaitFor([&] { return told() == "slow leak"; }, 10000));
  EXPECT_EQ(numbers(now()), numbers(*leak));
}

}  // namespace
}  // namespace xlab::tests
