// Handles of what is held by hand: a curve is dragged up or down to hold it at a value, the ends of
// a clamp along time, and a cross takes it away.
#include "ui/clamp_handles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <utility>

#include "core/edits.hpp"
#include "ui/gate_frame.hpp"
#include "ui/ground.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

constexpr float kDragStart = 3.0f;
constexpr int kMostFramesWaited = 600;  ///< for a clamp that was asked for to be there
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
    if (c.path == at.path && c.is_on(at.head, at.unit) && c.acts_at(at.step)) return i;
  }
  return -1;
}

std::string steps_text(int begin, int end) {
  const int steps = end - begin;
  if (begin == 0 && end >= kAllSteps) return "at all steps";
  return steps > 1 ? fmt::format("at steps {}…{} ({} steps)", begin, end - 1, steps)
                   : fmt::format("at step {}", begin);
}

/// "held at 3.2", "plus 0.5"
std::string change_text(const Clamp& c) {
  if (!c.curve.empty()) return "held along a curve";
  const char* how = c.change == Change::add     ? "plus"
                    : c.change == Change::scale ? "times"
                                                : "held at";
  return fmt::format("{} {}", how, short_number(c.value));
}

bool is_in(const Clamp& c, const ClampLane& lane) {
  return c.path == lane.path && c.is_on(lane.head, lane.unit);
}

/// Where the number stands at a step of the clamp, kept inside the lane: what is set to a value
/// where that is, also at steps to come, what is added to or multiplied where it comes to.
float height_of(const GateFrame& frame, const Clamp& clamp, const ClampLane& lane, int head,
                int step) {
  double number = static_cast<double>(clamp.value_at(step));
  if (clamp.change != Change::set) {
    const float* seen = number_at(&frame.trace, {lane.path, step, head, lane.unit});
    number = seen ? static_cast<double>(*seen) : 0.0;
  }
  const float y = lane.axis.y(number, lane.box);
  return std::isfinite(y) ? std::clamp(y, lane.box.min.y, lane.box.max.y) : lane.box.max.y;
}

double value_at_mouse(const ClampHandles::Drag& drag, float y) {
  const double value = drag.axis.value(y, drag.box);
  return std::round(std::clamp(value, -kLargestClamp, kLargestClamp) * 100.0) / 100.0;
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
    if (!is_in(c, lane)) continue;
    const int first = std::max(c.begin, frame.window.first());
    const int last = std::min(c.end - 1, frame.last_step());
    if (last < first) continue;
    const float x = (frame.window.x(first) + frame.window.x(last)) / 2;
    const float y = height_of(frame, c, lane, lane.head, (first + last) / 2);
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
    if (c.path != lane.path || (c.unit != lane.unit && c.unit != Clamp::kAll)) continue;
    const int first = std::max(c.begin, window.first());
    const int last = std::min(c.end - 1, frame.last_step());
    if (last < first) continue;
    const bool strong = c.is_on_head(lane.head);
    const float r = painter.px(strong ? 4.0f : 2.5f);
    const ImU32 colour = strong ? palette.text : palette.muted_text;
    const auto place = [&](int step) {
      const int head = strong ? lane.head : c.head;
      return ImVec2{window.x(step), height_of(frame, c, lane, head, step)};
    };
    const bool level = c.curve.empty() && c.change == Change::set;
    if (last > first && level)
      painter.line(place(first), place(last), {colour, painter.line_width()});
    const bool dense = window.column_width() <= 3 * r;
    const int stride = !dense  ? 1
                       : level ? std::max(last - first, 1)
                               : std::max((last - first) / 8, 1);
    for (int step = first; step <= last; step += stride) {
      const ImVec2 at = place(step);
      const Box handle{{at.x - r, at.y - r}, {at.x + r, at.y + r}};
      painter.fill(handle, c.enabled ? colour : palette.panel);
      painter.outline(handle, c.enabled ? palette.panel : colour, painter.px(1));
    }
  }
}

/// Where a clamp's range can be taken hold of: just outside its first and its last step.
ClampHandles::Ends ClampHandles::ends_of(const GateFrame& frame, const Painter& painter,
                                         const Clamp& c, const ClampLane& lane) {
  Ends ends;
  const TimeWindow& window = frame.window;
  const float wide = painter.px(7), tall = painter.px(9);
  const auto beside = [&](int step, float from, float to) {
    const float y = height_of(frame, c, lane, lane.head, step);
    return Box{{from, std::max(y - tall, lane.box.min.y)},
               {to, std::min(y + tall, lane.box.max.y)}};
  };
  if (window.shows(c.begin)) {
    const float x = window.column(c.begin).min.x;
    ends.begin = beside(c.begin, x - wide, x);
  }
  if (window.shows(c.end - 1)) {
    const float x = window.column(c.end - 1).max.x;
    ends.end = beside(c.end - 1, x, x + wide);
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
    if (!is_in(c, lane)) continue;
    if (drag_ && drag_->moved) continue;
    const Ends ends = ends_of(frame, painter, c, lane);
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
      frame.under.card.set({{change_text(now) + " " + steps_text(now.begin, now.end), true},
                            {end ? "drag: move the last step" : "drag: move the first step"}});
    }
  }
  return on_one;
}

/// Sends the range for the mouse's place, once per frame at most and only when it changed.
void ClampHandles::pull_end(GateFrame& frame, float x) {
  const Clamp& now = end_drag_->clamp;
  const int step = frame.window.step_at(x);
  const Clamp next = end_drag_->end ? over_steps(now, now.begin, step + 1)
                                    : over_steps(now, std::min(step, now.end - 1), now.end);
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
    if (!is_in(c, lane)) continue;
    const Ends ends = ends_of(frame, painter, c, lane);
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
  drag_->drawing = ImGui::GetIO().KeyAlt;
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

void ClampHandles::pull(GateFrame& frame, const Painter& painter, ImVec2 mouse) {
  if (!drag_) return;
  const ImVec2 way{mouse.x - drag_->start.x, mouse.y - drag_->start.y};
  if (std::abs(way.y) > painter.px(kDragStart)) drag_->moved = true;
  if (drag_->drawing && std::abs(way.x) > painter.px(kDragStart)) drag_->moved = true;
  if (!drag_->moved) return;
  if (drag_->drawing) {
    draw_along(frame, mouse);
    frame.under.range = {drag_->drawn->begin, drag_->drawn->end};
    return;
  }
  frame.under.range = {drag_->begin, drag_->end};
  const auto next = static_cast<float>(value_at_mouse(*drag_, mouse.y));
  if (next == drag_->sent) return;
  drag_->sent = next;
  frame.scene.send(command::SetClamp{{.path = drag_->path,
                                      .head = drag_->head,
                                      .unit = drag_->unit,
                                      .begin = drag_->begin,
                                      .end = drag_->end,
                                      .value = next}});
}

/// The steps between the last place of the mouse and this one get values on a straight line.
void ClampHandles::draw_along(GateFrame& frame, ImVec2 mouse) {
  const int step = std::clamp(frame.window.step_at(mouse.x), 0, std::max(frame.last_step(), 0));
  const auto value = static_cast<float>(value_at_mouse(*drag_, mouse.y));
  if (!drag_->drawn) {
    drag_->drawn = Clamp{.path = drag_->path,
                         .head = drag_->head,
                         .unit = drag_->unit,
                         .begin = drag_->step,
                         .end = drag_->step + 1,
                         .value = value,
                         .curve = {value}};
    drag_->sent = value;
  }
  Clamp& drawn = *drag_->drawn;
  const int from = drag_->step;
  const float start = drag_->sent;
  drawn = over_steps(drawn, std::min(drawn.begin, step), std::max(drawn.end, step + 1));
  const int steps = std::abs(step - from);
  for (int i = 0; i <= steps; ++i) {
    const float share = steps > 0 ? static_cast<float>(i) / static_cast<float>(steps) : 1.0f;
    const int at = step > from ? from + i : from - i;
    drawn.curve[static_cast<std::size_t>(at - drawn.begin)] = start + share * (value - start);
  }
  drag_->step = step;
  drag_->sent = value;
  send_drawn(frame.scene, *drag_);
}

/// The first command makes the clamp; once it is there, others change it.
void ClampHandles::send_drawn(const Scene& scene, Drag& drag) {
  if (!drag.asked) {
    scene.send(command::SetClamp{*drag.drawn});
    drag.asked = drag.drawn;
    return;
  }
  if (*drag.asked == *drag.drawn) return;
  const auto& clamps = scene.snapshot.sequence.clamps;
  const auto there = std::ranges::find(clamps, *drag.asked);
  if (there == clamps.end()) return;
  scene.send(
      command::ReplaceClamp{static_cast<int>(std::distance(clamps.begin(), there)), *drag.drawn});
  drag.asked = drag.drawn;
}

bool ClampHandles::let_go() {
  const bool click = drag_ && !drag_->moved;
  if (drag_ && drag_->drawn) drawn_ = std::move(drag_);
  drag_.reset();
  return click;
}

void ClampHandles::settle(const Scene& scene) {
  if (drawn_) {
    send_drawn(scene, *drawn_);
    // What somebody else has changed meanwhile stays as it is.
    const auto& clamps = scene.snapshot.sequence.clamps;
    const bool asked = std::ranges::find(clamps, *drawn_->asked) != clamps.end();
    if (*drawn_->asked == *drawn_->drawn || (++drawn_->waited > kMostFramesWaited && !asked))
      drawn_.reset();
  }
  if (ImGui::IsMouseDown(ImGuiMouseButton_Left)) return;
  if (drag_ && drag_->drawn) drawn_ = std::move(drag_);
  drag_.reset();
  end_drag_.reset();
}

void ClampHandles::describe(HoverCard& card, bool clampable) const {
  if (drag_ && drag_->moved && drag_->drawn) {
    card.add(
        fmt::format("{} {}, now {}", change_text(*drag_->drawn),
                    steps_text(drag_->drawn->begin, drag_->drawn->end), short_number(drag_->sent)),
        true);
  } else if (drag_ && drag_->moved) {
    card.add(fmt::format("held at {} {}", short_number(drag_->sent),
                         steps_text(drag_->begin, drag_->end)),
             true);
    if (std::abs(drag_->sent) >= static_cast<float>(kLargestClamp)) {
      card.add(fmt::format("±{:.0f} is as far as dragging goes", kLargestClamp));
    }
  } else if (clampable) {
    card.add("drag up or down: hold it there (Shift: at all steps; Alt: draw a curve)");
  }
}

}  // namespace xlab::ui
