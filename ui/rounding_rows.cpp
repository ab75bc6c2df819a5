// The mean KL is a bar on a log scale, its largest at one token a tick.
#include "ui/rounding_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "core/bytes_text.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

/// The scale: from what a float's last digits make of it to expectations that have little in
/// common.
constexpr double kLeastCost = 1e-8, kMostCost = 10.0;

float place_of_cost(double divergence) {
  if (!(divergence > kLeastCost)) return std::isnan(divergence) ? 1.0f : 0.0f;
  return static_cast<float>(
      std::clamp(std::log(divergence / kLeastCost) / std::log(kMostCost / kLeastCost), 0.0, 1.0));
}

std::string tokens_of(const HealthReport& report) {
  return fmt::format("{} {}token{}", report.rounding_tokens, report.tokens_drawn ? "drawn " : "",
                     report.rounding_tokens == 1 ? "" : "s");
}

std::string name_of(const RoundingCost& cost) {
  if (cost.rounded == "all") return "All weights";
  std::string name = cost.rounded;
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 32);
  return name;
}

std::string sentence_of(const RoundingCost& cost, const HealthReport& report) {
  return fmt::format(
      "Mean of KL(p || q) after each of {}, p expected with the weights as they are stored, q with "
      "these in {}; {} nats at worst. The likeliest next token is the same after {}% of them. They "
      "take {} instead of {}.",
      tokens_of(report), report.rounded_to, short_number(cost.largest),
      short_number(100.0 * cost.same_first), bytes_text(cost.bytes_rounded),
      bytes_text(cost.bytes_before));
}

struct Columns {
  Box name, track, number;
};

Columns columns_of(const Painter& painter, Box row) {
  Columns columns;
  row.cut_left(painter.px(20));
  const float number =
      std::max(painter.measure("1.00e−16").x, painter.measure("no number", Weight::bold).x) + 1;
  columns.number = row.cut_right(std::min(number, row.width() * 0.4f));
  row.cut_right(painter.px(8));
  const float names = painter.measure("Embedding and head").x + painter.px(14);
  const bool track = row.width() - names > painter.px(44);
  columns.name = row.cut_left(track ? names : row.width());
  columns.track = row;
  return columns;
}

void draw_track(Painter& painter, const Box& box, const RoundingCost& cost, bool whole) {
  const Palette& palette = painter.palette();
  if (box.width() < painter.px(30)) return;
  const float y = box.centre().y, half = painter.px(3);
  const auto x_of = [&](double divergence) {
    return box.min.x + box.width() * place_of_cost(divergence);
  };
  painter.line({box.min.x, y}, {box.max.x, y}, {palette.grid, 1.0f});
  if (std::isnan(cost.divergence)) return;
  const float mean = std::max(x_of(cost.divergence), box.min.x + painter.px(2));
  painter.fill({{box.min.x, y - half}, {mean, y + half}},
               with_alpha(palette.accent, whole ? 1.0f : 0.6f));
  const float tall = painter.px(6), largest = x_of(cost.largest);
  painter.line({largest, y - tall}, {largest, y + tall}, {palette.muted_text, painter.px(1.5f)});
}

void draw_row(Scene& scene, Painter& painter, const Box& row, const RoundingCost& cost,
              const HealthReport& report) {
  const Palette& palette = painter.palette();
  const Touch mouse = touch(("rounded " + cost.rounded).c_str(), row);
  if (mouse.hovered) painter.fill(row, with_alpha(palette.control_hovered, 0.5f), painter.px(3));
  const Columns columns = columns_of(painter, row);
  const bool whole = cost.rounded == "all";
  const Weight weight = whole ? Weight::bold : Weight::regular;
  painter.text_in(columns.name, palette.text, name_of(cost), Align::left, weight);
  if (std::isnan(cost.divergence)) {
    const std::string none[] = {"no number", "NaN", "–"};
    painter.first_in(columns.number, palette.muted_text, none, Align::right, weight);
  } else {
    painter.number_in(columns.number, palette.text, cost.divergence, Align::right, weight);
  }
  draw_track(painter, columns.track, cost, whole);
  if (!mouse.hovered) return;
  const CardLine lines[] = {{name_of(cost) + " in " + report.rounded_to, true},
                            {sentence_of(cost, report)}};
  hover_card(scene, lines);
}

void draw_scale(Painter& painter, const Box& row) {
  const Palette& palette = painter.palette();
  const Columns columns = columns_of(painter, row);
  const std::string texts[] = {"mean, | largest", ""};
  Box caption = columns.name;
  caption.cut_right(painter.px(12));
  painter.first_in(caption, palette.muted_text, texts);
  if (columns.track.width() < painter.px(30)) return;
  std::vector<Box> taken;
  for (const int power : {-8, 1, 0, -4, -2, -6}) {
    // The scale begins where nothing can be told from 0.
    const std::string label = power == -8  ? "0"
                              : power == 1 ? "10"
                              : power == 0 ? "1"
                                           : fmt::format("1e−{}", -power);
    const float x =
        columns.track.min.x + columns.track.width() * place_of_cost(std::pow(10.0, power));
    const float half = painter.measure(label).x / 2 + painter.px(3);
    const Box box{{x - half, row.min.y}, {x + half, row.max.y}};
    if (std::any_of(taken.begin(), taken.end(), [&](const Box& other) {
          return other.min.x < box.max.x && box.min.x < other.max.x;
        }))
      continue;
    taken.push_back(box);
    painter.text_in(box, palette.muted_text, label, Align::centre);
  }
}

/// The whole first: it is what one wants to know.
std::vector<const RoundingCost*> in_order(const HealthReport& report) {
  std::vector<const RoundingCost*> order;
  for (const RoundingCost& cost : report.rounding) order.push_back(&cost);
  std::stable_partition(order.begin(), order.end(),
                        [](const RoundingCost* cost) { return cost->rounded == "all"; });
  return order;
}

}  // namespace

void draw_rounding(Scene& scene, Painter& painter, Box& rest, float height) {
  const HealthReport& report = *scene.snapshot.health;
  if (report.rounded_to.empty()) return;
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  rest.cut_top(painter.px(6));
  rest.cut_top(painter.paragraph(rest.min, rest.width(), palette.text,
                                 "What " + report.rounded_to + " cost", Weight::bold));
  rest.cut_top(painter.paragraph(
      rest.min, rest.width(), palette.muted_text,
      fmt::format("KL of what is expected next, against the weights as they are stored: mean after "
                  "each of {}, in nats.",
                  tokens_of(report))));
  rest.cut_top(painter.px(4));
  const auto rows = in_order(report);
  for (const RoundingCost* cost : rows)
    draw_row(scene, painter, rest.cut_top(height), *cost, report);
  if (!rows.empty()) draw_scale(painter, rest.cut_top(line + painter.px(4)));
}

void add_rounding(const HealthReport& report, Table& table) {
  for (const RoundingCost* cost : in_order(report))
    table.rows.push_back(
        {fmt::format("{} in {}: mean KL in nats", name_of(*cost), report.rounded_to),
         full_number(cost->divergence), "", "", sentence_of(*cost, report)});
}

}  // namespace xlab::ui
