// The mean KL is a bar on a log scale, its largest at one token a tick.
#include "ui/rounding_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/bytes_text.hpp"
#include "ui/number.hpp"
#include "ui/proof_row.hpp"

namespace xlab::ui {
namespace {

/// From what a float's last digits make of it to expectations that have little in common.
constexpr LogScale kCosts{1e-8, 10.0};
constexpr const char* kWidestName = "Embedding and head";

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

void draw_track(Painter& painter, const Box& box, const RoundingCost& cost, bool whole) {
  const Palette& palette = painter.palette();
  if (box.width() < painter.px(30)) return;
  const float y = box.centre().y, half = painter.px(3);
  const auto x_of = [&](double divergence) {
    return box.min.x + box.width() * kCosts.place(divergence);
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
  const ProofColumns columns = proof_columns(painter, row, kWidestName);
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
  const ProofColumns columns = proof_columns(painter, row, kWidestName);
  const std::string texts[] = {"mean, | largest", ""};
  Box caption = columns.name;
  caption.cut_right(painter.px(12));
  painter.first_in(caption, palette.muted_text, texts);
  if (columns.track.width() < painter.px(30)) return;
  constexpr int kPowers[] = {-8, 1, 0, -4, -2, -6};
  kCosts.label(painter, {{columns.track.min.x, row.min.y}, {columns.track.max.x, row.max.y}},
               kPowers);
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
