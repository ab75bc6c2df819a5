// Where the rows and lanes of the gates stand, and how much room names and numbers get left of
// them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "ui/gate_rows.hpp"
#include "ui/paint.hpp"
#include "ui/time_window.hpp"

namespace xlab::ui {

struct GateFrame;

class GateLayout {
 public:
  /// Logical pixels at the right of every lane: room for the mark of the selected unit.
  static constexpr float kRightMargin = 9.0f;

  bool folded(const GateRow& row) const { return folded_.count(row.titles.back()) > 0; }
  void fold(const GateRow& row, bool away);

  /// Sets heights such that `extra` pixels more than needed are shared by the open lanes; returns
  /// the height of all rows together.
  float stack(const Painter& painter, const std::vector<GateRow>& rows, float extra);
  static float title_height(const Painter& painter);
  float lane_height(const Lane& lane) const {
    return lane.kind == LaneKind::strip ? strip_height_ : curve_height_;
  }

  /// Finds out how much room names and numbers need left of the lanes, and which steps fit beside
  /// them when a column is at least `narrowest` wide. The room for numbers only grows while the
  /// same block is shown at the same size of text, so that nothing sways while numbers change.
  void arrange(const GateFrame& frame, const Painter& painter, const std::vector<GateRow>& rows,
               const Box& whole, float narrowest, TimeWindow& window);
  float gutter() const { return gutter_; }      ///< left of the lanes
  float label_room() const { return labels_; }  ///< the part of it that names have
  float number_room() const { return gutter_ - labels_; }

 private:
  std::set<std::string> folded_;
  std::string arranged_;  ///< what the room for numbers was found for
  float numbers_ = 0.0f;  ///< room for the numbers of the axes
  float gutter_ = 0.0f, labels_ = 0.0f, curve_height_ = 0.0f, strip_height_ = 0.0f;
};

}  // namespace xlab::ui
