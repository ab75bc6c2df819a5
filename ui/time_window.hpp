// Which time steps a view shows, and where.
#pragma once

#include "ui/paint.hpp"

namespace xlab::ui {

/// The visible part of the time axis: columns of equal width. Moves only when the cursor leaves it.
class TimeWindow {
 public:
  /// Fits `length` steps into `box`, a column at least `narrowest` and at most `widest` pixels wide
  /// unless zoomed, and makes sure that a cursor that moved is visible.
  /// `most`: so many steps at most, however far somebody zooms out; 0: any number.
  void update(int length, int cursor, const Box& box, float narrowest, float widest, int most = 0);
  /// Shows more (factor > 1) or fewer steps; `around` stays where it is.
  void zoom(float factor, int around);
  void scroll(int steps);

  int first() const { return first_; }
  int count() const { return count_; }
  int length() const { return length_; }
  bool all_visible() const { return count_ >= length_; }
  bool shows(int step) const { return step >= first_ && step < first_ + count_; }
  float column_width() const { return column_; }
  /// Every how many steps (1, 2, 5, 10, ...) a label of this width fits.
  int label_stride(float width) const;
  /// Middle of a step's column, in pixels; also for steps that are not visible.
  float x(int step) const;
  Box column(int step) const;
  /// The visible step at a place, clamped to the visible ones.
  int step_at(float x) const;

 private:
  void keep_inside();

  Box box_;
  float column_ = 1.0f;
  int first_ = 0, count_ = 0, length_ = 0, cursor_ = -1, most_ = 0;
  bool reached_ = true;  ///< whether there was a step at the cursor
  float zoomed_ = 0.0f;  ///< visible steps chosen by hand, 0: as many as fit
};

}  // namespace xlab::ui
