// The first hint: a pulsing ring on a curve that can be dragged, and a sentence beside it.
#pragma once

#include <string>

#include "ui/gate_lanes.hpp"
#include "ui/paint.hpp"
#include "ui/plot.hpp"
#include "ui/time_window.hpp"

namespace xlab::ui {

class FirstHint {
 public:
  /// Call once per frame, before the lanes are drawn. A hint that has moved for a minute was seen:
  /// from then on it stays still, and costs nothing.
  void follow(const Scene& scene);
  /// Whether the ring pulses just now.
  bool animating(const Scene& scene) const;
  /// Whether the hint is about the curve of this path.
  static bool is_about(const Scene& scene, const std::string& path);
  /// Scrolls to the lane the hint is about, once for each size of the view and of its text; from
  /// then on scrolling is the person's business.
  void bring_into_view(const Scene& scene, const std::string& path, const Box& lane);
  /// The lane the hint is about, as it was drawn.
  void found(const CurveLane& lane, const Axis& axis, const Box& box) {
    lane_ = {&lane, axis, box};
  }
  /// The ring on the curve at the cursor, and the sentence where it covers no curve; in its lane
  /// where that is high enough, else anywhere in the rows that are `seen`. Nothing where no lane
  /// was found in this frame.
  void draw(const Scene& scene, Painter& painter, const TimeWindow& window, const Box& seen) const;

 private:
  struct Place {
    const CurveLane* lane = nullptr;
    Axis axis;
    Box box;
  };

  void bubble(const Scene& scene, Painter& painter, const TimeWindow& window, const Box& seen,
              ImVec2 at) const;
  Box free_place(const Painter& painter, const TimeWindow& window, const Box& room, ImVec2 size,
                 ImVec2 at) const;

  Place lane_;                ///< of this frame
  std::string scrolled_to_;   ///< the hint that was brought into view, and at which size
  std::string pulsing_;       ///< target of the hint that moves, or moved
  double pulse_began_ = 0.0;  ///< on ImGui's clock
  bool pulsed_out_ = false;
};

}  // namespace xlab::ui
