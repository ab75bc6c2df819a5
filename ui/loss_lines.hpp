// Which curves the loss view draws, and how each looks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/paint.hpp"
#include "ui/thin_losses.hpp"

namespace xlab::ui {

/// The curve of one run.
struct LossLine {
  int run = 0;       ///< RunCard::id
  std::string name;  ///< of the run
  std::string task;  ///< its title
  RunStyle style;
  bool focused = false;  ///< the run on screen
  const LossCurve* losses = nullptr;
  const ThinLosses* thin = nullptr;
};

/// A step is counted like the steps that were made: the first one is step 1.
inline std::int64_t number_of(const LossPoint& point) {
  return point.step + 1;
}

/// The point of a curve that is nearest to a step, counted from 1.
std::size_t nearest_point(const LossCurve& losses, double step);

/// Keeps what was worked out of the curves from frame to frame.
class LossLines {
 public:
  /// The curves of all runs that are shown and were trained; the one on screen is the last, so that
  /// it lies on top. `columns` of pixels there are to draw them in.
  std::vector<LossLine> of(const Snapshot& snapshot, const Palette& palette, int columns);
  /// How many points of curves were looked at so far.
  std::size_t looked_at() const;

 private:
  std::map<int, ThinLosses> thin_;  ///< by run
};

/// The same without what is worked out of the curves, in the order of the runs.
std::vector<LossLine> loss_lines(const Snapshot& snapshot, const Palette& palette);

/// Whether the runs of these curves have different tasks.
bool of_different_tasks(const std::vector<LossLine>& lines);

/// A curve in the plot.
struct PlottedLine {
  const LossLine* line = nullptr;
  std::vector<float> xs, raw;            ///< pixels, and losses; empty but for the run on screen
  std::vector<float> smooth_xs, smooth;  ///< the same of the smoothed losses
};

/// Strokes of the losses of every step, and of the smoothed ones.
Stroke every_step(const Painter& painter, const LossLine& line);
Stroke smoothed_line(const Painter& painter, const LossLine& line);

}  // namespace xlab::ui
