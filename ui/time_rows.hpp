// Which rows of the time view there is room for.
#pragma once

#include <string>
#include <vector>

#include "ui/paint.hpp"

namespace xlab::ui {

/// The rows, from top to bottom; empty where there is no room.
struct TimeRows {
  Box marks, tokens, steps, bars, overview, legend;
  Box sequence;                       ///< all of them but overview and legend
  std::vector<std::string> left_out;  ///< what has no room, in words
};

/// Which rows a sequence has, beside tokens, step numbers and legend.
struct TimeWants {
  bool answers = false;   ///< marks of answers
  bool prompt = false;    ///< the end of the prompt, in the same row
  bool overview = false;  ///< the whole sequence as a strip, where not all of it is shown as boxes
};

/// Shares the height of a box. Where it is low, bars go first, then boxes and overview are lower,
/// then overview, legend and marks go; the step numbers are the last to go, and what is gone is
/// listed.
TimeRows fit_time_rows(const Painter& painter, const Box& box, const TimeWants& wants);

}  // namespace xlab::ui
