// What the parts of the gates view share while one frame of it is drawn.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/snapshot.hpp"
#include "ui/focus.hpp"
#include "ui/gate_lanes.hpp"
#include "ui/gate_rows.hpp"
#include "ui/hint.hpp"
#include "ui/time_window.hpp"
#include "ui/values.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

class ClampHandles;
class FirstHint;
class GateLayout;

/// What was found under the mouse.
struct UnderMouse {
  std::optional<ValueRef> value;
  HoverCard card;
  std::optional<std::pair<int, int>> range;  ///< steps [first, second) the time axis points out
};

/// The unit whose curves are drawn.
struct UnitChoice {
  int chosen = 0;
  int preview = -1;       ///< unit under the mouse in a strip, one frame ago
  int next_preview = -1;  ///< the same in this frame

  int wanted() const { return preview >= 0 ? preview : chosen; }
};

struct GateFrame {
  Scene& scene;
  const BlockCard& block;
  const Trace& trace;
  const TimeWindow& window;
  const GateLayout& layout;
  GateLanes& lanes;
  ClampHandles& clamps;
  FirstHint& hint;
  UnitChoice& unit;
  UnderMouse& under;

  int head() const { return focused_head(block, scene.focus); }
  std::string path(const Lane& lane) const {
    return block.prefix + "/" + lane.curves.front().value;
  }
  /// The unit a lane shows: 0 where it has one number a head.
  int shown_unit(const Lane& lane) const {
    if (!lane.per_unit) return 0;
    return std::clamp(unit.wanted(), 0, std::max(block.value_dim - 1, 0));
  }
  /// The part of the trace a lane shows.
  LanePlace place(const Lane& lane) const {
    return {head(), shown_unit(lane), window.first(), window.count()};
  }
  /// The last visible time step.
  int last_step() const { return window.first() + window.count() - 1; }
};

}  // namespace xlab::ui
