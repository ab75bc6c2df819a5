// The tokens of a sequence as boxes, their step numbers, and the marks of the answers above them.
#include "ui/token_boxes.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>

#include "ui/answers.hpp"
#include "ui/heat.hpp"
#include "ui/values.hpp"

namespace xlab::ui {

void draw_token(const Scene& scene, Painter& painter, const TimeWindow& window, int t,
                const Box& row, const Box& steps, const ColourScale& colours) {
  const SequenceStatus& sequence = scene.snapshot.sequence;
  const Palette& palette = scene.palette;
  const Box column = window.column(t);
  Box box{{std::floor(column.min.x), row.min.y}, {std::floor(column.max.x), row.max.y}};
  box = box.inset(painter.px(1), painter.px(1));
  const float surprise = shaded_at(scene.snapshot, t);
  const bool later = t > sequence.cursor;
  ImU32 fill = scored(scene.snapshot, t) ? colours(surprise) : palette.control;
  if (later) fill = mix(palette.panel, fill, 0.35f);
  painter.fill(box, fill, painter.px(3));
  // Lighter than elsewhere: the token has to be read through it.
  if (!std::isfinite(surprise)) painter.hatch(box, with_alpha(IM_COL32_BLACK, 0.4f));
  const bool here = t == sequence.cursor;
  painter.outline(box, here ? palette.cursor : palette.grid,
                  here ? 2.0f * painter.line_width() : 1.0f, painter.px(3));
  const int token = sequence.tokens[static_cast<std::size_t>(t)];
  const ImU32 ink = readable_on(fill);
  painter.text_in(box.inset(painter.px(2), 0), later ? with_alpha(ink, 0.7f) : ink,
                  token_label(scene.snapshot.model.get(), token), Align::centre);
  if (steps.empty()) return;
  // Step numbers only where they fit; the cursor's always.
  const float widest = painter.measure(std::to_string(window.length())).x + painter.px(6);
  const int stride = window.label_stride(widest);
  const int cursor = sequence.cursor;
  const bool near_cursor = !here && std::abs(t - cursor) < stride && stride > 1;
  if (here || (t % stride == 0 && !near_cursor)) {
    const float half = std::max(widest, window.column_width()) / 2;
    const float centre = std::clamp(window.x(t), steps.min.x + half,
                                    std::max(steps.min.x + half, steps.max.x - half));
    const Box label{{centre - half, steps.min.y}, {centre + half, steps.max.y}};
    painter.text_in(label, here ? palette.cursor : palette.muted_text, std::to_string(t),
                    Align::centre, here ? Weight::bold : Weight::regular);
  }
}

Box room_of_answer(const Painter& painter, const TimeWindow& window, const SequenceStatus& sequence,
                   int t, const Box& row) {
  const float most = std::max(window.column_width() / 2, painter.px(40));
  float half = window.column_width() / 2;
  for (int away = 1; half < most; ++away) {
    if (expected_at(sequence, t - away) >= 0 || expected_at(sequence, t + away) >= 0) break;
    half += window.column_width() / 2;
  }
  half = std::min(half, most);
  const float x = std::clamp(window.x(t), row.min.x + std::min(half, row.width() / 2),
                             std::max(row.min.x, row.max.x - std::min(half, row.width() / 2)));
  return {{x - half, row.min.y}, {x + half, row.max.y}};
}

namespace {

/// The first of the texts that its room holds, above its own token as far as the row goes.
void mark_in(Painter& painter, const TimeWindow& window, int t, const Box& room, const Box& row,
             ImU32 colour, std::span<const std::string> texts) {
  for (const std::string& text : texts) {
    const float half = painter.measure(text, Weight::bold).x / 2 + painter.px(1);
    if (2 * half > room.width()) continue;
    const float x =
        std::clamp(window.x(t), row.min.x + half, std::max(row.min.x + half, row.max.x - half));
    painter.text_in({{x - half, row.min.y}, {x + half, row.max.y}}, colour, text, Align::centre,
                    Weight::bold);
    return;
  }
}

}  // namespace

void draw_answer(const Scene& scene, Painter& painter, const TimeWindow& window, int t,
                 const Box& row) {
  const SequenceStatus& sequence = scene.snapshot.sequence;
  const AnswerVerdict told = verdict(sequence, t);
  if (told == AnswerVerdict::not_asked) return;
  const int expected = expected_at(sequence, t);
  const std::string label = token_label(scene.snapshot.model.get(), expected);
  const Box box = room_of_answer(painter, window, sequence, t, row);
  const Palette& palette = scene.palette;
  if (told == AnswerVerdict::right || told == AnswerVerdict::wrong) {
    const std::string mark = told == AnswerVerdict::right ? "✓" : "✗";
    // The answer itself is said where the token does not say it.
    const bool same = expected == sequence.tokens[static_cast<std::size_t>(t)];
    const std::string texts[] = {same && told == AnswerVerdict::right ? mark : mark + " " + label,
                                 mark};
    mark_in(painter, window, t, box, row,
            told == AnswerVerdict::right ? palette.text : palette.warning, texts);
    return;
  }
  if (told == AnswerVerdict::no_number) {
    const float half = std::min(box.width(), painter.px(14)) / 2;
    const Box ground{{box.centre().x - half, box.min.y + painter.px(2)},
                     {box.centre().x + half, box.max.y - painter.px(2)}};
    painter.fill(ground, kNotANumber, painter.px(2));
    painter.hatch(ground, with_alpha(IM_COL32_BLACK, 0.5f));
  }
  const std::string unknown[] = {"?"};
  painter.first_in(box, told == AnswerVerdict::no_number ? IM_COL32_WHITE : palette.muted_text,
                   unknown, Align::centre, Weight::bold);
}

void draw_boundary(const Scene& scene, Painter& painter, const TimeWindow& window, const Box& marks,
                   const Box& lowest) {
  const SequenceStatus& sequence = scene.snapshot.sequence;
  const int at = sequence.prompt_length;
  const Palette& palette = scene.palette;
  if (at < 1 || at >= static_cast<int>(sequence.tokens.size()) || !window.shows(at)) return;
  const float x = std::floor(window.column(at).min.x) + 0.5f;
  painter.line({x, marks.min.y}, {x, lowest.max.y},
               {palette.muted_text, painter.line_width(), Dash::dashed});
  // The word stands where no mark of an answer does.
  const float room = painter.measure("prompt").x + painter.px(8);
  const int steps = static_cast<int>(std::ceil(room / window.column_width()));
  for (int t = at - steps - 1; t < at + 1; ++t) {
    if (expected_at(sequence, t) >= 0) return;
  }
  const std::string word[] = {"prompt"};
  painter.first_in(
      {{std::max(x - room, marks.min.x), marks.min.y}, {x - painter.px(4), marks.max.y}},
      palette.muted_text, word, Align::right);
}

}  // namespace xlab::ui
