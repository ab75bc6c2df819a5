// What the parts of the gate explorer share while one frame of it is drawn.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/plain_course.hpp"
#include "core/snapshot.hpp"
#include "ui/focus.hpp"
#include "ui/hint.hpp"
#include "ui/plot.hpp"
#include "ui/time_axis.hpp"
#include "ui/time_window.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

/// A value that is drawn by hand.
struct HeldLane {
  const BlockCard* block = nullptr;
  const ValueCard* card = nullptr;
  int unit = 0;
  bool of_all_units = false;  ///< what is drawn is held in every unit

  std::string path() const { return block->path(card->name); }
};

/// A curve being drawn; the axis stays as it was when the drag began.
struct CurveDrag {
  std::string path;
  int unit = 0;
  Axis axis;
  std::vector<float> curve;  ///< as it was sent last
  int step = 0;              ///< where the mouse was last
  float value = 0.0f;
};

/// Steps and their numbers under one picture.
struct ExplorerTime {
  TimeWindow window;
  TimeAxis axis;
};

/// What a person chose.
struct ExplorerChoice {
  bool together = true;  ///< what is drawn for a gate is drawn in all cells that have it
  int content = 0;       ///< which of a cell's vectors is drawn, of those that can be held
  int unit = 0;          ///< which of its numbers
};

/// What the cells computed, as long as the recordings are the same.
struct ExplorerCourses {
  std::shared_ptr<const Trace> trace;
  std::shared_ptr<const ModelCard> model;
  struct OfBlock {
    PlainCourse course;
    double largest_memory = 0.0, largest_normalizer = 0.0;
    /// The power of ten that numbers are drawn in units of: 1 where float32 holds them well.
    double unit = 1.0;
    /// As they are drawn, one number a step: the size of the memory and of the normalizer, which
    /// may have none, and each number of the output.
    std::vector<float> memory, normalizer;
    std::vector<std::vector<float>> output;
    int first_bad = -1;  ///< the first step whose output holds no number
  };
  std::vector<OfBlock> of_block;
  /// What is held, by path and number, as far as it was asked for.
  std::map<std::pair<std::string, int>, std::vector<float>> held;

  void use(const Snapshot& snapshot);
};

struct ExplorerFrame {
  Scene& scene;
  const std::vector<BlockCard>& blocks;
  ExplorerCourses& courses;
  ExplorerChoice& choice;
  std::optional<CurveDrag>& drag;
  std::vector<ExplorerTime>& times;  ///< of the lanes, then of the cells
  std::optional<ValueRef>& hovered;
  HoverCard& card;

  int steps() const { return static_cast<int>(scene.snapshot.sequence.tokens.size()); }
  int cursor() const { return scene.snapshot.sequence.cursor; }
};

/// The most lanes that are drawn beside each other.
inline constexpr std::size_t kExplorerLanes = 4;

/// The pre-activations of a block, and one number of one of its vectors that can be held, if any.
std::vector<HeldLane> held_lanes(const BlockCard& block, const ExplorerChoice& choice);
/// The vectors of a block that can be held: its keys, queries and values.
std::vector<const ValueCard*> held_vectors(const BlockCard& block);
/// What stands at each step now, as recorded; NaN where nothing is.
const std::vector<float>& held_curve(ExplorerFrame& frame, const HeldLane& lane);

/// The lanes of the block in focus, beside each other, with a slider for all steps.
void draw_held_lanes(ExplorerFrame& frame, Painter& painter, Box box);
/// What the cells make of it, one column each.
void draw_cells(ExplorerFrame& frame, Painter& painter, Box box);
/// The height that the stories take in this width, with the sentence of the one that is told or,
/// so that nothing moves from one to another, with the `longest`.
float story_rows(const Scene& scene, const Painter& painter, float width, bool longest);
/// The stories and the sentence of the one that is told.
void draw_stories(ExplorerFrame& frame, Painter& painter, Box box);

}  // namespace xlab::ui
