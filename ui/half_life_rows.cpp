// How long each forget gate of a block keeps what it holds: half-lives as lengths on the time axis.
#include "ui/half_life_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "core/analysis/forgetting.hpp"
#include "ui/ground.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

constexpr float kDenseRow = 2.0f;  ///< logical pixels of a row that has no room for words
constexpr int kRowsAtLeast = 4;

/// "14.3 tokens", and the two that are no length.
std::string life_words(double life) {
  if (std::isnan(life)) return "no number";
  if (std::isinf(life)) return "never forgets";
  if (life == 0.0) return "keeps nothing";
  return fmt::format("{} token{}", short_number(life), short_number(life) == "1" ? "" : "s");
}

/// A row: some gates, one after the other in the order.
struct Row {
  Box box;
  std::span<const int> gates;
};

struct Pen {
  BudgetFrame& frame;
  Painter& painter;
  const Box& box;
  float cursor = 0.0f;  ///< where the bars begin, in pixels

  /// The left end of a bar; at the left edge where it is longer than what is shown.
  float left(double life) const {
    const double pixels = life * static_cast<double>(frame.window.column_width());
    const double x = static_cast<double>(cursor) - pixels;
    return x > static_cast<double>(box.min.x) ? static_cast<float>(x) : box.min.x;
  }
  bool leaves(double life) const {
    return static_cast<double>(cursor) - life * static_cast<double>(frame.window.column_width()) <
           static_cast<double>(box.min.x) - 0.5;
  }
  /// Of bars; pale enough for words on it.
  ImU32 bar() const {
    const bool dark = painter.palette().name == PaletteName::dark;
    return mix(painter.palette().panel, colour(), dark ? 0.7f : 0.5f);
  }
  ImU32 colour() const { return gate_style(painter.palette(), 'f').colour; }
};

void mark_no_number(Painter& painter, const Box& bar) {
  painter.fill(bar, kNotANumber);
  painter.hatch(bar, IM_COL32_BLACK);
}

/// The tip of a bar that goes on beyond what is shown.
void draw_arrow(const Pen& pen, const Box& bar) {
  const float r = std::min(bar.height() / 2, pen.painter.px(5));
  const float y = bar.centre().y, x = bar.min.x + pen.painter.px(3);
  const ImVec2 tip[] = {{x + r, y - r}, {x, y}, {x + r, y + r}};
  pen.painter.curve(tip, {pen.painter.palette().text, pen.painter.px(1.8f)});
}

/// The number of a bar: left of it, inside, or right of the cursor, wherever it has room beside the
/// mark of the mean.
void draw_number(const Pen& pen, const Box& row, const Box& bar, double life, float mean) {
  const Palette& palette = pen.painter.palette();
  const float gap = pen.painter.px(4);
  const std::string words = life_words(life);
  const float width = pen.painter.measure(words).x + gap;
  const float inside = bar.min.x + gap + (pen.leaves(life) ? pen.painter.px(11) : 0.0f);
  const ImU32 on = std::isnan(life) ? IM_COL32_WHITE : readable_on(pen.bar());
  struct Place {
    float left, least, most;
    ImU32 colour;
  };
  const Place places[] = {{bar.min.x - gap - width, pen.box.min.x, bar.min.x - gap, palette.text},
                          {mean - gap - width, pen.box.min.x, bar.min.x - gap, palette.text},
                          {inside, bar.min.x, bar.max.x - gap, on},
                          {mean + gap, bar.min.x, bar.max.x - gap, on},
                          {pen.cursor + gap, pen.cursor, pen.box.max.x, palette.text}};
  for (const Place& place : places) {
    const float right = place.left + width;
    if (!(place.left >= place.least && right <= place.most)) continue;  // NaN: there is no mean
    if (mean > place.left - gap && mean < right + gap) continue;
    pen.painter.text_in({{place.left, row.min.y}, {right, row.max.y}}, place.colour, words);
    return;
  }
}

/// The thin mark of a mean; NaN where it lies outside of what is shown.
float mark_mean(const Pen& pen, const Row& row, double mean) {
  if (!std::isfinite(mean) || pen.leaves(mean)) return std::numeric_limits<float>::quiet_NaN();
  const float x = pen.left(mean);
  const float gap = row.box.height() > pen.painter.px(8) ? 1.0f : 0.0f;
  pen.painter.line({x, row.box.min.y + gap}, {x, row.box.max.y - gap},
                   {pen.painter.palette().text, pen.painter.px(1.5f)});
  return x;
}

/// One gate with its bar, its mean and its number.
void draw_gate(const Pen& pen, const Row& row, double life, double mean) {
  Box bar = row.box.inset(0, std::max(0.0f, (row.box.height() - pen.painter.px(14)) / 2));
  bar.max.x = pen.cursor;
  if (std::isnan(life)) {
    bar.min.x = std::max(pen.box.min.x, pen.cursor - pen.painter.px(40));
    mark_no_number(pen.painter, bar);
  } else {
    bar.min.x = pen.left(life);
    pen.painter.fill(bar, pen.bar());
    if (pen.leaves(life)) draw_arrow(pen, bar);
  }
  const float x = mark_mean(pen, row, mean);
  draw_number(pen, row.box, bar, life, x);
}

/// Many gates as one: a bar as long as their median, a thin line from the shortest to the longest.
void draw_many(const Pen& pen, const Row& row, std::span<const double> lives,
               std::span<const double> means) {
  const Palette& palette = pen.painter.palette();
  const Spread spread = spread_of(lives);
  if (spread.unknown > 0) {
    const float width =
        pen.painter.px(40) * static_cast<float>(spread.unknown) / static_cast<float>(lives.size());
    mark_no_number(pen.painter, {{pen.cursor, row.box.min.y},
                                 {pen.cursor + std::max(width, 2.0f), row.box.max.y}});
  }
  if (spread.count == 0) return;
  pen.painter.fill({{pen.left(spread.high), row.box.min.y}, {pen.left(spread.low), row.box.max.y}},
                   mix(palette.panel, pen.colour(), 0.25f));
  pen.painter.fill({{pen.left(spread.median), row.box.min.y}, {pen.cursor, row.box.max.y}},
                   pen.bar());
  mark_mean(pen, row, spread_of(means).median);
}

std::vector<double> lives_of(const Row& row, const std::vector<double>& of) {
  std::vector<double> lives;
  for (const int gate : row.gates) {
    const auto i = static_cast<std::size_t>(gate);
    lives.push_back(i < of.size() ? of[i] : std::nan(""));
  }
  return lives;
}

void describe(BudgetFrame& frame, const Row& row, const BlockLives& lives, int step) {
  const std::vector<double> now = lives_of(row, lives.now), mean = lives_of(row, lives.mean);
  if (row.gates.size() == 1) {
    const int head = row.gates.front() / lives.gates, unit = row.gates.front() % lives.gates;
    frame.card.add(fmt::format("{}: half-life {}", place_words(frame.block, head, unit),
                               life_words(now.front())),
                   true);
    if (now.front() > 0.0) {
      frame.card.add(fmt::format("it keeps {} of what it holds at t = {}",
                                 short_number(std::exp2(-1.0 / now.front())), step));
    }
    frame.card.add(fmt::format("mean over {} tokens: {} (of the logarithm of what is kept)",
                               lives.tokens, life_words(mean.front())));
    frame.value = ValueRef{frame.block.path("forget_gate_pre"), step, head, unit};
    frame.card.add("click: show it above");
    return;
  }
  const Spread spread = spread_of(now);
  frame.card.add(
      fmt::format("{} gates: median half-life {}", row.gates.size(), life_words(spread.median)),
      true);
  frame.card.add(
      fmt::format("shortest {}, longest {}", life_words(spread.low), life_words(spread.high)));
  if (spread.unknown > 0) frame.card.add(fmt::format("{} are no number", spread.unknown));
}

}  // namespace

float HalfLifeRows::wanted(const Painter& painter, const BlockLives& lives) {
  const auto count = static_cast<float>(std::max<std::size_t>(lives.now.size(), 1));
  return std::min(count, 16.0f) * (painter.line_height() + painter.px(3));
}

float HalfLifeRows::least(const Painter& painter, const BlockLives& lives) {
  const auto count = static_cast<int>(std::max<std::size_t>(lives.now.size(), 1));
  return static_cast<float>(std::min(count, kRowsAtLeast)) *
         (painter.line_height() + painter.px(1));
}

void HalfLifeRows::order(const BlockLives& lives) {
  if (order_.size() == lives.now.size() && was_sorted_ == sorted &&
      std::equal(ordered_.begin(), ordered_.end(), lives.now.begin(), lives.now.end(),
                 [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }))
    return;
  ordered_ = lives.now;
  was_sorted_ = sorted;
  order_.resize(lives.now.size());
  std::iota(order_.begin(), order_.end(), 0);
  if (!sorted) return;
  // What is no number comes first, so that it is seen.
  const auto rank = [&](int gate) {
    const double life = lives.now[static_cast<std::size_t>(gate)];
    return std::isnan(life) ? std::numeric_limits<double>::infinity() : life;
  };
  std::stable_sort(order_.begin(), order_.end(), [&](int a, int b) {
    const bool nan_a = std::isnan(lives.now[static_cast<std::size_t>(a)]);
    const bool nan_b = std::isnan(lives.now[static_cast<std::size_t>(b)]);
    return nan_a != nan_b ? nan_a : rank(a) > rank(b);
  });
}

void HalfLifeRows::draw(BudgetFrame& frame, Painter& painter, const Box& gutter, const Box& box) {
  const Palette& palette = painter.palette();
  const BlockLives& lives = frame.shown.lives();
  const int step = frame.shown.step();
  if (lives.now.empty()) {
    painter.text_in(box, palette.muted_text, "The forget gates of this step are not recorded.");
    return;
  }
  order(lives);
  const auto count = static_cast<int>(order_.size());
  const float line = painter.line_height();
  const bool words = static_cast<float>(count) * (line + painter.px(1)) <= box.height() + 0.5f;
  const int most = std::max(1, static_cast<int>(box.height() / painter.px(kDenseRow)));
  per_row_ = words ? 1 : (count + most - 1) / most;
  const int rows = (count + per_row_ - 1) / per_row_;
  const float each = std::min(box.height() / static_cast<float>(rows), line + painter.px(8));
  painter.fill(box, mix(palette.panel, palette.control, 0.5f));
  const Pen pen{frame, painter, box, std::clamp(frame.window.x(step), box.min.x, box.max.x)};
  const Touch mouse = touch("lives", box);
  for (int r = 0; r < rows; ++r) {
    const float top = box.min.y + each * static_cast<float>(r);
    const auto begin = static_cast<std::size_t>(r * per_row_);
    const auto size = static_cast<std::size_t>(std::min(per_row_, count - r * per_row_));
    const Row row{{{box.min.x, top}, {box.max.x, top + each}},
                  std::span(order_).subspan(begin, size)};
    const int gate = row.gates.front();
    const int head = gate / lives.gates, unit = gate % lives.gates;
    const bool shown =
        per_row_ == 1 && head == frame.place.head && (lives.gates == 1 || unit == frame.place.unit);
    const bool under = mouse.hovered && row.box.contains(mouse.mouse);
    if (under) painter.fill(row.box, with_alpha(palette.control_hovered, 0.6f));
    if (words) {
      const auto at = static_cast<std::size_t>(gate);
      draw_gate(pen, row, lives.now[at], at < lives.mean.size() ? lives.mean[at] : std::nan(""));
      Box name{{gutter.min.x, top}, {gutter.max.x - painter.px(5), top + each}};
      const std::string names[] = {
          lives.gates == 1 ? fmt::format("head {}", head) : fmt::format("{} · {}", head, unit),
          lives.gates == 1 ? std::to_string(head) : fmt::format("{}·{}", head, unit)};
      painter.first_in(name, shown ? palette.text : palette.muted_text, names, Align::right,
                       shown ? Weight::bold : Weight::regular);
    } else {
      draw_many(pen, row, lives_of(row, lives.now), lives_of(row, lives.mean));
    }
    if (!under) continue;
    describe(frame, row, lives, step);
    if (mouse.pressed && per_row_ == 1) {
      frame.scene.focus.head = head;
      if (lives.gates > 1) frame.place.unit = unit;
    }
  }
  painter.line({pen.cursor, box.min.y}, {pen.cursor, box.max.y},
               {palette.cursor, painter.px(1.8f)});
  painter.outline(box, palette.grid);
  if (!words) {
    Box names{{gutter.min.x, box.min.y}, {gutter.max.x - painter.px(5), box.max.y}};
    const std::string all[] = {fmt::format("{} gates", count), std::to_string(count)};
    painter.first_in(names.cut_top(line), palette.muted_text, all, Align::right);
  }
}

}  // namespace xlab::ui
