// Axes, ticks and curves in a box.
#include "ui/plot.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

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
  const double decade = std::pow(10.0, std::floor(std::log10(span / most)));
  // A single mark says nothing about the scale: then rather one more than asked for.
  for (const double most_here : {most + 0.0, most + 1.0}) {
    double step = decade;
    for (const double factor : {1.0, 2.0, 5.0, 10.0, 20.0}) {
      if (span / (decade * factor) > most_here) continue;
      step = decade * factor;
      break;
    }
    result.clear();
    for (double i = std::ceil(axis.low / step - 1e-9); i * step <= axis.high + step * 1e-9;
         i += 1.0) {
      result.push_back(i * step);
      if (static_cast<int>(result.size()) > most + 1) break;
    }
    if (result.size() >= 2) break;
  }
  return result;
}

Axis padded(double low, double high, double share) {
  if (!std::isfinite(low) || !std::isfinite(high) || low > high) return {-1.0, 1.0};
  const double size = std::max(std::abs(low), std::abs(high));
  // A constant, or one but for rounding, stands in the middle of an axis of its own size.
  const bool constant = high - low <= size * 1e-6;
  const double pad = !constant ? (high - low) * share : size > 1e-30 ? size / 2 : 1.0;
  return {low - pad, high + pad};
}

namespace {

constexpr float kAxisGap = 5.0f;  ///< between the numbers and the box

struct Mark {
  double value = 0.0;
  float y = 0.0f;     ///< below the upper end of the box
  float top = 0.0f;   ///< of its label; labels keep clear of each other
  std::string label;  ///< empty where another one is too near
};

/// Where an axis has its lines, and what stands at them.
std::vector<Mark> axis_marks(const Painter& painter, float height, const Axis& axis) {
  const float line = painter.line_height();
  const int most = std::clamp(static_cast<int>(height / (line * 1.5f)), 3, 8);
  const std::vector<double> values = ticks(axis, most);
  const double distance = values.size() > 1 ? values[1] - values[0] : axis.high - axis.low;
  std::vector<Mark> marks;
  float last = FLT_MAX;
  for (const double value : values) {
    Mark mark{value, axis.y(value, {{0, 0}, {1, height}}), 0.0f, {}};
    // Not beyond the ends of the box by more than a hair: above and below are others.
    mark.top = std::clamp(mark.y - line / 2, -2.0f, std::max(-2.0f, height - line + 2.0f));
    if (last - mark.top >= line * 0.95f) {
      last = mark.top;
      mark.label = tick_number(value, axis.logarithmic ? value : distance);
    }
    marks.push_back(std::move(mark));
  }
  return marks;
}

}  // namespace

float axis_margin(const Painter& painter, float height, const Axis& axis) {
  float widest = 0.0f;
  for (const Mark& mark : axis_marks(painter, height, axis)) {
    widest = std::max(widest, painter.measure(mark.label).x);
  }
  return std::ceil(widest) + painter.px(kAxisGap);
}

void draw_axis(Painter& painter, const Box& box, const Axis& axis, float margin) {
  if (box.empty()) return;
  const Palette& palette = painter.palette();
  for (const Mark& mark : axis_marks(painter, box.height(), axis)) {
    const float y = std::floor(box.min.y + mark.y) + 0.5f;
    painter.line({box.min.x, y}, {box.max.x, y},
                 {mark.value == 0.0 ? palette.muted_text : palette.grid, 1.0f});
    const float top = box.min.y + mark.top;
    const std::string labels[] = {mark.label};
    painter.first_in({{box.min.x - margin, top},
                      {box.min.x - painter.px(kAxisGap), top + painter.line_height()}},
                     palette.muted_text, labels, Align::right);
  }
}

void draw_curve(Painter& painter, const Box& box, const Axis& axis, std::span<const float> xs,
                std::span<const float> ys, const Stroke& stroke) {
  if (box.empty()) return;
  if (DrawLog* log = painter.log()) {
    const Box clip{painter.list().GetClipRectMin(), painter.list().GetClipRectMax()};
    log->curves.push_back(
        {box, axis, {xs.begin(), xs.end()}, {ys.begin(), ys.end()}, stroke, clip, log->drawn++});
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
