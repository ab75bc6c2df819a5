// Heads of a memory beside each other: one of them large, and the key channel that is pinned.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

class MemoryHeads : public ::testing::Test {
 protected:
  void frame(ImVec2 size = {1100, 620}) {
    if (!stage) stage = std::make_unique<Stage>(snapshot);
    stage->size = size;
    stage->frame(*view);
    stage->frame(*view);
  }
  Box map(int head) const {
    for (const DrawLog::Heat& heat : stage->log.heats)
      if (heat.key == "memory/" + std::to_string(head)) return heat.box;
    return {};
  }
  Box strip(int head) const {
    for (const DrawLog::Heat& heat : stage->log.heats)
      if (heat.key == "memory/n" + std::to_string(head)) return heat.box;
    return {};
  }
  bool says(const std::string& words) const {
    return std::any_of(
        stage->log.texts.begin(), stage->log.texts.end(),
        [&](const DrawLog::Text& text) { return text.shown.find(words) != text.shown.npos; });
  }
  /// Whether something is framed in the accent colour around this row of a box.
  bool framed(const Box& box, int row, int rows) const {
    const float height = box.height() / static_cast<float>(rows);
    const float y = box.min.y + height * (static_cast<float>(row) + 0.5f);
    return std::any_of(stage->log.outlines.begin(), stage->log.outlines.end(),
                       [&](const DrawLog::Outline& outline) {
                         return outline.colour == stage->scene().palette.accent &&
                                std::abs(outline.box.centre().y - y) < 1.0f &&
                                std::abs(outline.box.min.x - box.min.x) < 1.0f &&
                                std::abs(outline.box.max.x - box.max.x) < 1.0f &&
                                outline.box.height() < 2 * height + 6;
                       });
  }

  Snapshot snapshot = recall_scene();
  std::unique_ptr<View> view = make_memory_view();
  std::unique_ptr<Stage> stage;
};

TEST_F(MemoryHeads, ADoubleClickMakesOneLargeAndAnotherBringsAllBack) {
  frame();
  EXPECT_NEAR(map(0).width(), map(2).width(), 0.5f);
  const float alike = map(2).width();
  const ImVec2 at = map(2).centre();
  stage->click(*view, at.x, at.y);
  EXPECT_EQ(stage->focus.head, 2);
  EXPECT_NEAR(map(2).width(), alike, 0.5f) << "one click pins";
  stage->button(*view, true);
  stage->button(*view, false);
  frame();
  EXPECT_GT(map(2).width(), 1.2f * alike);
  EXPECT_LT(map(0).width(), map(2).width() / 2);
  EXPECT_NEAR(map(0).width(), map(1).width(), 0.5f);
  EXPECT_FALSE(map(0).empty()) << "the others stay";
  EXPECT_TRUE(view->kept().ends_with("one large"));
  // Another view of the kind shows the same.
  const auto other = make_memory_view();
  other->restore(view->kept());
  EXPECT_TRUE(other->kept().ends_with("one large"));
  // A click on a small one puts it in its place.
  const ImVec2 small = map(0).centre();
  for (int i = 0; i < 40; ++i) stage->frame(*view);
  stage->click(*view, small.x, small.y);
  frame();
  EXPECT_GT(map(0).width(), 1.5f * map(2).width());
  for (int i = 0; i < 40; ++i) stage->frame(*view);
  const ImVec2 large = map(0).centre();
  stage->click(*view, large.x, large.y);
  stage->button(*view, true);
  stage->button(*view, false);
  frame();
  EXPECT_NEAR(map(0).width(), map(2).width(), 0.5f);
  EXPECT_FALSE(view->kept().ends_with("one large"));
}

TEST_F(MemoryHeads, APinnedKeyChannelIsMarkedInEveryHead) {
  frame();
  const Box n = strip(1);
  ASSERT_FALSE(n.empty());
  EXPECT_FALSE(framed(strip(0), 5, 12));
  stage->click(*view, n.centre().x, n.min.y + n.height() * 5.5f / 12);
  ASSERT_TRUE(stage->focus.pinned);
  EXPECT_EQ(stage->focus.pinned->path, "block0/mlstm/n");
  EXPECT_EQ(stage->focus.pinned->unit, 5);
  stage->move(*view, 1.0f, 1.0f);
  for (int head = 0; head < 3; ++head) {
    EXPECT_TRUE(framed(strip(head), 5, 12)) << head;
    EXPECT_FALSE(framed(strip(head), 6, 12)) << head;
    EXPECT_EQ(framed(map(head), 5, 12), head == 1) << "the row where it was pinned: " << head;
  }
  // A component of a value is no key channel.
  stage->focus.pinned = ValueRef{"block0/mlstm/v", 15, 1, 5};
  frame();
  EXPECT_FALSE(framed(strip(0), 5, 12));
}

TEST_F(MemoryHeads, TheGatesMarkThePinnedChannelToo) {
  const auto gates = make_gates_view();
  Stage on(snapshot);
  on.size = {900, 1400};
  on.frame(*gates);
  const auto marks = [&] {
    on.frame(*gates);
    return on.log.polygons.size();
  };
  const std::size_t before = marks();
  on.focus.pinned = ValueRef{"block0/mlstm/q", 15, 0, 5};
  EXPECT_GT(marks(), before);
}

TEST_F(MemoryHeads, TheLegendSaysWhatIsDividedByTheRootOfK) {
  frame({1400, 620});
  EXPECT_TRUE(says("keys / √K"));
  auto model = std::make_shared<ModelCard>(*snapshot.model);
  model->blocks[0].variant.scale = Scaled::queries;
  snapshot.model = model;
  frame({1400, 620});
  EXPECT_TRUE(says("queries / √K"));
  EXPECT_FALSE(says("keys / √K"));
}

}  // namespace
}  // namespace xlab::tests
