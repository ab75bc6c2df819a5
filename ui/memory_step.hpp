// What one step does to the memory of a head, as four maps: what was there, what is kept of it,
// what is written, and what comes of it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ui/hint.hpp"
#include "ui/memory_shown.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// after = kept + written, kept = forget · before. Each (keys, values).
struct MemoryStep {
  int step = 0, head = 0, keys = 0, values = 0;
  float forget = 0.0f;  ///< what the memory before is multiplied with
  std::vector<float> before, kept, written, after;

  bool empty() const { return after.empty(); }
};

/// Of the head at the step of the image; empty when something it needs was not recorded.
MemoryStep memory_step(const Snapshot& snapshot, const BlockCard& block, const MemoryImage& image,
                       int head);

/// Draws the four maps, in colours of one range, into `box`, its legend below.
void draw_memory_step(Scene& scene, Painter& painter, const BlockCard& block,
                      const MemoryStep& shown, Box box, std::optional<ValueRef>& hovered,
                      HoverCard& card);

}  // namespace xlab::ui
