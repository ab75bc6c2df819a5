// Reports on the reach of a gradient for scenes, and the view that draws them on a stage.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {

/// A report that fits a scene: at its cursor, of a block and head. Head h keeps 1 / (h + 2) from
/// token to token, and other ways make that e^(0.1 (T - t)) times as much.
inline ReachReport made_reach(const Snapshot& s, int block, int head) {
  ReachReport report;
  report.run_id = s.run_id;
  report.train_step = s.train.step;
  report.block = block;
  report.head = head;
  report.step = s.sequence.cursor;
  const auto steps = static_cast<std::size_t>(report.step) + 1;
  report.tokens.assign(s.sequence.tokens.begin(),
                       s.sequence.tokens.begin() + static_cast<std::ptrdiff_t>(steps));
  for (const Clamp& clamp : s.sequence.clamps)
    if (clamp.enabled) report.clamps.push_back(clamp);
  for (const BlockCard& card : s.model->blocks) report.variants.push_back(card.variant);
  const std::size_t next = steps;
  if (next < s.sequence.expected.size() && s.sequence.expected[next] >= 0) {
    report.target = s.sequence.expected[next];
    report.target_is = ReachTarget::answer;
  } else if (next < s.sequence.tokens.size()) {
    report.target = s.sequence.tokens[next];
    report.target_is = ReachTarget::next;
  } else {
    report.target = 1;
  }
  report.loss = 1.25;
  const BlockCard& card = s.model->blocks[static_cast<std::size_t>(block)];
  report.heads = card.heads;
  report.state = card.has_matrix ? "C, n" : "c, n";
  for (int h = 0; h < card.heads; ++h) {
    for (std::size_t t = 0; t < steps; ++t) {
      const double back = static_cast<double>(steps - 1 - t);
      report.alone.push_back(-3.0 - back * std::log(h + 2.0));
      report.memory.push_back(report.alone.back() + 0.1 * back);
      report.output.push_back(-1.0 - 2.0 * back);
    }
  }
  for (std::size_t t = 0; t < steps; ++t)
    report.input.push_back(-0.5 * static_cast<double>(steps - 1 - t));
  report.outputs = report.all_outputs = card.value_dim;
  report.computed_in = "float64";
  return report;
}

inline Snapshot with_reach(Snapshot s, int block, int head) {
  s.reach = std::make_shared<const ReachReport>(made_reach(s, block, head));
  return s;
}

/// The same with everything in it that is no ordinary number.
inline Snapshot with_odd_reach(Snapshot s, int block, int head) {
  ReachReport report = made_reach(s, block, head);
  const double none = -std::numeric_limits<double>::infinity();
  const auto at = static_cast<std::size_t>(head) * report.tokens.size();
  report.memory[at] = none;
  report.memory[at + 1] = report.memory[at + 2] - 100.0;
  report.memory[at + 3] = std::nan("");
  report.input[0] = none;
  report.input[2] = std::nan("");
  s.reach = std::make_shared<const ReachReport>(std::move(report));
  return s;
}

class ReachDrawing : public ::testing::Test {
 protected:
  void draw(const Snapshot& snapshot, int block, int head, ImVec2 size = {1000, 640}) {
    scene = snapshot;
    stage = std::make_unique<Stage>(scene);
    stage->size = size;
    stage->focus.block = block;
    stage->focus.head = head;
    again();
  }
  void again() {
    stage->frame(*view);
    stage->frame(*view);
  }
  const ui::DrawLog& log() const { return stage->log; }
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
  const ui::DrawLog::Text* text(const std::string& begin) const {
    for (const ui::DrawLog::Text& t : log().texts)
      if (t.shown.starts_with(begin) && !t.on_top) return &t;
    return nullptr;
  }
  /// Curves with this look.
  std::vector<ui::DrawLog::Curve> curves(ui::Dash dash) const {
    std::vector<ui::DrawLog::Curve> found;
    for (const ui::DrawLog::Curve& curve : log().curves)
      if (curve.stroke.dash == dash) found.push_back(curve);
    return found;
  }

  Snapshot scene;
  std::unique_ptr<ui::View> view = ui::make_reach_view();
  std::unique_ptr<Stage> stage;
};

}  // namespace xlab::tests
