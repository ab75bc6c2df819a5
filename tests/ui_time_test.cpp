// The time bar in little room: what goes first, what goes last, and that it says so.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/number.hpp"
#include "ui/view.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

bool written(const DrawLog& log, const std::string& words) {
  return std::any_of(log.texts.begin(), log.texts.end(),
                     [&](const DrawLog::Text& text) { return text.shown == words; });
}

bool mentioned(const DrawLog& log, const std::string& words) {
  return std::any_of(log.texts.begin(), log.texts.end(), [&](const DrawLog::Text& text) {
    return text.shown.find(words) != std::string::npos;
  });
}

/// What a picture of the time bar holds.
struct Seen {
  explicit Seen(const Stage& stage, int cursor)
      : steps(written(stage.log, std::to_string(cursor))),
        // Its highest number: words go where it is narrow.
        legend(written(stage.log, short_number(2.0 * std::log(19.0)))),
        overview(std::any_of(stage.log.heats.begin(), stage.log.heats.end(),
                             [](const DrawLog::Heat& h) { return h.key == "time/overview"; })),
        marks(written(stage.log, "✓") || written(stage.log, "prompt")),
        note(mentioned(stage.log, "no room for")),
        dots(written(stage.log, "…")) {}
  bool steps, legend, overview, marks, note, dots;
};

struct Case {
  const char* name;
  Snapshot snapshot;
  bool long_one;  ///< more steps than boxes
};

/// A prompt that the model went on from, longer than the boxes have room for.
Snapshot continued_scene() {
  SceneShape shape;
  shape.length = 87;
  shape.cursor = 80;
  Snapshot s = SceneBuilder(shape).build();
  s.sequence.expected.clear();
  s.sequence.answer_surprise.clear();
  s.sequence.prompt_length = 62;
  return s;
}

std::unique_ptr<View> time_view() {
  for (auto& view : make_views()) {
    if (view->name() == "time") return std::move(view);
  }
  return nullptr;
}

TEST(TimeRoom, AGuessAmongOneTokenIsSure) {
  Snapshot s = asking_scene();
  auto model = std::make_shared<ModelCard>(*s.model);
  model->vocabulary.resize(1);
  s.model = model;
  Stage stage(s);
  stage.size = {1280, 300};
  const auto view = time_view();
  for (int i = 0; i < 2; ++i) stage.frame(*view);
  const auto& texts = stage.log.texts;
  const auto said = std::count_if(texts.begin(), texts.end(), [](const auto& text) {
    return text.wanted.find("ln 1 = 0") != std::string::npos &&
           text.wanted.find("0.69") == std::string::npos;
  });
  EXPECT_EQ(said, 1);
}

TEST(TimeRoom, WithoutAnySurpriseBarsHaveTheirPlaceAllTheSame) {
  Snapshot s = asking_scene();
  auto model = std::make_shared<ModelCard>(*s.model);
  model->vocabulary.resize(1);
  s.model = model;
  for (float& nats : s.sequence.surprise) nats = 0.0f;
  for (float& nats : s.sequence.answer_surprise) nats = 0.0f;
  Stage stage(s);
  stage.size = {1280, 300};
  const auto view = time_view();
  for (int i = 0; i < 2; ++i) stage.frame(*view);
  ASSERT_FALSE(stage.log.fills.empty());
  for (const auto& fill : stage.log.fills)
    EXPECT_TRUE(std::isfinite(fill.box.min.y) && std::isfinite(fill.box.max.y));
  for (const auto& line : stage.log.lines)
    for (const ImVec2& point : line.points) EXPECT_TRUE(std::isfinite(point.y));
}

TEST(TimeRoom, StepNumbersAreTheLastToGoAndWhatIsGoneIsSaid) {
  const Case cases[] = {{"answers", asking_scene(), false},
                        {"continued", continued_scene(), true},
                        {"long", long_scene(), true}};
  for (const Case& one : cases) {
    for (const float scale : {1.0f, 1.5f, 2.0f}) {
      for (const float width : {460.0f, 640.0f, 1280.0f}) {
        bool had_steps = false, had_all = false;
        for (float height = 60.0f; height <= 330.0f; height += 3.0f) {
          Stage stage(one.snapshot);
          stage.size = {width * scale, height};
          stage.scale = scale;
          const auto view = time_view();
          for (int i = 0; i < 2; ++i) stage.frame(*view);
          const Seen seen(stage, one.snapshot.sequence.cursor);
          SCOPED_TRACE(std::string(one.name) + " " + std::to_string(width) + " x " +
                       std::to_string(height) + " at " + std::to_string(scale));
          EXPECT_TRUE(seen.steps || !(seen.legend || seen.overview || seen.marks))
              << "something less needed has kept the room";
          EXPECT_TRUE(seen.steps || !had_steps) << "gone where there is more room";
          EXPECT_TRUE(seen.steps || seen.note || seen.dots) << "gone without a sign";
          EXPECT_TRUE(seen.legend || seen.note || seen.dots) << "the legend is gone without a sign";
          if (one.long_one) {
            EXPECT_TRUE(seen.overview || seen.note || seen.dots)
                << "the overview is gone without a sign";
          }
          if (seen.note) {
            EXPECT_EQ(mentioned(stage.log, "step numbers"), !seen.steps);
          }
          had_steps |= seen.steps;
          had_all |= seen.steps && seen.legend && seen.overview == one.long_one && !seen.note &&
                     !seen.dots;
          if (height >= 100.0f * scale) {
            EXPECT_TRUE(seen.steps);
          }
        }
        EXPECT_TRUE(had_all) << one.name << ": with room for everything nothing is missing";
      }
    }
  }
}

TEST(TimeRoom, TheMouseFindsOutWhatIsMissing) {
  const Snapshot snapshot = continued_scene();
  Stage stage(snapshot);
  stage.size = {460, 80};
  const auto view = time_view();
  stage.frame(*view);
  for (float x = 2; x < stage.size.x; x += 4) {
    stage.move(*view, x, 16);
    if (mentioned(stage.log, "too low for")) break;
  }
  EXPECT_TRUE(mentioned(stage.log, "too low for")) << "no card tells it";
}

}  // namespace
}  // namespace xlab::tests
