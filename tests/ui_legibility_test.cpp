// Every view at every size, text size and kind of content can be read: no number cut, nothing
// written over something else, nothing beyond the edge.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/legibility.hpp"
#include "tests/reach_drawing.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/view.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

/// Names of the views held to it.
const char* const kViews[] = {"time",   "gates",    "memory",     "loss",   "next",    "inspector",
                              "health", "faces",    "stabilizer", "budget", "map",     "mixing",
                              "reach",  "findings", "fill",       "read",   "explorer"};
/// Those in which nearly every place has something to say under the mouse.
const char* const kTelling[] = {"time",       "gates",  "memory", "loss",   "next",
                                "stabilizer", "budget", "map",    "mixing", "reach",
                                "findings",   "fill",   "read"};

struct ReadableScene {
  const char* name;
  Snapshot snapshot;
};

const std::vector<ReadableScene>& readable_scenes() {
  static const std::vector<ReadableScene> list = {
      {"recall", recall_scene()},       {"clamped", clamped_scene()},
      {"text", text_scene()},           {"asking", asking_scene()},
      {"broken", broken_scene()},       {"long", long_scene()},
      {"wide", wide_scene()},           {"odd", odd_scene()},
      {"young", young_scene()},         {"one run", several_scene(1)},
      {"three runs", several_scene(3)}, {"eight runs", several_scene(8)},
      {"followers", followed_scene()}};
  return list;
}

/// Something to look into, and a report with each of its answers.
void fill(Snapshot& snapshot, Focus& focus, int block) {
  focus.pinned = ValueRef{block == 1 ? "block1/slstm/c" : "block0/mlstm/h", 7, 1, 3};
  auto report = std::make_shared<HealthReport>();
  report->checks = {
      {"Recurrent = chunkwise = parallel", 3e-7, 1e-5, true, "Outputs of each of 2 blocks"},
      {"Stabilised = plain", 0.2, 1e-9, false, "They differ most in block0/mlstm."},
      {"Watched = unwatched", 0.0, 0.0, true, "Every bit is the same."},
      {"Step by step = whole sequence", std::nan(""), 1e-4, false, "No finite number."}};
  if (block == 1) {
    report->rounded_to = "4 bits";
    report->rounding_tokens = 64;
    report->rounding = {{"embedding and head", 1.3e-5, 8e-4, 1.0, 8e8, 4e8},
                        {"block 0", 0.0123, 0.2, 0.97, 4e8, 1e8},
                        {"block 1", std::nan(""), std::nan(""), 0.5, 4e8, 1e8},
                        {"all", 0.0347, 1.9, 0.906, 1.6e9, 6e8}};
  }
  snapshot.health = report;
  snapshot = block == 1 ? with_odd_reach(snapshot, 1, 0) : with_reach(snapshot, 0, 0);
}

class Legible : public ::testing::TestWithParam<const char*> {};

TEST_P(Legible, AtEverySizeAndScale) {
  const ImVec2 sizes[] = {{160, 120}, {240, 160}, {320, 240}, {430, 200}, {300, 520},
                          {640, 150}, {640, 400}, {900, 520}, {1500, 900}};
  std::size_t read = 0;
  for (const ReadableScene& scene : readable_scenes()) {
    Snapshot snapshot = scene.snapshot;
    Stage stage(snapshot);
    for (const auto& view : make_views()) {
      if (view->name() != GetParam()) continue;
      for (const ImVec2 size : sizes) {
        for (const float scale : {1.0f, 1.5f, 2.5f}) {
          for (const int block : {0, 1}) {
            stage.size = size;
            stage.scale = scale;
            stage.focus.block = block;
            fill(snapshot, stage.focus, block);
            stage.frame(*view);
            // Once more: what is laid out by what was there a frame ago has settled.
            stage.frame(*view);
            read += stage.log.texts.size();
            std::set<std::string> told;
            std::vector<std::string> all = stumbles(stage.log);
            for (std::string& struck : struck_through(stage.log, palette(stage.palette).grid)) {
              all.push_back(std::move(struck));
            }
            for (const std::string& found : all) {
              if (!told.insert(found).second) continue;
              ADD_FAILURE() << view->name() << ", " << scene.name << ", block " << block << ", "
                            << size.x << " x " << size.y << " at " << scale << ": " << found;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(read, 1500u) << "a view that says nothing is easily read";
}

class Telling : public ::testing::TestWithParam<const char*> {};

TEST_P(Telling, UnderTheMouseOneCardAtATime) {
  int cards = 0;
  for (const Snapshot& scene : {asking_scene(), odd_scene(), several_scene(8)}) {
    const Snapshot snapshot = with_reach(scene, 0, 0);
    Stage stage(snapshot);
    stage.size = {640, 400};
    for (const auto& view : make_views()) {
      if (view->name() != GetParam()) continue;
      stage.focus.block = view->name() == "mixing" ? 1 : 0;  // the one that mixes
      for (const float scale : {1.0f, 2.5f}) {
        stage.scale = scale;
        for (float y = 7; y < stage.size.y; y += 18) {
          for (float x = 9; x < stage.size.x; x += 31) {
            stage.move(*view, x, y);
            int grounds = 0;
            for (const DrawLog::Fill& fill : stage.log.fills) grounds += fill.on_top ? 1 : 0;
            cards += grounds;
            ASSERT_LE(grounds, 1) << "two cards at " << x << ", " << y << " at " << scale;
            for (const std::string& found : stumbles(stage.log)) {
              ADD_FAILURE() << "hover " << view->name() << " at " << x << ", " << y << ", " << scale
                            << ": " << found;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(cards, 300) << "nearly every place has something to say";
}

INSTANTIATE_TEST_SUITE_P(Views, Legible, ::testing::ValuesIn(kViews),
                         [](const auto& info) { return std::string(info.param); });
INSTANTIATE_TEST_SUITE_P(Views, Telling, ::testing::ValuesIn(kTelling),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace xlab::tests
