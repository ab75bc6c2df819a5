// Boxes, text and lines on an ImGui draw list, in the colours and at the size of a scene.
#include "ui/paint.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ui/draw_log.hpp"
#include "ui/drawable.hpp"
#include "ui/number.hpp"

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

float text_pixels(float scale) {
  const float wanted = std::max(12.0f, std::round(13.0f * scale));
  const float built = ImGui::GetFont()->FontSize * ImGui::GetIO().FontGlobalScale;
  return std::abs(built - wanted) < 0.08f * wanted && built >= 12.0f ? built : wanted;
}

Painter::Painter(const Scene& scene)
    : list_(ImGui::GetWindowDrawList()),
      log_(scene.log),
      stops_(scene.stops),
      palette_(scene.palette),
      scale_(scene.scale),
      pixels_(text_pixels(scene.scale)),
      exporting_(scene.exporting) {}

// The second font of the atlas, where there is one, is the bold face.
ImFont* Painter::font(Weight weight) const {
  const ImFontAtlas* atlas = ImGui::GetIO().Fonts;
  return weight == Weight::bold && atlas->Fonts.Size > 1 ? atlas->Fonts[1] : ImGui::GetFont();
}

float Painter::line_height() const {
  return std::ceil(pixels_ * 1.25f);
}

ImVec2 Painter::measure(std::string_view words, Weight weight) const {
  const std::optional<std::string> other = drawable(words, *font(weight));
  const std::string_view text = other ? std::string_view(*other) : words;
  return font(weight)->CalcTextSizeA(pixels_, FLT_MAX, 0.0f, text.data(),
                                     text.data() + text.size());
}

std::string Painter::fit(std::string_view text, float width, Weight weight) const {
  if (measure(text, weight).x <= width) return std::string(text);
  const float room = width - measure("…", weight).x;
  std::size_t end = 0;
  while (end < text.size()) {
    const std::size_t next = next_character(text, end);
    if (measure(text.substr(0, next), weight).x > room) break;
    end = next;
  }
  while (end > 0 && text[end - 1] == ' ') --end;
  return end == 0 ? std::string() : std::string(text.substr(0, end)) + "…";
}

std::string Painter::fit_first(std::span<const std::string> texts, float width,
                               Weight weight) const {
  for (const std::string& text : texts) {
    if (measure(text, weight).x <= width) return text;
  }
  return texts.empty() ? std::string() : fit(texts.back(), width, weight);
}

std::string Painter::fit_number(double value, float width, std::string_view before,
                                Weight weight) const {
  for (const std::string& form : number_forms(value)) {
    std::string whole = std::string(before) + form;
    if (measure(whole, weight).x <= width) return whole;
  }
  return {};
}

Box Painter::clip() const {
  return {list_->GetClipRectMin(), list_->GetClipRectMax()};
}

void Painter::write(ImVec2 at, ImU32 colour, std::string_view shown, std::string_view wanted,
                    Weight weight) {
  // Whole pixels keep glyphs sharp.
  const ImVec2 place{std::floor(at.x), std::floor(at.y)};
  const std::optional<std::string> other = drawable(shown, *font(weight));
  const std::string_view drawn = other ? std::string_view(*other) : shown;
  list_->AddText(font(weight), pixels_, place, colour, drawn.data(), drawn.data() + drawn.size());
  if (!log_) return;
  const ImVec2 extent = measure(shown, weight);
  log_->texts.push_back({.shown = std::string(drawn),
                         .wanted = drawable(wanted, *font(weight)).value_or(std::string(wanted)),
                         .box = {place, {place.x + extent.x, place.y + extent.y}},
                         .clip = clip(),
                         .colour = colour,
                         .weight = weight,
                         .order = log_->drawn++,
                         .ascent = font(weight)->Ascent * pixels_ / font(weight)->FontSize});
}

void Painter::text(ImVec2 at, ImU32 colour, std::string_view text, Weight weight) {
  write(at, colour, text, text, weight);
}

void Painter::text_in(const Box& box, ImU32 colour, std::string_view words, Align align,
                      Weight weight) {
  if (box.empty()) return;
  const std::string shown = fit(words, box.width() + 0.5f, weight);
  if (shown.empty()) return;
  const ImVec2 extent = measure(shown, weight);
  const float room = box.width() - extent.x;
  const float x = align == Align::left ? 0.0f : align == Align::centre ? room / 2 : room;
  write({box.min.x + std::max(x, 0.0f), box.min.y + (box.height() - extent.y) / 2}, colour, shown,
        words, weight);
}

bool Painter::number_in(const Box& box, ImU32 colour, double value, Align align, Weight weight,
                        std::string_view before) {
  const std::string words = fit_number(value, box.width() + 0.5f, before, weight);
  if (words.empty() || box.empty()) return false;
  text_in(box, colour, words, align, weight);
  return true;
}

bool Painter::first_in(const Box& box, ImU32 colour, std::span<const std::string> texts,
                       Align align, Weight weight) {
  for (const std::string& words : texts) {
    if (words.empty() || box.empty() || measure(words, weight).x > box.width() + 0.5f) continue;
    text_in(box, colour, words, align, weight);
    return true;
  }
  return false;
}

void Painter::text_up(const Box& box, ImU32 colour, std::string_view words, Align align) {
  if (box.empty()) return;
  const int first = list_->VtxBuffer.Size;
  // Written flat where the clip rectangle cannot swallow it, then turned into place.
  const ImVec2 origin = list_->GetClipRectMin();
  const std::size_t before = log_ ? log_->texts.size() : 0;
  text_in({origin, {origin.x + box.height(), origin.y + box.width()}}, colour, words, align);
  for (int i = first; i < list_->VtxBuffer.Size; ++i) {
    ImVec2& p = list_->VtxBuffer[i].pos;
    p = {box.min.x + (p.y - origin.y), box.max.y - (p.x - origin.x)};
  }
  if (!log_ || log_->texts.size() == before) return;
  DrawLog::Text& text = log_->texts.back();
  const Box flat = text.box;
  text.box = {{box.min.x + (flat.min.y - origin.y), box.max.y - (flat.max.x - origin.x)},
              {box.min.x + (flat.max.y - origin.y), box.max.y - (flat.min.x - origin.x)}};
  text.upwards = true;
}

std::vector<std::string> Painter::broken(std::string_view words, float width, Weight weight) const {
  std::vector<std::string> lines;
  while (!words.empty()) {
    const std::size_t newline = words.find('\n');
    const std::string_view whole = words.substr(0, newline);
    const std::string_view line = whole.substr(0, line_end(whole, width, weight));
    lines.emplace_back(line);
    std::size_t next = line.size();
    while (next < whole.size() && whole[next] == ' ') ++next;
    if (next == whole.size() && newline != std::string_view::npos) ++next;
    words.remove_prefix(next);
  }
  return lines;
}

float Painter::paragraph(ImVec2 at, float width, ImU32 colour, std::string_view words,
                         Weight weight, bool draw) {
  float y = at.y;
  for (const std::string& line : broken(words, width, weight)) {
    if (draw) text({at.x, y}, colour, line, weight);
    y += line_height();
  }
  return y - at.y;
}

std::size_t Painter::line_end(std::string_view line, float width, Weight weight) const {
  std::size_t end = 0;
  // Broken at spaces only, so that numbers stay whole.
  while (end < line.size()) {
    std::size_t word = line.find(' ', end + 1);
    if (word == std::string_view::npos) word = line.size();
    if (measure(line.substr(0, word), weight).x > width) break;
    end = word;
  }
  // A word wider than the line is cut; at least one character goes on every line.
  if (end > 0 || line.empty()) return end;
  end = next_character(line, 0);
  while (end < line.size()) {
    const std::size_t next = next_character(line, end);
    if (measure(line.substr(0, next), weight).x > width) break;
    end = next;
  }
  return end;
}

void Painter::fill(const Box& box, ImU32 colour, float rounding) {
  if (box.max.x > box.min.x && box.max.y > box.min.y) {
    list_->AddRectFilled(box.min, box.max, colour, rounding);
    if (log_) {
      log_->fills.push_back({.box = box,
                             .clip = clip(),
                             .colour = colour,
                             .order = log_->drawn++,
                             .rounding = rounding});
    }
  }
}

void Painter::outline(const Box& box, ImU32 colour, float width, float rounding) {
  if (box.empty()) return;
  list_->AddRect(box.min, box.max, colour, rounding, 0, width);
  if (log_) log_->outlines.push_back({box, clip(), colour, log_->drawn++, width, rounding});
}

void Painter::line(ImVec2 a, ImVec2 b, const Stroke& stroke) {
  const ImVec2 points[2] = {a, b};
  curve(points, stroke);
}

void Painter::curve(std::span<const ImVec2> points, const Stroke& stroke) {
  if (log_) {
    log_->lines.push_back({{points.begin(), points.end()}, stroke, clip(), log_->drawn++});
  }
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
  // A point twice has no direction, and a line through it would swell into a wedge.
  const auto add = [&](ImVec2 point) {
    if (run.empty() || run.back().x != point.x || run.back().y != point.y) run.push_back(point);
  };
  for (const ImVec2& point : points) {
    if (!finite(point)) {
      flush();
      continue;
    }
    if (stroke.stepped && !run.empty()) add({point.x, run.back().y});
    add(point);
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

void Painter::polygon(std::span<const ImVec2> corners, ImU32 colour) {
  list_->AddConvexPolyFilled(corners.data(), static_cast<int>(corners.size()), colour);
  if (log_)
    log_->polygons.push_back({{corners.begin(), corners.end()}, colour, clip(), log_->drawn++});
}

void Painter::disc(ImVec2 centre, float radius, ImU32 colour) {
  list_->AddCircleFilled(centre, radius, colour);
  if (log_) log_->circles.push_back({centre, radius, colour, 0.0f, clip(), log_->drawn++});
}

void Painter::ring(ImVec2 centre, float radius, ImU32 colour, float width) {
  list_->AddCircle(centre, radius, colour, 0, width);
  if (log_) log_->circles.push_back({centre, radius, colour, width, clip(), log_->drawn++});
}

void Painter::hatch(const Box& box, ImU32 colour) {
  if (box.empty()) return;
  if (log_) log_->hatches.push_back({box, log_->drawn++, false, clip()});
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
  const float side = line_height();
  const Box box{at, {at.x + side, at.y + side}};
  fill(box, style.colour, px(3.0f));
  text_in(box, readable_on(style.colour), style.letter, Align::centre);
  return side;
}

void hover_card(const Scene& scene, std::span<const CardLine> sentences) {
  if (sentences.empty()) return;
  ImDrawList* list = ImGui::GetForegroundDrawList();
  ImFont* font = ImGui::GetFont();
  const Palette& palette = scene.palette;
  const float pad = 6.0f * scene.scale, pixels = text_pixels(scene.scale);
  const Painter measure(scene);
  const float most = std::min(420.0f * scene.scale, ImGui::GetIO().DisplaySize.x - 2 * pad - 2.0f);
  std::vector<CardLine> lines;
  for (const CardLine& sentence : sentences) {
    for (const std::string& line : measure.broken(sentence.text, std::max(most, 40.0f))) {
      lines.push_back({drawable(line, *font).value_or(line), sentence.strong});
    }
  }
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
  DrawLog* log = scene.log;
  const Box whole{{0, 0}, screen};
  if (log) {
    log->fills.push_back({.box = {at, corner},
                          .clip = whole,
                          .colour = palette.panel,
                          .on_top = true,
                          .order = log->drawn++});
  }
  float y = at.y + pad;
  for (const CardLine& line : lines) {
    list->AddText(font, pixels, {at.x + pad, y}, line.strong ? palette.text : palette.muted_text,
                  line.text.c_str());
    if (log) {
      const ImVec2 extent = font->CalcTextSizeA(pixels, FLT_MAX, 0.0f, line.text.c_str());
      log->texts.push_back({.shown = line.text,
                            .wanted = line.text,
                            .box = {{at.x + pad, y}, {at.x + pad + extent.x, y + extent.y}},
                            .clip = whole,
                            .colour = line.strong ? palette.text : palette.muted_text,
                            .on_top = true,
                            .order = log->drawn++});
    }
    y += line_height;
  }
}

}  // namespace xlab::ui
