// The write budget on a stage, and what of its drawing tests look for.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/analysis/write_shares.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/budget_shown.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {

/// Draws one unit or channel of a block of a scene.
class BudgetDrawing : public ::testing::Test {
 protected:
  void draw(const Snapshot& snapshot, int block, int head, const std::string& kept,
            ImVec2 size = {900, 640}) {
    view = ui::make_budget_view();
    view->restore(kept);
    scene = snapshot;
    stage = std::make_unique<Stage>(scene);
    stage->size = size;
    stage->focus.block = block;
    stage->focus.head = head;
    stage->frame(*view);
    stage->frame(*view);
  }
  const ui::DrawLog& log() const { return stage->log; }
  const BlockCard& block(int number) const {
    return scene.model->blocks[static_cast<std::size_t>(number)];
  }
  WriteBudget budget(int number, int head, int unit, int channel = -1) {
    ui::BudgetShown shown;
    shown.use(scene, block(number), {head, unit, channel});
    return shown.budget().value();
  }
  WritingCell cell(int number) const { return *writing_cell(block(number)); }
  std::string all() const {
    std::string words;
    for (const ui::DrawLog::Text& t : log().texts) words += t.shown + "\n";
    return words;
  }
  bool says(const std::string& words) const { return all().find(words) != std::string::npos; }
  std::string card() const {
    std::string words;
    for (const ui::DrawLog::Text& t : log().texts)
      if (t.on_top) words += t.shown + "\n";
    return words;
  }
  /// The bar: fills in the colours of tokens at its height, from the left.
  std::vector<ui::DrawLog::Fill> bar() const {
    const ui::DrawLog::Text* title = text("what ");
    std::vector<ui::DrawLog::Fill> parts;
    for (const ui::DrawLog::Fill& fill : log().fills) {
      const float from = title ? fill.box.min.y - title->box.max.y : -1.0f;
      const bool at_bar =
          from >= 0.0f && from < 12.0f && fill.box.height() > 24.0f && fill.box.height() < 36.0f;
      if (at_bar && fill.colour != stage->scene().palette.control) parts.push_back(fill);
    }
    std::sort(parts.begin(), parts.end(),
              [](const auto& a, const auto& b) { return a.box.min.x < b.box.min.x; });
    return parts;
  }
  /// The first text that begins so.
  const ui::DrawLog::Text* text(const std::string& begin) const {
    for (const ui::DrawLog::Text& t : log().texts)
      if (t.shown.starts_with(begin) && !t.on_top) return &t;
    return nullptr;
  }
  const ui::DrawLog::Heat* layers() const {
    for (const ui::DrawLog::Heat& heat : log().heats)
      if (heat.key == "budget/layers") return &heat;
    return nullptr;
  }

  Snapshot scene;
  std::unique_ptr<ui::View> view;
  std::unique_ptr<Stage> stage;
};

}  // namespace xlab::tests
