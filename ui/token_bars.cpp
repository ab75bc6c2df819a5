// The bars of the next token: one row each, and what their marks mean.
#include "ui/token_bars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "ui/ghost.hpp"
#include "ui/hint.hpp"
#include "ui/loss_labels.hpp"
#include "ui/next_token.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

/// What stands beside the right answer: as everywhere a tick means that the model's own first
/// choice is right, so an answer that it ranks lower has an arrow.
const char* mark_of_answer(const SequenceStatus& sequence) {
  const int expected = expected_next(sequence);
  const auto next = static_cast<std::size_t>(sequence.cursor) + 1;
  const bool first = next < sequence.top_choice.size() && sequence.top_choice[next] == expected;
  return expected < 0 || first ? "✓" : "→";
}

/// A token's label, shortened where there is no room for all of it, unless that would show
/// another number than its own.
void write_label(Painter& painter, const Box& box, const std::string& label, bool best) {
  const Weight weight = best ? Weight::bold : Weight::regular;
  const bool fits = painter.measure(label, weight).x <= box.width() + 0.5f;
  if (!fits && label.find_first_of("0123456789") != std::string::npos) return;
  painter.text_in(box, painter.palette().text, label, Align::right, weight);
}

}  // namespace

void draw_token_bar(const Scene& scene, const NextToken& next, Painter& painter, int token, Box row,
                    const Box& plot, const BarColumns& columns, bool best, bool drawn_differs,
                    const std::vector<Follower>& followers) {
  const Palette& palette = painter.palette();
  const bool expected = token == expected_next(scene.snapshot.sequence);
  Box label = row.cut_left(columns.label);
  const Box mark = label.cut_left(painter.px(16));
  if (expected) {
    painter.text_in(mark, palette.text, mark_of_answer(scene.snapshot.sequence), Align::centre,
                    Weight::bold);
  }
  label.cut_right(painter.px(6));
  write_label(painter, label, token_label(scene.snapshot.model.get(), token), best);
  if (columns.logit > 0.0f) {
    painter.number_in(row.cut_right(columns.logit), palette.muted_text,
                      value_of(next.logits, token), Align::right);
  }
  const float p = value_of(next.probabilities, token);
  if (columns.probability > 0.0f) {
    painter.number_in(row.cut_right(columns.probability), palette.text, p, Align::right,
                      best ? Weight::bold : Weight::regular);
  }
  Box track{{plot.min.x, row.min.y + painter.px(2)}, {plot.max.x, row.max.y - painter.px(2)}};
  if (track.empty()) return;
  const auto end = [&](float share) {
    return track.min.x + track.width() * std::clamp(share, 0.0f, 1.0f);
  };
  if (drawn_differs) {
    const Box thin = track.cut_bottom(std::max(painter.px(3), track.height() * 0.22f));
    const float q = value_of(next.sampling, token);
    if (std::isfinite(q)) painter.fill({thin.min, {end(q), thin.max.y}}, palette.muted_text);
    track.cut_bottom(painter.px(1));
  }
  if (!std::isfinite(p)) {
    painter.fill(track, kNotANumber);
    painter.hatch(track, IM_COL32_BLACK);
  } else {
    const ImU32 colour = best ? palette.accent : mix(palette.accent, palette.panel, 0.45f);
    painter.fill({track.min, {std::max(end(p), track.min.x + 1.0f), track.max.y}}, colour,
                 painter.px(1));
  }
  const float ghost = value_of(next.unclamped, token);
  if (!next.unclamped.empty() && std::isfinite(ghost)) {
    const float width = std::max(1.0f, painter.line_width() * 0.8f);
    const Box outline{track.min, {std::max(end(ghost), track.min.x + 1.0f), track.max.y}};
    // Too narrow for an outline: one line at its end.
    if (outline.width() < 3 * width) {
      painter.line({outline.max.x, outline.min.y}, outline.max, {palette.text, 1.0f});
    } else {
      painter.outline(outline, palette.text, width);
    }
  }
  if (!followers.empty()) draw_follower_marks(painter, followers, token, track);
}

void draw_bar_keys(const Scene& scene, Painter& painter, Box row, bool drawn, bool ghosts,
                   const std::vector<Follower>& followers, std::size_t left_out) {
  const Palette& palette = painter.palette();
  struct Key {
    std::string word, shorter, meaning;
    std::function<void(Box)> mark;
  };
  std::vector<Key> keys = {
      {"probability, 0..1", "prob.", "The bar: the probability that the model gives to this token.",
       [&](const Box& box) { painter.fill(box, mix(palette.accent, palette.panel, 0.3f)); }}};
  // Before what every run has: a mark without a name says little.
  for (const Follower& follower : followers) {
    keys.push_back({middle_cut(painter, follower.name, painter.px(170), Weight::regular),
                    middle_cut(painter, follower.name, painter.px(66), Weight::regular),
                    fmt::format("What '{}', which reads the same tokens, expects: the "
                                "probability that it gives to each.",
                                follower.name),
                    [&](const Box& box) {
                      draw_follower_mark(painter, follower, box.centre(), painter.px(5));
                    }});
  }
  if (left_out > 0) {
    const std::string more = fmt::format("and {} more", left_out);
    keys.push_back({more, fmt::format("+{}", left_out),
                    "Other runs read the same tokens too; the rows have no room for their marks. "
                    "Their numbers stand beside the mouse and in the table.",
                    [](const Box&) {}});
  }
  if (ghosts) {
    const bool pinned = reference_of(scene) != nullptr;
    keys.push_back(
        {ghost_words(scene), pinned ? "pinned" : "no clamps",
         pinned ? "The outline: the probability in the state that was pinned."
                : "The outline: the probability at the same place when nothing is held.",
         [&](const Box& box) { painter.outline(box, palette.text, painter.line_width() * 0.8f); }});
  }
  if (drawn) {
    keys.push_back(
        {"drawn from", "drawn",
         "The thin bar: the probability that is drawn from, after temperature, top-k "
         "and top-p.",
         [&](Box box) { painter.fill(box.cut_bottom(painter.px(4)), palette.muted_text); }});
  }
  if (!scene.snapshot.sequence.expected.empty()) {
    keys.push_back({"right answer", "right",
                    "The answer that the task asks for here. ✓: the model's own first choice is "
                    "the right one. →: it is not, and this is the right one.",
                    [&](const Box& box) {
                      painter.text_in({{box.min.x, row.min.y}, {box.max.x, row.max.y}},
                                      palette.text, mark_of_answer(scene.snapshot.sequence),
                                      Align::centre, Weight::bold);
                    }});
  }
  const float swatch = painter.px(14), gap = painter.px(4), apart = painter.px(12);
  float full = 0.0f;
  for (const Key& key : keys) full += swatch + gap + painter.measure(key.word).x + apart;
  const bool roomy = full - apart <= row.width();
  for (const Key& key : keys) {
    const std::string& word = roomy ? key.word : key.shorter;
    if (row.width() < swatch + gap + painter.measure(word).x) continue;
    const Box box = row.cut_left(swatch);
    key.mark(box.inset(0, std::max(0.0f, (box.height() - painter.px(10)) / 2)));
    row.cut_left(gap);
    const Box text = row.cut_left(painter.measure(word).x + 0.5f);
    painter.text_in(text, palette.muted_text, word);
    hint(scene, {box.min, text.max}, key.meaning);
    row.cut_left(apart);
  }
}

}  // namespace xlab::ui
