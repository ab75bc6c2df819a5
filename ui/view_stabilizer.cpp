// The stabilizer lab: who sets the scale m of a memory, what its exponentials would be without it,
// and the same cell computed with it and without it until the first number that is none.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "ui/ground.hpp"
#include "ui/range_gauge.hpp"
#include "ui/stabilizer_controls.hpp"
#include "ui/stabilizer_frame.hpp"
#include "ui/stabilizer_lanes.hpp"
#include "ui/stabilizer_side.hpp"
#include "ui/stabilizer_table.hpp"
#include "ui/time_axis.hpp"
#include "ui/time_window.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

/// Of the replays in one frame, in operations on a key: a long sequence takes several frames. A
/// step costs about this many more.
constexpr int kWorkOfAFrame = 16384, kWorkOfAStep = 32;
/// From this width on the words stand beside the lanes, in logical pixels.
constexpr float kBeside = 700.0f;

class StabilizerView : public View {
 public:
  std::string name() const override { return "stabilizer"; }
  std::string title() const override { return "Stabilizer lab"; }
  std::string neighbour() const override { return "gates"; }
  ImVec2 minimum_size() const override { return {340, 240}; }
  bool animating(const Scene&) const override { return more_; }
  Table table(const Scene& scene) const override { return stabilizer_table(scene, choice_); }

  std::string kept() const override {
    return fmt::format("{} {} {}", choice_.unit, xlab::name_of(choice_.format), choice_.threshold);
  }
  void restore(const std::string& kept) override {
    std::istringstream words(kept);
    StabilizerChoice choice;
    std::string format;
    double threshold = 0.0;
    if (!(words >> choice.unit >> format >> threshold) || choice.unit < 0) return;
    const auto named = std::find_if(std::begin(kReplayFormats), std::end(kReplayFormats),
                                    [&](NumberFormat one) { return xlab::name_of(one) == format; });
    const auto known = std::find(std::begin(kThresholds), std::end(kThresholds), threshold);
    if (named == std::end(kReplayFormats) || known == std::end(kThresholds)) return;
    choice.format = *named;
    choice.threshold = *known;
    choice_ = choice;
  }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "stabilizer", size);
    Painter painter(scene);
    hovered_.reset();
    card_.begin(false);
    pointed_ = std::exchange(next_pointed_, -1);
    more_ = false;
    if (panel.usable()) contents(scene, painter, panel.content());
    hover_.set(scene.focus, hovered_);
    card_.draw(scene);
  }

 private:
  void contents(Scene& scene, Painter& painter, Box rest) {
    rest = rest.inset(painter.px(8), painter.px(6));
    if (!focused_block(scene.snapshot, scene.focus)) {
      say_no_run(painter, rest, "see what its stabilizer does");
      return;
    }
    const float control = painter.line_height() + painter.px(4);
    {
      // The unit within what this block has, whatever was chosen for another one.
      const BlockCard& block = *focused_block(scene.snapshot, scene.focus);
      StabilizerChoice shown = within(block);
      draw_stabilizer_places(scene, painter, rest.cut_top(control), shown, card_);
      if (shown.unit != within(block).unit) choice_.unit = shown.unit;
    }
    rest.cut_top(painter.px(4));
    const BlockCard& block = *focused_block(scene.snapshot, scene.focus);
    if (const std::string why = why_no_stabilizer(block); !why.empty()) {
      say(painter, rest, why);
      return;
    }
    if (!scene.snapshot.trace || scene.snapshot.trace->length() == 0) {
      say(painter, rest,
          "Nothing is recorded yet. Write a prompt or take a new sample to see who sets the scale "
          "of the memory.");
      return;
    }
    if (rest.height() > 5 * control) {
      draw_model_switches(scene, painter, rest.cut_top(control), block, card_);
      rest.cut_top(painter.px(4));
      draw_replay_switches(painter, rest.cut_top(control), choice_, card_);
      rest.cut_top(painter.px(4));
    }
    lab(scene, painter, rest, block);
  }

  StabilizerChoice within(const BlockCard& block) const {
    StabilizerChoice choice = choice_;
    choice.unit = std::clamp(choice.unit, 0, std::max(0, block.value_dim - 1));
    return choice;
  }

  void lab(Scene& scene, Painter& painter, Box rest, const BlockCard& block) {
    const StabilizerChoice choice = within(block);
    const int work = kWorkOfAStep + (block.scan == Scan::mlstm ? std::max(0, block.key_dim) : 0);
    const int most =
        scene.exporting ? std::numeric_limits<int>::max() : std::max(32, kWorkOfAFrame / work);
    more_ = shown_.use(scene.snapshot, block, focused_head(block, scene.focus), choice, most);
    StabilizerFrame frame{scene,    block,         shown_,   choice, window_, gutter_,
                          pointed_, next_pointed_, hovered_, card_,  drag_};
    const float line = painter.line_height();
    const Box axis_row = rest.cut_bottom(std::min(2 * line + painter.px(2), rest.height() / 3));
    rest.cut_bottom(painter.px(3));

    const bool beside = rest.width() >= painter.px(kBeside);
    const float side_width =
        beside ? std::clamp(rest.width() * 0.34f, painter.px(280), painter.px(420)) : 0.0f;
    float bar = ImGui::GetStyle().ScrollbarSize;
    const auto heights = [&](float width) {
      const float lanes = stabilizer_lanes_height(painter, frame);
      const float side = range_gauge_height(painter) + painter.px(8) +
                         stabilizer_side_height(frame, painter, beside ? side_width : width);
      return std::pair(lanes, side);
    };
    auto [lanes, side] = heights(rest.width() - bar);
    const float needed = beside ? std::max(lanes, side) : lanes + painter.px(10) + side;
    if (needed <= rest.height()) bar = 0.0f;
    const float whole = std::max(needed, rest.height());
    if (!beside) lanes = std::max(lanes, whole - painter.px(10) - side);

    Box lanes_room = rest;
    lanes_room.cut_right(bar + (beside ? side_width + painter.px(14) : 0.0f));
    arrange(frame, painter, lanes_room, beside ? whole : lanes);
    frame.gutter = gutter_;

    ImGui::SetCursorScreenPos(rest.min);
    ImGui::BeginChild("lab", {std::max(rest.width(), 1.0f), std::max(rest.height(), 1.0f)}, false,
                      ImGuiWindowFlags_NoNav);
    {
      Painter inner(scene);
      const ImVec2 origin = ImGui::GetCursorScreenPos();
      Box column{{rest.min.x, origin.y}, {rest.max.x - bar, origin.y + whole}};
      Box words = beside ? column.cut_right(side_width) : Box{};
      if (beside) {
        column.cut_right(painter.px(14));
        draw_stabilizer_lanes(frame, inner, column);
      } else {
        draw_stabilizer_lanes(frame, inner, column.cut_top(lanes));
        column.cut_top(painter.px(10));
        words = column;
      }
      // Beside the lanes it may have what the words leave, up to twice what it needs.
      const float least = range_gauge_height(inner);
      const float free = beside ? std::clamp(whole - side, 0.0f, 0.8f * least) : 0.0f;
      draw_range_gauge(frame, inner, words.cut_top(least + free));
      words.cut_top(painter.px(8));
      draw_stabilizer_side(frame, inner, words);
      ImGui::SetCursorScreenPos({origin.x, origin.y + whole - 1.0f});
      ImGui::Dummy({1.0f, 1.0f});
    }
    ImGui::EndChild();
    Box axis = axis_row;
    axis.max.x = lanes_room.max.x;
    axis_.draw(scene, painter, axis, gutter_, window_, std::nullopt, card_);
  }

  /// Which steps are visible, and the room for numbers left of them: it only grows while the same
  /// is shown, so that nothing sways while numbers change.
  void arrange(StabilizerFrame& frame, const Painter& painter, const Box& room, float height) {
    const Snapshot& snapshot = frame.scene.snapshot;
    const std::string now = fmt::format("{} {} {}", snapshot.run_id, frame.block.prefix,
                                        static_cast<double>(painter.px(1)));
    if (now != arranged_) gutter_ = 0.0f;
    arranged_ = now;
    const float narrowest = std::max(painter.px(9), axis_.letter_width(frame.scene, painter));
    const TimeWindow before = window_;
    for (int round = 0; round < 3; ++round) {
      Box plot = room;
      plot.cut_left(std::min(gutter_, room.width() * 0.4f));
      window_ = before;
      window_.update(snapshot.trace->length(), snapshot.sequence.cursor, plot, narrowest,
                     painter.px(64));
      const float wanted = stabilizer_gutter(painter, frame, height);
      if (wanted <= gutter_) break;
      gutter_ = std::ceil(wanted / painter.px(6)) * painter.px(6);
    }
    gutter_ = std::min(gutter_, room.width() * 0.4f);
  }

  StabilizerChoice choice_;
  StabilizerShown shown_;
  TimeWindow window_;
  TimeAxis axis_;
  CursorDrag drag_;
  Hover hover_;
  HoverCard card_;
  std::optional<ValueRef> hovered_;
  std::string arranged_;  ///< what the room for numbers was found for
  float gutter_ = 0.0f;
  int pointed_ = -1, next_pointed_ = -1;
  bool more_ = false;
};

}  // namespace

std::unique_ptr<View> make_stabilizer_view() {
  return std::make_unique<StabilizerView>();
}

}  // namespace xlab::ui
