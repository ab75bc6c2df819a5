// The gauge: a bar for each format over powers of ten, and what the plain cell needs across them.
#include "ui/range_gauge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "ui/number.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {
namespace {

constexpr std::array<NumberFormat, 4> kGaugeFormats{NumberFormat::fp64, NumberFormat::fp32,
                                                    NumberFormat::bf16, NumberFormat::fp16};
constexpr double kFarthest = 340.0;  ///< fp64 ends before it on either side
constexpr float kLeaders = 9.0f;     ///< room for what leads from a name to its line

/// From the smallest to the largest that is needed, as decimal logarithms, and where.
struct NeededRange {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  int low_step = -1, high_step = -1;

  bool any() const { return low <= high; }
};

NeededRange needed_range(const StabilizerFrame& frame) {
  NeededRange range;
  for (int t = 0; t < frame.shown.length(); ++t) {
    for (const double need : frame.shown.needs()[static_cast<std::size_t>(t)].log10) {
      if (!std::isfinite(need)) continue;
      if (need < range.low) range.low = need, range.low_step = t;
      if (need > range.high) range.high = need, range.high_step = t;
    }
  }
  return range;
}

/// Powers of ten across a box; what lies beyond stands at its edge.
struct GaugeScale {
  Axis axis;
  Box box;

  float x(double power) const {
    const double share = (power - axis.low) / (axis.high - axis.low);
    return box.min.x + box.width() * static_cast<float>(std::clamp(share, 0.0, 1.0));
  }
};

GaugeScale gauge_scale(const NeededRange& needed, const Box& box) {
  const double low = needed.any() ? needed.low : 0.0, high = needed.any() ? needed.high : 0.0;
  return {{std::clamp(low - 6.0, -kFarthest, -52.0), std::clamp(high + 6.0, 46.0, kFarthest)}, box};
}

struct GaugeColumns {
  Box name, track, verdict;
};
GaugeColumns gauge_columns(const Painter& painter, Box row) {
  GaugeColumns columns;
  columns.name = row.cut_left(painter.measure("fp64", Weight::bold).x + painter.px(8));
  columns.verdict = row.cut_right(painter.px(18) + painter.measure("digits lost").x);
  row.cut_right(painter.px(6));
  columns.track = row;
  return columns;
}

const char* fit_word(Fit fit) {
  return fit == Fit::fits ? "fits" : fit == Fit::loses ? "digits lost" : "overflows";
}

/// A tick, a dash or a cross.
void draw_fit(Painter& painter, Box box, Fit fit) {
  const Palette& palette = painter.palette();
  const ImVec2 centre{box.min.x + painter.px(7), box.centre().y};
  const float r = painter.px(3.5f), width = painter.px(1.8f);
  const ImU32 colour = fit == Fit::fits ? palette.accent : palette.warning;
  if (fit == Fit::fits) {
    const std::array<ImVec2, 3> tick = {ImVec2{centre.x - r, centre.y},
                                        ImVec2{centre.x - r * 0.2f, centre.y + r * 0.8f},
                                        ImVec2{centre.x + r * 1.1f, centre.y - r}};
    painter.curve(tick, {colour, width});
  } else if (fit == Fit::loses) {
    painter.line({centre.x - r, centre.y}, {centre.x + r, centre.y}, {colour, width});
  } else {
    painter.line({centre.x - r, centre.y - r}, {centre.x + r, centre.y + r}, {colour, width});
    painter.line({centre.x - r, centre.y + r}, {centre.x + r, centre.y - r}, {colour, width});
  }
  box.cut_left(painter.px(16));
  const std::string words[] = {fit_word(fit)};
  painter.first_in(box, fit == Fit::fits ? palette.muted_text : palette.text, words);
}

void draw_format(const StabilizerFrame& frame, Painter& painter, const Box& row,
                 const GaugeScale& scale, NumberFormat format) {
  const Palette& palette = painter.palette();
  const GaugeColumns columns = gauge_columns(painter, row);
  const bool chosen = format == frame.choice.format;
  const FormatLimits limits = limits_of(format);
  painter.text_in(columns.name, chosen ? palette.text : palette.muted_text, xlab::name_of(format),
                  Align::left, chosen ? Weight::bold : Weight::regular);
  const float half = std::clamp(row.height() * 0.28f, 2.0f, painter.px(8)), y = row.centre().y;
  const float left = scale.x(std::log10(limits.smallest));
  const float middle = scale.x(std::log10(limits.smallest_normal));
  const float right = scale.x(std::log10(limits.largest));
  const ImU32 colour = chosen ? palette.accent : palette.muted_text;
  // Full height where all digits are there; half of it where they go one by one.
  painter.fill({{middle, y - half}, {right, y + half}}, with_alpha(colour, 0.45f));
  painter.fill({{left, y - half / 2}, {middle, y + half / 2}}, with_alpha(colour, 0.45f));
  // A bar that goes on beyond the scale has a tip there.
  const Box& track = scale.box;
  const float tip = half * 0.8f;
  if (std::log10(limits.largest) > scale.axis.high)
    painter.polygon(std::array{ImVec2{track.max.x - tip, y - tip}, ImVec2{track.max.x, y},
                               ImVec2{track.max.x - tip, y + tip}},
                    palette.text);
  if (std::log10(limits.smallest) < scale.axis.low)
    painter.polygon(std::array{ImVec2{track.min.x, y}, ImVec2{track.min.x + tip, y - tip},
                               ImVec2{track.min.x + tip, y + tip}},
                    palette.text);
  const auto [fit, step] = frame.shown.fit(format);
  draw_fit(painter, columns.verdict, fit);
  const auto power = [](double x) {
    const double exponent = std::log(x);
    return fmt::format("{} = e^{}{:.2f}", short_number(x), exponent < 0.0 ? "−" : "",
                       std::abs(exponent));
  };
  const std::string verdict =
      fit == Fit::fits ? std::string("Holds all that the plain cell needs in this sequence.")
      : fit == Fit::loses
          ? fmt::format("From t = {} on the memory is so small that digits are lost.", step)
          : fmt::format("Overflows without m, first at t = {}.", step);
  frame.card.explain(row, {{xlab::name_of(format), true},
                           {"largest " + power(limits.largest)},
                           {"smallest with all digits " + power(limits.smallest_normal)},
                           {"smallest " + power(limits.smallest)},
                           {verdict}});
}

/// A line across all formats, and its name above.
struct NeedLine {
  std::string name;
  GateStyle style;
  float x = 0.0f;
  Box words;
};

/// What the plain cell needs at the cursor, from left to right; names keep clear of each other.
std::vector<NeedLine> need_lines(const StabilizerFrame& frame, const Painter& painter,
                                 const Box& names, const GaugeScale& scale) {
  std::vector<NeedLine> lines;
  const int step = frame.cursor();
  if (step < 0 || step >= frame.shown.length()) return lines;
  const PlainNeeds& needs = frame.shown.needs()[static_cast<std::size_t>(step)];
  const bool exponential = frame.block.variant.forget_gate == ForgetGate::exponential;
  const char* const words[] = {"exp(i)", exponential ? "exp(f)" : "σ(f)",
                               frame.matrix() ? "C" : "c", "n"};
  constexpr char kLetters[] = {'i', 'f', 'c', 'n'};
  for (std::size_t j = 0; j < PlainNeeds::kCount; ++j)
    if (std::isfinite(needs.log10[j]))
      lines.push_back(
          {words[j], gate_style(painter.palette(), kLetters[j]), scale.x(needs.log10[j]), {}});
  std::stable_sort(lines.begin(), lines.end(),
                   [](const NeedLine& a, const NeedLine& b) { return a.x < b.x; });
  // From the left each as near to its line as the one before lets it; then back from the right end.
  float from = names.min.x;
  for (NeedLine& line : lines) {
    const float width = painter.measure(line.name).x + painter.px(8);
    const float left = std::max(from, line.x - width / 2);
    line.words = {{left, names.min.y}, {left + width, names.max.y}};
    from = left + width;
  }
  float to = names.max.x;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const float over = std::max(0.0f, line->words.max.x - to);
    line->words.min.x -= over;
    line->words.max.x -= over;
    to = line->words.min.x;
  }
  return lines;
}

void draw_needs(const StabilizerFrame& frame, Painter& painter, const Box& names,
                const GaugeScale& scale) {
  const std::vector<NeedLine> lines = need_lines(frame, painter, names, scale);
  for (const NeedLine& line : lines) {
    const Stroke stroke{line.style.colour, 1.4f * painter.line_width(), line.style.dash};
    painter.line({line.x, scale.box.min.y}, {line.x, scale.box.max.y}, stroke);
    if (lines.front().words.min.x < names.min.x) continue;  // no room for all of them
    painter.line({line.words.centre().x, names.max.y}, {line.x, scale.box.min.y},
                 {line.style.colour, 1.0f});
    painter.text_in(line.words, painter.palette().text, line.name, Align::centre);
  }
}

/// Every so many powers of ten there is room for a number.
double power_distance(double span, int most) {
  for (const double distance : {10.0, 20.0, 50.0, 100.0})
    if (span / distance <= most) return distance;
  return 200.0;
}

void draw_powers(Painter& painter, const Box& row, const GaugeScale& scale) {
  const Palette& palette = painter.palette();
  const bool far = scale.axis.high - scale.axis.low > 199.0;
  const float half = painter.measure(far ? "−300" : "−40").x / 2 + painter.px(2);
  const int most = std::max(1, static_cast<int>(scale.box.width() / (2.0f * half + painter.px(4))));
  const double distance = power_distance(scale.axis.high - scale.axis.low, most);
  for (double power = std::ceil(scale.axis.low / distance) * distance; power <= scale.axis.high;
       power += distance) {
    const float x = scale.x(power);
    painter.line({x, scale.box.min.y}, {x, scale.box.max.y}, {palette.grid, 1.0f});
    if (x - half < row.min.x || x + half > row.max.x) continue;
    painter.text_in({{x - half, row.min.y}, {x + half, row.max.y}}, palette.muted_text,
                    tick_number(power, distance), Align::centre);
  }
}

/// What the whole sequence needs, in words.
std::vector<std::string> needed_words(const NeededRange& needed, int left_out) {
  if (!needed.any()) return {"nothing computed yet"};
  const auto number = [](double power) { return short_number(std::pow(10.0, power)); };
  const auto power = [](double value) { return fmt::format("10^{}", short_number(value)); };
  const bool writable = std::abs(needed.low) < 300.0 && std::abs(needed.high) < 300.0;
  const std::string low = writable ? number(needed.low) : power(needed.low);
  const std::string high = writable ? number(needed.high) : power(needed.high);
  if (left_out > 0)
    return {fmt::format("{} to {}, without {} steps that hold no numbers", low, high, left_out),
            fmt::format("{} to {}, {} left out", low, high, left_out), ""};
  return {fmt::format("whole sequence: {} (t = {}) to {} (t = {})", low, needed.low_step, high,
                      needed.high_step),
          fmt::format("{} to {}", low, high), ""};
}

}  // namespace

float range_gauge_height(const Painter& painter) {
  return 8.0f * (painter.line_height() + painter.px(2)) + painter.px(kLeaders);
}

void draw_range_gauge(const StabilizerFrame& frame, Painter& painter, Box box) {
  const Palette& palette = painter.palette();
  const float line = painter.line_height() + painter.px(2);
  const Box title = box.cut_top(line);
  const std::string titles[] = {"range needed without m, in powers of ten",
                                "range needed without m (log₁₀)", "range needed (log₁₀)"};
  painter.text_in(title, palette.text, painter.fit_first(titles, title.width(), Weight::bold),
                  Align::left, Weight::bold);
  frame.card.explain(
      title,
      {{"The exponentials and sums of the plain cell", true},
       {"Lines: at the time cursor. Grey band: from the smallest to the largest of the whole "
        "sequence. Bars: what each format can hold, high where it has all digits, low where "
        "they go one by one. Powers of ten, as decimal logarithms."}});
  const NeededRange needed = needed_range(frame);
  const Box names = gauge_columns(painter, box.cut_top(line)).track;
  box.cut_top(painter.px(kLeaders));
  Box rows = box;
  rows.cut_bottom(2.0f * line);
  const float height = rows.height() / static_cast<float>(kGaugeFormats.size());
  const GaugeScale scale = gauge_scale(needed, gauge_columns(painter, rows).track);
  Box rest{{box.min.x, rows.max.y}, box.max};
  const Box powers = gauge_columns(painter, rest.cut_top(line)).track;
  if (scale.box.width() > painter.px(40)) {
    draw_powers(painter, powers, scale);
    if (needed.any()) {
      const float left = scale.x(needed.low), right = scale.x(needed.high);
      painter.fill({{left, scale.box.min.y}, {std::max(right, left + 1.0f), scale.box.max.y}},
                   with_alpha(palette.muted_text, 0.22f));
    }
    for (const NumberFormat format : kGaugeFormats)
      draw_format(frame, painter, rows.cut_top(height), scale, format);
    painter.outline(scale.box, palette.grid);
    draw_needs(frame, painter, names, scale);
  }
  // What comes in is no number there, and so is all that would be needed.
  const auto& exact = frame.shown.exact().steps;
  const auto left_out = std::count_if(exact.begin(), exact.end(),
                                      [](const auto& step) { return !std::isfinite(step.h); });
  const std::vector<std::string> words = needed_words(needed, static_cast<int>(left_out));
  painter.first_in(rest.cut_top(line), palette.muted_text, words);
}

}  // namespace xlab::ui
