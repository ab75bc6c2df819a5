// What the lanes of the gates show, prepared once and kept until something in it changes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/gate_rows.hpp"
#include "ui/heat.hpp"
#include "ui/plot.hpp"
#include "ui/values.hpp"

namespace xlab::ui {

/// One curve of a lane.
struct DrawnCurve {
  std::string path;
  int head = 0;
  bool main = false;  ///< of the head in focus, and the first of its lane: the one to take hold of
  Series series;
};

/// A lane of curves. Heads that are not in focus are there too where a lane has one number a head.
struct CurveLane {
  std::vector<DrawnCurve> curves;
  std::vector<Series> ghosts;  ///< of the head in focus in the other trace, none without one
  Axis axis;
};

/// A heat strip of all units of one head.
struct StripLane {
  Strip strip;
  std::optional<ColourScale> scale;  ///< always there
  Legend legend;
  HeatPixels heat;
};

/// Which part of a trace is shown.
struct LanePlace {
  int head = 0, unit = 0;
  int first = 0, count = 0;  ///< time steps

  bool operator==(const LanePlace&) const = default;
};

class GateLanes {
 public:
  /// Follows a trace, and another one that is drawn faint behind it (may be null). Lanes of a trace
  /// that is still the same stay as they are.
  void use(const std::shared_ptr<const Trace>& trace, const std::shared_ptr<const Trace>& ghost);

  /// Both stay until the next call for the same lane with something else.
  const CurveLane& curves(const BlockCard& block, const Lane& lane, const LanePlace& place);
  const StripLane& strip(const BlockCard& block, const Lane& lane, const LanePlace& place,
                         const Palette& palette, ImVec2 size);

  /// How many lanes were prepared so far: nothing is prepared while nothing changes.
  int prepared() const { return prepared_; }

 private:
  /// What a prepared lane depends on, beside its path.
  struct Key {
    std::shared_ptr<const Trace> trace, ghost;
    LanePlace place;
    int heads = 0;
    PaletteName palette = PaletteName::light;
    int width = 0, height = 0;

    bool operator==(const Key&) const = default;
  };
  template <typename L>
  struct Kept {
    Key key;
    L lane;
  };

  Key key(const BlockCard& block, const LanePlace& place) const;

  std::shared_ptr<const Trace> trace_, ghost_;
  TraceIndex index_, ghost_index_;
  std::map<std::string, Kept<CurveLane>> curves_;
  std::map<std::string, Kept<StripLane>> strips_;
  int prepared_ = 0;
};

}  // namespace xlab::ui
