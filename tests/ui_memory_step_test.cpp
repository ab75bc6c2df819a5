// The four maps of a step, held against the memory and the recordings.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/memory_step.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

class MemoryStepDrawing : public ::testing::Test {
 protected:
  void draw(ImVec2 size = {640, 520}, int head = 1) {
    stage = std::make_unique<Stage>(snapshot);
    stage->size = size;
    stage->focus.head = head;
    stage->frame(*view);
    stage->frame(*view);
  }
  const DrawLog::Heat* map(int i) const {
    for (const DrawLog::Heat& heat : stage->log.heats)
      if (heat.key == "memory/step" + std::to_string(i)) return &heat;
    return nullptr;
  }
  bool says(const std::string& words, bool on_top = false) const {
    return std::any_of(stage->log.texts.begin(), stage->log.texts.end(),
                       [&](const DrawLog::Text& text) {
                         return text.on_top == on_top && text.shown.find(words) != text.shown.npos;
                       });
  }
  float recorded(const char* name, int unit = 0) const {
    return snapshot.trace->find(snapshot.memory->step, "block0/mlstm/" + std::string(name))
        ->at(1, unit);
  }

  Snapshot snapshot = recall_scene();
  std::unique_ptr<View> view = [] {
    auto made = make_memory_view();
    const std::string kept = made->kept();
    made->restore("step " + kept.substr(kept.find(' ') + 1));
    return made;
  }();
  std::unique_ptr<Stage> stage;
};

TEST_F(MemoryStepDrawing, AddsUpInOneRange) {
  EXPECT_TRUE(view->kept().starts_with("step "));
  draw();
  const MemoryImage& image = *snapshot.memory;
  const int K = image.key_dim, V = image.value_dim;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(map(i)) << i;
    EXPECT_EQ(map(i)->rows, K);
    EXPECT_EQ(map(i)->columns, V);
    EXPECT_EQ(map(i)->high, map(0)->high);
  }
  double most = 0.0;
  for (int key = 0; key < K; ++key) {
    for (int value = 0; value < V; ++value) {
      const auto at = static_cast<std::size_t>(key * V + value);
      const std::size_t of_head = static_cast<std::size_t>(K) * static_cast<std::size_t>(V) + at;
      EXPECT_EQ(map(0)->values[at], image.previous[of_head]);
      EXPECT_FLOAT_EQ(map(1)->values[at], recorded("forget_gate") * image.previous[of_head]);
      EXPECT_FLOAT_EQ(map(2)->values[at],
                      recorded("input_gate") * recorded("k", key) * recorded("v", value));
      EXPECT_EQ(map(3)->values[at], image.C[of_head]);
      EXPECT_NEAR(map(1)->values[at] + map(2)->values[at], map(3)->values[at], 1e-5);
      for (int i = 0; i < 4; ++i)
        most = std::max(most, static_cast<double>(std::abs(map(i)->values[at])));
    }
  }
  EXPECT_DOUBLE_EQ(map(0)->high, most);
  EXPECT_TRUE(says("before"));
  EXPECT_TRUE(says("f' = " + short_number(recorded("forget_gate"))));
  EXPECT_TRUE(says("= after"));
}

TEST_F(MemoryStepDrawing, WhatIsKeptIsWhatTheForgetGateLeaves) {
  auto trace = std::make_shared<Trace>(*snapshot.trace);
  const auto at = static_cast<std::size_t>(snapshot.memory->step);
  auto step = std::make_shared<TokenTrace>(*trace->steps[at]);
  step->values["block0/mlstm/forget_gate"].values[1] = 0.25f;
  trace->steps[at] = step;
  snapshot.trace = trace;
  draw();
  for (std::size_t cell = 0; cell < map(0)->values.size(); ++cell)
    EXPECT_FLOAT_EQ(map(1)->values[cell], 0.25f * map(0)->values[cell]);
}

TEST_F(MemoryStepDrawing, DecayedIsWhatTheForgetGateLeavesOfEveryHead) {
  const std::string kept = view->kept();
  view = make_memory_view();
  view->restore("decayed " + kept.substr(kept.find(' ') + 1));
  EXPECT_TRUE(view->kept().starts_with("decayed "));
  draw({900, 520});
  const MemoryImage& image = *snapshot.memory;
  const auto size = static_cast<std::size_t>(image.key_dim * image.value_dim);
  int heads = 0;
  for (const DrawLog::Heat& heat : stage->log.heats) {
    if (heat.values.size() != size) continue;
    const auto head = static_cast<std::size_t>(heads++);
    const float forget =
        snapshot.trace->find(image.step, "block0/mlstm/forget_gate")->at(static_cast<int>(head), 0);
    for (std::size_t i = 0; i < size; ++i)
      ASSERT_EQ(heat.values[i], forget * image.previous[head * size + i]) << head << " " << i;
  }
  EXPECT_EQ(heads, image.heads);
  EXPECT_TRUE(says("f' C₋₁, in the scale of now"));
  const Table table = view->table(stage->scene());
  const auto column = std::find(table.columns.begin(), table.columns.end(), "decayed");
  ASSERT_NE(column, table.columns.end());
  const auto at = static_cast<std::size_t>(column - table.columns.begin());
  EXPECT_EQ(std::stof(table.rows[size + 5][at]),
            recorded("forget_gate") * image.previous[size + 5]);
  // What the card says adds up to the cell.
  const Box map =
      std::find_if(stage->log.heats.begin(), stage->log.heats.end(), [](const DrawLog::Heat& heat) {
        return heat.key == "memory/1";
      })->box;
  stage->move(*view, map.min.x + 1, map.min.y + 1);
  EXPECT_TRUE(says(
      "C[0, 0], kept = " + short_number(recorded("forget_gate") * image.previous[size]), true));
  EXPECT_TRUE(says("f' C₋₁ = " + short_number(recorded("forget_gate")) + " · " +
                       short_number(image.previous[size]),
                   true));
}

TEST_F(MemoryStepDrawing, OfTheFirstTokenNothingIsDecayed) {
  auto image = std::make_shared<MemoryImage>(*snapshot.memory);
  image->step = 0;
  image->previous.assign(image->previous.size(), std::nanf(""));
  snapshot.memory = image;
  const std::string kept = view->kept();
  view = make_memory_view();
  view->restore("decayed " + kept.substr(kept.find(' ') + 1));
  draw({900, 520});
  for (const DrawLog::Heat& heat : stage->log.heats) {
    if (heat.key != "memory/1") continue;
    for (const float cell : heat.values) ASSERT_EQ(cell, 0.0f);
  }
}

TEST_F(MemoryStepDrawing, ACellSaysHowItCame) {
  draw();
  const DrawLog::Heat& after = *map(3);
  const ImVec2 at{after.box.min.x + after.box.width() * 2.5f / static_cast<float>(after.columns),
                  after.box.min.y + after.box.height() * 3.5f / static_cast<float>(after.rows)};
  stage->move(*view, at.x, at.y);
  const auto cell = static_cast<std::size_t>(3 * after.columns + 2);
  EXPECT_TRUE(says("C[3, 2] = " + short_number(map(3)->values[cell]), true));
  EXPECT_TRUE(says(short_number(recorded("forget_gate")) + " · " +
                       short_number(map(0)->values[cell]) + " + " +
                       short_number(map(2)->values[cell]),
                   true));
  const ValueRef C{"block0/mlstm/C", snapshot.memory->step, 1, static_cast<int>(cell)};
  EXPECT_EQ(stage->focus.hovered, C);
  stage->click(*view, at.x, at.y);
  EXPECT_EQ(stage->focus.pinned, C);
  const Box before = map(0)->box, written = map(2)->box;
  stage->move(*view, before.centre().x, before.centre().y);
  EXPECT_EQ(stage->focus.hovered->step, snapshot.memory->step - 1);
  stage->move(*view, written.centre().x, written.centre().y);
  EXPECT_EQ(stage->focus.hovered->path, "block0/mlstm/write");
}

TEST_F(MemoryStepDrawing, WithoutRecordingsItSaysWhatIsMissing) {
  auto trace = std::make_shared<Trace>(*snapshot.trace);
  const auto at = static_cast<std::size_t>(snapshot.memory->step);
  auto step = std::make_shared<TokenTrace>(*trace->steps[at]);
  step->values.erase("block0/mlstm/v");
  trace->steps[at] = step;
  snapshot.trace = trace;
  draw();
  EXPECT_FALSE(map(0));
  EXPECT_TRUE(says("were not recorded"));
}

}  // namespace
}  // namespace xlab::tests
