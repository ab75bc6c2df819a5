// What the parts of the view of a memory's fill share while one frame of it is drawn.
#pragma once

#include <optional>

#include "core/snapshot.hpp"
#include "ui/cursor_drag.hpp"
#include "ui/fill_shown.hpp"
#include "ui/focus.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"
#include "ui/time_window.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

struct FillFrame {
  Scene& scene;
  const BlockCard& block;
  const FillShown& shown;
  const TimeWindow& window;
  float gutter = 0.0f;  ///< room left of the lanes, for numbers
  int pointed = -1;     ///< the step under the mouse, one frame ago
  // What this frame finds under the mouse.
  int& next_pointed;
  std::optional<ValueRef>& hovered;
  HoverCard& card;
  CursorDrag& drag;
};

}  // namespace xlab::ui
