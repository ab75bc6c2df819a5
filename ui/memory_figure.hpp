// The memory of one head as a map: keys down, values across, the normalizer as a strip beside it.
#pragma once

#include <optional>

#include "ui/colour.hpp"
#include "ui/focus.hpp"
#include "ui/hint.hpp"
#include "ui/memory_shown.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// Figures in columns and rows such that cells are as large as they can be.
struct MemoryGrid {
  int columns = 1;
  int heads = 1;  ///< drawn: all of them, or the one in focus where there is no room for all
  ImVec2 cell{0, 0};
  float scale = 0.0f;       ///< pixels of one cell of the memory
  bool with_axes = false;   ///< room for the names of the axes
  bool with_title = false;  ///< room for the head's name above
};

/// The largest maps that fit into a box of which `taken` pixels of height are not for them. Where
/// they would be too small to read, the axes go first, then the titles, then all heads but one.
MemoryGrid fit_memory_grid(const Painter& painter, const MemoryShown& shown, const Box& box,
                           float taken);

/// What the figures of a frame share.
struct MemoryFrame {
  Scene& scene;
  const BlockCard& block;
  const MemoryShown& shown;
  MemoryMode mode;
  bool locked;  ///< colours keep their range while steps go by
  const ColourScale& colours;
  const ColourScale& n_colours;
  std::optional<ValueRef>& hovered;
  HoverCard& card;
  bool& one_large;  ///< the head in focus is large beside the others; a double click turns it
};

void draw_memory_figure(MemoryFrame& frame, Painter& painter, int head, const Box& cell,
                        const MemoryGrid& grid);

}  // namespace xlab::ui
