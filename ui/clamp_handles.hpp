// Handles of what is held by hand: a curve is dragged up or down to hold it at a value, the ends of
// a clamp along time, and a cross takes it away.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/focus.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"
#include "ui/plot.hpp"
#include "ui/time_window.hpp"

namespace xlab::ui {

struct GateFrame;

/// A lane whose first curve can be held.
struct ClampLane {
  std::string path;
  int unit = 0;
  int head = 0;  ///< the one in focus
  Axis axis;
  Box box;
};

class ClampHandles {
 public:
  /// A curve being dragged; the axis stays as it was when the drag began.
  struct Drag {
    std::string path;
    int head = 0, unit = 0, begin = 0, end = 0, step = 0;
    Axis axis;
    Box box;
    ImVec2 start{0, 0};
    bool moved = false;
    float sent = std::numeric_limits<float>::quiet_NaN();
    bool drawing = false;        ///< another value at each step, along the mouse
    std::optional<Clamp> drawn;  ///< the curve so far
    std::optional<Clamp> asked;  ///< as it was sent last
    int waited = 0;              ///< frames since it was let go of
  };
  /// A lock and a cross next to a clamp.
  struct Tag {
    int index = 0;
    Box lock, close;
    bool enabled = true;
  };
  /// What a lane offers in this frame.
  struct Offer {
    std::vector<Tag> tags;
    bool under_mouse = false;
  };

  /// Whether something is being dragged.
  bool busy() const { return drag_ || end_drag_; }
  /// Whether something drawn waits for the engine.
  bool waiting() const { return drawn_.has_value(); }
  /// The curve that is being dragged, null when none is.
  const Drag* dragged() const { return drag_ ? &*drag_ : nullptr; }
  /// The axis of a path that is being dragged, null for any other.
  const Axis* axis_of(const std::string& path) const {
    return drag_ && drag_->path == path ? &drag_->axis : nullptr;
  }
  bool moving_an_end() const { return end_drag_.has_value(); }

  /// Lets crosses be pressed and ends be dragged along time.
  Offer offer(GateFrame& frame, const Painter& painter, const ClampLane& lane);
  /// Draws all clamps of a lane with their handles.
  void draw(const GateFrame& frame, Painter& painter, const ClampLane& lane,
            const Offer& offer) const;

  /// Begins a drag of the curve of `at`, which lies in `lane`. Where it is `clampable` the drag
  /// holds what a clamp there holds already, else this step, with Shift all steps; with Alt it
  /// draws a curve along the mouse.
  void take(const GateFrame& frame, const ClampLane& lane, const ValueRef& at, bool clampable,
            ImVec2 mouse);
  /// Sends the clamp for where the mouse is, once per frame at most and only when it changed.
  void pull(GateFrame& frame, const Painter& painter, ImVec2 mouse);
  /// Ends the drag of a curve. Returns whether it was a click: nothing was moved.
  bool let_go();
  /// Call at the end of every frame: nothing is dragged while no button is down, and what was drawn
  /// is sent to its end.
  void settle(const Scene& scene);
  /// What can be done with a value, or is being done.
  void describe(HoverCard& card, bool clampable) const;

 private:
  /// One end of a clamp being dragged along time.
  struct EndDrag {
    int index = 0;
    bool end = false;  ///< the last step, else the first
    Clamp clamp;       ///< as it was sent last
  };
  struct Ends {
    std::optional<Box> begin, end;  ///< none where that end is out of sight
  };

  std::vector<Tag> tags(const GateFrame& frame, const Painter& painter,
                        const ClampLane& lane) const;
  bool offer_ends(GateFrame& frame, const Painter& painter, const ClampLane& lane);
  void pull_end(GateFrame& frame, float x);
  void draw_along(GateFrame& frame, ImVec2 mouse);
  /// Sends what was drawn and is not sent yet, once the clamp of before is there.
  static void send_drawn(const Scene& scene, Drag& drag);
  static Ends ends_of(const GateFrame& frame, const Painter& painter, const Clamp& clamp,
                      const ClampLane& lane);
  static void draw_held(const GateFrame& frame, Painter& painter, const ClampLane& lane);
  void draw_ends(const GateFrame& frame, Painter& painter, const ClampLane& lane) const;

  std::optional<Drag> drag_;
  std::optional<Drag> drawn_;  ///< let go of before all of its curve could be sent
  std::optional<EndDrag> end_drag_;
};

}  // namespace xlab::ui
