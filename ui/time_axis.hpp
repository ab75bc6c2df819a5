// Tokens and numbers of time steps under the lanes of a view. Dragging moves the time cursor, the
// wheel shows more or fewer steps.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "ui/cursor_drag.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"
#include "ui/time_window.hpp"

namespace xlab::ui {

class TimeAxis {
 public:
  /// The widest letter among the tokens, in pixels: columns this wide leave none out. Tokens of
  /// several letters do not count, they are rarely all as wide.
  float letter_width(const Scene& scene, const Painter& painter);

  /// Draws into `row`, whose first `gutter` pixels are for the captions; `range`, steps
  /// [first, second), is pointed out. Zooms the window and sends the cursor.
  void draw(Scene& scene, Painter& painter, Box row, float gutter, TimeWindow& window,
            const std::optional<std::pair<int, int>>& range, HoverCard& card);

 private:
  CursorDrag drag_;
  std::shared_ptr<const ModelCard> lettered_;  ///< whose letters were measured, at which scale
  float letter_scale_ = 0.0f, letter_width_ = 0.0f;
};

}  // namespace xlab::ui
