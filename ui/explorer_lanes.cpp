// The curves of the gate explorer: what is held at every step, drawn by hand.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/explorer.hpp"
#include "ui/explorer_frame.hpp"
#include "ui/ground.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

/// As far as drawing goes; a float32 ends at exp(88.7).
constexpr double kFurthest = 100.0;
/// Of the slider for all steps, and the least that an axis shows.
constexpr double kSliderEnd = 15.0, kLeastSpan = 8.0, kLeastOfVector = 2.0;

bool is_gate(const HeldLane& lane) {
  return lane.card->role == Role::pre_activation;
}

/// "input gate i" of a pre-activation, "value v, unit 2" of a vector; long to short.
std::vector<std::string> lane_titles(const HeldLane& lane) {
  const std::string& symbol = lane.card->symbol;
  if (!is_gate(lane))
    return {fmt::format("{} {}, number {}", lane.card->title, symbol, lane.unit),
            fmt::format("{}, number {}", symbol, lane.unit), symbol};
  const std::string gate = lane.card->title.substr(0, lane.card->title.find(','));
  return {fmt::format("{}, pre-activation {}", gate, symbol), fmt::format("{} {}", gate, symbol),
          symbol};
}

GateStyle style_of(const Palette& palette, const HeldLane& lane) {
  return gate_style(palette, is_gate(lane) ? lane.card->symbol.front() : 't');
}

Axis axis_around(const std::vector<float>& curve, double least) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const float number : curve) {
    if (!std::isfinite(number)) continue;
    low = std::min(low, static_cast<double>(number));
    high = std::max(high, static_cast<double>(number));
  }
  if (!(low <= high)) return {-least, least};
  // Room to draw in, above and below; a level line stands in the middle.
  const double more = std::max((least - (high - low)) / 2.0, 0.0);
  return padded(low - more, high + more, 0.16);
}

/// Sends a curve in the place of what stands there.
void hold(ExplorerFrame& frame, const HeldLane& lane, const std::vector<float>& curve) {
  std::vector<Clamp> clamps;
  if (frame.choice.together && is_gate(lane)) {
    clamps = explorer::drawn_together(frame.blocks, lane.card->name, curve);
  } else {
    const int unit = lane.of_all_units ? Clamp::kAll : lane.unit;
    clamps = {explorer::drawn(*lane.block, *lane.card, unit, curve)};
  }
  frame.scene.send(command::AddClamps{std::move(clamps), "drawing a curve"});
}

float rounded(double value) {
  return static_cast<float>(std::round(std::clamp(value, -kFurthest, kFurthest) * 100.0) / 100.0);
}

/// Moves the steps between where the mouse was and where it is onto the line between the two.
void draw_along(ExplorerFrame& frame, const HeldLane& lane, const TimeWindow& window,
                const Box& box, ImVec2 mouse) {
  CurveDrag& drag = *frame.drag;
  const int step = std::min(window.step_at(mouse.x), static_cast<int>(drag.curve.size()) - 1);
  const float value = rounded(drag.axis.value(mouse.y, box));
  if (step < 0) return;
  std::vector<float> next = drag.curve;
  const int from = drag.step < 0 ? step : drag.step;
  const float before = drag.step < 0 ? value : drag.value;
  for (int t = std::min(from, step); t <= std::max(from, step); ++t) {
    const float share =
        step == from ? 1.0f : static_cast<float>(t - from) / static_cast<float>(step - from);
    next[static_cast<std::size_t>(t)] = rounded(before + share * (value - before));
  }
  drag.step = step;
  drag.value = value;
  if (next == drag.curve) return;
  drag.curve = next;
  hold(frame, lane, drag.curve);
}

bool is_dragged(const ExplorerFrame& frame, const HeldLane& lane) {
  return frame.drag && frame.drag->path == lane.path() && frame.drag->unit == lane.unit;
}

void describe_step(ExplorerFrame& frame, const HeldLane& lane, const std::vector<float>& curve,
                   int step) {
  if (step < 0 || step >= static_cast<int>(curve.size())) return;
  const double number = static_cast<double>(curve[static_cast<std::size_t>(step)]);
  frame.card.add(fmt::format("t = {}: {} = {}", step, lane.card->symbol, short_number(number)),
                 true);
  frame.card.add(lane.card->title);
  if (is_gate(lane) && std::isfinite(number))
    frame.card.add(fmt::format("exp({0}) = {1}, σ({0}) = {2}", lane.card->symbol,
                               short_number(std::exp(number)),
                               short_number(1.0 / (1.0 + std::exp(-number)))));
  const bool all = frame.choice.together && is_gate(lane);
  frame.card.add(all ? "drag: draw it, in all cells with this gate; beyond the edge for more"
                     : "drag: draw it, in this cell alone; beyond the edge for more");
  frame.hovered = ValueRef{lane.path(), step, 0, lane.unit};
}

/// What the mouse does in a lane: it draws.
void take_mouse(ExplorerFrame& frame, const HeldLane& lane, const TimeWindow& window,
                const Axis& axis, const Box& box, const std::vector<float>& curve) {
  const Touch mouse = touch("curve", box);
  const bool whole = std::ranges::all_of(curve, [](float x) { return std::isfinite(x); });
  if (mouse.pressed && whole && !curve.empty() && !frame.scene.exporting)
    frame.drag = CurveDrag{lane.path(), lane.unit, axis, curve, -1, 0.0f};
  if (mouse.held && is_dragged(frame, lane)) draw_along(frame, lane, window, box, mouse.mouse);
  if (mouse.hovered || (mouse.held && is_dragged(frame, lane)))
    describe_step(frame, lane, curve, window.step_at(mouse.mouse.x));
}

void draw_curve_of(const ExplorerFrame& frame, Painter& painter, const HeldLane& lane,
                   const TimeWindow& window, const Axis& axis, const Box& box,
                   const std::vector<float>& curve) {
  const Palette& palette = painter.palette();
  const GateStyle style = style_of(palette, lane);
  if (window.shows(frame.cursor())) {
    const float x = window.x(frame.cursor());
    painter.line({x, box.min.y}, {x, box.max.y},
                 {with_alpha(palette.cursor, 0.8f), painter.line_width()});
  }
  std::vector<float> xs, ys;
  for (int t = window.first(); t < window.first() + window.count(); ++t) {
    if (t >= static_cast<int>(curve.size())) break;
    xs.push_back(window.x(t));
    ys.push_back(curve[static_cast<std::size_t>(t)]);
  }
  draw_curve(painter, box, axis, xs, ys,
             {style.colour, painter.line_width() * style.width, style.dash});
  // Every step is held: a handle for each, where there is room.
  const float r = painter.px(window.column_width() > painter.px(8) ? 2.5f : 1.5f);
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const float y = axis.y(static_cast<double>(ys[i]), box);
    if (!std::isfinite(y) || y < box.min.y - 1 || y > box.max.y + 1) continue;
    painter.fill({{xs[i] - r, y - r}, {xs[i] + r, y + r}}, style.colour);
  }
}

/// One value for all steps. Its words say what it is set to, or that the steps differ.
void slider_row(ExplorerFrame& frame, Painter& painter, const HeldLane& lane, Box row,
                const std::vector<float>& curve) {
  if (curve.empty() || painter.exporting()) return;
  const bool level = std::ranges::all_of(curve, [&](float x) { return x == curve.front(); });
  const double end = is_gate(lane) ? kSliderEnd : 2.0;
  double value = std::clamp(static_cast<double>(curve.front()), -end, end);
  const std::string texts[] = {
      level ? fmt::format("all steps: {}", short_number(static_cast<double>(curve.front())))
            : "all steps: they differ",
      level ? short_number(static_cast<double>(curve.front())) : "they differ"};
  const std::string text = painter.fit_first(texts, row.width() - painter.px(8));
  if (slider_at(painter, "level", row, value, -end, end, false, text, 0.1))
    hold(frame, lane, std::vector<float>(curve.size(), rounded(value)));
  frame.card.explain(
      row, {{"Holds all steps at one value."}, {"Drag it, or turn it with the arrow keys."}});
}

/// Which number of which vector is drawn. False where there is no room to choose.
bool content_row(ExplorerFrame& frame, Painter& painter, const HeldLane& lane, Box row) {
  const auto vectors = held_vectors(*lane.block);
  std::vector<std::string> names, units;
  for (const ValueCard* card : vectors) names.push_back(card->symbol);
  const auto count = lane.block->numbers(lane.card->extent);
  for (int unit = 0; unit < count; ++unit) units.push_back(std::to_string(unit));
  const float gap = painter.px(6);
  if (painter.exporting() ||
      row.width() < chooser_width(painter, names) + gap + chooser_width(painter, units))
    return false;
  ExplorerChoice& choice = frame.choice;
  const Box whole = row;
  choice.content = choose_at(painter, "vector", row, names, choice.content);
  row.cut_left(gap);
  choice.unit = choose_at(painter, "unit", row, units, choice.unit);
  frame.card.explain({whole.min, {row.min.x, whole.max.y}},
                     {{"Which vector is drawn, and which of its numbers."},
                      {"The key says where in the matrix is written, the query what is asked "
                       "for, the value what is written."}});
  return true;
}

void lane_at(ExplorerFrame& frame, Painter& painter, const HeldLane& lane, ExplorerTime& time,
             Box box) {
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  const std::vector<float>& curve = held_curve(frame, lane);
  Box title = box.cut_top(line + painter.px(2));
  if (is_gate(lane) || !content_row(frame, painter, lane, title)) {
    if (is_gate(lane))
      title.cut_left(painter.badge(title.min, style_of(palette, lane)) + painter.px(5));
    const auto titles = lane_titles(lane);
    painter.text_in(title, palette.text, painter.fit_first(titles, title.width()));
  }
  if (box.height() > 5 * line && !painter.exporting()) {
    Box row = box.cut_bottom(line + painter.px(4));
    slider_row(frame, painter, lane, row, curve);
    box.cut_bottom(painter.px(2));
  }
  Box steps = box.height() > 3 * line ? box.cut_bottom(line) : Box{};
  const Axis axis = is_dragged(frame, lane)
                        ? frame.drag->axis
                        : axis_around(curve, is_gate(lane) ? kLeastSpan : kLeastOfVector);
  const float gutter = std::min(std::max(axis_margin(painter, box.height(), axis), painter.px(34)),
                                box.width() * 0.4f);
  Box plot = box;
  plot.cut_left(gutter);
  plot.cut_right(painter.px(4));
  if (plot.empty()) return;
  time.window.update(frame.steps(), frame.cursor(), plot, painter.px(4), painter.px(60));
  plot.max.x = std::min(plot.max.x, plot.min.x + time.window.column_width() *
                                                     static_cast<float>(time.window.count()));
  painter.fill(plot, palette.panel);
  if (plot.height() > 2 * line) draw_axis(painter, plot, axis, gutter);
  take_mouse(frame, lane, time.window, axis, plot, curve);
  draw_curve_of(frame, painter, lane, time.window, axis, plot, curve);
  if (!steps.empty())
    time.axis.draw(frame.scene, painter, steps, gutter, time.window, std::nullopt, frame.card);
}

}  // namespace

std::vector<const ValueCard*> held_vectors(const BlockCard& block) {
  std::vector<const ValueCard*> vectors;
  for (const ValueCard& card : block.values->cards)
    if (card.clampable && card.role == Role::projection) vectors.push_back(&card);
  return vectors;
}

std::vector<HeldLane> held_lanes(const BlockCard& block, const ExplorerChoice& choice) {
  std::vector<HeldLane> lanes;
  for (const ValueCard& card : block.values->cards)
    if (card.clampable && card.role == Role::pre_activation && lanes.size() < kExplorerLanes)
      lanes.push_back({&block, &card, 0, card.extent != Extent::head});
  const auto vectors = held_vectors(block);
  if (vectors.empty() || lanes.size() == kExplorerLanes) return lanes;
  const auto which =
      static_cast<std::size_t>(std::clamp(choice.content, 0, static_cast<int>(vectors.size()) - 1));
  const auto count = static_cast<int>(block.numbers(vectors[which]->extent));
  lanes.push_back({&block, vectors[which], std::clamp(choice.unit, 0, std::max(count - 1, 0))});
  return lanes;
}

const std::vector<float>& held_curve(ExplorerFrame& frame, const HeldLane& lane) {
  const Snapshot& snapshot = frame.scene.snapshot;
  ValueRef at{lane.path(), 0, 0, lane.unit};
  std::vector<float>& curve = frame.courses.held[{at.path, at.unit}];
  const auto steps = snapshot.sequence.tokens.size();
  if (curve.size() == steps) return curve;
  curve.clear();
  for (; curve.size() < steps; ++at.step) {
    const float* number = number_at(snapshot.trace.get(), at);
    curve.push_back(number ? *number : std::numeric_limits<float>::quiet_NaN());
  }
  return curve;
}

void draw_held_lanes(ExplorerFrame& frame, Painter& painter, Box box) {
  const auto block = static_cast<std::size_t>(
      std::clamp(frame.scene.focus.block, 0, static_cast<int>(frame.blocks.size()) - 1));
  const std::vector<HeldLane> lanes = held_lanes(frame.blocks[block], frame.choice);
  if (lanes.empty() || box.empty()) return;
  // Beside each other, or two by two where columns would be too narrow to draw in.
  const bool two_rows = lanes.size() > 2 && box.width() < painter.px(620);
  const std::size_t rows = two_rows ? 2 : 1, columns = (lanes.size() + rows - 1) / rows;
  const float gap = painter.px(10);
  const float width =
      (box.width() - gap * static_cast<float>(columns - 1)) / static_cast<float>(columns);
  const float height =
      (box.height() - gap * static_cast<float>(rows - 1)) / static_cast<float>(rows);
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const auto column = static_cast<float>(i % columns), row = static_cast<float>(i / columns);
    const ImVec2 at{box.min.x + column * (width + gap), box.min.y + row * (height + gap)};
    ImGui::PushID(static_cast<int>(i));
    lane_at(frame, painter, lanes[i], frame.times[i], {at, {at.x + width, at.y + height}});
    ImGui::PopID();
  }
}

}  // namespace xlab::ui
