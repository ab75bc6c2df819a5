// The time bar: the sequence as boxes, how surprising each token was, and the controls that move
// the cursor.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ui/cursor_drag.hpp"
#include "ui/heat.hpp"
#include "ui/hint.hpp"
#include "ui/number.hpp"
#include "ui/panel.hpp"
#include "ui/plot.hpp"
#include "ui/time_window.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

enum class Icon { rewind, back, play, pause, forward };

void draw_icon(Painter& painter, const Box& box, Icon icon, ImU32 colour) {
  const ImVec2 c = box.centre();
  const float r = painter.px(5.0f);
  ImDrawList& list = painter.list();
  const auto bar = [&](float x, float width) {
    painter.fill({{c.x + x, c.y - r}, {c.x + x + width, c.y + r}}, colour);
  };
  const auto triangle = [&](float from, float to) {  // `to` is the tip
    list.AddTriangleFilled({c.x + from, c.y - r}, {c.x + to, c.y}, {c.x + from, c.y + r}, colour);
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
bool icon_button(const Scene& scene, Painter& painter, const char* word, const char* tip,
                 const Box& box, Icon icon, bool with_word, bool enabled) {
  if (painter.exporting()) return false;
  const Palette& palette = painter.palette();
  const Touch t = touch(word, box);
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

class TimeView : public View {
 public:
  std::string name() const override { return "time"; }
  std::string title() const override { return "Time"; }
  ImVec2 minimum_size() const override { return {280, 110}; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "time", size);
    Painter painter(scene);
    if (!panel.usable()) return;
    Box rest = panel.content().inset(painter.px(8), painter.px(6));
    const SessionStatus& session = scene.snapshot.session;
    if (!scene.snapshot.model) {
      say(painter, rest, "No run is open. Open or make one to see its tokens here.");
      return;
    }
    if (session.tokens.empty()) {
      say(painter, rest, "There are no tokens yet. Write a prompt or take a new sample.");
      return;
    }
    controls(scene, painter, rest.cut_top(painter.line_height() + painter.px(5)));
    rest.cut_top(painter.px(4));
    sequence(scene, painter, rest);
  }

  Table table(const Scene& scene) const override {
    const SessionStatus& session = scene.snapshot.session;
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
    const int length = static_cast<int>(session.tokens.size());
    for (int t = 0; t < length + (expected_at(session, length) >= 0 ? 1 : 0); ++t) {
      const bool to_come = t == length;
      const int token = to_come ? -1 : session.tokens[static_cast<std::size_t>(t)];
      const int expected = expected_at(session, t), choice = choice_at(session, t);
      table.rows.push_back(
          {std::to_string(t), to_come ? "" : std::to_string(token),
           to_come ? "" : token_label(model, token),
           t == 0 || !computed(scene.snapshot, t) ? ""
                                                  : full_number(number_of(session.surprise, t)),
           expected < 0 ? "" : token_label(model, expected),
           expected < 0 || verdict(session, t) == Verdict::unknown
               ? ""
               : full_number(asked_for(session, t)),
           choice < 0 ? "" : token_label(model, choice), verdict_word(verdict(session, t)),
           to_come                     ? "to come"
           : t < session.prompt_length ? "prompt"
                                       : "generated",
           t == session.cursor ? "here" : ""});
    }
    return table;
  }

 private:
  /// What the model's own top choice says about a place where an answer is asked for.
  enum class Verdict {
    not_asked,
    right,
    wrong,
    no_number,  ///< the model gave no numbers there
    unknown,    ///< not computed yet
  };

  static float number_of(const std::vector<float>& values, int t) {
    const auto i = static_cast<std::size_t>(t);
    return i < values.size() ? values[i] : 0.0f;
  }
  static int number_of(const std::vector<int>& values, int t) {
    const auto i = static_cast<std::size_t>(t);
    return i < values.size() ? values[i] : -1;
  }
  static int expected_at(const SessionStatus& session, int t) {
    return number_of(session.expected, t);
  }
  static int choice_at(const SessionStatus& session, int t) {
    return number_of(session.top_choice, t);
  }

  /// Whether the model was asked to guess this token. In a task only answers are: what it was never
  /// trained to guess says nothing about its memory.
  static bool asked(const SessionStatus& session, int t) {
    return session.expected.empty() ? t > 0 : expected_at(session, t) >= 0;
  }

  /// The surprise of what is asked for: in a task of the right answer, whatever token stands there,
  /// in a text of the token itself.
  static float asked_for(const SessionStatus& session, int t) {
    return number_of(session.expected.empty() ? session.surprise : session.answer_surprise, t);
  }

  static Verdict verdict(const SessionStatus& session, int t) {
    const int expected = expected_at(session, t), choice = choice_at(session, t);
    if (expected < 0) return Verdict::not_asked;
    if (!std::isfinite(asked_for(session, t))) return Verdict::no_number;
    if (choice < 0) return Verdict::unknown;
    return choice == expected ? Verdict::right : Verdict::wrong;
  }

  static const char* verdict_word(Verdict verdict) {
    switch (verdict) {
      case Verdict::right:
        return "yes";
      case Verdict::wrong:
        return "no";
      case Verdict::no_number:
        return "no number";
      default:
        return "";
    }
  }

  /// Whether the model has read this token, so that its own surprise is known.
  static bool computed(const Snapshot& now, int t) { return now.trace && t < now.trace->length(); }

  /// Whether the number for what is asked for here is there.
  static bool known(const Snapshot& now, int t) {
    return now.session.expected.empty() ? computed(now, t)
                                        : verdict(now.session, t) != Verdict::unknown;
  }

  /// Whether there is a surprise to show.
  static bool scored(const Snapshot& now, int t) { return asked(now.session, t) && known(now, t); }

  /// What is shaded: the surprise where a guess was asked for, else 0.
  static float shaded_at(const Snapshot& now, int t) {
    return scored(now, t) ? asked_for(now.session, t) : 0.0f;
  }

  void controls(Scene& scene, Painter& painter, Box row) {
    const SessionStatus& session = scene.snapshot.session;
    const int last = static_cast<int>(session.tokens.size()) - 1;
    const bool at_end = session.cursor >= last;
    const bool can_go_on = !at_end || session.full_reason.empty();
    struct Button {
      const char* word;
      const char* tip;
      Icon icon;
      bool enabled;
      Command command;
    };
    const Button buttons[] = {
        {"Rewind", "Rewind: go to the first token", Icon::rewind, session.cursor > 0,
         command::Rewind{}},
        {"Back", "Step back: one token to the left", Icon::back, session.cursor > 0,
         command::StepBack{}},
        session.playing
            ? Button{"Pause", "Pause playing", Icon::pause, true, command::StopPlaying{}}
            : Button{"Play", "Play: one token after the other, new ones at the end", Icon::play,
                     can_go_on, command::Play{}},
        {"Step", at_end ? "Step: generate the next token" : "Step: one token to the right",
         Icon::forward, can_go_on, command::StepForward{}},
    };
    const bool full = at_end && !session.full_reason.empty();
    const bool words = row.width() > painter.px(full ? 900 : 620);
    // Where not even the icons fit, all four are narrower.
    const float narrow = std::min(painter.px(28), (row.width() - 3 * painter.px(4)) / 4);
    for (const Button& button : buttons) {
      const float width = words ? painter.measure(button.word).x + painter.px(30) : narrow;
      if (icon_button(scene, painter, button.word, button.tip, row.cut_left(width), button.icon,
                      words, button.enabled)) {
        scene.send(button.command);
      }
      row.cut_left(painter.px(4));
    }
    row.cut_left(painter.px(4));
    double speed = session.tokens_per_second;
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
    row.cut_left(painter.px(10));
    if (full) {
      const std::string reasons[] = {session.full_reason, "no more tokens", "full"};
      painter.first_in(row, painter.palette().warning, reasons);
      hint(scene, row, session.full_reason);
      return;
    }
    if (session.cursor < 0) return;
    const int at = std::min(session.cursor, last);
    const int token = session.tokens[static_cast<std::size_t>(at)];
    const std::string label = token_label(scene.snapshot.model.get(), token);
    const std::string where = fmt::format("t = {} of 0…{}", at, last);
    const bool answer = expected_at(session, at) >= 0;
    const std::string surprise = short_number(asked_for(session, at));
    const std::string guess =
        scored(scene.snapshot, at)
            ? fmt::format("surprise{} {} nats", answer ? " of the answer" : "", surprise)
        : answer                     ? "an answer is asked for"
        : asked(session, at)         ? "not computed yet"
        : at < session.prompt_length ? "given, not guessed"
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
        : asked(session, at)         ? "The model's numbers for this place are still to come."
        : at < session.prompt_length ? "Given, not guessed: this token is part of the sequence "
                                       "that was given, and nothing asks the model to guess it."
                                     : "The model chose this token itself, and the task has no "
                                       "right answer for this place.";
    hint(scene, row,
         fmt::format("The time cursor stands at step {} of {}. Every panel shows this step.\n{}",
                     at, last, meaning));
  }

  void sequence(Scene& scene, Painter& painter, Box rest) {
    const SessionStatus& session = scene.snapshot.session;
    const int length = static_cast<int>(session.tokens.size());
    const float line = painter.line_height();
    const double uniform = std::log(
        std::max<double>(2.0, static_cast<double>(scene.snapshot.model->vocabulary.size())));
    // Twice the surprise of a uniform guess: a range that does not move while tokens come.
    const ColourScale colours(scene.palette, MapName::log_domain, 0.0, 2.0 * uniform);

    // From the bottom: legend, then, when not everything fits, the whole sequence as one strip.
    Box legend_row;
    if (rest.height() > 4.2f * line) {
      legend_row = rest.cut_bottom(line);
      rest.cut_bottom(painter.px(3));
    }
    const Axis axis = vertical(scene.snapshot, uniform);
    float caption = axis_margin(painter, rest.height(), axis) + painter.measure("nats").x;
    for (const char* word : {"answer", "token", "step t"}) {
      caption = std::max(caption, painter.measure(word).x + painter.px(8));
    }
    if (rest.width() < 6 * caption) caption = 0.0f;
    Box captions = rest.cut_left(caption);
    // Where an answer is asked for next, its place is kept free.
    const int pending = expected_at(session, length);
    const float narrow = narrowest(scene, painter);
    window_.update(length + (pending >= 0 ? 1 : 0), session.cursor, rest, narrow,
                   std::max(painter.px(58), narrow));
    Box overview;
    if (!window_.all_visible() && rest.height() > 3.4f * line) {
      overview = rest.cut_bottom(line);
      captions.cut_bottom(line);
      rest.cut_bottom(painter.px(4));
      captions.cut_bottom(painter.px(4));
    }

    const Touch mouse = touch("tokens", rest);
    if (mouse.hovered && ImGui::GetIO().MouseWheel != 0.0f) {
      window_.scroll(ImGui::GetIO().MouseWheel > 0.0f ? -3 : 3);
    }
    if (mouse.held) drag_.to(scene, drag_target(mouse.mouse.x, rest, length - 1));
    if (!mouse.held && !overview_held_) drag_.let_go();

    const bool with_marks = rest.height() > 2.1f * line &&
                            (!session.expected.empty() || session.prompt_length < length);
    const Box marks = with_marks ? rest.cut_top(line) : Box{};
    Box tokens = rest.cut_top(std::min(rest.height(), line + painter.px(9)));
    const Box steps = rest.height() >= line ? rest.cut_top(line) : Box{};
    rest.cut_top(painter.px(3));
    const Box bars = rest.height() > 2.2f * line ? rest : Box{};

    const auto caption_for = [&](const Box& row, const char* text, const char* meaning) {
      if (row.empty() || captions.empty()) return;
      const Box box{{captions.min.x, row.min.y}, {captions.max.x - painter.px(4), row.max.y}};
      painter.text_in(box, scene.palette.muted_text, text);
      hint(scene, box, meaning);
    };
    caption_for(session.expected.empty() ? Box{} : marks, "answer",
                "Where the task asks for an answer. ✓: the model's own first choice is the right "
                "one. ✗: it is not, and the right one stands beside it. ?: the model gave no "
                "numbers. A dashed box is the place of the answer that is asked for next.");
    caption_for(
        tokens, "token",
        "The sequence, token by token. A box is shaded by the surprise of what is asked for "
        "there, and grey where nothing is asked.");
    caption_for(steps, "step t", "The time step of each token, from 0.");
    if (!bars.empty() && !captions.empty()) {
      hint(scene, {{captions.min.x, bars.min.y}, {captions.max.x, bars.max.y}},
           fmt::format("Surprise in nats of what is asked for. The dashed line is a uniform guess "
                       "over all {} tokens: {} nats.",
                       scene.snapshot.model->vocabulary.size(), short_number(uniform)));
    }

    Outside beyond;
    painter.list().PushClipRect({rest.min.x, panel_top(marks, tokens)}, {rest.max.x, rest.max.y},
                                true);
    if (!bars.empty())
      draw_bars(scene, painter, bars, captions, vertical(scene.snapshot, uniform), uniform);
    for (int t = window_.first(); t < window_.first() + window_.count() && t < length; ++t) {
      const float surprise = shaded_at(scene.snapshot, t);
      const Outside one = outside({&surprise, 1}, colours);
      beyond.above |= one.above;
      beyond.below |= one.below;
      beyond.nan += one.nan;
      beyond.plus_inf += one.plus_inf;
      beyond.minus_inf += one.minus_inf;
      draw_token(scene, painter, t, tokens, steps, colours);
      if (with_marks) draw_answer(scene, painter, t, marks);
    }
    if (pending >= 0 && window_.shows(length)) {
      const Box column = window_.column(length);
      const Box box = Box{{column.min.x, tokens.min.y}, {column.max.x, tokens.max.y}}.inset(
          painter.px(2), painter.px(2));
      const ImVec2 corners[] = {
          box.min, {box.max.x, box.min.y}, box.max, {box.min.x, box.max.y}, box.min};
      painter.curve(corners, {scene.palette.muted_text, 1.0f, Dash::dashed});
      if (with_marks) {
        const std::string labels[] = {token_label(scene.snapshot.model.get(), pending), "?"};
        painter.first_in(room_of_answer(painter, session, length, marks), scene.palette.muted_text,
                         labels, Align::centre);
      }
    }
    if (with_marks) {
      const Box& lowest = !bars.empty() ? bars : !steps.empty() ? steps : tokens;
      draw_boundary(scene, painter, marks, lowest);
    }
    painter.list().PopClipRect();
    if (!overview.empty()) draw_overview(scene, painter, overview, colours);
    if (!legend_row.empty()) {
      Legend legend{session.expected.empty() ? "nats of surprise, −log p(token)"
                                             : "nats of surprise at answers, −log p(right answer)",
                    fmt::format("fixed range; a uniform guess: ln {} = {}",
                                scene.snapshot.model->vocabulary.size(), short_number(uniform)),
                    "", beyond};
      legend.brief = "nats of surprise";
      draw_legend(painter, legend_row, colours, legend);
      explain_legend(scene, legend_row, colours, legend);
    }
    if (mouse.hovered && !mouse.held) card(scene, window_.step_at(mouse.mouse.x), mouse.mouse.x);
  }

  static float panel_top(const Box& marks, const Box& tokens) {
    return marks.empty() ? tokens.min.y : marks.min.y;
  }

  /// Wide enough for the widest label that occurs.
  float narrowest(const Scene& scene, const Painter& painter) {
    const ModelCard* model = scene.snapshot.model.get();
    float widest = painter.px(11);
    const std::size_t labels = std::min<std::size_t>(model->vocabulary.size(), 512);
    for (std::size_t token = 0; token < labels; ++token) {
      widest = std::max(widest, painter.measure(token_label(model, static_cast<int>(token))).x);
    }
    return std::min(widest, painter.px(64)) + painter.px(8);
  }

  int drag_target(float x, const Box& box, int last) const {
    // Dragging beyond an end goes on one step at a time, so that the window follows.
    if (x < box.min.x) return std::max(0, window_.first() - 1);
    if (x > box.max.x) return std::min(last, window_.first() + window_.count());
    return std::min(last, window_.step_at(x));
  }

  void draw_token(const Scene& scene, Painter& painter, int t, const Box& row, const Box& steps,
                  const ColourScale& colours) const {
    const SessionStatus& session = scene.snapshot.session;
    const Palette& palette = scene.palette;
    const Box column = window_.column(t);
    Box box{{std::floor(column.min.x), row.min.y}, {std::floor(column.max.x), row.max.y}};
    box = box.inset(painter.px(1), painter.px(1));
    const float surprise = shaded_at(scene.snapshot, t);
    const bool later = t > session.cursor;
    ImU32 fill = scored(scene.snapshot, t) ? colours(surprise) : palette.control;
    if (later) fill = mix(palette.panel, fill, 0.35f);
    painter.fill(box, fill, painter.px(3));
    // Lighter than elsewhere: the token has to be read through it.
    if (!std::isfinite(surprise)) painter.hatch(box, with_alpha(IM_COL32_BLACK, 0.4f));
    const bool here = t == session.cursor;
    painter.outline(box, here ? palette.cursor : palette.grid,
                    here ? 2.0f * painter.line_width() : 1.0f, painter.px(3));
    const int token = session.tokens[static_cast<std::size_t>(t)];
    const ImU32 ink = readable_on(fill);
    painter.text_in(box.inset(painter.px(2), 0), later ? with_alpha(ink, 0.7f) : ink,
                    token_label(scene.snapshot.model.get(), token), Align::centre);
    if (steps.empty()) return;
    // Step numbers only where they fit; the cursor's always.
    const float widest = painter.measure(std::to_string(window_.length())).x + painter.px(6);
    const int stride = window_.label_stride(widest);
    const int cursor = session.cursor;
    const bool near_cursor = !here && std::abs(t - cursor) < stride && stride > 1;
    if (here || (t % stride == 0 && !near_cursor)) {
      const float half = std::max(widest, window_.column_width()) / 2;
      const float centre = std::clamp(window_.x(t), steps.min.x + half,
                                      std::max(steps.min.x + half, steps.max.x - half));
      const Box label{{centre - half, steps.min.y}, {centre + half, steps.max.y}};
      painter.text_in(label, here ? palette.cursor : palette.muted_text, std::to_string(t),
                      Align::centre, here ? Weight::bold : Weight::regular);
    }
  }

  /// Where the mark of an answer may stand: beside it nothing is asked.
  Box room_of_answer(const Painter& painter, const SessionStatus& session, int t,
                     const Box& row) const {
    const float most = std::max(window_.column_width() / 2, painter.px(40));
    float half = window_.column_width() / 2;
    for (int away = 1; half < most; ++away) {
      if (expected_at(session, t - away) >= 0 || expected_at(session, t + away) >= 0) break;
      half += window_.column_width() / 2;
    }
    half = std::min(half, most);
    const float x = std::clamp(window_.x(t), row.min.x + std::min(half, row.width() / 2),
                               std::max(row.min.x, row.max.x - std::min(half, row.width() / 2)));
    return {{x - half, row.min.y}, {x + half, row.max.y}};
  }

  void draw_answer(const Scene& scene, Painter& painter, int t, const Box& row) const {
    const SessionStatus& session = scene.snapshot.session;
    const Verdict told = verdict(session, t);
    if (told == Verdict::not_asked) return;
    const int expected = expected_at(session, t);
    const std::string label = token_label(scene.snapshot.model.get(), expected);
    const Box box = room_of_answer(painter, session, t, row);
    const Palette& palette = scene.palette;
    if (told == Verdict::right || told == Verdict::wrong) {
      const std::string mark = told == Verdict::right ? "✓" : "✗";
      // The answer itself is said where the token does not say it.
      const bool same = expected == session.tokens[static_cast<std::size_t>(t)];
      const std::string texts[] = {same && told == Verdict::right ? mark : mark + " " + label,
                                   mark};
      painter.first_in(box, told == Verdict::right ? palette.text : palette.warning, texts,
                       Align::centre, Weight::bold);
      return;
    }
    if (told == Verdict::no_number) {
      const float half = std::min(box.width(), painter.px(14)) / 2;
      const Box ground{{box.centre().x - half, box.min.y + painter.px(2)},
                       {box.centre().x + half, box.max.y - painter.px(2)}};
      painter.fill(ground, kNotANumber, painter.px(2));
      painter.hatch(ground, with_alpha(IM_COL32_BLACK, 0.5f));
    }
    const std::string unknown[] = {"?"};
    painter.first_in(box, told == Verdict::no_number ? IM_COL32_WHITE : palette.muted_text, unknown,
                     Align::centre, Weight::bold);
  }

  void draw_boundary(const Scene& scene, Painter& painter, const Box& marks,
                     const Box& lowest) const {
    const SessionStatus& session = scene.snapshot.session;
    const int at = session.prompt_length;
    const Palette& palette = scene.palette;
    if (at < 1 || at >= static_cast<int>(session.tokens.size()) || !window_.shows(at)) return;
    const float x = std::floor(window_.column(at).min.x) + 0.5f;
    painter.line({x, marks.min.y}, {x, lowest.max.y},
                 {palette.muted_text, painter.line_width(), Dash::dashed});
    // The word stands where no mark of an answer does.
    const float room = painter.measure("prompt").x + painter.px(8);
    const int steps = static_cast<int>(std::ceil(room / window_.column_width()));
    for (int t = at - steps - 1; t < at + 1; ++t) {
      if (expected_at(session, t) >= 0) return;
    }
    const std::string word[] = {"prompt"};
    painter.first_in(
        {{std::max(x - room, marks.min.x), marks.min.y}, {x - painter.px(4), marks.max.y}},
        palette.muted_text, word, Align::right);
  }

  /// The heights of the bars: a uniform guess, and more where a token was a greater surprise.
  Axis vertical(const Snapshot& now, double uniform) const {
    double most = uniform;
    for (int t = window_.first(); t < window_.first() + window_.count(); ++t) {
      if (t >= static_cast<int>(now.session.tokens.size())) break;
      const double surprise = shaded_at(now, t);
      if (std::isfinite(surprise)) most = std::max(most, surprise);
    }
    return {0.0, most * 1.08};
  }

  void draw_bars(const Scene& scene, Painter& painter, const Box& bars, const Box& captions,
                 const Axis& axis, double uniform) const {
    const SessionStatus& session = scene.snapshot.session;
    const Palette& palette = scene.palette;
    painter.list().PushClipRect({captions.min.x, bars.min.y - painter.line_height()},
                                {bars.max.x, bars.max.y + painter.line_height()}, false);
    const float margin = std::min(captions.width(), axis_margin(painter, bars.height(), axis));
    draw_axis(painter, bars, axis, margin);
    const std::string unit[] = {"nats"};
    painter.first_in({{captions.min.x, bars.min.y},
                      {captions.max.x - margin, bars.min.y + painter.line_height()}},
                     palette.muted_text, unit);
    painter.list().PopClipRect();
    const float guess = std::floor(axis.y(uniform, bars)) + 0.5f;
    painter.line({bars.min.x, guess}, {bars.max.x, guess},
                 {palette.muted_text, painter.line_width(), Dash::dashed});
    for (int t = window_.first(); t < window_.first() + window_.count(); ++t) {
      if (t >= static_cast<int>(session.tokens.size())) break;
      if (!scored(scene.snapshot, t)) continue;
      const double surprise = asked_for(session, t);
      const Box column = window_.column(t);
      const float gap = std::min(painter.px(3), column.width() * 0.15f);
      const ImU32 colour = t > session.cursor    ? with_alpha(palette.muted_text, 0.4f)
                           : t == session.cursor ? palette.cursor
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
    const SessionStatus& session = scene.snapshot.session;
    const Palette& palette = scene.palette;
    const int length = static_cast<int>(session.tokens.size());
    std::vector<float> surprise(session.tokens.size());
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
    if (session.cursor >= 0) {
      const float x = x_of(static_cast<float>(session.cursor) + 0.5f);
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
    const SessionStatus& session = scene.snapshot.session;
    const int length = static_cast<int>(session.tokens.size());
    if (!window_.column(t).contains({x, window_.column(t).min.y})) return;
    const ModelCard* model = scene.snapshot.model.get();
    const int expected = expected_at(session, t), choice = choice_at(session, t);
    std::vector<CardLine> lines;
    if (t < length) {
      const int token = session.tokens[static_cast<std::size_t>(t)];
      lines.push_back(
          {fmt::format("t = {}   token {} (number {})", t, token_label(model, token), token),
           true});
    } else {
      lines.push_back({fmt::format("t = {}   the token to come", t), true});
    }
    if (expected >= 0) {
      lines.push_back({fmt::format("asked for here: {}", token_label(model, expected))});
    } else if (!asked(session, t)) {
      lines.push_back({t == 0 ? "the first token is not guessed" : "nothing is asked for here"});
    }
    if (asked(session, t)) {
      const double surprise = asked_for(session, t);
      const double chance = std::exp(-surprise);
      if (choice >= 0) {
        const bool right = choice == expected;
        // Known where it is the right answer, and where the panel of the next token has it.
        const NextToken* next = t == session.cursor + 1 ? scene.snapshot.next.get() : nullptr;
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
      lines.push_back({t < session.prompt_length ? "given" : "generated"});
      lines.push_back({"click or drag: move the cursor here"});
    }
    hover_card(scene, lines);
  }

  TimeWindow window_;
  CursorDrag drag_;
  bool overview_held_ = false;
};

}  // namespace

std::unique_ptr<View> make_time_view() {
  return std::make_unique<TimeView>();
}

}  // namespace xlab::ui
