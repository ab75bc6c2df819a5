// One value in words, as an equation, and as that equation with its numbers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/analysis/activity.hpp"
#include "core/live_equation.hpp"
#include "ui/equation.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/next_token.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

bool is_matrix(const ValueCard* card) {
  return card && card->extent == Extent::key_by_value;
}

const BlockCard* block_of(const Snapshot& snapshot, const ValueRef& ref) {
  return snapshot.model ? snapshot.model->block_at(ref.path) : nullptr;
}

const ValueCard* card_of(const Snapshot& snapshot, const ValueRef& ref) {
  if (ref.path == kResidualNorm) return &residual_card();
  return snapshot.model ? snapshot.model->value_at(ref.path) : nullptr;
}

/// The equation of a value with its numbers; empty when there is none.
LiveEquation live_at(const Snapshot& snapshot, const ValueRef& ref) {
  const BlockCard* block = block_of(snapshot, ref);
  if (!snapshot.trace || !block) return {};
  return live_equation(*snapshot.trace, *block, ref.path, ref.step, ref.head, ref.unit);
}

/// One value the subject is computed from.
struct Input {
  ValueRef ref;
  std::string symbol, title;
  std::vector<float> numbers;  ///< one, or all of the head when the subject takes the whole vector
  bool in_matrix = false;      ///< the numbers stand in the matrix memory alone
};

/// Where an input of the subject stands: its step, and which of its numbers counts.
Input input_of(const Snapshot& snapshot, const ValueRef& subject, std::string name) {
  Input input;
  const ValueCard* of = card_of(snapshot, subject);
  input.ref = subject;
  const bool before = name.size() > 3 && name.ends_with("@-1");
  if (before) name.resize(name.size() - 3);
  if (before) --input.ref.step;
  input.ref.path = value_prefix(subject.path) + "/" + name;
  const ValueCard* card = card_of(snapshot, input.ref);
  input.symbol = card ? card->symbol : name;
  input.title = card ? card->title : "";
  if (before) input.title += ", one step before";

  const BlockCard* block = block_of(snapshot, subject);
  const int values = block ? std::max(block->value_dim, 1) : 1;
  const bool of_matrix = is_matrix(of);
  if (of_matrix && card && card->extent == Extent::key) input.ref.unit = subject.unit / values;
  if (of_matrix && card && card->extent == Extent::value) input.ref.unit = subject.unit % values;
  const Trace* trace = snapshot.trace.get();
  if (!trace) return input;
  if (before && subject.step == 0) {
    // States start at zero; that is known without a recording.
    input.numbers = {0.0f};
    return input;
  }
  if (is_matrix(card)) {
    // A read-out takes a whole column of C; only the cell of C itself is one number.
    input.in_matrix = true;
    if (!of_matrix) return input;
    const LiveEquation live = live_at(snapshot, input.ref);
    if (live.complete) input.numbers = {static_cast<float>(live.value)};
    return input;
  }
  const Recorded* r = trace->find(input.ref.step, input.ref.path);
  if (!r) return input;
  // What has no keys itself sums over all of them.
  const bool whole =
      of && card && card->extent == Extent::key && of->extent != Extent::key && !of_matrix;
  if (r->dim == 1 || whole) input.ref.unit = 0;
  const float* number = number_at(trace, input.ref);
  if (number) input.numbers.assign(number, number + (whole ? r->dim : 1));
  return input;
}

class InspectorView : public View {
 public:
  std::string name() const override { return "inspector"; }
  std::string title() const override { return "Inspector"; }
  ImVec2 minimum_size() const override { return {220, 140}; }

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
        const bool following = !hover_.active() && !scene.focus.hovered;
        if (const auto subject = this->subject(scene)) {
          last_ = subject;
          if (following && !scene.focus.pinned) {
            paragraph(painter, column, painter.palette().muted_text,
                      "Point at a value in another view to read it here; click it to keep it. "
                      "The last one was:");
          }
          card(scene, painter, column, *subject, hovered);
        } else {
          paragraph(painter, column, painter.palette().muted_text,
                    "Point at a value in another view: here stands what it means, its equation, "
                    "and the equation with its numbers. Click a value to keep it.");
        }
        ImGui::SetCursorScreenPos({column.min.x, column.min.y});
        ImGui::Dummy({1.0f, painter.px(4)});
      }
    }
    hover_.set(scene.focus, hovered);
  }

  Table table(const Scene& scene) const override;

 private:
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
                   (pinned->step < snapshot.trace->length() && !value_of(snapshot, *pinned)))) {
      scene.focus.pinned.reset();
    }
  }

  /// Hovered elsewhere, else pinned, else the last one. While the mouse is on an input listed here,
  /// the card it belongs to stays.
  std::optional<ValueRef> subject(const Scene& scene) const {
    if (hover_.active() && last_) return last_;
    if (scene.focus.hovered) return scene.focus.hovered;
    if (scene.focus.pinned) return scene.focus.pinned;
    // What was pointed at last may belong to a sequence or a model that is gone.
    return last_ && value_of(scene.snapshot, *last_) ? last_ : std::nullopt;
  }

  static void paragraph(Painter& painter, Box& column, ImU32 colour, std::string_view text,
                        Weight weight = Weight::regular) {
    const float height = painter.paragraph(column.min, column.width(), colour, text, weight);
    column.min.y += height + painter.px(5);
  }

  /// Text on a plate of its own: equations.
  static void plate(Painter& painter, Box& column, std::string_view text, bool strong) {
    const float pad = painter.px(6);
    const float width = column.width() - 2 * pad;
    const float height = painter.paragraph({0, 0}, width, 0, text, Weight::regular, false) + pad;
    const Box box{column.min, {column.max.x, column.min.y + height}};
    painter.fill(box, painter.palette().control, painter.px(4));
    painter.paragraph({box.min.x + pad, box.min.y + pad / 2}, width,
                      strong ? painter.palette().text : painter.palette().muted_text, text);
    column.min.y += height + painter.px(5);
  }

  static std::string place_of(const Snapshot& snapshot, const ValueRef& ref) {
    std::string text = fmt::format("t = {}, head {}", ref.step, ref.head);
    const BlockCard* block = block_of(snapshot, ref);
    const Recorded* r = snapshot.trace ? snapshot.trace->find(ref.step, ref.path) : nullptr;
    if (is_matrix(card_of(snapshot, ref)) && block && block->value_dim > 0) {
      text += fmt::format(", key {}, value {}", ref.unit / block->value_dim,
                          ref.unit % block->value_dim);
    } else if (r && r->dim > 1) {
      text += fmt::format(", unit {}", ref.unit);
    }
    const auto& tokens = snapshot.sequence.tokens;
    if (ref.step >= 0 && ref.step < static_cast<int>(tokens.size())) {
      text += ", token " +
              token_label(snapshot.model.get(), tokens[static_cast<std::size_t>(ref.step)]);
    }
    return text;
  }

  /// The number itself, when there is one.
  static std::optional<float> value_of(const Snapshot& snapshot, const ValueRef& ref) {
    if (ref.path == kNextProbability) return next_probability(snapshot, ref);
    if (!snapshot.trace) return std::nullopt;
    const ValueCard* card = card_of(snapshot, ref);
    if (card && !card->recorded) {
      // The matrix at the cursor is in the snapshot; elsewhere it is replayed from the writes.
      const MemoryImage* image = snapshot.memory.get();
      const BlockCard* block = block_of(snapshot, ref);
      const bool remembered = card->name == block->values->memory.state;
      if (remembered && image && image->step == ref.step && image->block >= 0 &&
          image->block < static_cast<int>(snapshot.model->blocks.size()) &&
          &snapshot.model->blocks[static_cast<std::size_t>(image->block)] == block) {
        const std::size_t i = static_cast<std::size_t>(ref.head) *
                                  static_cast<std::size_t>(image->key_dim * image->value_dim) +
                              static_cast<std::size_t>(ref.unit);
        if (i < image->C.size()) return image->C[i];
      }
      const LiveEquation live = live_at(snapshot, ref);
      return live.complete ? std::optional(static_cast<float>(live.value)) : std::nullopt;
    }
    const float* number = number_at(snapshot.trace.get(), ref);
    return number ? std::optional(*number) : std::nullopt;
  }

  /// The card of a probability of the next token, which is no value of a block.
  static void probability(const Snapshot& snapshot, Painter& painter, Box& column,
                          const ValueRef& ref) {
    const Palette& palette = painter.palette();
    const std::optional<NextCard> card = next_card(snapshot, ref);
    if (!card) return;
    const std::string whole = card->symbol + "   " + card->title;
    paragraph(painter, column, palette.text, whole, Weight::bold);
    paragraph(painter, column, palette.muted_text, card->place);
    paragraph(painter, column, palette.text, card->words);
    plate(painter, column, typeset_equation(card->equation), false);
    plate(painter, column, typeset_equation(card->with_numbers), true);
    for (const NextCard::Row& entry : card->rows) {
      row(painter, column, entry.label, entry.text, entry.wrong ? palette.warning : palette.text);
    }
  }

  void card(Scene& scene, Painter& painter, Box& column, const ValueRef& ref,
            std::optional<ValueRef>& hovered) {
    const Palette& palette = painter.palette();
    const Snapshot& snapshot = scene.snapshot;
    if (ref.path == kNextProbability) {
      probability(snapshot, painter, column, ref);
      return;
    }
    const ValueCard* card = card_of(snapshot, ref);
    const float line = painter.line_height();
    const bool pinned = scene.focus.pinned == ref;

    Box head = column.cut_top(line + painter.px(4));
    if (pinned) {
      const std::string word = "unpin";
      if (button_at(painter, "unpin", head.cut_right(painter.measure(word).x + painter.px(16)),
                    word)) {
        scene.focus.pinned.reset();
      }
      head.cut_right(painter.px(6));
    }
    // The symbol first, and the title beside it or, where that is too narrow, below it.
    const std::string symbol = card ? card->symbol : value_name(ref.path);
    const std::string whole = card ? symbol + "   " + card->title : symbol;
    const bool beside = painter.measure(whole, Weight::bold).x <= head.width();
    painter.text_in(head, palette.text, beside ? whole : symbol, Align::left, Weight::bold);
    if (!beside && card) paragraph(painter, column, palette.text, card->title, Weight::bold);
    paragraph(painter, column, palette.muted_text,
              place_of(snapshot, ref) + (pinned ? " · pinned" : ""));
    if (!card) {
      paragraph(painter, column, palette.text, "There is no explanation for " + ref.path + ".");
      return;
    }
    paragraph(painter, column, palette.text, card->words);
    plate(painter, column, typeset_equation(card->equation), false);

    const std::optional<float> value = value_of(snapshot, ref);
    const LiveEquation live = live_at(snapshot, ref);
    if (!live.text.empty()) plate(painter, column, typeset_equation(live.text), true);
    if (!value) {
      paragraph(painter, column, palette.muted_text, why_missing(snapshot, ref));
    } else {
      numbers(snapshot, painter, column, ref, *card, *value, live);
    }
    inputs(scene, painter, column, ref, *card, hovered);
    paragraph(painter, column, palette.muted_text, ref.path);
  }

  /// A label and what it says; below each other where they have no room side by side.
  static void row(Painter& painter, Box& column, std::string_view label, std::string_view text,
                  ImU32 colour) {
    const float labels = std::max(painter.px(112), painter.measure(label).x + painter.px(8));
    const bool beside = labels + painter.measure(text).x <= column.width();
    const float y = column.min.y + painter.px(1);
    const ImU32 muted = painter.palette().muted_text;
    if (beside) {
      painter.text({column.min.x, y}, muted, label);
      painter.text({column.min.x + labels, y}, colour, text);
      column.min.y += painter.line_height() + painter.px(2);
      return;
    }
    column.min.y += painter.paragraph({column.min.x, y}, column.width(), muted, label);
    const float indent = painter.px(10);
    column.min.y += painter.paragraph({column.min.x + indent, column.min.y + painter.px(1)},
                                      column.width() - indent, colour, text) +
                    painter.px(2);
  }

  /// Why there is no number to show.
  static std::string why_missing(const Snapshot& snapshot, const ValueRef& ref) {
    const int length = snapshot.trace ? snapshot.trace->length() : 0;
    if (length == 0) return "Nothing is recorded yet.";
    if (ref.step >= length) {
      return fmt::format("Not computed yet: the sequence has {} step{} so far.", length,
                         length == 1 ? "" : "s");
    }
    return fmt::format("This value is not recorded at step {}.", ref.step);
  }

  static void numbers(const Snapshot& snapshot, Painter& painter, Box& column, const ValueRef& ref,
                      const ValueCard& card, float value, const LiveEquation& live) {
    const Palette& palette = painter.palette();
    row(painter, column, card.recorded ? "recorded" : "value", short_number(value), palette.text);
    if (!card.logarithm_of.empty())
      row(painter, column, "as a " + card.logarithm_of, log_number(value), palette.text);
    if (live.complete && std::isfinite(live.evaluated)) {
      const double off = std::abs(live.evaluated - static_cast<double>(value));
      const bool agrees = off <= 1e-4 * std::max(1.0, std::abs(live.evaluated));
      // In a format of choice the cell rounds what is evaluated here in double.
      const BlockCard* block = block_of(snapshot, ref);
      const NumberFormat format = block ? block->variant.number_format : NumberFormat::native;
      const bool rounded = format != NumberFormat::native;
      row(painter, column, "evaluated",
          fmt::format("{} {}", short_number(live.evaluated),
                      agrees    ? "✓ agrees"
                      : rounded ? fmt::format("before the cell's rounding to {}", name_of(format))
                                : "✗ differs from the recorded one"),
          agrees || rounded ? palette.text : palette.warning);
    }
    if (const float* free = number_at(snapshot.unclamped.get(), ref)) {
      row(painter, column, "without clamps", short_number(*free), palette.text);
    }
    for (const Clamp& clamp : snapshot.sequence.clamps) {
      if (clamp.enabled && clamp.path == ref.path && clamp.head == ref.head &&
          clamp.unit == ref.unit && ref.step >= clamp.begin && ref.step < clamp.end) {
        row(painter, column, "held at", short_number(clamp.value), palette.text);
      }
    }
    row(painter, column, "range, unit", card.range, palette.text);
    column.cut_top(painter.px(4));
  }

  static void inputs(Scene& scene, Painter& painter, Box& column, const ValueRef& ref,
                     const ValueCard& card, std::optional<ValueRef>& hovered) {
    if (card.inputs.empty()) return;
    std::vector<CardLine> card_lines;
    const Palette& palette = painter.palette();
    const float line = painter.line_height();
    const std::string titles[] = {"computed from (point at one to see where it is)",
                                  "computed from"};
    painter.text_in(column.cut_top(line + painter.px(2)), palette.muted_text,
                    painter.fit_first(titles, column.width()));
    int index = 0;
    const ImGuiID group = ImGui::GetID("inputs");
    for (const std::string& name : card.inputs) {
      const Input input = input_of(scene.snapshot, ref, name);
      Box box = column.cut_top(line + painter.px(4));
      ImGui::PushID(index++);
      const Touch mouse =
          control(painter, "input", box, {.arrows = Arrows::column, .group = group});
      ImGui::PopID();
      if (input.ref.step >= 0) {
        if (mouse.hovered) {
          painter.fill(box, palette.control, painter.px(3));
          hovered = input.ref;
        }
        if (mouse.pressed) scene.focus.pinned = input.ref;
      }
      box = box.inset(painter.px(4), 0);
      const std::string symbol = input.symbol + (name.ends_with("@-1") ? "₋₁" : "");
      const float wide =
          std::max(painter.px(58), painter.measure(symbol, Weight::bold).x + line / 3);
      painter.text_in(box.cut_left(std::min(wide, box.width())), palette.text, symbol, Align::left,
                      Weight::bold);
      if (input.numbers.size() > 1) {
        // A whole vector: as a strip, with the range of its own colours beside it.
        const double range = largest(input.numbers);
        const ColourScale scale(palette, MapName::signed_values, 0.0, range);
        const std::string text = painter.fit_number(scale.high(), box.width() / 2, "±");
        painter.text_in(box.cut_right(painter.measure(text).x + painter.px(6)), palette.muted_text,
                        text, Align::right);
        const Box strip = box.inset(0, painter.px(3));
        draw_heat(painter, scene.images, fmt::format("inspector/{}", index), strip, input.numbers,
                  1, static_cast<int>(input.numbers.size()), scale);
        painter.outline(strip, palette.grid);
        if (mouse.hovered) {
          card_lines.push_back({input.title, true});
          card_lines.push_back(
              {fmt::format("{} numbers, colours from −{} to {}", input.numbers.size(),
                           short_number(scale.high()), short_number(scale.high()))});
        }
        continue;
      }
      if (mouse.hovered) {
        const std::string number =
            input.numbers.empty() ? "" : " = " + short_number(input.numbers.front());
        card_lines.push_back({symbol + number, true});
        card_lines.push_back({input.title});
        card_lines.push_back({place_of(scene.snapshot, input.ref)});
      }
      if (input.numbers.empty()) {
        painter.text_in(box, palette.muted_text,
                        input.in_matrix ? "see the matrix memory" : "not recorded");
        continue;
      }
      const double number = input.numbers.front();
      const float width =
          std::max(painter.measure(short_number(number)).x, painter.px(64)) + painter.px(8);
      painter.number_in(box.cut_left(std::min(width, box.width())), palette.text, number);
      painter.text_in(box, palette.muted_text, input.title);
    }
    column.cut_top(painter.px(5));
    hover_card(scene, card_lines);
  }

  std::optional<ValueRef> last_;
  std::optional<std::uint64_t> run_;  ///< the run drawn last
  bool moved_ = false;                ///< to another run, whose values have not been looked at yet
  Hover hover_;
};

Table InspectorView::table(const Scene& scene) const {
  Table table;
  table.columns = {"what", "value"};
  const auto ref = subject(scene);
  if (!ref) return table;
  const Snapshot& snapshot = scene.snapshot;
  const ValueCard* card = card_of(snapshot, *ref);
  const auto add = [&](std::string what, std::string value) {
    table.rows.push_back({std::move(what), std::move(value)});
  };
  if (const auto next = next_card(snapshot, *ref)) {
    add("path", ref->path);
    add("place", next->place);
    if (const auto value = value_of(snapshot, *ref)) add("value", full_number(*value));
    add("symbol", next->symbol);
    add("title", next->title);
    add("meaning", next->words);
    add("equation", next->equation);
    add("with numbers", next->with_numbers);
    for (const NextCard::Row& row : next->rows) add(row.label, row.text);
    return table;
  }
  add("path", ref->path);
  add("place", place_of(snapshot, *ref));
  if (const auto value = value_of(snapshot, *ref)) add("value", full_number(*value));
  if (!card) return table;
  add("symbol", card->symbol);
  add("title", card->title);
  add("meaning", card->words);
  add("equation", card->equation);
  if (snapshot.trace) {
    const LiveEquation live = live_at(snapshot, *ref);
    if (!live.text.empty()) add("with numbers", live.text);
    if (live.complete) add("evaluated", full_number(live.evaluated));
  }
  add("range", card->range);
  for (const std::string& name : card->inputs) {
    const Input input = input_of(snapshot, *ref, name);
    std::string numbers;
    for (const float number : input.numbers) {
      if (!numbers.empty()) numbers += ' ';
      numbers += full_number(number);
    }
    add("input " + name, numbers);
  }
  return table;
}

}  // namespace

std::unique_ptr<View> make_inspector_view() {
  return std::make_unique<InspectorView>();
}

}  // namespace xlab::ui
