// Boxes, text and lines on an ImGui draw list, in the colours and at the size of a scene.
#include "ui/paint.hpp"

#include <algorithm>
#include <cmath>

namespace xlab::ui {
namespace {

bool finite(ImVec2 p) {
  return std::isfinite(p.x) && std::isfinite(p.y);
}

/// The byte after the character that starts at `i`.
std::size_t next_character(std::string_view text, std::size_t i) {
  ++i;
  while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) ++i;
  return i;
}

}  // namespace

Box Box::inset(float x, float y) const {
  const ImVec2 c = centre();
  return {{std::min(min.x + x, c.x), std::min(min.y + y, c.y)},
          {std::max(max.x - x, c.x), std::max(max.y - y, c.y)}};
}

Box Box::cut_top(float height) {
  Box part = *this;
  part.max.y = min.y = std::clamp(min.y + height, min.y, std::max(min.y, max.y));
  return part;
}

Box Box::cut_bottom(float height) {
  Box part = *this;
  part.min.y = max.y = std::clamp(max.y - height, min.y, std::max(min.y, max.y));
  return part;
}

Box Box::cut_left(float width) {
  Box part = *this;
  part.max.x = min.x = std::clamp(min.x + width, min.x, std::max(min.x, max.x));
  return part;
}

Box Box::cut_right(float width) {
  Box part = *this;
  part.min.x = max.x = std::clamp(max.x - width, min.x, std::max(min.x, max.x));
  return part;
}

float text_pixels(float scale, TextSize size) {
  // 12 px at 96 dpi are 9 pt; a scale below 1 must not make it smaller.
  const float base = size == TextSize::small ? 12.0f : size == TextSize::body ? 14.0f : 18.0f;
  return std::max(base * scale, 12.0f);
}

Painter::Painter(const Scene& scene)
    : list_(ImGui::GetWindowDrawList()),
      palette_(scene.palette),
      scale_(scene.scale),
      font_(ImGui::GetFont()) {}

float Painter::line_height(TextSize size) const {
  return std::ceil(text_pixels(scale_, size) * 1.25f);
}

ImVec2 Painter::measure(std::string_view text, TextSize size) const {
  return font_->CalcTextSizeA(text_pixels(scale_, size), FLT_MAX, 0.0f, text.data(),
                              text.data() + text.size());
}

std::string Painter::fit(std::string_view text, float width, TextSize size) const {
  if (measure(text, size).x <= width) return std::string(text);
  const float room = width - measure("…", size).x;
  std::size_t end = 0;
  while (end < text.size()) {
    const std::size_t next = next_character(text, end);
    if (measure(text.substr(0, next), size).x > room) break;
    end = next;
  }
  while (end > 0 && text[end - 1] == ' ') --end;
  return end == 0 ? std::string() : std::string(text.substr(0, end)) + "…";
}

std::string Painter::fit_first(std::span<const std::string> texts, float width,
                               TextSize size) const {
  for (const std::string& text : texts) {
    if (measure(text, size).x <= width) return text;
  }
  return texts.empty() ? std::string() : fit(texts.back(), width, size);
}

void Painter::text(ImVec2 at, ImU32 colour, std::string_view text, TextSize size) {
  // Whole pixels keep glyphs sharp.
  list_->AddText(font_, text_pixels(scale_, size), {std::floor(at.x), std::floor(at.y)}, colour,
                 text.data(), text.data() + text.size());
}

void Painter::text_in(const Box& box, ImU32 colour, std::string_view words, Align align,
                      TextSize size) {
  if (box.empty()) return;
  const std::string shown = fit(words, box.width() + 0.5f, size);
  if (shown.empty()) return;
  const ImVec2 extent = measure(shown, size);
  const float room = box.width() - extent.x;
  const float x = align == Align::left ? 0.0f : align == Align::centre ? room / 2 : room;
  text({box.min.x + std::max(x, 0.0f), box.min.y + (box.height() - extent.y) / 2}, colour, shown,
       size);
}

float Painter::paragraph(ImVec2 at, float width, ImU32 colour, std::string_view words,
                         TextSize size, bool draw) {
  const float height = line_height(size);
  const float pixels = text_pixels(scale_, size);
  const char* line = words.data();
  const char* end = words.data() + words.size();
  float y = at.y;
  while (line < end) {
    const char* stop = std::find(line, end, '\n');
    const char* wrap =
        font_->CalcWordWrapPositionA(pixels / font_->FontSize, line, stop, std::max(width, pixels));
    // A word wider than the line is broken; at least one character goes on every line.
    if (wrap <= line && line < stop) {
      const std::string_view rest(line, static_cast<std::size_t>(stop - line));
      wrap = line + next_character(rest, 0);
    }
    if (draw) {
      text({at.x, y}, colour, std::string_view(line, static_cast<std::size_t>(wrap - line)), size);
    }
    y += height;
    line = wrap;
    while (line < end && *line == ' ') ++line;
    if (line < end && *line == '\n' && line == stop) ++line;
  }
  return y - at.y;
}

void Painter::fill(const Box& box, ImU32 colour, float rounding) {
  if (box.max.x > box.min.x && box.max.y > box.min.y) {
    list_->AddRectFilled(box.min, box.max, colour, rounding);
  }
}

void Painter::outline(const Box& box, ImU32 colour, float width, float rounding) {
  if (box.empty()) return;
  list_->AddRect(box.min, box.max, colour, rounding, 0, width);
}

void Painter::line(ImVec2 a, ImVec2 b, const Stroke& stroke) {
  const ImVec2 points[2] = {a, b};
  curve(points, stroke);
}

void Painter::curve(std::span<const ImVec2> points, const Stroke& stroke) {
  std::vector<ImVec2> run;
  const auto flush = [&] {
    if (run.size() == 1) {
      list_->AddCircleFilled(run[0], stroke.width, stroke.colour, 8);
    } else if (stroke.dash != Dash::solid) {
      dashed(run, stroke);
    } else if (run.size() > 1) {
      list_->AddPolyline(run.data(), static_cast<int>(run.size()), stroke.colour, 0, stroke.width);
    }
    run.clear();
  };
  for (const ImVec2& point : points) {
    if (!finite(point)) {
      flush();
      continue;
    }
    if (stroke.stepped && !run.empty()) run.push_back({point.x, run.back().y});
    run.push_back(point);
  }
  flush();
}

void Painter::dashed(std::span<const ImVec2> points, const Stroke& stroke) {
  const float unit = std::max(stroke.width, px(1.0f));
  std::vector<float> pattern;  // on, off, on, off, ...
  if (stroke.dash == Dash::dashed) pattern = {unit * 5, unit * 3};
  if (stroke.dash == Dash::dotted) pattern = {unit * 1.3f, unit * 2.2f};
  if (stroke.dash == Dash::dash_dot) pattern = {unit * 5, unit * 2.5f, unit * 1.3f, unit * 2.5f};
  std::size_t phase = 0;
  float left = pattern[0];
  for (std::size_t i = 1; i < points.size(); ++i) {
    const ImVec2 a = points[i - 1], b = points[i];
    const float length = std::hypot(b.x - a.x, b.y - a.y);
    if (!(length > 0.0f)) continue;
    const auto along = [&](float s) {
      return ImVec2(a.x + (b.x - a.x) * s / length, a.y + (b.y - a.y) * s / length);
    };
    float done = 0.0f;
    while (done < length) {
      const float part = std::min(left, length - done);
      if (phase % 2 == 0) {
        list_->AddLine(along(done), along(done + part), stroke.colour, stroke.width);
      }
      done += part;
      left -= part;
      if (left <= 0.01f) {
        phase = (phase + 1) % pattern.size();
        left = pattern[phase];
      }
      if (part <= 0.0f) break;
    }
  }
}

void Painter::hatch(const Box& box, ImU32 colour) {
  if (box.empty()) return;
  const float gap = std::max(px(4.0f), 3.0f);
  list_->PushClipRect(box.min, box.max, true);
  const float h = box.height();
  const int lines = std::min(static_cast<int>((box.width() + h) / gap) + 1, 400);
  for (int i = 0; i < lines; ++i) {
    const float x = box.min.x + static_cast<float>(i) * gap;
    list_->AddLine({x, box.min.y}, {x - h, box.max.y}, colour, std::max(1.0f, px(1.0f)));
  }
  list_->PopClipRect();
}

float Painter::badge(ImVec2 at, const GateStyle& style) {
  const float side = line_height(TextSize::small);
  const Box box{at, {at.x + side, at.y + side}};
  fill(box, style.colour, px(3.0f));
  text_in(box, readable_on(style.colour), style.letter, Align::centre, TextSize::small);
  return side;
}

void hover_card(const Scene& scene, std::span<const CardLine> lines) {
  if (lines.empty()) return;
  ImDrawList* list = ImGui::GetForegroundDrawList();
  ImFont* font = ImGui::GetFont();
  const Palette& palette = scene.palette;
  const float pad = 6.0f * scene.scale, pixels = text_pixels(scene.scale, TextSize::small);
  const float line_height = std::ceil(pixels * 1.3f);
  const ImVec2 screen = ImGui::GetIO().DisplaySize;
  float width = 0.0f;
  for (const CardLine& line : lines) {
    width = std::max(width, font->CalcTextSizeA(pixels, FLT_MAX, 0.0f, line.text.c_str()).x);
  }
  const ImVec2 size{width + 2 * pad, line_height * static_cast<float>(lines.size()) + 2 * pad};
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  const float away = 14.0f * scene.scale;
  ImVec2 at{mouse.x + away, mouse.y + away};
  if (at.x + size.x > screen.x) at.x = mouse.x - away - size.x;
  if (at.y + size.y > screen.y) at.y = mouse.y - away - size.y;
  at = {std::floor(std::clamp(at.x, 0.0f, std::max(0.0f, screen.x - size.x))),
        std::floor(std::clamp(at.y, 0.0f, std::max(0.0f, screen.y - size.y)))};
  const ImVec2 corner{at.x + size.x, at.y + size.y};
  list->AddRectFilled(at, corner, palette.panel, 4.0f * scene.scale);
  list->AddRect(at, corner, palette.muted_text, 4.0f * scene.scale);
  float y = at.y + pad;
  for (const CardLine& line : lines) {
    list->AddText(font, pixels, {at.x + pad, y}, line.strong ? palette.text : palette.muted_text,
                  line.text.c_str());
    y += line_height;
  }
}

}  // namespace xlab::ui
