// The ground a view stands on: background, text size and the look of ImGui's controls.
#include "ui/panel.hpp"

#include <algorithm>

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

bool button_at(const char* label, const Box& box) {
  if (box.empty()) return false;
  ImGui::SetCursorScreenPos(box.min);
  return ImGui::Button(label, box.size());
}

int tabs_at(Painter& painter, const char* id, ImVec2 at, std::span<const std::string> labels,
            int selected, float* used) {
  const Palette& palette = painter.palette();
  const float height = painter.line_height() + painter.px(4);
  float x = at.x;
  int result = selected;
  ImGui::PushID(id);
  for (int i = 0; i < static_cast<int>(labels.size()); ++i) {
    const std::string& label = labels[static_cast<std::size_t>(i)];
    const float width = painter.measure(label).x + painter.px(14);
    const Box box{{x, at.y}, {x + width, at.y + height}};
    ImGui::PushID(i);
    const Touch t = touch("tab", box);
    ImGui::PopID();
    if (t.pressed) result = i;
    const bool chosen = i == selected;
    painter.fill(box, t.hovered ? palette.control_hovered : palette.control, painter.px(3));
    if (chosen) {
      painter.outline(box, palette.accent, painter.px(2), painter.px(3));
    }
    painter.text_in(box, chosen ? palette.text : palette.muted_text, label, Align::centre);
    x += width + painter.px(4);
  }
  ImGui::PopID();
  if (used) *used = x - at.x;
  return result;
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
