// A scroll area scrolls, and comes to rest.
#include "app/scroll_area.hpp"

#include <gtest/gtest.h>

#include <QApplication>
#include <QScrollBar>
#include <algorithm>

namespace xlab::app {
namespace {

// Asked what height a width needs, it takes another width: as where a bar comes and goes within the
// question whether it is needed.
class NeverContent : public QWidget {
 public:
  NeverContent() {
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Preferred);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
  }
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int) const override {
    if (deepest_ < most_) {
      ++depth_;
      deepest_ = std::max(deepest_, depth_);
      auto* self = const_cast<NeverContent*>(this);
      self->resize(width() == 250 ? 251 : 250, height());
      --depth_;
    }
    return 100;
  }
  QSize sizeHint() const override { return {150, 100}; }
  QSize minimumSizeHint() const override { return {150, 100}; }
  void begin() { most_ = kMost; }
  int deepest() const { return deepest_; }

  static constexpr int kMost = 200;  // a stack has room for so many

 private:
  int most_ = 0;
  mutable int depth_ = 0, deepest_ = 0;
};

TEST(ScrollAreas, ComeToRestWhateverTheirContentsDo) {
  ScrollArea area;
  area.setWidgetResizable(true);
  auto* content = new NeverContent;
  area.setWidget(content);
  area.resize(300, 400);
  area.show();
  QApplication::processEvents();
  content->begin();
  area.resize(310, 400);
  QApplication::processEvents();
  EXPECT_GT(content->deepest(), 1);
  EXPECT_LT(content->deepest(), 20);
}

class Tall : public QWidget {
 public:
  QSize sizeHint() const override { return {150, 900}; }
  QSize minimumSizeHint() const override { return {150, 900}; }
};

TEST(ScrollAreas, ScrollAsQtsOwnDo) {
  ScrollArea area;
  area.setWidgetResizable(true);
  area.setFrameShape(QFrame::NoFrame);
  auto* tall = new Tall;
  area.setWidget(tall);
  area.resize(300, 400);
  area.show();
  // More often than the turns it takes at one time.
  for (int width = 300; width < 330; ++width) {
    area.resize(width, 400);
    QApplication::processEvents();
  }
  EXPECT_TRUE(area.verticalScrollBar()->isVisible());
  EXPECT_EQ(tall->height(), 900);
  EXPECT_EQ(tall->width(), area.viewport()->width());
  area.resize(300, 1000);
  QApplication::processEvents();
  EXPECT_FALSE(area.verticalScrollBar()->isVisible());
  EXPECT_EQ(tall->size(), QSize(300, 1000));
}

}  // namespace
}  // namespace xlab::app
