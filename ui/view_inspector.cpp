// One value in words, as an equation, and as that equation with its numbers.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/equations/variant_words.hpp"
#include "ui/equation.hpp"
#include "ui/ground.hpp"
#include "ui/inspected.hpp"
#include "ui/inspector_frame.hpp"
#include "ui/inspector_parts.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

/// What is looked up of a value stays until another one is asked for, or the numbers change.
class KeptInspected {
 public:
  const Inspected& at(const Snapshot& snapshot, const ValueRef& ref) {
    const bool same = ref_ == ref && model_ == snapshot.model && trace_ == snapshot.trace &&
                      memory_ == snapshot.memory && next_ == snapshot.next &&
                      followers_ == snapshot.followers && cursor_ == snapshot.sequence.cursor &&
                      expected_ == snapshot.sequence.expected;
    if (same) return inspected_;
    ref_ = ref;
    model_ = snapshot.model;
    trace_ = snapshot.trace;
    memory_ = snapshot.memory;
    next_ = snapshot.next;
    followers_ = snapshot.followers;
    cursor_ = snapshot.sequence.cursor;
    expected_ = snapshot.sequence.expected;
    inspected_ = inspect(snapshot, ref);
    return inspected_;
  }

 private:
  std::optional<ValueRef> ref_;
  std::shared_ptr<const ModelCard> model_;
  std::shared_ptr<const Trace> trace_;
  std::shared_ptr<const MemoryImage> memory_;
  std::shared_ptr<const NextToken> next_;
  std::vector<std::shared_ptr<const FollowerView>> followers_;
  int cursor_ = -1;
  std::vector<int> expected_;
  Inspected inspected_;
};

class InspectorView : public View {
 public:
  std::string name() const override { return "inspector"; }
  std::string title() const override { return "Inspector"; }
  ImVec2 minimum_size() const override { return {220, 140}; }

  std::string kept() const override {
    return std::string(kInspectorLevels[static_cast<std::size_t>(level_)]);
  }
  void restore(const std::string& kept) override {
    const auto found = std::find(kInspectorLevels.begin(), kInspectorLevels.end(), kept);
    if (found != kInspectorLevels.end())
      level_ = static_cast<InspectorLevel>(found - kInspectorLevels.begin());
  }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "inspector", size, true);
    Painter painter(scene);
    std::optional<ValueRef> hovered;
    drop_what_is_gone(scene);
    if (panel.usable()) {
      const float pad = painter.px(8);
      Box column = panel.content();
      column.min.x += pad;
      column.max.x -= pad;
      column.min.y += painter.px(6);
      column.max.y = std::numeric_limits<float>::max() / 4;  // it scrolls: there is always room
      if (!scene.snapshot.model) {
        say_no_run(painter, panel.content(), "look into it");
      } else {
        contents(scene, painter, column, hovered);
        ImGui::SetCursorScreenPos({column.min.x, column.min.y});
        ImGui::Dummy({1.0f, painter.px(4)});
      }
    }
    hover_.set(scene.focus, hovered);
  }

  Table table(const Scene& scene) const override;

 private:
  void contents(Scene& scene, Painter& painter, Box& column, std::optional<ValueRef>& hovered) {
    choose_level(painter, column);
    const bool following = !hover_.active() && !scene.focus.hovered;
    const std::optional<ValueRef> subject = this->subject(scene);
    const Palette& palette = painter.palette();
    static const Inspected nothing;
    InspectorFrame frame{scene,   painter, column, subject ? *subject : ValueRef{},
                         nothing, level_,  hovered};
    if (!subject) {
      frame.paragraph(palette.muted_text,
                      "Point at a value in another view: here stands what it means, its equation, "
                      "and the equation with its numbers. Click a value to keep it.");
      column = frame.column;
      return;
    }
    scene.focus.inspected = subject;
    if (following && !scene.focus.pinned) {
      frame.paragraph(palette.muted_text,
                      "Point at a value in another view to read it here; click it to keep it. "
                      "The last one was:");
    }
    InspectorFrame of_value{
        scene,  painter, frame.column, *subject, inspected_.at(scene.snapshot, *subject),
        level_, hovered};
    card(of_value);
    column = of_value.column;
  }

  /// A picture to keep shows what was chosen by what it shows.
  void choose_level(Painter& painter, Box& column) {
    if (painter.exporting()) return;
    static const std::vector<std::string> labels{"All", "Words", "Equation", "Numbers"};
    Box row = column.cut_top(painter.line_height() + painter.px(6));
    level_ = static_cast<InspectorLevel>(
        choose_at(painter, "level", row, labels, static_cast<int>(level_)));
    column.cut_top(painter.px(5));
  }

  /// A pin on a value that another run has never had goes with the run it was made in.
  void drop_what_is_gone(Scene& scene) {
    const Snapshot& snapshot = scene.snapshot;
    if (run_ && *run_ != snapshot.run_id) moved_ = true;
    run_ = snapshot.run_id;
    if (!moved_ || !snapshot.trace || snapshot.trace->length() == 0) return;
    moved_ = false;
    const std::optional<ValueRef>& pinned = scene.focus.pinned;
    const int steps = static_cast<int>(snapshot.sequence.tokens.size());
    if (pinned && (pinned->step >= steps || !block_of(snapshot, *pinned) ||
                   (pinned->step < snapshot.trace->length() && !has_number(snapshot, *pinned)))) {
      scene.focus.pinned.reset();
    }
  }

  /// Hovered elsewhere, else pinned, else the last one. While the mouse is on an input listed here,
  /// the card it belongs to stays.
  std::optional<ValueRef> subject(const Scene& scene) const {
    const std::optional<ValueRef>& last = scene.focus.inspected;
    if (hover_.active() && last) return last;
    if (scene.focus.hovered) return scene.focus.hovered;
    if (scene.focus.pinned) return scene.focus.pinned;
    // What was pointed at last may belong to a sequence or a model that is gone.
    return last && has_number(scene.snapshot, *last) ? last : std::nullopt;
  }

  /// The card of a probability of the next token, which is no value of a block.
  static void probability(InspectorFrame& frame) {
    const Palette& palette = frame.painter.palette();
    if (!frame.inspected.next) return;
    const NextCard& card = *frame.inspected.next;
    frame.paragraph(palette.text, card.symbol + "   " + card.title, Weight::bold);
    frame.paragraph(palette.muted_text, card.place);
    if (frame.shows(InspectorLevel::words)) frame.paragraph(palette.text, card.words);
    if (frame.shows(InspectorLevel::equation)) frame.plate(card.equation, false);
    if (frame.shows(InspectorLevel::numbers)) frame.plate(card.with_numbers, true);
    for (const NextCard::Row& entry : card.rows) {
      // The number itself is said at every level.
      if (!frame.shows(InspectorLevel::numbers) && entry.label != "recorded") continue;
      frame.row(entry.label, entry.text, entry.wrong ? palette.warning : palette.text);
    }
    frame.column.cut_top(frame.painter.px(4));
    draw_inspected_buttons(frame);
  }

  /// The symbol first, and the title beside it or, where that is too narrow, below it.
  static void heading(InspectorFrame& frame) {
    Painter& painter = frame.painter;
    const Palette& palette = painter.palette();
    const ValueCard* card = frame.inspected.card;
    const bool pinned = frame.scene.focus.pinned == frame.ref;
    Box head = frame.column.cut_top(painter.line_height() + painter.px(4));
    if (pinned) {
      const std::string word = "unpin";
      if (button_at(painter, "unpin", head.cut_right(painter.measure(word).x + painter.px(16)),
                    word)) {
        frame.scene.focus.pinned.reset();
      }
      head.cut_right(painter.px(6));
    }
    const std::string symbol = card ? card->symbol : value_name(frame.ref.path);
    const std::string whole = card ? symbol + "   " + card->title : symbol;
    const bool beside = painter.measure(whole, Weight::bold).x <= head.width();
    painter.text_in(head, palette.text, beside ? whole : symbol, Align::left, Weight::bold);
    if (!beside && card) frame.paragraph(palette.text, card->title, Weight::bold);
    frame.paragraph(palette.muted_text,
                    place_of(frame.scene.snapshot, frame.ref) + (pinned ? " · pinned" : ""));
  }

  static void card(InspectorFrame& frame) {
    if (frame.ref.path == kNextProbability) return probability(frame);
    const Palette& palette = frame.painter.palette();
    const Inspected& inspected = frame.inspected;
    heading(frame);
    if (!inspected.card) {
      frame.paragraph(palette.text, "There is no explanation for " + frame.ref.path + ".");
      return;
    }
    const ValueCard& card = *inspected.card;
    if (frame.shows(InspectorLevel::words)) frame.paragraph(palette.text, card.words);
    if (frame.shows(InspectorLevel::equation)) frame.plate(card.equation, false);
    const bool numbers = frame.shows(InspectorLevel::numbers);
    if (numbers && !inspected.live.text.empty()) frame.plate(inspected.live.text, true);
    if (!inspected.value) {
      frame.paragraph(palette.muted_text, why_missing(frame.scene.snapshot, frame.ref));
    } else if (numbers) {
      draw_inspected_numbers(frame);
    } else {
      frame.row(card.recorded ? "recorded" : "value", short_number(*inspected.value), palette.text);
      frame.column.cut_top(frame.painter.px(4));
    }
    if (frame.level == InspectorLevel::equation) draw_inspected_symbols(frame);
    if (numbers) draw_inspected_inputs(frame);
    if (frame.level == InspectorLevel::words) computed_from(frame);
    draw_inspected_buttons(frame);
    if (frame.shows(InspectorLevel::equation) && inspected.block)
      frame.paragraph(palette.muted_text, variant_words(*inspected.block) + ".");
    frame.paragraph(palette.muted_text, frame.ref.path);
  }

  /// What the value comes from, in words.
  static void computed_from(InspectorFrame& frame) {
    std::string names;
    for (const EquationInput& input : frame.inspected.inputs)
      names += (names.empty() ? "" : "; ") + input.title;
    if (names.empty()) return;
    frame.paragraph(frame.painter.palette().text, "Computed from: " + names + ".");
  }

  std::optional<std::uint64_t> run_;  ///< the run drawn last
  bool moved_ = false;                ///< to another run, whose values have not been looked at yet
  InspectorLevel level_ = InspectorLevel::all;
  KeptInspected inspected_;
  Hover hover_;
};

Table InspectorView::table(const Scene& scene) const {
  Table table;
  table.columns = {"what", "value"};
  const auto ref = subject(scene);
  if (!ref) return table;
  const Snapshot& snapshot = scene.snapshot;
  const Inspected inspected = inspect(snapshot, *ref);
  const auto add = [&](std::string what, std::string value) {
    table.rows.push_back({std::move(what), std::move(value)});
  };
  add("path", ref->path);
  add("place", inspected.next ? inspected.next->place : place_of(snapshot, *ref));
  if (inspected.value) add("value", full_number(*inspected.value));
  if (const auto& next = inspected.next) {
    add("symbol", next->symbol);
    add("title", next->title);
    add("meaning", next->words);
    add("equation", next->equation);
    add("with numbers", next->with_numbers);
    for (const NextCard::Row& row : next->rows) add(row.label, row.text);
    return table;
  }
  if (!inspected.card) return table;
  const ValueCard& card = *inspected.card;
  add("symbol", card.symbol);
  add("title", card.title);
  add("meaning", card.words);
  add("equation", card.equation);
  if (!inspected.live.text.empty()) add("with numbers", inspected.live.text);
  if (inspected.live.complete) add("evaluated", full_number(inspected.live.evaluated));
  add("range", card.range);
  if (inspected.block) add("variant", variant_words(*inspected.block));
  for (const EquationInput& input : inspected.inputs) {
    std::string numbers;
    for (const double number : input.numbers) {
      if (!numbers.empty()) numbers += ' ';
      numbers += full_number(static_cast<float>(number));
    }
    add("input " + input.name + (input.before ? "@-1" : ""), numbers);
  }
  return table;
}

}  // namespace

std::unique_ptr<View> make_inspector_view() {
  return std::make_unique<InspectorView>();
}

}  // namespace xlab::ui
