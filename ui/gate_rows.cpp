// How the values of a cell are shown over time.
#include "ui/gate_rows.hpp"

#include <utility>

namespace xlab::ui {
namespace {

LaneRange curve_range(Span span) {
  switch (span) {
    case Span::share:
      return LaneRange::unit;
    case Span::signed_share:
      return LaneRange::signed_unit;
    case Span::pre_activation:
      return LaneRange::pre_activation;
    case Span::any:
    case Span::logarithm:
      break;
  }
  return LaneRange::around_zero;
}

/// The range of a strip and its colours.
std::pair<LaneRange, MapName> strip_look(Span span) {
  switch (span) {
    case Span::share:
      return {LaneRange::unit, MapName::unit};
    case Span::signed_share:
      return {LaneRange::signed_unit, MapName::signed_values};
    case Span::logarithm:
      return {LaneRange::shown, MapName::log_domain};
    case Span::any:
    case Span::pre_activation:
      break;
  }
  return {LaneRange::around_zero, MapName::signed_values};
}

Lane strip_of(const ValueCard& value, char letter) {
  const auto [range, map] = strip_look(value.span);
  const bool of_keys = value.extent == Extent::key;
  Lane lane{.kind = LaneKind::strip, .range = range, .per_unit = true, .map = map};
  lane.of_keys = of_keys;
  lane.curves.push_back({value.name, letter, of_keys ? "keys" : "units"});
  return lane;
}

Lane curves_of(const ValueCard& value, const ValueCard* beside, char letter) {
  Lane lane{.kind = LaneKind::curves,
            .range = curve_range(value.span),
            .per_unit = value.extent != Extent::head,
            .clampable = value.clampable && value.role == Role::pre_activation};
  lane.curves.push_back({value.name, letter, value.symbol});
  if (beside) lane.curves.push_back({beside->name, ' ', beside->symbol, true});
  return lane;
}

}  // namespace

std::vector<GateRow> gate_rows(const BlockCard& block) {
  std::vector<GateRow> rows;
  for (const ValueRow& described : block.values->rows) {
    GateRow row{described.letter, described.titles, described.words, {}};
    std::string held;
    for (const ValueLane& lane : described.lanes) {
      const ValueCard* value = block.values->find(lane.value);
      if (!value) continue;
      const ValueCard* beside = block.values->find(lane.beside);
      for (const ValueCard* one : {value, beside})
        if (one && one->clampable && one->role == Role::pre_activation) held = one->name;
      row.lanes.push_back(lane.picture == Picture::strip
                              ? strip_of(*value, described.letter)
                              : curves_of(*value, beside, described.letter));
    }
    for (Lane& lane : row.lanes)
      if (lane.kind == LaneKind::strip) lane.held = held;
    if (!row.lanes.empty()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace xlab::ui
