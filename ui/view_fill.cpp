// How full the matrix memory of a head is: its directions over time, and whether what was stored
// comes back.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/fill_lanes.hpp"
#include "ui/fill_table.hpp"
#include "ui/ground.hpp"
#include "ui/time_axis.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

/// Products in a frame: about three thousandths of a second.
constexpr double kProductsInAFrame = 4e6;
constexpr float kRightOfLanes = 9.0f;  ///< logical pixels right of the columns

class FillView : public View {
 public:
  std::string name() const override { return "fill"; }
  std::string title() const override { return "Memory fill"; }
  std::string neighbour() const override { return "memory"; }
  ImVec2 minimum_size() const override { return {300, 220}; }
  Table table(const Scene& scene) const override { return fill_table(scene); }
  bool animating(const Scene&) const override { return shown_.busy(); }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "fill", size);
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
    const Snapshot& snapshot = scene.snapshot;
    if (!focused_block(snapshot, scene.focus)) {
      say_no_run(painter, rest, "see how full its memory is");
      return;
    }
    Box row = rest.cut_top(painter.line_height() + painter.px(4));
    rest.cut_top(painter.px(3));
    choose_block_and_head(scene, painter, row, "Whose memory is looked into.", card_);
    const BlockCard& block = *focused_block(snapshot, scene.focus);
    const int number = block_in_focus(scene), head = focused_head(block, scene.focus);
    if (!block.has_matrix) {
      say(painter, rest,
          fmt::format("Block {} is an {}: it remembers one number a unit, not a matrix whose "
                      "directions could be counted. Choose another block.",
                      number, block.title));
      return;
    }
    if (!snapshot.trace || snapshot.trace->length() == 0 || snapshot.sequence.tokens.empty() ||
        snapshot.sequence.cursor < 0) {
      say(painter, rest,
          "The memory is empty: there are no tokens yet. Write a prompt or take a new sample and "
          "step through it.");
      return;
    }
    shown_.use(snapshot, number, head,
               scene.exporting ? std::numeric_limits<double>::infinity() : kProductsInAFrame);
    if (!shown_.recorded()) {
      say(painter, rest, "The keys, values and gates of this block were not recorded.");
      return;
    }
    pictures(scene, painter, rest, block);
  }

  void pictures(Scene& scene, Painter& painter, Box rest, const BlockCard& block) {
    const float line = painter.line_height(), title = line + painter.px(3);
    const Box gauge = rest.cut_top(line + painter.px(8));
    const Box axis_row = rest.cut_bottom(std::min(2 * line + painter.px(2), rest.height() / 3));
    rest.cut_bottom(painter.px(3));
    arrange(scene, painter, rest);
    FillFrame frame{scene,    block,         shown_,   window_, gutter_,
                    pointed_, next_pointed_, hovered_, card_,   drag_};
    draw_fill_gauge(frame, painter, gauge);
    // The answers matter most, then the rank; singular values go first where there is no room.
    const bool three = rest.height() > 16 * line, two = rest.height() > 8 * line;
    const float whole = rest.height();
    Box answers = two ? rest.cut_bottom(whole * (three ? 0.38f : 0.55f)) : std::exchange(rest, {});
    Box singular = three ? rest.cut_bottom(whole * 0.34f) : Box{};
    if (two) {
      draw_rank_title(frame, painter, rest.cut_top(title));
      draw_rank(frame, painter, plot(painter, rest));
    }
    if (three) {
      singular.cut_top(painter.px(5));
      draw_singular_title(frame, painter, singular.cut_top(title));
      const Box legend = singular.cut_bottom(line);
      singular.cut_bottom(painter.px(2));
      draw_singular(frame, painter, plot(painter, singular));
      draw_singular_legend(frame, painter, legend);
    }
    if (two) answers.cut_top(painter.px(5));
    if (answers.height() > 3 * line) draw_requery_title(frame, painter, answers.cut_top(title));
    if (answers.height() > 5 * line) draw_requery_keys(frame, painter, answers.cut_top(title));
    if (shown_.has_now()) {
      draw_requery(frame, painter, plot(painter, answers));
    } else {
      say(painter, answers,
          fmt::format("The memory of block {} is on its way.", block_in_focus(scene)));
    }
    axis_.draw(scene, painter, axis_row, gutter_, window_, std::nullopt, card_);
  }

  /// The part of a lane where steps stand.
  Box plot(const Painter& painter, Box box) const {
    box.cut_left(gutter_);
    box.max.x = std::min(box.max.x - painter.px(kRightOfLanes),
                         box.min.x + window_.column_width() * static_cast<float>(window_.count()));
    return box;
  }

  /// Which steps are visible, and the room for numbers left of them.
  void arrange(const Scene& scene, const Painter& painter, const Box& room) {
    gutter_ = std::min(painter.px(48), room.width() * 0.4f);
    Box columns = room;
    columns.cut_left(gutter_);
    columns.cut_right(painter.px(kRightOfLanes));
    window_.update(static_cast<int>(scene.snapshot.sequence.tokens.size()),
                   scene.snapshot.sequence.cursor, columns,
                   std::max(painter.px(9), axis_.letter_width(scene, painter)), painter.px(120));
  }

  FillShown shown_;
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

std::unique_ptr<View> make_fill_view() {
  return std::make_unique<FillView>();
}

}  // namespace xlab::ui
