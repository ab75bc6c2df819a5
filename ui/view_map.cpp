// The model as a stack of blocks: what each is made of, what it adds, and how long it remembers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/ground.hpp"
#include "ui/hint.hpp"
#include "ui/map_row.hpp"
#include "ui/map_rows.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

class MapView : public View {
 public:
  std::string name() const override { return "map"; }
  std::string title() const override { return "Model map"; }
  std::string neighbour() const override { return "gates"; }
  ImVec2 minimum_size() const override { return {200, 140}; }
  Table table(const Scene& scene) const override;

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "map", size, true);
    Painter painter(scene);
    value_.reset();
    card_.begin(false);
    if (panel.usable())
      contents(scene, painter, panel.content().inset(painter.px(8), painter.px(6)));
    hover_.set(scene.focus, value_);
    card_.draw(scene);
  }

 private:
  void contents(Scene& scene, Painter& painter, Box rest) {
    const ModelCard* model = scene.snapshot.model.get();
    if (!model) {
      say_no_run(painter, rest, "see what it is made of here");
      return;
    }
    if (model->blocks.empty()) {
      say(painter, rest, "This model has no blocks.");
      return;
    }
    shown_.use(scene.snapshot);
    const float line = painter.line_height();
    const bool headed = rest.height() >= 5 * line;
    Box head = headed ? rest.cut_top(line + painter.px(2)) : Box{};
    const float row_height = line + painter.px(1.5f);
    const MapLayout layout(painter, *model, rest.inset(painter.px(5), 0));
    const bool titles = rest.height() > 6 * row_height && layout.has(MapColumn::residual);
    if (titles) {
      const Box row = rest.cut_top(line + painter.px(2));
      draw_map_titles(painter, layout, shown_, row);
      explain(layout, row);
    }
    // Embedding and head take a row each.
    const int most = std::max(1, static_cast<int>(rest.height() / row_height) - 2);
    const MapPlan plan =
        map_plan(*model, block_in_focus(scene), most, layout.has(MapColumn::parts));
    if (headed) heading(painter, *model, plan, head);
    const float each = std::clamp(rest.height() / static_cast<float>(plan.rows.size() + 2),
                                  row_height, line + painter.px(30));
    const float bottom = rest.max.y;
    rest.max.y = std::numeric_limits<float>::max() / 4;  // it scrolls: there is always room
    stream(painter, layout,
           {rest.min, {rest.max.x, rest.min.y + each * static_cast<float>(plan.rows.size() + 2)}},
           each);
    end(painter, layout, rest.cut_top(each), "embedding", shown_.embedding_length(), 0);
    for (const MapRow& row : plan.rows) draw_row(scene, painter, layout, row, rest.cut_top(each));
    const std::string words = model->blocks.size() > 1 ? "last norm and head" : "head";
    end(painter, layout, rest.cut_top(each), words, std::numeric_limits<double>::quiet_NaN(), -1);
    below(scene, painter, layout, rest, bottom);
    ImGui::SetCursorScreenPos(rest.min);
    ImGui::Dummy({1.0f, 1.0f});
  }

  /// What bars and colours are, where there is room to say it.
  static std::string how_to_read(const MapLayout& layout) {
    std::string words =
        layout.has(MapColumn::residual)
            ? "Bars: the length of the vector that runs through the blocks. Grey: what came in; "
              "blue: how much longer the block made it; orange: how much shorter. "
            : "";
    if (layout.has(MapColumn::lives))
      words +=
          "Half-lives: from the shortest to the longest forget gate, in tokens; the line and "
          "the number are the median. ";
    return words + "Click a block to see it in every view.";
  }

  /// The model in a line: how many blocks of which kind, and how they are drawn.
  void heading(Painter& painter, const ModelCard& model, const MapPlan& plan, const Box& row) {
    const MapRow all{0, static_cast<int>(model.blocks.size()) - 1};
    const std::string kinds = kinds_in(model, all), pattern = letters_in(model, all);
    const std::string parameters = count_words(model.parameters) + " parameters";
    const std::string at =
        shown_.step() < 0 ? "nothing recorded yet" : fmt::format("at t = {}", shown_.step());
    const std::string groups =
        plan.group == 1
            ? ""
            : fmt::format(", in groups of {} neighbours, that in focus opened", plan.group);
    const std::string texts[] = {
        fmt::format("{} ({}), {}, {}{}", kinds, pattern, parameters, at, groups),
        fmt::format("{}, {}, {}{}", kinds, parameters, at, groups),
        fmt::format("{}, {}{}", kinds, at, groups),
        fmt::format("{}, {}", kinds, at),
        kinds,
        fmt::format("{} blocks", model.blocks.size())};
    painter.first_in(row, painter.palette().text, texts, Align::left, Weight::bold);
    if (plan.group > 1)
      card_.explain(row, {{fmt::format("{} blocks have no room for a row each: {} neighbours share "
                                       "one, and the group with the block in focus is opened. At "
                                       "most {} boxes are drawn.",
                                       model.blocks.size(), plan.group, kMostBoxes)}});
  }

  /// The residual stream: a line through all blocks.
  static void stream(Painter& painter, const MapLayout& layout, const Box& rows, float each) {
    const float x = layout.of(MapColumn::name, rows).min.x + painter.px(9);
    painter.line({x, rows.min.y + each / 2}, {x, rows.max.y - each / 2},
                 {painter.palette().muted_text, painter.px(2)});
  }

  void end(Painter& painter, const MapLayout& layout, const Box& row, const std::string& name,
           double length, int unit) {
    draw_map_end(painter, layout, shown_, name, length, row);
    if (unit < 0) {
      card_.explain(row, {{"last norm and head", true},
                          {"What the blocks have made is normed and turned into a number for each "
                           "token."}});
      return;
    }
    card_.explain(row, {{"embedding", true},
                        {std::isnan(length) ? "The vector of the token, which the blocks add to."
                                            : fmt::format("The vector of the token, of length {}.",
                                                          short_number(length))}});
    if (row.contains(ImGui::GetIO().MousePos) && ImGui::IsWindowHovered() && !std::isnan(length))
      value_ = ValueRef{kResidualNorm, shown_.step(), 0, unit};
  }

  void draw_row(Scene& scene, Painter& painter, const MapLayout& layout, const MapRow& row,
                const Box& box) {
    ImGui::PushID(row.first);
    const Touch mouse = control(painter, "block", box, {.arrows = Arrows::column, .group = 1});
    ImGui::PopID();
    const int focused = block_in_focus(scene);
    const MapRowLook look{*scene.snapshot.model,
                          shown_,
                          layout,
                          row,
                          shown_.of(row),
                          focused >= row.first && focused <= row.last,
                          mouse.hovered};
    if (mouse.pressed) scene.focus.block = row.first;
    if (ImGui::IsRectVisible(box.min, box.max)) draw_map_row(painter, look, box);
    if (mouse.hovered) describe(look);
  }

  /// Everything about a row, the first line its name.
  std::vector<std::string> facts(const ModelCard& model, const MapRow& row) const {
    const MapNumbers numbers = shown_.of(row);
    const int block = row.first;
    const BlockCard& card = model.blocks[static_cast<std::size_t>(block)];
    std::vector<std::string> lines;
    if (row.one()) {
      lines.push_back(fmt::format("block {}, {}", block, card.title));
      std::string parts;
      for (const std::string& part : block_parts(card))
        parts.append(parts.empty() ? "" : " → ").append(part);
      lines.push_back(fmt::format("{}; {} head{}", parts, card.heads, card.heads == 1 ? "" : "s"));
    } else {
      lines.push_back(
          fmt::format("blocks {} to {}: {}", row.first, row.last, kinds_in(model, row)));
    }
    if (shown_.step() >= 0) {
      lines.push_back(fmt::format(
          "length of the residual vector {} → {} ({}{})", short_number(numbers.activity.before),
          short_number(numbers.activity.after), numbers.activity.change() > 0.0 ? "+" : "",
          short_number(numbers.activity.change())));
      const ValueCard* read = read_out_of(card);
      lines.push_back(fmt::format("{} {}: length {}{}", read ? read->title : "read-out",
                                  read ? read->symbol : "", short_number(numbers.activity.read_out),
                                  row.one() ? "" : ", the largest"));
      lines.push_back(lives_words(numbers.lives));
    }
    lines.push_back(fmt::format("{} parameters, {} numbers carried from token to token",
                                count_words(numbers.parameters), count_words(numbers.state)));
    return lines;
  }

  void describe(const MapRowLook& look) {
    const std::vector<std::string> lines = facts(look.model, look.row);
    for (std::size_t i = 0; i < lines.size(); ++i) card_.add(lines[i], i == 0);
    if (look.row.one() && shown_.step() >= 0)
      value_ = ValueRef{kResidualNorm, shown_.step(), 0, look.row.first + 1};
    card_.add(look.row.one() ? "click: show it in every view"
                             : "click: open this group at its first block");
  }

  /// Below the stack, where there is room: how it is read, and the facts of the block in focus.
  void below(const Scene& scene, Painter& painter, const MapLayout& layout, Box& rest,
             float bottom) const {
    const Palette& palette = painter.palette();
    const auto paragraph = [&](const std::string& words, ImU32 colour, Weight weight) {
      rest.cut_top(painter.paragraph(rest.min, rest.width(), colour, words, weight));
    };
    const float line = painter.line_height();
    if (bottom - rest.min.y < 5 * line) return;
    rest.cut_top(painter.px(8));
    paragraph(how_to_read(layout), palette.muted_text, Weight::regular);
    if (bottom - rest.min.y < 12 * line) return;
    rest.cut_top(painter.px(12));
    const int block = block_in_focus(scene);
    const std::vector<std::string> lines = facts(*scene.snapshot.model, {block, block});
    for (std::size_t i = 0; i < lines.size(); ++i)
      paragraph(i == 0 ? "In focus: " + lines[i] : lines[i], palette.text,
                i == 0 ? Weight::bold : Weight::regular);
  }

  void explain(const MapLayout& layout, const Box& row) {
    const auto column = [&](MapColumn which, const char* words) {
      if (layout.has(which)) card_.explain(layout.of(which, row), {{words}});
    };
    column(MapColumn::residual,
           "Length of the vector that runs through the blocks, after each of them, from 0. Blue: "
           "how much longer the block made it; orange: how much shorter.");
    column(MapColumn::change, "Length after the block minus length before it.");
    column(MapColumn::read_out,
           "Length of what the cell reads from its memory, all heads together, before output gate "
           "and projection.");
    column(MapColumn::lives,
           "Half-lives of all forget gates of the block at the time cursor, in tokens: from the "
           "shortest to the longest, the line is the median, its number beside it. Logarithmic, "
           "from 0.1.");
    column(MapColumn::parameters, "Numbers that training changes.");
    column(MapColumn::state, "Numbers carried from token to token, whatever the length.");
    column(MapColumn::parts, "What a token goes through in the block, in this order.");
  }

  MapShown shown_;
  Hover hover_;
  HoverCard card_;
  std::optional<ValueRef> value_;
};

Table MapView::table(const Scene& scene) const {
  Table table;
  table.columns = {"block",  "kind",       "parts",    "length_before", "length_after",
                   "change", "read_out",   "life_low", "life_median",   "life_high",
                   "gates",  "parameters", "state"};
  table.titles = {"block",
                  "kind",
                  "parts",
                  "residual length before",
                  "residual length after",
                  "change of it",
                  "length of the read-out",
                  "shortest half-life",
                  "median half-life",
                  "longest half-life",
                  "forget gates",
                  "parameters",
                  "numbers carried"};
  table.places = 1;
  const ModelCard* model = scene.snapshot.model.get();
  if (!model) return table;
  MapShown shown;
  shown.use(scene.snapshot);
  for (std::size_t b = 0; b < model->blocks.size(); ++b) {
    const BlockCard& block = model->blocks[b];
    const MapNumbers& numbers = shown.of(static_cast<int>(b));
    std::string parts;
    for (const std::string& part : block_parts(block))
      parts.append(parts.empty() ? "" : ", ").append(part);
    table.rows.push_back({std::to_string(b), block.title, parts,
                          full_number(numbers.activity.before), full_number(numbers.activity.after),
                          full_number(numbers.activity.change()),
                          full_number(numbers.activity.read_out), full_number(numbers.lives.low),
                          full_number(numbers.lives.median), full_number(numbers.lives.high),
                          std::to_string(numbers.lives.count + numbers.lives.unknown),
                          std::to_string(block.parameters), std::to_string(block.state_numbers())});
  }
  return table;
}

}  // namespace

std::unique_ptr<View> make_map_view() {
  return std::make_unique<MapView>();
}

}  // namespace xlab::ui
