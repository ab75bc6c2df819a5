// Ctrl+Z takes back whatever was done last, and the menu says what that is.
#include <QAction>
#include <QComboBox>
#include <QKeySequence>
#include <QLineEdit>
#include <QListWidget>
#include <functional>
#include <memory>
#include <string>

#include "app/history_window.hpp"
#include "app_answers.hpp"
#include "app_window.hpp"

namespace xlab::tests {
namespace {

class UndoTest : public WindowTest {
 protected:
  /// The entry of the menu that has this shortcut.
  QAction* entry(const char* keys) {
    for (QAction* action : window_->findChildren<QAction*>())
      if (action->shortcut() == QKeySequence(keys)) return action;
    ADD_FAILURE() << "no menu entry has " << keys;
    return nullptr;
  }
  std::string undo_text() { return entry("Ctrl+Z")->text().remove('&').toStdString(); }
  std::string redo_text() { return entry("Ctrl+Shift+Z")->text().remove('&').toStdString(); }
  void undo() { key(Qt::Key_Z, Qt::ControlModifier); }
  void redo() { key(Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier); }

  /// One press of Ctrl+Z takes the edit back, one of Ctrl+Shift+Z makes it again.
  void expect_undone(const std::string& name, const std::function<void()>& edit) {
    SCOPED_TRACE(name);
    const auto before = std::make_shared<const Snapshot>(now());
    edit();
    const auto edited = std::make_shared<const Snapshot>(now());
    EXPECT_EQ(undo_text(), "Undo " + name);
    EXPECT_TRUE(entry("Ctrl+Z")->isEnabled());
    EXPECT_FALSE(entry("Ctrl+Shift+Z")->isEnabled());
    undo();
    expect_same(now(), *before);
    EXPECT_EQ(redo_text(), "Redo " + name);
    redo();
    expect_same(now(), *edited);
    undo();
    expect_same(now(), *before);
  }
  static void expect_same(const Snapshot& a, const Snapshot& b) {
    EXPECT_EQ(a.sequence.tokens, b.sequence.tokens);
    EXPECT_EQ(a.sequence.cursor, b.sequence.cursor);
    EXPECT_EQ(a.sequence.clamps, b.sequence.clamps);
    EXPECT_EQ(a.data->task, b.data->task);
    EXPECT_EQ(a.train.step, b.train.step);
    EXPECT_EQ(a.next->logits, b.next->logits);
    ASSERT_EQ(a.model->blocks.size(), b.model->blocks.size());
    for (std::size_t i = 0; i < a.model->blocks.size(); ++i)
      EXPECT_TRUE(a.model->blocks[i].variant == b.model->blocks[i].variant);
  }
};

TEST_F(UndoTest, WithNothingToTakeBackTheMenuIsGrey) {
  now();
  for (const char* keys : {"Ctrl+Z", "Ctrl+Shift+Z", "Ctrl+Backspace"})
    EXPECT_FALSE(entry(keys)->isEnabled()) << keys;
  EXPECT_EQ(undo_text(), "Undo");
  undo();
  EXPECT_EQ(now().failure.id, 0u) << "a grey entry asks nothing of the engine";
}

TEST_F(UndoTest, ANewSample) {
  expect_undone("new sample", [&] { key(Qt::Key_N); });
}

TEST_F(UndoTest, ANewPrompt) {
  expect_undone("new prompt", [&] { window_->stage().send(command::SetPrompt{"c 1 c ?"}); });
}

TEST_F(UndoTest, TwoClicksIntoTheNextToken) {
  key(Qt::Key_Home);
  ASSERT_EQ(now().sequence.cursor, 0);
  const std::size_t whole = now().sequence.tokens.size();
  QWidget* canvas = &view("next").canvas();
  expect_undone("taking another token", [&] {
    for (int y = 20; y < canvas->height() && now().sequence.tokens.size() == whole; y += 8) {
      const QPoint at = canvas->mapTo(window_.get(), QPoint(canvas->width() / 2, y));
      QTest::mouseMove(window_->windowHandle(), at);
      settle();
      QTest::mouseClick(window_->windowHandle(), Qt::LeftButton, Qt::NoModifier, at);
      settle();
      EXPECT_EQ(now().sequence.tokens.size(), whole) << "the first click only asks";
      QTest::mouseClick(window_->windowHandle(), Qt::LeftButton, Qt::NoModifier, at);
    }
    EXPECT_EQ(now().sequence.tokens.size(), 2u) << "the second click has cut the sequence";
  });
}

TEST_F(UndoTest, AClamp) {
  expect_undone("clamp", [&] {
    window_->stage().send(
        command::SetClamp{{"block0/mlstm/forget_gate_pre", 0, 0, 1, 3, -4.0f, true}});
  });
  redo();
  now();
  EXPECT_TRUE(entry("Ctrl+Backspace")->isEnabled());
  expect_undone("clearing clamps", [&] { key(Qt::Key_Backspace, Qt::ControlModifier); });
}

TEST_F(UndoTest, AVariantWithTheWeightsOfBefore) {
  window_->set_room(app::Room::generate);
  window_->stage().set_block(0);
  const auto before = std::make_shared<const Snapshot>(now());
  for (QComboBox* box : window_->findChildren<QComboBox*>()) {
    if (box->accessibleName() != "Forget gate") continue;
    box->setCurrentIndex(1);
    QMetaObject::invokeMethod(box, "activated", Q_ARG(int, 1));
  }
  EXPECT_EQ(now().model->blocks[0].variant.forget_gate, ForgetGate::exponential);
  for (int i = 0; i < 3; ++i) key(Qt::Key_T, Qt::ShiftModifier);
  EXPECT_EQ(now().train.step, before->train.step + 3);
  EXPECT_EQ(undo_text(),
            "Undo variant (with the weights of step " + std::to_string(before->train.step) + ")");
  undo();
  expect_same(now(), *before);
  redo();
  EXPECT_EQ(now().train.step, before->train.step + 3);
}

TEST_F(UndoTest, ARunThatWasReplaced) {
  window_->stage().send(command::SetClamp{{"block0/mlstm/forget_gate_pre", 0, 0, 1, 3, 2, true}});
  now();
  expect_undone("new run", [&] { window_->stage().send(command::NewRun{.task = "parity"}); });
}

TEST_F(UndoTest, StaysInATextFieldThatHasTheFocus) {
  // Ctrl+Z in a field is the field's own.
  key(Qt::Key_N);
  const auto edited = now().sequence.tokens;
  auto* field = window_->findChild<QLineEdit*>();
  ASSERT_NE(field, nullptr);
  field->setFocus();
  QTest::keyClicks(field, "ab");
  QTest::keyClick(field, Qt::Key_Z, Qt::ControlModifier);
  EXPECT_EQ(now().sequence.tokens, edited);
}

TEST_F(UndoTest, TheHistoryWindowGoesToAnyEdit) {
  for (QAction* action : window_->findChildren<QAction*>())
    if (action->text() == "H&istory…") action->trigger();
  auto* list = window_->findChild<app::HistoryWindow*>()->findChild<QListWidget*>();
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(list->count(), 1);
  const Clamp first{.path = now().model->blocks[0].path("forget_gate_pre"), .begin = 1, .end = 2};
  Clamp second = first;
  second.begin = 2;
  second.end = 3;
  window_->stage().send(command::SetClamp{first});
  window_->stage().send(command::SetClamp{second});
  settle();
  ASSERT_EQ(list->count(), 3);
  EXPECT_EQ(list->item(1)->text(), "clamp: forget gate, head 0, step 1");
  EXPECT_EQ(list->currentRow(), 2);
  const auto press = [&](int row) {
    QTest::mouseClick(list->viewport(), Qt::LeftButton, {},
                      list->visualItemRect(list->item(row)).center());
    settle();
  };
  press(0);
  EXPECT_TRUE(now().sequence.clamps.empty());
  EXPECT_EQ(list->count(), 3) << "what was taken back stays in the list";
  EXPECT_EQ(list->currentRow(), 0);
  press(2);
  EXPECT_EQ(now().sequence.clamps, (std::vector<Clamp>{first, second}));
  press(1);
  EXPECT_EQ(now().sequence.clamps, std::vector<Clamp>{first});
}

}  // namespace
}  // namespace xlab::tests
