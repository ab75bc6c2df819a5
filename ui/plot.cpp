// Axes, ticks and curves in a box.
#include "ui/plot.hpp"

#include <algorithm>
#include <cmath>

#include "ui/decimate.hpp"
#include "ui/draw_log.hpp"
#include "ui/number.hpp"

namespace xlab::ui {

float Axis::y(double value, const Box& box) const {
  double t = 0.0;
  if (logarithmic) {
    t = value > 0.0 ? std::log(value / low) / std::log(high / low) : -1.0;
  } else {
    t = (value - low) / (high - low);
  }
  // Far outside is as good as just outside, and keeps coordinates within what a renderer can take.
  t = std::clamp(t, -100.0, 100.0);
  return box.max.y - static_cast<float>(t) * box.height();
}

double Axis::value(float y, const Box& box) const {
  const double t = static_cast<double>(box.max.y - y) / std::max(box.height(), 1.0f);
  return logarithmic ? low * std::pow(high / low, t) : low + (high - low) * t;
}

std::vector<double> ticks(const Axis& axis, int most) {
  std::vector<double> result;
  if (most < 1 || !(axis.high > axis.low)) return result;
  if (axis.logarithmic) {
    const int first = static_cast<int>(std::ceil(std::log10(axis.low) - 1e-9));
    const int last = static_cast<int>(std::floor(std::log10(axis.high) + 1e-9));
    const bool dense = (last - first + 1) * 3 <= most;
    const int stride = std::max(1, (last - first + most) / most);
    for (int power = first - 1; power <= last; ++power) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor != 1.0 && !dense) continue;
        if (!dense && (power - first) % stride != 0) continue;
        const double tick = factor * std::pow(10.0, power);
        if (tick >= axis.low * (1 - 1e-9) && tick <= axis.high * (1 + 1e-9)) {
          result.push_back(tick);
        }
      }
    }
    if (result.size() >= 2) return result;
    result.clear();  // less than a decade: even steps say more
  }
  const double span = axis.high - axis.low;
  double step = std::pow(10.0, std::floor(std::log10(span / most)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0, 20.0}) {
    if (span / (step * factor) <= most) {
      step *= factor;
      break;
    }
  }
  for (double i = std::ceil(axis.low / step - 1e-9); i * step <= axis.high + step * 1e-9;
       i += 1.0) {
    result.push_back(i * step);
    if (static_cast<int>(result.size()) > most + 1) break;
  }
  return result;
}

Axis padded(double low, double high, double share) {
  if (!std::isfinite(low) || !std::isfinite(high) || low > high) return {-1.0, 1.0};
  const double least = std::max({std::abs(low), std::abs(high), 1e-6}) * 1e-3;
  const double pad = std::max((high - low) * share, least);
  return {low - pad, high + pad};
}

void draw_axis(Painter& painter, const Box& box, const Axis& axis, float margin) {
  if (box.empty()) return;
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  const int most = std::clamp(static_cast<int>(box.height() / (line * 1.5f)), 3, 8);
  const std::vector<double> marks = ticks(axis, most);
  const double distance = marks.size() > 1 ? marks[1] - marks[0] : axis.high - axis.low;
  float last = FLT_MAX;
  for (const double mark : marks) {
    const float y = std::floor(axis.y(mark, box)) + 0.5f;
    painter.line({box.min.x, y}, {box.max.x, y},
                 {mark == 0.0 ? palette.muted_text : palette.grid, 1.0f});
    // Labels keep clear of each other and of the boxes above and below.
    const float top = std::clamp(y - line / 2, box.min.y - 2.0f,
                                 std::max(box.min.y - 2.0f, box.max.y - line + 2.0f));
    if (last - top < line * 0.95f) continue;
    last = top;
    const double step = axis.logarithmic ? mark : distance;
    painter.text_in({{box.min.x - margin, top}, {box.min.x - painter.px(5), top + line}},
                    palette.muted_text, tick_number(mark, step), Align::right);
  }
}

void draw_curve(Painter& painter, const Box& box, const Axis& axis, std::span<const float> xs,
                std::span<const float> ys, const Stroke& stroke) {
  if (box.empty()) return;
  if (DrawLog* log = painter.log()) {
    log->curves.push_back(
        {box, axis, {xs.begin(), xs.end()}, {ys.begin(), ys.end()}, stroke, log->drawn++});
  }
  painter.list().PushClipRect(box.min, box.max, true);
  std::vector<ImVec2> points;
  const float mark = painter.px(4.0f);
  const std::vector<int> kept = decimate(ys, static_cast<int>(box.width()));
  // Dashes along a curve that goes up and down within a pixel would only be dust.
  Stroke drawn = stroke;
  if (kept.size() < ys.size()) drawn.dash = Dash::solid;
  for (const int index : kept) {
    const auto i = static_cast<std::size_t>(index);
    const float x = xs[i];
    if (std::isfinite(ys[i])) {
      points.push_back({x, axis.y(ys[i], box)});
      continue;
    }
    points.push_back({x, ys[i]});
    // NaN sits in the middle, infinities point out of the box at their side.
    const float y = std::isnan(ys[i]) ? box.centre().y : ys[i] > 0 ? box.min.y : box.max.y;
    const Box cell{{x - mark, std::clamp(y - mark, box.min.y, box.max.y)},
                   {x + mark, std::clamp(y + mark, box.min.y, box.max.y)}};
    painter.fill(cell, kNotANumber);
    painter.hatch(cell, IM_COL32_BLACK);
  }
  painter.curve(points, drawn);
  painter.list().PopClipRect();
}

}  // namespace xlab::ui
