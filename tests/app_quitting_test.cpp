// The way out while something is asked: the system's wish to end comes before every question.
#include <QPointer>
#include <QTimer>

#include "app_answers.hpp"
#include "app_window.hpp"

namespace xlab::tests {
namespace {

class Quitting : public WindowTest {
 protected:
  void SetUp() override {
    WindowTest::SetUp();
    if (HasFatalFailure()) return;
    window_->stage().send(command::TrainOneStep{});
    ASSERT_TRUE(now().unsaved);
  }

  /// Does what brings a question up, has the system ask for the end while it stands, and gives a
  /// question that is still there afterwards its Cancel. Whether a question stood.
  bool end_during(const std::function<void()>& ask) {
    QPointer<QWidget> question;
    int looks = 0;
    QTimer timer;
    QObject::connect(&timer, &QTimer::timeout, &timer, [&] {
      QWidget* open = QApplication::activeModalWidget();
      if (open && !question) {
        question = open;
        stood_ = true;
        window_->close_unasked();
      } else if (open && ++looks > 100) {
        open->close();
      }
    });
    timer.start(10);
    stood_ = false;
    ask();
    (void)QTest::qWaitFor([&] { return stood_ && !QApplication::activeModalWidget(); }, 5000);
    return stood_;
  }

  bool stood_ = false;
};

TEST_F(Quitting, TheSystemsWishEndsTheQuestionOfQuitting) {
  EXPECT_TRUE(end_during([this] { key(Qt::Key_Q, Qt::ControlModifier); }));
  EXPECT_FALSE(window_->isVisible());
  EXPECT_EQ(QApplication::activeModalWidget(), nullptr);
}

TEST_F(Quitting, TheSystemsWishEndsTheQuestionOfOpening) {
  EXPECT_TRUE(end_during([this] { menu_actions(*window_).value("File/New/Copy")->trigger(); }));
  EXPECT_FALSE(window_->isVisible());
  EXPECT_EQ(QApplication::activeModalWidget(), nullptr);
}

TEST_F(Quitting, ItIsAskedOnceAtATimeAndAgainAfterCancel) {
  for (int i = 0; i < 2; ++i) {
    Answers answers;
    window_->close();
    window_->close();
    EXPECT_TRUE(QTest::qWaitFor([&] { return !answers.questions.isEmpty(); }, 5000));
    settle();
    EXPECT_EQ(answers.questions.size(), 1);
    EXPECT_TRUE(window_->isVisible());
  }
}

}  // namespace
}  // namespace xlab::tests
