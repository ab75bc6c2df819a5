// A matrix memory as it fills: small pictures of some steps, in the order of time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/analysis/memory_film.hpp"
#include "ui/cursor_drag.hpp"
#include "ui/heat.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// What is pointed out in it.
struct ReelMarks {
  int read = -1;     ///< the step whose answer is looked at
  int written = -1;  ///< the step whose write is looked at; -1: none
};

class MemoryReel {
 public:
  /// Draws what the film holds into `box`, its legend below. Steps that are pointed out are among
  /// those shown. A click moves the time cursor.
  void draw(Scene& scene, Painter& painter, const BlockCard& block, const MemoryFilm& film,
            const ReelMarks& marks, Box box, HoverCard& card);

 private:
  void picture(Scene& scene, Painter& painter, const MemoryFilm& film, const ColourScale& colours,
               const ReelMarks& marks, int step, const Box& cell, HoverCard& card);

  CursorDrag drag_;
};

/// At most `most` of the steps [0, length), evenly spread, with the first, the last and `wanted`.
std::vector<int> spread_steps(int length, int most, const std::vector<int>& wanted);

}  // namespace xlab::ui
