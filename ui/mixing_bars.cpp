// What each pre-activation of one unit is made of at the time cursor.
#include "ui/mixing_bars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ui/ground.hpp"
#include "ui/number.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {
namespace {

constexpr std::size_t kMixedParts = 3;
constexpr std::size_t kSourcesTold = 5;
constexpr float kTallest = 1.7f;  ///< a row takes so much of what it needs where there is room
/// Up to this, parts and pre-activation differ by rounding, relative to what is added up.
constexpr double kRounding = 1e-5;

float bar_row(const Painter& painter) {
  return painter.line_height() + painter.px(7);
}

/// One of the three that are added up.
struct PartLook {
  std::string symbol;
  std::string words;
  ImU32 colour;
};

std::array<PartLook, kMixedParts> part_looks(const Palette& palette) {
  return {{{"W x", "W x: what the token alone asks for.", mix(palette.panel, palette.text, 0.62f)},
           {"R h", "R h: what the head put out one token before, through R.", palette.accent},
           {"b", "b: the bias, the same at every step.", mix(palette.panel, palette.text, 0.3f)}}};
}

struct PartColumns {
  Box name, track;
  std::array<Box, kMixedParts> part;  ///< empty where there is no room for numbers
  Box sum;
};

PartColumns bar_columns(const MixingFrame& frame, const Painter& painter, Box row) {
  PartColumns columns;
  float widest = 0.0f;
  for (int g = 0; g < frame.gates(); ++g)
    widest = std::max(widest, painter.measure(frame.gate(g).title).x);
  const float badge = painter.line_height() + painter.px(5), number = painter.px(68);
  const bool wide = row.width() > badge + widest + 4 * number + painter.px(150);
  const bool named = row.width() > badge + widest + number + painter.px(110);
  columns.name = row.cut_left(badge + (named ? widest + painter.px(8) : 0.0f));
  columns.sum = row.cut_right(std::min(number, row.width() / 3));
  for (std::size_t i = kMixedParts; wide && i-- > 0;) columns.part[i] = row.cut_right(number);
  // Numbers beside each other stay apart.
  for (Box* column : {&columns.part[0], &columns.part[1], &columns.part[2], &columns.sum})
    if (!column->empty()) column->cut_left(painter.px(8));
  row.cut_right(painter.px(6));
  columns.track = row;
  return columns;
}

std::array<double, kMixedParts> numbers_of(const PreParts& parts) {
  return {parts.token, parts.mixed, parts.bias};
}

/// Where each part begins and ends: positive ones to the right of zero, negative ones to the left,
/// in their order.
std::array<std::pair<double, double>, kMixedParts> stacked(const PreParts& parts) {
  std::array<std::pair<double, double>, kMixedParts> ends;
  double right = 0.0, left = 0.0;
  const auto numbers = numbers_of(parts);
  for (std::size_t i = 0; i < kMixedParts; ++i) {
    double& edge = numbers[i] >= 0.0 ? right : left;
    ends[i] = {edge, edge + numbers[i]};
    edge += numbers[i];
  }
  return ends;
}

bool finite(const PreParts& parts) {
  return std::isfinite(parts.sum()) && std::isfinite(parts.recorded);
}

/// The bars of all gates share one axis.
Axis shared_axis(const std::vector<std::optional<PreParts>>& all) {
  double low = 0.0, high = 0.0;
  for (const std::optional<PreParts>& parts : all) {
    if (!parts || !finite(*parts)) continue;
    for (const auto& [begin, end] : stacked(*parts)) {
      low = std::min({low, begin, end});
      high = std::max({high, begin, end});
    }
    low = std::min(low, parts->recorded);
    high = std::max(high, parts->recorded);
  }
  return padded(low, high);
}

float x_of(const Axis& axis, const Box& track, double value) {
  const double share = (value - axis.low) / (axis.high - axis.low);
  return track.min.x + track.width() * static_cast<float>(std::clamp(share, 0.0, 1.0));
}

/// Zero and round numbers through the bars; the numbers where there is room below.
void draw_value_axis(Painter& painter, const Axis& axis, const Box& track, const Box& below) {
  const Palette& palette = painter.palette();
  const std::vector<double> values =
      ticks(axis, std::max(2, static_cast<int>(track.width() / painter.px(70))));
  const double apart = values.size() > 1 ? values[1] - values[0] : 1.0;
  float free = below.min.x - painter.px(30);
  for (const double value : values) {
    const float x = x_of(axis, track, value);
    painter.line({x, track.min.y}, {x, track.max.y},
                 {value == 0.0 ? palette.text : palette.grid, 1.0f});
    if (below.empty()) continue;
    const std::string text = tick_number(value, apart);
    const float half = painter.measure(text).x / 2 + 1;
    if (x - half < free) continue;
    painter.text_in({{x - half, below.min.y}, {x + half, below.max.y}}, palette.muted_text, text,
                    Align::centre);
    free = x + half + painter.px(6);
  }
}

void explain_part(MixingFrame& frame, int gate, const PreParts& parts, std::size_t part) {
  const std::string& title = frame.gate(gate).title;
  const auto looks = part_looks(frame.scene.palette);
  frame.card.add(fmt::format("{} of the {} = {}", looks[part].symbol, title,
                             short_number(numbers_of(parts)[part])),
                 true);
  frame.value =
      frame.ref(part == 0 ? frame.gate(gate).token : frame.gate(gate).pre, frame.place.to);
  if (part != 1) {
    frame.card.add(looks[part].words);
    return;
  }
  if (frame.step == 0) {
    frame.card.add("t = 0: nothing was put out yet");
    return;
  }
  const auto largest = largest_sources(
      sources_of(frame.trace, frame.block, frame.image, frame.mixed(gate)), kSourcesTold);
  frame.card.add(
      fmt::format("the largest of {} units, at t = {}:", frame.image.units, frame.step - 1));
  for (const MixedSource& source : largest)
    frame.card.add(fmt::format("from unit {}: R {} · h {} = {}", source.unit,
                               short_number(source.weight), short_number(source.output),
                               short_number(source.product)));
}

void explain_sum(MixingFrame& frame, int gate, const PreParts& parts) {
  const std::string symbol = frame.symbol(gate);
  frame.card.add(fmt::format("{} = {}", symbol, short_number(parts.recorded)), true);
  frame.card.add(
      fmt::format("unit {} of head {}, t = {}", frame.place.to, frame.place.head, frame.step));
  const std::string sum =
      fmt::format("W x {} + R h {} + b {} = {}", short_number(parts.token),
                  short_number(parts.mixed), short_number(parts.bias), short_number(parts.sum()));
  frame.card.add(sum);
  if (parts.cap > 0.0)
    frame.card.add(fmt::format("softly capped: {} · tanh(sum / {}) = {}", short_number(parts.cap),
                               short_number(parts.cap), short_number(parts.expected())));
  if (parts.held) frame.card.add("held by hand: the parts are what it would be made of");
  if (parts.edited())
    frame.card.add(fmt::format("edited by hand: {} · (what the parts come to) + {}",
                               short_number(parts.scale), short_number(parts.plus)));
  frame.card.add("click: pin");
  frame.value = frame.ref(frame.gate(gate).pre, frame.place.to);
}

/// The stacked bar and the mark of what was recorded.
void draw_stack(const PreParts& parts, Painter& painter, const Box& bar, const Axis& axis) {
  const Palette& palette = painter.palette();
  const auto looks = part_looks(palette);
  const auto ends = stacked(parts);
  for (std::size_t i = 0; i < kMixedParts; ++i) {
    const float a = x_of(axis, bar, ends[i].first), b = x_of(axis, bar, ends[i].second);
    const Box part{{std::min(a, b), bar.min.y}, {std::max(a, b), bar.max.y}};
    if (part.width() <= 0.0f) continue;
    painter.fill(part, parts.held ? with_alpha(looks[i].colour, 0.35f) : looks[i].colour);
  }
  const float over = painter.px(2), x = x_of(axis, bar, parts.recorded);
  if (parts.held || parts.cap > 0.0) {
    const float ghost = x_of(axis, bar, parts.sum());
    painter.line({ghost, bar.min.y}, {ghost, bar.max.y},
                 {palette.muted_text, painter.px(1.5f), Dash::dotted});
  }
  // Pale around it, so that it stands out on every part.
  painter.line({x, bar.min.y - over}, {x, bar.max.y + over}, {palette.panel, painter.px(5)});
  painter.line({x, bar.min.y - over}, {x, bar.max.y + over}, {palette.text, painter.px(2.2f)});
}

/// What of the row is under the mouse: one of the parts, or the whole.
std::optional<std::size_t> part_under(const PreParts& parts, const PartColumns& columns,
                                      const Axis& axis, ImVec2 mouse) {
  const auto ends = stacked(parts);
  for (std::size_t i = 0; i < kMixedParts; ++i) {
    if (mouse.x >= columns.part[i].min.x && mouse.x < columns.part[i].max.x) return i;
    const float a = x_of(axis, columns.track, ends[i].first),
                b = x_of(axis, columns.track, ends[i].second);
    if (finite(parts) && mouse.x >= std::min(a, b) && mouse.x < std::max(a, b)) return i;
  }
  return std::nullopt;
}

void draw_row(MixingFrame& frame, Painter& painter, int gate, const std::optional<PreParts>& parts,
              const PartColumns& columns, const Axis& axis) {
  const Palette& palette = painter.palette();
  Box name = columns.name;
  painter.badge({name.min.x, name.centre().y - painter.line_height() / 2},
                gate_style(palette, frame.gate(gate).letter));
  name.cut_left(painter.line_height() + painter.px(5));
  if (!name.empty()) painter.text_in(name, palette.text, frame.gate(gate).title);
  if (!parts) {
    painter.text_in(columns.track, palette.muted_text, "not recorded");
    return;
  }
  const Box bar{{columns.track.min.x, columns.track.min.y + painter.px(3)},
                {columns.track.max.x, columns.track.max.y - painter.px(3)}};
  if (finite(*parts)) {
    draw_stack(*parts, painter, bar, axis);
  } else {
    painter.fill(bar, kNotANumber);
    painter.hatch(bar, IM_COL32_BLACK);
  }
  const auto numbers = numbers_of(*parts);
  for (std::size_t i = 0; i < kMixedParts; ++i)
    if (!columns.part[i].empty())
      painter.number_in(columns.part[i], palette.text, numbers[i], Align::right);
  painter.number_in(columns.sum, palette.text, parts->recorded, Align::right, Weight::bold);
  const Box whole{{columns.track.min.x, bar.min.y}, {columns.sum.max.x, bar.max.y}};
  const Touch mouse = touch("bar", whole);
  if (!mouse.hovered) return;
  if (const auto part = part_under(*parts, columns, axis, mouse.mouse)) {
    explain_part(frame, gate, *parts, *part);
  } else {
    explain_sum(frame, gate, *parts);
  }
  if (mouse.pressed) frame.scene.focus.pinned = frame.value;
}

/// What the columns are, with the colours of the parts: the legend of the bars.
void draw_heads(MixingFrame& frame, Painter& painter, const PartColumns& columns, const Box& row) {
  const Palette& palette = painter.palette();
  const auto looks = part_looks(palette);
  const float side = painter.px(9);
  const bool numbers = !columns.part.front().empty();
  float x = columns.track.min.x;
  for (std::size_t i = 0; i < kMixedParts; ++i) {
    const float width = side + painter.px(4) + painter.measure(looks[i].symbol).x;
    if (numbers) x = columns.part[i].max.x - width;
    const Box whole{{x, row.min.y}, {x + width, row.max.y}};
    const Box swatch{{x, row.centre().y - side / 2}, {x + side, row.centre().y + side / 2}};
    if (whole.max.x > (numbers ? columns.part[i].max.x + 1 : columns.sum.min.x)) break;
    painter.fill(swatch, looks[i].colour);
    painter.text_in({{x + side + painter.px(4), row.min.y}, {whole.max.x + 1, row.max.y}},
                    palette.muted_text, looks[i].symbol);
    hint(frame.scene, whole, looks[i].words);
    x = whole.max.x + painter.px(12);
  }
  const std::string texts[] = {"value", "="};
  const Box sum{{columns.sum.min.x, row.min.y}, {columns.sum.max.x, row.max.y}};
  painter.first_in(sum, palette.muted_text, texts, Align::right, Weight::bold);
  hint(frame.scene, sum,
       "The pre-activation as it was recorded: the upright mark. What the parts do not make of it "
       "stands below.");
}

/// Whether the parts make what was recorded.
void draw_agreement(MixingFrame& frame, Painter& painter, const Box& row,
                    const std::vector<std::optional<PreParts>>& all) {
  const Palette& palette = painter.palette();
  double apart = 0.0;
  bool agree = true, numbers = true, capped = false;
  std::string held, edited;
  for (std::size_t g = 0; g < all.size(); ++g) {
    if (!all[g]) continue;
    const PreParts& parts = *all[g];
    capped = capped || parts.cap > 0.0;
    if (parts.held) {
      held += (held.empty() ? "" : ", ") + frame.symbol(static_cast<int>(g));
      continue;
    }
    if (parts.edited()) edited += (edited.empty() ? "" : ", ") + frame.symbol(static_cast<int>(g));
    const double difference = std::abs(parts.difference());
    numbers = numbers && std::isfinite(difference);
    const double added = std::abs(parts.token) + std::abs(parts.mixed) + std::abs(parts.bias) + 1.0;
    agree = agree && difference <= kRounding * added;
    if (difference > apart) apart = difference;
  }
  const std::string difference = fmt::format("largest difference {}", short_number(apart));
  const std::string cap = capped ? " and its soft cap" : "";
  std::string also =
      held.empty() ? "" : fmt::format("; {} held by hand, pale parts are what it would be", held);
  if (!edited.empty())
    also += fmt::format("; {} {} the edits by hand", edited,
                        edited.find(',') == std::string::npos ? "is after" : "are after");
  std::vector<std::string> texts = {
      fmt::format("the sum{} is the recorded pre-activation: {}{}", cap, difference, also),
      fmt::format("{}{}", difference, also),
      held.empty() ? difference : fmt::format("{} held by hand", held)};
  bool warns = false;
  if (!numbers) {
    texts = {"some of these are no numbers: there is nothing to compare", "no numbers"};
    warns = true;
  } else if (!agree) {
    const NumberFormat format = frame.block.variant.number_format;
    const bool rounds = format == NumberFormat::bf16 || format == NumberFormat::fp16;
    warns = !rounds;
    texts = {fmt::format(
                 "{}: {}",
                 rounds ? fmt::format("the cell rounds to {} at every step", xlab::name_of(format))
                        : "the parts do not add up to the recorded pre-activation",
                 difference),
             difference};
  }
  painter.first_in(row, warns ? palette.warning : palette.muted_text, texts);
  hint(frame.scene, row, texts.front());
}

}  // namespace

float mixing_bars_height(const Painter& painter, int gates) {
  return 3 * painter.line_height() + static_cast<float>(gates) * bar_row(painter) + painter.px(2);
}

void draw_mixing_bars(MixingFrame& frame, Painter& painter, Box box) {
  const float line = painter.line_height();
  // As many gates as have room for a line each; the last line says how many have none.
  const float least = line + painter.px(2);
  int rows = frame.gates();
  if (box.height() < static_cast<float>(rows) * least) {
    rows = std::max(0, static_cast<int>((box.height() - line) / least));
    const std::string left[] = {
        fmt::format("no room for {} of {} gates", frame.gates() - rows, frame.gates()), "no room"};
    painter.first_in(box.cut_bottom(line), painter.palette().muted_text, left);
  }
  if (rows == 0) return;
  std::vector<std::optional<PreParts>> all;
  for (int g = 0; g < rows; ++g)
    all.push_back(parts_of(frame.trace, frame.block, frame.image,
                           frame.scene.snapshot.sequence.clamps, frame.mixed(g)));
  const auto count = static_cast<float>(rows);
  const float bars =
      std::clamp(box.height() - 3 * line, count * least, count * kTallest * bar_row(painter));
  const Box heads = box.height() >= bars + line ? box.cut_top(line) : Box{};
  const Box place = box.cut_top(std::min(bars, box.height()));
  const Box below = box.height() >= line ? box.cut_top(line) : Box{};
  const Axis axis = shared_axis(all);
  const PartColumns columns = bar_columns(frame, painter, place);
  draw_value_axis(painter, axis, columns.track, below);
  if (!heads.empty()) draw_heads(frame, painter, columns, heads);
  Box left = place;
  for (int g = 0; g < rows; ++g) {
    const Box row = left.cut_top(bars / count);
    PartColumns here = columns;
    for (Box* column :
         {&here.name, &here.track, &here.sum, &here.part[0], &here.part[1], &here.part[2]}) {
      if (column->empty()) continue;
      column->min.y = row.min.y;
      column->max.y = row.max.y;
    }
    ImGui::PushID(g);
    draw_row(frame, painter, g, all[static_cast<std::size_t>(g)], here, axis);
    ImGui::PopID();
  }
  if (box.height() >= line) draw_agreement(frame, painter, box.cut_top(line), all);
}

}  // namespace xlab::ui
