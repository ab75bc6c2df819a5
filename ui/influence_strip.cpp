// Where a change of one unit's output goes.
#include "ui/influence_strip.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "ui/ground.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

/// What is smaller than this share of the start, a millionth, counts as gone.
constexpr double kGone = 1e-6;
/// The axis of sizes goes no further down.
constexpr double kLeastSize = 1e-9;

}  // namespace

bool InfluenceStrip::follow(const MixingFrame& frame, double most_products) {
  const int end = influence_.end(), step = influence_.step();
  influence_.follow(frame.scene.snapshot.trace, frame.block, frame.scene.snapshot.mixing,
                    frame.scene.snapshot.sequence.clamps, frame.step, frame.place.head,
                    frame.place.from);
  // What begins anew has one step, the start.
  if (influence_.step() != step || influence_.end() != end || measured_ == 0) {
    ++revision_;
    largest_ = 0.0;
    least_ = most_ = 1.0;
    measured_ = 0;
  }
  const bool more = influence_.advance(most_products);
  if (measured_ == 0) measured_ = 1;
  for (; influence_.step() + measured_ < influence_.end(); ++measured_) {
    const int t = influence_.step() + measured_;
    largest_ = std::max(largest_, largest(influence_.changes(t)));
    const double size = influence_.size(t);
    if (!std::isfinite(size)) continue;
    most_ = std::max(most_, size);
    if (size > 0.0) least_ = std::min(least_, std::max(size, kLeastSize));
  }
  return more;
}

Axis InfluenceStrip::axis() const {
  // Whole powers of ten around it, two at least; so many that 1 is among those that are written.
  const double low = std::min(std::floor(std::log10(least_) + 1e-9), -2.0);
  const double each = low < -6.0 ? 4.0 : 2.0;
  const double high = std::max(std::ceil(std::log10(most_) - 1e-9), 0.0);
  return {std::pow(10.0, std::floor(low / each) * each), std::pow(10.0, high) * 1.3, true};
}

float InfluenceStrip::gutter(const Painter& painter) const {
  return std::max(axis_margin(painter, painter.px(64), axis()),
                  painter.measure("unit 000").x + painter.px(8));
}

std::vector<std::string> InfluenceStrip::summary(const MixingFrame& frame) const {
  const int step = influence_.step(), last = influence_.end() - 1;
  if (influence_.end() <= step + 1) {
    return {frame.step + 1 >= frame.trace.length()
                ? "Nothing comes after the time cursor yet: move it back to see where the output "
                  "of a unit goes from there."
                : "The steps after the time cursor were not recorded."};
  }
  const double size = influence_.size(last);
  if (!std::isfinite(size)) return {"The change is no number any more.", "no number"};
  const std::string until = influence_.end() < frame.trace.length()
                                ? influence_.ended_early()
                                      ? fmt::format("; t = {} is not recorded", influence_.end())
                                      : fmt::format("; computed up to t = {} so far", last)
                                : "";
  if (const auto faded = faded_at(influence_, kGone)) {
    const std::string after =
        fmt::format("{} token{}", *faded - step, *faded - step == 1 ? "" : "s");
    return {fmt::format("below a millionth of the start after {}, and it stays so{}", after, until),
            "below a millionth after " + after, "gone after " + after};
  }
  return {fmt::format("{} of the start is left at t = {}, {} token{} on{}", short_number(size),
                      last, last - step, last - step == 1 ? "" : "s", until),
          fmt::format("{} left at t = {}", short_number(size), last), short_number(size)};
}

void InfluenceStrip::prepare(const TimeWindow& window, const Box& box, const ColourScale& scale) {
  const int first = std::max(window.first(), influence_.step() + 1);
  const int last = std::min(window.first() + window.count(), influence_.end());
  const Key wanted{revision_,
                   influence_.end(),
                   first,
                   std::max(last - first, 0),
                   static_cast<int>(box.width()),
                   static_cast<int>(box.height()),
                   scale.high(),
                   key_.palette};
  if (wanted == key_) return;
  key_ = wanted;
  steps_ = key_.count;
  const auto steps = static_cast<std::size_t>(steps_),
             units = static_cast<std::size_t>(influence_.units());
  values_.assign(steps * units, 0.0f);
  for (std::size_t t = 0; t < steps; ++t) {
    const std::span<const float> changes = influence_.changes(first + static_cast<int>(t));
    for (std::size_t u = 0; u < units; ++u) values_[u * steps + t] = changes[u];
  }
  heat_ = {};
  if (steps_ > 0)
    heat_ = heat_pixels(values_, influence_.units(), steps_, std::max(key_.height, 1),
                        std::max(key_.width, 1), scale);
}

void InfluenceStrip::draw(MixingFrame& frame, Painter& painter, const TimeWindow& window,
                          float gutter, Box box) {
  const float line = painter.line_height();
  const bool both = box.height() > 5.5f * line;
  Box size = both ? box.cut_bottom(box.height() * 0.5f) : Box{};
  size.cut_top(painter.px(5));
  const Box legend_row = box.height() > 3 * line ? box.cut_bottom(line) : Box{};
  box.cut_bottom(painter.px(2));
  const Box numbers = box.cut_left(gutter);
  size.cut_left(gutter);
  const float right = box.min.x + window.column_width() * static_cast<float>(window.count());
  box.max.x = std::min(box.max.x, right);
  size.max.x = std::min(size.max.x, right);
  draw_map(frame, painter, window, numbers, box);
  if (!size.empty()) draw_size(frame, painter, window, gutter, size);
  const double range = largest_ > 0.0 ? largest_ : 1.0;
  const ColourScale scale(painter.palette(), MapName::signed_values, -range, range);
  Legend legend;
  legend.unit = fmt::format("d h_t / d h_{} of each unit", influence_.step());
  legend.scope = "all later steps";
  legend.brief = "d h / d h";
  legend.outside = outside(values_, scale);
  if (heat_.reduced) legend.transform = "largest |x| of a pixel";
  legend.more = fmt::format(
      "First derivative of the recorded steps: through R into all gates, with what cells keep. The "
      "unit itself begins with 1 at t = {}, which is not drawn.",
      influence_.step());
  draw_legend(painter, legend_row, scale, legend);
  explain_legend(frame.scene, legend_row, scale, legend);
}

void InfluenceStrip::draw_map(MixingFrame& frame, Painter& painter, const TimeWindow& window,
                              const Box& gutter, const Box& box) {
  const Palette& palette = painter.palette();
  const int units = influence_.units();
  painter.fill(box, palette.control);
  const double range = largest_ > 0.0 ? largest_ : 1.0;
  const ColourScale scale(palette, MapName::signed_values, -range, range);
  if (key_.palette != palette.name) key_ = {.palette = palette.name};
  const int first = std::max(window.first(), influence_.step() + 1);
  const int last = std::min(window.first() + window.count(), influence_.end()) - 1;
  Box part = box;
  part.min.x = std::max(box.min.x, window.column(first).min.x);
  part.max.x = std::min(box.max.x, window.column(last).max.x);
  prepare(window, part, scale);
  if (steps_ > 0 && !part.empty())
    draw_heat(painter, frame.scene.images, "mixing/influence", part, values_, units, steps_, scale,
              heat_);
  painter.outline(box, palette.grid);
  const float each = box.height() / static_cast<float>(std::max(units, 1));
  const float line = painter.line_height();
  Box names = gutter;
  names.cut_right(painter.px(6));
  const std::string ends[] = {std::to_string(units - 1)};
  if (names.height() > 2 * line && units > 1) {
    painter.text_in(names.cut_top(line), palette.muted_text, "unit 0", Align::right);
    painter.first_in(names.cut_bottom(line), palette.muted_text, ends, Align::right);
  }
  // Where it begins: the unit, at the cursor.
  if (window.shows(influence_.step())) {
    const Box column = window.column(influence_.step());
    painter.line({column.max.x, box.min.y}, {column.max.x, box.max.y},
                 {palette.cursor, painter.px(1.8f)});
    const float y = box.min.y + each * (static_cast<float>(frame.place.from) + 0.5f);
    painter.disc({column.centre().x, y},
                 std::max(2.0f, std::min(painter.px(4), column.width() / 2)), palette.accent);
  }
  interact(frame, painter, window, box, true);
}

void InfluenceStrip::draw_size(MixingFrame& frame, Painter& painter, const TimeWindow& window,
                               float gutter, Box box) {
  const Palette& palette = painter.palette();
  const Axis sizes = axis();
  const std::string names[] = {"size of the change, |d h|, log scale", "|d h|, log scale", "log"};
  painter.first_in(box.cut_top(painter.line_height()), palette.muted_text, names);
  draw_axis(painter, box, sizes, gutter);
  std::vector<float> xs, ys;
  const int first = std::max(window.first(), influence_.step());
  for (int t = first; t < std::min(window.first() + window.count(), influence_.end()); ++t) {
    xs.push_back(window.x(t));
    ys.push_back(static_cast<float>(influence_.size(t)));
  }
  // Nothing at all has no place on a logarithmic axis: it lies below it.
  for (float& y : ys)
    if (y < static_cast<float>(sizes.low) && y >= 0.0f) y = static_cast<float>(sizes.low) * 0.5f;
  draw_curve(painter, box, sizes, xs, ys, {palette.text, painter.line_width() * 1.3f});
  painter.outline(box, palette.grid);
  interact(frame, painter, window, box, false);
}

void InfluenceStrip::interact(MixingFrame& frame, Painter& painter, const TimeWindow& window,
                              const Box& box, bool on_units) {
  const Touch mouse = touch(on_units ? "units" : "size", box);
  CursorDrag& drag = drags_[on_units ? 0 : 1];
  if (mouse.held) {
    drag.to(frame.scene, window.step_at(mouse.mouse.x));
  } else {
    drag.let_go();
  }
  if (!mouse.hovered || mouse.held || box.empty()) return;
  const int t = window.step_at(mouse.mouse.x), step = influence_.step();
  if (t < step || t >= influence_.end()) {
    frame.card.add(t < step ? "before the time cursor: what is put out later changes nothing there"
                            : "not known yet");
    frame.card.add("drag: move the cursor");
    return;
  }
  const int units = influence_.units();
  const int largest_unit = influence_.largest(t);
  const Box column = window.column(t);
  if (on_units) {
    const float each = box.height() / static_cast<float>(units);
    const int unit = std::clamp(static_cast<int>((mouse.mouse.y - box.min.y) / each), 0, units - 1);
    frame.card.add(fmt::format("unit {} at t = {}: {}", unit, t,
                               short_number(static_cast<double>(
                                   influence_.changes(t)[static_cast<std::size_t>(unit)]))),
                   true);
    frame.card.add(fmt::format("so much for each 1 that h of unit {} at t = {} is changed by",
                               frame.place.from, step));
    const float y = box.min.y + each * static_cast<float>(unit);
    painter.outline({{column.min.x, y}, {std::max(column.max.x, column.min.x + 2), y + each}},
                    painter.palette().text, painter.line_width());
    frame.value =
        ValueRef{frame.block.path(frame.block.values->mixing.output), t, frame.place.head, unit};
  } else {
    painter.line({window.x(t), box.min.y}, {window.x(t), box.max.y},
                 {with_alpha(painter.palette().muted_text, 0.5f), 1.0f});
  }
  frame.card.add(fmt::format("size {} at t = {}; most in unit {}: {}",
                             short_number(influence_.size(t)), t, largest_unit,
                             short_number(static_cast<double>(
                                 influence_.changes(t)[static_cast<std::size_t>(largest_unit)]))),
                 !on_units);
  frame.card.add("drag: move the cursor");
}

}  // namespace xlab::ui
