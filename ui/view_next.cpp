// What the model expects next, how it is drawn from, and what clamps change about it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <optional>
#include <span>

#include "ui/heat.hpp"
#include "ui/hint.hpp"
#include "ui/next_token.hpp"
#include "ui/number.hpp"
#include "ui/panel.hpp"
#include "ui/plot.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

constexpr int kRows = 10;

/// The most probable tokens, best first. What is no number comes first: it has to be seen.
std::vector<int> most_probable(const std::vector<float>& probabilities, int count) {
  std::vector<int> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  const auto weight = [&](int token) {
    const float p = probabilities[static_cast<std::size_t>(token)];
    return std::isfinite(p) ? p : 2.0f;
  };
  const auto end = order.begin() + std::clamp<std::ptrdiff_t>(count, 0, std::ssize(order));
  std::partial_sort(order.begin(), end, order.end(), [&](int a, int b) {
    return weight(a) != weight(b) ? weight(a) > weight(b) : a < b;
  });
  order.erase(end, order.end());
  return order;
}

/// What stands beside the right answer: as everywhere a tick means that the model's own first
/// choice is right, so an answer that it ranks lower has an arrow.
const char* mark_of_answer(const SessionStatus& session) {
  const int expected = expected_next(session);
  const auto next = static_cast<std::size_t>(session.cursor + 1);
  const bool first = next < session.top_choice.size() && session.top_choice[next] == expected;
  return expected < 0 || first ? "✓" : "→";
}

class NextView : public View {
 public:
  std::string name() const override { return "next"; }
  std::string title() const override { return "Next token"; }
  ImVec2 minimum_size() const override { return {260, 160}; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "next", size);
    Painter painter(scene);
    hovered_.reset();
    if (panel.usable())
      contents(scene, painter, panel.content().inset(painter.px(8), painter.px(6)));
    hover_.set(scene.focus, hovered_);
  }

  Table table(const Scene& scene) const override;

 private:
  void contents(Scene& scene, Painter& painter, Box rest) {
    const Snapshot& snapshot = scene.snapshot;
    if (!snapshot.model) {
      say(painter, rest, "No run is open. Open or make one to see what it expects next.");
      return;
    }
    if (!snapshot.next || snapshot.next->probabilities.empty()) {
      say(painter, rest,
          "There is nothing to continue yet. Write a prompt or take a new sample, and the model's "
          "choice of the next token stands here.");
      return;
    }
    const bool beside = rest.width() > painter.px(520) && rest.height() > painter.px(120);
    header(scene, painter, rest, beside);
    if (beside) {
      Box side = rest.cut_right(painter.px(206));
      rest.cut_right(painter.px(14));
      settings(scene, painter, side);
    } else if (settings_open_) {
      settings(scene, painter, rest);
      return;
    }
    bars(scene, painter, rest);
  }

  /// What the bars are about, and what clamps changed about them.
  void header(Scene& scene, Painter& painter, Box& rest, bool beside) {
    const Palette& palette = painter.palette();
    const NextToken& next = *scene.snapshot.next;
    const SessionStatus& session = scene.snapshot.session;
    const ModelCard* model = scene.snapshot.model.get();
    const float height = painter.line_height() + painter.px(4);
    // One bar says more than a title.
    if (rest.height() < height + painter.line_height()) return;
    Box row = rest.cut_top(height);
    if (!beside) {
      const std::string word = settings_open_ ? "bars" : "sampling";
      const float width = painter.measure(word).x + painter.px(16);
      if (width <= row.width()) {
        const Box button = row.cut_right(width);
        if (button_at(painter, "settings", button, word)) settings_open_ = !settings_open_;
        hint(scene, button,
             settings_open_ ? "Back to the bars."
                            : "How the next token is drawn: greedy, temperature, top-k, top-p and "
                              "seed.");
        row.cut_right(painter.px(8));
      }
    }
    std::vector<std::string> texts;
    if (session.cursor >= 0 && session.cursor < static_cast<int>(session.tokens.size())) {
      const std::string label =
          token_label(model, session.tokens[static_cast<std::size_t>(session.cursor)]);
      texts.push_back(fmt::format("after t = {}, token {}", session.cursor, label));
      texts.push_back(fmt::format("after t = {}", session.cursor));
      texts.push_back(fmt::format("t = {}", session.cursor));
    } else {
      texts.push_back("what comes next");
    }
    const char* meaning =
        "What the model expects to follow the token at the time cursor: one bar per token, the "
        "most "
        "probable on top.";
    if (next.unclamped.empty()) {
      painter.first_in(row, palette.text, texts);
      hint(scene, row, meaning);
      rest.cut_top(painter.px(2));
      return;
    }
    const int now = most_probable(next.probabilities, 1).front();
    const int before = most_probable(next.unclamped, 1).front();
    std::vector<std::string> changes;
    if (now != before) {
      const std::string move =
          fmt::format("{} → {}", token_label(model, before), token_label(model, now));
      changes = {"top choice changed: " + move, "top choice: " + move, move};
    }
    const std::string kl = fmt::format("KL {} nats", short_number(next.kl_nats));
    const float gap = painter.px(14), mark_width = painter.px(18);
    const float kl_width = painter.measure(kl).x + gap;
    const float flag = changes.empty()
                           ? 0.0f
                           : painter.measure(changes.front(), Weight::bold).x + mark_width + gap;
    const bool one_row = painter.measure(texts.front()).x + gap + kl_width + flag <= row.width();
    const bool two_rows =
        !one_row && !changes.empty() && rest.height() > height + 2 * painter.line_height();
    Box second = two_rows ? rest.cut_top(height) : Box{};
    // The distance goes where it leaves no room for the place.
    const bool with_kl = painter.measure(texts.back()).x + gap + kl_width <= row.width();
    const float left = row.width() - (with_kl ? kl_width : 0.0f) - (one_row ? flag : 0.0f);
    const std::string text = painter.fit_first(texts, left);
    if (painter.measure(text).x <= left + 0.5f) {
      const Box box = row.cut_left(painter.measure(text).x + gap);
      painter.text_in(box, palette.text, text);
      hint(scene, box, meaning);
    }
    if (with_kl) {
      const Box box = row.cut_left(kl_width);
      painter.text_in(box, palette.text, kl);
      hint(scene, box,
           "How far what is held by hand moves the whole expectation: the Kullback-Leibler "
           "divergence from the untouched probabilities to these. 0 is no change.");
    }
    if (one_row) second = row;
    if (!changes.empty() && second.width() > mark_width) {
      // A filled mark and words: the change must not hang on a colour alone.
      const Box whole = second;
      const Box mark = second.cut_left(painter.px(14));
      const ImVec2 c = mark.centre();
      const float r = painter.px(5);
      painter.list().AddTriangleFilled({c.x - r, c.y + r}, {c.x, c.y - r}, {c.x + r, c.y + r},
                                       palette.warning);
      second.cut_left(painter.px(4));
      painter.first_in(second, palette.warning, changes, Align::left, Weight::bold);
      hint(scene, whole,
           fmt::format("Without clamps the most probable token is {}, with them it is {}.",
                       token_label(model, before), token_label(model, now)));
    }
    rest.cut_top(painter.px(2));
  }

  /// Widths beside the bars; 0 where there is no room.
  struct Columns {
    float label = 0.0f, probability = 0.0f, logit = 0.0f;
  };

  void bars(Scene& scene, Painter& painter, Box rest) {
    const Palette& palette = painter.palette();
    const NextToken& next = *scene.snapshot.next;
    const ModelCard* model = scene.snapshot.model.get();
    const float line = painter.line_height();
    const bool with_legend = rest.height() > 5 * line;
    const Box legend = with_legend ? rest.cut_bottom(line) : Box{};
    if (with_legend) rest.cut_bottom(painter.px(2));
    const bool with_axis = rest.height() > 7 * line;
    if (with_axis) rest.cut_bottom(line);

    const int vocabulary = static_cast<int>(next.probabilities.size());
    const int fitting =
        std::clamp(static_cast<int>(rest.height() / line), 1, std::min(kRows, vocabulary));
    if (const Box area = rest; area.contains(ImGui::GetIO().MousePos) && ImGui::IsWindowHovered()) {
      const float wheel = ImGui::GetIO().MouseWheel;
      if (wheel != 0.0f) first_ += wheel > 0.0f ? -1 : 1;
    }
    first_ = std::clamp(first_, 0, std::max(0, vocabulary - fitting));
    std::vector<int> order = most_probable(next.probabilities, first_ + fitting);
    order.erase(order.begin(), order.begin() + first_);
    const int expected = expected_next(scene.snapshot.session);
    // The right answer stays in sight, in the last row, however unlikely it is.
    bool appended = false;
    if (expected >= 0 && expected < vocabulary && order.size() > 1 &&
        std::find(order.begin(), order.end(), expected) == order.end()) {
      order.back() = expected;
      appended = true;
    }

    float labels = painter.px(24);
    for (const int token : order) {
      labels = std::max(labels, painter.measure(token_label(model, token), Weight::bold).x);
    }
    labels = std::min(labels, rest.width() * 0.3f) + painter.px(22);
    float probability = painter.measure("prob.").x, logit = painter.measure("logit").x;
    for (const int token : order) {
      const std::string p = short_number(value_of(next.probabilities, token));
      probability = std::max(probability, painter.measure(p, Weight::bold).x);
      logit = std::max(logit, painter.measure(short_number(value_of(next.logits, token))).x);
    }
    Columns columns{labels, probability + painter.px(10), logit + painter.px(10)};
    if (rest.width() < labels + columns.probability + columns.logit + painter.px(80)) {
      columns.logit = 0.0f;
    }
    if (rest.width() < labels + columns.probability + painter.px(50)) columns.probability = 0.0f;
    Box plot = rest;
    plot.cut_left(labels);
    plot.cut_right(columns.logit + columns.probability);
    const float height = std::min(rest.height() / static_cast<float>(fitting), painter.px(40));
    plot.max.y = std::min(plot.max.y, plot.min.y + height * static_cast<float>(fitting));

    for (const double tick : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      const float x = std::floor(plot.min.x + plot.width() * static_cast<float>(tick)) + 0.5f;
      painter.line({x, plot.min.y}, {x, plot.max.y}, {palette.grid, 1.0f});
    }
    if (with_axis) {
      const float half = painter.measure("0.5").x / 2 + 1;
      const bool middle = plot.width() > 7 * half;
      for (const double tick : {0.0, 0.5, 1.0}) {
        if ((tick == 0.5 && !middle) || plot.width() < 5 * half) continue;
        // The last one stays left of the columns.
        const float x =
            std::min(plot.min.x + plot.width() * static_cast<float>(tick), plot.max.x - half);
        painter.text_in({{x - half, plot.max.y}, {x + half, plot.max.y + line}}, palette.muted_text,
                        tick_number(tick, 0.5), Align::centre);
      }
      Box heads{{plot.max.x, plot.max.y}, {rest.max.x, plot.max.y + line}};
      const std::string logit_name[] = {"logit"}, probability_name[] = {"prob."};
      const Box logits = heads.cut_right(columns.logit);
      painter.first_in(logits, palette.muted_text, logit_name, Align::right);
      painter.first_in(heads, palette.muted_text, probability_name, Align::right);
      hint(scene, logits,
           "The model's raw score of each token; the probability is exp(logit) over the sum of all "
           "exp(logit).");
      hint(scene, heads, "The probability of each token, before anything is drawn.");
    }

    const bool drawn_differs = !next.sampling.empty() && next.sampling != next.probabilities;
    bool any_hovered = false;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const int token = order[i];
      Box row = rest.cut_top(height);
      ImGui::PushID(token);
      const Touch mouse = touch("bar", row);
      ImGui::PopID();
      if (mouse.hovered)
        painter.fill(row, with_alpha(palette.control_hovered, 0.6f), painter.px(2));
      if (appended && i + 1 == order.size()) {
        painter.line(row.min, {row.max.x, row.min.y}, {palette.muted_text, 1.0f, Dash::dotted});
      }
      draw_bar(scene, painter, token, row, plot, columns, first_ == 0 && i == 0, drawn_differs);
      any_hovered |= mouse.hovered;
      if (mouse.hovered) {
        hovered_ = ValueRef{.path = kNextProbability,
                            .step = scene.snapshot.session.cursor,
                            .head = 0,
                            .unit = token};
      }
      if (mouse.pressed) {
        // Where later tokens would be lost, the first click only asks.
        if (later(scene.snapshot.session) == 0 || armed(scene, token)) {
          scene.send(command::TakeToken{token});
          armed_ = {};
        } else {
          armed_ = {token, scene.snapshot.session.cursor, scene.snapshot.session.tokens};
        }
      }
      if (armed(scene, token)) ask(scene, painter, token, row);
      if (mouse.hovered) card(scene, token, armed(scene, token));
    }
    if (!any_hovered) armed_ = {};
    if (with_legend) {
      draw_keys(scene, painter, legend, drawn_differs, !next.unclamped.empty());
    }
  }

  /// How many tokens stand behind the cursor: taking another one drops them.
  static int later(const SessionStatus& session) {
    return std::max(0, static_cast<int>(session.tokens.size()) - 1 - session.cursor);
  }

  bool armed(const Scene& scene, int token) const {
    return armed_.token == token && armed_.cursor == scene.snapshot.session.cursor &&
           armed_.tokens == scene.snapshot.session.tokens;
  }

  /// The question a first click asks, over its row.
  static void ask(const Scene& scene, Painter& painter, int token, const Box& row) {
    const Palette& palette = painter.palette();
    painter.fill(row, palette.control_hovered, painter.px(2));
    painter.outline(row, palette.accent, painter.line_width(), painter.px(2));
    const std::string label = token_label(scene.snapshot.model.get(), token);
    const std::string drops = dropped(later(scene.snapshot.session));
    const std::string texts[] = {
        fmt::format("take {}: drops {} · click again", label, drops),
        fmt::format("take {}, drop {}: click again", label, later(scene.snapshot.session)),
        fmt::format("drops {} · click again", drops), "click again", "again?"};
    painter.first_in(row.inset(painter.px(6), 0), palette.text, texts, Align::left, Weight::bold);
  }

  static std::string dropped(int count) {
    return count == 1 ? "1 later token" : fmt::format("{} later tokens", count);
  }

  static void draw_bar(const Scene& scene, Painter& painter, int token, Box row, const Box& plot,
                       const Columns& columns, bool best, bool drawn_differs) {
    const Palette& palette = painter.palette();
    const NextToken& next = *scene.snapshot.next;
    const bool expected = token == expected_next(scene.snapshot.session);
    Box label = row.cut_left(columns.label);
    const Box mark = label.cut_left(painter.px(16));
    if (expected) {
      painter.text_in(mark, palette.text, mark_of_answer(scene.snapshot.session), Align::centre,
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
  }

  /// A token's label, shortened where there is no room for all of it, unless that would show
  /// another number than its own.
  static void write_label(Painter& painter, const Box& box, const std::string& label, bool best) {
    const Weight weight = best ? Weight::bold : Weight::regular;
    const bool fits = painter.measure(label, weight).x <= box.width() + 0.5f;
    if (!fits && label.find_first_of("0123456789") != std::string::npos) return;
    painter.text_in(box, painter.palette().text, label, Align::right, weight);
  }

  /// What the marks of the bars mean.
  static void draw_keys(const Scene& scene, Painter& painter, Box row, bool drawn, bool ghosts) {
    const Palette& palette = painter.palette();
    struct Key {
      const char* word;
      const char* shorter;
      const char* meaning;
      std::function<void(Box)> mark;
    };
    std::vector<Key> keys = {
        {"probability, 0..1", "prob.",
         "The bar: the probability that the model gives to this token.",
         [&](const Box& box) { painter.fill(box, mix(palette.accent, palette.panel, 0.3f)); }}};
    if (ghosts) {
      keys.push_back({"without clamps", "no clamps",
                      "The outline: the probability at the same place when nothing is held.",
                      [&](const Box& box) {
                        painter.outline(box, palette.text, painter.line_width() * 0.8f);
                      }});
    }
    if (drawn) {
      keys.push_back(
          {"drawn from", "drawn",
           "The thin bar: the probability that is drawn from, after temperature, top-k "
           "and top-p.",
           [&](Box box) { painter.fill(box.cut_bottom(painter.px(4)), palette.muted_text); }});
    }
    keys.push_back({"right answer", "right",
                    "The answer that the task asks for here. ✓: the model's own first choice is "
                    "the right one. →: it is not, and this is the right one.",
                    [&](const Box& box) {
                      painter.text_in({{box.min.x, row.min.y}, {box.max.x, row.max.y}},
                                      palette.text, mark_of_answer(scene.snapshot.session),
                                      Align::centre, Weight::bold);
                    }});
    const float swatch = painter.px(14), gap = painter.px(4), apart = painter.px(12);
    float full = 0.0f;
    for (const Key& key : keys) full += swatch + gap + painter.measure(key.word).x + apart;
    const bool roomy = full - apart <= row.width();
    for (const Key& key : keys) {
      const char* word = roomy ? key.word : key.shorter;
      if (row.width() < swatch + gap + painter.measure(word).x) break;
      const Box box = row.cut_left(swatch);
      key.mark(box.inset(0, std::max(0.0f, (box.height() - painter.px(10)) / 2)));
      row.cut_left(gap);
      const Box text = row.cut_left(painter.measure(word).x + 0.5f);
      painter.text_in(text, palette.muted_text, word);
      hint(scene, {box.min, text.max}, key.meaning);
      row.cut_left(apart);
    }
  }

  void settings(Scene& scene, Painter& painter, Box rest) {
    const Palette& palette = painter.palette();
    SamplerSettings next = scene.snapshot.session.sampler;
    const float height = painter.line_height() + painter.px(4);
    const float gap = painter.px(4);
    if (rest.width() > painter.px(260)) rest.max.x = rest.min.x + painter.px(260);
    if (rest.height() > 7 * (height + gap)) {
      painter.text_in(rest.cut_top(height), palette.muted_text, "how the next token is drawn");
    }
    bool changed = false;
    // What does not fit as a whole is left out.
    const auto row = [&] {
      if (rest.height() < height) return Box{};
      const Box box = rest.cut_top(height);
      rest.cut_top(gap);
      return box;
    };
    const Box greedy = row();
    if (check_at(painter, "greedy", greedy, "greedy: always the top choice", next.greedy)) {
      next.greedy = !next.greedy;
      changed = true;
    }
    hint(scene, greedy,
         "Greedy takes the most probable token each time and looks at none of the settings below. "
         "Without it the token is drawn at random from the thin bars.");
    const auto slider = [&](const char* id, double& value, double low, double high, bool log,
                            std::initializer_list<std::string> texts, const char* meaning) {
      const Box box = row();
      if (box.empty()) return;
      hint(scene, box, meaning);
      const std::span<const std::string> list(texts.begin(), texts.size());
      std::string text = painter.fit_first(list, box.width() - painter.px(8));
      if (text.ends_with("…")) text.clear();
      if (next.greedy) {
        // Greedy choice looks at none of these.
        painter.outline(box, palette.grid, 1.0f, painter.px(3));
        painter.text_in(box.inset(painter.px(4), 0), with_alpha(palette.muted_text, 0.7f), text,
                        Align::centre);
      } else if (slider_at(painter, id, box, value, low, high, log, text)) {
        changed = true;
      }
    };
    double temperature = next.temperature;
    slider("temperature", temperature, 0.1, 3.0, true,
           {fmt::format("temperature {:.2f}", next.temperature),
            fmt::format("T {:.2f}", next.temperature), fmt::format("{:.2f}", next.temperature)},
           "Temperature divides the logits: below 1 the likely tokens win more often, above 1 less "
           "often.");
    next.temperature = std::round(temperature * 100.0) / 100.0;
    const int vocabulary = std::max(1, static_cast<int>(scene.snapshot.model->vocabulary.size()));
    double top_k = next.top_k;
    slider("top_k", top_k, 0.0, static_cast<double>(std::min(vocabulary, 100)), false,
           {next.top_k == 0 ? std::string("top-k: all") : fmt::format("top-k: {}", next.top_k),
            next.top_k == 0 ? std::string("all") : std::to_string(next.top_k)},
           "Top-k: only the k most probable tokens are drawn from.");
    next.top_k = static_cast<int>(std::lround(top_k));
    double top_p = next.top_p;
    slider(
        "top_p", top_p, 0.05, 1.0, false,
        {next.top_p >= 1.0 ? std::string("top-p: all") : fmt::format("top-p: {:.2f}", next.top_p),
         next.top_p >= 1.0 ? std::string("all") : fmt::format("{:.2f}", next.top_p)},
        "Top-p: only the most probable tokens that together reach this probability are drawn "
        "from.");
    next.top_p = std::round(top_p * 100.0) / 100.0;
    Box seed = row();
    hint(scene, seed, "The seed of the draws: the same seed gives the same tokens again.");
    const float side = std::min(height, seed.width() / 4);
    if (button_at(painter, "seed-", seed.cut_left(side), "−", !next.greedy && next.seed > 0)) {
      --next.seed;
      changed = true;
    }
    if (button_at(painter, "seed+", seed.cut_right(side), "+", !next.greedy)) {
      ++next.seed;
      changed = true;
    }
    const std::string seeds[] = {fmt::format("seed {}", next.seed), std::to_string(next.seed)};
    painter.first_in(seed, next.greedy ? with_alpha(palette.muted_text, 0.7f) : palette.text, seeds,
                     Align::centre);
    if (changed && !(next == scene.snapshot.session.sampler)) {
      scene.send(command::SetSampler{next});
    }
  }

  static void card(const Scene& scene, int token, bool asking) {
    const NextToken& next = *scene.snapshot.next;
    const SessionStatus& session = scene.snapshot.session;
    const ModelCard* model = scene.snapshot.model.get();
    const double logit = value_of(next.logits, token);
    const std::string p = short_number(value_of(next.probabilities, token));
    std::vector<CardLine> lines;
    lines.push_back({fmt::format("token {} (number {})", token_label(model, token), token), true});
    lines.push_back({fmt::format("probability {}, logit {}", p, short_number(logit))});
    lines.push_back({fmt::format("p = exp(logit) / Σ exp(logits) = exp({} − {}) = {}",
                                 short_number(logit), short_number(log_sum(next.logits)), p)});
    if (!next.sampling.empty()) {
      lines.push_back(
          {fmt::format("drawn with probability {}{}", short_number(value_of(next.sampling, token)),
                       drawn_how(session.sampler))});
    }
    if (!next.unclamped.empty()) {
      lines.push_back({"without clamps " + short_number(value_of(next.unclamped, token))});
    }
    if (token == expected_next(session)) lines.push_back({"the right answer"});
    const int lost = later(session);
    lines.push_back({lost == 0 ? std::string("click: go on with this token")
                     : asking  ? fmt::format("click again: take it and drop {}", dropped(lost))
                               : fmt::format("click: take it here, which drops {} (asks first)",
                                             dropped(lost))});
    if (lost > 0) lines.push_back({"Undo brings them back"});
    hover_card(scene, lines);
  }

  /// What stands between the probabilities and the draw.
  static std::string drawn_how(const SamplerSettings& sampler) {
    if (sampler.greedy) return " (greedy)";
    std::string words;
    const auto add = [&](const std::string& part) {
      words += (words.empty() ? " (" : ", ") + part;
    };
    if (sampler.temperature != 1.0) add(fmt::format("temperature {:.2f}", sampler.temperature));
    if (sampler.top_k > 0) add(fmt::format("top-k {}", sampler.top_k));
    if (sampler.top_p < 1.0) add(fmt::format("top-p {:.2f}", sampler.top_p));
    return words.empty() ? words : words + ")";
  }

  /// The token a first click asked about, and where.
  struct Armed {
    int token = -1, cursor = -1;
    std::vector<int> tokens;
  };
  Armed armed_;
  int first_ = 0;  ///< rank of the first bar
  bool settings_open_ = false;
  Hover hover_;
  std::optional<ValueRef> hovered_;  ///< of this frame
};

Table NextView::table(const Scene& scene) const {
  Table table;
  table.columns = {"rank",
                   "token",
                   "label",
                   "probability",
                   "logit",
                   "drawn from",
                   "probability without clamps",
                   "expected"};
  if (!scene.snapshot.next) return table;
  const NextToken& next = *scene.snapshot.next;
  const int expected = expected_next(scene.snapshot.session);
  const std::vector<int> order =
      most_probable(next.probabilities, static_cast<int>(next.probabilities.size()));
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const int token = order[rank];
    table.rows.push_back(
        {std::to_string(rank + 1), std::to_string(token),
         token_label(scene.snapshot.model.get(), token),
         full_number(value_of(next.probabilities, token)),
         full_number(value_of(next.logits, token)), full_number(value_of(next.sampling, token)),
         next.unclamped.empty() ? "" : full_number(value_of(next.unclamped, token)),
         token == expected ? "yes" : ""});
  }
  return table;
}

}  // namespace

std::unique_ptr<View> make_next_view() {
  return std::make_unique<NextView>();
}

}  // namespace xlab::ui
