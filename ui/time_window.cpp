// Which time steps a view shows, and where.
#include "ui/time_window.hpp"

#include <algorithm>
#include <cmath>

namespace xlab::ui {

void TimeWindow::update(int length, int cursor, const Box& box, float narrowest, float widest,
                        int most) {
  box_ = box;
  length_ = std::max(length, 0);
  most_ = most > 0 ? most : std::max(length_, 1);
  const float width = std::max(box.width(), 1.0f);
  const int fitting = std::max(1, static_cast<int>(width / std::max(narrowest, 1.0f)));
  const int wanted = zoomed_ > 0.0f ? static_cast<int>(std::lround(zoomed_)) : fitting;
  count_ = std::clamp(wanted, 1, std::min(std::max(length_, 1), most_));
  column_ = std::min(width / static_cast<float>(count_), std::max(widest, 1.0f));
  // While a text is being computed its cursor may lie beyond what there is: it is followed until
  // it is reached.
  if ((cursor != cursor_ || !reached_) && cursor >= 0) {
    // A cursor that leaves on one side comes back in with a quarter of the window before it.
    const int margin = count_ / 4;
    if (cursor < first_) first_ = cursor - margin;
    if (cursor >= first_ + count_) first_ = cursor - count_ + 1 + margin;
  }
  cursor_ = cursor;
  reached_ = cursor < length_;
  keep_inside();
}

void TimeWindow::zoom(float factor, int around) {
  const float before = static_cast<float>(count_);
  const float most = static_cast<float>(std::min(std::max(length_, 1), most_));
  zoomed_ = std::clamp(before * factor, std::min(8.0f, most), most);
  if (std::lround(zoomed_) == count_) zoomed_ += factor > 1.0f ? 1.0f : -1.0f;
  zoomed_ = std::clamp(zoomed_, std::min(8.0f, most), most);
  const float share = (static_cast<float>(around - first_) + 0.5f) / std::max(before, 1.0f);
  first_ = around - static_cast<int>(share * zoomed_);
  keep_inside();
}

void TimeWindow::scroll(int steps) {
  first_ += steps;
  keep_inside();
}

// Also before the next update: what is drawn in this frame must be there.
void TimeWindow::keep_inside() {
  first_ = std::clamp(first_, 0, std::max(0, length_ - count_));
}

int TimeWindow::label_stride(float width) const {
  for (int decade = 1; decade < 100000000; decade *= 10) {
    for (const int factor : {1, 2, 5}) {
      if (static_cast<float>(decade * factor) * column_ >= width) return decade * factor;
    }
  }
  return std::max(length_, 1);
}

float TimeWindow::x(int step) const {
  return box_.min.x + (static_cast<float>(step - first_) + 0.5f) * column_;
}

Box TimeWindow::column(int step) const {
  const float left = box_.min.x + static_cast<float>(step - first_) * column_;
  return {{left, box_.min.y}, {left + column_, box_.max.y}};
}

int TimeWindow::step_at(float x) const {
  const int step = first_ + static_cast<int>(std::floor((x - box_.min.x) / column_));
  return std::clamp(step, first_, std::max(first_, first_ + count_ - 1));
}

}  // namespace xlab::ui
