// Tokens and numbers of time steps under the lanes of a view. Dragging moves the time cursor, the
// wheel shows more or fewer steps.
#include "ui/time_axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "ui/ground.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

using Range = std::optional<std::pair<int, int>>;

/// The tokens under their columns. Either every letter is there or, where columns are too narrow
/// for letters, only the one at the cursor: a text with letters missing would be another text.
/// Longer tokens that do not fit are stood for by dots.
void token_row(const Scene& scene, Painter& painter, const Box& row, const TimeWindow& window,
               float letter_width) {
  const Palette& palette = painter.palette();
  const SequenceStatus& sequence = scene.snapshot.sequence;
  const int end =
      std::min(window.first() + window.count(), static_cast<int>(sequence.tokens.size()));
  // Letters may use the hair of room that every glyph has around it.
  const bool letters = window.column_width() + 0.5f >= letter_width;
  for (int t = window.first(); t < end; ++t) {
    const bool here = t == sequence.cursor;
    if (!letters && !here) continue;
    const std::string label =
        token_label(scene.snapshot.model.get(), sequence.tokens[static_cast<std::size_t>(t)]);
    Box column = window.column(t);
    column.min.y = row.min.y;
    column.max.y = row.max.y;
    if (!letters) {
      const float half = painter.measure(label, Weight::bold).x / 2 + 1;
      column.min.x = std::max(column.centre().x - half, row.min.x);
      column.max.x = column.min.x + 2 * half;
    }
    const std::string texts[] = {label, "…"};
    painter.first_in({{column.min.x - 0.5f, column.min.y}, {column.max.x + 0.5f, column.max.y}},
                     here ? palette.text : palette.muted_text, texts, Align::centre,
                     here && painter.measure(label, Weight::bold).x <= column.width()
                         ? Weight::bold
                         : Weight::regular);
  }
  if (letters || !window.shows(sequence.cursor)) return;
  // Where the cursor's token leaves more room it is said how to read the others.
  const float x = window.x(sequence.cursor), away = painter.px(30);
  const Box left{row.min, {x - away, row.max.y}}, right{{x + away, row.min.y}, row.max};
  const std::string texts[] = {"turn the wheel here to read the tokens", "wheel: read the tokens"};
  painter.first_in(left.width() > right.width() ? left : right, palette.muted_text, texts,
                   Align::centre);
}

/// Numbers of time steps: the cursor's and the ends of a range that is looked at first, the
/// others where they leave room.
void step_row(const Scene& scene, Painter& painter, const Box& row, const TimeWindow& window,
              const Range& range) {
  const Palette& palette = painter.palette();
  const int cursor = scene.snapshot.sequence.cursor;
  std::vector<Box> taken;
  const auto number = [&](int t, ImU32 colour, Weight weight) {
    if (!window.shows(t)) return;
    const std::string label = std::to_string(t);
    const float half = painter.measure(label, weight).x / 2 + 1;
    if (2 * half > row.width()) return;
    const float x = std::clamp(window.x(t), row.min.x + half, row.max.x - half);
    const Box box{{x - half, row.min.y}, {x + half, row.max.y}};
    const float gap = painter.px(5);
    const bool free = std::none_of(taken.begin(), taken.end(), [&](const Box& other) {
      return box.min.x < other.max.x + gap && other.min.x < box.max.x + gap;
    });
    if (!free) return;
    taken.push_back(box);
    painter.text_in(box, colour, label, Align::centre, weight);
  };
  if (range) {
    number(range->first, palette.accent, Weight::bold);
    number(range->second - 1, palette.accent, Weight::bold);
  }
  number(cursor, palette.text, Weight::bold);
  const float widest = painter.measure(std::to_string(window.length())).x + painter.px(8);
  const int stride = window.label_stride(widest);
  const int first = (window.first() + stride - 1) / stride * stride;
  for (int t = first; t < window.first() + window.count(); t += stride) {
    number(t, palette.muted_text, Weight::regular);
  }
}

/// The grounds of the range and of the cursor, behind tokens and numbers.
void grounds(const Scene& scene, Painter& painter, const Box& row, const TimeWindow& window,
             const Range& range) {
  const Palette& palette = painter.palette();
  const auto tint = [&](const Box& columns, ImU32 colour) {
    painter.fill({{columns.min.x, row.min.y}, {columns.max.x, row.max.y}}, colour, painter.px(2));
  };
  if (range) {
    const int last = window.first() + window.count() - 1;
    const int from = std::max(range->first, window.first());
    const int to = std::min(range->second - 1, last);
    if (from <= to) {
      tint({window.column(from).min, window.column(to).max}, with_alpha(palette.accent, 0.25f));
    }
  }
  const int cursor = scene.snapshot.sequence.cursor;
  if (window.shows(cursor)) tint(window.column(cursor), with_alpha(palette.cursor, 0.25f));
}

}  // namespace

float TimeAxis::letter_width(const Scene& scene, const Painter& painter) {
  const ModelCard* model = scene.snapshot.model.get();
  if (lettered_.get() == model && letter_scale_ == painter.px(1)) return letter_width_;
  lettered_ = scene.snapshot.model;
  letter_scale_ = painter.px(1);
  letter_width_ = 0.0f;
  for (int token = 0; token < static_cast<int>(model->vocabulary.size()); ++token) {
    const std::string label = token_label(model, token);
    const auto letters = std::count_if(label.begin(), label.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    });
    if (letters == 1) letter_width_ = std::max(letter_width_, painter.measure(label).x);
  }
  letter_width_ = std::min(std::ceil(letter_width_), painter.px(15));
  return letter_width_;
}

void TimeAxis::draw(Scene& scene, Painter& painter, Box row, float gutter_width, TimeWindow& window,
                    const Range& range, HoverCard& card) {
  const Palette& palette = painter.palette();
  const SequenceStatus& sequence = scene.snapshot.sequence;
  const float line = painter.line_height();
  Box gutter = row.cut_left(gutter_width);
  row.max.x =
      std::min(row.max.x, row.min.x + window.column_width() * static_cast<float>(window.count()));
  const Touch mouse = touch("time", row);
  if (mouse.hovered && ImGui::GetIO().MouseWheel != 0.0f) {
    window.zoom(ImGui::GetIO().MouseWheel > 0.0f ? 0.8f : 1.25f, window.step_at(mouse.mouse.x));
  }
  if (mouse.held) {
    drag_.to(scene, window.step_at(mouse.mouse.x));
  } else {
    drag_.let_go();
  }
  const Box whole = row;
  const bool two = row.height() >= 2 * line;
  const Box tokens = two ? row.cut_top(line) : Box{};
  const Box steps = row;
  gutter.cut_right(painter.px(5));
  if (two) painter.text_in(gutter.cut_top(line), palette.muted_text, "token", Align::right);
  const std::string captions[] = {
      window.all_visible() ? "step t" : fmt::format("t of {}", window.length()), "t"};
  painter.first_in(gutter, palette.muted_text, captions, Align::right);
  grounds(scene, painter, whole, window, range);
  if (two) token_row(scene, painter, tokens, window, letter_width_);
  step_row(scene, painter, steps, window, range);
  if (!mouse.hovered || mouse.held) return;
  const int t = window.step_at(mouse.mouse.x);
  if (t < static_cast<int>(sequence.tokens.size())) {
    const int token = sequence.tokens[static_cast<std::size_t>(t)];
    card.add(fmt::format("t = {}, token {}", t, token_label(scene.snapshot.model.get(), token)),
             true);
  }
  card.add("drag: move the cursor · wheel: show more or fewer steps");
}

}  // namespace xlab::ui
