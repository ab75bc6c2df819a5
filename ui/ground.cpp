// The ground a view stands on: background, text size and the look of ImGui's controls.
#include "ui/ground.hpp"

#include <algorithm>
#include <cmath>

namespace xlab::ui {

Panel::Panel(const Scene& scene, const char* id, ImVec2 size, bool scrolls) {
  const Palette& p = scene.palette;
  const auto colour = [&](ImGuiCol which, ImU32 value) {
    ImGui::PushStyleColor(which, value);
    ++colours_;
  };
  colour(ImGuiCol_Text, p.text);
  colour(ImGuiCol_TextDisabled, p.muted_text);
  colour(ImGuiCol_ChildBg, p.panel);
  colour(ImGuiCol_PopupBg, p.panel);
  colour(ImGuiCol_Border, p.grid);
  colour(ImGuiCol_Button, p.control);
  colour(ImGuiCol_ButtonHovered, p.control_hovered);
  colour(ImGuiCol_ButtonActive, mix(p.control_hovered, p.accent, 0.35f));
  colour(ImGuiCol_FrameBg, p.control);
  colour(ImGuiCol_FrameBgHovered, p.control_hovered);
  colour(ImGuiCol_FrameBgActive, p.control_hovered);
  colour(ImGuiCol_SliderGrab, p.accent);
  colour(ImGuiCol_SliderGrabActive, p.accent);
  colour(ImGuiCol_CheckMark, p.accent);
  colour(ImGuiCol_ScrollbarBg, with_alpha(p.grid, 0.35f));
  colour(ImGuiCol_ScrollbarGrab, mix(p.grid, p.muted_text, 0.4f));
  colour(ImGuiCol_ScrollbarGrabHovered, p.muted_text);
  colour(ImGuiCol_ScrollbarGrabActive, p.accent);
  const auto variable = [&](ImGuiStyleVar which, auto value) {
    ImGui::PushStyleVar(which, value);
    ++variables_;
  };
  const float s = scene.scale;
  variable(ImGuiStyleVar_FramePadding, ImVec2(6 * s, 2 * s));
  variable(ImGuiStyleVar_ItemSpacing, ImVec2(6 * s, 4 * s));
  variable(ImGuiStyleVar_FrameRounding, 3 * s);
  variable(ImGuiStyleVar_GrabMinSize, 10 * s);
  variable(ImGuiStyleVar_GrabRounding, 3 * s);
  variable(ImGuiStyleVar_ScrollbarSize, 11 * s);
  variable(ImGuiStyleVar_WindowPadding, ImVec2(0, 0));
  variable(ImGuiStyleVar_ChildRounding, 0.0f);
  const ImGuiWindowFlags flags =
      scrolls ? ImGuiWindowFlags_None
              : ImGuiWindowFlags_NoScrollbar | ImGuiWindowFlags_NoScrollWithMouse;
  ImGui::BeginChild(id, {std::max(size.x, 1.0f), std::max(size.y, 1.0f)}, false,
                    flags | ImGuiWindowFlags_NoNav);
  ImGui::SetWindowFontScale(1.0f);
  ImGui::SetWindowFontScale(text_pixels(s) / ImGui::GetFontSize());
  content_.min = ImGui::GetCursorScreenPos();
  const ImVec2 room = ImGui::GetContentRegionAvail();
  content_.max = {content_.min.x + std::max(room.x, 0.0f), content_.min.y + std::max(room.y, 0.0f)};
}

Panel::~Panel() {
  ImGui::EndChild();
  ImGui::PopStyleVar(variables_);
  ImGui::PopStyleColor(colours_);
}

Touch touch(const char* id, const Box& box) {
  Touch result;
  result.mouse = ImGui::GetIO().MousePos;
  if (box.empty()) return result;
  ImGui::SetCursorScreenPos(box.min);
  ImGui::InvisibleButton(id, box.size());
  result.hovered = ImGui::IsItemHovered();
  result.pressed = ImGui::IsItemActivated();
  result.held = ImGui::IsItemActive();
  result.released = ImGui::IsItemDeactivated();
  return result;
}

Touch control(const Painter& painter, const char* id, const Box& box, const Reach& reach) {
  Touch result = touch(id, box);
  Stops* const stops = painter.stops();
  const ImGuiID name = ImGui::GetID(id);
  // One that has the keys keeps them when there is nothing to press any more.
  if (!stops || box.empty() || (!reach.enabled && !stops->is_chosen(name))) return result;
  const ImDrawList& list = *ImGui::GetWindowDrawList();
  const Box seen{list.GetClipRectMin(), list.GetClipRectMax()};
  const Stops::Keys keys =
      stops->control(name, {box.min, box.max, seen.min, seen.max}, reach.arrows, reach.group);
  if (keys.arrived && (box.min.y < seen.min.y || box.max.y > seen.max.y))
    ImGui::SetScrollHereY(0.5f);
  result.chosen = keys.chosen;
  if (!reach.enabled) return result;
  result.pressed |= keys.pressed;
  result.notches = keys.notches;
  return result;
}

void draw_ring(const Scene& scene) {
  if (!scene.stops || !scene.stops->ring()) return;
  const auto [min, max, seen_min, seen_max] = *scene.stops->ring();
  if (min.x >= seen_max.x || min.y >= seen_max.y || max.x <= seen_min.x || max.y <= seen_min.y)
    return;
  const float width = 2.0f * scene.scale, away = 2.5f * scene.scale;
  // Of another colour than what marks a chosen tab; kept inside the drawing.
  const ImVec2 room = ImGui::GetIO().DisplaySize;
  ImGui::GetForegroundDrawList()->AddRect(
      {std::max(min.x - away, width / 2), std::max(min.y - away, width / 2)},
      {std::min(max.x + away, room.x - width / 2), std::min(max.y + away, room.y - width / 2)},
      scene.palette.text, 5.0f * scene.scale, 0, width);
}

bool button_at(Painter& painter, const char* id, const Box& box, std::string_view word,
               bool enabled) {
  if (painter.exporting()) return false;
  const Palette& palette = painter.palette();
  const Touch t = control(painter, id, box, {.enabled = enabled});
  painter.fill(box, enabled && t.hovered ? palette.control_hovered : palette.control,
               painter.px(3));
  painter.text_in(box.inset(painter.px(4), 0),
                  enabled ? palette.text : with_alpha(palette.muted_text, 0.6f), word,
                  Align::centre);
  return enabled && t.pressed;
}

bool check_at(Painter& painter, const char* id, const Box& box, std::string_view word,
              bool ticked) {
  if (painter.exporting()) return false;
  const Palette& palette = painter.palette();
  const Touch t = control(painter, id, box);
  Box rest = box;
  const float side = std::min(painter.px(14), box.height());
  Box tick = rest.cut_left(side);
  tick = tick.inset(0, (tick.height() - side) / 2);
  painter.fill(tick, t.hovered ? palette.control_hovered : palette.control, painter.px(3));
  painter.outline(tick, palette.muted_text, 1.0f, painter.px(3));
  if (ticked && !tick.empty()) {
    const float x = tick.min.x, y = tick.min.y;
    const ImVec2 mark[] = {{x + side * 0.22f, y + side * 0.52f},
                           {x + side * 0.43f, y + side * 0.74f},
                           {x + side * 0.80f, y + side * 0.28f}};
    painter.curve(mark, {palette.accent, painter.px(2)});
  }
  rest.cut_left(painter.px(7));
  painter.text_in(rest, palette.text, word);
  return t.pressed;
}

bool slider_at(Painter& painter, const char* id, const Box& box, double& value, double low,
               double high, bool logarithmic, std::string_view text, double least) {
  if (painter.exporting()) return false;
  const Palette& palette = painter.palette();
  const Touch t = control(painter, id, box, {.arrows = Arrows::turn});
  bool changed = false;
  const auto move_to = [&](double share) {
    share = std::clamp(share, 0.0, 1.0);
    const double next =
        logarithmic ? low * std::pow(high / low, share) : low + (high - low) * share;
    changed = next != value;
    value = next;
  };
  const auto share_of = [&] {
    const double share = logarithmic ? std::log(std::max(value, 1e-12) / low) / std::log(high / low)
                                     : (value - low) / (high - low);
    return std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  };
  if (t.held && box.width() > 1.0f) {
    move_to(static_cast<double>((t.mouse.x - box.min.x) / box.width()));
  } else if (t.notches != 0) {
    constexpr double kNotch = 0.05;
    const double before = value;
    move_to(share_of() + kNotch * t.notches);
    if (std::abs(value - before) < least)
      value = std::clamp(before + (t.notches > 0 ? least : -least), low, high);
    changed = value != before;
  }
  const double share = share_of();
  painter.fill(box, t.hovered || t.held ? palette.control_hovered : palette.control, painter.px(3));
  const float x = box.min.x + box.width() * static_cast<float>(share);
  painter.fill({box.min, {x, box.max.y}}, with_alpha(palette.accent, 0.22f), painter.px(3));
  const float half = painter.px(1.5f);
  const float grip = std::clamp(x, box.min.x + half, std::max(box.min.x + half, box.max.x - half));
  // The grip is seen whole, but never through the words on the slider.
  const float words = painter.measure(text).x / 2 + painter.px(3);
  const Box whole{{grip - half, box.min.y}, {grip + half, box.max.y}};
  if (std::abs(grip - box.centre().x) > words) {
    painter.fill(whole, palette.accent);
  } else {
    Box ends = whole;
    painter.fill(ends.cut_top(box.height() * 0.18f), palette.accent);
    painter.fill(ends.cut_bottom(box.height() * 0.18f), palette.accent);
  }
  painter.text_in(box.inset(painter.px(4), 0), palette.text, text, Align::centre);
  return changed;
}

namespace {

constexpr float kTabGap = 4.0f, kTabPad = 14.0f, kArrow = 20.0f;

struct TabWidths {
  float all = 0.0f, widest = 0.0f;
};

TabWidths tab_widths(const Painter& painter, std::span<const std::string> labels) {
  TabWidths widths;
  for (const std::string& label : labels) {
    const float width = painter.measure(label).x + painter.px(kTabPad);
    widths.all += width + painter.px(kTabGap);
    widths.widest = std::max(widths.widest, width);
  }
  return widths;
}

}  // namespace

ChooserWidths chooser_widths(const Painter& painter, std::span<const std::string> labels) {
  const TabWidths widths = tab_widths(painter, labels);
  // A pixel more, so that cutting a box to this width loses no tab to rounding.
  return {widths.all + 1.0f, widths.widest + painter.px(2 * kArrow + kTabGap)};
}

float chooser_width(const Painter& painter, std::span<const std::string> labels) {
  const TabWidths widths = tab_widths(painter, labels);
  return std::min(widths.all, widths.widest + 2 * painter.px(kArrow));
}

int choose_at(Painter& painter, const char* id, Box& row, std::span<const std::string> labels,
              int chosen) {
  if (labels.empty() || row.empty()) return chosen;
  const Palette& palette = painter.palette();
  const int last = static_cast<int>(labels.size()) - 1;
  chosen = std::clamp(chosen, 0, last);
  if (painter.exporting()) {
    const std::string& label = labels[static_cast<std::size_t>(chosen)];
    painter.text_in(row.cut_left(painter.measure(label).x + painter.px(2)), palette.text, label);
    row.cut_left(painter.px(10));
    return chosen;
  }
  const float gap = painter.px(kTabGap), pad = painter.px(kTabPad);
  const auto [needed, widest] = tab_widths(painter, labels);
  int result = chosen;
  ImGui::PushID(id);
  if (needed <= row.width()) {
    const ImGuiID group = ImGui::GetID("tabs");
    for (int i = 0; i <= last; ++i) {
      const std::string& label = labels[static_cast<std::size_t>(i)];
      const Box box = row.cut_left(painter.measure(label).x + pad);
      row.cut_left(gap);
      ImGui::PushID(i);
      const Touch t = control(painter, "tab", box, {.arrows = Arrows::row, .group = group});
      ImGui::PopID();
      if (t.pressed) result = i;
      painter.fill(box, t.hovered ? palette.control_hovered : palette.control, painter.px(3));
      if (i == chosen) {
        const float width = painter.px(1.5f);
        painter.outline(box.inset(width / 2, width / 2), palette.accent, width, painter.px(3));
      }
      painter.text_in(box, i == chosen ? palette.text : palette.muted_text, label, Align::centre);
    }
  } else {
    const float arrow = painter.px(kArrow);
    if (button_at(painter, "before", row.cut_left(arrow), "◂", chosen > 0)) result = chosen - 1;
    const Box middle = row.cut_left(std::clamp(row.width() - arrow, 0.0f, widest));
    painter.first_in(middle, palette.text, labels.subspan(static_cast<std::size_t>(chosen), 1),
                     Align::centre);
    if (button_at(painter, "after", row.cut_left(arrow), "▸", chosen < last)) result = chosen + 1;
    row.cut_left(gap);
  }
  ImGui::PopID();
  return std::clamp(result, 0, last);
}

void say_no_run(Painter& painter, const Box& box, std::string_view purpose) {
  say(painter, box, "No run is open. Open or make one to " + std::string(purpose) + ".");
}

void say(Painter& painter, const Box& box, std::string_view sentence) {
  if (box.empty()) return;
  const float width = std::min(box.width() - painter.px(16), painter.px(420));
  if (width < painter.px(24)) return;
  const float height = painter.paragraph({0, 0}, width, 0, sentence, Weight::regular, false);
  // A single line stands in the middle; more than one reads better from a common left edge.
  const float x = std::max(box.centre().x - std::min(width, painter.measure(sentence).x) / 2,
                           box.min.x + painter.px(8));
  const float y = std::max(box.centre().y - height / 2, box.min.y);
  painter.paragraph({x, y}, width, painter.palette().muted_text, sentence);
}

}  // namespace xlab::ui
