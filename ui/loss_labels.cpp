// Labels in the plot have an opaque ground; names stand in a column of their own beside it.
#include "ui/loss_labels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "ui/number.hpp"

namespace xlab::ui {
namespace {

constexpr float kSample = 16.0f;   // of the stroke before a name
constexpr float kToNames = 12.0f;  // between plot and names, for the leaders

/// Of several places for a label the one that covers least of the lines; the first of equals.
Box clearest(const Drawn& drawn, std::span<const Box> places) {
  Box best;
  float least = std::numeric_limits<float>::infinity();
  for (const Box& place : places) {
    const float covered = drawn.under(place);
    if (covered >= least) continue;
    least = covered;
    best = place;
  }
  return best;
}

/// A label on the ground of the panel.
void put_label(Painter& painter, const Box& place, ImU32 colour, const std::string& label,
               Weight weight) {
  painter.fill(place, painter.palette().panel, painter.px(2));
  painter.text({place.min.x + painter.px(3), place.min.y}, colour, label, weight);
}

Weight weight_of(const LossLine& line) {
  return line.focused ? Weight::bold : Weight::regular;
}

/// The last `count` characters of a text in UTF-8.
std::string tail_of(const std::string& text, int count) {
  std::size_t at = text.size();
  while (at > 0 && count > 0) {
    --at;
    if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) --count;
  }
  return text.substr(at);
}

struct Name {
  const LossLine* line;
  std::size_t rank;  ///< the lower the longer it stays
  float end_x, end_y, top;
};

/// Moves labels that are sorted by their places apart, within a column.
void spread(std::vector<Name>& names, float top, float bottom, float line) {
  float free = top;
  for (Name& name : names) {
    name.top = std::max(name.end_y - line / 2, free);
    free = name.top + line;
  }
  float limit = bottom;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    name->top = std::min(name->top, limit - line);
    limit = name->top;
  }
}

}  // namespace

float Drawn::under(const Box& label) const {
  float covered = 0.0f;
  const auto add = [&](const std::vector<float>& xs, const std::vector<float>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float before = values[i > 0 ? i - 1 : i], now = values[i];
      if (!std::isfinite(before) || !std::isfinite(now)) continue;
      const float left = std::max(xs[i > 0 ? i - 1 : i], label.min.x);
      const float right = std::min(xs[i], label.max.x);
      if (right < left) continue;
      const float a = axis.y(before, box), b = axis.y(now, box);
      if (std::max(a, b) < label.min.y || std::min(a, b) > label.max.y) continue;
      covered += std::max(right - left, 1.0f);
    }
  };
  for (const PlottedLine& line : lines) {
    add(line.xs, line.raw);
    add(line.smooth_xs, line.smooth);
  }
  const bool crossed = guess_y > label.min.y && guess_y < label.max.y;
  return covered + (crossed ? label.width() : 0.0f);
}

Box label_last_loss(Painter& painter, const Drawn& drawn, const PlottedLine& focused, float loss) {
  const Palette& palette = painter.palette();
  const Box& box = drawn.box;
  const float x = focused.xs.back();
  float y = box.centre().y;
  if (std::isfinite(loss)) {
    y = std::clamp(drawn.axis.y(focused.raw.back(), box), box.min.y, box.max.y);
    painter.disc({x, y}, painter.px(3.5f), focused.line->style.colour);
  }
  const std::string label =
      painter.fit_number(loss, box.width() / 2 - painter.px(6), {}, Weight::bold);
  if (label.empty()) return {};
  const ImVec2 size = painter.measure(label, Weight::bold);
  const float right =
      std::max(box.min.x + size.x + painter.px(6), std::min(x - painter.px(3), box.max.x));
  std::vector<Box> places;
  const auto offer = [&](float top) {
    const Box place{{right - size.x - painter.px(6), top}, {right, top + size.y}};
    if (place.min.y >= box.min.y && place.max.y <= box.max.y) places.push_back(place);
  };
  // Above or below its point, the nearer the better, else above or below the line of a uniform
  // guess beside it.
  for (const float lines : {0.0f, 1.0f, 2.0f}) {
    offer(y - (1 + lines) * size.y - painter.px(8));
    offer(y + lines * size.y + painter.px(6));
  }
  if (std::abs(drawn.guess_y - y) < 2 * size.y) {
    offer(drawn.guess_y - size.y - painter.px(4));
    offer(drawn.guess_y + painter.px(4));
  }
  if (places.empty()) return {};
  const Box place = clearest(drawn, places);
  put_label(painter, place, palette.text, label, Weight::bold);
  return place;
}

void label_guess(Painter& painter, const Drawn& drawn, double uniform, const Box& number) {
  const Box& box = drawn.box;
  const std::string label = fmt::format("uniform guess {}", short_number(uniform));
  const float width = painter.measure(label).x + painter.px(6), line = painter.line_height();
  const float away = painter.px(3);
  std::vector<Box> places;
  const float room = box.width() - 2 * away - width, left_end = box.min.x + away;
  const float lefts[] = {left_end + room,         left_end,
                         left_end + room / 2,     left_end + room / 4,
                         left_end + room * 0.75f, left_end + room / 8};
  for (const float left : lefts) {
    for (const float top : {drawn.guess_y - line - 1, drawn.guess_y + 1}) {
      const Box place{{left, top}, {left + width, top + line}};
      const bool inside = left >= box.min.x && top >= box.min.y && place.max.y <= box.max.y &&
                          place.max.x <= box.max.x;
      const bool apart = place.max.x < number.min.x - away || place.min.x > number.max.x + away ||
                         place.max.y < number.min.y || place.min.y > number.max.y;
      if (!inside || !(apart || number.empty())) continue;
      places.push_back(place);
    }
  }
  if (places.empty()) return;
  // The card beside the mouse says it too: of a curve no more than a corner is covered.
  const Box place = clearest(drawn, places);
  if (drawn.under(place) > width / 4) return;
  put_label(painter, place, painter.palette().muted_text, label, Weight::regular);
}

std::string middle_cut(const Painter& painter, const std::string& name, float width,
                       Weight weight) {
  if (painter.measure(name, weight).x <= width) return name;
  for (const int count : {10, 7, 4}) {
    const std::string tail = tail_of(name, count);
    const std::string head = painter.fit(name, width - painter.measure(tail, weight).x, weight);
    // An ellipsis alone is no head.
    if (head.size() > std::string("…").size() + 2) return head + tail;
  }
  return painter.fit("…" + tail_of(name, 4), width, weight);
}

float names_width(const Painter& painter, std::span<const LossLine> lines, float room) {
  // One that is not of the run on screen, whose name stands above, is named too.
  if (lines.size() == 1 && lines.front().focused) return 0.0f;
  float widest = 0.0f;
  for (const LossLine& line : lines)
    widest = std::max(widest, painter.measure(line.name, weight_of(line)).x);
  const float sample = painter.px(kToNames + kSample + 5);
  const float width =
      std::min(sample + widest + painter.px(2), std::min(room * 0.36f, sample + painter.px(170)));
  return width < sample + painter.px(44) ? 0.0f : std::ceil(width);
}

std::vector<int> write_names(Painter& painter, const Box& column, const Drawn& drawn,
                             std::span<const LossLine> lines) {
  const Palette& palette = painter.palette();
  const Box& box = drawn.box;
  const float line = painter.line_height();
  std::vector<Name> names;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const PlottedLine& plotted = drawn.lines[i];
    const float last = plotted.smooth.back();
    const float y = std::isfinite(last) ? drawn.axis.y(last, box) : box.centre().y;
    names.push_back({&lines[i], lines[i].focused ? 0 : i + 1, plotted.smooth_xs.back(),
                     std::clamp(y, box.min.y, box.max.y), 0.0f});
  }
  const auto rows = static_cast<std::size_t>(std::max(0.0f, column.height() / line));
  if (rows == 0) return {};
  const std::size_t left_out = names.size() > rows ? names.size() - rows + 1 : 0;
  if (left_out > 0) {
    std::sort(names.begin(), names.end(),
              [](const Name& a, const Name& b) { return a.rank < b.rank; });
    names.resize(std::max<std::size_t>(rows, 2) - 1);
  }
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) {
    return a.end_y != b.end_y ? a.end_y < b.end_y : a.rank < b.rank;
  });
  spread(names, column.min.y, column.max.y - (left_out > 0 && rows > 1 ? line : 0.0f), line);
  const float text_x = column.min.x + painter.px(kToNames + kSample + 5);
  std::vector<int> named;
  for (const Name& name : names) {
    const float y = std::floor(name.top + line / 2) + 0.5f;
    const float left = column.min.x + painter.px(kToNames);
    // From the end of the curve to its name, as faint as the grid.
    const Stroke leader{palette.grid, 1.0f};
    if (name.end_x < box.max.x - painter.px(3))
      painter.line({name.end_x, name.end_y}, {box.max.x, name.end_y}, leader);
    painter.line({box.max.x, name.end_y}, {left - painter.px(2), y}, leader);
    Stroke sample = smoothed_line(painter, *name.line);
    painter.line({left, y}, {left + painter.px(kSample), y}, sample);
    const Weight weight = weight_of(*name.line);
    const std::string word = middle_cut(painter, name.line->name, column.max.x - text_x, weight);
    painter.text({text_x, name.top}, palette.text, word, weight);
    named.push_back(name.line->run);
  }
  if (left_out > 0 && rows > 1) {
    const std::string more[] = {fmt::format("and {} more", lines.size() - names.size()),
                                fmt::format("+{}", lines.size() - names.size())};
    painter.first_in({{text_x, column.max.y - line}, column.max}, palette.muted_text, more);
  }
  return named;
}

}  // namespace xlab::ui
