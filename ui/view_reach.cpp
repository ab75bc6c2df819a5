// How far back the gradient of one step reaches: through the memory of a block to its states, and
// from what its cell puts out to what it reads.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/reach_curves.hpp"
#include "ui/block_chooser.hpp"
#include "ui/ground.hpp"
#include "ui/number.hpp"
#include "ui/reach_lanes.hpp"
#include "ui/reach_table.hpp"
#include "ui/time_axis.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

/// Of weights that train: so many seconds at least between two of them.
constexpr double kPatience = 0.5;
constexpr float kRightOfColumns = 9.0f;  ///< logical pixels right of the columns
constexpr const char* kWhat =
    "How much the loss at the time cursor would change with what this block held and read at every "
    "step before, by the backward pass through the whole model.";

class ReachView : public View {
 public:
  std::string name() const override { return "reach"; }
  std::string title() const override { return "Gradient reach"; }
  std::string neighbour() const override { return "loss"; }
  ImVec2 minimum_size() const override { return {320, 220}; }
  Table table(const Scene& scene) const override { return reach_table(scene); }
  std::string kept() const override { return follows_ ? "follow" : "ask"; }
  void restore(const std::string& kept) override {
    if (kept == "follow" || kept == "ask") follows_ = kept == "follow";
  }

  std::optional<Command> wants(const Snapshot& snapshot, const Focus& focus) const override {
    const BlockCard* block = focused_block(snapshot, focus);
    if (!block || snapshot.reach || snapshot.sequence.cursor < 0) return {};
    // What takes long is for a person to ask for.
    constexpr double kMostUnasked = 2e7;
    const double numbers = static_cast<double>(block->state_numbers()) *
                           static_cast<double>(snapshot.sequence.cursor + 1);
    if (numbers > kMostUnasked) return {};
    const int last = static_cast<int>(snapshot.model->blocks.size()) - 1;
    return command::ComputeReach{std::clamp(focus.block, 0, last), focused_head(*block, focus)};
  }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "reach", size);
    Painter painter(scene);
    hovered_.reset();
    card_.begin(false);
    pointed_ = std::exchange(next_pointed_, -1);
    if (panel.usable())
      contents(scene, painter, panel.content().inset(painter.px(8), painter.px(6)));
    hover_.set(scene.focus, hovered_);
    card_.draw(scene);
  }

 private:
  void contents(Scene& scene, Painter& painter, Box rest) {
    if (!focused_block(scene.snapshot, scene.focus)) {
      say_no_run(painter, rest, "see how far back its gradient reaches");
      return;
    }
    const float control = painter.line_height() + painter.px(4);
    controls(scene, painter, rest.cut_top(control));
    rest.cut_top(painter.px(4));
    const Snapshot& snapshot = scene.snapshot;
    const BlockCard& block = *focused_block(snapshot, scene.focus);
    const int number = block_in_focus(scene), head = focused_head(block, scene.focus);
    if (snapshot.sequence.cursor < 0 || snapshot.sequence.tokens.empty()) {
      say(painter, rest,
          "There are no tokens to go back along. Write a prompt or take a new sample.");
      return;
    }
    follow(scene, number, head);
    const ReachReport* report = snapshot.reach.get();
    if (const std::string why = why_nothing(snapshot, report, number, head); !why.empty()) {
      say(painter, rest, why);
      return;
    }
    shown_.use(snapshot.reach, head);
    draw_report(scene, painter, rest, block, number, head);
  }

  /// Why there is nothing to draw, as a sentence; empty where there is.
  static std::string why_nothing(const Snapshot& snapshot, const ReachReport* report, int number,
                                 int head) {
    if (!report)
      return snapshot.reach_running ? "Computing…"
                                    : std::string(kWhat) + " Press Compute to see it.";
    // What was said of something else is no reason.
    const std::vector<std::string> differ =
        reach_differences(*report, snapshot, number, head, false);
    if (!report->failure.empty())
      return differ.empty()           ? report->failure
             : snapshot.reach_running ? "Computing…"
                                      : std::string(kWhat) + " Press Compute to see it.";
    const bool other = report->run_id != snapshot.run_id || report->block != number ||
                       std::ranges::find(differ, "other tokens") != differ.end();
    if (!other) return {};
    if (snapshot.reach_running) return "Computing…";
    return fmt::format("What was computed last is of {}. Press Compute to see it of block {}.",
                       joined(differ), number);
  }
  static std::string joined(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
    return all;
  }

  void controls(Scene& scene, Painter& painter, Box row) {
    const Snapshot& snapshot = scene.snapshot;
    if (!painter.exporting()) {
      const std::string words[] = {snapshot.reach_running ? "Computing…" : "Compute"};
      const std::string follow_words[] = {"follow the cursor", "follow"};
      const float pad = painter.px(18), least = painter.px(150);
      const float button = painter.measure("Computing…").x + pad;
      if (row.width() > button + least) {
        const Box box = row.cut_right(button);
        if (button_at(painter, "compute", box, words[0], !snapshot.reach_running)) ask(scene);
        card_.explain(box, {{kWhat},
                            {"On a copy of the weights, beside everything else; training and the "
                             "sequence go on."}});
        row.cut_right(painter.px(8));
      }
      const float tick = painter.px(24);
      for (const std::string& word : follow_words) {
        const float width = painter.measure(word).x + tick;
        if (row.width() < width + least) continue;
        const Box box = row.cut_right(width);
        if (check_at(painter, "follow", box, word, follows_)) follows_ = !follows_;
        card_.explain(box, {{"Computes it again while it is shown, whenever the cursor, the block, "
                             "the head or the weights have changed; while training twice a "
                             "second at most."}});
        row.cut_right(painter.px(8));
        break;
      }
    }
    choose_block_and_head(scene, painter, row,
                          "Which head's curve is drawn strong, and whose output is asked about.",
                          card_);
  }

  void ask(Scene& scene) {
    const BlockCard& block = *focused_block(scene.snapshot, scene.focus);
    const Asked now{scene.snapshot.id, block_in_focus(scene), focused_head(block, scene.focus)};
    asked_ = now;
    asked_at_ = ImGui::GetTime();
    scene.send(command::ComputeReach{now.block, now.head});
  }

  /// Asks again where what is known is of something else, once for each snapshot that says so.
  void follow(Scene& scene, int number, int head) {
    const Snapshot& snapshot = scene.snapshot;
    if (!follows_ || scene.exporting || snapshot.reach_running) return;
    if (asked_ == Asked{snapshot.id, number, head}) return;
    if (snapshot.reach) {
      if (reach_differences(*snapshot.reach, snapshot, number, head).empty()) return;
      const bool weights =
          reach_differences(*snapshot.reach, snapshot, number, head, false).empty();
      if (weights && ImGui::GetTime() - asked_at_ < kPatience) return;
    }
    ask(scene);
  }

  /// "loss at T = 23: −log p(k) = 1.23 nats, k is the answer that is asked for".
  static std::vector<std::string> loss_words(const Snapshot& snapshot, const ReachReport& report) {
    const std::string token = token_label(snapshot.model.get(), report.target);
    const char* const what = report.target_is == ReachTarget::answer ? "the answer asked for"
                             : report.target_is == ReachTarget::next ? "the token that follows"
                                                                     : "the model's own choice";
    const std::string number = std::isfinite(report.loss) ? short_number(report.loss) : "no number";
    return {fmt::format("loss at T = {}: −log p({}) = {} nats; {} is {}", report.step, token,
                        number, token, what),
            fmt::format("T = {}: −log p({}) = {} nats, {}", report.step, token, number, what),
            fmt::format("T = {}: −log p({}) = {}", report.step, token, number),
            fmt::format("T = {}", report.step)};
  }

  /// What it is of, where that is not what is on screen; else what it was computed in.
  static std::string state_words(const Snapshot& snapshot, const ReachReport& report, int number,
                                 int head) {
    const std::vector<std::string> differ = reach_differences(report, snapshot, number, head);
    if (differ.empty()) return fmt::format("in {}", report.computed_in);
    return "it is of " + joined(differ);
  }

  void draw_report(Scene& scene, Painter& painter, Box rest, const BlockCard& block, int number,
                   int head) {
    const ReachReport& report = *scene.snapshot.reach;
    const float line = painter.line_height();
    status_row(scene, painter, rest.cut_top(line + painter.px(4)), number, head);
    const Box axis_row = rest.cut_bottom(std::min(2 * line + painter.px(2), rest.height() / 3));
    rest.cut_bottom(painter.px(3));
    const std::vector<std::string> sayings = words_below(report);
    float below = 0.0f;
    for (const std::string& words : sayings)
      below += painter.paragraph({0, 0}, rest.width(), 0, words, Weight::regular, false);
    Box footer;
    if (rest.height() > below + 9 * line) {
      footer = rest.cut_bottom(below + painter.px(2));
      rest.cut_bottom(painter.px(4));
    }
    arrange(scene, painter, rest);
    ReachFrame frame{scene,    block,         shown_,   window_, gutter_,
                     pointed_, next_pointed_, hovered_, card_,   drag_};
    lanes(frame, painter, rest);
    for (const std::string& words : sayings) {
      if (footer.empty()) break;
      footer.cut_top(
          painter.paragraph(footer.min, footer.width(), painter.palette().muted_text, words));
    }
    axis_.draw(scene, painter, axis_row, gutter_, window_, std::nullopt, card_);
  }

  void status_row(const Scene& scene, Painter& painter, Box row, int number, int head) {
    const Palette& palette = painter.palette();
    const ReachReport& report = *scene.snapshot.reach;
    // Weights that train are always a little older: that is no reason to warn while it follows.
    const bool current = reach_differences(report, scene.snapshot, number, head, !follows_).empty();
    const std::string state = scene.snapshot.reach_running && !current
                                  ? "computing…"
                                  : state_words(scene.snapshot, report, number, head);
    const float width = painter.measure(state).x + painter.px(4);
    const std::vector<std::string> losses = loss_words(scene.snapshot, report);
    if (width + painter.measure(losses.back()).x + painter.px(12) < row.width()) {
      const Box box = row.cut_right(width);
      painter.text_in(
          box, current || scene.snapshot.reach_running ? palette.muted_text : palette.warning,
          state, Align::right);
      row.cut_right(painter.px(12));
    }
    painter.text_in(row, palette.text, painter.fit_first(losses, row.width()));
  }

  void lanes(ReachFrame& frame, Painter& painter, Box rest) {
    const float line = painter.line_height();
    const bool keys = rest.height() > 9 * line;
    const bool two = rest.height() > 7 * line;
    Box lower = two ? rest.cut_bottom(rest.height() * 0.36f) : Box{};
    if (rest.height() > 3 * line)
      draw_reach_title(frame, painter, rest.cut_top(reach_title_height(painter, keys)));
    const auto plot = [&](Box box) {
      box.cut_left(gutter_);
      box.max.x =
          std::min(box.max.x - painter.px(kRightOfColumns),
                   box.min.x + window_.column_width() * static_cast<float>(window_.count()));
      return box;
    };
    const Box upper = plot(rest);
    draw_reach_memory(frame, painter, upper);
    if (!shown_.has_end() && shown_.not_numbers() == 0 && upper.height() > line)
      painter.text_in(
          upper, painter.palette().text,
          fmt::format("exactly 0 at T: the loss does not depend on head {}", frame.head()),
          Align::centre);
    if (!two) return;
    lower.cut_top(painter.px(6));
    draw_input_title(frame, painter, lower.cut_top(reach_title_height(painter, false)));
    draw_reach_input(frame, painter, plot(lower));
  }

  /// "half is left after 3.2 tokens", or what is so where that is no number of them.
  static std::string half_words(double tokens) {
    if (std::isnan(tokens)) return "no number is known";
    if (std::isinf(tokens)) return "more than half is left at every token";
    const std::string count = short_number(tokens);
    return fmt::format("half is left after {} token{}", count, count == "1" ? "" : "s");
  }

  /// Sentences below the pictures.
  std::vector<std::string> words_below(const ReachReport& report) const {
    std::vector<std::string> sayings;
    if (report.step == 0) return {"There is no step before T."};
    if (shown_.has_end())
      sayings.push_back(
          fmt::format("Going back from T, of the gradient {}; through the memory alone {}.",
                      half_words(shown_.half_memory()), half_words(shown_.half_alone())));
    sayings.emplace_back(
        shown_.has_end() && shown_.furthest_apart() < 1e-6
            ? "The solid line lies on the dashed one: the gradient travels through the memory "
              "alone."
            : "Where the solid line lies on the dashed one the gradient travels through the memory "
              "alone; elsewhere other ways add to it.");
    std::string marks;
    const auto add = [&](int count, const char* what) {
      if (count > 0)
        marks += fmt::format("{}{} at {} of {} steps", marks.empty() ? "" : "; ", what, count,
                             report.step + 1);
    };
    add(shown_.zeros(), "exactly 0 (not drawn)");
    add(shown_.below(), "below 10⁻³⁰ (under the picture)");
    add(shown_.not_numbers(), "no number (magenta)");
    if (!marks.empty()) sayings.push_back(marks + ".");
    const auto any = [&](bool sets) {
      return std::ranges::any_of(report.clamps, [&](const Clamp& clamp) {
        return clamp.begin <= report.step && (clamp.change == Change::set) == sets;
      });
    };
    if (any(true))
      sayings.emplace_back("What is held by hand is held here too, and passes no gradient.");
    if (any(false))
      sayings.emplace_back(
          "What is added or multiplied by hand is so here too: the gradient passes, times what is "
          "multiplied with.");
    return sayings;
  }

  /// Which steps are visible, and the room for numbers left of them.
  void arrange(const Scene& scene, const Painter& painter, const Box& room) {
    const auto length = static_cast<int>(scene.snapshot.sequence.tokens.size());
    const float numbers =
        std::max({axis_margin(painter, room.height() * 0.6f, shown_.axis()),
                  axis_margin(painter, room.height() * 0.3f, shown_.input_axis()), painter.px(44)});
    gutter_ = std::min(std::ceil(numbers / painter.px(6)) * painter.px(6), room.width() * 0.4f);
    Box columns = room;
    columns.cut_left(gutter_);
    columns.cut_right(painter.px(kRightOfColumns));
    window_.update(length, scene.snapshot.sequence.cursor, columns,
                   std::max(painter.px(9), axis_.letter_width(scene, painter)), painter.px(120));
  }

  /// What was asked last, by following, and of which snapshot.
  struct Asked {
    std::uint64_t snapshot = 0;
    int block = -1, head = -1;
    bool operator==(const Asked&) const = default;
  };

  bool follows_ = false;  ///< without a hand a view asks for nothing
  std::optional<Asked> asked_;
  double asked_at_ = -1e9;
  ReachShown shown_;
  TimeWindow window_;
  TimeAxis axis_;
  CursorDrag drag_;
  Hover hover_;
  HoverCard card_;
  std::optional<ValueRef> hovered_;
  float gutter_ = 0.0f;
  int pointed_ = -1, next_pointed_ = -1;
};

}  // namespace

std::unique_ptr<View> make_reach_view() {
  return std::make_unique<ReachView>();
}

}  // namespace xlab::ui
