// What is copied of a value lies on the clipboard, and its program opens beside the window.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDialog>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QMenuBar>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QStatusBar>
#include <QTextBrowser>
#include <set>
#include <string>
#include <utility>

#include "app_answers.hpp"
#include "app_window.hpp"
#include "ui/inspected.hpp"

namespace xlab::tests {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class Copying : public WindowTest {
 protected:
  void SetUp() override {
    WindowTest::SetUp();
    QApplication::clipboard()->setText("nothing");
  }

  void look_at(const std::string& value, int step, bool pinned) {
    const BlockCard& block = now().model->blocks[0];
    const ui::ValueRef ref{block.path(value), step, 1, 0};
    ui::Focus focus = window_->stage().focus();
    focus.pinned.reset();
    (pinned ? focus.pinned : focus.inspected) = ref;
    window_->stage().set_focus(focus);
    settle();
  }
  std::string offered(ui::Copied copied) {
    const ui::Focus& focus = window_->stage().focus();
    return ui::offer(now(), focus.pinned ? *focus.pinned : *focus.inspected, copied).request.text;
  }
  QAction* action(const QString& path) { return menu_actions(*window_).value(path); }
  /// As a menu does before it is seen.
  void open_edit_menu() {
    for (QAction* menu : window_->menuBar()->actions())
      if (menu->text().remove('&') == "Edit") emit menu->menu()->aboutToShow();
  }
  static std::string clipboard() { return QApplication::clipboard()->text().toStdString(); }
  static QDialog* dialog(const QString& title) {
    for (QWidget* widget : QApplication::topLevelWidgets())
      if (widget->isVisible() && widget->windowTitle() == title)
        if (auto* found = qobject_cast<QDialog*>(widget)) return found;
    return nullptr;
  }
};

TEST_F(Copying, TheMenuCopiesWhatIsPinned) {
  // Also where the inspector is closed, and showed something else before.
  look_at("m", 5, false);
  view("inspector").close();
  settle();
  look_at("forget_gate", 7, true);
  const std::pair<const char*, ui::Copied> actions[] = {
      {"Edit/Copy value", ui::Copied::value},
      {"Edit/Copy equation", ui::Copied::equation},
      {"Edit/Copy as LaTeX", ui::Copied::latex}};
  for (const auto& [path, copied] : actions) {
    ASSERT_NE(action(path), nullptr) << path;
    open_edit_menu();
    EXPECT_TRUE(action(path)->isEnabled()) << path;
    action(path)->trigger();
    EXPECT_EQ(clipboard(), offered(copied)) << path;
    EXPECT_THAT(window_->statusBar()->currentMessage().toStdString(),
                HasSubstr(" of f', t = 7, head 1"))
        << "and says so";
  }
}

TEST_F(Copying, TheMenuSaysWhyThereIsNothingToCopy) {
  ui::Focus focus = window_->stage().focus();
  focus.pinned.reset();
  focus.inspected.reset();
  focus.hovered.reset();
  window_->stage().set_focus(focus);
  settle();
  open_edit_menu();
  for (const char* path :
       {"Edit/Copy value", "Edit/Copy equation", "Edit/Copy as LaTeX", "Edit/Show in code…"}) {
    EXPECT_FALSE(action(path)->isEnabled()) << path;
    EXPECT_THAT(action(path)->toolTip().toStdString(), HasSubstr("Point at a value")) << path;
  }
  // A query comes from outside the cell: it can be copied, and has no program.
  look_at("q", 7, false);
  open_edit_menu();
  EXPECT_TRUE(action("Edit/Copy value")->isEnabled());
  EXPECT_FALSE(action("Edit/Show in code…")->isEnabled());
  EXPECT_THAT(action("Edit/Show in code…")->toolTip().toStdString(), HasSubstr("is not recorded"));
}

TEST_F(Copying, TheInspectorsButtonsCopy) {
  window_->set_perspective(app::Perspective::faces);
  look_at("q", 7, false);
  app::Canvas& canvas = view("inspector").canvas();
  canvas.setFocus(Qt::TabFocusReason);
  std::set<std::string> copied;
  for (int i = 0; i < 12; ++i) {
    key(Qt::Key_Tab);
    settle();
    if (!canvas.hasFocus()) break;
    key(Qt::Key_Space);
    settle();
    QTest::qWait(30);
    copied.insert(clipboard());
  }
  EXPECT_THAT(copied, Contains(offered(ui::Copied::value)));
  EXPECT_THAT(copied, Contains(offered(ui::Copied::equation)));
  EXPECT_THAT(copied, Contains(offered(ui::Copied::latex)));
}

TEST_F(Copying, TheProgramStandsInAWindowThatNothingWaitsFor) {
  look_at("forget_gate", 7, true);
  const std::string program = offered(ui::Copied::code);
  ASSERT_THAT(program, HasSubstr("import torch"));
  action("Edit/Show in code…")->trigger();
  QTest::qWait(50);
  QDialog* shown = dialog("Show in code");
  ASSERT_NE(shown, nullptr);
  EXPECT_FALSE(shown->isModal());
  auto* text = shown->findChild<QPlainTextEdit*>();
  ASSERT_NE(text, nullptr);
  EXPECT_EQ(text->toPlainText().toStdString(), program);
  EXPECT_TRUE(text->isReadOnly());
  EXPECT_EQ(text->horizontalScrollBar()->maximum(), 0) << "all lines are seen whole";
  // The keyboard is on Copy; Return presses it.
  ASSERT_TRUE(QTest::qWaitForWindowActive(shown));
  QTest::keyClick(shown->windowHandle(), Qt::Key_Return);
  EXPECT_EQ(clipboard(), program);
  EXPECT_THAT(window_->statusBar()->currentMessage().toStdString(),
              HasSubstr("Copied the program"));
  // Meanwhile the window goes on.
  window_->stage().send(command::SetCursor{3});
  EXPECT_EQ(now().sequence.cursor, 3);
  QTest::keyClick(shown->windowHandle(), Qt::Key_Escape);
  EXPECT_TRUE(QTest::qWaitFor([&] { return dialog("Show in code") == nullptr; }, 2000));
}

TEST_F(Copying, TheGlossaryIsSearched) {
  action("Help/Glossary")->trigger();
  QTest::qWait(50);
  QDialog* glossary = dialog("Glossary");
  ASSERT_NE(glossary, nullptr);
  auto* list = glossary->findChild<QTextBrowser*>();
  const auto text = [&] { return list->toPlainText().toStdString(); };
  EXPECT_THAT(text(), HasSubstr("half-life"));
  EXPECT_THAT(text(), HasSubstr("f'"));
  EXPECT_THAT(text(), HasSubstr("(" + now().model->blocks[0].title + ")"));
  ASSERT_TRUE(QTest::qWaitForWindowActive(glossary));
  for (const QChar c : QString("half GATES"))
    QTest::keyClick(glossary->windowHandle(), c.toLatin1());
  EXPECT_EQ(glossary->findChild<QLineEdit*>()->text(), "half GATES") << "keys go to the field";
  EXPECT_THAT(text(), HasSubstr("half-life"));
  EXPECT_THAT(text(), Not(HasSubstr("logit")));
  auto* none = glossary->findChild<QLabel*>("caption");
  EXPECT_FALSE(none->isVisible());
  QTest::keyClick(glossary->windowHandle(), Qt::Key_Q);
  QTest::keyClick(glossary->windowHandle(), Qt::Key_Q);
  EXPECT_EQ(text(), "");
  EXPECT_TRUE(none->isVisible());
  QTest::keyClick(glossary->windowHandle(), Qt::Key_Escape);
  EXPECT_TRUE(QTest::qWaitFor([&] { return dialog("Glossary") == nullptr; }, 2000));
}

}  // namespace
}  // namespace xlab::tests
