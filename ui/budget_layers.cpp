// The bar of the write budget at every step: one layer a token, the oldest at the bottom.
#include "ui/budget_layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "core/hash.hpp"
#include "ui/ground.hpp"
#include "ui/number.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {
namespace {

/// 0 and 100 % beside the layers, and the half where there is room.
void draw_shares(Painter& painter, Box gutter, const Box& box) {
  gutter.cut_right(painter.px(6));
  const float line = painter.line_height();
  const auto at = [&](float y, const char* text) {
    const Box row{{gutter.min.x, std::clamp(y - line / 2, box.min.y, box.max.y - line)},
                  {gutter.max.x, 0.0f}};
    const std::string texts[] = {text};
    painter.first_in({row.min, {row.max.x, row.min.y + line}}, painter.palette().muted_text, texts,
                     Align::right);
  };
  if (box.height() < 2.2f * line) return;
  at(box.min.y, "100 %");
  at(box.max.y, "0 %");
  if (box.height() > 4 * line) at(box.centre().y, "50 %");
}

/// The edges of one token's layer, from its own step on.
void draw_band(const BudgetFrame& frame, Painter& painter, const Box& box) {
  const BudgetShown& shown = frame.shown;
  const TimeWindow& window = frame.window;
  const int last =
      std::min(window.first() + window.count(), static_cast<int>(shown.whole().size()));
  if (frame.strong < shown.first() || frame.strong >= last) return;
  const TokenBand band =
      token_band(shown.kept(), shown.weight(), shown.sums(), shown.whole(), frame.strong, last - 1);
  std::vector<ImVec2> edges[2];
  for (int t = std::max(frame.strong, window.first()); t < last; ++t) {
    const auto i = static_cast<std::size_t>(t - frame.strong);
    const Box column = window.column(t);
    const double ends[] = {band.begin[i], band.end[i]};
    for (int side = 0; side < 2; ++side) {
      const double share = std::clamp(ends[side], 0.0, 1.0);
      const float y = std::isfinite(ends[side])
                          ? box.max.y - box.height() * static_cast<float>(share)
                          : std::numeric_limits<float>::quiet_NaN();
      edges[side].push_back({column.min.x, y});
      edges[side].push_back({column.max.x, y});
    }
  }
  for (const std::vector<ImVec2>& edge : edges)
    painter.curve(edge, {painter.palette().text, painter.px(1.5f)});
}

void describe(BudgetFrame& frame, int step, int token) {
  const BudgetShown& shown = frame.shown;
  const std::string of = frame.cell().shares() ? frame.answer_symbol() : "all weights";
  const auto at = static_cast<std::size_t>(step);
  if (token < 0 || token > step) {
    frame.card.add(fmt::format("t = {}: {}", step,
                               token == kNoNumber ? "the shares are no numbers"
                                                  : "of tokens that are not recorded"),
                   true);
  } else {
    const TokenBand band =
        token_band(shown.kept(), shown.weight(), shown.sums(), shown.whole(), token, step);
    frame.card.add(fmt::format("t = {}: token {} {} is {} % of {}", step, token, frame.token(token),
                               short_number(100.0 * (band.end.back() - band.begin.back())), of),
                   true);
    frame.card.add(fmt::format("it was {} % when it was written",
                               short_number(100.0 * (band.end.front() - band.begin.front()))));
    frame.pointed = token;
    frame.value = frame.weight_of(token);
  }
  frame.card.add(fmt::format("{} = {} at t = {}",
                             frame.cell().shares() ? frame.symbol(frame.cell().divisor)
                                                   : std::string("sum of the weights"),
                             short_number(shown.whole()[at]), step));
  frame.card.add("drag: move the cursor");
}

}  // namespace

void BudgetLayers::prepare(const BudgetFrame& frame, const Box& box) {
  const TimeWindow& window = frame.window;
  const BudgetShown& shown = frame.shown;
  const bool whole_columns = window.column_width() >= 1.0f;
  const int width = whole_columns ? window.count() : static_cast<int>(box.width());
  const Key wanted{shown.revision(), window.first(), window.count(), width,
                   static_cast<int>(box.height())};
  if (wanted == key_) return;
  key_ = wanted;
  const auto columns = static_cast<std::size_t>(width),
             rows = static_cast<std::size_t>(key_.height);
  heat_ = {};
  heat_.width = width;
  heat_.height = key_.height;
  heat_.reduced = !whole_columns;
  heat_.pixels.assign(columns * rows, 0);
  tokens_.assign(columns * rows, static_cast<float>(kNoToken));
  for (std::size_t x = 0; x < columns; ++x) {
    const int step = whole_columns ? window.first() + static_cast<int>(x)
                                   : window.step_at(box.min.x + static_cast<float>(x) + 0.5f);
    const auto at = static_cast<std::size_t>(step);
    std::vector<int> covering;
    if (step >= shown.first() && at < shown.whole().size())
      covering = tokens_along(shown.kept(), shown.weight(), shown.first(), step, shown.sums()[at],
                              shown.whole()[at], key_.height);
    for (std::size_t place = 0; place < covering.size(); ++place) {
      const int token = covering[place];
      const std::size_t pixel = (rows - 1 - place) * columns + x;  // the oldest at the bottom
      tokens_[pixel] = static_cast<float>(token);
      heat_.pixels[pixel] = token == kNoNumber  ? kNotANumber
                            : token == kNoToken ? 0
                                                : part_colour(token);
    }
  }
  heat_.digest = hash_bytes(std::as_bytes(std::span(heat_.pixels)));
}

void BudgetLayers::draw(BudgetFrame& frame, Painter& painter, const Box& gutter, const Box& box) {
  const Palette& palette = painter.palette();
  painter.fill(box, palette.control);
  prepare(frame, box);
  const ColourScale by_token(palette, MapName::log_domain, 0.0,
                             static_cast<double>(frame.shown.whole().size()));
  draw_heat(painter, frame.scene.images, "budget/layers", box, tokens_, heat_.height, heat_.width,
            by_token, heat_);
  painter.outline(box, palette.grid);
  draw_shares(painter, gutter, box);
  draw_band(frame, painter, box);
  const int cursor = frame.scene.snapshot.sequence.cursor;
  if (frame.window.shows(cursor)) {
    const Box column = frame.window.column(cursor);
    painter.outline(
        {{column.min.x, box.min.y}, {std::max(column.max.x, column.min.x + 1), box.max.y}},
        palette.cursor, painter.px(1.8f));
  }
  const Touch mouse = touch("layers", box);
  if (mouse.held) {
    drag_.to(frame.scene, frame.window.step_at(mouse.mouse.x));
  } else {
    drag_.let_go();
  }
  if (!mouse.hovered || mouse.held || box.empty()) return;
  const int step = frame.window.step_at(mouse.mouse.x);
  if (step >= static_cast<int>(frame.shown.whole().size())) return;
  const auto x = static_cast<std::size_t>(
      std::clamp((mouse.mouse.x - box.min.x) / box.width(), 0.0f, 0.9999f) *
      static_cast<float>(heat_.width));
  const auto y = static_cast<std::size_t>(
      std::clamp((mouse.mouse.y - box.min.y) / box.height(), 0.0f, 0.9999f) *
      static_cast<float>(heat_.height));
  describe(frame, step, static_cast<int>(tokens_[y * static_cast<std::size_t>(heat_.width) + x]));
}

}  // namespace xlab::ui
