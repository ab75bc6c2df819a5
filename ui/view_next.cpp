// What the model expects next, how it is drawn from, and what clamps change about it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ui/fan_chart.hpp"
#include "ui/follower_marks.hpp"
#include "ui/ghost.hpp"
#include "ui/ground.hpp"
#include "ui/hint.hpp"
#include "ui/next_token.hpp"
#include "ui/number.hpp"
#include "ui/sampler_settings.hpp"
#include "ui/series_row.hpp"
#include "ui/token_bars.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

constexpr int kRows = 10;

class NextView : public View {
 public:
  std::string name() const override { return "next"; }
  std::string title() const override { return "Next token"; }
  std::string title_now(const Snapshot& snapshot) const override {
    return series_of(snapshot) ? "Forecast" : title();
  }
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
      say_no_run(painter, rest, "see what it expects next");
      return;
    }
    if (series_of(snapshot)) {
      if (!snapshot.foretold) {
        say(painter, rest, "The model has not read this patch of the series yet.");
      } else if (snapshot.foretold->begin <= 0) {
        say(painter, rest, "The series begins later: there is nothing to foretell from yet.");
      } else {
        draw_fan(scene, painter, rest);
      }
      return;
    }
    if (!snapshot.next || snapshot.next->probabilities.empty()) {
      say(painter, rest,
          "There is nothing to continue yet. Write a prompt or take a new sample, and the model's "
          "choice of the next token stands here.");
      return;
    }
    follow(scene);
    const bool beside = rest.width() > painter.px(520) && rest.height() > painter.px(120);
    header(scene, painter, rest, beside);
    if (beside) {
      Box side = rest.cut_right(std::max(painter.px(206), sampler_settings_width(painter)));
      rest.cut_right(painter.px(14));
      draw_sampler_settings(scene, painter, side);
    } else if (settings_open_) {
      draw_sampler_settings(scene, painter, rest);
      return;
    }
    bars(scene, painter, rest);
  }

  /// What is expected beside the ghost, made once for each snapshot that brings another.
  void follow(const Scene& scene) {
    if (next_ && made_of_ == scene.snapshot.next && made_beside_ == scene.focus.reference) return;
    made_of_ = scene.snapshot.next;
    made_beside_ = scene.focus.reference;
    next_ = next_beside_ghost(scene);
  }

  /// What the bars are about, and how that differs from the ghost.
  void header(Scene& scene, Painter& painter, Box& rest, bool beside) {
    const Palette& palette = painter.palette();
    const NextToken& next = *next_;
    const SequenceStatus& sequence = scene.snapshot.sequence;
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
    if (sequence.cursor >= 0 && sequence.cursor < static_cast<int>(sequence.tokens.size())) {
      const std::string label =
          token_label(model, sequence.tokens[static_cast<std::size_t>(sequence.cursor)]);
      texts.push_back(fmt::format("after t = {}, token {}", sequence.cursor, label));
      texts.push_back(fmt::format("after t = {}", sequence.cursor));
      texts.push_back(fmt::format("t = {}", sequence.cursor));
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
    // Where there is no number there is no choice.
    const bool known = std::isfinite(next.probabilities[static_cast<std::size_t>(now)]) &&
                       std::isfinite(next.unclamped[static_cast<std::size_t>(before)]);
    if (now != before && known) {
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
           fmt::format("How far the whole expectation is from that of the outlines ({}): the "
                       "Kullback-Leibler divergence from those probabilities to these. 0 is no "
                       "change.",
                       ghost_words(scene)));
    }
    if (one_row) second = row;
    if (!changes.empty() && second.width() > mark_width) {
      // A filled mark and words: the change must not hang on a colour alone.
      const Box whole = second;
      const Box mark = second.cut_left(painter.px(14));
      const ImVec2 c = mark.centre();
      const float r = painter.px(5);
      const ImVec2 corners[] = {{c.x - r, c.y + r}, {c.x, c.y - r}, {c.x + r, c.y + r}};
      painter.polygon(corners, palette.warning);
      second.cut_left(painter.px(4));
      painter.first_in(second, palette.warning, changes, Align::left, Weight::bold);
      hint(scene, whole,
           fmt::format("{} the most probable token is {}, here it is {}.",
                       reference_of(scene) ? "In the pinned state" : "Without clamps",
                       token_label(model, before), token_label(model, now)));
    }
    rest.cut_top(painter.px(2));
  }

  void bars(Scene& scene, Painter& painter, Box rest) {
    const NextToken& next = *next_;
    const float line = painter.line_height();
    const bool with_legend = rest.height() > 5 * line;
    const Box legend = with_legend ? rest.cut_bottom(line) : Box{};
    if (with_legend) rest.cut_bottom(painter.px(2));
    const bool with_axis = rest.height() > 7 * line;
    if (with_axis) rest.cut_bottom(line);

    const int vocabulary = static_cast<int>(next.probabilities.size());
    const int fitting =
        std::clamp(static_cast<int>(rest.height() / line), 1, std::min(kRows, vocabulary));
    const Listed listed = list(scene, rest, fitting);
    const BarColumns columns = columns_of(scene, painter, listed.tokens, rest.width());
    Box plot = rest;
    plot.cut_left(columns.label);
    plot.cut_right(columns.logit + columns.probability);
    const float height = std::min(rest.height() / static_cast<float>(fitting), painter.px(40));
    plot.max.y = std::min(plot.max.y, plot.min.y + height * static_cast<float>(fitting));
    for (const double tick : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      const float x = std::floor(plot.min.x + plot.width() * static_cast<float>(tick)) + 0.5f;
      painter.line({x, plot.min.y}, {x, plot.max.y}, {painter.palette().grid, 1.0f});
    }
    if (with_axis) axis(scene, painter, plot, rest.max.x, columns);
    const bool drawn_differs = !next.sampling.empty() && next.sampling != next.probabilities;
    std::vector<Follower> followers = followers_of(scene.snapshot);
    const auto room = static_cast<std::size_t>(marks_in(painter, height - painter.px(4)));
    const std::size_t left_out = followers.size() - std::min(followers.size(), room);
    followers.resize(followers.size() - left_out);
    rows(scene, painter, rest, plot, height, listed, columns, drawn_differs, followers);
    if (with_legend) {
      draw_bar_keys(scene, painter, legend, drawn_differs, !next.unclamped.empty(), followers,
                    left_out);
    }
  }

  /// The tokens that have a row.
  struct Listed {
    std::vector<int> tokens;
    bool appended = false;  ///< the last one is the right answer, out of its rank
  };

  Listed list(const Scene& scene, const Box& area, int fitting) {
    const NextToken& next = *next_;
    const int vocabulary = static_cast<int>(next.probabilities.size());
    if (area.contains(ImGui::GetIO().MousePos) && ImGui::IsWindowHovered()) {
      const float wheel = ImGui::GetIO().MouseWheel;
      if (wheel != 0.0f) first_ += wheel > 0.0f ? -1 : 1;
    }
    first_ = std::clamp(first_, 0, std::max(0, vocabulary - fitting));
    Listed listed{most_probable(next.probabilities, first_ + fitting), false};
    std::vector<int>& order = listed.tokens;
    order.erase(order.begin(), order.begin() + first_);
    const int expected = expected_next(scene.snapshot.sequence);
    // The right answer stays in sight, in the last row, however unlikely it is.
    if (expected >= 0 && expected < vocabulary && order.size() > 1 &&
        std::find(order.begin(), order.end(), expected) == order.end()) {
      order.back() = expected;
      listed.appended = true;
    }
    return listed;
  }

  BarColumns columns_of(const Scene& scene, const Painter& painter, const std::vector<int>& tokens,
                        float width) {
    const NextToken& next = *next_;
    const ModelCard* model = scene.snapshot.model.get();
    float labels = painter.px(24);
    for (const int token : tokens) {
      labels = std::max(labels, painter.measure(token_label(model, token), Weight::bold).x);
    }
    labels = std::min(labels, width * 0.3f) + painter.px(22);
    float probability = painter.measure("prob.").x, logit = painter.measure("logit").x;
    for (const int token : tokens) {
      const std::string p = short_number(value_of(next.probabilities, token));
      probability = std::max(probability, painter.measure(p, Weight::bold).x);
      logit = std::max(logit, painter.measure(short_number(value_of(next.logits, token))).x);
    }
    BarColumns columns{labels, probability + painter.px(10), logit + painter.px(10)};
    if (width < labels + columns.probability + columns.logit + painter.px(80)) {
      columns.logit = 0.0f;
    }
    // The number says more than a bar: it keeps its room longest, with the digits that fit.
    const float room = width - labels - painter.px(30);
    const float least = painter.measure("0.00", Weight::bold).x + painter.px(10);
    columns.probability = room < least ? 0.0f : std::min(columns.probability, room);
    return columns;
  }

  /// Numbers under the bars and names under the columns, which end at `right`.
  static void axis(const Scene& scene, Painter& painter, const Box& plot, float right,
                   const BarColumns& columns) {
    const Palette& palette = painter.palette();
    const float line = painter.line_height();
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
    Box heads{{plot.max.x, plot.max.y}, {right, plot.max.y + line}};
    const std::string logit_name[] = {"logit"}, probability_name[] = {"prob."};
    const Box logits = heads.cut_right(columns.logit);
    painter.first_in(logits, palette.muted_text, logit_name, Align::right);
    painter.first_in(heads, palette.muted_text, probability_name, Align::right);
    hint(scene, logits,
         "The model's raw score of each token; the probability is exp(logit) over the sum of all "
         "exp(logit).");
    hint(scene, heads, "The probability of each token, before anything is drawn.");
  }

  void rows(Scene& scene, Painter& painter, Box rest, const Box& plot, float height,
            const Listed& listed, const BarColumns& columns, bool drawn_differs,
            const std::vector<Follower>& followers) {
    const Palette& palette = painter.palette();
    bool any_hovered = false;
    const ImGuiID group = ImGui::GetID("bars");
    for (std::size_t i = 0; i < listed.tokens.size(); ++i) {
      const int token = listed.tokens[i];
      const Box row = rest.cut_top(height);
      ImGui::PushID(token);
      const Touch mouse = control(painter, "bar", row, {.arrows = Arrows::column, .group = group});
      ImGui::PopID();
      if (mouse.hovered)
        painter.fill(row, with_alpha(palette.control_hovered, 0.6f), painter.px(2));
      if (listed.appended && i + 1 == listed.tokens.size()) {
        painter.line(row.min, {row.max.x, row.min.y}, {palette.muted_text, 1.0f, Dash::dotted});
      }
      draw_token_bar(scene, *next_, painter, token, row, plot, columns, first_ == 0 && i == 0,
                     drawn_differs, followers);
      any_hovered |= mouse.hovered || mouse.chosen;
      if (mouse.hovered) {
        hovered_ = ValueRef{.path = kNextProbability,
                            .step = scene.snapshot.sequence.cursor,
                            .head = 0,
                            .unit = token};
      }
      if (mouse.pressed) press(scene, token);
      if (armed(scene, token)) ask(scene, painter, token, row);
      if (mouse.hovered) card(scene, token, armed(scene, token));
    }
    if (!any_hovered) armed_ = {};
  }

  /// Where later tokens would be lost, the first click only asks.
  void press(Scene& scene, int token) {
    if (later(scene.snapshot.sequence) == 0 || armed(scene, token)) {
      scene.send(command::TakeToken{token});
      armed_ = {};
    } else {
      armed_ = {token, scene.snapshot.sequence.cursor, scene.snapshot.sequence.tokens};
    }
  }

  /// How many tokens stand behind the cursor: taking another one drops them.
  static int later(const SequenceStatus& sequence) {
    return std::max(0, static_cast<int>(sequence.tokens.size()) - 1 - sequence.cursor);
  }

  bool armed(const Scene& scene, int token) const {
    return armed_.token == token && armed_.cursor == scene.snapshot.sequence.cursor &&
           armed_.tokens == scene.snapshot.sequence.tokens;
  }

  /// The question a first click asks, over its row.
  static void ask(const Scene& scene, Painter& painter, int token, const Box& row) {
    const Palette& palette = painter.palette();
    painter.fill(row, palette.control_hovered, painter.px(2));
    painter.outline(row, palette.accent, painter.line_width(), painter.px(2));
    const std::string label = token_label(scene.snapshot.model.get(), token);
    const std::string drops = dropped(later(scene.snapshot.sequence));
    const std::string texts[] = {
        fmt::format("take {}: drops {} · press again", label, drops),
        fmt::format("take {}, drop {}: press again", label, later(scene.snapshot.sequence)),
        fmt::format("drops {} · press again", drops), "press again", "again?"};
    painter.first_in(row.inset(painter.px(6), 0), palette.text, texts, Align::left, Weight::bold);
  }

  static std::string dropped(int count) {
    return count == 1 ? "1 later token" : fmt::format("{} later tokens", count);
  }

  void card(const Scene& scene, int token, bool asking) const {
    const NextToken& next = *next_;
    const SequenceStatus& sequence = scene.snapshot.sequence;
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
                       drawn_how(sequence.sampler))});
    }
    if (!next.unclamped.empty()) {
      lines.push_back({ghost_words(scene) + ": " + short_number(value_of(next.unclamped, token))});
    }
    for (const Follower& follower : followers_of(scene.snapshot)) {
      if (!follower.probabilities) continue;
      lines.push_back({fmt::format("{}: {}", follower.name,
                                   short_number(value_of(*follower.probabilities, token)))});
    }
    if (token == expected_next(sequence)) lines.push_back({"the right answer"});
    const int lost = later(sequence);
    lines.push_back({lost == 0 ? std::string("click: go on with this token")
                     : asking  ? fmt::format("press again: take it and drop {}", dropped(lost))
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
  std::shared_ptr<const NextToken> next_;  ///< of these:
  std::shared_ptr<const NextToken> made_of_;
  std::shared_ptr<const Snapshot> made_beside_;
  int first_ = 0;  ///< rank of the first bar
  bool settings_open_ = false;
  Hover hover_;
  std::optional<ValueRef> hovered_;  ///< of this frame
};

Table NextView::table(const Scene& scene) const {
  if (series_of(scene.snapshot)) return fan_table(scene.snapshot);
  Table table;
  table.columns = {"rank",
                   "token",
                   "label",
                   "probability",
                   "logit",
                   "drawn from",
                   "probability " + ghost_words(scene),
                   "expected"};
  const std::vector<Follower> followers = followers_of(scene.snapshot);
  for (const Follower& follower : followers)
    table.columns.push_back("probability, " + follower.name);
  if (!scene.snapshot.next) return table;
  const std::shared_ptr<const NextToken> beside = next_beside_ghost(scene);
  const NextToken& next = *beside;
  const int expected = expected_next(scene.snapshot.sequence);
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
    for (const Follower& follower : followers)
      table.rows.back().push_back(
          follower.probabilities ? full_number(value_of(*follower.probabilities, token)) : "");
  }
  return table;
}

}  // namespace

std::unique_ptr<View> make_next_view() {
  return std::make_unique<NextView>();
}

}  // namespace xlab::ui
