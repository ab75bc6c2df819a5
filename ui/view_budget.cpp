// What a memory is made of, token by token, and how long it lasts.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/budget_bar.hpp"
#include "ui/budget_frame.hpp"
#include "ui/budget_layers.hpp"
#include "ui/budget_parts.hpp"
#include "ui/budget_shown.hpp"
#include "ui/budget_table.hpp"
#include "ui/ground.hpp"
#include "ui/half_life_rows.hpp"
#include "ui/number.hpp"
#include "ui/time_axis.hpp"
#include "ui/time_window.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

constexpr float kRight = 9.0f;  ///< logical pixels right of the columns

/// One part of the view, under its title.
struct Section {
  std::vector<std::string> titles;  ///< long to short
  std::string words;                ///< what it shows, in sentences
  float height = 0.0f;
  bool grows = false;
};

class BudgetView : public View {
 public:
  std::string name() const override { return "budget"; }
  std::string title() const override { return "Write budget"; }
  std::string neighbour() const override { return "memory"; }
  ImVec2 minimum_size() const override { return {320, 220}; }

  Table table(const Scene& scene) const override {
    const BlockCard* block = focused_block(scene.snapshot, scene.focus);
    return budget_table(scene, block ? within(scene, *block) : place_);
  }

  std::string kept() const override {
    return fmt::format("unit {} channel {} {}", place_.unit, place_.channel,
                       lives_.sorted ? "sorted" : "ordered");
  }
  void restore(const std::string& kept) override {
    int unit = -1, channel = -2;
    std::array<char, 8> order{};
    if (std::sscanf(kept.c_str(), "unit %9d channel %9d %7s", &unit, &channel, order.data()) != 3)
      return;
    const std::string word = order.data();
    if (unit < 0 || channel < -1 || (word != "sorted" && word != "ordered")) return;
    place_.unit = unit;
    place_.channel = channel;
    lives_.sorted = word == "sorted";
  }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "budget", size);
    Painter painter(scene);
    value_.reset();
    card_.begin(false);
    strong_ = std::exchange(pointed_, -1);
    if (panel.usable())
      contents(scene, painter, panel.content().inset(painter.px(8), painter.px(6)));
    hover_.set(scene.focus, value_);
    card_.draw(scene);
  }

 private:
  /// What is looked at, within what the block has.
  BudgetPlace within(const Scene& scene, const BlockCard& block) const {
    BudgetPlace place = place_;
    place.head = focused_head(block, scene.focus);
    place.unit = std::clamp(place.unit, 0, std::max(block.value_dim - 1, 0));
    place.channel = std::clamp(place.channel, -1, std::max(block.value_dim - 1, 0));
    return place;
  }

  void contents(Scene& scene, Painter& painter, Box rest) {
    if (!focused_block(scene.snapshot, scene.focus)) {
      say_no_run(painter, rest, "see what its memory is made of here");
      return;
    }
    header(scene, painter, rest.cut_top(painter.line_height() + painter.px(4)));
    rest.cut_top(painter.px(4));
    const BlockCard& block = *focused_block(scene.snapshot, scene.focus);
    const Trace* trace = scene.snapshot.trace.get();
    if (!trace || trace->length() == 0 || scene.snapshot.sequence.cursor < 0) {
      say(painter, rest,
          "Nothing is written yet: there are no tokens. Write a prompt or take a new sample.");
      return;
    }
    BudgetPlace place = within(scene, block);
    shown_.use(scene.snapshot, block, place);
    if (!shown_.cell()) {
      say(painter, rest,
          fmt::format("The memory of block {} ({}) is not described as a sum of weighted writes, "
                      "so nothing can be said of each token's share.",
                      block_in_focus(scene), block.title));
      return;
    }
    const Box axis_row =
        rest.cut_bottom(std::min(2 * painter.line_height() + painter.px(2), rest.height() / 3));
    rest.cut_bottom(painter.px(3));
    follow_pin(scene, block, place);
    BudgetFrame frame{scene, block, shown_, window_, place, 0.0f, strong_, pointed_, value_, card_};
    sections(frame, painter, rest);
    axis_.draw(scene, painter, axis_row, gutter_, window_, {}, card_);
    if (place.unit != within(scene, block).unit) place_.unit = place.unit;
  }

  /// A token that is pinned stays framed; a unit that was pinned is shown.
  void follow_pin(const Scene& scene, const BlockCard& block, BudgetPlace& place) {
    const auto& pinned = scene.focus.pinned;
    if (!pinned || value_prefix(pinned->path) != block.prefix) {
      pinned_.reset();
      return;
    }
    if (pinned_ != pinned && !block.has_matrix && pinned->unit >= 0 &&
        pinned->unit < block.value_dim)
      place_.unit = place.unit = pinned->unit;
    pinned_ = pinned;
    const bool write = pinned->path == block.path(shown_.cell()->weight);
    if (strong_ < 0 && write && pinned->head == place.head) strong_ = pinned->step;
  }

  void header(Scene& scene, Painter& painter, Box row) {
    const BlockCard& block =
        scene.snapshot.model->blocks[static_cast<std::size_t>(block_in_focus(scene))];
    std::vector<std::string> heads, units;
    for (int h = 0; h < block.heads; ++h) heads.push_back(fmt::format("head {}", h));
    if (block.has_matrix) units.emplace_back("all channels");
    for (int u = 0; u < block.value_dim; ++u)
      units.push_back(fmt::format("{} {}", block.has_matrix ? "channel" : "unit", u));
    const float each = row.width() / 3;
    std::vector<std::string> names;
    for (const int words : {2, 1, 0}) {
      names = block_names(*scene.snapshot.model, words);
      if (chooser_width(painter, names) <= each) break;
    }
    const auto cut = [&](const std::vector<std::string>& labels) {
      const ChooserWidths widths = chooser_widths(painter, labels);
      return row.cut_left(widths.all <= each ? widths.all : std::min(widths.one, row.width()));
    };
    Box room = cut(names);
    card_.explain(choose_block(scene, painter, room, names),
                  {{"Which block of the model is shown here and in the other views."}});
    row.cut_left(painter.px(8));
    if (row.width() < painter.px(60)) return;
    const int head = focused_head(block, scene.focus);
    room = cut(heads);
    card_.explain(room, {{"Which head: each has a memory of its own."}});
    if (const int wanted = choose_at(painter, "head", room, heads, head); wanted != head)
      scene.focus.head = wanted;
    row.cut_left(painter.px(8));
    if (row.width() < chooser_widths(painter, units).one) return;
    const BudgetPlace place = within(scene, block);
    const int chosen = block.has_matrix ? place.channel + 1 : place.unit;
    room = cut(units);
    card_.explain(
        room, {{block.has_matrix ? "What of the read-out is shown: one channel, or all of them as "
                                   "the length of what each token adds."
                                 : "Which unit: each is a weighted mean of its own."}});
    const int wanted = choose_at(painter, "unit", room, units, chosen);
    if (wanted == chosen) return;
    if (block.has_matrix) {
      place_.channel = wanted - 1;
    } else {
      place_.unit = wanted;
    }
  }

  /// What is drawn, with its words.
  std::array<Section, 4> plan(const BudgetFrame& frame, const Painter& painter) const {
    const std::string answer = frame.answer_symbol();
    const std::string where = place_words(frame.block, frame.place.head, frame.place.unit);
    const int step = frame.shown.step();
    const bool matrix = frame.cell().matrix(), shares = frame.cell().shares();
    const std::string what = matrix ? frame.symbol(frame.cell().state) : answer;
    const std::string relative = shares ? "" : ", relative to the sum of the weights";
    const std::string total =
        frame.shown.budget() ? " = " + short_number(frame.shown.budget()->recorded) : "";
    const std::string parts =
        !matrix ? fmt::format("what each token adds to {}{}", answer, total)
        : frame.place.channel < 0
            ? fmt::format(
                  "what each token adds to the read-out |{}|{}: length, signed, not a "
                  "probability",
                  answer, total)
            : fmt::format("what each token adds to {}[{}]{}: signed, not a probability", answer,
                          frame.place.channel, total);
    return {
        {{{fmt::format("what {} of {} is made of at t = {}{}", what, where, step, relative),
           fmt::format("what {} of {} is made of at t = {}", what, where, step),
           fmt::format("{}, {}, t = {}", what, where, step), where},
          shares   ? "Each past token's share in the weighted mean: its input gate times every "
                     "forget gate since, divided by the normalizer. No share is negative, and "
                     "together they are 1."
          : matrix ? "Each past token's weight in the memory, i' times every forget gate since: "
                     "the decay part of the matrix. Drawn relative to the sum of all weights; the "
                     "memory itself is not divided by it."
                   : "This cell has no normalizer: a token's weight is its input gate times every "
                     "forget gate since, and the weights do not sum to 1. They are drawn relative "
                     "to their sum.",
          budget_bar_height(painter),
          false},
         {{fmt::format("the same at every step, the oldest token at the bottom{}", relative),
           "the same at every step, oldest at the bottom", "at every step"},
          "The bar of every time step, upright: one layer a token. Where a layer on top takes "
          "the whole height, one write has pushed out everything before it.",
          painter.px(64),
          true},
         {{parts, fmt::format("adds to {}{}", answer, matrix ? ", signed" : ""), "parts"},
          matrix ? "(q · k) times the token's weight, divided by the normalizer, times its "
                   "value: exactly what the read-out is the sum of."
                 : "Share times what was written. All of them add up to the answer of the "
                   "unit.",
          painter.px(48),
          true},
         {{fmt::format("half-lives at t = {}, back from the cursor; | mean over the sequence{}",
                       step, dense()),
           fmt::format("half-lives back from the cursor; | mean{}", dense()),
           fmt::format("half-lives{}", dense()), "half-lives"},
          "How many tokens pass until half of what is held is left, if the forget gate stays "
          "as it is at the cursor: a bar of that length back in time. An arrow: longer than "
          "what is shown.",
          HalfLifeRows::least(painter, frame.shown.lives()),
          true}}};
  }

  /// What a row stands for where it is not one gate.
  std::string dense() const {
    return lives_.per_row() > 1 ? fmt::format(
                                      "; each line {} gates: median, pale from shortest "
                                      "to longest",
                                      lives_.per_row())
                                : "";
  }

  static float title_height(const Painter& painter) {
    return painter.line_height() + painter.px(5);
  }

  /// Sections share the room; where it is too small for all of them they scroll.
  void sections(BudgetFrame& frame, Painter& painter, const Box& rest) {
    if (!shown_.budget()) {
      say(painter, rest, "The gates, values and states of this step were not recorded.");
      return;
    }
    std::array<Section, 4> all = plan(frame, painter);
    const float gap = painter.px(5);
    float height = 0.0f;
    int growing = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      height += title_height(painter) + (folded_[i] ? 0.0f : all[i].height + gap);
      growing += !folded_[i] && all[i].grows ? 1 : 0;
    }
    if (const float extra = rest.height() - height; extra > 0.0f && growing > 0) {
      // Half-lives take no more than their rows can use.
      const float share = extra / static_cast<float>(growing);
      const float lives = std::max(
          0.0f, std::min(share, HalfLifeRows::wanted(painter, shown_.lives()) - all[3].height));
      const float others =
          growing > 1 && !folded_[3] ? (extra - lives) / static_cast<float>(growing - 1) : share;
      for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i].grows && !folded_[i]) all[i].height += std::floor(i == 3 ? lives : others);
      height = rest.height();
    }
    const float bar = height > rest.height() + 0.5f ? ImGui::GetStyle().ScrollbarSize : 0.0f;
    arrange(frame, painter, rest, bar);
    ImGui::SetCursorScreenPos(rest.min);
    ImGui::BeginChild("sections", {std::max(rest.width(), 1.0f), std::max(rest.height(), 1.0f)},
                      false, ImGuiWindowFlags_NoNav);
    {
      Painter inner(frame.scene);
      const ImVec2 origin = ImGui::GetCursorScreenPos();
      Box column{{rest.min.x, origin.y}, {rest.max.x - bar, origin.y + height}};
      for (std::size_t i = 0; i < all.size(); ++i) {
        ImGui::PushID(static_cast<int>(i));
        const bool folded = folded_[i];  // before a click of this frame
        draw_title(inner, all[i], i, column.cut_top(title_height(inner)));
        if (!folded) {
          draw_section(frame, inner, i, column.cut_top(all[i].height));
          column.cut_top(gap);
        }
        ImGui::PopID();
      }
      ImGui::SetCursorScreenPos({origin.x, origin.y + height - 1.0f});
      ImGui::Dummy({1.0f, 1.0f});
    }
    ImGui::EndChild();
  }

  void arrange(BudgetFrame& frame, Painter& painter, const Box& rest, float bar) {
    const Snapshot& snapshot = frame.scene.snapshot;
    Box plot = rest;
    plot.cut_right(bar + painter.px(kRight));
    const float wanted = std::max({painter.px(44), painter.measure("100 %").x + painter.px(8),
                                   painter.measure("0 · 000").x + painter.px(8),
                                   painter.measure("head 00", Weight::bold).x + painter.px(6)});
    const TimeWindow before = window_;
    gutter_ = std::min(wanted, plot.width() * 0.3f);
    for (int round = 0; round < 2; ++round) {
      Box columns = plot;
      columns.cut_left(gutter_);
      window_ = before;
      window_.update(snapshot.trace->length(), snapshot.sequence.cursor, columns,
                     std::max(painter.px(9), axis_.letter_width(frame.scene, painter)),
                     painter.px(120));
      const float numbers = axis_margin(painter, painter.px(48), parts_axis(frame));
      if (numbers <= gutter_) break;
      gutter_ = std::min(std::ceil(numbers / painter.px(6)) * painter.px(6), plot.width() * 0.3f);
    }
    frame.gutter = gutter_;
  }

  void draw_title(Painter& painter, const Section& section, std::size_t i, Box title) {
    const Palette& palette = painter.palette();
    title.cut_right(painter.px(kRight));
    if (i == 3 && !folded_[i]) order_switch(painter, title);
    const Touch mouse = control(painter, "fold", title, {.arrows = Arrows::column, .group = 1});
    if (mouse.pressed) folded_[i] = !folded_[i];
    const Box whole = title;
    if (!painter.exporting())
      painter.text_in(title.cut_left(painter.px(14)),
                      mouse.hovered ? palette.text : palette.muted_text, folded_[i] ? "▸" : "▾");
    painter.text_in(title, palette.text, painter.fit_first(section.titles, title.width()));
    if (mouse.hovered)
      card_.explain(whole, {{section.titles.front(), true},
                            {section.words},
                            {folded_[i] ? "Click: unfold." : "Click: fold."}});
  }

  void order_switch(Painter& painter, Box& title) {
    static const std::vector<std::string> kOrders = {"in order", "longest first"};
    const float width = chooser_widths(painter, kOrders).all;
    if (width > title.width() * 0.5f) return;
    Box room = title.cut_right(width);
    card_.explain(room, {{"Forget gates in the order of heads and units, or the longest half-life "
                          "first."}});
    lives_.sorted = choose_at(painter, "order", room, kOrders, lives_.sorted ? 1 : 0) == 1;
    title.cut_right(painter.px(8));
  }

  void draw_section(BudgetFrame& frame, Painter& painter, std::size_t i, Box box) {
    if (!ImGui::IsRectVisible(box.min, box.max) || box.empty()) return;
    if (i == 0) {
      box.cut_right(painter.px(kRight));
      draw_budget_bar(frame, painter, box);
      return;
    }
    const Box gutter = box.cut_left(gutter_);
    box.max.x = std::min(box.max.x,
                         box.min.x + window_.column_width() * static_cast<float>(window_.count()));
    if (i == 1) layers_.draw(frame, painter, gutter, box);
    if (i == 2) draw_budget_parts(frame, painter, box);
    if (i == 3) lives_.draw(frame, painter, gutter, box);
  }

  BudgetPlace place_;
  BudgetShown shown_;
  TimeWindow window_;
  TimeAxis axis_;
  BudgetLayers layers_;
  HalfLifeRows lives_;
  Hover hover_;
  HoverCard card_;
  std::optional<ValueRef> value_, pinned_;
  std::array<bool, 4> folded_{};
  float gutter_ = 0.0f;
  int strong_ = -1, pointed_ = -1;
};

}  // namespace

std::unique_ptr<View> make_budget_view() {
  return std::make_unique<BudgetView>();
}

}  // namespace xlab::ui
