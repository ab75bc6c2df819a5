// What the parts of the view of the gradient's reach share while one frame of it is drawn.
#pragma once

#include <optional>
#include <string>

#include "core/snapshot.hpp"
#include "ui/cursor_drag.hpp"
#include "ui/focus.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"
#include "ui/reach_shown.hpp"
#include "ui/time_window.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

struct ReachFrame {
  Scene& scene;
  const BlockCard& block;
  const ReachShown& shown;
  const TimeWindow& window;
  float gutter = 0.0f;  ///< room left of the lanes, for numbers
  int pointed = -1;     ///< the step under the mouse, one frame ago
  // What this frame finds under the mouse.
  int& next_pointed;
  std::optional<ValueRef>& hovered;
  HoverCard& card;
  CursorDrag& drag;

  const ReachReport& report() const { return shown.report(); }
  int head() const { return shown.head(); }
  /// "the product of the forget gates", or what stands for it where each unit has a gate.
  const char* alone_words() const {
    return block.has_matrix ? "product of forget gates" : "through forget gates alone";
  }
};

/// How the curves are drawn.
struct ReachStyles {
  Stroke memory, others, alone, output;
  ImU32 bar = 0;
};
ReachStyles reach_styles(const Painter& painter);

}  // namespace xlab::ui
