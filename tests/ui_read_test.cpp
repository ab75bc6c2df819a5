// A query put to a memory by hand, held against the memory and the recordings.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/number.hpp"
#include "ui/read_shown.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

constexpr int kAsked = 2;  // the head

class ReadByHand : public ::testing::Test {
 protected:
  void draw(const std::string& kept = "token") {
    view = make_read_view();
    view->restore(kept);
    stage = std::make_unique<Stage>(snapshot);
    stage->size = {760, 640};
    stage->focus.head = kAsked;
    stage->frame(*view);
    stage->frame(*view);
  }
  bool says(const std::string& words, bool on_top = false) const {
    return std::any_of(stage->log.texts.begin(), stage->log.texts.end(),
                       [&](const DrawLog::Text& text) {
                         return text.on_top == on_top && text.shown.find(words) != text.shown.npos;
                       });
  }
  std::string all() const {
    std::string words;
    for (const DrawLog::Text& text : stage->log.texts) words += text.shown + " | ";
    return words;
  }
  const BlockCard& block() const { return snapshot.model->blocks[0]; }
  std::vector<double> recorded(const char* name, int step) const {
    const Recorded* r = snapshot.trace->find(step, block().path(name));
    std::vector<double> numbers;
    for (int i = 0; i < r->dim; ++i) numbers.push_back(r->at(kAsked, i));
    return numbers;
  }
  /// The read-out written out.
  std::vector<double> read(const std::vector<double>& query) const {
    const auto K = static_cast<std::size_t>(block().key_dim),
               V = static_cast<std::size_t>(block().value_dim);
    const std::vector<double> n = recorded("n", 15);
    double overlap = 0.0;
    for (std::size_t i = 0; i < K; ++i) overlap += query[i] * n[i];
    const double N = std::max(std::abs(overlap), std::exp(-recorded("m", 15)[0])) + 1e-6;
    std::vector<double> h(V);
    for (std::size_t i = 0; i < K; ++i)
      for (std::size_t j = 0; j < V; ++j)
        h[j] += query[i] * snapshot.memory->C[(kAsked * K + i) * V + j] / N;
    return h;
  }
  std::vector<double> column(const std::string& what) const {
    std::vector<double> numbers;
    for (const auto& row : view->table(stage->scene()).rows)
      if (row[0] == what) numbers.push_back(std::stod(row[2]));
    return numbers;
  }
  /// The lane below a heading.
  Box lane_below(const std::string& heading) const {
    const DrawLog::Text* title = nullptr;
    for (const DrawLog::Text& text : stage->log.texts)
      if (!title && text.shown.starts_with(heading)) title = &text;
    Box best;
    for (const DrawLog::Outline& outline : stage->log.outlines) {
      const bool below = title && outline.box.min.y >= title->box.max.y - 2 &&
                         outline.box.width() > 200 && outline.box.height() > 20;
      if (below && (best.empty() || outline.box.min.y < best.min.y)) best = outline.box;
    }
    return best;
  }
  /// Heights of the bars in a lane as shares of half of it, from the left.
  std::vector<double> bars(const Box& lane) const {
    std::vector<double> heights;
    for (const DrawLog::Fill& fill : stage->log.fills) {
      const bool inside = fill.box.min.y >= lane.min.y - 1 && fill.box.max.y <= lane.max.y + 1 &&
                          fill.box.min.x >= lane.min.x - 1 && fill.box.max.x <= lane.max.x + 1;
      if (!inside) continue;
      const double up = lane.centre().y - fill.box.min.y, down = fill.box.max.y - lane.centre().y;
      heights.push_back((up > down ? up : -down) / (lane.height() / 2));
    }
    return heights;
  }

  Snapshot snapshot = recall_scene();
  std::unique_ptr<View> view;
  std::unique_ptr<Stage> stage;
};

TEST_F(ReadByHand, TheTokensOwnQueryReadsWhatTheModelRead) {
  draw();
  const std::vector<double> h = recorded("h", 15), found = column("h");
  ASSERT_EQ(found.size(), h.size());
  for (std::size_t i = 0; i < h.size(); ++i) EXPECT_NEAR(found[i], h[i], 1e-4) << i;
  EXPECT_TRUE(says("q, the query of ‘")) << all();
  EXPECT_TRUE(says("agrees with the recorded h to")) << all();
  EXPECT_TRUE(says("h = Cᵀ q / (max(|⟨q, n⟩|, exp(−m)) + ε)")) << all();
  // The bars have these heights.
  const Box lane = lane_below("h, what comes back of head 2");
  ASSERT_FALSE(lane.empty());
  const std::vector<double> heights = bars(lane);
  ASSERT_EQ(heights.size(), h.size());
  double most = 0.0;
  for (const double x : h) most = std::max(most, std::abs(x));
  for (std::size_t i = 0; i < h.size(); ++i) EXPECT_NEAR(heights[i], h[i] / most / 1.1, 0.03) << i;
}

TEST_F(ReadByHand, AKeyIsBroughtToTheScaleOfAQuery) {
  draw("key 5");
  std::vector<double> query = recorded("k", 5);
  for (double& x : query) x *= std::sqrt(static_cast<double>(block().key_dim));
  const std::vector<double> h = read(query), found = column("h");
  ASSERT_EQ(found.size(), h.size());
  for (std::size_t i = 0; i < h.size(); ++i) EXPECT_NEAR(found[i], h[i], 1e-6) << i;
  EXPECT_TRUE(says("(t = 5)")) << all();
  EXPECT_FALSE(says("agrees with"));
  // The closest are those with the largest cosines.
  const std::vector<double> cosines = column("cosine");
  ASSERT_EQ(cosines.size(), 16u);
  const auto best = std::max_element(cosines.begin(), cosines.end());
  EXPECT_TRUE(says("(t = " + std::to_string(best - cosines.begin()) + ") " + short_number(*best)))
      << all();
}

TEST_F(ReadByHand, AClickOnATokenAsksWithItsKey) {
  draw();
  const Box lane = lane_below("Cosine");
  ASSERT_FALSE(lane.empty()) << all();
  stage->click(*view, lane.min.x + 3.5f * lane.width() / 17, lane.centre().y);
  EXPECT_EQ(view->kept(), "key 3");
  EXPECT_TRUE(says("(t = 3)")) << all();
  stage->click(*view, lane.min.x + 16.5f * lane.width() / 17, lane.centre().y);
  EXPECT_EQ(view->kept(), "key 3") << "what comes after the cursor is not stored";
  EXPECT_TRUE(stage->sent.empty()) << "it changes nothing in the model";
}

TEST_F(ReadByHand, ABarIsDragged) {
  draw("hand 0 0 0 0 0 0 0 0 0 0 0 1");
  EXPECT_TRUE(says("by hand: drag")) << all();
  const Box lane = lane_below("q, by hand");
  ASSERT_FALSE(lane.empty());
  const float x = lane.min.x + 4.5f * lane.width() / 12;
  stage->move(*view, x, lane.centre().y);
  stage->button(*view, true);
  stage->move(*view, x, lane.min.y + lane.height() / 4);
  stage->button(*view, false);
  stage->frame(*view);
  const std::vector<double> query = column("q");
  ASSERT_EQ(query.size(), 12u);
  EXPECT_NEAR(query[4], 0.55, 0.02) << "half of 1.1, the end of the axis";
  EXPECT_EQ(query[11], 1.0);
  EXPECT_EQ(query[0], 0.0);
  const std::vector<double> h = read(query), found = column("h");
  for (std::size_t i = 0; i < h.size(); ++i) EXPECT_NEAR(found[i], h[i], 1e-6) << i;
  // It is kept with the run, to the last bit.
  const std::string kept = view->kept();
  EXPECT_TRUE(kept.starts_with("hand 0 0 0 0 0.5"));
  HandQuery again;
  ASSERT_TRUE(again.restore(kept));
  EXPECT_EQ(again.kept(), kept);
}

TEST_F(ReadByHand, TheLampOfTheFloor) {
  // Far along n the overlap decides; a tiny query is below any floor.
  std::string large = "hand", tiny = "hand";
  for (const double x : recorded("n", 15)) {
    large += " " + std::to_string(x * 1e4);
    tiny += " " + std::to_string(x * 1e-3);
  }
  draw(large);
  const ImU32 warning = stage->scene().palette.warning;
  const auto lamp = [&] {
    return std::any_of(stage->log.circles.begin(), stage->log.circles.end(),
                       [&](const DrawLog::Circle& circle) { return circle.colour == warning; });
  };
  EXPECT_TRUE(says("divided by |⟨q, n⟩|")) << all();
  EXPECT_FALSE(lamp());
  draw(tiny);
  EXPECT_TRUE(says("divided by the floor: shrunk")) << all();
  EXPECT_TRUE(lamp());
}

TEST_F(ReadByHand, TheFormulaIsThatOfTheVariant) {
  BlockCard card = block();
  card.variant.denominator_floor = DenominatorFloor::one;
  EXPECT_EQ(reading_formula(card), "h = Cᵀ q / (max(|⟨q, n⟩|, 1) + ε)");
  card.variant.normalizer = false;
  EXPECT_EQ(reading_formula(card), "h = Cᵀ q");
  card.variant.denominator_floor = DenominatorFloor::stabilizer;
  EXPECT_EQ(reading_formula(card), "h = Cᵀ q / exp(−m)");
}

TEST_F(ReadByHand, WhatIsNoneOfItsTextsChangesNothing) {
  HandQuery query;
  ASSERT_TRUE(query.restore("key 7"));
  for (const char* odd :
       {"", "key", "key -1", "key x", "hand 1 nan", "hand 1 x", "hand 1e99", "hand", "all"})
    EXPECT_FALSE(query.restore(odd)) << odd;
  EXPECT_EQ(query.kept(), "key 7");
  // A drawn query of another width is not taken, and that is said.
  draw("hand 1 2 3");
  EXPECT_TRUE(says("another width")) << all();
  EXPECT_EQ(column("q"), recorded("q", 15));
}

TEST_F(ReadByHand, ABlockOfUnitsSaysWhyThereIsNothing) {
  draw();
  stage->focus.block = 1;
  stage->frame(*view);
  EXPECT_TRUE(says("is not asked by")) << all();
}

}  // namespace
}  // namespace xlab::tests
