// What other runs that read the sequence on screen expect, held against their own numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/short_number.hpp"
#include "tests/legibility.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/follower_marks.hpp"
#include "ui/next_token.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

class Followers : public ::testing::Test {
 protected:
  Followers() { stage_.size = {515, 420}; }
  void draw() {
    stage_.frame(*view_);
    stage_.frame(*view_);
  }
  const std::vector<float>& probabilities(std::size_t follower) const {
    return s_.followers[follower]->next->probabilities;
  }
  ImU32 colour_of(std::size_t run) const {
    return run_style(stage_.scene().palette, s_.runs[run]->colour).colour;
  }
  /// Centres of the marks in this colour, from the top; the last is the one beside the name.
  std::vector<ImVec2> marks(ImU32 colour) const {
    std::vector<ImVec2> found;
    for (const DrawLog::Fill& fill : stage_.log.fills) {
      if (fill.colour == colour) found.push_back(fill.box.centre());
    }
    std::ranges::sort(found, {}, &ImVec2::y);
    return found;
  }
  const DrawLog::Text* text(const std::string& words) const {
    for (const DrawLog::Text& t : stage_.log.texts) {
      if (t.shown == words) return &t;
    }
    return nullptr;
  }
  /// The tokens of the rows, from the top.
  std::vector<std::size_t> listed() const {
    std::vector<std::size_t> tokens;
    for (const auto& row : view_->table(stage_.scene()).rows) {
      if (tokens.size() < 10) tokens.push_back(static_cast<std::size_t>(std::stoi(row[1])));
    }
    const int answer = expected_next(s_.sequence);
    const bool there = std::ranges::any_of(
        tokens, [&](std::size_t token) { return static_cast<int>(token) == answer; });
    if (answer >= 0 && !there) tokens.back() = static_cast<std::size_t>(answer);
    return tokens;
  }

  Snapshot s_ = followed_scene();
  mutable Stage stage_{s_};
  std::unique_ptr<View> view_ = make_next_view();
};

TEST_F(Followers, EachHasItsMarkAtItsOwnProbabilityInItsOwnColour) {
  draw();
  const std::vector<std::size_t> tokens = listed();
  ASSERT_EQ(tokens.size(), 10u);
  ASSERT_NE(tokens.front(), tokens.back());
  // Where 0 and 1 stand, from the grid.
  float zero = std::numeric_limits<float>::max(), one = 0;
  for (const DrawLog::Line& line : stage_.log.lines) {
    const bool upright = line.points.size() == 2 && line.points[0].x == line.points[1].x;
    if (!upright || line.stroke.colour != stage_.scene().palette.grid) continue;
    zero = std::min(zero, line.points[0].x);
    one = std::max(one, line.points[0].x);
  }
  ASSERT_GT(one, zero + 100);
  const std::size_t runs[] = {0, 2, 4}, followers[] = {0, 1, 3};
  std::vector<float> first_row;
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<ImVec2> found = marks(colour_of(runs[i]));
    ASSERT_EQ(found.size(), 11u) << "ten rows and the legend";
    for (std::size_t row = 0; row < 10; ++row) {
      const float p = probabilities(followers[i])[tokens[row]];
      EXPECT_NEAR(found[row].x, zero + p * (one - zero), 1.5f) << i << " in row " << row;
    }
    first_row.push_back(found.front().y);
  }
  const auto* name = text("Parity");
  ASSERT_TRUE(name);
  EXPECT_LT(marks(colour_of(2)).back().x, name->box.min.x);
  EXPECT_GT(marks(colour_of(2)).back().x, name->box.min.x - 20);
  EXPECT_NEAR(marks(colour_of(2)).back().y, name->box.centre().y, 4.0f);
  EXPECT_LT(first_row[0], first_row[1]);
  EXPECT_LT(first_row[1], first_row[2]) << "none hides another";
  EXPECT_LE(marks(colour_of(3)).size(), 1u) << "it has not computed the place yet";
  for (const auto& stumble : stumbles(stage_.log)) ADD_FAILURE() << stumble;
}

TEST_F(Followers, WhatIsNoNumberHasNoMark) {
  auto next = std::make_shared<NextToken>(*s_.followers[1]->next);
  draw();
  const std::size_t token = listed()[2];
  next->probabilities[token] = std::nanf("");
  auto view = std::make_shared<FollowerView>(*s_.followers[1]);
  view->next = next;
  s_.followers[1] = view;
  draw();
  EXPECT_EQ(marks(colour_of(2)).size(), 10u);
  EXPECT_EQ(marks(colour_of(0)).size(), 11u);
}

TEST_F(Followers, TheCardTheTableAndTheInspectorHaveTheirNumbers) {
  draw();
  const std::size_t token = listed()[3];
  const auto* label = text(token_label(s_.model.get(), static_cast<int>(token)));
  ASSERT_TRUE(label);
  stage_.move(*view_, label->box.centre().x + 60, label->box.centre().y);
  const auto line = [&](std::size_t run, std::size_t follower) {
    return s_.runs[run]->name + ": " + short_number(probabilities(follower)[token]);
  };
  EXPECT_TRUE(text(line(0, 0)));
  EXPECT_TRUE(text(line(2, 1)));
  EXPECT_TRUE(text(line(4, 3)));

  const Table table = view_->table(stage_.scene());
  ASSERT_EQ(table.columns.size(), 12u);
  EXPECT_EQ(table.columns[8], "probability, Associative recall");
  EXPECT_EQ(table.columns[9], "probability, Parity");
  EXPECT_EQ(table.columns[10], "probability, " + s_.runs[3]->name);
  EXPECT_EQ(table.columns[11], "probability, " + s_.runs[4]->name);
  for (const auto& row : table.rows) {
    ASSERT_EQ(row.size(), table.columns.size());
    const auto of = static_cast<std::size_t>(std::stoi(row[1]));
    EXPECT_EQ(std::stof(row[8]), probabilities(0)[of]);
    EXPECT_EQ(std::stof(row[9]), probabilities(1)[of]);
    EXPECT_EQ(row[10], "") << "not computed yet";
    EXPECT_EQ(std::stof(row[11]), probabilities(3)[of]);
  }

  const auto card = next_card(
      s_, {.path = kNextProbability, .step = s_.sequence.cursor, .unit = static_cast<int>(token)});
  ASSERT_TRUE(card);
  const auto row = std::ranges::find(card->rows, "Parity", &NextCard::Row::label);
  ASSERT_NE(row, card->rows.end());
  EXPECT_EQ(row->text, short_number(probabilities(1)[token]));
}

TEST_F(Followers, WhereThereIsNoRoomForAllItIsSaid) {
  s_ = several_scene(9);
  for (const auto& run : s_.runs) {
    auto view = std::make_shared<FollowerView>();
    view->run = run->id;
    view->next = s_.next;
    if (run->id != s_.focused_run) s_.followers.push_back(view);
  }
  stage_.size = {640, 250};
  draw();
  std::size_t shown = 0;
  for (std::size_t run = 0; run < 8; ++run) shown += marks(colour_of(run)).empty() ? 0 : 1;
  EXPECT_GE(shown, 2u);
  EXPECT_LT(shown, 8u);
  EXPECT_TRUE(text("+" + std::to_string(8 - shown)) ||
              text("and " + std::to_string(8 - shown) + " more"));
  for (const auto& stumble : stumbles(stage_.log)) ADD_FAILURE() << stumble;
}

TEST_F(Followers, WithoutAnyNothingIsAdded) {
  s_.followers.clear();
  draw();
  for (std::size_t run = 0; run < 5; ++run) EXPECT_TRUE(marks(colour_of(run)).empty());
  EXPECT_EQ(view_->table(stage_.scene()).columns.size(), 8u);
}

TEST_F(Followers, AMarkIsTheSameWhicheverRunIsOnScreen) {
  std::map<std::string, int> shapes;
  for (const auto& run : s_.runs) {
    Snapshot other = followed_scene();
    other.followers.clear();
    for (const auto& follower : other.runs) {
      if (follower->id == run->id) continue;
      auto view = std::make_shared<FollowerView>();
      view->run = follower->id;
      other.followers.push_back(view);
    }
    other.focused_run = run->id;
    for (const Follower& follower : followers_of(other)) {
      const auto [known, fresh] = shapes.try_emplace(follower.name, follower.shape);
      EXPECT_EQ(known->second, follower.shape) << follower.name << " beside " << run->name;
    }
  }
  EXPECT_EQ(shapes.size(), s_.runs.size());
}

}  // namespace
}  // namespace xlab::tests
