// Handles of what is held by hand: a curve is dragged up or down to hold it at a value, the ends of
// a clamp along time, and a cross takes it away.
#include "ui/clamp_handles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ui/gate_frame.hpp"
#include "ui/ground.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

constexpr float kDragStart = 3.0f;
constexpr double kLargestClamp = 60.0;  ///< as far as dragging goes, and it says so there

void draw_lock(Painter& painter, ImVec2 centre, ImU32 colour) {
  const float w = painter.px(4.0f), h = painter.px(3.0f), r = painter.px(2.6f);
  painter.fill({{centre.x - w, centre.y - painter.px(0.5f)},
                {centre.x + w, centre.y + 2 * h - painter.px(0.5f)}},
               colour, painter.px(1));
  std::vector<ImVec2> bow;
  for (int i = 0; i <= 8; ++i) {
    const float angle = 3.14159265f * (1.0f + static_cast<float>(i) / 8.0f);
    bow.push_back(
        {centre.x + r * std::cos(angle), centre.y - painter.px(0.5f) + r * std::sin(angle)});
  }
  painter.curve(bow, {colour, painter.px(1.5f)});
}

void draw_tag(Painter& painter, const ClampHandles::Tag& tag) {
  const Palette& palette = painter.palette();
  const Box whole{tag.lock.min, tag.close.max};
  painter.fill(whole, palette.panel, painter.px(3));
  painter.outline(whole, palette.muted_text, 1.0f, painter.px(3));
  draw_lock(painter, tag.lock.centre(), tag.enabled ? palette.text : palette.muted_text);
  const bool hot = tag.close.contains(ImGui::GetIO().MousePos);
  const ImVec2 c = tag.close.centre();
  const float r = painter.px(3);
  const Stroke stroke{hot ? palette.warning : palette.text, painter.px(hot ? 2.0f : 1.5f)};
  painter.line({c.x - r, c.y - r}, {c.x + r, c.y + r}, stroke);
  painter.line({c.x - r, c.y + r}, {c.x + r, c.y - r}, stroke);
}

int covering(const SequenceStatus& sequence, const ValueRef& at) {
  // The last one counts where several overlap.
  for (int i = static_cast<int>(sequence.clamps.size()) - 1; i >= 0; --i) {
    const Clamp& c = sequence.clamps[static_cast<std::size_t>(i)];
    if (c.enabled && c.path == at.path && c.head == at.head && c.unit == at.unit &&
        at.step >= c.begin && at.step < c.end) {
      return i;
    }
  }
  return -1;
}

std::string held_text(double value, int begin, int end) {
  const int steps = end - begin;
  return steps > 1 ? fmt::format("{} at steps {}…{} ({} steps)", short_number(value), begin,
                                 end - 1, steps)
                   : fmt::format("{} at step {}", short_number(value), begin);
}

/// Where a clamp's value stands, kept inside the lane.
float height_of(const Clamp& clamp, const ClampLane& lane) {
  return std::clamp(lane.axis.y(clamp.value, lane.box), lane.box.min.y, lane.box.max.y);
}

}  // namespace

ClampHandles::Offer ClampHandles::offer(GateFrame& frame, const Painter& painter,
                                        const ClampLane& lane) {
  Offer offer;
  offer.tags = tags(frame, painter, lane);
  for (const Tag& tag : offer.tags) {
    ImGui::PushID(tag.index);
    const Touch cross = control(painter, "remove", tag.close);
    ImGui::PopID();
    if (cross.pressed) frame.scene.send(command::RemoveClamp{tag.index});
    offer.under_mouse |= cross.hovered || cross.held;
  }
  offer.under_mouse |= offer_ends(frame, painter, lane);
  return offer;
}

void ClampHandles::draw(const GateFrame& frame, Painter& painter, const ClampLane& lane,
                        const Offer& offer) const {
  draw_held(frame, painter, lane);
  draw_ends(frame, painter, lane);
  for (const Tag& tag : offer.tags) draw_tag(painter, tag);
}

std::vector<ClampHandles::Tag> ClampHandles::tags(const GateFrame& frame, const Painter& painter,
                                                  const ClampLane& lane) const {
  std::vector<Tag> tags;
  if (drag_ && drag_->moved) return tags;
  const auto& clamps = frame.scene.snapshot.sequence.clamps;
  const Box& box = lane.box;
  const float side = painter.px(14), gap = painter.px(7);
  for (int i = 0; i < static_cast<int>(clamps.size()); ++i) {
    const Clamp& c = clamps[static_cast<std::size_t>(i)];
    if (c.path != lane.path || c.unit != lane.unit || c.head != lane.head) continue;
    const int first = std::max(c.begin, frame.window.first());
    const int last = std::min(c.end - 1, frame.last_step());
    if (last < first) continue;
    const float x = (frame.window.x(first) + frame.window.x(last)) / 2;
    const float y = height_of(c, lane);
    const bool above = y - gap - side > box.min.y;
    const float top = above ? y - gap - side : std::min(y + gap, box.max.y - side);
    const float left = std::clamp(x - side, box.min.x, std::max(box.min.x, box.max.x - 2 * side));
    Tag tag{i,
            {{left, top}, {left + side, top + side}},
            {{left + side, top}, {left + 2 * side, top + side}},
            c.enabled};
    // Neighbouring clamps keep their handles; a tag that would cover another one is left out.
    const bool free = std::none_of(tags.begin(), tags.end(), [&](const Tag& other) {
      return std::abs(other.lock.min.x - left) < 2 * side + 2 &&
             std::abs(other.lock.min.y - top) < side;
    });
    if (free) tags.push_back(tag);
  }
  return tags;
}

/// Square handles on every clamped step, joined where they are dense; hollow when switched off.
void ClampHandles::draw_held(const GateFrame& frame, Painter& painter, const ClampLane& lane) {
  const Palette& palette = painter.palette();
  const TimeWindow& window = frame.window;
  for (const Clamp& c : frame.scene.snapshot.sequence.clamps) {
    if (c.path != lane.path || c.unit != lane.unit) continue;
    const int first = std::max(c.begin, window.first());
    const int last = std::min(c.end - 1, frame.last_step());
    if (last < first) continue;
    const bool strong = c.head == lane.head;
    const float r = painter.px(strong ? 4.0f : 2.5f);
    const float y = height_of(c, lane);
    const ImU32 colour = strong ? palette.text : palette.muted_text;
    if (last > first) {
      painter.line({window.x(first), y}, {window.x(last), y}, {colour, painter.line_width()});
    }
    const int stride = window.column_width() > 3 * r ? 1 : std::max(last - first, 1);
    for (int step = first; step <= last; step += stride) {
      const float x = window.x(step);
      const Box handle{{x - r, y - r}, {x + r, y + r}};
      painter.fill(handle, c.enabled ? colour : palette.panel);
      painter.outline(handle, c.enabled ? palette.panel : colour, painter.px(1));
    }
  }
}

/// Where a clamp's range can be taken hold of: just outside its first and its last step.
ClampHandles::Ends ClampHandles::ends_of(const TimeWindow& window, const Painter& painter,
                                         const Clamp& c, const ClampLane& lane) {
  Ends ends;
  const float y = height_of(c, lane);
  const float wide = painter.px(7), tall = painter.px(9);
  const float top = std::max(y - tall, lane.box.min.y);
  const float bottom = std::min(y + tall, lane.box.max.y);
  if (window.shows(c.begin)) {
    const float x = window.column(c.begin).min.x;
    ends.begin = Box{{x - wide, top}, {x, bottom}};
  }
  if (window.shows(c.end - 1)) {
    const float x = window.column(c.end - 1).max.x;
    ends.end = Box{{x, top}, {x + wide, bottom}};
  }
  return ends;
}

/// Lets the ends of the focused head's clamps be dragged along time. Returns whether the mouse is
/// on one of them.
bool ClampHandles::offer_ends(GateFrame& frame, const Painter& painter, const ClampLane& lane) {
  const auto& clamps = frame.scene.snapshot.sequence.clamps;
  bool on_one = false;
  for (int i = 0; i < static_cast<int>(clamps.size()); ++i) {
    const Clamp& c = clamps[static_cast<std::size_t>(i)];
    if (c.path != lane.path || c.unit != lane.unit || c.head != lane.head) continue;
    if (drag_ && drag_->moved) continue;
    const Ends ends = ends_of(frame.window, painter, c, lane);
    for (const bool end : {false, true}) {
      const std::optional<Box>& handle = end ? ends.end : ends.begin;
      const bool held = end_drag_ && end_drag_->index == i && end_drag_->end == end;
      if (!handle && !held) continue;
      ImGui::PushID(2 * i + (end ? 1 : 0));
      const Touch mouse = touch("range", handle ? *handle : Box{});
      ImGui::PopID();
      if (mouse.pressed) end_drag_ = EndDrag{i, end, c};
      if (!mouse.hovered && !held) continue;
      on_one = true;
      if (held) pull_end(frame, ImGui::GetIO().MousePos.x);
      const Clamp& now = held ? end_drag_->clamp : c;
      frame.under.range = {now.begin, now.end};
      frame.under.card.set({{"held at " + held_text(now.value, now.begin, now.end), true},
                            {end ? "drag: move the last step" : "drag: move the first step"}});
    }
  }
  return on_one;
}

/// Sends the range for the mouse's place, once per frame at most and only when it changed.
void ClampHandles::pull_end(GateFrame& frame, float x) {
  Clamp next = end_drag_->clamp;
  const int step = frame.window.step_at(x);
  if (end_drag_->end) {
    next.end = std::max(step + 1, next.begin + 1);
  } else {
    next.begin = std::min(step, next.end - 1);
  }
  if (next == end_drag_->clamp) return;
  end_drag_->clamp = next;
  frame.scene.send(command::ReplaceClamp{end_drag_->index, next});
}

/// Brackets around the range of every clamp of the focused head.
void ClampHandles::draw_ends(const GateFrame& frame, Painter& painter,
                             const ClampLane& lane) const {
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  const auto& clamps = frame.scene.snapshot.sequence.clamps;
  for (int i = 0; i < static_cast<int>(clamps.size()); ++i) {
    const Clamp& c = clamps[static_cast<std::size_t>(i)];
    if (c.path != lane.path || c.unit != lane.unit || c.head != lane.head) continue;
    const Ends ends = ends_of(frame.window, painter, c, lane);
    for (const bool end : {false, true}) {
      const std::optional<Box>& handle = end ? ends.end : ends.begin;
      if (!handle) continue;
      const bool held = end_drag_ && end_drag_->index == i && end_drag_->end == end;
      const bool hot = held || (!busy() && handle->contains(mouse));
      const float x = end ? handle->min.x + painter.px(1) : handle->max.x - painter.px(1);
      const float in = (end ? -1.0f : 1.0f) * painter.px(3.5f);
      const Stroke stroke{hot ? painter.palette().accent : painter.palette().text,
                          painter.px(hot ? 2.5f : 1.5f)};
      const ImVec2 bracket[] = {
          {x + in, handle->min.y}, {x, handle->min.y}, {x, handle->max.y}, {x + in, handle->max.y}};
      painter.curve(bracket, stroke);
    }
  }
}

void ClampHandles::take(const GateFrame& frame, const ClampLane& lane, const ValueRef& at,
                        bool clampable, ImVec2 mouse) {
  drag_ =
      Drag{at.path, at.head, at.unit, at.step, at.step + 1, at.step, lane.axis, lane.box, mouse};
  if (!clampable) return;
  const SequenceStatus& sequence = frame.scene.snapshot.sequence;
  const int old = covering(sequence, at);
  if (ImGui::GetIO().KeyShift) {
    const ModelCard* model = frame.scene.snapshot.model.get();
    drag_->begin = 0;
    drag_->end = std::max({model ? model->context_length : 0, frame.trace.length(), at.step + 1});
  } else if (old >= 0) {
    drag_->begin = sequence.clamps[static_cast<std::size_t>(old)].begin;
    drag_->end = sequence.clamps[static_cast<std::size_t>(old)].end;
  }
}

void ClampHandles::pull(GateFrame& frame, const Painter& painter, float y) {
  if (!drag_) return;
  if (std::abs(y - drag_->start.y) > painter.px(kDragStart)) drag_->moved = true;
  if (!drag_->moved) return;
  frame.under.range = {drag_->begin, drag_->end};
  double value = drag_->axis.value(y, drag_->box);
  value = std::round(std::clamp(value, -kLargestClamp, kLargestClamp) * 100.0) / 100.0;
  const auto next = static_cast<float>(value);
  if (next == drag_->sent) return;
  drag_->sent = next;
  frame.scene.send(command::SetClamp{
      {drag_->path, drag_->head, drag_->unit, drag_->begin, drag_->end, next, true}});
}

bool ClampHandles::let_go() {
  const bool click = drag_ && !drag_->moved;
  drag_.reset();
  return click;
}

void ClampHandles::settle() {
  if (ImGui::IsMouseDown(ImGuiMouseButton_Left)) return;
  drag_.reset();
  end_drag_.reset();
}

void ClampHandles::describe(HoverCard& card, bool clampable) const {
  if (drag_ && drag_->moved) {
    card.add("held at " + held_text(drag_->sent, drag_->begin, drag_->end), true);
    if (std::abs(drag_->sent) >= static_cast<float>(kLargestClamp)) {
      card.add(fmt::format("±{:.0f} is as far as dragging goes", kLargestClamp));
    }
  } else if (clampable) {
    card.add("drag up or down: hold it there (Shift: at all steps)");
  }
}

}  // namespace xlab::ui
