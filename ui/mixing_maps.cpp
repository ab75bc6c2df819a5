// The recurrent matrix of one head, a map for each gate.
#include "ui/mixing_maps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "ui/ground.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

constexpr float kBetweenMaps = 14.0f;

/// How the maps share their room: as many beside each other as make them largest.
struct MapGrid {
  int columns = 1, rows = 1;
  float side = 0.0f;   ///< of a map
  bool axes = false;   ///< there is room for their names
  float left = 0.0f;   ///< of a map, for the name of its rows
  float above = 0.0f;  ///< for its title
  float below = 0.0f;  ///< for the name of its columns

  /// Of all maps.
  float height(const Painter& painter) const {
    const auto down = static_cast<float>(rows);
    return down * (above + side + below) + (down - 1.0f) * painter.px(4);
  }
};

/// Of the legend below the maps, with what keeps it apart; 0 where there is no room for one.
float legend_height(const Painter& painter, const Box& box) {
  const float line = painter.line_height();
  return box.height() > 5 * line ? line + painter.px(4) : 0.0f;
}

MapGrid map_grid(const Painter& painter, const Box& room, int maps) {
  MapGrid best;
  const float line = painter.line_height(), gap = painter.px(kBetweenMaps);
  for (int columns = 1; columns <= maps; ++columns) {
    for (const bool axes : {true, false}) {
      MapGrid grid;
      grid.columns = columns;
      grid.rows = (maps + columns - 1) / columns;
      grid.axes = axes;
      grid.left = axes ? line : 0.0f;
      grid.above = line + painter.px(4);
      grid.below = axes ? line : 0.0f;
      const auto across = static_cast<float>(grid.columns), down = static_cast<float>(grid.rows);
      const float width = (room.width() - gap * (across - 1)) / across - grid.left;
      const float height =
          (room.height() - painter.px(4) * (down - 1)) / down - grid.above - grid.below;
      grid.side = std::floor(std::min(width, height));
      // Names are worth a quarter of the size, not more.
      if (grid.side > best.side * (best.axes && !axes ? 1.33f : 1.0f)) best = grid;
    }
  }
  return best;
}

/// The first and the last unit along both sides, and what the sides are.
void draw_unit_axes(Painter& painter, const Box& map, int units) {
  const ImU32 colour = painter.palette().muted_text;
  const float line = painter.line_height(), apart = painter.px(6);
  const std::string last = std::to_string(units - 1);
  const float ends = painter.measure(last).x + apart;
  const Box left{{map.min.x - line, map.min.y}, {map.min.x, map.max.y}};
  const Box below{{map.min.x, map.max.y}, {map.max.x, map.max.y + line}};
  if (2 * ends < map.height()) {
    painter.text_up(left, colour, "0", Align::right);
    if (units > 1) painter.text_up(left, colour, last, Align::left);
    painter.text_in(below, colour, "0");
    if (units > 1) painter.text_in(below, colour, last, Align::right);
  }
  for (const std::string& word : {std::string("to unit (row)"), std::string("to unit")}) {
    if (painter.measure(word).x + 2 * ends > map.height()) continue;
    painter.text_up(left, colour, word);
    break;
  }
  const std::string words[] = {"from unit (column)", "from unit"};
  painter.first_in(below.inset(ends, 0), colour, words, Align::centre);
}

/// Room left of the name of a map, for the letter of its gate.
float badge_room(const Painter& painter, float side) {
  return side > painter.px(60) ? painter.line_height() + painter.px(5) : 0.0f;
}

/// One name for each map, all of them as long as all have room for; none where the letter of the
/// gate says it.
std::vector<std::string> map_names(const MixingFrame& frame, const Painter& painter, float side) {
  const std::string what = frame.place.products ? "R · h of the " : "R of the ";
  std::vector<std::string> names;
  for (int words = 2; words >= 0; --words) {
    names.clear();
    float widest = 0.0f;
    for (int g = 0; g < frame.gates(); ++g) {
      const std::string& gate = frame.gate(g).title;
      const std::string letter = badge_room(painter, side) > 0.0f ? "" : frame.symbol(g);
      names.push_back(words == 2 ? what + gate : words == 1 ? gate : letter);
      widest = std::max(widest, painter.measure(names.back()).x);
    }
    if (widest + badge_room(painter, side) <= side) break;
  }
  return names;
}

/// Makes of the weights (to, from) what they add at the cursor; NaN where the outputs of the step
/// before are not recorded.
void multiply_with_outputs(const MixingFrame& frame, int gate, std::vector<float>& weights) {
  const auto sources =
      sources_of(frame.trace, frame.block, frame.image, {gate, frame.step, frame.place.head, 0});
  const auto units = static_cast<std::size_t>(frame.image.units);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (sources.empty()) {
      weights[i] = std::nanf("");
    } else if (frame.step == 0) {
      weights[i] = 0.0f;
    } else {
      weights[i] = static_cast<float>(static_cast<double>(weights[i]) * sources[i % units].output);
    }
  }
}

}  // namespace

void MixingMaps::prepare(const MixingFrame& frame) {
  const Key wanted{frame.scene.snapshot.mixing,
                   frame.place.products ? frame.scene.snapshot.trace : nullptr, frame.place.head,
                   frame.place.products ? frame.step : -1, frame.place.products};
  if (wanted == key_) return;
  key_ = wanted;
  const auto units = static_cast<std::size_t>(frame.image.units), all = units * units;
  maps_.assign(static_cast<std::size_t>(frame.gates()), {});
  largest_ = 0.0;
  outside_ = {};
  zeros_ = true;
  for (int g = 0; g < frame.gates(); ++g) {
    Map& map = maps_[static_cast<std::size_t>(g)];
    const auto first = frame.image.R.begin() +
                       static_cast<std::ptrdiff_t>(frame.image.at(g, frame.place.head, 0) * units);
    map.values.assign(first, first + static_cast<std::ptrdiff_t>(all));
    zeros_ = zeros_ && std::all_of(map.values.begin(), map.values.end(),
                                   [](float weight) { return weight == 0.0f; });
    if (frame.place.products) multiply_with_outputs(frame, g, map.values);
    largest_ = std::max(largest_, largest(map.values));
  }
  const Palette& palette = frame.scene.palette;
  const ColourScale scale(palette, MapName::signed_values, -largest_, largest_);
  for (const Map& map : maps_) {
    const Outside here = outside(map.values, scale);
    outside_.nan += here.nan;
    outside_.plus_inf += here.plus_inf;
    outside_.minus_inf += here.minus_inf;
  }
}

MixingMaps::Size MixingMaps::size_in(const Painter& painter, Box box, int gates) {
  const float legend = legend_height(painter, box);
  box.cut_bottom(legend);
  const MapGrid grid = map_grid(painter, box, gates);
  return {grid.side, grid.height(painter) + legend};
}

void MixingMaps::draw(MixingFrame& frame, Painter& painter, Box rest) {
  const float line = painter.line_height(), legend_room = legend_height(painter, rest);
  rest.cut_bottom(legend_room);
  const MapGrid grid = map_grid(painter, rest, frame.gates());
  if (grid.side < painter.px(16)) return;
  Box legend_row = rest;
  legend_row.min.y = rest.min.y + grid.height(painter) + painter.px(4);
  legend_row.max.y = legend_row.min.y + (legend_room > 0.0f ? line : 0.0f);
  // A range of nothing but zeros is none.
  const double range = largest_ > 0.0 ? largest_ : 1.0;
  const ColourScale scale(painter.palette(), MapName::signed_values, -range, range);
  const bool axes = grid.axes;
  const float cell = grid.left + grid.side;
  const std::vector<std::string> names = map_names(frame, painter, grid.side);
  for (int g = 0; g < frame.gates(); ++g) {
    const auto column = static_cast<float>(g % grid.columns),
               row = static_cast<float>(g / grid.columns);
    const float x = rest.min.x + column * (cell + painter.px(kBetweenMaps)) + grid.left;
    const float y = rest.min.y + row * (grid.above + grid.side + grid.below + painter.px(4));
    Box title{{x, y}, {x + grid.side, y + line}};
    const Box map{{x, y + grid.above}, {x + grid.side, y + grid.above + grid.side}};
    ImGui::PushID(g);
    const GateStyle style = gate_style(painter.palette(), frame.gate(g).letter);
    if (const float room = badge_room(painter, grid.side); room > 0.0f) {
      painter.badge(title.min, style);
      title.cut_left(room);
    }
    painter.text_in(title, painter.palette().text, names[static_cast<std::size_t>(g)]);
    draw_map(frame, painter, g, map, scale);
    if (axes) draw_unit_axes(painter, map, frame.image.units);
    ImGui::PopID();
  }
  Legend legend;
  legend.unit = frame.place.products
                    ? fmt::format("R · h, what each unit adds at t = {}", frame.step)
                    : "R, weights from unit to unit";
  legend.scope = frame.place.products ? "all gates, this step" : "all gates of this head";
  legend.brief = frame.place.products ? "R · h" : "R";
  legend.outside = outside_;
  const bool shared =
      std::any_of(maps_.begin(), maps_.end(), [](const Map& map) { return map.heat.reduced; });
  if (shared) legend.transform = "largest |x| of a pixel";
  legend.more = fmt::format("Weights of training step {}.", frame.image.step);
  draw_legend(painter, legend_row, scale, legend);
  explain_legend(frame.scene, legend_row, scale, legend);
}

const HeatPixels& MixingMaps::pixels(Map& map, int units, const Box& box, const Painter& painter,
                                     const ColourScale& scale) const {
  const int width = std::max(1, static_cast<int>(box.width())),
            height = std::max(1, static_cast<int>(box.height()));
  const PaletteName palette = painter.palette().name;
  if (map.width == width && map.height == height && map.palette == palette) return map.heat;
  map.heat = heat_pixels(map.values, units, units, height, width, scale);
  map.width = width;
  map.height = height;
  map.palette = palette;
  return map.heat;
}

void MixingMaps::draw_map(MixingFrame& frame, Painter& painter, int gate, const Box& box,
                          const ColourScale& scale) {
  const Palette& palette = painter.palette();
  const int units = frame.image.units;
  Map& map = maps_[static_cast<std::size_t>(gate)];
  draw_heat(painter, frame.scene.images, fmt::format("mixing/{}", gate), box, map.values, units,
            units, scale, pixels(map, units, box, painter, scale));
  painter.outline({{box.min.x - 1, box.min.y - 1}, {box.max.x + 1, box.max.y + 1}}, palette.grid);
  // The row that is written to, and the column that is read from.
  const float each = box.width() / static_cast<float>(units);
  const float grow = std::max(0.0f, (painter.px(3) - each) / 2);
  const float y = box.min.y + each * static_cast<float>(frame.place.to),
              x = box.min.x + each * static_cast<float>(frame.place.from);
  painter.outline({{box.min.x, y - grow}, {box.max.x, y + each + grow}}, palette.text,
                  painter.px(1.2f));
  painter.outline({{x - grow, box.min.y}, {x + each + grow, box.max.y}},
                  with_alpha(palette.text, 0.55f), painter.px(1.2f));
  interact(frame, painter, gate, box);
}

void MixingMaps::interact(MixingFrame& frame, Painter& painter, int gate, const Box& box) {
  const Touch mouse = touch("map", box);
  if (!mouse.hovered || box.empty()) return;
  const int units = frame.image.units;
  const float each = box.width() / static_cast<float>(units);
  const int from = std::clamp(static_cast<int>((mouse.mouse.x - box.min.x) / each), 0, units - 1);
  const int to = std::clamp(static_cast<int>((mouse.mouse.y - box.min.y) / each), 0, units - 1);
  const MixedPlace place{gate, frame.step, frame.place.head, to};
  const double weight = static_cast<double>(frame.image.weight(gate, frame.place.head, to, from));
  frame.card.add(fmt::format("R of the {}: from unit {} to unit {} = {}", frame.gate(gate).title,
                             from, to, short_number(weight)),
                 true);
  const auto sources = sources_of(frame.trace, frame.block, frame.image, place);
  if (frame.step == 0) {
    frame.card.add("t = 0: nothing was put out yet");
  } else if (!sources.empty()) {
    const MixedSource& source = sources[static_cast<std::size_t>(from)];
    frame.card.add(fmt::format("times h of unit {} at t = {}, {}: adds {} to {} at t = {}", from,
                               frame.step - 1, short_number(source.output),
                               short_number(source.product), frame.symbol(gate), frame.step));
  }
  frame.card.add("click: show these two units");
  frame.value = frame.ref(frame.gate(gate).pre, to);
  painter.outline(
      {{box.min.x + each * static_cast<float>(from), box.min.y + each * static_cast<float>(to)},
       {box.min.x + each * static_cast<float>(from + 1),
        box.min.y + each * static_cast<float>(to + 1)}},
      painter.palette().text, painter.px(1.5f));
  if (!mouse.pressed) return;
  frame.place.to = to;
  frame.place.from = from;
}

}  // namespace xlab::ui
