// The row above the sequence: buttons that move the time cursor, the speed of Play, and where the
// cursor stands.
#include "ui/time_controls.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <string>

#include "ui/answers.hpp"
#include "ui/ground.hpp"
#include "ui/hint.hpp"
#include "ui/number.hpp"
#include "ui/series_row.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

enum class Icon { rewind, back, play, pause, forward };

void draw_icon(Painter& painter, const Box& box, Icon icon, ImU32 colour) {
  const ImVec2 c = box.centre();
  const float r = painter.px(5.0f);
  const auto bar = [&](float x, float width) {
    painter.fill({{c.x + x, c.y - r}, {c.x + x + width, c.y + r}}, colour);
  };
  const auto triangle = [&](float from, float to) {  // `to` is the tip
    const ImVec2 corners[] = {{c.x + from, c.y - r}, {c.x + to, c.y}, {c.x + from, c.y + r}};
    painter.polygon(corners, colour);
  };
  const float w = painter.px(2.0f);
  if (icon == Icon::rewind) {
    bar(-r - w / 2, w);
    triangle(r, -r + w);
  } else if (icon == Icon::back) {
    triangle(r / 2, -r);
    bar(r / 2 + w / 2, w);
  } else if (icon == Icon::play) {
    triangle(-r * 0.7f, r);
  } else if (icon == Icon::pause) {
    bar(-r * 0.7f, w * 1.4f);
    bar(r * 0.2f, w * 1.4f);
  } else {
    bar(-r / 2 - w * 1.5f, w);
    triangle(-r / 2, r);
  }
}

/// A button with an icon and, where there is room, a word. Its tip says the rest.
bool icon_button(const Scene& scene, Painter& painter, const char* id, const char* word,
                 const char* tip, const Box& box, Icon icon, bool with_word, bool enabled) {
  if (painter.exporting()) return false;
  const Palette& palette = painter.palette();
  const Touch t = control(painter, id, box, {.enabled = enabled});
  const bool lit = enabled && t.hovered;
  painter.fill(box, lit ? palette.control_hovered : palette.control, painter.px(3));
  const ImU32 colour = enabled ? palette.text : with_alpha(palette.muted_text, 0.55f);
  Box inner = box.inset(painter.px(4), 0);
  const Box left = with_word ? inner.cut_left(painter.px(14)) : inner;
  draw_icon(painter, left, icon, colour);
  if (with_word) {
    inner.cut_left(painter.px(4));
    painter.text_in(inner, colour, word);
  }
  if (t.hovered) {
    const CardLine line{tip, true};
    hover_card(scene, {&line, 1});
  }
  return enabled && t.pressed;
}

/// Rewind, back, play, step.
void buttons(Scene& scene, Painter& painter, Box& row) {
  const SequenceStatus& sequence = scene.snapshot.sequence;
  const int last = static_cast<int>(sequence.tokens.size()) - 1;
  const bool at_end = sequence.cursor >= last;
  const bool can_go_on = !at_end || sequence.full_reason.empty();
  struct Button {
    const char* id;
    const char* word;
    const char* tip;
    Icon icon;
    bool enabled;
    Command command;
  };
  const Button buttons[] = {
      {"rewind", "Rewind", "Rewind: go to the first token", Icon::rewind, sequence.cursor > 0,
       command::Rewind{}},
      {"back", "Back", "Step back: one token to the left", Icon::back, sequence.cursor > 0,
       command::StepBack{}},
      sequence.playing
          ? Button{"play", "Pause", "Pause playing", Icon::pause, true, command::StopPlaying{}}
          : Button{"play", "Play", "Play: one token after the other, new ones at the end",
                   Icon::play, can_go_on, command::Play{}},
      {"step", "Step", at_end ? "Step: generate the next token" : "Step: one token to the right",
       Icon::forward, can_go_on, command::StepForward{}},
  };
  const bool full = at_end && !sequence.full_reason.empty();
  const bool words = row.width() > painter.px(full ? 900 : 620);
  // Where not even the icons fit, all four are narrower.
  const float narrow = std::min(painter.px(28), (row.width() - 3 * painter.px(4)) / 4);
  for (const Button& button : buttons) {
    const float width = words ? painter.measure(button.word).x + painter.px(30) : narrow;
    if (icon_button(scene, painter, button.id, button.word, button.tip, row.cut_left(width),
                    button.icon, words, button.enabled)) {
      scene.send(button.command);
    }
    row.cut_left(painter.px(4));
  }
}

/// How fast Play goes.
void speed_slider(Scene& scene, Painter& painter, Box& row) {
  double speed = scene.snapshot.sequence.tokens_per_second;
  const std::string speeds[] = {fmt::format("{:.3g} tokens/s", speed),
                                fmt::format("{:.3g} tok/s", speed)};
  const float widest = painter.measure("0.25 tokens/s").x + painter.px(24);
  const Box slider = row.cut_left(std::max(painter.px(118), widest));
  if (slider.width() > painter.px(100)) {
    if (slider_at(painter, "speed", slider, speed, 0.25, 64.0, true,
                  painter.fit_first(speeds, slider.width() - painter.px(8)))) {
      scene.send(command::SetPlaySpeed{speed});
    }
    hint(scene, slider,
         fmt::format("How fast Play goes: {:.3g} tokens a second. Drag to change it.", speed));
  }
}

/// Where the time cursor stands, and how surprising its token was.
void where(const Scene& scene, Painter& painter, const Box& row) {
  const SequenceStatus& sequence = scene.snapshot.sequence;
  const int last = static_cast<int>(sequence.tokens.size()) - 1;
  if (sequence.cursor < 0) return;
  const int at = std::min(sequence.cursor, last);
  const int token = sequence.tokens[static_cast<std::size_t>(at)];
  const std::string label = token_label(scene.snapshot.model.get(), token);
  const std::string where = fmt::format("t = {} of 0…{}", at, last);
  if (const SeriesCard* series = series_of(scene.snapshot)) {
    const std::string texts[] = {fmt::format("{}   {}", where, patch_words(*series, at)), where,
                                 fmt::format("t = {}", at)};
    painter.first_in(row, painter.palette().text, texts);
    hint(scene, row,
         fmt::format("The time cursor stands at step {} of {}, a patch of {} numbers. Every panel "
                     "shows this step.",
                     at, last, series->patch));
    return;
  }
  const bool answer = expected_at(sequence, at) >= 0;
  const std::string surprise = short_number(asked_for(sequence, at));
  const std::string guess =
      scored(scene.snapshot, at)
          ? fmt::format("surprise{} {} nats", answer ? " of the answer" : "", surprise)
      : answer                      ? "an answer is asked for"
      : asked(sequence, at)         ? "not computed yet"
      : at < sequence.prompt_length ? "given, not guessed"
                                    : "generated, no answer asked for";
  const std::string texts[] = {fmt::format("{}   token {}   {}", where, label, guess),
                               fmt::format("{}   token {}", where, label), where,
                               fmt::format("t = {}", at)};
  painter.first_in(row, painter.palette().text, texts);
  const char* meaning =
      scored(scene.snapshot, at)
          ? "Surprise is −log of the probability that the model gave to what is "
            "asked for: 0 nats "
            "when it was sure, ln(number of tokens) when it had no idea."
      : asked(sequence, at)         ? "The model's numbers for this place are still to come."
      : at < sequence.prompt_length ? "Given, not guessed: this token is part of the sequence "
                                      "that was given, and nothing asks the model to guess it."
                                    : "The model chose this token itself, and the task has no "
                                      "right answer for this place.";
  hint(scene, row,
       fmt::format("The time cursor stands at step {} of {}. Every panel shows this step.\n{}", at,
                   last, meaning));
}

/// Says at the right of the row what the view is too low for: in words, or as dots with the words
/// beside the mouse.
void note_left_out(const Scene& scene, Painter& painter, Box& row,
                   std::span<const std::string> left_out) {
  if (left_out.empty()) return;
  const std::string words = fmt::format("{}", fmt::join(left_out, ", "));
  const std::string texts[] = {"no room for " + words, "…"};
  for (const std::string& text : texts) {
    const float width = painter.measure(text).x + painter.px(2);
    if (&text == &texts[0] && row.width() < width + painter.px(180)) continue;
    const Box box = row.cut_right(width);
    painter.first_in(box, painter.palette().muted_text, {&text, 1}, Align::right);
    hint(scene, box,
         fmt::format("This view is too low for {}. Drag its edge to make it higher.", words));
    row.cut_right(painter.px(8));
    return;
  }
}

}  // namespace

void draw_time_controls(Scene& scene, Painter& painter, Box row,
                        std::span<const std::string> left_out) {
  const SequenceStatus& sequence = scene.snapshot.sequence;
  buttons(scene, painter, row);
  row.cut_left(painter.px(4));
  speed_slider(scene, painter, row);
  row.cut_left(painter.px(10));
  note_left_out(scene, painter, row, left_out);
  const bool at_end = sequence.cursor >= static_cast<int>(sequence.tokens.size()) - 1;
  if (!at_end || series_of(scene.snapshot) || sequence.full_reason.empty()) {
    where(scene, painter, row);
    return;
  }
  const std::string reasons[] = {sequence.full_reason, "no more tokens", "full"};
  painter.first_in(row, painter.palette().warning, reasons);
  hint(scene, row, sequence.full_reason);
}

}  // namespace xlab::ui
