// Axes, ticks and curves in a box.
#pragma once

#include <span>
#include <vector>

#include "ui/paint.hpp"

namespace xlab::ui {

/// Maps values to the height of a box: `low` at its bottom, `high` at its top.
struct Axis {
  double low = 0.0, high = 1.0;
  bool logarithmic = false;  ///< needs low > 0

  float y(double value, const Box& box) const;
  double value(float y, const Box& box) const;
};

/// Round numbers inside a range, at most `most` of them.
std::vector<double> ticks(const Axis& axis, int most);
/// Extends a range so that a curve does not touch the edge. A constant gets an axis from half to
/// one and a half of it, zero one of −1..1.
Axis padded(double low, double high, double share = 0.06);

/// Pixels left of the box that the numbers of an axis need, the gap to the box included.
float axis_margin(const Painter& painter, float height, const Axis& axis);

/// Grid lines across the box and numbers left of it, right-aligned in `margin` pixels. A number
/// that does not fit is left out, never cut: ask `axis_margin` first.
void draw_axis(Painter& painter, const Box& box, const Axis& axis, float margin);

/// One curve: `xs[i]` in pixels, `ys[i]` in values of the axis. Long curves keep the smallest and
/// the largest value of every pixel column. Values that are no number leave a gap and a magenta
/// mark at the edge they point to. The curve is cut off at the box.
void draw_curve(Painter& painter, const Box& box, const Axis& axis, std::span<const float> xs,
                std::span<const float> ys, const Stroke& stroke);

}  // namespace xlab::ui
