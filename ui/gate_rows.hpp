// How the values of a cell are shown over time: the rows of its description as lanes with axes and
// colours.
#pragma once

#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/colour.hpp"

namespace xlab::ui {

enum class LaneKind { curves, strip };

/// What the vertical axis of a lane covers at least, or the colours of a strip cover exactly.
enum class LaneRange {
  pre_activation,  ///< −6..6, so that there is room to drag
  unit,            ///< 0..1
  signed_unit,     ///< −1..1
  around_zero,     ///< what is shown, and zero
  shown,           ///< what is shown
};

struct LaneCurve {
  std::string value;  ///< last part of the path
  char gate;          ///< how it is drawn, see gate_style
  std::string label;
  bool secondary = false;  ///< drawn thin, for the focused head only
};

/// One band of a row: curves, or a heat strip of all units of the focused head.
struct Lane {
  LaneKind kind = LaneKind::curves;
  std::vector<LaneCurve> curves;  ///< a strip has exactly one
  LaneRange range = LaneRange::shown;
  bool per_unit = false;   ///< one number a unit, so the selected unit is drawn
  bool clampable = false;  ///< its first curve can be dragged
  MapName map = MapName::signed_values;
  bool of_keys = false;  ///< a strip's numbers belong to keys, not to units
  std::string held;      ///< a strip's: the pre-activation in its row, empty where there is none
};

struct GateRow {
  char gate;
  std::vector<std::string> titles;  ///< long to short
  std::string words;                ///< what it is about, in a sentence
  std::vector<Lane> lanes;
};

/// The rows of a block's cell; empty for one that describes none.
std::vector<GateRow> gate_rows(const BlockCard& block);

}  // namespace xlab::ui
