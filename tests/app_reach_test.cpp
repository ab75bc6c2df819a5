// The gradient's reach in the window: computed when somebody brings it on the screen, and not
// before.
#include <gtest/gtest.h>

#include <QSettings>

#include "app_window.hpp"

namespace xlab::tests {
namespace {

class ReachOnScreen : public WindowTest {
 protected:
  void SetUp() override {
    QSettings("xlstm-lab", "xlstm-lab").clear();
    open_window({.canvas = app::CanvasKind::software, .remember = false});
    window_->resize(1280, 800);
    new_run("recall");
  }
  void new_run(const char* task) {
    window_->stage().send(command::NewRun{.task = task, .spec_json = {}});
    ASSERT_NE(now().model, nullptr);
  }
};

TEST_F(ReachOnScreen, IsComputedOnceWhenItComesThere) {
  settle();
  EXPECT_EQ(now().reach, nullptr) << "nobody looks";
  view("reach").show();
  view("reach").raise();
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().reach != nullptr; }, 20000));
  const auto first = now().reach;
  EXPECT_EQ(first->failure, "");
  EXPECT_EQ(first->run_id, now().run_id);
  settle();
  EXPECT_EQ(now().reach, first) << "once";
  // Of another run it is asked for again.
  new_run("parity");
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().reach != nullptr; }, 20000));
  EXPECT_EQ(now().reach->run_id, now().run_id);
}

}  // namespace
}  // namespace xlab::tests
