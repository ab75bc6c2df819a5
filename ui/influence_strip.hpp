// Where a change of one unit's output goes: all units of the head over the steps after the cursor,
// and how large the change still is.
#pragma once

#include <memory>
#include <vector>

#include "ui/cursor_drag.hpp"
#include "ui/heat.hpp"
#include "ui/mixing_frame.hpp"
#include "ui/plot.hpp"
#include "ui/time_window.hpp"

namespace xlab::ui {

class InfluenceStrip {
 public:
  /// Follows what the frame shows, for so many products at most; whether there is more to come.
  bool follow(const MixingFrame& frame, double most_products);
  const Influence& influence() const { return influence_; }

  /// Pixels left of the columns that its numbers need.
  float gutter(const Painter& painter) const;
  /// `window` has the columns; `gutter` stands left of them.
  void draw(MixingFrame& frame, Painter& painter, const TimeWindow& window, float gutter, Box box);
  /// What became of the change, in a sentence; long to short.
  std::vector<std::string> summary(const MixingFrame& frame) const;

 private:
  void prepare(const TimeWindow& window, const Box& box, const ColourScale& scale);
  void draw_map(MixingFrame& frame, Painter& painter, const TimeWindow& window, const Box& gutter,
                const Box& box);
  void draw_size(MixingFrame& frame, Painter& painter, const TimeWindow& window, float gutter,
                 Box box);
  void interact(MixingFrame& frame, Painter& painter, const TimeWindow& window, const Box& box,
                bool on_units);
  Axis axis() const;

  Influence influence_;
  int revision_ = 0;                 ///< another one when the influence is of something else
  double largest_ = 0.0;             ///< of all changes after the start
  double least_ = 1.0, most_ = 1.0;  ///< of the sizes that are above nothing
  int measured_ = 0;                 ///< steps in these
  CursorDrag drags_[2];

  struct Key {
    int revision = -1, end = -1, first = -1, count = -1, width = -1, height = -1;
    double range = 0.0;
    PaletteName palette = PaletteName::light;
    bool operator==(const Key&) const = default;
  };
  Key key_;
  std::vector<float> values_;  ///< (units, steps) of the visible steps after the start
  int steps_ = 0;
  HeatPixels heat_;
};

}  // namespace xlab::ui
