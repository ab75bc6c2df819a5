// What is written at and beside the curves of the loss view, clear of them and of each other.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ui/loss_lines.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {

/// What the labels in the plot have to keep clear of.
struct Drawn {
  const Box& box;
  const Axis& axis;
  std::span<const PlottedLine> lines;
  float guess_y;  ///< of the line of a uniform guess, NaN where there is none

  /// How much of the lines lies under a label, in pixels of width.
  float under(const Box& label) const;
};

/// The last loss of the run on screen, large, at the end of its curve. Returns what it covers.
Box label_last_loss(Painter& painter, const Drawn& drawn, const PlottedLine& focused, float loss);
/// The name of the line of a uniform guess, where it does not touch the last loss and covers least
/// of the curves.
void label_guess(Painter& painter, const Drawn& drawn, double uniform, const Box& number);

/// How wide a column right of the plot the names of several curves need; 0 for one curve, and where
/// there is no room for such a column.
float names_width(const Painter& painter, std::span<const LossLine> lines, float room);
/// The names of the curves in that column, each as near to the end of its curve as the others let
/// it. Where not all have room, those stay that come first in the list of runs, and the one on
/// screen in any case; the last line says how many are left out. Returns which runs are named.
std::vector<int> write_names(Painter& painter, const Box& column, const Drawn& drawn,
                             std::span<const LossLine> lines);

/// A name in at most `width` pixels, shortened in the middle: what tells runs apart stands at the
/// end.
std::string middle_cut(const Painter& painter, const std::string& name, float width, Weight weight);

}  // namespace xlab::ui
