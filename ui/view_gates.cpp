// The gates of one block over time. Dragging a pre-activation holds it at a value.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/explain.hpp"
#include "ui/gate_lanes.hpp"
#include "ui/gate_rows.hpp"
#include "ui/heat.hpp"
#include "ui/number.hpp"
#include "ui/panel.hpp"
#include "ui/plot.hpp"
#include "ui/time_window.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

constexpr float kCurveHeight = 44.0f, kStripHeight = 34.0f, kTallest = 120.0f;
constexpr float kReach = 8.0f;        ///< how near the mouse has to be to a curve to mean it
constexpr float kRightMargin = 9.0f;  ///< room for the mark of the selected unit
constexpr float kDragStart = 3.0f;
constexpr double kLargestClamp = 60.0;  ///< as far as dragging goes, and it says so there
constexpr double kPulse = 60.0;         ///< seconds the first hint moves

/// One end of a clamp being dragged along time.
struct RangeDrag {
  int index = 0;
  bool end = false;  ///< the last step, else the first
  Clamp clamp;       ///< as it was sent last
};

/// A curve being dragged; the axis stays as it was when the drag began.
struct Drag {
  std::string path;
  int head = 0, unit = 0, begin = 0, end = 0, step = 0;
  Axis axis;
  Box box;
  ImVec2 start{0, 0};
  bool moved = false;
  float sent = std::numeric_limits<float>::quiet_NaN();
};

const float* value_at(const Series& series, int step) {
  const auto found = std::lower_bound(series.steps.begin(), series.steps.end(), step);
  if (found == series.steps.end() || *found != step) return nullptr;
  return &series.values[static_cast<std::size_t>(found - series.steps.begin())];
}

void draw_lock(Painter& painter, ImVec2 centre, ImU32 colour) {
  const float w = painter.px(4.0f), h = painter.px(3.0f), r = painter.px(2.6f);
  painter.fill({{centre.x - w, centre.y - painter.px(0.5f)},
                {centre.x + w, centre.y + 2 * h - painter.px(0.5f)}},
               colour, painter.px(1));
  painter.list().PathArcTo({centre.x, centre.y - painter.px(0.5f)}, r, 3.14159265f, 6.2831853f, 8);
  painter.list().PathStroke(colour, 0, painter.px(1.5f));
}

class GatesView : public View {
 public:
  std::string name() const override { return "gates"; }
  std::string title() const override { return "Gates"; }
  ImVec2 minimum_size() const override { return {320, 200}; }

  bool animating(const Scene& scene) const override {
    return hint_in_block(scene) && !(pulsed_out_ && pulsing_ == scene.focus.hint_target);
  }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "gates", size);
    Painter painter(scene);
    hovered_.reset();
    card_.clear();
    preview_ = std::exchange(next_preview_, -1);
    range_.reset();
    hinted_ = {};
    time_hint(scene);
    if (panel.usable()) contents(scene, painter, panel.content());
    if (!ImGui::IsMouseDown(ImGuiMouseButton_Left)) {
      drag_.reset();
      range_drag_.reset();
    }
    hover_.set(scene.focus, hovered_);
    if (!card_.empty()) hover_card(scene, card_);
  }

  Table table(const Scene& scene) const override;

 private:
  void contents(Scene& scene, Painter& painter, Box rest) {
    const float pad = painter.px(8);
    rest = rest.inset(pad, painter.px(6));
    const BlockCard* block = focused_block(scene.snapshot, scene.focus);
    if (!block) {
      say(painter, rest, "No run is open. Open or make one to see its gates here.");
      return;
    }
    header(scene, painter, rest.cut_top(painter.line_height() + painter.px(4)));
    rest.cut_top(painter.px(4));
    block = focused_block(scene.snapshot, scene.focus);
    const std::vector<GateRow>& rows = gate_rows(*block);
    const Trace* trace = scene.snapshot.trace.get();
    if (!trace || trace->length() == 0) {
      say(painter, rest,
          "Nothing is recorded yet. Write a prompt or take a new sample, then drag a curve to "
          "change what the model remembers.");
      return;
    }
    if (rows.empty()) {
      say(painter, rest, "This block has no gates that could be shown.");
      return;
    }

    lanes_.use(scene.snapshot);
    const float line = painter.line_height();
    const Box axis_row = rest.cut_bottom(std::min(2 * line + painter.px(2), rest.height() / 3));
    rest.cut_bottom(painter.px(3));
    const float extra = rest.height() - layout(painter, rows, 0.0f);
    const bool scrolls = extra < 0.0f;
    const float bar = scrolls ? ImGui::GetStyle().ScrollbarSize : 0.0f;
    layout(painter, rows, std::max(extra, 0.0f));
    Box plot = rest;
    plot.cut_right(bar + painter.px(kRightMargin));
    arrange(scene, painter, *block, rows, plot);

    ImGui::SetCursorScreenPos(rest.min);
    ImGui::BeginChild("rows", {std::max(rest.width(), 1.0f), std::max(rest.height(), 1.0f)}, false,
                      ImGuiWindowFlags_NoNav);
    {
      Painter inner(scene);
      const ImVec2 origin = ImGui::GetCursorScreenPos();
      const float height = layout(painter, rows, std::max(extra, 0.0f));
      Box column{{rest.min.x, origin.y}, {rest.max.x - bar, origin.y + height}};
      for (std::size_t i = 0; i < rows.size(); ++i) {
        draw_row(scene, inner, *block, *trace, rows[i], static_cast<int>(i), column);
      }
      // Over all rows: its sentence may be higher than the lane it is about.
      if (hinted_.lane) draw_hint(scene, inner, rest);
      ImGui::SetCursorScreenPos({origin.x, origin.y + height - 1.0f});
      ImGui::Dummy({1.0f, 1.0f});
    }
    ImGui::EndChild();
    time_axis(scene, painter, axis_row);
  }

  /// Finds out how much room names and numbers need left of the lanes, and which steps fit beside
  /// them. The room for numbers only grows while the same block is shown at the same size of text,
  /// so that nothing sways while numbers change.
  void arrange(const Scene& scene, const Painter& painter, const BlockCard& block,
               const std::vector<GateRow>& rows, const Box& whole) {
    float names = 0.0f;
    if (whole.width() > painter.px(360)) {
      for (const GateRow& row : rows) {
        for (const Lane& lane : row.lanes) {
          for (const LaneCurve& curve : lane.curves) {
            const std::string unit = lane.per_unit && lane.kind == LaneKind::curves ? "[00]" : "";
            names = std::max(names, painter.measure(curve.label + unit).x + painter.px(24));
          }
        }
      }
    }
    gutter_label_ = std::min(names, painter.px(110));
    const std::string shown = fmt::format("{} {} {}", scene.snapshot.run_id, block.prefix,
                                          static_cast<double>(painter.px(1)));
    if (shown != arranged_) numbers_ = painter.px(36);
    arranged_ = shown;
    const float most = whole.width() * 0.3f;
    const float narrowest = std::max(painter.px(9), letter_width(scene, painter));
    const TimeWindow before = window_;
    for (int round = 0; round < 3; ++round) {
      gutter_ = gutter_label_ + std::min(numbers_, most);
      Box plot = whole;
      plot.cut_left(gutter_);
      window_ = before;
      window_.update(scene.snapshot.trace->length(), scene.snapshot.session.cursor, plot, narrowest,
                     painter.px(64));
      float needed = 0.0f;
      for (const GateRow& row : rows) {
        if (folded_.count(fold_key(row))) continue;
        for (const Lane& lane : row.lanes) {
          needed = std::max(needed, margin_of(scene, painter, block, lane));
        }
      }
      if (needed <= numbers_) break;
      // In steps, so that one digit more does not move everything.
      numbers_ = std::ceil(needed / painter.px(6)) * painter.px(6);
    }
  }

  float margin_of(const Scene& scene, const Painter& painter, const BlockCard& block,
                  const Lane& lane) {
    if (lane.kind == LaneKind::strip) {
      const int units = std::max(block.key_dim, block.value_dim);
      return painter.measure(fmt::format("0–{}", units - 1)).x + painter.px(7);
    }
    const std::string path = block.prefix + "/" + lane.curves.front().value;
    const Axis& axis = drag_ && drag_->path == path
                           ? drag_->axis
                           : lanes_.curves(block, lane, place_of(scene, block, lane)).axis;
    return axis_margin(painter, lane_height(lane), axis);
  }

  /// The widest letter among the tokens: columns this wide leave none out. Tokens of several
  /// letters do not count, they are rarely all as wide.
  float letter_width(const Scene& scene, const Painter& painter) {
    const ModelCard* model = scene.snapshot.model.get();
    if (lettered_ == model && letter_scale_ == painter.px(1)) return letter_width_;
    lettered_ = model;
    letter_scale_ = painter.px(1);
    letter_width_ = 0.0f;
    for (int token = 0; token < static_cast<int>(model->vocabulary.size()); ++token) {
      const std::string label = token_label(model, token);
      const auto letters = std::count_if(label.begin(), label.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
      });
      if (letters == 1) letter_width_ = std::max(letter_width_, painter.measure(label).x);
    }
    letter_width_ = std::min(std::ceil(letter_width_), painter.px(15));
    return letter_width_;
  }

  LanePlace place_of(const Scene& scene, const BlockCard& block, const Lane& lane) const {
    return {focused_head(block, scene.focus), shown_unit(block, lane), window_.first(),
            window_.count()};
  }

  /// A sentence on what lies under the mouse, unless something there has said more already.
  void explain_box(const Box& box, std::initializer_list<CardLine> lines) {
    if (!card_.empty() || drag_ || range_drag_) return;
    if (!box.contains(ImGui::GetIO().MousePos) || !ImGui::IsWindowHovered()) return;
    card_.assign(lines);
  }

  void header(Scene& scene, Painter& painter, Box row) {
    const ModelCard& model = *scene.snapshot.model;
    // As many words as there is room for; the number always.
    const auto named = [&](int words) {
      std::vector<std::string> blocks;
      for (std::size_t b = 0; b < model.blocks.size(); ++b) {
        const std::string& cell = model.blocks[b].title;
        blocks.push_back(words == 2   ? fmt::format("block {} {}", b, cell)
                         : words == 1 ? fmt::format("{} {}", b, cell)
                                      : std::to_string(b));
      }
      return blocks;
    };
    const std::size_t clamps = scene.snapshot.session.clamps.size();
    if (clamps > 0) {
      const std::string word =
          clamps == 1 ? std::string("clear clamp") : fmt::format("clear {} clamps", clamps);
      const float width = painter.measure(word).x + painter.px(16);
      if (row.width() > width + painter.px(160)) {
        const Box button = row.cut_right(width);
        if (button_at(painter, "clear", button, word)) scene.send(command::ClearClamps{});
        explain_box(button, {{"Takes every clamp away, so that the model computes freely again."}});
        row.cut_right(painter.px(6));
      }
    }
    const int last = static_cast<int>(model.blocks.size()) - 1;
    const int block = std::clamp(scene.focus.block, 0, last);
    const int heads = model.blocks[static_cast<std::size_t>(block)].heads;
    // Blocks may take what heads leave, at least half.
    Box blocks_row = row;
    const float for_heads =
        std::min(painter.px(40 + 26.0f * static_cast<float>(heads)), row.width() * 0.5f);
    blocks_row.max.x = std::max(blocks_row.min.x, row.max.x - for_heads);
    std::vector<std::string> blocks;
    for (const int words : {2, 1, 0}) {
      blocks = named(words);
      if (chooser_width(painter, blocks) <= blocks_row.width()) break;
    }
    const Box whole_blocks = blocks_row;
    const int chosen = choose_at(painter, "block", blocks_row, blocks, block);
    explain_box(
        {whole_blocks.min, {blocks_row.min.x, whole_blocks.max.y}},
        {{"Which block of the model is shown here and in the other views."},
         {"Block 0 reads the tokens, each other one what the block before it made of them."}});
    if (chosen != block) {
      scene.focus.block = chosen;
      scene.send(command::Focus{chosen});
    }
    row.min.x = blocks_row.min.x;
    row.cut_left(painter.px(6));
    const std::string word = "head";
    const Box heads_row = row;
    if (const float width = painter.measure(word).x + painter.px(5);
        row.width() > width + painter.px(60)) {
      painter.text_in(row.cut_left(width), painter.palette().muted_text, word);
    }
    std::vector<std::string> names;
    for (int h = 0; h < heads; ++h) names.push_back(std::to_string(h));
    const int head = std::clamp(scene.focus.head, 0, std::max(heads - 1, 0));
    const int wanted = choose_at(painter, "head", row, names, head);
    if (wanted != head) scene.focus.head = wanted;
    explain_box({heads_row.min, {row.min.x, heads_row.max.y}},
                {{"Which head of the block is drawn strong."},
                 {"Each head has gates and a memory of its own."}});
    row.cut_left(painter.px(8));
    std::vector<std::string> notes;
    const std::string others = heads > 1 && model.blocks[static_cast<std::size_t>(block)].has_matrix
                                   ? "faint: other heads"
                                   : "";
    if (scene.snapshot.unclamped) {
      notes.push_back((others.empty() ? "" : others + " · ") + "grey: without clamps");
      notes.push_back("grey: without clamps");
    } else if (!others.empty()) {
      notes.push_back(others);
    }
    for (const std::string& note : notes) {
      if (painter.measure(note).x > row.width()) continue;
      painter.text_in(row, painter.palette().muted_text, note, Align::right);
      explain_box(row,
                  {{"Strong: the chosen head. Thin and faint: the other heads, click near one "
                    "to choose it. Grey, where something is held by hand: what the chosen head "
                    "does without clamps."}});
      break;
    }
  }

  /// Heights of everything at `extra` pixels more than needed, shared by the open lanes.
  float layout(const Painter& painter, const std::vector<GateRow>& rows, float extra) {
    int open = 0;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (!folded_.count(fold_key(rows[r]))) open += static_cast<int>(rows[r].lanes.size());
    }
    const float share = open > 0 ? std::floor(extra / static_cast<float>(open)) : 0.0f;
    const float most = painter.px(kTallest);
    curve_height_ = std::min(painter.px(kCurveHeight) + share, most);
    strip_height_ = std::min(painter.px(kStripHeight) + share, most);
    float height = 0.0f;
    for (const GateRow& row : rows) {
      height += title_height(painter);
      if (folded_.count(fold_key(row))) continue;
      for (const Lane& lane : row.lanes) height += lane_height(lane) + painter.px(4);
      height += painter.px(4);
    }
    return height;
  }

  static float title_height(const Painter& painter) {
    return painter.line_height() + painter.px(5);
  }
  float lane_height(const Lane& lane) const {
    return lane.kind == LaneKind::strip ? strip_height_ : curve_height_;
  }
  static std::string fold_key(const GateRow& row) { return row.titles.back(); }

  void draw_row(Scene& scene, Painter& painter, const BlockCard& block, const Trace& trace,
                const GateRow& row, int index, Box& column) {
    ImGui::PushID(index);
    Box title = column.cut_top(title_height(painter));
    const bool folded = folded_.count(fold_key(row)) > 0;
    if (ImGui::IsRectVisible(title.min, title.max)) {
      const Touch mouse = touch("fold", title);
      if (mouse.pressed && folded) folded_.erase(fold_key(row));
      if (mouse.pressed && !folded) folded_.insert(fold_key(row));
      title = title.inset(0, painter.px(2));
      title.cut_right(painter.px(kRightMargin));
      const Palette& palette = painter.palette();
      painter.text_in(title.cut_left(painter.px(14)),
                      mouse.hovered ? palette.text : palette.muted_text, folded ? "▸" : "▾");
      title.cut_left(painter.badge({title.min.x, title.min.y}, gate_style(palette, row.gate)) +
                     painter.px(6));
      const Box names = title;
      if (!folded && row.lanes.front().kind == LaneKind::strip) {
        const StripLane& look = strip_of(scene, painter, block, row.lanes.front(), column.width());
        const float full = legend_width(painter, *look.scale, look.legend);
        const float free = title.width() - painter.measure(row.titles.back()).x - painter.px(8);
        // Where there is no room for both, the name of the row stays; the hover says the rest.
        if (const float width = std::min(full, free); width > painter.px(90)) {
          const Box box = title.cut_right(width);
          draw_legend(painter, box, *look.scale, look.legend);
          explain_box(box,
                      {{fmt::format("Colours from {} to {}: {}.", short_number(look.scale->low()),
                                    short_number(look.scale->high()), look.legend.scope)}});
          title.cut_right(painter.px(8));
        }
      }
      if (title.contains(mouse.mouse) && mouse.hovered) {
        explain_box(names, {{row.titles.front(), true},
                            {gate_sentence(row.gate)},
                            {folded ? "Click: unfold." : "Click: fold."}});
      }
      painter.text_in(title, palette.text, painter.fit_first(row.titles, title.width()));
    }
    if (!folded) {
      for (std::size_t i = 0; i < row.lanes.size(); ++i) {
        Box box = column.cut_top(lane_height(row.lanes[i]));
        column.cut_top(painter.px(4));
        const Box gutter = box.cut_left(gutter_);
        box.cut_right(painter.px(kRightMargin));
        box.max.x = std::min(
            box.max.x, box.min.x + window_.column_width() * static_cast<float>(window_.count()));
        bring_hint_into_view(scene, block.prefix + "/" + row.lanes[i].curves.front().value, box,
                             row.lanes[i].clampable);
        if (!ImGui::IsRectVisible(gutter.min, box.max) || box.empty()) continue;
        ImGui::PushID(static_cast<int>(i));
        if (row.lanes[i].kind == LaneKind::strip) {
          draw_strip(scene, painter, block, trace, row.lanes[i], gutter, box);
        } else {
          draw_curves(scene, painter, block, trace, row.lanes[i], gutter, box);
        }
        ImGui::PopID();
      }
      column.cut_top(painter.px(4));
    }
    ImGui::PopID();
  }

  // -- Strips -------------------------------------------------------------------------------------

  /// The strip of a lane `width` pixels wide, its gutter and the room at its right included.
  const StripLane& strip_of(const Scene& scene, const Painter& painter, const BlockCard& block,
                            const Lane& lane, float width) {
    const float room = width - gutter_ - painter.px(kRightMargin);
    const float columns = window_.column_width() * static_cast<float>(window_.count());
    return lanes_.strip(block, lane, place_of(scene, block, lane), scene.palette,
                        {std::max(std::min(room, columns), 0.0f), lane_height(lane)});
  }

  void draw_strip(Scene& scene, Painter& painter, const BlockCard& block, const Trace& trace,
                  const Lane& lane, const Box& gutter, const Box& box) {
    const Palette& palette = painter.palette();
    const int head = focused_head(block, scene.focus);
    const StripLane& look =
        lanes_.strip(block, lane, place_of(scene, block, lane), scene.palette, box.size());
    const std::string path = block.prefix + "/" + lane.curves.front().value;
    if (look.strip.units == 0) {
      painter.text_in(box, palette.muted_text, "not recorded");
      return;
    }
    draw_heat(painter, scene.images, "gates/" + path, box, look.strip.values, look.strip.units,
              look.strip.steps, *look.scale, look.heat);
    painter.outline(box, palette.grid);
    lane_labels(painter, lane, gutter, box);
    // First and last index where an axis would have its numbers.
    const float line = painter.line_height();
    Box numbers = gutter;
    numbers.cut_left(gutter_label_);
    numbers.cut_right(painter.px(5));
    const std::string last_unit = std::to_string(look.strip.units - 1);
    if (look.strip.units == 1 || numbers.height() < 1.7f * line) {
      const std::string texts[] = {look.strip.units == 1 ? "0" : "0–" + last_unit};
      painter.first_in(numbers, palette.muted_text, texts, Align::right);
    } else {
      const std::string texts[] = {last_unit};
      painter.text_in(numbers.cut_top(line), palette.muted_text, "0", Align::right);
      painter.first_in(numbers.cut_bottom(line), palette.muted_text, texts, Align::right);
    }
    const int unit = std::clamp(unit_, 0, look.strip.units - 1);
    const float h = box.height() / static_cast<float>(look.strip.units);
    const Touch mouse = touch("strip", box);
    const auto row_box = [&](int u) {
      const float middle = box.min.y + h * (static_cast<float>(u) + 0.5f);
      const float half = std::max(h / 2, painter.px(1.5f));
      return Box{{box.min.x, middle - half}, {box.max.x, middle + half}};
    };
    // Held cells are framed: only one unit's curve shows its handles.
    for (const Clamp& c : scene.snapshot.session.clamps) {
      const int last = std::min(c.end, window_.first() + window_.count()) - 1;
      const int first = std::max(c.begin, window_.first());
      if (!c.enabled || c.path != path + "_pre" || c.head != head || last < first) continue;
      if (c.unit < 0 || c.unit >= look.strip.units) continue;
      const Box row = row_box(c.unit);
      painter.outline({{window_.column(first).min.x, row.min.y - 1},
                       {window_.column(last).max.x, row.max.y + 1}},
                      palette.text, painter.px(1.5f));
    }
    // A matrix's n runs over keys, not over units, so there is no curve of the row to point at.
    const bool selects = !block.has_matrix || lane.curves.front().value == "output_gate";
    if (selects) {
      const Box chosen = row_box(unit);
      const ImVec2 tip{box.max.x + painter.px(1), chosen.centre().y};
      const float r = painter.px(4);
      painter.list().AddTriangleFilled(tip, {tip.x + r * 1.6f, tip.y - r},
                                       {tip.x + r * 1.6f, tip.y + r}, palette.accent);
    }
    cursor_line(scene, painter, box);
    if (mouse.hovered || mouse.held) {
      const int step = window_.step_at(mouse.mouse.x);
      const int u = std::clamp(static_cast<int>((mouse.mouse.y - box.min.y) / std::max(h, 1e-3f)),
                               0, look.strip.units - 1);
      hovered_ = ValueRef{path, step, head, u};
      painter.outline({{window_.column(step).min.x, row_box(u).min.y},
                       {window_.column(step).max.x, row_box(u).max.y}},
                      palette.text, painter.line_width());
      if (selects) next_preview_ = u;
      describe(scene, trace, *hovered_, false);
      if (mouse.pressed) {
        if (selects) unit_ = u;
        scene.focus.pinned = hovered_;
      }
    } else {
      mark_focus(scene, painter, path, head, [&](const ValueRef& ref) {
        return ImVec2(window_.x(ref.step),
                      row_box(std::clamp(ref.unit, 0, look.strip.units - 1)).centre().y);
      });
    }
  }

  // -- Curves -------------------------------------------------------------------------------------

  int shown_unit(const BlockCard& block, const Lane& lane) const {
    if (!lane.per_unit) return 0;
    const int units = block.value_dim;
    const int unit = preview_ >= 0 ? preview_ : unit_;
    return std::clamp(unit, 0, std::max(units - 1, 0));
  }

  void draw_curves(Scene& scene, Painter& painter, const BlockCard& block, const Trace& trace,
                   const Lane& lane, const Box& gutter, const Box& box) {
    const Palette& palette = painter.palette();
    const int unit = shown_unit(block, lane), focused = focused_head(block, scene.focus);
    const CurveLane& shown = lanes_.curves(block, lane, place_of(scene, block, lane));
    const std::vector<DrawnCurve>& curves = shown.curves;
    Axis axis = shown.axis;
    const std::string path = block.prefix + "/" + lane.curves.front().value;
    if (drag_ && drag_->path == path) axis = drag_->axis;

    draw_axis(painter, box, axis, gutter_ - gutter_label_);
    painter.outline(box, palette.grid);
    lane_labels(painter, lane, gutter, box);
    cursor_line(scene, painter, box);
    const auto xs_of = [&](const Series& s) {
      std::vector<float> xs;
      xs.reserve(s.steps.size());
      for (const int step : s.steps) xs.push_back(window_.x(step));
      return xs;
    };
    for (const Series& ghost : shown.ghosts) {
      const bool stepped = lane.curves.front().gate == 'm';
      draw_curve(
          painter, box, axis, xs_of(ghost), ghost.values,
          {with_alpha(palette.muted_text, 0.75f), painter.line_width(), Dash::solid, stepped});
    }
    bool any = false;
    // Faint ones first, so that the focused head is on top.
    for (const bool main : {false, true}) {
      for (const DrawnCurve& curve : curves) {
        if (curve.main != main) continue;
        any |= !curve.series.values.empty();
        draw_curve(painter, box, axis, xs_of(curve.series), curve.series.values,
                   stroke_of(painter, lane, curve, focused));
      }
    }
    if (!any) painter.text_in(box, palette.muted_text, "not recorded", Align::centre);
    if (lane.clampable) dots(painter, curves, axis, box);

    const std::vector<Tag> tags = lane.clampable
                                      ? clamp_tags(scene, painter, path, unit, focused, axis, box)
                                      : std::vector<Tag>{};
    bool on_cross = false;
    for (const Tag& tag : tags) {
      ImGui::PushID(tag.index);
      const Touch cross = touch("remove", tag.close);
      ImGui::PopID();
      if (cross.pressed) scene.send(command::RemoveClamp{tag.index});
      on_cross |= cross.hovered || cross.held;
    }
    if (lane.clampable) on_cross |= range_handles(scene, painter, path, unit, focused, axis, box);
    Touch mouse = touch("lane", box);
    if ((on_cross && !drag_) || range_drag_) mouse = {};
    if (lane.clampable) {
      draw_clamps(scene, painter, path, unit, focused, axis, box);
      draw_ends(scene, painter, path, unit, focused, axis, box);
      for (const Tag& tag : tags) draw_tag(painter, tag);
    }
    interact(scene, painter, trace, lane, curves, mouse, axis, box, unit);
    if (!mouse.hovered && !mouse.held) {
      for (const LaneCurve& curve : lane.curves) {
        const std::string this_path = block.prefix + "/" + curve.value;
        mark_focus(scene, painter, this_path, -1, [&](const ValueRef& ref) {
          const float* number = number_at(&trace, ref);
          const bool here = number && (!lane.per_unit || ref.unit == unit);
          const float y = here ? axis.y(*number, box) : NAN;
          return ImVec2(window_.x(ref.step), y);
        });
      }
    }
    if (lane.clampable && hint_is_here(scene, path)) hinted_ = {&shown, axis, box};
  }

  static Stroke stroke_of(const Painter& painter, const Lane& lane, const DrawnCurve& curve,
                          int focused) {
    const Palette& palette = painter.palette();
    const std::string value = value_name(curve.path);
    for (const LaneCurve& spec : lane.curves) {
      if (spec.value != value) continue;
      GateStyle style = gate_style(palette, spec.gate);
      if (spec.secondary) {
        return {palette.muted_text, painter.line_width() * 0.8f, Dash::dotted, false};
      }
      const bool strong = curve.head == focused;
      // A style's width tells gates apart; strength tells heads apart.
      const float width = painter.line_width() * style.width * (strong ? 1.6f : 0.7f);
      const float faint = palette.name == PaletteName::dark ? 0.7f : 0.45f;
      return {with_alpha(style.colour, strong ? 1.0f : faint), width, style.dash, style.stepped};
    }
    return {palette.text, painter.line_width(), Dash::solid, false};
  }

  /// Points of the focused head, where they can be told apart: there is something to take hold of.
  void dots(Painter& painter, const std::vector<DrawnCurve>& curves, const Axis& axis,
            const Box& box) const {
    if (window_.column_width() < painter.px(9)) return;
    for (const DrawnCurve& curve : curves) {
      if (!curve.main) continue;
      for (std::size_t i = 0; i < curve.series.steps.size(); ++i) {
        const float value = curve.series.values[i];
        if (!std::isfinite(value)) continue;
        const ImVec2 at{window_.x(curve.series.steps[i]), axis.y(value, box)};
        painter.list().AddCircleFilled(at, painter.px(2.6f), painter.palette().text, 10);
      }
    }
  }

  /// Name and line style of what a lane shows, left of it.
  void lane_labels(Painter& painter, const Lane& lane, const Box& gutter, const Box& box) const {
    if (gutter_label_ <= 0.0f) return;
    const Palette& palette = painter.palette();
    const float line = painter.line_height();
    const float rows = static_cast<float>(lane.curves.size());
    float y = box.centre().y - line * rows / 2;
    for (const LaneCurve& curve : lane.curves) {
      Box row{{gutter.min.x, y}, {gutter.min.x + gutter_label_ - painter.px(2), y + line}};
      y += line;
      if (lane.kind == LaneKind::curves && box.height() > line * rows * 0.9f) {
        const Box sample = row.cut_left(painter.px(16));
        const GateStyle style = gate_style(palette, curve.gate);
        const Stroke stroke =
            curve.secondary
                ? Stroke{palette.muted_text, painter.line_width() * 0.8f, Dash::dotted, false}
                : Stroke{style.colour, painter.line_width() * style.width * 1.4f, style.dash,
                         false};
        painter.line({sample.min.x, sample.centre().y},
                     {sample.max.x - painter.px(2), sample.centre().y}, stroke);
        row.cut_left(painter.px(2));
      }
      std::string label = curve.label;
      if (lane.per_unit && lane.kind == LaneKind::curves && !curve.secondary &&
          lane.curves.size() == 1) {
        const int unit = preview_ >= 0 ? preview_ : unit_;
        const std::string with_unit = fmt::format("{}[{}]", label, unit);
        if (painter.measure(with_unit).x <= row.width()) label = with_unit;
      }
      painter.text_in(row, palette.text, label);
    }
  }

  void cursor_line(const Scene& scene, Painter& painter, const Box& box) const {
    const int cursor = scene.snapshot.session.cursor;
    if (!window_.shows(cursor)) return;
    const float x = window_.x(cursor);
    painter.line({x, box.min.y}, {x, box.max.y},
                 {with_alpha(painter.palette().cursor, 0.8f), painter.line_width()});
  }

  /// Rings where another view points at a value of this lane, and a square where one is pinned.
  template <typename Place>
  void mark_focus(const Scene& scene, Painter& painter, const std::string& path, int head,
                  Place place) const {
    const auto fits = [&](const std::optional<ValueRef>& ref) {
      return ref && ref->path == path && window_.shows(ref->step) &&
             (head < 0 || ref->head == head);
    };
    const Palette& palette = painter.palette();
    if (fits(scene.focus.hovered)) {
      const ImVec2 at = place(*scene.focus.hovered);
      if (std::isfinite(at.y)) {
        painter.list().AddCircle(at, painter.px(6), palette.accent, 20, painter.px(2));
      }
    }
    if (fits(scene.focus.pinned)) {
      const ImVec2 at = place(*scene.focus.pinned);
      const float r = painter.px(5);
      if (std::isfinite(at.y)) {
        painter.list().AddQuad({at.x, at.y - r}, {at.x + r, at.y}, {at.x, at.y + r},
                               {at.x - r, at.y}, palette.accent, painter.px(1.5f));
      }
    }
  }

  // -- Clamps -------------------------------------------------------------------------------------

  /// A lock and a cross next to a clamp's handle.
  struct Tag {
    int index = 0;
    Box lock, close;
    bool enabled = true;
  };

  static int covering(const SessionStatus& session, const std::string& path, int head, int unit,
                      int step) {
    // The last one counts where several overlap.
    for (int i = static_cast<int>(session.clamps.size()) - 1; i >= 0; --i) {
      const Clamp& c = session.clamps[static_cast<std::size_t>(i)];
      if (c.enabled && c.path == path && c.head == head && c.unit == unit && step >= c.begin &&
          step < c.end) {
        return i;
      }
    }
    return -1;
  }

  std::vector<Tag> clamp_tags(const Scene& scene, const Painter& painter, const std::string& path,
                              int unit, int head, const Axis& axis, const Box& box) const {
    std::vector<Tag> tags;
    const auto& clamps = scene.snapshot.session.clamps;
    const float side = painter.px(14), gap = painter.px(7);
    for (int i = 0; i < static_cast<int>(clamps.size()); ++i) {
      const Clamp& c = clamps[static_cast<std::size_t>(i)];
      if (c.path != path || c.unit != unit || c.head != head) continue;
      const int first = std::max(c.begin, window_.first());
      const int last = std::min(c.end, window_.first() + window_.count()) - 1;
      if (last < first || (drag_ && drag_->moved)) continue;
      const float x = (window_.x(first) + window_.x(last)) / 2;
      const float y = std::clamp(axis.y(c.value, box), box.min.y, box.max.y);
      const bool above = y - gap - side > box.min.y;
      const float top = above ? y - gap - side : std::min(y + gap, box.max.y - side);
      const float left = std::clamp(x - side, box.min.x, std::max(box.min.x, box.max.x - 2 * side));
      Tag tag{i,
              {{left, top}, {left + side, top + side}},
              {{left + side, top}, {left + 2 * side, top + side}},
              c.enabled};
      // Neighbouring clamps keep their handles; a tag that would cover another one is left out.
      const bool free = std::none_of(tags.begin(), tags.end(), [&](const Tag& other) {
        return std::abs(other.lock.min.x - left) < 2 * side + 2 &&
               std::abs(other.lock.min.y - top) < side;
      });
      if (free) tags.push_back(tag);
    }
    return tags;
  }

  static void draw_tag(Painter& painter, const Tag& tag) {
    const Palette& palette = painter.palette();
    const Box whole{tag.lock.min, tag.close.max};
    painter.fill(whole, palette.panel, painter.px(3));
    painter.outline(whole, palette.muted_text, 1.0f, painter.px(3));
    draw_lock(painter, tag.lock.centre(), tag.enabled ? palette.text : palette.muted_text);
    const bool hot = tag.close.contains(ImGui::GetIO().MousePos);
    const ImVec2 c = tag.close.centre();
    const float r = painter.px(3);
    const Stroke stroke{hot ? palette.warning : palette.text, painter.px(hot ? 2.0f : 1.5f)};
    painter.line({c.x - r, c.y - r}, {c.x + r, c.y + r}, stroke);
    painter.line({c.x - r, c.y + r}, {c.x + r, c.y - r}, stroke);
  }

  /// Square handles on every clamped step, joined where they are dense; hollow when switched off.
  void draw_clamps(const Scene& scene, Painter& painter, const std::string& path, int unit,
                   int focused, const Axis& axis, const Box& box) const {
    const Palette& palette = painter.palette();
    for (const Clamp& c : scene.snapshot.session.clamps) {
      if (c.path != path || c.unit != unit) continue;
      const int first = std::max(c.begin, window_.first());
      const int last = std::min(c.end, window_.first() + window_.count()) - 1;
      if (last < first) continue;
      const bool strong = c.head == focused;
      const float r = painter.px(strong ? 4.0f : 2.5f);
      const float y = std::clamp(axis.y(c.value, box), box.min.y, box.max.y);
      const ImU32 colour = strong ? palette.text : palette.muted_text;
      if (last > first) {
        painter.line({window_.x(first), y}, {window_.x(last), y}, {colour, painter.line_width()});
      }
      const int stride = window_.column_width() > 3 * r ? 1 : std::max(last - first, 1);
      for (int step = first; step <= last; step += stride) {
        const float x = window_.x(step);
        const Box handle{{x - r, y - r}, {x + r, y + r}};
        painter.fill(handle, c.enabled ? colour : palette.panel);
        painter.outline(handle, c.enabled ? palette.panel : colour, painter.px(1));
      }
    }
  }

  struct Ends {
    std::optional<Box> begin, end;  ///< none where that end is out of sight
  };

  /// Where a clamp's range can be taken hold of: just outside its first and its last step.
  Ends ends_of(const Painter& painter, const Clamp& c, const Axis& axis, const Box& box) const {
    Ends ends;
    const float y = std::clamp(axis.y(c.value, box), box.min.y, box.max.y);
    const float wide = painter.px(7), tall = painter.px(9);
    const float top = std::max(y - tall, box.min.y), bottom = std::min(y + tall, box.max.y);
    if (window_.shows(c.begin)) {
      const float x = window_.column(c.begin).min.x;
      ends.begin = Box{{x - wide, top}, {x, bottom}};
    }
    if (window_.shows(c.end - 1)) {
      const float x = window_.column(c.end - 1).max.x;
      ends.end = Box{{x, top}, {x + wide, bottom}};
    }
    return ends;
  }

  /// Lets the ends of the focused head's clamps be dragged along time. Returns whether the mouse is
  /// on one of them.
  bool range_handles(Scene& scene, const Painter& painter, const std::string& path, int unit,
                     int focused, const Axis& axis, const Box& box) {
    const auto& clamps = scene.snapshot.session.clamps;
    bool on_one = false;
    for (int i = 0; i < static_cast<int>(clamps.size()); ++i) {
      const Clamp& c = clamps[static_cast<std::size_t>(i)];
      if (c.path != path || c.unit != unit || c.head != focused || (drag_ && drag_->moved))
        continue;
      const Ends ends = ends_of(painter, c, axis, box);
      for (const bool end : {false, true}) {
        const std::optional<Box>& handle = end ? ends.end : ends.begin;
        const bool held = range_drag_ && range_drag_->index == i && range_drag_->end == end;
        if (!handle && !held) continue;
        ImGui::PushID(2 * i + (end ? 1 : 0));
        const Touch mouse = touch("range", handle ? *handle : Box{});
        ImGui::PopID();
        if (mouse.pressed) range_drag_ = RangeDrag{i, end, c};
        if (!mouse.hovered && !held) continue;
        on_one = true;
        if (held) pull_end(scene, ImGui::GetIO().MousePos.x);
        const Clamp& now = held ? range_drag_->clamp : c;
        range_ = {now.begin, now.end};
        card_ = {{"held at " + held_text(now.value, now.begin, now.end), true},
                 {end ? "drag: move the last step" : "drag: move the first step"}};
      }
    }
    return on_one;
  }

  /// Sends the range for the mouse's place, once per frame at most and only when it changed.
  void pull_end(Scene& scene, float x) {
    Clamp next = range_drag_->clamp;
    const int step = window_.step_at(x);
    if (range_drag_->end) {
      next.end = std::max(step + 1, next.begin + 1);
    } else {
      next.begin = std::min(step, next.end - 1);
    }
    if (next == range_drag_->clamp) return;
    range_drag_->clamp = next;
    scene.send(command::ReplaceClamp{range_drag_->index, next});
  }

  /// Brackets around the range of every clamp of the focused head.
  void draw_ends(const Scene& scene, Painter& painter, const std::string& path, int unit,
                 int focused, const Axis& axis, const Box& box) const {
    const ImVec2 mouse = ImGui::GetIO().MousePos;
    const auto& clamps = scene.snapshot.session.clamps;
    for (int i = 0; i < static_cast<int>(clamps.size()); ++i) {
      const Clamp& c = clamps[static_cast<std::size_t>(i)];
      if (c.path != path || c.unit != unit || c.head != focused) continue;
      const Ends ends = ends_of(painter, c, axis, box);
      for (const bool end : {false, true}) {
        const std::optional<Box>& handle = end ? ends.end : ends.begin;
        if (!handle) continue;
        const bool held = range_drag_ && range_drag_->index == i && range_drag_->end == end;
        const bool hot = held || (!range_drag_ && !drag_ && handle->contains(mouse));
        const float x = end ? handle->min.x + painter.px(1) : handle->max.x - painter.px(1);
        const float in = (end ? -1.0f : 1.0f) * painter.px(3.5f);
        const Stroke stroke{hot ? painter.palette().accent : painter.palette().text,
                            painter.px(hot ? 2.5f : 1.5f)};
        const ImVec2 bracket[] = {{x + in, handle->min.y},
                                  {x, handle->min.y},
                                  {x, handle->max.y},
                                  {x + in, handle->max.y}};
        painter.curve(bracket, stroke);
      }
    }
  }

  static std::string held_text(double value, int begin, int end) {
    const int steps = end - begin;
    return steps > 1 ? fmt::format("{} at steps {}…{} ({} steps)", short_number(value), begin,
                                   end - 1, steps)
                     : fmt::format("{} at step {}", short_number(value), begin);
  }

  void interact(Scene& scene, Painter& painter, const Trace& trace, const Lane& lane,
                const std::vector<DrawnCurve>& curves, const Touch& mouse, const Axis& axis,
                const Box& box, int unit) {
    if (!mouse.hovered && !mouse.held && !mouse.released) return;
    const Palette& palette = painter.palette();
    const bool dragging = drag_ && mouse.held;
    const int step = dragging ? drag_->step : window_.step_at(mouse.mouse.x);
    const DrawnCurve* nearest = nullptr;
    float distance = painter.px(kReach);
    for (const DrawnCurve& curve : curves) {
      if (curve.main && !nearest) nearest = &curve;
    }
    for (const DrawnCurve& curve : curves) {
      const float* value = value_at(curve.series, step);
      if (!value || !std::isfinite(*value)) continue;
      const float away = std::abs(axis.y(*value, box) - mouse.mouse.y);
      if (away < distance) {
        distance = away;
        nearest = &curve;
      }
    }
    if (!nearest || (!value_at(nearest->series, step) && !dragging)) return;
    ValueRef ref{nearest->path, step, nearest->head, unit};
    if (dragging) {
      ref.path = drag_->path;
      ref.head = drag_->head;
    }

    if (mouse.pressed) {
      drag_ = Drag{ref.path, ref.head, unit, step, step + 1, step, axis, box, mouse.mouse};
      // Only the first curve of a lane is a pre-activation that can be held.
      if (lane.clampable) {
        const SessionStatus& session = scene.snapshot.session;
        const int old = covering(session, ref.path, ref.head, unit, step);
        if (ImGui::GetIO().KeyShift) {
          const int context = scene.snapshot.model ? scene.snapshot.model->context_length : 0;
          drag_->begin = 0;
          drag_->end = std::max({context, trace.length(), step + 1});
        } else if (old >= 0) {
          drag_->begin = session.clamps[static_cast<std::size_t>(old)].begin;
          drag_->end = session.clamps[static_cast<std::size_t>(old)].end;
        }
      }
      scene.focus.head = ref.head;
    }
    if (drag_ && mouse.held && lane.clampable) {
      if (std::abs(mouse.mouse.y - drag_->start.y) > painter.px(kDragStart)) drag_->moved = true;
      if (drag_->moved) {
        pull(scene, mouse.mouse.y);
        range_ = {drag_->begin, drag_->end};
      }
    }
    if (mouse.released && drag_ && !drag_->moved) scene.focus.pinned = ref;
    if (mouse.released) drag_.reset();

    hovered_ = ref;
    const float x = window_.x(step);
    painter.line({x, box.min.y}, {x, box.max.y}, {with_alpha(palette.muted_text, 0.5f), 1.0f});
    if (const float* value = value_at(nearest->series, step); value && std::isfinite(*value)) {
      painter.list().AddCircle({x, axis.y(*value, box)}, painter.px(5.5f), palette.text, 20,
                               painter.px(2));
    }
    describe(scene, trace, ref, lane.clampable);
  }

  /// Sends the clamp for the mouse's height, once per frame at most and only when it changed.
  void pull(Scene& scene, float y) {
    double value = drag_->axis.value(y, drag_->box);
    value = std::round(std::clamp(value, -kLargestClamp, kLargestClamp) * 100.0) / 100.0;
    const auto next = static_cast<float>(value);
    if (next == drag_->sent) return;
    drag_->sent = next;
    scene.send(command::SetClamp{
        {drag_->path, drag_->head, drag_->unit, drag_->begin, drag_->end, next, true}});
  }

  /// What the card near the mouse says.
  void describe(const Scene& scene, const Trace& trace, const ValueRef& ref, bool clampable) {
    const float* number = number_at(&trace, ref);
    if (!number) return;
    const double value = *number;
    const EquationCard* card = explain(ref.path, variant_of(scene.snapshot, ref.path));
    const std::string name = value_name(ref.path);
    const std::string symbol = card ? card->symbol : name;
    card_.push_back({fmt::format("{} = {}", symbol, short_number(value)), true});
    if (card) card_.push_back({card->title});
    if (name == "input_gate_pre") card_.push_back({"weight " + log_number(value)});
    if (name == "m") card_.push_back({"scale " + log_number(value)});
    const auto& tokens = scene.snapshot.session.tokens;
    std::string where = fmt::format("t = {}, head {}", ref.step, ref.head);
    if (trace.find(ref.step, ref.path)->dim > 1) where += fmt::format(", unit {}", ref.unit);
    if (ref.step < static_cast<int>(tokens.size())) {
      where += ", token " +
               token_label(scene.snapshot.model.get(), tokens[static_cast<std::size_t>(ref.step)]);
    }
    card_.push_back({where});
    if (const float* free = number_at(scene.snapshot.unclamped.get(), ref)) {
      card_.push_back({"without clamps " + short_number(*free)});
    }
    if (drag_ && drag_->moved) {
      card_.push_back({"held at " + held_text(drag_->sent, drag_->begin, drag_->end), true});
      if (std::abs(drag_->sent) >= static_cast<float>(kLargestClamp)) {
        card_.push_back({fmt::format("±{:.0f} is as far as dragging goes", kLargestClamp)});
      }
    } else if (clampable) {
      card_.push_back({"drag up or down: hold it there (Shift: at all steps)"});
    }
  }

  // -- First hint ---------------------------------------------------------------------------------

  static bool hint_in_block(const Scene& scene) {
    const BlockCard* block = focused_block(scene.snapshot, scene.focus);
    return block && !scene.focus.hint_target.empty() &&
           value_prefix(scene.focus.hint_target) == block->prefix;
  }

  /// A hint that has moved for a minute was seen: from then on it stays still, and costs nothing.
  void time_hint(const Scene& scene) {
    if (!hint_in_block(scene)) return;
    const double now = ImGui::GetTime();
    if (pulsing_ != scene.focus.hint_target) {
      pulsing_ = scene.focus.hint_target;
      pulse_began_ = now;
      pulsed_out_ = false;
    }
    pulsed_out_ = pulsed_out_ || now - pulse_began_ >= kPulse;
  }

  static bool hint_is_here(const Scene& scene, const std::string& path) {
    const std::string& target = scene.focus.hint_target;
    return !target.empty() && (target == path || target + "_pre" == path);
  }

  /// Scrolls to the lane the hint is about, once for each size of the view and of its text; from
  /// then on scrolling is the person's business.
  void bring_hint_into_view(const Scene& scene, const std::string& path, const Box& lane,
                            bool clampable) {
    if (scene.focus.hint_target.empty()) scrolled_to_.clear();
    if (!clampable || !hint_is_here(scene, path)) return;
    const ImVec2 size = ImGui::GetWindowSize();
    const std::string now = fmt::format("{} {} {} {}", path, size.x, size.y, scene.scale);
    if (scrolled_to_ == now) return;
    scrolled_to_ = now;
    ImGui::SetScrollFromPosY(lane.centre().y - ImGui::GetWindowPos().y, 0.5f);
  }

  /// A pulsing ring on the curve at the cursor, and the sentence where it covers no curve; in its
  /// lane where that is high enough, else anywhere in the rows that are `seen`.
  void draw_hint(const Scene& scene, Painter& painter, const Box& seen) const {
    const std::vector<DrawnCurve>& curves = hinted_.lane->curves;
    const Axis& axis = hinted_.axis;
    const Box& box = hinted_.box;
    const Palette& palette = painter.palette();
    const int last = window_.first() + window_.count() - 1;
    const int step = std::clamp(scene.snapshot.session.cursor, window_.first(), last);
    const float* value = nullptr;
    for (const DrawnCurve& curve : curves) {
      if (curve.main) value = value_at(curve.series, step);
    }
    if (!value || !std::isfinite(*value)) return;
    const ImVec2 at{window_.x(step), axis.y(*value, box)};
    const float beat =
        pulsed_out_ ? 0.5f : 0.5f + 0.5f * static_cast<float>(std::sin(ImGui::GetTime() * 4.0));
    painter.list().AddCircle(at, painter.px(6.0f + 5.0f * beat),
                             with_alpha(palette.accent, 1.0f - 0.6f * beat), 28, painter.px(2.5f));
    painter.list().AddCircleFilled(at, painter.px(4.5f), palette.accent, 20);
    if (scene.focus.hint.empty()) return;

    // In as many lines as its lane is narrow.
    const float pad = painter.px(7), line = painter.line_height();
    const std::vector<std::string> words =
        painter.broken(scene.focus.hint, std::max(box.width() - 2 * pad, line), Weight::bold);
    float widest = 0.0f;
    for (const std::string& row : words) {
      widest = std::max(widest, painter.measure(row, Weight::bold).x);
    }
    const ImVec2 size{widest + 2 * pad, line * static_cast<float>(words.size()) + painter.px(4)};
    const bool in_lane = size.y <= box.height();
    const Box room{{box.min.x, in_lane ? box.min.y : seen.min.y},
                   {box.max.x, in_lane ? box.max.y : seen.max.y}};
    const float away = painter.px(16);
    const float tops[] = {at.y + away, at.y - away - size.y, at.y - size.y / 2};
    const float lefts[] = {at.x - size.x - away, at.x + away, at.x - size.x / 2};
    Box best;
    int fewest = std::numeric_limits<int>::max();
    for (const float top : tops) {
      for (const float left : lefts) {
        Box bubble;
        bubble.min = {std::clamp(left, room.min.x, std::max(room.min.x, room.max.x - size.x)),
                      std::clamp(top, room.min.y, std::max(room.min.y, room.max.y - size.y))};
        bubble.max = {bubble.min.x + size.x, bubble.min.y + size.y};
        const Box guard = {{bubble.min.x - 3, bubble.min.y - 3},
                           {bubble.max.x + 3, bubble.max.y + 3}};
        int covered = guard.contains(at) ? 1000 : 0;
        for (const DrawnCurve& curve : curves) {
          for (std::size_t i = 0; i < curve.series.steps.size(); ++i) {
            const ImVec2 p{window_.x(curve.series.steps[i]), axis.y(curve.series.values[i], box)};
            if (guard.contains(p)) covered += curve.main ? 10 : 1;
          }
        }
        if (covered < fewest) {
          fewest = covered;
          best = bubble;
        }
      }
    }
    const ImVec2 joint{std::clamp(at.x, best.min.x, best.max.x),
                       std::clamp(at.y, best.min.y, best.max.y)};
    painter.line(at, joint, {palette.accent, painter.px(1.5f)});
    painter.fill(best, palette.accent, painter.px(5));
    Box rows = best;
    rows.cut_top(painter.px(2));
    for (const std::string& row : words) {
      painter.text_in(rows.cut_top(line), readable_on(palette.accent), row, Align::centre,
                      Weight::bold);
    }
  }

  // -- Time ---------------------------------------------------------------------------------------

  void time_axis(Scene& scene, Painter& painter, Box row) {
    const Palette& palette = painter.palette();
    const SessionStatus& session = scene.snapshot.session;
    const float line = painter.line_height();
    Box gutter = row.cut_left(gutter_);
    row.max.x = std::min(row.max.x,
                         row.min.x + window_.column_width() * static_cast<float>(window_.count()));
    const Touch mouse = touch("time", row);
    if (mouse.hovered && ImGui::GetIO().MouseWheel != 0.0f) {
      window_.zoom(ImGui::GetIO().MouseWheel > 0.0f ? 0.8f : 1.25f, window_.step_at(mouse.mouse.x));
    }
    if (mouse.held) {
      const int step = window_.step_at(mouse.mouse.x);
      if (step != sent_ && !(sent_ < 0 && step == session.cursor)) {
        sent_ = step;
        scene.send(command::SetCursor{step});
      }
    } else {
      sent_ = -1;
    }
    const bool two = row.height() >= 2 * line;
    const Box tokens = two ? row.cut_top(line) : Box{};
    const Box steps = row;
    gutter.cut_right(painter.px(5));
    if (two) {
      painter.text_in(gutter.cut_top(line), palette.muted_text, "token", Align::right);
    }
    const std::string captions[] = {
        window_.all_visible() ? "step t" : fmt::format("t of {}", window_.length()), "t"};
    painter.first_in(gutter, palette.muted_text, captions, Align::right);
    const auto tint = [&](const Box& columns, ImU32 colour) {
      painter.fill(
          {{columns.min.x, two ? tokens.min.y : steps.min.y}, {columns.max.x, steps.max.y}}, colour,
          painter.px(2));
    };
    const int last = window_.first() + window_.count() - 1;
    if (range_) {
      const int from = std::max(range_->first, window_.first());
      const int to = std::min(range_->second - 1, last);
      if (from <= to) {
        tint({window_.column(from).min, window_.column(to).max}, with_alpha(palette.accent, 0.25f));
      }
    }
    if (window_.shows(session.cursor)) {
      tint(window_.column(session.cursor), with_alpha(palette.cursor, 0.25f));
    }
    if (two) token_row(scene, painter, tokens);
    step_row(scene, painter, steps);
    if (mouse.hovered && !mouse.held) {
      const int t = window_.step_at(mouse.mouse.x);
      if (t < static_cast<int>(session.tokens.size())) {
        const int token = session.tokens[static_cast<std::size_t>(t)];
        card_.push_back(
            {fmt::format("t = {}, token {}", t, token_label(scene.snapshot.model.get(), token)),
             true});
      }
      card_.push_back({"drag: move the cursor · wheel: show more or fewer steps"});
    }
  }

  /// The tokens under their columns. Either every letter is there or, where columns are too narrow
  /// for letters, only the one at the cursor: a text with letters missing would be another text.
  /// Longer tokens that do not fit are stood for by dots.
  void token_row(const Scene& scene, Painter& painter, const Box& row) const {
    const Palette& palette = painter.palette();
    const SessionStatus& session = scene.snapshot.session;
    const int end =
        std::min(window_.first() + window_.count(), static_cast<int>(session.tokens.size()));
    // Letters may use the hair of room that every glyph has around it.
    const bool letters = window_.column_width() + 0.5f >= letter_width_;
    for (int t = window_.first(); t < end; ++t) {
      const bool here = t == session.cursor;
      if (!letters && !here) continue;
      const std::string label =
          token_label(scene.snapshot.model.get(), session.tokens[static_cast<std::size_t>(t)]);
      Box column = window_.column(t);
      column.min.y = row.min.y;
      column.max.y = row.max.y;
      if (!letters) {
        const float half = painter.measure(label, Weight::bold).x / 2 + 1;
        column.min.x = std::max(column.centre().x - half, row.min.x);
        column.max.x = column.min.x + 2 * half;
      }
      const std::string texts[] = {label, "…"};
      painter.first_in({{column.min.x - 0.5f, column.min.y}, {column.max.x + 0.5f, column.max.y}},
                       here ? palette.text : palette.muted_text, texts, Align::centre,
                       here && painter.measure(label, Weight::bold).x <= column.width()
                           ? Weight::bold
                           : Weight::regular);
    }
    if (letters || !window_.shows(session.cursor)) return;
    // Where the cursor's token leaves more room it is said how to read the others.
    const float x = window_.x(session.cursor), away = painter.px(30);
    const Box left{row.min, {x - away, row.max.y}}, right{{x + away, row.min.y}, row.max};
    const std::string texts[] = {"turn the wheel here to read the tokens",
                                 "wheel: read the tokens"};
    painter.first_in(left.width() > right.width() ? left : right, palette.muted_text, texts,
                     Align::centre);
  }

  /// Numbers of time steps: the cursor's and the ends of a range that is looked at first, the
  /// others where they leave room.
  void step_row(const Scene& scene, Painter& painter, const Box& row) const {
    const Palette& palette = painter.palette();
    const int cursor = scene.snapshot.session.cursor;
    std::vector<Box> taken;
    const auto number = [&](int t, ImU32 colour, Weight weight) {
      if (!window_.shows(t)) return;
      const std::string label = std::to_string(t);
      const float half = painter.measure(label, weight).x / 2 + 1;
      if (2 * half > row.width()) return;
      const float x = std::clamp(window_.x(t), row.min.x + half, row.max.x - half);
      const Box box{{x - half, row.min.y}, {x + half, row.max.y}};
      const float gap = painter.px(5);
      const bool free = std::none_of(taken.begin(), taken.end(), [&](const Box& other) {
        return box.min.x < other.max.x + gap && other.min.x < box.max.x + gap;
      });
      if (!free) return;
      taken.push_back(box);
      painter.text_in(box, colour, label, Align::centre, weight);
    };
    if (range_) {
      number(range_->first, palette.accent, Weight::bold);
      number(range_->second - 1, palette.accent, Weight::bold);
    }
    number(cursor, palette.text, Weight::bold);
    const float widest = painter.measure(std::to_string(window_.length())).x + painter.px(8);
    const int stride = window_.label_stride(widest);
    const int first = (window_.first() + stride - 1) / stride * stride;
    for (int t = first; t < window_.first() + window_.count(); t += stride) {
      number(t, palette.muted_text, Weight::regular);
    }
  }

  TimeWindow window_;
  GateLanes lanes_;
  Hover hover_;
  std::set<std::string> folded_;
  int unit_ = 0;      ///< unit whose curves are drawn
  int preview_ = -1;  ///< unit under the mouse in a strip, one frame ago
  int next_preview_ = -1;
  std::optional<Drag> drag_;
  std::optional<RangeDrag> range_drag_;
  std::string scrolled_to_;              ///< the hint that was brought into view, and at which size
  int sent_ = -1;                        ///< last cursor asked for during a drag
  std::string arranged_;                 ///< what the room for numbers was found for
  float numbers_ = 0.0f;                 ///< room for the numbers of the axes
  const ModelCard* lettered_ = nullptr;  ///< whose letters were measured, at which scale
  float letter_scale_ = 0.0f, letter_width_ = 0.0f;
  std::string pulsing_;       ///< target of the hint that moves, or moved
  double pulse_began_ = 0.0;  ///< on ImGui's clock
  bool pulsed_out_ = false;

  // Of this frame.
  float gutter_ = 0.0f, gutter_label_ = 0.0f, curve_height_ = 0.0f, strip_height_ = 0.0f;
  std::optional<ValueRef> hovered_;
  std::optional<std::pair<int, int>> range_;  ///< steps [first, second) the time axis points out
  std::vector<CardLine> card_;
  /// Where the first hint points.
  struct Hinted {
    const CurveLane* lane = nullptr;
    Axis axis;
    Box box;
  } hinted_;
};

Table GatesView::table(const Scene& scene) const {
  Table table;
  const BlockCard* block = focused_block(scene.snapshot, scene.focus);
  const Trace* trace = scene.snapshot.trace.get();
  table.columns = {"step", "token", "head", "unit"};
  table.places = 4;
  table.step_column = 0;
  if (!block || !trace) return table;
  std::vector<std::string> names;
  for (const GateRow& row : gate_rows(*block)) {
    for (const Lane& lane : row.lanes) {
      for (const LaneCurve& curve : lane.curves) {
        if (std::find(names.begin(), names.end(), curve.value) == names.end()) {
          names.push_back(curve.value);
        }
      }
    }
  }
  table.columns.insert(table.columns.end(), names.begin(), names.end());
  table.titles = column_titles(table.columns, *block);
  const int units = std::max({block->key_dim, block->value_dim, 1});
  const std::int64_t of_a_step = static_cast<std::int64_t>(units) * block->heads;
  const std::int64_t all = of_a_step * trace->length();
  // A file has every step; beyond this many rows the selected unit of each head only.
  constexpr std::int64_t kMostRows = 500000;
  const auto most = static_cast<std::int64_t>(scene.most_rows);
  int begin = 0, end = trace->length(), only = -1;
  if (most > 0 && all > most) {
    const int steps = static_cast<int>(std::max<std::int64_t>(1, most / of_a_step));
    begin = std::clamp(scene.snapshot.session.cursor - steps / 2, 0, std::max(0, end - steps));
    table.note =
        fmt::format("Time steps {} to {} of 0 to {} are listed, those around the time cursor.",
                    begin, begin + steps - 1, end - 1);
    end = begin + steps;
  } else if (most == 0 && all > kMostRows) {
    only = std::clamp(unit_, 0, units - 1);
    table.note = fmt::format(
        "Only unit {} of {} is listed: all of them would be {} rows. Choose another unit in a "
        "strip of the drawing.",
        only, units, all);
  }
  const auto& tokens = scene.snapshot.session.tokens;
  for (int step = begin; step < end; ++step) {
    const std::string token =
        step < static_cast<int>(tokens.size())
            ? token_label(scene.snapshot.model.get(), tokens[static_cast<std::size_t>(step)])
            : "";
    std::vector<const Recorded*> recorded;
    for (const std::string& name : names) {
      recorded.push_back(trace->find(step, block->prefix + "/" + name));
    }
    for (int head = 0; head < block->heads; ++head) {
      for (int unit = 0; unit < units; ++unit) {
        if (only >= 0 && unit != only) continue;
        std::vector<std::string> row = {std::to_string(step), token, std::to_string(head),
                                        std::to_string(unit)};
        row.reserve(table.columns.size());
        for (const Recorded* r : recorded) {
          // One number a head stands in the rows of all its units.
          const bool has = r && head < r->heads && (r->dim == 1 || unit < r->dim);
          row.push_back(has ? full_number(r->at(head, r->dim == 1 ? 0 : unit)) : "");
        }
        table.rows.push_back(std::move(row));
      }
    }
  }
  return table;
}

}  // namespace

std::unique_ptr<View> make_gates_view() {
  return std::make_unique<GatesView>();
}

}  // namespace xlab::ui
