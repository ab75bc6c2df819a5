// A query put to the memory of a head by hand: that of a token, a stored key, or one that is
// dragged; and what comes back.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/ground.hpp"
#include "ui/key_channel.hpp"
#include "ui/number.hpp"
#include "ui/read_bars.hpp"
#include "ui/read_shown.hpp"
#include "ui/time_axis.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

constexpr float kRightOfBars = 9.0f;  ///< logical pixels
constexpr Axis kCosineAxis{-1.0, 1.0};

std::string number_said(double number) {
  return std::isnan(number) ? "no number" : short_number(number);
}

class ReadView : public View {
 public:
  std::string name() const override { return "read"; }
  std::string title() const override { return "Read by hand"; }
  std::string neighbour() const override { return "memory"; }
  ImVec2 minimum_size() const override { return {300, 240}; }
  std::string kept() const override { return query_.kept(); }
  void restore(const std::string& kept) override { query_.restore(kept); }

  Table table(const Scene& scene) const override;

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "read", size);
    Painter painter(scene);
    hovered_.reset();
    card_.begin(false);
    if (panel.usable())
      contents(scene, painter, panel.content().inset(painter.px(8), painter.px(6)));
    hover_.set(scene.focus, hovered_);
    card_.draw(scene);
  }

 private:
  void contents(Scene& scene, Painter& painter, Box rest) {
    const Snapshot& snapshot = scene.snapshot;
    if (!focused_block(snapshot, scene.focus)) {
      say_no_run(painter, rest, "put a query of your own to its memory");
      return;
    }
    const float control = painter.line_height() + painter.px(4);
    Box row = rest.cut_top(control);
    rest.cut_top(painter.px(3));
    choose_block_and_head(scene, painter, row, "Whose memory is asked.", card_);
    const BlockCard& block = *focused_block(snapshot, scene.focus);
    const int number = block_in_focus(scene), head = focused_head(block, scene.focus);
    if (!block.has_matrix) {
      say(painter, rest,
          fmt::format("Block {} is an {}: it remembers one number a unit and is not asked by a "
                      "query. Choose another block.",
                      number, block.title));
      return;
    }
    if (!snapshot.trace || snapshot.trace->length() == 0 || snapshot.sequence.cursor < 0 ||
        snapshot.sequence.tokens.empty()) {
      say(painter, rest,
          "The memory is empty: there are no tokens yet. Write a prompt or take a new sample and "
          "step through it.");
      return;
    }
    if (!snapshot.memory || snapshot.memory->block != number) {
      say(painter, rest, fmt::format("The memory of block {} is on its way.", number));
      return;
    }
    follow(snapshot, number, head);
    if (shown_.empty()) {
      say(painter, rest, "What is read with was not recorded at this step.");
      return;
    }
    sources(painter, rest.cut_top(control), block);
    rest.cut_top(painter.px(3));
    pictures(scene, painter, rest, block);
  }

  /// Reads again where the snapshot, the head or the query is another.
  void follow(const Snapshot& snapshot, int block, int head) {
    const std::string now = query_.kept();
    if (snapshot.memory == image_ && snapshot.trace == trace_ && block == block_ &&
        head == shown_.head && now == read_with_ && !shown_.empty())
      return;
    shown_ = read_shown(snapshot, block, head, query_);
    image_ = snapshot.memory;
    trace_ = snapshot.trace;
    block_ = block;
    read_with_ = now;
  }

  void sources(Painter& painter, Box row, const BlockCard& block) {
    const std::string names[] = {"query of now", "a token's key", "by hand"};
    const std::string all[] = {"q of now", "key", "by hand"};
    const Box whole = row;
    const int chosen = static_cast<int>(query_.source);
    const bool wide = chooser_widths(painter, names).all <= row.width();
    const int wanted = choose_at(painter, "source", row, wide ? names : all, chosen);
    if (wanted != chosen) take(static_cast<QuerySource>(wanted));
    card_.explain(
        {whole.min, {row.min.x, whole.max.y}},
        {{"What the memory is asked with"},
         {"query of now: that of the token at the cursor. a token's key: click on a token below, "
          "its key is brought to the scale of a query. by hand: drag the bars."}});
    row.cut_left(painter.px(8));
    if (query_.source == QuerySource::hand && shown_.source == QuerySource::hand) {
      const std::string clear = "all 0";
      const float width = painter.measure(clear).x + painter.px(18);
      if (row.width() > width && button_at(painter, "clear", row.cut_left(width), clear))
        query_.drawn.assign(static_cast<std::size_t>(block.key_dim), 0.0f);
      row.cut_left(painter.px(8));
    }
    const std::string formulas[] = {reading_formula(block), "h = Cᵀ q / N"};
    painter.first_in(row, painter.palette().muted_text, formulas, Align::right);
  }

  /// What is drawn by hand begins as what was shown.
  void take(QuerySource source) {
    if (source == QuerySource::hand) query_.drawn = {shown_.query.begin(), shown_.query.end()};
    if (source == QuerySource::key) query_.token = std::max(shown_.step, 0);
    query_.source = source;
  }

  std::string named(const Scene& scene, int t) const {
    const std::vector<int>& tokens = scene.snapshot.sequence.tokens;
    if (t < 0 || t >= static_cast<int>(tokens.size())) return fmt::format("t = {}", t);
    return fmt::format("‘{}’ (t = {})",
                       token_label(scene.snapshot.model.get(), tokens[static_cast<std::size_t>(t)]),
                       t);
  }

  std::string query_words(const Scene& scene) const {
    switch (shown_.source) {
      case QuerySource::key:
        return "q, made of the key of " + named(scene, query_.token);
      case QuerySource::hand:
        return "q, by hand: drag the bars";
      case QuerySource::token:
        break;
    }
    return "q, the query of " + named(scene, shown_.step) +
           (query_.source == QuerySource::hand  ? " (the one drawn is of another width)"
            : query_.source == QuerySource::key ? " (that key is not stored yet)"
                                                : "");
  }

  void pictures(Scene& scene, Painter& painter, Box rest, const BlockCard& block) {
    const float line = painter.line_height(), title = line + painter.px(3);
    gutter_ = std::min(painter.px(48), rest.width() * 0.4f);
    const Box axis_row = rest.cut_bottom(std::min(2 * line + painter.px(2), rest.height() / 3));
    rest.cut_bottom(painter.px(3));
    // The answer matters most, then the query.
    const bool three = rest.height() > 14 * line, two = rest.height() > 8 * line;
    Box closest = three ? rest.cut_bottom(rest.height() * 0.34f) : Box{};
    Box answer = two ? rest.cut_bottom(rest.height() * 0.52f) : rest;
    if (two) {
      heading(painter, rest.cut_top(title), {query_words(scene), "q"});
      draw_query(scene, painter, rest, block);
      answer.cut_top(painter.px(4));
    }
    draw_answer(scene, painter, answer, block);
    arrange(scene, painter, three ? closest : answer);
    if (three) {
      closest.cut_top(painter.px(4));
      draw_closest(scene, painter, closest, block);
    }
    axis_.draw(scene, painter, axis_row, gutter_, window_, std::nullopt, card_);
  }

  static void heading(Painter& painter, const Box& row, const std::vector<std::string>& words) {
    painter.first_in(row, painter.palette().text, words, Align::left, Weight::bold);
  }

  /// The part of a lane where bars stand, with a row of numbers below where there is room.
  BarLane lane_of(Painter& painter, Box box) const {
    BarLane lane;
    const float line = painter.line_height();
    if (box.height() > 5 * line) lane.below = box.cut_bottom(line);
    lane.gutter = box.height() > 2 * line ? gutter_ : 0.0f;
    box.cut_left(gutter_);
    box.cut_right(painter.px(kRightOfBars));
    lane.box = box;
    return lane;
  }

  void draw_query(Scene& scene, Painter& painter, const Box& box, const BlockCard& block) {
    BarLane lane = lane_of(painter, box);
    if (lane.box.empty()) return;
    // The scale stays while a bar is dragged.
    if (!dragging_) axis_of_query_ = axis_of_bars(shown_.query);
    lane.axis = axis_of_query_;
    lane.words = "key channel";
    lane.colour = gate_style(painter.palette(), 'n').colour;
    if (const auto channel = pinned_key_channel(block, scene.focus)) lane.marked = *channel;
    const Touch mouse = scene.exporting ? Touch{} : touch("query", lane.box);
    const int unit = bar_at(lane, mouse.mouse.x, shown_.query.size());
    const bool by_hand = shown_.source == QuerySource::hand;
    if (mouse.hovered || mouse.held) lane.pointed = unit;
    draw_bars(painter, lane, shown_.query);
    dragging_ = mouse.held && by_hand;
    if (dragging_ && query_.drawn.size() == shown_.query.size()) {
      const double value =
          std::clamp(lane.axis.value(mouse.mouse.y, lane.box), lane.axis.low, lane.axis.high);
      query_.drawn[static_cast<std::size_t>(unit)] = static_cast<float>(value);
    }
    if (lane.pointed < 0) return;
    card_.add(
        fmt::format("q[{}] = {}", unit, number_said(shown_.query[static_cast<std::size_t>(unit)])),
        true);
    card_.add(by_hand ? "drag: another number" : "click: pin this key channel");
    if (by_hand) return;
    const bool key = shown_.source == QuerySource::key;
    hovered_ =
        ValueRef{block.path(key ? "k" : "q"), key ? query_.token : shown_.step, shown_.head, unit};
    if (mouse.pressed) scene.focus.pinned = hovered_;
  }

  /// "length 0.83 = |Cᵀ q| / 1.2: ⟨q, n⟩ = 1.2, floor 0.5".
  std::vector<std::string> length_words() const {
    const MemoryAnswer& read = shown_.answer;
    const std::string length = number_said(shown_.length);
    return {fmt::format("length {}; |⟨q, n⟩| = {}, floor = {}", length,
                        number_said(std::abs(read.overlap)), number_said(read.floor)),
            fmt::format("length {}", length)};
  }

  void draw_answer(Scene& scene, Painter& painter, Box box, const BlockCard& block) {
    const Palette& palette = painter.palette();
    const float line = painter.line_height(), title = line + painter.px(3);
    if (box.height() > 3 * line)
      heading(painter, box.cut_top(title),
              {fmt::format("h, what comes back of head {}", shown_.head), "h"});
    if (box.height() > 4 * line) status(painter, box.cut_top(title), block);
    BarLane lane = lane_of(painter, box);
    if (lane.box.empty()) return;
    lane.axis = axis_of_bars(shown_.answer.h, shown_.recorded);
    lane.words = "value channel";
    lane.colour = gate_style(palette, 'C').colour;
    const Touch mouse = touch("answer", lane.box);
    const int unit = bar_at(lane, mouse.mouse.x, shown_.answer.h.size());
    if (mouse.hovered || mouse.held) lane.pointed = unit;
    draw_bars(painter, lane, shown_.answer.h, shown_.recorded);
    if (lane.pointed < 0) return;
    const auto at = static_cast<std::size_t>(unit);
    card_.add(fmt::format("h[{}] = {}", unit, number_said(shown_.answer.h[at])), true);
    if (at >= shown_.recorded.size()) return;
    card_.add(fmt::format("as the model read it: {} (line across the bar)",
                          number_said(shown_.recorded[at])));
    hovered_ = ValueRef{block.path("h"), shown_.step, shown_.head, unit};
    if (mouse.pressed) scene.focus.pinned = hovered_;
  }

  /// A lamp for the floor, the length, and how well it agrees with what the model read.
  void status(Painter& painter, Box row, const BlockCard& block) {
    const Palette& palette = painter.palette();
    const Box whole = row;
    const float r = painter.px(4);
    const bool floored = shown_.answer.floored && block.variant.normalizer;
    const Box lamp = row.cut_left(painter.px(14));
    const ImVec2 centre{lamp.min.x + r + 1.0f, lamp.centre().y};
    if (floored) {
      painter.disc(centre, r, palette.warning);
    } else {
      painter.ring(centre, r, palette.muted_text, painter.px(1.2f));
    }
    const std::string by = !block.variant.normalizer ? "not divided by |⟨q, n⟩|"
                           : floored                 ? "divided by the floor: shrunk"
                                                     : "divided by |⟨q, n⟩|";
    std::vector<std::string> words;
    for (const std::string& length : length_words())
      words.push_back(fmt::format("{}; {}", by, length));
    words.push_back(by);
    std::string agreement;
    if (shown_.largest_difference)
      agreement =
          fmt::format("agrees with the recorded h to {}", number_said(*shown_.largest_difference));
    if (const float width = painter.measure(agreement).x + painter.px(10);
        !agreement.empty() && width + painter.measure(words[1]).x < row.width())
      painter.text_in(row.cut_right(width), palette.muted_text, agreement, Align::right);
    painter.first_in(row, floored ? palette.warning : palette.muted_text, words);
    card_.explain(
        whole, {{by + "."},
                {length_words().front() + "."},
                {agreement.empty() ? "The recorded h belongs to the token's own query."
                                   : agreement + ", the largest difference of all components; the "
                                                 "lines across the bars are the recorded h."}});
  }

  std::string closest_words(const Scene& scene) const {
    if (shown_.closest.empty()) return "it has no direction";
    std::string words = "closest: ";
    for (std::size_t i = 0; i < shown_.closest.size(); ++i) {
      const int t = shown_.closest[i];
      words += fmt::format("{}{} {}", i == 0 ? "" : ", ", named(scene, t),
                           short_number(shown_.cosines[static_cast<std::size_t>(t)]));
    }
    return words;
  }

  void draw_closest(Scene& scene, Painter& painter, Box box, const BlockCard& block) {
    const Palette& palette = painter.palette();
    const float line = painter.line_height();
    const Box row = box.cut_top(line + painter.px(3));
    heading(painter, row,
            {"Cosine of h to every stored v; " + closest_words(scene),
             "Cosine to v; " + closest_words(scene), closest_words(scene), "Cosine of h to v"});
    box.cut_left(gutter_);
    box.max.x = std::min(box.max.x - painter.px(kRightOfBars),
                         box.min.x + window_.column_width() * static_cast<float>(window_.count()));
    if (box.empty()) return;
    draw_axis(painter, box, kCosineAxis, box.height() > 2 * line ? gutter_ : 0.0f);
    painter.outline(box, palette.grid);
    const float zero = kCosineAxis.y(0.0, box);
    const int end =
        std::min(window_.first() + window_.count(), static_cast<int>(shown_.cosines.size()));
    for (int t = window_.first(); t < end; ++t) {
      const double cosine = shown_.cosines[static_cast<std::size_t>(t)];
      Box bar =
          window_.column(t).inset(window_.column_width() > painter.px(5) ? painter.px(1) : 0, 0);
      bar.min.y = box.min.y;
      bar.max.y = box.max.y;
      if (std::isnan(cosine)) {
        painter.fill(bar, kNotANumber);
        painter.hatch(bar, IM_COL32_BLACK);
        continue;
      }
      const float y = kCosineAxis.y(cosine, box);
      bar.min.y = std::min(y, zero);
      bar.max.y = std::max({y, zero, bar.min.y + 1.0f});
      const bool close = std::ranges::count(shown_.closest, t) > 0;
      painter.fill(bar, mix(palette.panel, gate_style(palette, 'C').colour, close ? 1.0f : 0.5f));
    }
    painter.line({box.min.x, zero}, {box.max.x, zero}, {palette.muted_text, 1.0f});
    if (shown_.source == QuerySource::key && window_.shows(query_.token))
      painter.outline({{window_.column(query_.token).min.x, box.min.y},
                       {window_.column(query_.token).max.x, box.max.y}},
                      palette.accent, painter.line_width());
    const Touch mouse = touch("closest", box);
    if (!mouse.hovered && !mouse.held) return;
    const int t = window_.step_at(mouse.mouse.x);
    card_.add(named(scene, t), true);
    if (t > shown_.step) {
      card_.add("not stored yet at the cursor");
      return;
    }
    if (t < static_cast<int>(shown_.cosines.size()))
      card_.add(fmt::format("cosine of h and its v: {}",
                            number_said(shown_.cosines[static_cast<std::size_t>(t)])));
    card_.add("click: ask with its key");
    hovered_ = ValueRef{block.path("input_gate"), t, shown_.head, 0};
    if (!mouse.pressed) return;
    query_.source = QuerySource::key;
    query_.token = t;
  }

  void arrange(const Scene& scene, const Painter& painter, const Box& room) {
    Box columns = room;
    columns.cut_left(gutter_);
    columns.cut_right(painter.px(kRightOfBars));
    window_.update(static_cast<int>(scene.snapshot.sequence.tokens.size()),
                   scene.snapshot.sequence.cursor, columns,
                   std::max(painter.px(9), axis_.letter_width(scene, painter)), painter.px(120));
  }

  HandQuery query_;
  ReadShown shown_;  ///< of these:
  std::shared_ptr<const MemoryImage> image_;
  std::shared_ptr<const Trace> trace_;
  int block_ = -1;
  std::string read_with_;

  bool dragging_ = false;
  Axis axis_of_query_;
  TimeWindow window_;
  TimeAxis axis_;
  Hover hover_;
  HoverCard card_;
  std::optional<ValueRef> hovered_;
  float gutter_ = 0.0f;
};

Table ReadView::table(const Scene& scene) const {
  Table table;
  table.columns = {"what", "index", "number", "recorded"};
  table.titles = {"q: the query; h: what comes back; cosine: of h and the v of a token",
                  "component, or token", "", "as the model read it, of the token's own query"};
  table.places = 2;
  const BlockCard* block = focused_block(scene.snapshot, scene.focus);
  if (!block) return table;
  const ReadShown shown =
      read_shown(scene.snapshot, block_in_focus(scene), focused_head(*block, scene.focus), query_);
  const auto add = [&](const char* what, const std::vector<double>& numbers,
                       const std::vector<double>& recorded) {
    for (std::size_t i = 0; i < numbers.size(); ++i)
      table.rows.push_back({what, std::to_string(i), full_number(numbers[i]),
                            i < recorded.size() ? full_number(recorded[i]) : ""});
  };
  if (shown.empty()) return table;
  add("q", shown.query, {});
  add("h", shown.answer.h, shown.recorded);
  add("overlap", {shown.answer.overlap}, {});
  add("floor", {shown.answer.floor}, {});
  add("denominator", {shown.answer.denominator}, {});
  add("length", {shown.length}, {});
  add("cosine", shown.cosines, {});
  return table;
}

}  // namespace

std::unique_ptr<View> make_read_view() {
  return std::make_unique<ReadView>();
}

}  // namespace xlab::ui
