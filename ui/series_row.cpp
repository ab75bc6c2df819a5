// The series under its patches.
#include "ui/series_row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "ui/hint.hpp"
#include "ui/number.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

/// Number `i` of patch `t`.
double patch_number(const SeriesCard& series, int t, int i) {
  const int place = series.begin + t * series.patch + i;
  return place >= 0 && place < static_cast<int>(series.numbers.size())
             ? series.numbers[static_cast<std::size_t>(place)]
             : kNothing;
}

}  // namespace

const SeriesCard* series_of(const Snapshot& snapshot) {
  return snapshot.data ? snapshot.data->series.get() : nullptr;
}

void draw_series_row(Painter& painter, const TimeWindow& window, const Box& row,
                     const Box& captions, const SeriesCard& series) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  std::vector<float> xs, ys;
  for (int t = window.first(); t < window.first() + window.count(); ++t) {
    const Box column = window.column(t);
    for (int i = 0; i < series.patch; ++i) {
      const double number = patch_number(series, t, i);
      const float share = (static_cast<float>(i) + 0.5f) / static_cast<float>(series.patch);
      if (std::isnan(number)) continue;
      xs.push_back(column.min.x + column.width() * share);
      ys.push_back(static_cast<float>(number));
      low = std::min(low, number);
      high = std::max(high, number);
    }
  }
  const Axis axis = low > high ? Axis{0.0, 1.0} : padded(low, high);
  painter.list().PushClipRect({captions.min.x, row.min.y - painter.line_height()},
                              {row.max.x, row.max.y + painter.line_height()}, false);
  draw_axis(painter, row, axis,
            std::min(captions.width(), axis_margin(painter, row.height(), axis)));
  painter.list().PopClipRect();
  // A gap where numbers are not there.
  std::vector<float> part_x, part_y;
  const auto draw = [&] {
    if (part_x.size() == 1) {
      painter.disc({part_x[0], axis.y(static_cast<double>(part_y[0]), row)},
                   1.2f * painter.line_width(), painter.palette().text);
    } else if (!part_x.empty()) {
      draw_curve(painter, row, axis, part_x, part_y,
                 {painter.palette().text, painter.line_width()});
    }
    part_x.clear();
    part_y.clear();
  };
  std::size_t next = 0;
  for (int t = window.first(); t < window.first() + window.count(); ++t) {
    for (int i = 0; i < series.patch; ++i) {
      if (std::isnan(patch_number(series, t, i))) {
        draw();
        continue;
      }
      part_x.push_back(xs[next]);
      part_y.push_back(ys[next++]);
    }
  }
  draw();
}

void draw_series_words(const Scene& scene, Painter& painter, const Box& row,
                       const SeriesCard& series) {
  const std::string size =
      fmt::format("{} numbers in patches of {}", series.numbers.size(), series.patch);
  const std::string texts[] = {
      fmt::format("{}, {}{}", size, fmt::format("then {} that are foretold", series.future),
                  series.differenced ? "; a trend: their differences are read" : ""),
      size, fmt::format("patches of {}", series.patch)};
  painter.first_in(row, painter.palette().muted_text, texts);
  hint(scene, row,
       series.differenced
           ? "The series has a trend: the model reads the differences of its numbers, divided by "
             "their deviation, and foretells differences. Here it stands as it is."
           : "The model reads the numbers less their mean, divided by their deviation. Here they "
             "stand as they are.");
}

std::string patch_words(const SeriesCard& series, int t) {
  const int first = series.begin + t * series.patch, last = first + series.patch - 1;
  if (last < 0) return "before the series: nothing is there";
  const bool ahead = first >= static_cast<int>(series.numbers.size());
  return fmt::format("{}numbers {} to {}", ahead ? "foretold " : "", std::max(first, 0), last);
}

std::vector<CardLine> patch_lines(const SeriesCard& series, int t) {
  std::vector<CardLine> lines = {{fmt::format("t = {}   {}", t, patch_words(series, t)), true}};
  double low = std::numeric_limits<double>::infinity(), high = -low;
  int there = 0;
  for (int i = 0; i < series.patch; ++i) {
    const double number = patch_number(series, t, i);
    if (std::isnan(number)) continue;
    ++there;
    low = std::min(low, number);
    high = std::max(high, number);
  }
  if (there > 0) {
    lines.push_back({fmt::format("from {} up to {}", short_number(low), short_number(high))});
    if (there < series.patch)
      lines.push_back({fmt::format("{} of {} numbers are there", there, series.patch)});
  }
  lines.push_back({"click or drag: move the cursor here"});
  return lines;
}

Table patch_table(const Snapshot& snapshot, const SeriesCard& series) {
  Table table;
  table.columns = {"step", "number", "in the series", "cursor"};
  table.places = 2;
  table.step_column = 0;
  for (int t = 0; t < static_cast<int>(snapshot.sequence.tokens.size()); ++t) {
    for (int i = 0; i < series.patch; ++i) {
      const int place = series.begin + t * series.patch + i;
      if (place < 0) continue;
      const double number = patch_number(series, t, i);
      table.rows.push_back({std::to_string(t), std::to_string(place),
                            std::isnan(number) ? "" : full_number(number),
                            t == snapshot.sequence.cursor ? "here" : ""});
    }
  }
  return table;
}

}  // namespace xlab::ui
