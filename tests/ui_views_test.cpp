// Every view over many snapshots and sizes, and what each does when the mouse acts on it.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "core/analysis/cell_writers.hpp"
#include "tests/reach_drawing.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

struct NamedScene {
  const char* name;
  Snapshot snapshot;
};

const std::vector<NamedScene>& scenes() {
  static const std::vector<NamedScene> list = [] {
    std::vector<NamedScene> made = {{"empty", Snapshot{}},
                                    {"silent", silent_scene()},
                                    {"recall", recall_scene()},
                                    {"clamped", clamped_scene()},
                                    {"one token", one_token_scene()},
                                    {"tiny", tiny_scene()},
                                    {"text", text_scene()},
                                    {"broken", broken_scene()},
                                    {"long", long_scene()},
                                    {"wide", wide_scene()},
                                    {"lstm", lstm_scene()},
                                    {"gradient", with_reach(recall_scene(), 0, 1)},
                                    {"odd gradient", with_odd_reach(recall_scene(), 1, 0)}};
    // A model before its tokens came, tokens before their recordings, an odd cursor.
    Snapshot half = recall_scene();
    half.trace = nullptr;
    half.memory = nullptr;
    half.next = nullptr;
    half.sequence.surprise.clear();
    half.sequence.expected.clear();
    made.push_back({"tokens only", half});
    Snapshot late = recall_scene();
    late.sequence.cursor = 400;
    late.sequence.prompt_length = 900;
    late.sequence.expected = {3};
    made.push_back({"cursor beyond the end", late});
    Snapshot bare = recall_scene();
    auto model = std::make_shared<ModelCard>();
    bare.model = model;
    made.push_back({"no blocks", bare});
    Snapshot strange = recall_scene();
    auto cell = std::make_shared<ModelCard>(*strange.model);
    cell->blocks[0].kind = "gru";
    cell->blocks[0].title = "GRU";
    strange.model = cell;
    made.push_back({"unknown cell", strange});
    return made;
  }();
  return list;
}

const char* kNames[] = {"time",   "gates",    "memory",     "loss",   "next",    "inspector",
                        "health", "faces",    "stabilizer", "budget", "map",     "mixing",
                        "reach",  "findings", "fill",       "read",   "explorer"};

std::unique_ptr<View> view_named(const std::string& name) {
  for (auto& view : make_views()) {
    if (view->name() == name) return std::move(view);
  }
  ADD_FAILURE() << "There is no view \"" << name << "\".";
  return nullptr;
}

TEST(Views, AreListedInTheOrderOfTheMenu) {
  const auto views = make_views();
  ASSERT_EQ(views.size(), std::size(kNames));
  std::set<std::string> titles;
  for (std::size_t i = 0; i < views.size(); ++i) {
    EXPECT_EQ(views[i]->name(), kNames[i]);
    EXPECT_EQ(views[i]->name().find(' '), std::string::npos);
    titles.insert(views[i]->title());
    EXPECT_GT(views[i]->minimum_size().x, 0.0f);
  }
  EXPECT_EQ(titles.size(), views.size());
}

TEST(Views, DrawEverySceneAtEverySize) {
  const ImVec2 sizes[] = {{20, 20}, {60, 300}, {300, 60}, {120, 90}, {420, 200}, {900, 500}};
  for (const NamedScene& scene : scenes()) {
    Stage stage(scene.snapshot);
    for (const char* name : kNames) {
      const auto view = view_named(name);
      for (const ImVec2 size : sizes) {
        for (const float scale : {1.0f, 1.5f, 2.5f}) {
          for (const PaletteName palette : {PaletteName::light, PaletteName::dark}) {
            SCOPED_TRACE(std::string(name) + ", " + scene.name + ", " + std::to_string(size.x) +
                         " x " + std::to_string(size.y) + " at " + std::to_string(scale));
            stage.size = size;
            stage.scale = scale;
            stage.palette = palette;
            for (const int block : {0, 1}) {
              stage.focus.block = block;
              stage.frame(*view);
              ASSERT_TRUE(stage.finite());
            }
            if (size.x >= 400) {
              EXPECT_GT(stage.vertices(), 60) << "an empty panel";
            }
          }
        }
      }
    }
    EXPECT_EQ(stage.images.wrong, 0);
    EXPECT_TRUE(stage.sent.empty()) << scene.name << ": without a mouse a view asks for nothing";
  }
}

TEST(Views, EveryTableHasRowsAndAllOfTheirColumns) {
  Snapshot s = recall_scene();
  auto report = std::make_shared<HealthReport>();
  report->checks = {{"Step by step = whole sequence", 3e-7, 1e-4, true, "Logits of 48 tokens."}};
  s.health = report;
  s = with_reach(s, 0, 0);
  Stage stage(s);
  stage.focus.pinned = ValueRef{"block0/mlstm/C", 15, 1, 37};
  for (const char* name : kNames) {
    const auto view = view_named(name);
    if (view->name() == "explorer") continue;  // of a run of its own: tests/ui_explorer_test.cpp
    stage.focus.block = view->name() == "mixing" ? 1 : 0;  // the one that mixes
    stage.frame(*view);
    const Table table = view->table(stage.scene());
    EXPECT_FALSE(table.rows.empty()) << name;
    for (const auto& row : table.rows) ASSERT_EQ(row.size(), table.columns.size()) << name;
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      EXPECT_FALSE(table.columns[column].empty()) << name;
    }
  }
}

TEST(Views, SurviveAFocusOnWhatIsNotThere) {
  const ValueRef odd[] = {{"", 0, 0, 0},
                          {"block0/mlstm/m", -5, -1, -1},
                          {"block0/mlstm/forget_gate", 100000, 99, 99},
                          {"block0/mlstm/C", 3, 7, 100000},
                          {"block0/mlstm/C", 3, 0, -2},
                          {"block9/mlstm/n", 3, 0, 0},
                          {"block1/slstm/c", 3, 1, 4000},
                          {"C", 15, 0, 3},
                          {"nonsense", 2, 0, 0}};
  for (const NamedScene& scene : scenes()) {
    if (std::string(scene.name) == "wide" || std::string(scene.name) == "long") continue;
    Stage stage(scene.snapshot);
    for (const char* name : kNames) {
      const auto view = view_named(name);
      for (const ValueRef& ref : odd) {
        for (const int block : {-3, 0, 1, 77}) {
          stage.focus = {};
          stage.focus.block = block;
          stage.focus.head = block;
          stage.focus.hovered = ref;
          stage.focus.pinned = ref;
          stage.frame(*view);
          stage.focus.hovered.reset();
          stage.frame(*view);
          EXPECT_TRUE(stage.finite());
          view->table(stage.scene());
        }
      }
    }
  }
}

TEST(Views, SurviveAMouseEverywhere) {
  for (const NamedScene& scene : scenes()) {
    const std::string what = scene.name;
    if (what == "wide" || what == "long") continue;
    for (const char* name : kNames) {
      for (const int block : {0, 1}) {
        SCOPED_TRACE(std::string(name) + ", " + what);
        const auto view = view_named(name);
        Stage stage(scene.snapshot);
        stage.size = {480, 330};
        stage.focus.block = block;
        for (float y = 5; y < stage.size.y; y += 29) {
          for (float x = 5; x < stage.size.x; x += 53) {
            stage.move(*view, x, y);
            stage.button(*view, true);
            stage.move(*view, x + 9, y - 17);
            stage.wheel(*view, -1.0f);
            stage.button(*view, false);
            ASSERT_TRUE(stage.finite());
          }
        }
        for (const auto& set : stage.all<command::SetClamp>()) {
          EXPECT_TRUE(std::isfinite(set.clamp.value));
          EXPECT_TRUE(set.clamp.path.ends_with("_pre"));
          EXPECT_LT(set.clamp.begin, set.clamp.end);
        }
        const int tokens = static_cast<int>(scene.snapshot.sequence.tokens.size());
        for (const auto& set : stage.all<command::SetCursor>()) {
          EXPECT_GE(set.step, 0);
          EXPECT_LT(set.step, tokens);
        }
        stage.move(*view, -FLT_MAX, -FLT_MAX);
        EXPECT_FALSE(stage.focus.hovered) << "the hover ends when the mouse leaves";
      }
    }
  }
}

// -- Time
// ------------------------------------------------------------------------------------------

TEST(TimeView, ClickingATokenMovesTheCursor) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  stage.size = {640, 200};
  const auto view = view_named("time");
  std::set<int> steps;
  int last = -1;
  for (float x = 82; x < 632; x += 6) {
    stage.click(*view, x, 62);
    const auto moves = stage.all<command::SetCursor>();
    if (moves.empty()) continue;
    EXPECT_GE(moves.back().step, last) << "from left to right";
    last = moves.back().step;
    steps.insert(last);
  }
  // The cursor's own token moves nothing.
  EXPECT_EQ(steps.size(), s.sequence.tokens.size() - 1);
  EXPECT_EQ(steps.count(s.sequence.cursor), 0u);
}

TEST(TimeView, DraggingScrubs) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  stage.size = {640, 200};
  const auto view = view_named("time");
  stage.move(*view, 100, 62);
  stage.button(*view, true);
  const auto first = stage.all<command::SetCursor>();
  ASSERT_EQ(first.size(), 1u);
  stage.frame(*view);
  stage.frame(*view);
  EXPECT_EQ(stage.all<command::SetCursor>().size(), 1u) << "nothing is sent while nothing moves";
  stage.move(*view, 300, 62);
  stage.button(*view, false);
  const auto all = stage.all<command::SetCursor>();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_GT(all[1].step, all[0].step);
}

TEST(TimeView, ButtonsSendWhatTheySay) {
  Snapshot s = recall_scene();
  const auto kinds = [&] {
    Stage stage(s);
    stage.size = {700, 160};
    const auto view = view_named("time");
    std::set<std::size_t> found;
    for (float x = 10; x < 380; x += 10) stage.click(*view, x, 16);
    for (const Command& c : stage.sent) found.insert(c.index());
    return found;
  };
  const auto index = [](Command c) { return c.index(); };
  EXPECT_EQ(kinds(), (std::set<std::size_t>{index(command::Rewind{}), index(command::StepBack{}),
                                            index(command::Play{}), index(command::StepForward{}),
                                            index(command::SetPlaySpeed{})}));
  s.sequence.playing = true;
  EXPECT_TRUE(kinds().count(index(command::StopPlaying{})));
  // At the end of a full sequence there is nothing to play or step to, and the reason is said.
  s.sequence.playing = false;
  s.sequence.cursor = 16;
  s.sequence.full_reason = "The sequence is full.";
  const auto full = kinds();
  EXPECT_FALSE(full.count(index(command::Play{})));
  EXPECT_FALSE(full.count(index(command::StepForward{})));
  EXPECT_TRUE(full.count(index(command::StepBack{})));
}

// -- Gates
// -----------------------------------------------------------------------------------------

/// The place of a value in the gates view, and the upper and lower end of its lane.
struct LanePlace {
  float x = 0, top = 0, bottom = 0;
};
LanePlace lane_of(Stage& stage, View& view, const std::string& path, int step) {
  const auto hovers = [&](float x, float y) {
    stage.move(view, x, y);
    return stage.focus.hovered && stage.focus.hovered->path == path &&
           stage.focus.hovered->head == stage.focus.head;
  };
  float x = 0, y = 0;
  // Down the middle to the lane, then along it to the step.
  while (y < stage.size.y && !hovers(stage.size.x / 2, y)) y += 8;
  while (x < stage.size.x && !(hovers(x, y) && stage.focus.hovered->step == step)) x += 7;
  if (x >= stage.size.x || y >= stage.size.y) {
    ADD_FAILURE() << "Nothing on screen is " << path << " at " << step;
    return {};
  }
  const auto inside = [&](float at) {
    stage.move(view, x, at);
    return stage.focus.hovered && stage.focus.hovered->path == path;
  };
  // ImGui takes whole pixels, so the lane goes from the first to behind the last one inside.
  LanePlace place{x, y, y};
  while (inside(place.top - 1)) --place.top;
  while (inside(place.bottom)) ++place.bottom;
  return place;
}

constexpr const char* kForgetPre = "block0/mlstm/forget_gate_pre";

TEST(GatesView, DraggingTheForgetGateHoldsItThere) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  stage.size = {640, 420};
  const auto view = view_named("gates");
  const LanePlace lane = lane_of(stage, *view, kForgetPre, 9);
  ASSERT_GT(lane.bottom, lane.top + 20);
  // All recorded values lie within ±6, so the axis is −6..6 and 6 % of room at both ends.
  const double high = 6.72, low = -6.72;
  for (const float share : {0.2f, 0.5f, 0.85f}) {
    stage.sent.clear();
    const float to = std::floor(lane.top + (lane.bottom - lane.top) * share);
    stage.move(*view, lane.x, lane.top + 3);
    stage.button(*view, true);
    EXPECT_TRUE(stage.sent.empty()) << "pressing alone changes nothing";
    stage.move(*view, lane.x, to);
    const auto sets = stage.all<command::SetClamp>();
    ASSERT_FALSE(sets.empty());
    const Clamp clamp = sets.back().clamp;
    EXPECT_EQ(clamp.path, kForgetPre);
    EXPECT_EQ(clamp.head, 0);
    EXPECT_EQ(clamp.unit, 0);
    EXPECT_EQ(clamp.begin, 9);
    EXPECT_EQ(clamp.end, 10);
    EXPECT_TRUE(clamp.enabled);
    const double expected = high - (high - low) * (to - lane.top) / (lane.bottom - lane.top);
    EXPECT_NEAR(clamp.value, expected, 0.16) << "half a pixel";
    const std::size_t before = stage.sent.size();
    for (int i = 0; i < 4; ++i) stage.frame(*view);
    EXPECT_EQ(stage.sent.size(), before) << "held still, nothing more is sent";
    stage.move(*view, lane.x + 70, to + 2);
    EXPECT_EQ(stage.all<command::SetClamp>().back().clamp.begin, 9)
        << "moving sideways stays at the step where the drag began";
    stage.button(*view, false);
    stage.move(*view, lane.x, lane.top + 3);
    const std::size_t after = stage.sent.size();
    stage.move(*view, lane.x, to);
    EXPECT_EQ(stage.sent.size(), after) << "after the release the curve is let go";
  }
}

TEST(GatesView, DraggingWithShiftHoldsAllSteps) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  const auto view = view_named("gates");
  const LanePlace lane = lane_of(stage, *view, kForgetPre, 4);
  stage.shift(true);
  stage.move(*view, lane.x, lane.top + 3);
  stage.button(*view, true);
  stage.move(*view, lane.x, lane.bottom - 3);
  stage.shift(false);
  stage.button(*view, false);
  const auto sets = stage.all<command::SetClamp>();
  ASSERT_FALSE(sets.empty());
  EXPECT_EQ(sets.back().clamp.begin, 0);
  EXPECT_EQ(sets.back().clamp.end, s.model->context_length);
}

TEST(GatesView, ClickingPinsAndHoldsNothing) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  const auto view = view_named("gates");
  const LanePlace lane = lane_of(stage, *view, kForgetPre, 9);
  stage.click(*view, lane.x, lane.top + 5);
  EXPECT_TRUE(stage.all<command::SetClamp>().empty());
  EXPECT_EQ(stage.focus.pinned, (ValueRef{kForgetPre, 9, 0, 0}));
}

TEST(GatesView, AnExistingClampIsMovedWithItsWholeRange) {
  const Snapshot s = SceneBuilder({}).build({{kForgetPre, 0, 0, 3, 12, 1.0f}});
  Stage stage(s);
  const auto view = view_named("gates");
  const LanePlace lane = lane_of(stage, *view, kForgetPre, 5);
  stage.move(*view, lane.x, lane.top + 3);
  stage.button(*view, true);
  stage.move(*view, lane.x, lane.bottom - 3);
  const auto sets = stage.all<command::SetClamp>();
  ASSERT_FALSE(sets.empty());
  EXPECT_EQ(sets.back().clamp.begin, 3);
  EXPECT_EQ(sets.back().clamp.end, 12);
}

TEST(GatesView, AClampCanBeTakenAway) {
  const Snapshot s = clamped_scene();
  Stage stage(s);
  const auto view = view_named("gates");
  const LanePlace lane = lane_of(stage, *view, kForgetPre, 9);
  for (float y = lane.top - 4; y < lane.bottom + 4 && stage.all<command::RemoveClamp>().empty();
       y += 3) {
    for (float x = lane.x - 20; x < lane.x + 32; x += 4) {
      stage.focus.head = 0;  // a click next to another head's curve chooses that head
      stage.click(*view, x, y);
    }
  }
  ASSERT_FALSE(stage.all<command::RemoveClamp>().empty());
  EXPECT_EQ(stage.all<command::RemoveClamp>().front().index, 0);
  EXPECT_TRUE(stage.all<command::SetClamp>().empty());
  for (float x = 500; x < 635; x += 10) stage.click(*view, x, 17);
  EXPECT_FALSE(stage.all<command::ClearClamps>().empty());
}

TEST(GatesView, EveryPreActivationOfAScalarCellCanBeHeld) {
  const Snapshot s = recall_scene();
  std::set<std::string> held;
  Stage stage(s);
  stage.size = {640, 1400};
  stage.focus.block = 1;
  const auto view = view_named("gates");
  for (const char* name :
       {"input_gate_pre", "forget_gate_pre", "cell_input_pre", "output_gate_pre"}) {
    const LanePlace lane = lane_of(stage, *view, std::string("block1/slstm/") + name, 6);
    stage.move(*view, lane.x, (lane.top + lane.bottom) / 2);
    stage.button(*view, true);
    stage.move(*view, lane.x, lane.top + 4);
    stage.button(*view, false);
    const auto sets = stage.all<command::SetClamp>();
    ASSERT_FALSE(sets.empty()) << name;
    held.insert(sets.back().clamp.path);
    EXPECT_EQ(sets.back().clamp.unit, 0);
  }
  EXPECT_EQ(held.size(), 4u);
}

TEST(GatesView, AUnitIsChosenInTheStripAndHeldInTheCurve) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  stage.size = {640, 1400};
  stage.focus.block = 1;
  const auto view = view_named("gates");
  const auto strip = stage.find(
      *view,
      [](const ValueRef& ref) {
        return ref.path == "block1/slstm/input_gate" && ref.unit == 7 && ref.step == 3;
      },
      31, 2);
  ASSERT_TRUE(strip);
  stage.click(*view, strip->x, strip->y);
  ASSERT_TRUE(stage.focus.pinned);
  EXPECT_EQ(stage.focus.pinned->unit, 7);
  const LanePlace lane = lane_of(stage, *view, "block1/slstm/input_gate_pre", 6);
  stage.move(*view, lane.x, lane.top + 5);
  stage.button(*view, true);
  stage.move(*view, lane.x, lane.bottom - 5);
  ASSERT_FALSE(stage.all<command::SetClamp>().empty());
  EXPECT_EQ(stage.all<command::SetClamp>().back().clamp.unit, 7);
}

TEST(GatesView, TheOutputGateOfAMatrixCellCannotBeHeld) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  stage.size = {640, 700};
  const auto view = view_named("gates");
  const auto at = stage.find(
      *view, [](const ValueRef& ref) { return ref.path == "block0/mlstm/output_gate_pre"; }, 45, 5);
  ASSERT_TRUE(at);
  stage.button(*view, true);
  stage.move(*view, at->x, at->y - 15);
  stage.button(*view, false);
  EXPECT_TRUE(stage.sent.empty());
}

TEST(GatesView, MovesOnlyWhileTheHintIsThere) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  const auto view = view_named("gates");
  EXPECT_FALSE(view->animating(stage.scene()));
  stage.frame(*view);
  const int before = stage.vertices();
  stage.focus.hint_target = kForgetPre;
  stage.focus.hint = "Drag me: make it forget.";
  EXPECT_TRUE(view->animating(stage.scene()));
  stage.frame(*view);
  EXPECT_GT(stage.vertices(), before + 100) << "ring, bubble and words";
  stage.focus.hint_target = "block0/mlstm/forget_gate";
  stage.frame(*view);
  EXPECT_GT(stage.vertices(), before + 100) << "the gate's own path will do as well";
  stage.focus.block = 1;
  EXPECT_FALSE(view->animating(stage.scene())) << "the hint is about another block";
}

TEST(GatesView, ChoosingABlockPutsItInFocusAndLeavesTheTellingToTheWindow) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  const auto view = view_named("gates");
  for (float x = 120; x < 200; x += 8) stage.click(*view, x, 17);
  EXPECT_EQ(stage.focus.block, 1);
  EXPECT_TRUE(stage.all<command::Focus>().empty()) << "the engine would be told twice";
}

// -- Memory
// ----------------------------------------------------------------------------------------

TEST(MemoryView, HoveringFindsEveryCorner) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  stage.size = {560, 340};
  const auto view = view_named("memory");
  for (const int unit : {0, 19, 220, 239}) {
    for (const int head : {0, 1, 2}) {
      const auto at = stage.find(
          *view,
          [&](const ValueRef& ref) {
            return ref.path == "block0/mlstm/C" && ref.unit == unit && ref.head == head;
          },
          3, 3);
      ASSERT_TRUE(at) << unit << " of head " << head;
      EXPECT_EQ(stage.focus.hovered->step, s.sequence.cursor);
    }
  }
  ASSERT_TRUE(stage.focus.hovered);
  stage.button(*view, true);
  stage.button(*view, false);
  EXPECT_EQ(stage.focus.pinned, (ValueRef{"block0/mlstm/C", 15, 2, 239}));
  EXPECT_EQ(stage.focus.head, 2);
  EXPECT_TRUE(stage.find(
      *view, [](const ValueRef& ref) { return ref.path == "block0/mlstm/n" && ref.unit == 11; }, 4,
      6))
      << "the strip of n";
}

TEST(MemoryView, ACellNamesTheTokensThatWroteIt) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  stage.size = {560, 340};
  const auto view = view_named("memory");
  const auto at = stage.find(
      *view,
      [](const ValueRef& ref) {
        return ref.path == "block0/mlstm/C" && ref.unit == 45 && ref.head == 1;
      },
      3, 3);
  ASSERT_TRUE(at);
  const CellWriters writers =
      cell_writers(*s.trace, s.model->blocks[0], s.sequence.cursor, 1, 45 / 20, 45 % 20, 5);
  ASSERT_EQ(writers.largest.size(), 5u);
  std::string card;
  for (const DrawLog::Text& text : stage.log.texts)
    if (text.on_top) card += text.shown + "\n";
  for (const CellWriter& one : writers.largest)
    EXPECT_NE(card.find("t = " + std::to_string(one.step) + " "), card.npos) << card;
  EXPECT_NE(card.find(": " + short_number(writers.largest[0].amount) + "\n"), card.npos) << card;
  EXPECT_NE(card.find("11 others: " + short_number(writers.rest)), card.npos) << card;
}

TEST(MemoryView, WaitsForTheMemoryOfAnotherBlockAndLeavesTheAskingToTheWindow) {
  Snapshot s = recall_scene();
  auto memory = std::make_shared<MemoryImage>(*s.memory);
  memory->block = 1;
  s.memory = memory;
  Stage stage(s);
  const auto view = view_named("memory");
  for (int i = 0; i < 5; ++i) stage.frame(*view);
  EXPECT_TRUE(stage.sent.empty());
  EXPECT_TRUE(stage.log.heats.empty()) << "the memory of another block is not this one's";
  EXPECT_TRUE(
      std::any_of(stage.log.texts.begin(), stage.log.texts.end(), [](const DrawLog::Text& text) {
        return text.shown.find("on its way") != std::string::npos;
      }));
}

TEST(MemoryView, ChoosingABlockPutsItInFocusAndLeavesTheTellingToTheWindow) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  const auto view = view_named("memory");
  for (float x = 120; x < 200; x += 8) stage.click(*view, x, 17);
  EXPECT_EQ(stage.focus.block, 1);
  EXPECT_TRUE(stage.all<command::Focus>().empty()) << "the engine would be told twice";
}

TEST(MemoryView, TheTableHasTheSameNumbers) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  const auto view = view_named("memory");
  const Table table = view->table(stage.scene());
  ASSERT_EQ(table.rows.size(), s.memory->C.size());
  const auto at = [&](const char* name, int head, int unit) {
    return s.trace->find(15, std::string("block0/mlstm/") + name)->at(head, unit);
  };
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    EXPECT_EQ(std::strtof(row[4].c_str(), nullptr), s.memory->C[i]);
    const int head = std::atoi(row[1].c_str()), key = std::atoi(row[2].c_str());
    const int value = std::atoi(row[3].c_str());
    EXPECT_EQ(row[0], "15");
    EXPECT_EQ((head * 12 + key) * 20 + value, static_cast<int>(i));
    EXPECT_EQ(std::strtof(row[5].c_str(), nullptr),
              at("input_gate", head, 0) * at("k", head, key) * at("v", head, value));
    EXPECT_EQ(std::strtof(row[6].c_str(), nullptr), at("n", head, key));
  }
  stage.focus.block = 1;
  EXPECT_EQ(view->table(stage.scene()).rows.size(), 40u) << "cells of the sLSTM";
}

// -- Next
// ------------------------------------------------------------------------------------------

TEST(NextView, ClickingABarTakesItsToken) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  stage.size = {640, 300};
  const auto view = view_named("next");
  std::vector<int> taken;
  for (float y = 34; y < 250; y += 6) {
    stage.click(*view, 200, y);
    stage.click(*view, 200, y);  // the first click asks: a token follows the cursor
    for (const auto& take : stage.all<command::TakeToken>()) {
      if (taken.empty() || taken.back() != take.token) taken.push_back(take.token);
    }
    stage.sent.clear();
  }
  ASSERT_EQ(taken.size(), 10u);
  EXPECT_EQ(taken.front(), 15) << "the most probable one is on top: 7";
  for (std::size_t i = 1; i < taken.size(); ++i) {
    EXPECT_GE(s.next->probabilities[static_cast<std::size_t>(taken[i - 1])],
              s.next->probabilities[static_cast<std::size_t>(taken[i])]);
  }
}

TEST(NextView, SettingsAreSentWhenTheyChange) {
  Snapshot s = recall_scene();
  const auto sweep = [&] {
    Stage stage(s);
    stage.size = {640, 300};
    const auto view = view_named("next");
    for (float y = 30; y < 180; y += 8) {
      for (float x = 448; x < 632; x += 20) stage.click(*view, x, y);
    }
    return stage.all<command::SetSampler>();
  };
  const auto greedy = sweep();
  ASSERT_FALSE(greedy.empty());
  for (const auto& set : greedy) {
    EXPECT_EQ(set.settings.greedy, false) << "while greedy, only greedy itself can be changed";
  }
  s.sequence.sampler.greedy = false;
  bool temperature = false, top_k = false, top_p = false, seed = false;
  for (const auto& set : sweep()) {
    EXPECT_GT(set.settings.temperature, 0.0);
    EXPECT_GT(set.settings.top_p, 0.0);
    temperature |= set.settings.temperature != 1.0;
    top_k |= set.settings.top_k != 0;
    top_p |= set.settings.top_p != 1.0;
    seed |= set.settings.seed != 1;
  }
  EXPECT_TRUE(temperature && top_k && top_p && seed);
}

TEST(NextView, ClampsAddGhostsAndAFlag) {
  const Snapshot plain = recall_scene(), clamped = clamped_scene();
  ASSERT_FALSE(clamped.next->unclamped.empty());
  ASSERT_GT(clamped.next->kl_nats, 0.0);
  Stage a(plain);
  Stage b(clamped);
  a.size = b.size = {640, 300};
  const auto one = view_named("next");
  const auto two = view_named("next");
  a.frame(*one);
  b.frame(*two);
  EXPECT_GT(b.vertices(), a.vertices());
  const Table table = two->table(b.scene());
  ASSERT_EQ(table.rows.size(), clamped.next->probabilities.size());
  for (const auto& row : table.rows) {
    const auto token = static_cast<std::size_t>(std::atoi(row[1].c_str()));
    EXPECT_EQ(std::strtof(row[3].c_str(), nullptr), clamped.next->probabilities[token]);
    EXPECT_EQ(std::strtof(row[4].c_str(), nullptr), clamped.next->logits[token]);
    EXPECT_EQ(std::strtof(row[6].c_str(), nullptr), clamped.next->unclamped[token]);
  }
}

// -- Loss and inspector
// ------------------------------------------------------------------------------

TEST(LossView, AMillionStepsStayCheapToDraw) {
  Snapshot s = recall_scene();
  auto losses = std::make_shared<std::vector<LossPoint>>();
  Noise noise(3);
  for (int step = 1; step <= 1000000; ++step) {
    losses->push_back({step, static_cast<float>(1.0 + 0.5 * noise.next()), 1.0f});
  }
  s.losses = std::make_shared<const LossCurve>(*losses);
  Stage stage(s);
  const auto view = view_named("loss");
  stage.frame(*view);
  EXPECT_LT(stage.vertices(), 30000) << "at most two points for every pixel column";
}

TEST(InspectorView, KeepsTheLastValueAndLightsUpInputs) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  stage.size = {420, 480};
  const auto view = view_named("inspector");
  stage.frame(*view);
  const int alone = stage.vertices();
  const ValueRef gate{"block0/mlstm/forget_gate", 7, 0, 0};
  stage.focus.hovered = gate;
  stage.frame(*view);
  EXPECT_GT(stage.vertices(), alone + 200);
  EXPECT_EQ(view->table(stage.scene()).rows.front()[1], gate.path);
  stage.focus.hovered.reset();
  stage.frame(*view);
  EXPECT_EQ(view->table(stage.scene()).rows.front()[1], gate.path) << "the last one stays";

  const auto input = stage.find(
      *view, [](const ValueRef& ref) { return ref.path == "block0/mlstm/m" && ref.step == 6; }, 60,
      4);
  ASSERT_TRUE(input) << "the stabilizer one step before is an input";
  EXPECT_EQ(view->table(stage.scene()).rows.front()[1], gate.path)
      << "pointing at an input does not change the card";
  stage.move(*view, -FLT_MAX, -FLT_MAX);
  EXPECT_FALSE(stage.focus.hovered);

  stage.focus.pinned = ValueRef{"block1/slstm/c", 4, 1, 2};
  stage.frame(*view);
  EXPECT_EQ(view->table(stage.scene()).rows.front()[1], "block1/slstm/c");
  stage.focus.hovered = gate;
  stage.frame(*view);
  EXPECT_EQ(view->table(stage.scene()).rows.front()[1], gate.path) << "hovering comes first";
}

TEST(InspectorView, TheTableShowsTheRecordedNumberInFull) {
  const Snapshot s = recall_scene();
  Stage stage(s);
  const auto view = view_named("inspector");
  stage.focus.pinned = ValueRef{"block0/mlstm/C", 15, 1, 37};
  stage.frame(*view);
  int found = 0;
  for (const auto& row : view->table(stage.scene()).rows) {
    if (row[0] != "value") continue;
    ++found;
    EXPECT_EQ(std::strtof(row[1].c_str(), nullptr),
              s.memory->C[static_cast<std::size_t>(s.memory->key_dim * s.memory->value_dim) + 37]);
  }
  EXPECT_EQ(found, 1) << "the row is there";
}

// -- Proof
// ------------------------------------------------------------------------------

TEST(HealthView, ShowsWhatAgreesAndWhatDoesNotAndChecksAgain) {
  Snapshot s = recall_scene();
  auto report = std::make_shared<HealthReport>();
  report->step = s.train.step;
  const double none = std::nan("");
  report->checks = {{"Step by step = whole sequence", 3e-7, 1e-4, true, "Logits of 48 tokens."},
                    {"Stabilised = plain", 0.2, 1e-9, false, "Outputs of all cells."},
                    {"Watched = unwatched", none, 0.0, false, "No number."},
                    {"One thread = all threads", 0.0, 0.0, true, "The same."}};
  for (const bool running : {false, true}) {
    report->running = running;
    s.health = report;
    Stage stage(s);
    stage.size = {480, 260};
    const auto view = view_named("health");
    stage.frame(*view);
    const Table table = view->table(stage.scene());
    ASSERT_EQ(table.rows.size(), 4U);
    EXPECT_EQ(table.rows[0][3], "yes");
    EXPECT_EQ(table.rows[1][3], "no");
    EXPECT_EQ(table.rows[2][1], "nan");
    EXPECT_EQ(table.rows[3][2], "same bits");
    stage.click(*view, stage.size.x - 40, 18);
    EXPECT_EQ(stage.sent.size(), running ? 0U : 1U) << "a running check is not started again";
    for (const ImVec2 size : {ImVec2{60, 40}, ImVec2{200, 90}, ImVec2{1600, 900}}) {
      stage.size = size;
      stage.frame(*view);
    }
  }
  auto failed = std::make_shared<HealthReport>();
  failed->failure = "This model is too large.";
  s.health = failed;
  Stage stage(s);
  stage.frame(*view_named("health"));
}

}  // namespace
}  // namespace xlab::tests
