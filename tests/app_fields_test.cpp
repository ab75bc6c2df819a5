// Fields that are typed into: what becomes of what was typed when it is entered, given up, or left
// behind by what happens around it.
#include <QFile>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QSpinBox>
#include <QToolButton>
#include <QToolTip>
#include <algorithm>
#include <string>
#include <vector>

#include "app/dock.hpp"
#include "app/edit_row.hpp"
#include "app_answers.hpp"
#include "app_window.hpp"

namespace xlab::tests {
namespace {

class Fields : public WindowTest {
 protected:
  template <typename Widget>
  Widget* named(const QString& name) {
    auto* widget = WindowTest::named<Widget>(name);
    if (!widget) ADD_FAILURE() << "there is no " << qPrintable(name);
    return widget;
  }
  /// Clicks into a field and writes over what is there, without entering it.
  void type(QWidget* field, const QString& text) {
    click(field);
    QTest::keyClick(field, Qt::Key_A, Qt::ControlModifier);
    QTest::keyClicks(field, text);
  }
  /// Two edits of one block: −1.5 in head 0 and 4 in head 1.
  std::vector<Clamp> two_edits() {
    const std::string path = now().model->blocks[0].prefix + "/forget_gate_pre";
    const std::vector<Clamp> edits = {
        {.path = path, .head = 0, .begin = 1, .end = 4, .value = -1.5f},
        {.path = path, .head = 1, .begin = 2, .end = 7, .value = 4.0f}};
    for (const Clamp& edit : edits) window_->stage().send(command::SetClamp{edit});
    front("panel_prompt");
    EXPECT_EQ(now().sequence.clamps, edits);
    return edits;
  }

  QTemporaryDir folder_;
};

TEST_F(Fields, ANumberTypedForAnEditThatGoesIsPutIntoNoOther) {
  const std::vector<Clamp> edits = two_edits();
  type(named<QLineEdit>("Value of edit 1"), "3");
  Sent sent(window_->stage().engine());
  click(named<QToolButton>("Remove edit 1"));
  EXPECT_EQ(now().sequence.clamps, std::vector<Clamp>{edits[1]});
  auto* value = named<QLineEdit>("Value of edit 1");
  EXPECT_EQ(value->text(), "4");
  QTest::keyClick(value, Qt::Key_Return);
  window_->setFocus();
  EXPECT_EQ(now().sequence.clamps, std::vector<Clamp>{edits[1]});
  EXPECT_EQ(sent.count<command::ReplaceClamp>(), 0);
}

TEST_F(Fields, ANumberTypedForAnotherEditIsTakenBeforeOneGoes) {
  std::vector<Clamp> edits = two_edits();
  type(named<QLineEdit>("Value of edit 2"), "3");
  click(named<QToolButton>("Remove edit 1"));
  edits[1].value = 3.0f;
  EXPECT_EQ(now().sequence.clamps, std::vector<Clamp>{edits[1]});
  EXPECT_EQ(named<QLineEdit>("Value of edit 1")->text(), "3");
}

TEST_F(Fields, WhatIsBeingTypedStaysWhileItsEditDoes) {
  two_edits();
  auto* value = named<QLineEdit>("Value of edit 1");
  type(value, "3");
  // The list changes below it.
  window_->stage().send(command::EnableClamp{1, false});
  (void)now();
  EXPECT_EQ(value->text(), "3");
  QTest::keyClick(value, Qt::Key_Return);
  EXPECT_EQ(now().sequence.clamps[0].value, 3.0f);
}

TEST_F(Fields, WhatCannotBeTakenIsSaidAndChangesNothing) {
  const std::vector<Clamp> edits = two_edits();
  Sent sent(window_->stage().engine());
  auto* value = named<QLineEdit>("Value of edit 1");
  type(value, "1.2.3");
  QTest::keyClick(value, Qt::Key_Return);
  EXPECT_EQ(QToolTip::text(), "\"1.2.3\" is no number.");
  EXPECT_EQ(value->text(), "−1.5");
  type(value, "<b>1</b>");
  QTest::keyClick(value, Qt::Key_Return);
  EXPECT_TRUE(QToolTip::text().contains("&lt;b&gt;")) << "it is shown as it was typed";
  // Without its minus it would be another number.
  auto* first = window_->findChildren<app::EditRow*>()[1]->findChildren<QSpinBox*>().first();
  ASSERT_EQ(first->value(), 2);
  type(first, "-3");
  EXPECT_EQ(first->cleanText(), "-3");
  QTest::keyClick(first, Qt::Key_Return);
  EXPECT_EQ(QToolTip::text(), "This counts from 0.");
  EXPECT_EQ(first->value(), 2);
  EXPECT_EQ(now().sequence.clamps, edits);
  EXPECT_EQ(sent.count<command::ReplaceClamp>(), 0);
}

TEST_F(Fields, EscapeGivesUpWhatWasTyped) {
  const std::vector<Clamp> edits = two_edits();
  Sent sent(window_->stage().engine());
  auto* value = named<QLineEdit>("Value of edit 2");
  auto* first = window_->findChildren<app::EditRow*>()[1]->findChildren<QSpinBox*>().first();
  window_->stage().send(command::SetStepLimit{70});
  (void)now();
  sent.commands.clear();
  for (QWidget* field : {static_cast<QWidget*>(value), static_cast<QWidget*>(first)}) {
    const auto text = [&] { return field->property("text").toString(); };
    const QString before = text();
    type(field, "99");
    EXPECT_EQ(text(), "99");
    QTest::keyClick(field, Qt::Key_Escape);
    settle();
    EXPECT_FALSE(field->hasFocus()) << "the keys are the window's again";
    EXPECT_EQ(text(), before);
  }
  front("panel_trainer");
  auto* limit = named<QSpinBox>("Step limit");
  type(limit, "99");
  QTest::keyClick(limit, Qt::Key_Escape);
  settle();
  EXPECT_EQ(limit->cleanText(), "70");
  EXPECT_EQ(now().train.step_limit, 70);
  EXPECT_EQ(now().sequence.clamps, edits);
  EXPECT_EQ(sent.count<command::ReplaceClamp>(), 0);
  EXPECT_EQ(sent.count<command::SetStepLimit>(), 0);
}

/// A text as other systems write it, read as bytes: line ends of two, letters of one, and what
/// looks like an escape.
class BytePrompt : public Fields {
 protected:
  void SetUp() override {
    Fields::SetUp();
    if (HasFatalFailure()) return;
    const QString path = folder_.filePath("text.txt");
    QFile file(path);
    ASSERT_TRUE(file.open(QIODevice::WriteOnly));
    file.write(QByteArray("caf\xe9 \\x0d\r\nna\xefve\xc2\xa0 \\xyz\r\n").repeated(12));
    file.close();
    const auto run = now().run_id;
    window_->stage().send(command::OpenText{.path = path.toStdString(), .tokenizer = "bytes"});
    ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 10000))
        << qPrintable(window_->banner().sentence());
    window_->stage().send(command::NewSample{});
    front("panel_prompt");
    tokens_ = now().sequence.tokens;
    ASSERT_GT(tokens_.size(), 20u);
    prompt_ = named<QPlainTextEdit>("Prompt");
    ASSERT_TRUE(prompt_->toPlainText().contains("\\xe9"));
    ASSERT_TRUE(prompt_->toPlainText().contains("\\x0d\n"));
  }
  int token(unsigned char byte) {
    const auto& words = now().model->vocabulary;
    const std::string wanted(1, static_cast<char>(byte));
    return static_cast<int>(std::find(words.begin(), words.end(), wanted) - words.begin());
  }

  QPlainTextEdit* prompt_ = nullptr;
  std::vector<int> tokens_;
};

TEST_F(BytePrompt, AnUntouchedOneChangesNothing) {
  Sent sent(window_->stage().engine());
  click(named<QPushButton>("Set the prompt"));
  click(prompt_);
  QTest::keyClick(prompt_, Qt::Key_Return);
  EXPECT_EQ(now().sequence.tokens, tokens_);
  EXPECT_EQ(window_->banner().sentence(), "");
  EXPECT_EQ(sent.count<command::SetPrompt>(), 0);
}

TEST_F(BytePrompt, IsReadAsItIsWritten) {
  click(prompt_);
  prompt_->moveCursor(QTextCursor::End);
  QTest::keyClicks(prompt_, "a");
  QTest::keyClick(prompt_, Qt::Key_Return);
  tokens_.push_back(token('a'));
  EXPECT_EQ(now().sequence.tokens, tokens_);
  EXPECT_EQ(window_->banner().sentence(), "");
}

TEST_F(BytePrompt, TakesBackWhatWasGenerated) {
  window_->stage().send(command::SetCursor{static_cast<int>(tokens_.size()) - 1});
  window_->stage().send(command::StepForward{});
  ASSERT_EQ(now().sequence.tokens.size(), tokens_.size() + 1);
  click(named<QPushButton>("Set the prompt"));
  EXPECT_EQ(now().sequence.tokens, tokens_);
}

TEST_F(BytePrompt, WhatIsRefusedIsRefusedAgain) {
  window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
  front("panel_prompt");
  for (int i = 0; i < 2; ++i) {
    click(prompt_);
    if (i == 0) type(prompt_, "no such token");
    QTest::keyClick(prompt_, Qt::Key_Return);
    settle();
    EXPECT_NE(window_->banner().sentence(), "") << i;
    window_->banner().hide();
  }
}

}  // namespace
}  // namespace xlab::tests
