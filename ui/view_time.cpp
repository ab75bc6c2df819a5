// The time bar: the sequence as boxes, how surprising each token was, and the controls that move
// the cursor.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "ui/answers.hpp"
#include "ui/cursor_drag.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/hint.hpp"
#include "ui/number.hpp"
#include "ui/plot.hpp"
#include "ui/series_row.hpp"
#include "ui/time_controls.hpp"
#include "ui/time_rows.hpp"
#include "ui/time_window.hpp"
#include "ui/token_boxes.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

constexpr double kOneBit = 0.6931;  // nats; a model of one token still has a range of colours

/// One row a token.
Table time_table(const Scene& scene) {
  if (const SeriesCard* series = series_of(scene.snapshot))
    return patch_table(scene.snapshot, *series);
  const SequenceStatus& sequence = scene.snapshot.sequence;
  const ModelCard* model = scene.snapshot.model.get();
  Table table;
  table.columns = {"step",
                   "token",
                   "label",
                   "surprise (nats)",
                   "asked for",
                   "surprise of what is asked for (nats)",
                   "the model's choice",
                   "the model is right",
                   "origin",
                   "cursor"};
  table.places = 3;
  table.step_column = 0;
  const int length = static_cast<int>(sequence.tokens.size());
  for (int t = 0; t < length + (expected_at(sequence, length) >= 0 ? 1 : 0); ++t) {
    const bool to_come = t == length;
    const int token = to_come ? -1 : sequence.tokens[static_cast<std::size_t>(t)];
    const int expected = expected_at(sequence, t), choice = choice_at(sequence, t);
    table.rows.push_back(
        {std::to_string(t), to_come ? "" : std::to_string(token),
         to_come ? "" : token_label(model, token),
         t == 0 || !computed(scene.snapshot, t) ? "" : full_number(surprise_at(sequence, t)),
         expected < 0 ? "" : token_label(model, expected),
         expected < 0 || verdict(sequence, t) == AnswerVerdict::unknown
             ? ""
             : full_number(asked_for(sequence, t)),
         choice < 0 ? "" : token_label(model, choice), verdict_word(verdict(sequence, t)),
         to_come                      ? "to come"
         : t < sequence.prompt_length ? "prompt"
                                      : "generated",
         t == sequence.cursor ? "here" : ""});
  }
  return table;
}

class TimeView : public View {
 public:
  std::string name() const override { return "time"; }
  std::string title() const override { return "Time"; }
  ImVec2 minimum_size() const override { return {280, 110}; }
  Table table(const Scene& scene) const override { return time_table(scene); }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "time", size);
    Painter painter(scene);
    if (!panel.usable()) return;
    Box rest = panel.content().inset(painter.px(8), painter.px(6));
    if (!scene.snapshot.model) {
      say_no_run(painter, rest, "see its tokens here");
      return;
    }
    if (scene.snapshot.sequence.tokens.empty()) {
      say(painter, rest, "There are no tokens yet. Write a prompt or take a new sample.");
      return;
    }
    const Box controls = rest.cut_top(painter.line_height() + painter.px(5));
    rest.cut_top(painter.px(4));
    arrange(scene, painter, rest);
    draw_time_controls(scene, painter, controls, rows_.left_out);
    sequence(scene, painter);
  }

 private:
  /// Finds out which rows and which steps there is room for.
  void arrange(const Scene& scene, const Painter& painter, const Box& whole) {
    const SequenceStatus& sequence = scene.snapshot.sequence;
    const int length = static_cast<int>(sequence.tokens.size());
    TimeWants wants;
    wants.answers = !sequence.expected.empty() && !series_of(scene.snapshot);
    wants.prompt = sequence.prompt_length < length;
    uniform_ = std::log(
        std::max<double>(1.0, static_cast<double>(scene.snapshot.model->vocabulary.size())));
    const TimeRows widest = fit_time_rows(painter, whole, wants);
    float caption = axis_margin(painter, widest.sequence.height(), vertical(scene.snapshot)) +
                    painter.measure("nats").x;
    for (const char* word : {"answer", "token", "step t"}) {
      caption = std::max(caption, painter.measure(word).x + painter.px(8));
    }
    if (whole.width() < 6 * caption) caption = 0.0f;
    Box columns = whole;
    captions_ = columns.cut_left(caption);
    // Where an answer is asked for next, its place is kept free.
    const float narrow = narrowest(scene, painter);
    window_.update(length + (expected_at(sequence, length) >= 0 ? 1 : 0), sequence.cursor, columns,
                   narrow, std::max(painter.px(58), narrow));
    wants.overview = !window_.all_visible();
    rows_ = fit_time_rows(painter, columns, wants);
    // The legend reads better from the edge of the view.
    rows_.legend = widest.legend;
  }

  void sequence(Scene& scene, Painter& painter) {
    const SequenceStatus& sequence = scene.snapshot.sequence;
    const int length = static_cast<int>(sequence.tokens.size());
    // Twice the surprise of a uniform guess: a range that does not move while tokens come.
    const ColourScale colours(scene.palette, MapName::log_domain, 0.0,
                              2.0 * std::max(uniform_, kOneBit));
    const Touch mouse = touch("tokens", rows_.sequence);
    if (mouse.hovered && ImGui::GetIO().MouseWheel != 0.0f) {
      window_.scroll(ImGui::GetIO().MouseWheel > 0.0f ? -3 : 3);
    }
    if (mouse.held) drag_.to(scene, drag_target(mouse.mouse.x, rows_.sequence, length - 1));
    // What the window then offers is about the token that was pressed.
    if (mouse.hovered && ImGui::IsMouseClicked(ImGuiMouseButton_Right))
      scene.send(command::SetCursor{drag_target(mouse.mouse.x, rows_.sequence, length - 1)});
    if (!mouse.held && !overview_held_) drag_.let_go();
    captions(scene, painter);
    const Outside beyond = boxes(scene, painter, colours);
    if (!rows_.overview.empty()) draw_overview(scene, painter, rows_.overview, colours);
    legend(scene, painter, colours, beyond);
    if (mouse.hovered && !mouse.held) card(scene, window_.step_at(mouse.mouse.x), mouse.mouse.x);
  }

  /// The names of the rows, left of them.
  void captions(const Scene& scene, Painter& painter) const {
    if (captions_.empty()) return;
    const auto caption = [&](const Box& row, const char* text, const char* meaning) {
      if (row.empty()) return;
      const Box box{{captions_.min.x, row.min.y}, {captions_.max.x - painter.px(4), row.max.y}};
      painter.text_in(box, scene.palette.muted_text, text);
      hint(scene, box, meaning);
    };
    const bool series = series_of(scene.snapshot) != nullptr;
    caption(scene.snapshot.sequence.expected.empty() || series ? Box{} : rows_.marks, "answer",
            "Where the task asks for an answer. ✓: the model's own first choice is the right "
            "one. ✗: it is not, and the right one stands beside it. ?: the model gave no "
            "numbers. A dashed box is the place of the answer that is asked for next.");
    if (series) {
      caption(rows_.tokens, "from",
              "The series, patch by patch: the place of the first number of each, from 0. A dot "
              "stands for what is before the series.");
    } else {
      caption(rows_.tokens, "token",
              "The sequence, token by token. A box is shaded by the surprise of what is asked for "
              "there, and grey where nothing is asked.");
    }
    caption(rows_.steps, "step t", "The time step of each token, from 0.");
    if (rows_.bars.empty() || series_of(scene.snapshot)) return;
    hint(scene, {{captions_.min.x, rows_.bars.min.y}, {captions_.max.x, rows_.bars.max.y}},
         fmt::format("Surprise in nats of what is asked for. The dashed line is a uniform guess "
                     "over all {} tokens: {} nats.",
                     scene.snapshot.model->vocabulary.size(), short_number(uniform_)));
  }

  /// Bars, tokens, numbers and marks of the steps that are shown. Returns what their colours cannot
  /// show.
  Outside boxes(const Scene& scene, Painter& painter, const ColourScale& colours) const {
    const SequenceStatus& sequence = scene.snapshot.sequence;
    const int length = static_cast<int>(sequence.tokens.size());
    const bool with_marks = !rows_.marks.empty();
    const Box& whole = rows_.sequence;
    Outside beyond;
    painter.list().PushClipRect({whole.min.x, with_marks ? rows_.marks.min.y : rows_.tokens.min.y},
                                {whole.max.x, whole.max.y}, true);
    if (!rows_.bars.empty()) draw_bars(scene, painter);
    for (int t = window_.first(); t < window_.first() + window_.count() && t < length; ++t) {
      const float surprise = shaded_at(scene.snapshot, t);
      const Outside one = outside({&surprise, 1}, colours);
      beyond.above |= one.above;
      beyond.below |= one.below;
      beyond.nan += one.nan;
      beyond.plus_inf += one.plus_inf;
      beyond.minus_inf += one.minus_inf;
      draw_token(scene, painter, window_, t, rows_.tokens, rows_.steps, colours);
      if (with_marks) draw_answer(scene, painter, window_, t, rows_.marks);
    }
    if (expected_at(sequence, length) >= 0 && window_.shows(length)) draw_pending(scene, painter);
    if (with_marks) {
      const Box& lowest = !rows_.bars.empty()    ? rows_.bars
                          : !rows_.steps.empty() ? rows_.steps
                                                 : rows_.tokens;
      draw_boundary(scene, painter, window_, rows_.marks, lowest);
    }
    painter.list().PopClipRect();
    return beyond;
  }

  /// The place of the answer that is asked for next.
  void draw_pending(const Scene& scene, Painter& painter) const {
    const SequenceStatus& sequence = scene.snapshot.sequence;
    const int length = static_cast<int>(sequence.tokens.size());
    const ImU32 muted = scene.palette.muted_text;
    const Box column = window_.column(length);
    const Box box =
        Box{{column.min.x, rows_.tokens.min.y}, {column.max.x, rows_.tokens.max.y}}.inset(
            painter.px(2), painter.px(2));
    const ImVec2 corners[] = {
        box.min, {box.max.x, box.min.y}, box.max, {box.min.x, box.max.y}, box.min};
    painter.curve(corners, {muted, 1.0f, Dash::dashed});
    if (rows_.marks.empty()) return;
    const std::string labels[] = {
        token_label(scene.snapshot.model.get(), expected_at(sequence, length)), "?"};
    painter.first_in(room_of_answer(painter, window_, sequence, length, rows_.marks), muted, labels,
                     Align::centre);
  }

  void legend(const Scene& scene, Painter& painter, const ColourScale& colours,
              const Outside& beyond) const {
    if (rows_.legend.empty()) return;
    if (const SeriesCard* series = series_of(scene.snapshot)) {
      draw_series_words(scene, painter, rows_.legend, *series);
      return;
    }
    Legend legend{scene.snapshot.sequence.expected.empty()
                      ? "nats of surprise, −log p(token)"
                      : "nats of surprise at answers, −log p(right answer)",
                  fmt::format("fixed range; a uniform guess: ln {} = {}",
                              scene.snapshot.model->vocabulary.size(), short_number(uniform_)),
                  "", beyond};
    legend.brief = "nats of surprise";
    draw_legend(painter, rows_.legend, colours, legend);
    explain_legend(scene, rows_.legend, colours, legend);
  }

  /// Wide enough for the widest label that occurs; measured once for a model and a size of text.
  float narrowest(const Scene& scene, const Painter& painter) {
    const ModelCard* model = scene.snapshot.model.get();
    if (measured_.get() == model && measured_scale_ == painter.px(1)) return narrowest_;
    measured_ = scene.snapshot.model;
    measured_scale_ = painter.px(1);
    float widest = painter.px(11);
    const std::size_t labels = std::min<std::size_t>(model->vocabulary.size(), 512);
    for (std::size_t token = 0; token < labels; ++token) {
      widest = std::max(widest, painter.measure(token_label(model, static_cast<int>(token))).x);
    }
    narrowest_ = std::min(widest, painter.px(64)) + painter.px(8);
    return narrowest_;
  }

  int drag_target(float x, const Box& box, int last) const {
    // Dragging beyond an end goes on one step at a time, so that the window follows.
    if (x < box.min.x) return std::max(0, window_.first() - 1);
    if (x > box.max.x) return std::min(last, window_.first() + window_.count());
    return std::min(last, window_.step_at(x));
  }

  /// The heights of the bars: a uniform guess, and more where a token was a greater surprise.
  Axis vertical(const Snapshot& now) const {
    double most = std::max(uniform_, kOneBit);
    for (int t = window_.first(); t < window_.first() + window_.count(); ++t) {
      if (t >= static_cast<int>(now.sequence.tokens.size())) break;
      const double surprise = shaded_at(now, t);
      if (std::isfinite(surprise)) most = std::max(most, surprise);
    }
    return {0.0, most * 1.08};
  }

  void draw_bars(const Scene& scene, Painter& painter) const {
    const Box& bars = rows_.bars;
    if (const SeriesCard* series = series_of(scene.snapshot)) {
      draw_series_row(painter, window_, bars, captions_, *series);
      return;
    }
    const Axis axis = vertical(scene.snapshot);
    const SequenceStatus& sequence = scene.snapshot.sequence;
    const Palette& palette = scene.palette;
    painter.list().PushClipRect({captions_.min.x, bars.min.y - painter.line_height()},
                                {bars.max.x, bars.max.y + painter.line_height()}, false);
    const float margin = std::min(captions_.width(), axis_margin(painter, bars.height(), axis));
    draw_axis(painter, bars, axis, margin);
    const std::string unit[] = {"nats"};
    painter.first_in({{captions_.min.x, bars.min.y},
                      {captions_.max.x - margin, bars.min.y + painter.line_height()}},
                     palette.muted_text, unit);
    painter.list().PopClipRect();
    const float guess = std::floor(axis.y(uniform_, bars)) + 0.5f;
    painter.line({bars.min.x, guess}, {bars.max.x, guess},
                 {palette.muted_text, painter.line_width(), Dash::dashed});
    for (int t = window_.first(); t < window_.first() + window_.count(); ++t) {
      if (t >= static_cast<int>(sequence.tokens.size())) break;
      if (!scored(scene.snapshot, t)) continue;
      const double surprise = asked_for(sequence, t);
      const Box column = window_.column(t);
      const float gap = std::min(painter.px(3), column.width() * 0.15f);
      const ImU32 colour = t > sequence.cursor    ? with_alpha(palette.muted_text, 0.4f)
                           : t == sequence.cursor ? palette.cursor
                                                  : palette.muted_text;
      const double shown = std::isfinite(surprise) ? surprise : axis.high;
      const Box bar{{column.min.x + gap, axis.y(std::max(shown, 0.0), bars)},
                    {column.max.x - gap, bars.max.y}};
      painter.fill(bar, std::isfinite(surprise) ? colour : kNotANumber);
      if (!std::isfinite(surprise)) painter.hatch(bar, IM_COL32_BLACK);
    }
  }

  /// All tokens as one strip; what the boxes show is framed.
  void draw_overview(Scene& scene, Painter& painter, const Box& box, const ColourScale& colours) {
    const SequenceStatus& sequence = scene.snapshot.sequence;
    const Palette& palette = scene.palette;
    const int length = static_cast<int>(sequence.tokens.size());
    std::vector<float> surprise(sequence.tokens.size());
    for (int t = 0; t < length; ++t)
      surprise[static_cast<std::size_t>(t)] = shaded_at(scene.snapshot, t);
    const Box strip = box.inset(0, painter.px(3));
    draw_heat(painter, scene.images, "time/overview", strip, surprise, 1, length, colours);
    painter.outline(strip, palette.grid);
    const auto x_of = [&](float t) {
      return box.min.x + box.width() * t / static_cast<float>(length);
    };
    const int last_shown = std::min(window_.first() + window_.count(), length);
    painter.outline({{x_of(static_cast<float>(window_.first())), box.min.y},
                     {x_of(static_cast<float>(last_shown)), box.max.y}},
                    palette.text, painter.line_width(), painter.px(2));
    if (sequence.cursor >= 0) {
      const float x = x_of(static_cast<float>(sequence.cursor) + 0.5f);
      painter.line({x, box.min.y}, {x, box.max.y}, {palette.cursor, 2.0f * painter.line_width()});
    }
    const Touch mouse = touch("overview", box);
    hint(scene, box,
         "The whole sequence: the frame is the part that is shown as boxes above. Click or drag to "
         "move the cursor.");
    overview_held_ = mouse.held;
    if (mouse.held) {
      const float share = (mouse.mouse.x - box.min.x) / std::max(box.width(), 1.0f);
      drag_.to(scene,
               std::clamp(static_cast<int>(share * static_cast<float>(length)), 0, length - 1));
    }
  }

  void card(const Scene& scene, int t, float x) const {
    const SequenceStatus& sequence = scene.snapshot.sequence;
    const int length = static_cast<int>(sequence.tokens.size());
    if (!window_.column(t).contains({x, window_.column(t).min.y})) return;
    const ModelCard* model = scene.snapshot.model.get();
    if (const SeriesCard* series = series_of(scene.snapshot)) {
      if (t < length) hover_card(scene, patch_lines(*series, t));
      return;
    }
    const int expected = expected_at(sequence, t), choice = choice_at(sequence, t);
    std::vector<CardLine> lines;
    if (t < length) {
      const int token = sequence.tokens[static_cast<std::size_t>(t)];
      lines.push_back(
          {fmt::format("t = {}   token {} (number {})", t, token_label(model, token), token),
           true});
    } else {
      lines.push_back({fmt::format("t = {}   the token to come", t), true});
    }
    if (expected >= 0) {
      lines.push_back({fmt::format("asked for here: {}", token_label(model, expected))});
    } else if (!asked(sequence, t)) {
      lines.push_back({t == 0 ? "the first token is not guessed" : "nothing is asked for here"});
    }
    if (asked(sequence, t)) {
      const double surprise = asked_for(sequence, t);
      const double chance = std::exp(-surprise);
      if (choice >= 0) {
        const bool right = choice == expected;
        // Known where it is the right answer, and where the panel of the next token has it.
        const NextToken* next = t == sequence.cursor + 1 ? scene.snapshot.next.get() : nullptr;
        const bool listed = next && static_cast<std::size_t>(choice) < next->probabilities.size();
        const double share = right    ? chance
                             : listed ? next->probabilities[static_cast<std::size_t>(choice)]
                                      : std::nan("");
        std::string words = fmt::format("the model's own choice: {}", token_label(model, choice));
        if (std::isfinite(share)) words += fmt::format(", probability {}", short_number(share));
        if (expected >= 0) words += right ? " (right)" : " (wrong)";
        lines.push_back({words});
      }
      if (!std::isfinite(surprise)) {
        lines.push_back({"the model gave no numbers here"});
      } else if (!known(scene.snapshot, t)) {
        lines.push_back({"the model's numbers for this place are still to come"});
      } else {
        lines.push_back({fmt::format("surprise of {} {} nats, probability {}",
                                     expected >= 0 ? "the right answer" : "this token",
                                     short_number(surprise), short_number(chance))});
      }
    }
    if (t < length) {
      lines.push_back({t < sequence.prompt_length ? "given" : "generated"});
      lines.push_back({"click or drag: move the cursor here"});
    }
    hover_card(scene, lines);
  }

  TimeWindow window_;
  CursorDrag drag_;
  bool overview_held_ = false;
  std::shared_ptr<const ModelCard> measured_;  ///< whose labels were measured, at which scale
  float measured_scale_ = 0.0f, narrowest_ = 0.0f;

  // Of this frame.
  TimeRows rows_;
  Box captions_;          ///< left of the rows; empty where there is no room
  double uniform_ = 0.0;  ///< nats of a uniform guess
};

}  // namespace

std::unique_ptr<View> make_time_view() {
  return std::make_unique<TimeView>();
}

}  // namespace xlab::ui
