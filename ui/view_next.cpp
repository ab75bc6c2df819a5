// What the model expects next, how it is drawn from, and what clamps change about it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "ui/heat.hpp"
#include "ui/number.hpp"
#include "ui/panel.hpp"
#include "ui/plot.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

constexpr int kRows = 10;

float value_of(const std::vector<float>& values, int token) {
  const auto i = static_cast<std::size_t>(token);
  return i < values.size() ? values[i] : 0.0f;
}

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

/// The right answer for the place after the cursor, or -1.
int expected_next(const SessionStatus& session) {
  const auto next = static_cast<std::size_t>(session.cursor + 1);
  return session.cursor >= 0 && next < session.expected.size() ? session.expected[next] : -1;
}

class NextView : public View {
 public:
  std::string name() const override { return "next"; }
  std::string title() const override { return "Next token"; }
  ImVec2 minimum_size() const override { return {260, 160}; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "next", size);
    Painter painter(scene);
    if (!panel.usable()) return;
    Box rest = panel.content().inset(painter.px(8), painter.px(6));
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

  Table table(const Scene& scene) const override {
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

 private:
  void header(Scene& scene, Painter& painter, Box& rest, bool beside) {
    const Palette& palette = painter.palette();
    const NextToken& next = *scene.snapshot.next;
    const SessionStatus& session = scene.snapshot.session;
    const ModelCard* model = scene.snapshot.model.get();
    const float height = painter.line_height() + painter.px(4);
    Box row = rest.cut_top(height);
    if (!beside) {
      const std::string word = settings_open_ ? "bars" : "sampling";
      const float width = painter.measure(word).x + painter.px(16);
      if (button_at(painter, "settings", row.cut_right(width), word)) {
        settings_open_ = !settings_open_;
      }
      row.cut_right(painter.px(8));
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
    if (next.unclamped.empty()) {
      painter.text_in(row, palette.text, painter.fit_first(texts, row.width()));
      rest.cut_top(painter.px(2));
      return;
    }
    const int now = most_probable(next.probabilities, 1).front();
    const int before = most_probable(next.unclamped, 1).front();
    const std::string changed =
        now == before ? ""
                      : fmt::format("top choice changed: {} → {}", token_label(model, before),
                                    token_label(model, now));
    const std::string kl = fmt::format("KL {} nats", short_number(next.kl_nats));
    const float flag =
        changed.empty() ? 0.0f : painter.measure(changed, Weight::bold).x + painter.px(22);
    const float gap = painter.px(14), kl_width = painter.measure(kl).x + gap;
    const bool one_row = painter.measure(texts.front()).x + gap + kl_width + flag <= row.width();
    Box second = row;
    if (!one_row && !changed.empty()) second = rest.cut_top(height);
    const std::string text = painter.fit_first(texts, row.width() - kl_width - gap);
    painter.text_in(row.cut_left(painter.measure(text).x + gap), palette.text, text);
    painter.text_in(row.cut_left(kl_width), palette.text, kl);
    if (!changed.empty()) {
      if (one_row) second = row;
      // A filled mark and words: the change must not hang on a colour alone.
      const Box mark = second.cut_left(painter.px(14));
      const ImVec2 c = mark.centre();
      const float r = painter.px(5);
      painter.list().AddTriangleFilled({c.x - r, c.y + r}, {c.x, c.y - r}, {c.x + r, c.y + r},
                                       palette.warning);
      second.cut_left(painter.px(4));
      painter.text_in(second, palette.warning, changed, Align::left, Weight::bold);
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
      if (with_axis && (tick == 0.0 || tick == 0.5 || tick == 1.0)) {
        const Box at{{x - painter.px(20), plot.max.y}, {x + painter.px(20), plot.max.y + line}};
        painter.text_in(at, palette.muted_text, tick_number(tick, 0.5), Align::centre);
      }
    }
    if (with_axis && columns.probability > 0.0f) {
      Box heads{{plot.max.x, plot.max.y}, {rest.max.x, plot.max.y + line}};
      painter.text_in(heads.cut_right(columns.logit), palette.muted_text, "logit", Align::right);
      painter.text_in(heads, palette.muted_text, "prob.", Align::right);
    }

    const bool drawn_differs = !next.sampling.empty() && next.sampling != next.probabilities;
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
      if (mouse.pressed) scene.send(command::TakeToken{token});
      if (mouse.hovered) card(scene, token);
    }
    if (with_legend) draw_keys(painter, legend, drawn_differs, !next.unclamped.empty());
  }

  static void draw_bar(const Scene& scene, Painter& painter, int token, Box row, const Box& plot,
                       const Columns& columns, bool best, bool drawn_differs) {
    const Palette& palette = painter.palette();
    const NextToken& next = *scene.snapshot.next;
    const bool expected = token == expected_next(scene.snapshot.session);
    Box label = row.cut_left(columns.label);
    const Box mark = label.cut_left(painter.px(16));
    if (expected) painter.text_in(mark, palette.text, "✓", Align::centre, Weight::bold);
    label.cut_right(painter.px(6));
    painter.text_in(label, palette.text, token_label(scene.snapshot.model.get(), token),
                    Align::right, best ? Weight::bold : Weight::regular);
    if (columns.logit > 0.0f) {
      painter.text_in(row.cut_right(columns.logit), palette.muted_text,
                      short_number(value_of(next.logits, token)), Align::right);
    }
    const float p = value_of(next.probabilities, token);
    if (columns.probability > 0.0f) {
      painter.text_in(row.cut_right(columns.probability), palette.text, short_number(p),
                      Align::right, best ? Weight::bold : Weight::regular);
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

  /// What the marks of the bars mean.
  static void draw_keys(Painter& painter, Box row, bool drawn, bool ghosts) {
    const Palette& palette = painter.palette();
    struct Key {
      const char* word;
      const char* shorter;
      std::function<void(Box)> mark;
    };
    std::vector<Key> keys = {{"probability, 0..1", "prob.", [&](const Box& box) {
                                painter.fill(box, mix(palette.accent, palette.panel, 0.3f));
                              }}};
    if (ghosts) {
      keys.push_back({"without clamps", "no clamps", [&](const Box& box) {
                        painter.outline(box, palette.text, painter.line_width() * 0.8f);
                      }});
    }
    if (drawn) {
      keys.push_back({"drawn from", "drawn", [&](Box box) {
                        painter.fill(box.cut_bottom(painter.px(4)), palette.muted_text);
                      }});
    }
    keys.push_back({"right answer", "right", [&](const Box& box) {
                      painter.text_in({{box.min.x, row.min.y}, {box.max.x, row.max.y}},
                                      palette.text, "✓", Align::centre, Weight::bold);
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
      painter.text_in(row.cut_left(painter.measure(word).x + 0.5f), palette.muted_text, word);
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
    const auto row = [&] {
      const Box box = rest.cut_top(height);
      rest.cut_top(gap);
      return box;
    };
    if (check_at(painter, "greedy", row(), "greedy: always the top choice", next.greedy)) {
      next.greedy = !next.greedy;
      changed = true;
    }
    const auto slider = [&](const char* id, double& value, double low, double high, bool log,
                            const std::string& text) {
      const Box box = row();
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
           fmt::format("temperature {:.2f}", next.temperature));
    next.temperature = std::round(temperature * 100.0) / 100.0;
    const int vocabulary = std::max(1, static_cast<int>(scene.snapshot.model->vocabulary.size()));
    double top_k = next.top_k;
    slider("top_k", top_k, 0.0, static_cast<double>(std::min(vocabulary, 100)), false,
           next.top_k == 0 ? std::string("top-k: all") : fmt::format("top-k: {}", next.top_k));
    next.top_k = static_cast<int>(std::lround(top_k));
    double top_p = next.top_p;
    slider(
        "top_p", top_p, 0.05, 1.0, false,
        next.top_p >= 1.0 ? std::string("top-p: all") : fmt::format("top-p: {:.2f}", next.top_p));
    next.top_p = std::round(top_p * 100.0) / 100.0;
    Box seed = row();
    const float side = std::min(height, seed.width() / 4);
    if (button_at(painter, "seed-", seed.cut_left(side), "−", !next.greedy && next.seed > 0)) {
      --next.seed;
      changed = true;
    }
    if (button_at(painter, "seed+", seed.cut_right(side), "+", !next.greedy)) {
      ++next.seed;
      changed = true;
    }
    painter.text_in(seed, next.greedy ? with_alpha(palette.muted_text, 0.7f) : palette.text,
                    fmt::format("seed {}", next.seed), Align::centre);
    if (changed && !(next == scene.snapshot.session.sampler)) {
      scene.send(command::SetSampler{next});
    }
  }

  static void card(const Scene& scene, int token) {
    const NextToken& next = *scene.snapshot.next;
    const ModelCard* model = scene.snapshot.model.get();
    std::vector<CardLine> lines;
    lines.push_back({fmt::format("token {} (number {})", token_label(model, token), token), true});
    lines.push_back(
        {fmt::format("probability {}, logit {}", short_number(value_of(next.probabilities, token)),
                     short_number(value_of(next.logits, token)))});
    if (!next.sampling.empty()) {
      lines.push_back({"drawn with probability " + short_number(value_of(next.sampling, token))});
    }
    if (!next.unclamped.empty()) {
      lines.push_back({"without clamps " + short_number(value_of(next.unclamped, token))});
    }
    if (token == expected_next(scene.snapshot.session)) lines.push_back({"the right answer"});
    lines.push_back({"click: go on with this token"});
    hover_card(scene, lines);
  }

  int first_ = 0;  ///< rank of the first bar
  bool settings_open_ = false;
};

}  // namespace

std::unique_ptr<View> make_next_view() {
  return std::make_unique<NextView>();
}

}  // namespace xlab::ui
