// The keyboard reaches every control that a view draws, and does there what a click does.
#include "ui/stops.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/ground.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

/// What pressing something did: commands, focus, what is asked of the window, what the view keeps,
/// and the words it draws.
struct Effect {
  std::vector<std::size_t> kinds;
  std::vector<double> numbers;
  Focus focus;
  std::vector<std::string> asked;
  std::string kept;
  std::vector<std::string> words;
  bool operator==(const Effect&) const = default;
};

Effect effect_of(Stage& stage, const View& view) {
  Effect effect;
  for (const Command& command : stage.sent) {
    effect.kinds.push_back(command.index());
    if (const auto* c = std::get_if<command::TakeToken>(&command))
      effect.numbers.push_back(c->token);
    if (const auto* c = std::get_if<command::SetSampler>(&command)) {
      effect.numbers.push_back(c->settings.greedy ? 1 : 0);
      effect.numbers.push_back(static_cast<double>(c->settings.seed));
    }
  }
  effect.focus = stage.focus;
  effect.focus.hovered.reset();
  for (const Request& request : stage.asked) effect.asked.push_back(request.text);
  effect.kept = view.kept();
  for (const DrawLog::Text& text : stage.log.texts) {
    if (!text.on_top) effect.words.push_back(text.shown);
  }
  return effect;
}

/// A view on a stage of its own.
struct Shown {
  Shown(const Snapshot& snapshot, std::size_t index)
      : stage(snapshot), view(std::move(make_views()[index])) {
    stage.size = {900, 640};
    stage.focus.pinned = ValueRef{.path = "block0/mlstm/forget_gate", .step = 5};
    stage.focus.block = view->name() == "mixing" ? 1 : 0;  // the one that mixes
    stage.frame(*view);
    stage.frame(*view);
  }
  /// So many times Tab, then so many arrows.
  void go(int tabs, int arrows) {
    for (int i = 0; i < tabs; ++i) {
      stage.stops.go(true);
      stage.frame(*view);
    }
    for (int i = 0; i < arrows; ++i) {
      stage.stops.arrow(true);
      stage.frame(*view);
    }
    stage.frame(*view);
  }
  Stage stage;
  std::unique_ptr<View> view;
};

class EveryView : public ::testing::TestWithParam<std::size_t> {
 protected:
  Snapshot snapshot = clamped_scene();
};

TEST_P(EveryView, APressOfAKeyDoesWhatAClickDoes) {
  int controls = 0, groups = 0;
  for (int tabs = 1;; ++tabs) {
    bool any = false;
    for (int arrows = 0;; ++arrows) {
      Shown shown(snapshot, GetParam());
      shown.go(tabs, arrows);
      if (!shown.stage.stops.any_chosen()) break;
      const auto ring = shown.stage.stops.ring();
      ASSERT_TRUE(ring) << "the keys are at something that is not drawn";
      if (arrows > 0) {
        Shown before(snapshot, GetParam());
        before.go(tabs, arrows - 1);
        const auto last = before.stage.stops.ring();
        ASSERT_TRUE(last);
        if (last->min.x == ring->min.x && last->min.y == ring->min.y) break;
      }
      any = true;
      ++controls;
      const Box box{ring->min, ring->max};
      EXPECT_GE(box.min.x, 0.0f);
      EXPECT_GE(box.min.y, 0.0f);
      EXPECT_LE(box.max.x, shown.stage.size.x);
      EXPECT_LE(box.max.y, shown.stage.size.y);
      if (shown.stage.stops.arrows() == Arrows::turn) break;
      shown.stage.stops.press();
      shown.stage.frame(*shown.view);
      shown.stage.frame(*shown.view);
      Shown clicked(snapshot, GetParam());
      clicked.stage.click(*clicked.view, box.centre().x, box.centre().y);
      // The inspector stays as it is while the mouse is there; a token asks as long as it is.
      if (clicked.view->name() == "inspector")
        clicked.stage.move(*clicked.view, -FLT_MAX, -FLT_MAX);
      clicked.stage.frame(*clicked.view);
      EXPECT_FALSE(shown.stage.focus.hovered) << "that is the mouse's";
      const Effect by_key = effect_of(shown.stage, *shown.view),
                   by_mouse = effect_of(clicked.stage, *clicked.view);
      EXPECT_EQ(by_key, by_mouse) << shown.view->name() << ": Tab " << tabs << ", arrow " << arrows
                                  << ", at " << box.centre().x << ", " << box.centre().y;
    }
    if (!any) break;
    ++groups;
    ASSERT_LT(tabs, 60) << "Tab never leaves";
  }
  const std::string name = make_views()[GetParam()]->name();
  // So many stops, and controls at them: one that has none is missed here.
  const std::vector<std::pair<std::string, std::pair<int, int>>> expected = {
      {"time", {5, 5}},     {"gates", {6, 15}},      {"memory", {8, 16}}, {"loss", {1, 2}},
      {"next", {2, 11}},    {"inspector", {7, 12}},  {"health", {1, 1}},  {"budget", {6, 13}},
      {"map", {1, 2}},      {"stabilizer", {7, 20}}, {"mixing", {5, 10}}, {"reach", {4, 7}},
      {"findings", {2, 9}}, {"explorer", {1, 1}},
  };
  for (const auto& [view, count] : expected) {
    if (view == name) {
      EXPECT_EQ(std::pair(groups, controls), count) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Stops, EveryView, ::testing::Range<std::size_t>(0, make_views().size()),
                         [](const auto& view) { return make_views()[view.param]->name(); });

TEST(Stops, GoThereAndBack) {
  const Snapshot snapshot = clamped_scene();
  for (std::size_t index = 0; index < make_views().size(); ++index) {
    Shown shown(snapshot, index);
    std::vector<std::pair<float, float>> there, back;
    const auto note = [&](auto& places) {
      shown.stage.frame(*shown.view);
      const auto ring = shown.stage.stops.ring();
      ASSERT_TRUE(ring);
      places.emplace_back(ring->min.x, ring->min.y);
    };
    while (shown.stage.stops.go(true)) note(there);
    EXPECT_FALSE(shown.stage.stops.any_chosen());
    shown.stage.stops.go_to_last();
    while (shown.stage.stops.any_chosen()) {
      note(back);
      EXPECT_TRUE(shown.stage.stops.go(false)) << "the drawing itself comes before its controls";
    }
    EXPECT_FALSE(shown.stage.stops.go(false)) << "and before it what is not its own";
    std::reverse(back.begin(), back.end());
    EXPECT_EQ(there, back) << shown.view->name();
  }
}

TEST(Stops, ArrowsTurnASlider) {
  const Snapshot snapshot = clamped_scene();
  for (const int turns : {1, -1, 3}) {
    Stage stage(snapshot);
    stage.size = {900, 200};
    const auto view = make_time_view();
    stage.frame(*view);
    while (stage.stops.go(true)) {
      stage.frame(*view);
      if (stage.stops.arrows() == Arrows::turn) break;
    }
    ASSERT_EQ(stage.stops.arrows(), Arrows::turn);
    for (int i = 0; i < std::abs(turns); ++i) stage.stops.arrow(turns > 0);
    stage.frame(*view);
    const auto sent = stage.all<command::SetPlaySpeed>();
    ASSERT_EQ(sent.size(), 1u);
    // A notch is a twentieth of the way from 0.25 to 64, of which the logarithm is what counts.
    EXPECT_NEAR(sent.front().tokens_per_second,
                snapshot.sequence.tokens_per_second * std::pow(256.0, 0.05 * turns), 1e-9);
    stage.frame(*view);
    EXPECT_EQ(stage.all<command::SetPlaySpeed>().size(), 1u) << "a key turns it once";
  }
}

/// Tab to the next control, and a press.
void press_next(Stage& stage, View& view) {
  stage.size = {900, 200};
  stage.frame(view);
  stage.stops.go(true);
  stage.frame(view);
  stage.stops.press();
  stage.frame(view);
}

TEST(Stops, WhatCanDoNothingIsPassedOver) {
  Snapshot snapshot = clamped_scene();
  snapshot.sequence.cursor = 0;  // nothing to go back to
  Stage stage(snapshot);
  const auto view = make_time_view();
  press_next(stage, *view);
  EXPECT_EQ(stage.all<command::Rewind>().size() + stage.all<command::StepBack>().size(), 0u);
  EXPECT_EQ(stage.all<command::Play>().size(), 1u);
}

TEST(Stops, WhatWasPressedKeepsTheKeysWhenItCanDoNothingMore) {
  Snapshot snapshot = clamped_scene();
  Stage stage(snapshot);
  const auto view = make_time_view();
  press_next(stage, *view);
  ASSERT_EQ(stage.all<command::Rewind>().size(), 1u);
  snapshot.sequence.cursor = 0;
  stage.frame(*view);
  EXPECT_TRUE(stage.stops.ring()) << "it is grey now, and still has the keys";
  stage.stops.press();
  stage.frame(*view);
  stage.frame(*view);
  EXPECT_EQ(stage.sent.size(), 1u) << "there is nothing to press";
  // Play becomes Pause under the ring.
  press_next(stage, *view);
  ASSERT_EQ(stage.all<command::Play>().size(), 1u);
  snapshot.sequence.playing = true;
  stage.frame(*view);
  EXPECT_TRUE(stage.stops.ring());
  stage.stops.press();
  stage.frame(*view);
  EXPECT_EQ(stage.all<command::StopPlaying>().size(), 1u);
}

TEST(Stops, AnArrowAlwaysMovesASliderOfWholeNumbers) {
  Snapshot snapshot = clamped_scene();
  auto model = std::make_shared<ModelCard>(*snapshot.model);
  model->vocabulary = {"0", "1", "even", "odd"};
  snapshot.model = model;
  auto next = std::make_shared<NextToken>();
  next->probabilities = {0.4f, 0.3f, 0.2f, 0.1f};
  next->logits = {0.4f, 0.3f, 0.2f, 0.1f};
  snapshot.next = next;
  snapshot.sequence.sampler.greedy = false;
  snapshot.sequence.sampler.top_k = 2;
  for (const bool forward : {true, false}) {
    Stage stage(snapshot);
    stage.size = {900, 420};
    const auto view = make_next_view();
    stage.frame(*view);
    int sliders = 0;
    while (sliders < 2 && stage.stops.go(true)) {
      stage.frame(*view);
      sliders += stage.stops.arrows() == Arrows::turn ? 1 : 0;
    }
    ASSERT_EQ(sliders, 2) << "temperature, then top-k";
    stage.stops.arrow(forward);
    stage.frame(*view);
    const auto sent = stage.all<command::SetSampler>();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent.front().settings.top_k, forward ? 3 : 1);
  }
}

/// One frame with these controls; what the chosen one was told.
Stops::Keys frame_of(Stops& stops, const std::vector<std::pair<ImGuiID, ImGuiID>>& controls) {
  Stops::Keys told;
  stops.begin_frame();
  for (const auto& [id, group] : controls) {
    const Stops::Keys keys = stops.control(id, {}, Arrows::column, group);
    if (keys.chosen) told = keys;
  }
  stops.end_frame();
  return told;
}

TEST(Stops, WhatStandsBetweenTwoOfAListIsPassedByArrows) {
  Stops stops;
  const std::vector<std::pair<ImGuiID, ImGuiID>> controls = {{11, 1}, {12, 0}, {13, 1}, {14, 2}};
  frame_of(stops, controls);
  stops.go(true);
  frame_of(stops, controls);
  ASSERT_TRUE(stops.is_chosen(11));
  stops.arrow(true);
  EXPECT_TRUE(stops.is_chosen(13));
  frame_of(stops, controls);
  stops.arrow(true);
  EXPECT_TRUE(stops.is_chosen(13)) << "the last of its list";
  stops.arrow(false);
  EXPECT_TRUE(stops.is_chosen(11));
  stops.arrow(false);
  EXPECT_TRUE(stops.is_chosen(11));
}

TEST(Stops, WhatWasPressedIsPressedThoughTheKeysWentOn) {
  Stops stops;
  const std::vector<std::pair<ImGuiID, ImGuiID>> controls = {{1, 0}, {2, 0}};
  frame_of(stops, controls);
  stops.go(true);
  stops.press();
  stops.go(true);
  stops.begin_frame();
  EXPECT_TRUE(stops.control(1, {}).pressed);
  EXPECT_FALSE(stops.control(2, {}).pressed);
  stops.end_frame();
}

TEST(Stops, AKeyIsForgottenWhenItsControlIsGone) {
  Stops stops;
  const auto frame = [&](const std::vector<ImGuiID>& ids) {
    std::vector<std::pair<ImGuiID, ImGuiID>> controls;
    for (const ImGuiID id : ids) controls.emplace_back(id, 0);
    return frame_of(stops, controls);
  };
  frame({1, 2, 3});
  stops.go(true);
  stops.go(true);
  EXPECT_TRUE(frame({1, 2, 3}).arrived);
  EXPECT_FALSE(frame({1, 2, 3}).arrived);
  stops.press();
  EXPECT_FALSE(frame({1, 3}).pressed);
  EXPECT_FALSE(stops.ring());
  EXPECT_FALSE(stops.any_chosen()) << "keys are the window's where no ring is";
  EXPECT_FALSE(frame({1, 2, 3}).pressed) << "pressed before it came back";
  frame({1, 3});
  EXPECT_TRUE(stops.go(true));
  EXPECT_TRUE(stops.is_chosen(3)) << "what stands where the other was";
  frame({1, 3});
  frame({1});
  EXPECT_TRUE(stops.go(false)) << "and from there back";
  EXPECT_TRUE(stops.is_chosen(1));
}

}  // namespace
}  // namespace xlab::tests
