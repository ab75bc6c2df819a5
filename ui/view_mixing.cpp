// How the units of a head mix: the recurrent matrix, what it adds to each pre-activation, and where
// the output of a unit goes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/ground.hpp"
#include "ui/influence_strip.hpp"
#include "ui/mixing_bars.hpp"
#include "ui/mixing_frame.hpp"
#include "ui/mixing_maps.hpp"
#include "ui/mixing_table.hpp"
#include "ui/time_axis.hpp"
#include "ui/time_window.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

/// Products that a frame may take for an influence, some milliseconds.
constexpr double kMixingProducts = 3e6;
constexpr float kMixingRight = 9.0f;  ///< logical pixels right of the columns

class MixingView : public View {
 public:
  std::string name() const override { return "mixing"; }
  std::string title() const override { return "Memory mixing"; }
  std::string neighbour() const override { return "gates"; }
  ImVec2 minimum_size() const override { return {320, 220}; }

  Table table(const Scene& scene) const override {
    const BlockCard* block = focused_block(scene.snapshot, scene.focus);
    return mixing_table(scene, block ? within(scene, *block) : place_);
  }

  std::string kept() const override {
    return fmt::format("to {} from {} {}", place_.to, place_.from,
                       place_.products ? "products" : "weights");
  }
  void restore(const std::string& kept) override {
    int to = -1, from = -1;
    std::array<char, 10> shown{};
    if (std::sscanf(kept.c_str(), "to %9d from %9d %9s", &to, &from, shown.data()) != 3) return;
    const std::string word = shown.data();
    if (to < 0 || from < 0 || (word != "products" && word != "weights")) return;
    place_.to = to;
    place_.from = from;
    place_.products = word == "products";
  }

  bool animating(const Scene&) const override { return following_; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "mixing", size);
    Painter painter(scene);
    value_.reset();
    card_.begin(false);
    following_ = false;
    if (panel.usable())
      contents(scene, painter, panel.content().inset(painter.px(8), painter.px(6)));
    hover_.set(scene.focus, value_);
    card_.draw(scene);
  }

 private:
  /// What is looked at, within what the block has.
  MixingPlace within(const Scene& scene, const BlockCard& block) const {
    MixingPlace place = place_;
    place.head = focused_head(block, scene.focus);
    place.to = std::clamp(place.to, 0, std::max(block.value_dim - 1, 0));
    place.from = std::clamp(place.from, 0, std::max(block.value_dim - 1, 0));
    return place;
  }

  void contents(Scene& scene, Painter& painter, Box rest) {
    if (!focused_block(scene.snapshot, scene.focus)) {
      say_no_run(painter, rest, "see how the units of its heads mix here");
      return;
    }
    header(scene, painter, rest.cut_top(painter.line_height() + painter.px(4)));
    rest.cut_top(painter.px(4));
    const BlockCard& block = *focused_block(scene.snapshot, scene.focus);
    const std::string missing = why_not(scene, block);
    if (!missing.empty()) {
      say(painter, rest, missing);
      return;
    }
    MixingPlace place = within(scene, block);
    const MixingPlace before = place;
    follow_pin(scene, block, place);
    const Trace& trace = *scene.snapshot.trace;
    MixingFrame frame{scene,  block,
                      trace,  *scene.snapshot.mixing,
                      place,  std::min(scene.snapshot.sequence.cursor, trace.length() - 1),
                      value_, card_};
    maps_.prepare(frame);
    arrange(frame, painter, rest);
    if (place.to != before.to) place_.to = place.to;
    if (place.from != before.from) place_.from = place.from;
  }

  /// Why there is nothing to draw, as a sentence; empty when there is.
  static std::string why_not(const Scene& scene, const BlockCard& block) {
    const Snapshot& snapshot = scene.snapshot;
    const int number = block_in_focus(scene);
    if (block.values->mixing.gates.empty()) {
      const std::vector<BlockCard>& blocks = snapshot.model->blocks;
      const auto other = std::find_if(blocks.begin(), blocks.end(), [](const BlockCard& b) {
        return !b.values->mixing.gates.empty();
      });
      return fmt::format(
          "Block {} ({}) has no recurrent matrix: what it put out before does not enter its "
          "gates. {}",
          number, block.title,
          other == blocks.end()
              ? std::string("No block of this model has one.")
              : fmt::format("Block {} ({}) has one.", other - blocks.begin(), other->title));
    }
    if (!snapshot.trace || snapshot.trace->length() == 0 || snapshot.sequence.cursor < 0)
      return "There are no tokens yet. Write a prompt or take a new sample.";
    const MixingImage* image = snapshot.mixing.get();
    if (!image || image->block != number)
      return "The recurrent matrix of this block is not here yet.";
    if (!image->left_out.empty()) return image->left_out;
    if (!has_mixing(image, block)) return "The recurrent matrix of this block has other sizes.";
    return {};
  }

  /// A unit whose pre-activation, or part of it, is pinned is shown.
  void follow_pin(const Scene& scene, const BlockCard& block, MixingPlace& place) {
    const auto& pinned = scene.focus.pinned;
    if (pinned == pinned_) return;
    pinned_ = pinned;
    if (!pinned || value_prefix(pinned->path) != block.prefix) return;
    if (pinned->unit < 0 || pinned->unit >= block.value_dim) return;
    const std::string value = value_name(pinned->path);
    for (const MixedGate& gate : block.values->mixing.gates)
      if (value == gate.pre || value == gate.token) place.to = pinned->unit;
  }

  void header(Scene& scene, Painter& painter, Box row) {
    const bool mixes = !focused_block(scene.snapshot, scene.focus)->values->mixing.gates.empty();
    static const std::vector<std::string> kMaps = {"weights R", "products R · h"};
    const ChooserWidths maps = chooser_widths(painter, kMaps);
    const bool room = mixes && row.width() > maps.all + painter.px(220);
    if (room) row.cut_right(maps.all);
    choose_block_and_head(scene, painter, row,
                          "Which head: its units see one another, and no other head.", card_);
    if (!room) return;
    Box last{row.min, {row.min.x + maps.all, row.max.y}};
    card_.explain(last, {{"What the maps show: the weights R, or what each of them adds at the "
                          "time cursor, R times the output one token before."}});
    place_.products = choose_at(painter, "maps", last, kMaps, place_.products ? 1 : 0) == 1;
  }

  /// A title, and behind it which unit it is about. Returns the unit chosen.
  int unit_title(const MixingFrame& frame, Painter& painter, const char* id, Box row,
                 const std::vector<std::string>& titles, int unit, const char* which) {
    std::vector<std::string> units;
    for (int u = 0; u < frame.block.value_dim; ++u) units.push_back(fmt::format("unit {}", u));
    const float width = chooser_widths(painter, units).one;
    if (units.size() > 1 && !painter.exporting() && row.width() > width + painter.px(90)) {
      Box room = row.cut_right(width);
      row.cut_right(painter.px(8));
      card_.explain(room, {{which}});
      unit = choose_at(painter, id, room, units, unit);
    }
    painter.first_in(row, painter.palette().text, titles);
    return unit;
  }

  /// Maps above the bars or beside them, whichever makes them larger, and below both where an
  /// output goes. Where there is little room that is left out first, then the maps.
  void arrange(MixingFrame& frame, Painter& painter, Box rest) {
    const float line = painter.line_height(), gap = painter.px(8), apart = painter.px(18);
    const float bars = line + painter.px(4) + mixing_bars_height(painter, frame.gates());
    const float least_influence = 9 * line, good_influence = 13 * line, least_maps = 7.5f * line;
    const bool wide = rest.width() > painter.px(680);
    const float least = wide ? bars : bars + gap + least_maps;
    const bool influence = rest.height() > least + gap + least_influence;
    // The influence gets a third, and what the others leave.
    const float top =
        influence
            ? std::max(least, std::min(rest.height() * 0.66f, rest.height() - gap - good_influence))
            : rest.height();
    const Box all{rest.min, {rest.max.x, rest.min.y + top}};
    Box above = all, left = all;
    above.cut_bottom(bars + gap);
    left.max.x = left.centre().x - apart / 2;
    const auto over = MixingMaps::size_in(painter, above, frame.gates());
    const auto next_to = MixingMaps::size_in(painter, left, frame.gates());
    const bool stands_above = above.height() >= (influence ? least_maps : 5.5f * line);
    const bool beside = wide && (!stands_above || next_to.side > over.side);
    const bool blank = maps_.all_zeros();
    Box used = rest.cut_top(beside         ? std::max(blank ? bars : next_to.height, bars)
                            : stands_above ? bars + gap + (blank ? least_maps : over.height)
                                           : top);
    if (beside) {
      draw_maps(frame, painter, used.cut_left(left.width()));
      used.cut_left(apart);
    } else if (stands_above) {
      draw_maps(frame, painter, used.cut_top(used.height() - bars - gap));
      used.cut_top(gap);
    }
    draw_bars(frame, painter, used);
    if (!influence) return;
    rest.cut_top(gap);
    draw_influence(frame, painter, rest.cut_top(std::min(rest.height(), 26 * line)));
  }

  void draw_maps(MixingFrame& frame, Painter& painter, Box rest) {
    if (maps_.all_zeros()) {
      say(painter, rest,
          fmt::format("R of head {} is all zeros: no mixing yet. Each gate sees the token and its "
                      "bias alone, until training changes R.",
                      frame.place.head));
      return;
    }
    maps_.draw(frame, painter, rest);
  }

  void draw_bars(MixingFrame& frame, Painter& painter, Box rest) {
    const int unit = frame.place.to, step = frame.step;
    const Box row = rest.cut_top(painter.line_height() + painter.px(4));
    ImGui::PushID("bars");
    frame.place.to =
        unit_title(frame, painter, "to", row,
                   {fmt::format("pre-activations of unit {} at t = {}: W x + R h + b", unit, step),
                    fmt::format("W x + R h + b of unit {} at t = {}", unit, step),
                    fmt::format("unit {}, t = {}", unit, step)},
                   unit, "Which unit's pre-activations are shown; its row is framed in the maps.");
    draw_mixing_bars(frame, painter, rest);
    ImGui::PopID();
  }

  void draw_influence(MixingFrame& frame, Painter& painter, Box rest) {
    following_ = strip_.follow(frame, frame.scene.exporting ? 1e18 : kMixingProducts);
    const float line = painter.line_height();
    const int unit = frame.place.from, step = frame.step;
    ImGui::PushID("influence");
    const Box row = rest.cut_top(line + painter.px(4));
    frame.place.from = unit_title(
        frame, painter, "from", row,
        {fmt::format("where the output h of unit {} at t = {} goes: d h_t / d h_{} of all units",
                     unit, step, step),
         fmt::format("where h of unit {} at t = {} goes", unit, step),
         fmt::format("unit {}, t = {}", unit, step)},
        unit, "Whose output is followed; its column is framed in the maps.");
    Box axis_row = rest.cut_bottom(2 * line + painter.px(2));
    const std::vector<std::string> said =
        maps_.all_zeros()
            ? std::vector<std::string>{"R is all zeros: no later step sees it.", "R is all zeros"}
            : strip_.summary(frame);
    painter.first_in(rest.cut_top(line), painter.palette().muted_text, said);
    rest.cut_top(painter.px(3));
    Box columns = rest;
    columns.cut_right(painter.px(kMixingRight));
    const float gutter = std::min(strip_.gutter(painter), columns.width() * 0.3f);
    Box plot = columns;
    plot.cut_left(gutter);
    window_.update(frame.trace.length(), frame.scene.snapshot.sequence.cursor, plot,
                   std::max(painter.px(9), axis_.letter_width(frame.scene, painter)),
                   painter.px(120));
    axis_row.cut_right(painter.px(kMixingRight));
    strip_.draw(frame, painter, window_, gutter, columns);
    axis_.draw(frame.scene, painter, axis_row, gutter, window_, {}, card_);
    ImGui::PopID();
  }

  MixingPlace place_;
  MixingMaps maps_;
  InfluenceStrip strip_;
  TimeWindow window_;
  TimeAxis axis_;
  bool following_ = false;
  Hover hover_;
  std::optional<ValueRef> pinned_;

  // Of this frame.
  HoverCard card_;
  std::optional<ValueRef> value_;
};

}  // namespace

std::unique_ptr<View> make_mixing_view() {
  return std::make_unique<MixingView>();
}

}  // namespace xlab::ui
