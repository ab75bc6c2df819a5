// The gates of one block over time. Dragging a pre-activation holds it at a value.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "ui/clamp_handles.hpp"
#include "ui/first_hint.hpp"
#include "ui/gate_curves.hpp"
#include "ui/gate_frame.hpp"
#include "ui/gate_header.hpp"
#include "ui/gate_lanes.hpp"
#include "ui/gate_layout.hpp"
#include "ui/gate_rows.hpp"
#include "ui/gate_strip.hpp"
#include "ui/gate_table.hpp"
#include "ui/ghost.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/number.hpp"
#include "ui/symbol_card.hpp"
#include "ui/time_axis.hpp"
#include "ui/time_window.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

class GatesView : public View {
 public:
  std::string name() const override { return "gates"; }
  std::string title() const override { return "Gates"; }
  ImVec2 minimum_size() const override { return {320, 200}; }
  bool animating(const Scene& scene) const override {
    return hint_.animating(scene) || clamps_.waiting();
  }
  Table table(const Scene& scene) const override { return gate_table(scene, unit_.chosen); }

  std::string kept() const override { return std::to_string(unit_.chosen); }
  void restore(const std::string& kept) override {
    int unit = -1;
    const auto [end, error] = std::from_chars(kept.data(), kept.data() + kept.size(), unit);
    if (error == std::errc() && unit >= 0) unit_.chosen = unit;
  }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "gates", size);
    Painter painter(scene);
    under_.value.reset();
    under_.range.reset();
    under_.card.begin(clamps_.busy());
    unit_.preview = std::exchange(unit_.next_preview, -1);
    hint_.follow(scene);
    if (panel.usable()) contents(scene, painter, panel.content());
    clamps_.settle(scene);
    hover_.set(scene.focus, under_.value);
    under_.card.draw(scene);
  }

 private:
  void contents(Scene& scene, Painter& painter, Box rest) {
    rest = rest.inset(painter.px(8), painter.px(6));
    if (!focused_block(scene.snapshot, scene.focus)) {
      say_no_run(painter, rest, "see its gates here");
      return;
    }
    draw_gate_header(scene, painter, rest.cut_top(painter.line_height() + painter.px(4)),
                     under_.card);
    rest.cut_top(painter.px(4));
    const BlockCard& block = *focused_block(scene.snapshot, scene.focus);
    const Trace* trace = scene.snapshot.trace.get();
    if (!trace || trace->length() == 0) {
      say(painter, rest,
          "Nothing is recorded yet. Write a prompt or take a new sample, then drag a curve to "
          "change what the model remembers.");
      return;
    }
    const std::vector<GateRow> rows = gate_rows(block);
    if (rows.empty()) {
      say(painter, rest, "This block has no gates that could be shown.");
      return;
    }
    lanes_.use(scene.snapshot.trace, ghost_trace(scene));
    GateFrame frame{scene, block, *trace, window_, layout_, lanes_, clamps_, hint_, unit_, under_};
    const Box axis_row =
        rest.cut_bottom(std::min(2 * painter.line_height() + painter.px(2), rest.height() / 3));
    rest.cut_bottom(painter.px(3));
    draw_rows(frame, painter, rows, rest);
    axis_.draw(scene, painter, axis_row, layout_.gutter(), window_, under_.range, under_.card);
  }

  /// The rows, which scroll where they are higher than the view.
  void draw_rows(GateFrame& frame, Painter& painter, const std::vector<GateRow>& rows,
                 const Box& rest) {
    const float extra = rest.height() - layout_.stack(painter, rows, 0.0f);
    const float bar = extra < 0.0f ? ImGui::GetStyle().ScrollbarSize : 0.0f;
    const float height = layout_.stack(painter, rows, std::max(extra, 0.0f));
    Box plot = rest;
    plot.cut_right(bar + painter.px(GateLayout::kRightMargin));
    const float narrowest = std::max(painter.px(9), axis_.letter_width(frame.scene, painter));
    layout_.arrange(frame, painter, rows, plot, narrowest, window_);

    ImGui::SetCursorScreenPos(rest.min);
    ImGui::BeginChild("rows", {std::max(rest.width(), 1.0f), std::max(rest.height(), 1.0f)}, false,
                      ImGuiWindowFlags_NoNav);
    {
      Painter inner(frame.scene);
      const ImVec2 origin = ImGui::GetCursorScreenPos();
      Box column{{rest.min.x, origin.y}, {rest.max.x - bar, origin.y + height}};
      for (std::size_t i = 0; i < rows.size(); ++i) {
        ImGui::PushID(static_cast<int>(i));
        const bool folded = layout_.folded(rows[i]);  // before a click of this frame
        draw_title(frame, inner, rows[i], column.cut_top(GateLayout::title_height(inner)));
        if (!folded) draw_lanes(frame, inner, rows[i], column);
        ImGui::PopID();
      }
      // Over all rows: its sentence may be higher than the lane it is about.
      hint_.draw(frame.scene, inner, window_, rest);
      ImGui::SetCursorScreenPos({origin.x, origin.y + height - 1.0f});
      ImGui::Dummy({1.0f, 1.0f});
    }
    ImGui::EndChild();
  }

  void draw_title(GateFrame& frame, Painter& painter, const GateRow& row, Box title) {
    const float width = title.width();
    const bool folded = layout_.folded(row);
    // Out of sight too: the keyboard brings it back.
    const Touch mouse = control(painter, "fold", title, {.arrows = Arrows::column, .group = 1});
    if (mouse.pressed) layout_.fold(row, !folded);
    if (!ImGui::IsRectVisible(title.min, title.max)) return;
    title = title.inset(0, painter.px(2));
    title.cut_right(painter.px(GateLayout::kRightMargin));
    const Palette& palette = painter.palette();
    painter.text_in(title.cut_left(painter.px(14)),
                    mouse.hovered ? palette.text : palette.muted_text, folded ? "▸" : "▾");
    title.cut_left(painter.badge({title.min.x, title.min.y}, gate_style(palette, row.gate)) +
                   painter.px(6));
    const Box names = title;
    if (!folded && row.lanes.front().kind == LaneKind::strip) {
      draw_strip_legend(frame, painter, row, width, title);
    }
    const std::string shown = painter.fit_first(row.titles, title.width());
    if (title.contains(mouse.mouse) && mouse.hovered) {
      // A symbol says what it means, everything else what the row is about.
      explain_symbol(under_.card, painter, frame.block, title, shown);
      under_.card.explain(
          names,
          {{row.titles.front(), true}, {row.words}, {folded ? "Click: unfold." : "Click: fold."}});
    }
    painter.text_in(title, palette.text, shown);
  }

  /// How to read the strip of a row, at the right of its title. Where there is no room for both,
  /// the name of the row stays; the hover says the rest.
  void draw_strip_legend(GateFrame& frame, Painter& painter, const GateRow& row, float width,
                         Box& title) {
    const StripLane& look = strip_in(frame, painter, row.lanes.front(), width);
    const float full = legend_width(painter, *look.scale, look.legend);
    const float free = title.width() - painter.measure(row.titles.back()).x - painter.px(8);
    const float taken = std::min(full, free);
    if (taken <= painter.px(90)) return;
    const Box box = title.cut_right(taken);
    draw_legend(painter, box, *look.scale, look.legend);
    under_.card.explain(box,
                        {{fmt::format("Colours from {} to {}: {}.", short_number(look.scale->low()),
                                      short_number(look.scale->high()), look.legend.scope)}});
    title.cut_right(painter.px(8));
  }

  void draw_lanes(GateFrame& frame, Painter& painter, const GateRow& row, Box& column) {
    for (std::size_t i = 0; i < row.lanes.size(); ++i) {
      const Lane& lane = row.lanes[i];
      Box box = column.cut_top(layout_.lane_height(lane));
      column.cut_top(painter.px(4));
      const Box gutter = box.cut_left(layout_.gutter());
      box.cut_right(painter.px(GateLayout::kRightMargin));
      box.max.x = std::min(
          box.max.x, box.min.x + window_.column_width() * static_cast<float>(window_.count()));
      if (lane.clampable) hint_.bring_into_view(frame.scene, frame.path(lane), box);
      if (!ImGui::IsRectVisible(gutter.min, box.max) || box.empty()) continue;
      ImGui::PushID(static_cast<int>(i));
      if (lane.kind == LaneKind::strip) {
        draw_gate_strip(frame, painter, lane, gutter, box);
      } else {
        draw_gate_curves(frame, painter, lane, gutter, box);
      }
      ImGui::PopID();
    }
    column.cut_top(painter.px(4));
  }

  TimeWindow window_;
  GateLayout layout_;
  GateLanes lanes_;
  ClampHandles clamps_;
  FirstHint hint_;
  TimeAxis axis_;
  Hover hover_;
  UnitChoice unit_;
  UnderMouse under_;
};

}  // namespace

std::unique_ptr<View> make_gates_view() {
  return std::make_unique<GatesView>();
}

}  // namespace xlab::ui
