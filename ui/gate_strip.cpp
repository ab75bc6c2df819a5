// A heat strip among the gates: all units of one head over time. A click chooses the unit whose
// curves are drawn.
#include "ui/gate_strip.hpp"

#include <algorithm>
#include <string>

#include "ui/gate_lane.hpp"
#include "ui/gate_layout.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/key_channel.hpp"

namespace xlab::ui {
namespace {

/// Where the units of a strip lie.
struct Rows {
  Box box;
  int units = 1;
  float least = 0.0f;  ///< half the height of a row at least, to be seen

  float height() const { return box.height() / static_cast<float>(units); }
  Box of(int unit) const {
    const float middle = box.min.y + height() * (static_cast<float>(unit) + 0.5f);
    const float half = std::max(height() / 2, least);
    return {{box.min.x, middle - half}, {box.max.x, middle + half}};
  }
  int at(float y) const {
    return std::clamp(static_cast<int>((y - box.min.y) / std::max(height(), 1e-3f)), 0, units - 1);
  }
};

/// First and last index where an axis would have its numbers.
void numbers(const GateFrame& frame, Painter& painter, const Box& gutter, int units) {
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  Box room = gutter;
  room.cut_left(frame.layout.label_room());
  room.cut_right(painter.px(5));
  const std::string last_unit = std::to_string(units - 1);
  if (units == 1 || room.height() < 1.7f * line) {
    const std::string texts[] = {units == 1 ? "0" : "0–" + last_unit};
    painter.first_in(room, palette.muted_text, texts, Align::right);
  } else {
    const std::string texts[] = {last_unit};
    painter.text_in(room.cut_top(line), palette.muted_text, "0", Align::right);
    painter.first_in(room.cut_bottom(line), palette.muted_text, texts, Align::right);
  }
}

/// Held cells are framed: only one unit's curve shows its handles.
void frame_held(const GateFrame& frame, Painter& painter, const Lane& lane, const Rows& rows) {
  if (lane.held.empty()) return;
  const std::string path = frame.block.path(lane.held);
  const TimeWindow& window = frame.window;
  for (const Clamp& c : frame.scene.snapshot.sequence.clamps) {
    const int last = std::min(c.end - 1, frame.last_step());
    const int first = std::max(c.begin, window.first());
    if (!c.enabled || c.path != path || !c.is_on_head(frame.head()) || last < first) continue;
    if (c.unit >= rows.units) continue;
    const bool all = c.unit == Clamp::kAll;
    const Box row{rows.of(all ? 0 : c.unit).min, rows.of(all ? rows.units - 1 : c.unit).max};
    painter.outline(
        {{window.column(first).min.x, row.min.y - 1}, {window.column(last).max.x, row.max.y + 1}},
        painter.palette().text, painter.px(1.5f));
  }
}

/// The mark of the unit whose curves are drawn, or of the key channel that is pinned.
void mark_unit(Painter& painter, const Rows& rows, int unit) {
  const ImVec2 tip{rows.box.max.x + painter.px(1), rows.of(unit).centre().y};
  const float r = painter.px(4);
  const ImVec2 corners[] = {tip, {tip.x + r * 1.6f, tip.y - r}, {tip.x + r * 1.6f, tip.y + r}};
  painter.polygon(corners, painter.palette().accent);
}

}  // namespace

const StripLane& strip_in(const GateFrame& frame, const Painter& painter, const Lane& lane,
                          float width) {
  const float room = width - frame.layout.gutter() - painter.px(GateLayout::kRightMargin);
  const float columns = frame.window.column_width() * static_cast<float>(frame.window.count());
  return frame.lanes.strip(
      frame.block, lane, frame.place(lane), painter.palette(),
      {std::max(std::min(room, columns), 0.0f), frame.layout.lane_height(lane)});
}

void draw_gate_strip(GateFrame& frame, Painter& painter, const Lane& lane, const Box& gutter,
                     const Box& box) {
  const Palette& palette = painter.palette();
  const TimeWindow& window = frame.window;
  const StripLane& look =
      frame.lanes.strip(frame.block, lane, frame.place(lane), palette, box.size());
  const std::string path = frame.path(lane);
  if (look.strip.units == 0) {
    painter.text_in(box, palette.muted_text, "not recorded");
    return;
  }
  draw_heat(painter, frame.scene.images, "gates/" + path, box, look.strip.values, look.strip.units,
            look.strip.steps, *look.scale, look.heat);
  painter.outline(box, palette.grid);
  draw_lane_labels(frame, painter, lane, gutter, box);
  numbers(frame, painter, gutter, look.strip.units);
  const Rows rows{box, look.strip.units, painter.px(1.5f)};
  const Touch mouse = touch("strip", box);
  frame_held(frame, painter, lane, rows);
  // What runs over keys, not over units, has no curve in its row to point at.
  const bool selects = !lane.of_keys;
  if (selects) {
    mark_unit(painter, rows, std::clamp(frame.unit.chosen, 0, rows.units - 1));
  } else if (const auto channel = pinned_key_channel(frame.block, frame.scene.focus);
             channel && *channel < rows.units) {
    mark_unit(painter, rows, *channel);
  }
  draw_lane_cursor(frame, painter, box);
  if (!mouse.hovered && !mouse.held) {
    mark_focus(frame, painter, path, frame.head(), [&](const ValueRef& ref) {
      return ImVec2(window.x(ref.step),
                    rows.of(std::clamp(ref.unit, 0, rows.units - 1)).centre().y);
    });
    return;
  }
  const int step = window.step_at(mouse.mouse.x), unit = rows.at(mouse.mouse.y);
  frame.under.value = ValueRef{path, step, frame.head(), unit};
  const Box row = rows.of(unit), column = window.column(step);
  painter.outline({{column.min.x, row.min.y}, {column.max.x, row.max.y}}, palette.text,
                  painter.line_width());
  if (selects) frame.unit.next_preview = unit;
  describe_value(frame, *frame.under.value, false);
  if (!mouse.pressed) return;
  if (selects) frame.unit.chosen = unit;
  frame.scene.focus.pinned = frame.under.value;
}

}  // namespace xlab::ui
