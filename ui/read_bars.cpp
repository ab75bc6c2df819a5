// Bars of a vector that is read or put to a memory.
#include "ui/read_bars.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

namespace xlab::ui {

Axis axis_of_bars(std::span<const double> numbers, std::span<const double> beside) {
  double most = 0.0;
  for (const std::span<const double> all : {numbers, beside})
    for (const double x : all)
      if (std::isfinite(x)) most = std::max(most, std::abs(x));
  if (most == 0.0) most = 1.0;
  return {-1.1 * most, 1.1 * most};
}

void draw_bars(Painter& painter, const BarLane& lane, std::span<const double> numbers,
               std::span<const double> beside) {
  const Box& box = lane.box;
  if (box.empty() || numbers.empty()) return;
  const Palette& palette = painter.palette();
  draw_axis(painter, box, lane.axis, lane.gutter);
  painter.outline(box, palette.grid);
  const float zero = lane.axis.y(0.0, box);
  const float width = box.width() / static_cast<float>(numbers.size());
  const float gap = width > painter.px(5) ? painter.px(1) : 0.0f;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const float x = box.min.x + width * static_cast<float>(i);
    Box bar{{x + gap, box.min.y}, {x + width - gap, box.max.y}};
    if (std::isfinite(numbers[i])) {
      const float y = std::clamp(lane.axis.y(numbers[i], box), box.min.y, box.max.y);
      bar.min.y = std::min(y, zero);
      bar.max.y = std::max({y, zero, bar.min.y + 1.0f});
      painter.fill(bar, static_cast<int>(i) == lane.pointed ? palette.accent : lane.colour);
    } else {
      painter.fill(bar, kNotANumber);
      painter.hatch(bar, IM_COL32_BLACK);
    }
    if (i < beside.size() && std::isfinite(beside[i])) {
      const float y = std::clamp(lane.axis.y(beside[i], box), box.min.y, box.max.y);
      painter.line({x + gap, y}, {x + width - gap, y}, {palette.text, painter.line_width()});
    }
  }
  painter.line({box.min.x, zero}, {box.max.x, zero}, {palette.muted_text, 1.0f});
  if (lane.marked >= 0 && lane.marked < static_cast<int>(numbers.size())) {
    const float x = box.min.x + width * (static_cast<float>(lane.marked) + 0.5f);
    const float r = painter.px(4);
    const ImVec2 tip[] = {{x, box.max.y - r * 1.6f}, {x + r, box.max.y}, {x - r, box.max.y}};
    painter.polygon(tip, palette.accent);
  }
  if (lane.below.height() < painter.line_height()) return;
  const std::string last = std::to_string(numbers.size() - 1);
  const Box under{{box.min.x, lane.below.min.y}, {box.max.x, lane.below.max.y}};
  painter.text_in(under, palette.muted_text, "0");
  if (numbers.size() > 1 && painter.measure(last).x + painter.px(24) < under.width())
    painter.text_in(under, palette.muted_text, last, Align::right);
  const std::string words[] = {lane.words};
  painter.first_in(under.inset(painter.measure(last).x + painter.px(8), 0), palette.muted_text,
                   words, Align::centre);
}

int bar_at(const BarLane& lane, float x, std::size_t count) {
  const float width = std::max(lane.box.width(), 1.0f);
  return std::clamp(static_cast<int>((x - lane.box.min.x) / width * static_cast<float>(count)), 0,
                    std::max(static_cast<int>(count) - 1, 0));
}

}  // namespace xlab::ui
