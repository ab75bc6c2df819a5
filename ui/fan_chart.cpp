// The fan: where it stands, its bands, and what a place in it says.
#include "ui/fan_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "ui/ground.hpp"
#include "ui/hint.hpp"
#include "ui/number.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {
namespace {

using Row = std::vector<double>;

/// What is drawn, and where.
struct Fan {
  const SeriesCard& series;
  const Foretold& foretold;
  Box box;
  int first = 0, last = 0;  ///< places in the series
  Axis axis;

  float x(double place) const {
    const double span = std::max(1, last - first);
    return box.min.x + box.width() * static_cast<float>((place - first) / span);
  }
  ImVec2 at(int place, double value) const { return {x(place), axis.y(value, box)}; }
  int place_at(float x_at) const {
    const float share = (x_at - box.min.x) / std::max(1.0f, box.width());
    return first + static_cast<int>(std::lround(share * static_cast<float>(last - first)));
  }
  int steps() const {
    return foretold.quantiles.empty() ? 0 : static_cast<int>(foretold.quantiles.front().size());
  }
  std::size_t middle() const { return foretold.quantiles.size() / 2; }
};

double series_number(const SeriesCard& series, int place) {
  return place >= 0 && place < static_cast<int>(series.numbers.size())
             ? series.numbers[static_cast<std::size_t>(place)]
             : std::numeric_limits<double>::quiet_NaN();
}

/// Everything that is shown, with some room; from 0 to 1 where there is nothing.
Axis vertical(const Fan& fan) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  const auto take = [&](double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  };
  for (int place = fan.first; place <= fan.last; ++place) take(series_number(fan.series, place));
  for (const Row& row : fan.foretold.quantiles)
    for (const double value : row) take(value);
  if (!fan.foretold.unclamped.empty())
    for (const double value : fan.foretold.unclamped[fan.middle()]) take(value);
  return low > high ? Axis{0.0, 1.0} : padded(low, high);
}

std::string level_word(double level) {
  return fmt::format("{:.4g} %", 100.0 * level);
}

/// Quantile q and its counterpart, the widest first; the middle one has none.
std::vector<std::pair<std::size_t, std::size_t>> bands_of(const Fan& fan) {
  std::vector<std::pair<std::size_t, std::size_t>> bands;
  const std::size_t count = fan.foretold.quantiles.size();
  for (std::size_t q = 0; q < count / 2; ++q) bands.emplace_back(q, count - 1 - q);
  return bands;
}

ImU32 band_colour(const Palette& palette, std::size_t band, std::size_t bands) {
  const float share = static_cast<float>(band + 1) / static_cast<float>(bands + 1);
  return mix(palette.panel, palette.accent, 0.12f + 0.4f * share);
}

void draw_bands(const Fan& fan, Painter& painter) {
  const auto bands = bands_of(fan);
  for (std::size_t b = 0; b < bands.size(); ++b) {
    const Row& low = fan.foretold.quantiles[bands[b].first];
    const Row& high = fan.foretold.quantiles[bands[b].second];
    const ImU32 colour = band_colour(painter.palette(), b, bands.size());
    for (int t = 0; t < fan.steps(); ++t) {
      const auto i = static_cast<std::size_t>(t);
      if (!std::isfinite(low[i]) || !std::isfinite(high[i])) continue;
      // A step reaches half-way to its neighbours.
      const double begin = t == 0 ? 0.0 : -0.5, end = t + 1 == fan.steps() ? 0.0 : 0.5;
      const auto mean = [&](const Row& row, double side) {
        const int other = t + (side < 0.0 ? -1 : side > 0.0 ? 1 : 0);
        const double beside = row[static_cast<std::size_t>(other)];
        return std::isfinite(beside) ? (row[i] + beside) / 2.0 : row[i];
      };
      const int place = fan.foretold.begin + t;
      for (const double side : {begin, end}) {
        const float half = fan.steps() == 1 ? painter.px(3) : 0.0f;
        const float x0 = fan.x(place) - (side <= 0.0 ? half : 0.0f);
        const float x1 = fan.x(place + side) + (side >= 0.0 ? half : 0.0f);
        const float y0 = fan.axis.y(low[i], fan.box), y1 = fan.axis.y(mean(low, side), fan.box);
        const float z0 = fan.axis.y(high[i], fan.box), z1 = fan.axis.y(mean(high, side), fan.box);
        const ImVec2 corners[] = {{x0, y0}, {x1, y1}, {x1, z1}, {x0, z0}};
        painter.polygon(corners, colour);
      }
    }
  }
}

void draw_row(const Fan& fan, Painter& painter, int begin, const Row& row, const Stroke& stroke) {
  std::vector<float> xs, ys;
  for (std::size_t t = 0; t < row.size(); ++t) {
    xs.push_back(fan.x(begin + static_cast<int>(t)));
    ys.push_back(static_cast<float>(row[t]));
  }
  draw_curve(painter, fan.box, fan.axis, xs, ys, stroke);
}

/// The series, with gaps where numbers are not there.
void draw_series(const Fan& fan, Painter& painter) {
  std::vector<ImVec2> points;
  const Palette& palette = painter.palette();
  for (int place = std::max(0, fan.first); place <= fan.last; ++place) {
    const double number = series_number(fan.series, place);
    points.push_back(std::isnan(number)
                         ? ImVec2{fan.x(place), std::numeric_limits<float>::quiet_NaN()}
                         : fan.at(place, number));
    // One that stands alone would be no line.
    if (!std::isnan(number) && std::isnan(series_number(fan.series, place - 1)) &&
        std::isnan(series_number(fan.series, place + 1)))
      painter.disc(points.back(), painter.line_width() * 1.2f, palette.text);
  }
  painter.curve(points, {palette.text, painter.line_width()});
}

void places_axis(const Fan& fan, Painter& painter, const Box& row) {
  const Palette& palette = painter.palette();
  const float half = painter.measure(std::to_string(fan.last)).x / 2 + painter.px(3);
  if (row.width() < 2 * half) return;
  const Axis across{static_cast<double>(fan.first), static_cast<double>(fan.last)};
  const int most = std::max(2, static_cast<int>(fan.box.width() / (4.0f * half)));
  float taken = row.min.x - half;
  for (const double tick : ticks(across, most)) {
    if (tick != std::floor(tick) || tick < 0.0) continue;
    const float x = fan.x(tick);
    painter.line({x, fan.box.min.y}, {x, fan.box.max.y}, {palette.grid, 1.0f});
    // Left of the first place there is the room of the other axis.
    const float left = std::clamp(x - half, row.min.x - half, row.max.x - 2 * half);
    const Box box{{left, row.min.y}, {left + 2 * half, row.max.y}};
    if (box.min.x < taken) continue;
    taken = box.max.x;
    painter.text_in(box, palette.muted_text, std::to_string(static_cast<int>(tick)), Align::centre);
  }
}

std::string header_text(const Snapshot& snapshot, const Fan& fan, bool brief) {
  const int end = fan.foretold.begin + fan.steps() - 1;
  const bool all = fan.foretold.begin >= static_cast<int>(fan.series.numbers.size());
  const std::string places = fan.steps() == 0 ? std::string("nothing computed yet")
                                              : fmt::format("{} to {}", fan.foretold.begin, end);
  if (brief) return fan.steps() == 0 ? places : "numbers " + places;
  return all ? fmt::format("foretold after the series: numbers {}", places)
             : fmt::format("foretold after t = {}: numbers {}", snapshot.sequence.cursor, places);
}

const char* meaning(const Fan& fan) {
  return fan.series.differenced
             ? "What the model expects, as quantiles in units of the series. The series has a "
               "trend, so its differences are read, and what is foretold of them is added up."
             : "What the model expects, as quantiles in units of the series: scaled back, and "
               "calibrated as the published program does it.";
}

void draw_keys(const Scene& scene, Painter& painter, Box row, const Fan& fan) {
  const Palette& palette = painter.palette();
  struct Key {
    std::string word, meaning;
    std::function<void(const Box&)> mark;
  };
  const auto line = [&](const Stroke& stroke) {
    return [&painter, stroke](const Box& box) {
      painter.line({box.min.x, box.centre().y}, {box.max.x, box.centre().y}, stroke);
    };
  };
  std::vector<Key> keys = {{"series", "The numbers that the model has read, or reads later.",
                            line({palette.text, painter.line_width()})}};
  const std::size_t count = fan.series.quantiles.size();
  keys.push_back({fmt::format("quantile {}", level_word(fan.series.quantiles[count / 2])),
                  "The middle one of the quantiles.",
                  line({palette.accent, 1.5f * painter.line_width()})});
  if (count > 1)
    keys.push_back(
        {fmt::format("{} to {}", level_word(fan.series.quantiles.front()),
                     level_word(fan.series.quantiles.back())),
         "The bands lie between quantiles that are equally far from the middle one; the "
         "widest between the first and the last.",
         [&](const Box& box) { painter.fill(box, band_colour(palette, 0, count / 2)); }});
  if (!fan.foretold.unclamped.empty())
    keys.push_back({"without clamps", "The middle quantile at the same place when nothing is held.",
                    line({palette.text, painter.line_width(), Dash::dashed})});
  if (fan.series.flips)
    keys.push_back({"one pass of two",
                    "The published program averages this with what the model foretells of the "
                    "series upside down; so does xlstm forecast.",
                    [](const Box&) {}});
  for (const Key& key : keys) {
    const float width = painter.measure(key.word).x + painter.px(34);
    if (width > row.width()) return;
    Box box = row.cut_left(width);
    hint(scene, box, key.meaning);
    key.mark(box.cut_left(painter.px(18)).inset(0, painter.px(4)));
    box.cut_left(painter.px(5));
    painter.text_in(box, palette.muted_text, key.word);
  }
}

void place_card(const Scene& scene, const Fan& fan, int place) {
  const double number = series_number(fan.series, place);
  std::vector<CardLine> lines = {{fmt::format("number {} of the series", place), true}};
  if (place < static_cast<int>(fan.series.numbers.size()))
    lines.push_back(
        {std::isnan(number) ? std::string("not there") : "in the series: " + short_number(number)});
  const int step = place - fan.foretold.begin;
  if (step >= 0 && step < fan.steps()) {
    const auto i = static_cast<std::size_t>(step);
    for (std::size_t q = fan.foretold.quantiles.size(); q-- > 0;)
      lines.push_back({fmt::format("{}: {}", level_word(fan.series.quantiles[q]),
                                   short_number(fan.foretold.quantiles[q][i]))});
    if (!fan.foretold.unclamped.empty())
      lines.push_back(
          {"middle one without clamps: " + short_number(fan.foretold.unclamped[fan.middle()][i])});
  }
  hover_card(scene, lines);
}

}  // namespace

void draw_fan(const Scene& scene, Painter& painter, Box box) {
  const Snapshot& snapshot = scene.snapshot;
  const Palette& palette = painter.palette();
  Fan fan{*snapshot.data->series, *snapshot.foretold, {}, 0, 0, {}};
  const float line = painter.line_height();
  const bool with_header = box.height() > 5 * line, with_keys = box.height() > 8 * line;
  if (with_header) {
    const Box row = box.cut_top(line + painter.px(4));
    const std::string texts[] = {header_text(snapshot, fan, false),
                                 header_text(snapshot, fan, true)};
    painter.first_in(row, palette.text, texts);
    hint(scene, row, meaning(fan));
  }
  if (with_keys) {
    draw_keys(scene, painter, box.cut_bottom(line), fan);
    box.cut_bottom(painter.px(3));
  }
  const Box places = box.height() > 4 * line ? box.cut_bottom(line) : Box{};
  box.cut_top(painter.px(4));
  box.cut_right(painter.px(6));

  // As much of the past as there is room for, at least as much as is foretold.
  const int room = std::max(8, static_cast<int>(box.width() / painter.px(3)));
  const int size = static_cast<int>(fan.series.numbers.size());
  const int ahead = std::max(fan.steps(), 1);
  fan.last = fan.foretold.begin + ahead - 1;
  fan.first = std::max(std::min(0, fan.foretold.begin - 1),
                       fan.foretold.begin - std::max(ahead, room - ahead));
  fan.last = std::max(fan.last, std::min(size - 1, fan.first + room));
  fan.axis = vertical(fan);
  fan.box = box;
  const float wanted = axis_margin(painter, box.height(), fan.axis);
  const float margin = box.width() > 3 * wanted ? wanted : 0.0f;
  fan.box.cut_left(margin);
  if (fan.box.empty()) return;
  draw_axis(painter, fan.box, fan.axis, margin);
  if (!places.empty()) {
    Box row = places;
    row.cut_left(margin);
    places_axis(fan, painter, {{row.min.x, row.min.y}, {fan.box.max.x, row.max.y}});
  }
  painter.outline(fan.box, palette.grid);
  painter.list().PushClipRect(fan.box.min, fan.box.max, true);
  draw_bands(fan, painter);
  draw_series(fan, painter);
  painter.list().PopClipRect();
  if (fan.steps() > 0) {
    draw_row(fan, painter, fan.foretold.begin, fan.foretold.quantiles[fan.middle()],
             {palette.accent, 1.5f * painter.line_width()});
    if (!fan.foretold.unclamped.empty())
      draw_row(fan, painter, fan.foretold.begin, fan.foretold.unclamped[fan.middle()],
               {palette.text, painter.line_width(), Dash::dashed});
  }
  const float now = fan.x(fan.foretold.begin - 0.5);
  painter.line({now, fan.box.min.y}, {now, fan.box.max.y}, {palette.cursor, painter.line_width()});
  const Touch mouse = touch("fan", fan.box);
  if (mouse.hovered) {
    const int place = std::clamp(fan.place_at(mouse.mouse.x), fan.first, fan.last);
    const float x = fan.x(place);
    painter.line({x, fan.box.min.y}, {x, fan.box.max.y}, {palette.muted_text, 1.0f, Dash::dotted});
    place_card(scene, fan, place);
  }
}

Table fan_table(const Snapshot& snapshot) {
  Table table;
  table.columns = {"number", "in the series"};
  table.places = 1;
  if (!snapshot.foretold || !snapshot.data || !snapshot.data->series) return table;
  const SeriesCard& series = *snapshot.data->series;
  const Foretold& foretold = *snapshot.foretold;
  for (const double level : series.quantiles)
    table.columns.push_back(fmt::format("quantile {}", level));
  const bool clamped = !foretold.unclamped.empty();
  if (clamped) {
    for (const double level : series.quantiles)
      table.columns.push_back(fmt::format("quantile {} without clamps", level));
  }
  const std::size_t steps = foretold.quantiles.empty() ? 0 : foretold.quantiles.front().size();
  for (std::size_t t = 0; t < steps; ++t) {
    const int place = foretold.begin + static_cast<int>(t);
    const double number = series_number(series, place);
    std::vector<std::string> row = {std::to_string(place),
                                    std::isnan(number) ? "" : full_number(number)};
    for (const auto& quantile : foretold.quantiles) row.push_back(full_number(quantile[t]));
    if (clamped)
      for (const auto& quantile : foretold.unclamped) row.push_back(full_number(quantile[t]));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace xlab::ui
