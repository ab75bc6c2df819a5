// What the cells of the gate explorer make of what is drawn: one column each, with its memory, its
// answers, and the memory at the time cursor as it is made.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ui/explorer_frame.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

/// One column of the picture.
struct CellColumn {
  ExplorerFrame& frame;
  const BlockCard& block;
  const ExplorerCourses::OfBlock& shown;
  ExplorerTime& time;
  int number = 0;  ///< of the block
  const PlainCourse& course = shown.course;

  bool has_m() const { return !block.values->memory.scale.empty() && block.variant.stabilised(); }
  std::string divisor() const { return block.has_matrix ? block.values->memory.keys : "n"; }
  /// "c exp(m)", where everything is stored divided by exp(m).
  std::string plain(const std::string& symbol) const {
    const std::string scaled = has_m() ? symbol + " · exp(m)" : symbol;
    return shown.unit == 1.0 ? scaled
                             : fmt::format("{} / 1e{:.0f}", scaled, std::log10(shown.unit));
  }
  std::string memory_symbol() const {
    return plain(block.has_matrix ? "‖" + block.values->memory.state + "‖"
                                  : block.values->memory.state);
  }
  std::string divisor_symbol() const {
    return plain(block.has_matrix ? "‖" + divisor() + "‖" : divisor());
  }
};

/// A number a step, with what it is called and how it is drawn.
struct CourseLine {
  std::string symbol;
  const std::vector<float>& numbers;
  Stroke stroke;
};

std::vector<CourseLine> memory_lines(const CellColumn& column, const Painter& painter) {
  const Palette& palette = painter.palette();
  const GateStyle c = gate_style(palette, 'c'), n = gate_style(palette, 'n');
  std::vector<CourseLine> lines;
  if (!column.shown.normalizer.empty())
    lines.push_back({column.divisor_symbol(),
                     column.shown.normalizer,
                     {n.colour, painter.line_width(), Dash::dashed}});
  lines.push_back({column.memory_symbol(),
                   column.shown.memory,
                   {c.colour, painter.line_width() * c.width, c.dash}});
  return lines;
}

/// The numbers that the cell puts out: the first one strong, which is what a unit has.
std::vector<CourseLine> output_lines(const CellColumn& column, const Painter& painter) {
  const Palette& palette = painter.palette();
  const std::size_t units = column.shown.output.size();
  std::vector<CourseLine> lines;
  for (std::size_t unit = units; unit-- > 0;) {
    const Stroke strong{palette.text, painter.line_width() * 1.3f, Dash::solid};
    const Stroke thin{with_alpha(palette.muted_text, 0.55f), 1.0f, Dash::solid};
    lines.push_back({units == 1 ? "h" : fmt::format("h, number {}", unit),
                     column.shown.output[unit], unit == 0 ? strong : thin});
  }
  return lines;
}

Axis axis_of(const std::vector<CourseLine>& lines, double least) {
  double low = -least, high = least;
  if (least == 0.0) high = 1e-12;
  for (const CourseLine& line : lines) {
    for (const float number : line.numbers) {
      if (!std::isfinite(number)) continue;
      low = std::min(low, static_cast<double>(number));
      high = std::max(high, static_cast<double>(number));
    }
  }
  return padded(low, high);
}

std::string what_it_is(const BlockCard& block) {
  return block.has_matrix
             ? fmt::format("{}: one head, {} × {}", block.title, block.key_dim, block.value_dim)
             : fmt::format("{}: one unit", block.title);
}

void describe_at(CellColumn& column, const std::string& value, int step) {
  if (step < 0 || step >= column.course.steps()) return;
  const auto at = static_cast<std::size_t>(step);
  ExplorerFrame& frame = column.frame;
  frame.card.add(fmt::format("t = {}, {}", step, what_it_is(column.block)), true);
  const double h = column.course.output[at].front();
  frame.card.add(fmt::format("h{} = {}", column.course.output[at].size() > 1 ? ", number 0" : "",
                             short_number(h)));
  const double memory =
      column.block.has_matrix ? column.course.size(step) : column.course.memory[at].front();
  frame.card.add(
      fmt::format("{} = {}", column.memory_symbol(), short_number(memory / column.shown.unit)));
  if (at < column.course.normalizer.size()) {
    frame.card.add(
        fmt::format("{} = {}", column.divisor_symbol(),
                    short_number(column.course.size_of_normalizer(step) / column.shown.unit)));
  }
  frame.card.add(fmt::format("drag: move the cursor · click: pin {}", value));
  frame.hovered = ValueRef{column.block.path(value), step, 0, 0};
}

void mouse_over(CellColumn& column, const std::string& value, const Box& box) {
  const Touch mouse = touch(value.c_str(), box);
  if (!mouse.hovered && !mouse.held) return;
  const int step = column.time.window.step_at(mouse.mouse.x);
  if (mouse.held && step != column.frame.cursor() && step < column.frame.steps())
    column.frame.scene.send(command::SetCursor{step});
  describe_at(column, value, step);
  if (mouse.pressed) column.frame.scene.focus.pinned = column.frame.hovered;
}

/// Samples of the lines with their symbols.
void keys_of_lines(Painter& painter, Box row, std::span<const CourseLine> lines,
                   const char* transform) {
  for (const CourseLine& line : lines) {
    const float width = painter.measure(line.symbol).x + painter.px(36);
    if (width > row.width()) return;
    Box box = row.cut_left(width);
    const Box sample = box.cut_left(painter.px(22));
    painter.line({sample.min.x, sample.centre().y}, {sample.max.x, sample.centre().y}, line.stroke);
    box.cut_left(painter.px(4));
    painter.text_in(box, painter.palette().muted_text, line.symbol);
  }
  const std::string words[] = {transform};
  painter.first_in(row, painter.palette().muted_text, words, Align::right);
}

void lane_of(CellColumn& column, Painter& painter, const std::string& value, Box box, float gutter,
             const std::vector<CourseLine>& lines, const Axis& axis) {
  const Palette& palette = painter.palette();
  const TimeWindow& window = column.time.window;
  box.cut_left(gutter);
  box.max.x = std::min(box.max.x - painter.px(4),
                       box.min.x + window.column_width() * static_cast<float>(window.count()));
  if (box.empty()) return;
  painter.fill(box, palette.panel);
  if (box.height() > 2 * painter.line_height()) draw_axis(painter, box, axis, gutter);
  if (window.shows(column.frame.cursor())) {
    const float x = window.x(column.frame.cursor());
    painter.line({x, box.min.y}, {x, box.max.y},
                 {with_alpha(palette.cursor, 0.8f), painter.line_width()});
  }
  for (const CourseLine& line : lines) {
    std::vector<float> xs, ys;
    const int end =
        std::min(window.first() + window.count(), static_cast<int>(line.numbers.size()));
    for (int t = window.first(); t < end; ++t) {
      xs.push_back(window.x(t));
      ys.push_back(line.numbers[static_cast<std::size_t>(t)]);
    }
    draw_curve(painter, box, axis, xs, ys, line.stroke);
  }
  mouse_over(column, value, box);
  const auto& pinned = column.frame.scene.focus.pinned;
  if (!pinned || pinned->path != column.block.path(value) || lines.empty()) return;
  const std::vector<float>& shown = lines.back().numbers;
  if (!window.shows(pinned->step) || pinned->step >= static_cast<int>(shown.size())) return;
  const float y = axis.y(static_cast<double>(shown[static_cast<std::size_t>(pinned->step)]), box);
  if (std::isfinite(y)) painter.ring({window.x(pinned->step), y}, painter.px(5), palette.accent, 2);
}

/// A map with square cells in the middle of a box, and the number in each where there is room.
void cells_at(CellColumn& column, Painter& painter, const char* key, const Box& box,
              std::span<const double> numbers, int rows, int columns, const ColourScale& colours) {
  std::vector<float> values;
  for (const double number : numbers)
    values.push_back(static_cast<float>(number / column.shown.unit));
  draw_heat(painter, column.frame.scene.images, fmt::format("explorer/{}{}", key, column.number),
            box, values, rows, columns, colours);
  painter.outline(box, painter.palette().grid, 1.0f);
  const float w = box.width() / static_cast<float>(columns);
  const float h = box.height() / static_cast<float>(rows);
  if (h < painter.line_height()) return;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto row = static_cast<float>(i / static_cast<std::size_t>(columns));
    const auto across = static_cast<float>(i % static_cast<std::size_t>(columns));
    const ImVec2 at{box.min.x + across * w, box.min.y + row * h};
    if (!std::isfinite(values[i])) continue;
    painter.number_in(Box{at, {at.x + w, at.y + h}}.inset(painter.px(2), 0),
                      readable_on(colours(static_cast<double>(values[i]))),
                      static_cast<double>(values[i]), Align::centre);
  }
}

/// The memory at the cursor: the matrix with its normalizer beside it, or the numbers of the unit.
void memory_at_cursor(CellColumn& column, Painter& painter, Box box) {
  const PlainCourse& course = column.course;
  const int step = std::min(column.frame.cursor(), course.steps() - 1);
  if (step < 0) return;
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  const auto at = static_cast<std::size_t>(step);
  const bool divides = at < course.normalizer.size();
  const double largest = std::max(column.shown.largest_memory / column.shown.unit, 1e-30);
  const ColourScale colours(palette, MapName::signed_values, -largest, largest);
  std::vector<float> all;
  for (const double number : course.memory[at])
    all.push_back(static_cast<float>(number / column.shown.unit));
  const std::string state = column.block.values->memory.state;
  Legend legend{column.plain(state), "all steps", "", outside(all, colours)};
  legend.brief = state;
  const Box legend_row = box.cut_bottom(line);
  draw_legend(painter, legend_row, colours, legend);
  explain_legend(column.frame.scene, legend_row, colours, legend);
  box.cut_bottom(painter.px(3));
  Box caption = box.cut_top(line);
  const float gap = painter.px(14);
  const float parts = static_cast<float>(course.columns) + (divides ? 1.0f : 0.0f);
  float side = std::min((box.width() - (divides ? gap : 0.0f)) / parts,
                        box.height() / static_cast<float>(course.rows));
  side = std::min(side, painter.px(64));
  if (side < 2.0f) return;
  const float width = side * parts + (divides ? gap : 0.0f);
  const float left = box.min.x + std::max((box.width() - width) / 2, 0.0f);
  const float top = box.min.y;
  const Box map{{left, top},
                {left + side * static_cast<float>(course.columns),
                 top + side * static_cast<float>(course.rows)}};
  const std::string names[] = {column.block.has_matrix
                                   ? fmt::format("{} at t = {}, keys ↓ values →", state, step)
                                   : fmt::format("{} at t = {}", state, step),
                               fmt::format("{} at t = {}", state, step), state};
  // Over its map: beside the name of the normalizer, else in the middle.
  Box name = caption;
  const float reach = std::min(map.centre().x - caption.min.x, caption.max.x - map.centre().x);
  if (divides) {
    name.max.x = map.max.x + gap / 2;
  } else {
    name = {{map.centre().x - reach, caption.min.y}, {map.centre().x + reach, caption.max.y}};
  }
  painter.first_in(name, palette.muted_text, names, divides ? Align::right : Align::centre);
  cells_at(column, painter, "C", map, course.memory[at], course.rows, course.columns, colours);
  const Touch mouse = touch("map", map);
  if (mouse.hovered) {
    const auto row =
        std::clamp(static_cast<int>((mouse.mouse.y - map.min.y) / side), 0, course.rows - 1);
    const auto across =
        std::clamp(static_cast<int>((mouse.mouse.x - map.min.x) / side), 0, course.columns - 1);
    const auto cell = static_cast<std::size_t>(row * course.columns + across);
    column.frame.card.add(fmt::format("{} = {}", column.plain(state),
                                      short_number(course.memory[at][cell] / column.shown.unit)),
                          true);
    if (column.block.has_matrix)
      column.frame.card.add(fmt::format("t = {}, key {}, value {}", step, row, across));
    column.frame.hovered = ValueRef{column.block.path(state), step, 0, static_cast<int>(cell)};
    if (mouse.pressed) column.frame.scene.focus.pinned = column.frame.hovered;
  }
  if (!divides) return;
  const double most = std::max(column.shown.largest_normalizer / column.shown.unit, 1e-30);
  const ColourScale of_n(palette, MapName::signed_values, -most, most);
  const auto count = static_cast<int>(course.normalizer[at].size());
  const Box beside{{map.max.x + gap, top},
                   {map.max.x + gap + side, top + side * static_cast<float>(count)}};
  cells_at(column, painter, "n", beside, course.normalizer[at], count, 1, of_n);
  const std::string ns[] = {fmt::format("{}, up to ±{}", column.divisor(), short_number(most)),
                            column.divisor()};
  painter.first_in({{beside.min.x, caption.min.y}, caption.max}, palette.muted_text, ns);
}

/// Its name, which puts it in focus, and where its answers end to be numbers.
void title_of_column(CellColumn& column, Painter& painter, Box row) {
  const Palette& palette = painter.palette();
  ExplorerFrame& frame = column.frame;
  const bool chosen = frame.scene.focus.block == column.number;
  const Touch mouse = control(painter, "column", row, {.arrows = Arrows::row, .group = 1});
  if (mouse.pressed) frame.scene.focus.block = column.number;
  if (mouse.hovered && !painter.exporting()) painter.fill(row, palette.control, painter.px(3));
  if (chosen) painter.fill({{row.min.x, row.max.y - painter.px(2)}, row.max}, palette.accent);
  frame.card.explain(row, {{"Click: its curves are drawn above, and other views show this cell."}});
  const int bad = column.shown.first_bad;
  Box words = row.inset(painter.px(3), 0);
  if (bad >= 0) {
    const std::string says[] = {fmt::format("no number from step {} on", bad),
                                fmt::format("no number: {}", bad)};
    const std::string shown = painter.fit_first(says, words.width() * 0.62f);
    painter.text_in(words.cut_right(painter.measure(shown).x + painter.px(4)), palette.warning,
                    shown, Align::right);
  }
  const std::string titles[] = {what_it_is(column.block), column.block.title};
  painter.text_in(words, palette.text, painter.fit_first(titles, words.width(), Weight::bold),
                  Align::left, Weight::bold);
}

void column_at(CellColumn& column, Painter& painter, Box box) {
  const float line = painter.line_height();
  title_of_column(column, painter, box.cut_top(line + painter.px(5)));
  box.cut_top(painter.px(3));
  if (column.course.steps() == 0) {
    say(painter, box, "Nothing was computed yet.");
    return;
  }
  const std::vector<CourseLine> memory = memory_lines(column, painter);
  const std::vector<CourseLine> output = output_lines(column, painter);
  const Axis memory_axis = axis_of(memory, 0.0), output_axis = axis_of(output, 1.0);
  const bool with_memory = box.height() > 12 * line;
  Box picture = with_memory ? box.cut_bottom(std::max(box.height() * 0.42f, 6 * line)) : Box{};
  if (with_memory) box.cut_bottom(painter.px(6));
  const Box steps = box.height() > 4 * line ? box.cut_bottom(line) : Box{};
  const bool keys = box.height() > 5 * line;
  const float half = box.height() / 2;
  Box upper = box.cut_top(half), lower = box;
  const Box upper_keys = keys ? upper.cut_top(line) : Box{};
  const Box lower_keys = keys ? lower.cut_top(line) : Box{};
  upper.cut_bottom(painter.px(3));
  const float gutter =
      std::min(std::max({axis_margin(painter, upper.height(), memory_axis),
                         axis_margin(painter, lower.height(), output_axis), painter.px(34)}),
               box.width() * 0.4f);
  Box columns = upper;
  columns.cut_left(gutter);
  columns.cut_right(painter.px(4));
  column.time.window.update(column.frame.steps(), column.frame.cursor(), columns, painter.px(4),
                            painter.px(60));
  const std::vector<CourseLine> memory_first(memory.rbegin(), memory.rend());
  keys_of_lines(painter, upper_keys, memory_first, "");
  lane_of(column, painter, column.block.values->memory.state, upper, gutter, memory, memory_axis);
  const std::array<CourseLine, 1> strong{output.back()};
  keys_of_lines(painter, lower_keys, strong, output.size() > 1 ? "the others thin" : "");
  lane_of(column, painter, "h", lower, gutter, output, output_axis);
  if (!steps.empty())
    column.time.axis.draw(column.frame.scene, painter, steps, gutter, column.time.window,
                          std::nullopt, column.frame.card);
  if (with_memory) memory_at_cursor(column, painter, picture);
}

void fill_lines(ExplorerCourses::OfBlock& shown) {
  const PlainCourse& course = shown.course;
  for (int step = 0; step < course.steps(); ++step) {
    const auto at = static_cast<std::size_t>(step);
    const std::vector<double>& numbers = course.memory[at];
    const double size = numbers.size() == 1 ? numbers.front() : course.size(step);
    shown.memory.push_back(static_cast<float>(size / shown.unit));
    if (!course.normalizer.empty())
      shown.normalizer.push_back(static_cast<float>(course.size_of_normalizer(step) / shown.unit));
    const std::vector<double>& output = course.output[at];
    shown.output.resize(output.size());
    for (std::size_t unit = 0; unit < output.size(); ++unit) {
      shown.output[unit].push_back(static_cast<float>(output[unit]));
      if (shown.first_bad < 0 && !std::isfinite(output[unit])) shown.first_bad = step;
    }
  }
}

}  // namespace

void ExplorerCourses::use(const Snapshot& snapshot) {
  if (trace == snapshot.trace && model == snapshot.model) return;
  trace = snapshot.trace;
  model = snapshot.model;
  of_block.clear();
  held.clear();
  constexpr double kMuch = 1e30;  // what is left of float32 then is little
  for (const BlockCard& block : model->blocks) {
    OfBlock& shown = of_block.emplace_back();
    if (!trace) continue;
    shown.course = plain_course(*trace, block, 0);
    shown.largest_memory = shown.course.largest_memory();
    shown.largest_normalizer = shown.course.largest_normalizer();
    const double largest = std::max(shown.largest_memory, shown.largest_normalizer);
    if (largest > kMuch) shown.unit = std::pow(10.0, std::floor(std::log10(largest)));
    fill_lines(shown);
  }
}

void draw_cells(ExplorerFrame& frame, Painter& painter, Box box) {
  const std::size_t count = frame.blocks.size();
  const float gap = painter.px(12);
  const float width =
      (box.width() - gap * static_cast<float>(count - 1)) / static_cast<float>(count);
  if (width < painter.px(40)) return;
  for (std::size_t i = 0; i < count; ++i) {
    CellColumn column{frame, frame.blocks[i], frame.courses.of_block[i],
                      frame.times[kExplorerLanes + i], static_cast<int>(i)};
    ImGui::PushID(100 + static_cast<int>(i));
    column_at(column, painter, box.cut_left(width));
    ImGui::PopID();
    box.cut_left(gap);
  }
}

}  // namespace xlab::ui
