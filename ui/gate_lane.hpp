// What every lane of the gates has, curves or strip: its names, the cursor, the marks of what is
// pointed at elsewhere, and the words for the value under the mouse.
#pragma once

#include <functional>
#include <string>

#include "ui/gate_frame.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// Name and line style of what a lane shows, left of it.
void draw_lane_labels(const GateFrame& frame, Painter& painter, const Lane& lane, const Box& gutter,
                      const Box& box);
/// The time cursor.
void draw_lane_cursor(const GateFrame& frame, Painter& painter, const Box& box);
/// Rings where another view points at a value of this path, and a square where one is pinned;
/// `place` says where a value stands, with a `y` that is not finite for nowhere. `head` < 0: of
/// every head.
void mark_focus(const GateFrame& frame, Painter& painter, const std::string& path, int head,
                const std::function<ImVec2(const ValueRef&)>& place);
/// Says on the card what stands at `ref`, and what can be done with it.
void describe_value(GateFrame& frame, const ValueRef& ref, bool clampable);

}  // namespace xlab::ui
