// Costs are drawn from the line of the loss as it is: to the right what a head is worth, to the
// left what the model would gain without it.
#include "ui/worth_bars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/ground.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

/// The costs that all bars share a scale for, 0 among them.
struct CostRange {
  double low = 0.0, high = 0.0;

  void add(double cost) {
    if (!std::isfinite(cost)) return;
    low = std::min(low, cost);
    high = std::max(high, cost);
  }
  float place(double cost) const {
    const double span = high - low;
    // Of numbers close to the largest there are, the span may be no number.
    const double share =
        span > 0.0 && std::isfinite(span) ? (cost - low) / span : (cost > low ? 1.0 : 0.0);
    return static_cast<float>(std::clamp(share, 0.0, 1.0));
  }
};

struct WorthColumns {
  Box name, track, number;
};

std::vector<std::string> names_of_bar(const ModelCard& model, const Ablation& one) {
  if (one.head < 0)
    return {fmt::format("block {}, all heads", one.block), fmt::format("block {}", one.block),
            fmt::format("{}", one.block)};
  const bool alone = static_cast<std::size_t>(one.block) < model.blocks.size() &&
                     model.blocks[static_cast<std::size_t>(one.block)].heads < 2;
  if (alone)
    return {fmt::format("block {}, head 0", one.block), fmt::format("block {}", one.block),
            fmt::format("{}", one.block)};
  return {fmt::format("head {}", one.head), fmt::format("{}.{}", one.block, one.head)};
}

/// A block in focus is written bold.
float widest_name(const Painter& painter, const Snapshot& snapshot) {
  float widest = 0.0f;
  for (const Ablation& one : snapshot.worth->without) {
    const std::string name = names_of_bar(*snapshot.model, one).front();
    widest = std::max(widest, one.head < 0 ? painter.measure(name, Weight::bold).x
                                           : painter.measure(name).x + painter.px(10));
  }
  return widest;
}

WorthColumns columns_of_bar(const Painter& painter, Box row, float names) {
  WorthColumns columns;
  columns.number = row.cut_right(std::min(painter.measure("−0.000000").x, row.width() * 0.45f));
  row.cut_right(painter.px(6));
  columns.name = row.cut_left(std::min(names + painter.px(8), row.width() * 0.55f));
  columns.track = row;
  return columns;
}

void draw_bar(Painter& painter, const WorthColumns& columns, const CostRange& range, double cost) {
  const Palette& palette = painter.palette();
  const Box& track = columns.track;
  const bool drawn = track.width() >= painter.px(24);
  const float tall = std::min(painter.px(5), track.height() / 2 - 1), y = track.centre().y;
  const Box whole{{track.min.x, y - tall}, {track.max.x, y + tall}};
  if (!std::isfinite(cost)) {
    if (drawn) {
      painter.fill(whole, kNotANumber);
      painter.hatch(whole, IM_COL32_BLACK);
    }
    const std::string none[] = {std::isnan(cost) ? "NaN" : cost > 0.0 ? "∞" : "−∞"};
    painter.first_in(columns.number, palette.text, none, Align::right);
    return;
  }
  painter.number_in(columns.number, palette.text, cost, Align::right, Weight::regular,
                    cost > 0.0 ? "+" : "");
  if (!drawn) return;
  const ColourScale signs(palette, MapName::signed_values, -1.0, 1.0);
  const float zero = track.min.x + track.width() * range.place(0.0);
  const float end = track.min.x + track.width() * range.place(cost);
  painter.line({track.min.x, y}, {track.max.x, y}, {palette.grid, 1.0f});
  painter.fill({{std::min(zero, end), y - tall}, {std::max(zero, end), y + tall}},
               signs(cost < 0.0 ? -1.0 : 1.0));
}

/// Lowest, zero and highest below the tracks; what has no room beside what matters more is left
/// out.
void draw_cost_scale(Painter& painter, const WorthColumns& columns, const CostRange& range) {
  const Palette& palette = painter.palette();
  const std::string captions[] = {"costs, in nats", "costs, nats", "nats"};
  painter.first_in(columns.name, palette.muted_text, captions);
  const Box& track = columns.track;
  if (track.width() < painter.px(24)) return;
  std::vector<Box> taken;
  for (const double cost : {0.0, range.high, range.low}) {
    if (cost == 0.0 && !taken.empty()) continue;
    const std::string words = fmt::format("{}{}", cost > 0.0 ? "+" : "", short_number(cost));
    const float x = track.min.x + track.width() * range.place(cost);
    const float wide = painter.measure(words).x + painter.px(2);
    const float left =
        std::clamp(x - wide / 2, track.min.x, std::max(track.min.x, track.max.x - wide));
    const Box box{{left, track.min.y}, {left + wide, track.max.y}};
    const float gap = painter.px(4);
    const bool free = std::none_of(taken.begin(), taken.end(), [&](const Box& other) {
      return other.min.x < box.max.x + gap && box.min.x < other.max.x + gap;
    });
    if (!free || box.max.x > track.max.x + 1.0f) continue;
    taken.push_back(box);
    painter.text_in(box, palette.muted_text, words, Align::centre);
  }
}

}  // namespace

std::string worth_words(const Snapshot& snapshot) {
  if (!snapshot.worth) return {};
  const AblationReport& report = *snapshot.worth;
  if (report.tokens.empty()) return {};
  const char* const many = report.answers == 1 ? "" : "s";
  const std::string answers =
      report.every_token
          ? fmt::format("a token, over {} next token{}", report.answers, many)
          : fmt::format("an answer, over {} answer{} that the task asks for", report.answers, many);
  if (std::isnan(report.loss))
    return report.running && report.without.empty()
               ? "Taking the loss as it is."
               : fmt::format("The loss as it is is no number ({}).", answers);
  std::string words = fmt::format("Loss as it is: {} nats {}.", short_number(report.loss), answers);
  std::vector<double> costs;
  for (const Ablation& one : report.without)
    if (std::isfinite(one.loss - report.loss)) costs.push_back(one.loss - report.loss);
  if (costs.empty()) return words;
  const auto [low, high] = std::minmax_element(costs.begin(), costs.end());
  return words + fmt::format(" A bar is what it costs to switch a head off: {} to {} nats.",
                             short_number(*low), short_number(*high));
}

std::string worth_apart(const Snapshot& snapshot) {
  if (!snapshot.worth || snapshot.worth->tokens.empty()) return {};
  const AblationReport& report = *snapshot.worth;
  std::string words;
  const auto add = [&words](const std::string& sentence) {
    words += (words.empty() ? "" : " ") + sentence;
  };
  const std::int64_t since = snapshot.train.step - report.step;
  if (since > 0)
    add(fmt::format("With the weights of {} training step{} ago.", since, since == 1 ? "" : "s"));
  if (since < 0) add("With other weights than those of now.");
  const std::vector<int>& tokens = snapshot.sequence.tokens;
  const bool beginning = report.tokens.size() <= tokens.size() &&
                         std::equal(report.tokens.begin(), report.tokens.end(), tokens.begin());
  if (!beginning) {
    add("On another sequence than the one on screen.");
  } else if (report.tokens.size() < tokens.size()) {
    add(fmt::format("On the first {} of {} tokens.", report.tokens.size(), tokens.size()));
  }
  const bool held = std::any_of(snapshot.sequence.clamps.begin(), snapshot.sequence.clamps.end(),
                                [](const Clamp& clamp) { return clamp.enabled; });
  if (held) add("Without what is held by hand.");
  return words;
}

void draw_worth_bars(Scene& scene, Painter& painter, Box& rest,
                     const std::function<void(const WorthBar&)>& touched) {
  const AblationReport* report = scene.snapshot.worth.get();
  if (!report || !scene.snapshot.model || report->without.empty()) return;
  const Palette& palette = painter.palette();
  const float names = widest_name(painter, scene.snapshot);
  const float height = painter.line_height() + painter.px(2);
  CostRange range;
  for (const Ablation& one : report->without) range.add(one.loss - report->loss);
  const Box all = rest;
  for (std::size_t i = 0; i < report->without.size(); ++i) {
    const Ablation& one = report->without[i];
    const Box row = rest.cut_top(height);
    ImGui::PushID(static_cast<int>(i));
    const Touch mouse = control(painter, "bar", row, {.arrows = Arrows::column, .group = 2});
    ImGui::PopID();
    if (mouse.hovered || mouse.pressed) touched({i, mouse.hovered, mouse.pressed});
    if (!ImGui::IsRectVisible(row.min, row.max)) continue;
    if (mouse.hovered) painter.fill(row, with_alpha(palette.control_hovered, 0.5f), painter.px(3));
    WorthColumns columns = columns_of_bar(painter, row, names);
    if (one.head >= 0) columns.name.cut_left(std::min(painter.px(10), columns.name.width() / 4));
    const bool focused = one.block == block_in_focus(scene);
    painter.first_in(columns.name, focused ? palette.text : palette.muted_text,
                     names_of_bar(*scene.snapshot.model, one), Align::left,
                     one.head < 0 && focused ? Weight::bold : Weight::regular);
    draw_bar(painter, columns, range, one.loss - report->loss);
  }
  // The loss as it is, through all of them.
  const WorthColumns columns = columns_of_bar(painter, all, names);
  if (columns.track.width() >= painter.px(24)) {
    const float zero = columns.track.min.x + columns.track.width() * range.place(0.0);
    painter.line({zero, all.min.y}, {zero, rest.min.y}, {palette.text, painter.px(1.5f)});
  }
  draw_cost_scale(painter, columns_of_bar(painter, rest.cut_top(height), names), range);
}

}  // namespace xlab::ui
