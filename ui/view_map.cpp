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
    heading(painter, *model, rest);
    const float row_height = line + painter.px(3);
    const MapLayout layout(painter, *model, rest);
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
    const float each = std::clamp(rest.height() / static_cast<float>(plan.rows.size() + 2),
                                  row_height, line + painter.px(14));
    rest.max.y = std::numeric_limits<float>::max() / 4;  // it scrolls: there is always room
    stream(painter, layout,
           {rest.min, {rest.max.x, rest.min.y + each * static_cast<float>(plan.rows.size() + 2)}},
           each);
    end(painter, layout, rest.cut_top(each), "embedding", shown_.embedding_length(), 0);
    for (const MapRow& row : plan.rows) draw_row(scene, painter, layout, row, rest.cut_top(each));
    const std::string words = model->blocks.size() > 1 ? "last norm and head" : "head";
    end(painter, layout, rest.cut_top(each), words, std::numeric_limits<double>::quiet_NaN(), -1);
    ImGui::SetCursorScreenPos(rest.min);
    ImGui::Dummy({1.0f, 1.0f});
  }

  /// The model in a line: how many blocks of which kind, and how they are drawn.
  void heading(Painter& painter, const ModelCard& model, Box& rest) const {
    if (rest.height() < 5 * painter.line_height()) return;
    const MapRow all{0, static_cast<int>(model.blocks.size()) - 1};
    const std::string kinds = kinds_in(model, all), pattern = letters_in(model, all);
    const std::string parameters = count_words(model.parameters) + " parameters";
    const std::string at =
        shown_.step() < 0 ? "nothing recorded yet" : fmt::format("at t = {}", shown_.step());
    const std::string texts[] = {fmt::format("{} ({}), {}, {}", kinds, pattern, parameters, at),
                                 fmt::format("{} ({}), {}", kinds, pattern, at),
                                 fmt::format("{}, {}", kinds, at), kinds,
                                 fmt::format("{} blocks", model.blocks.size())};
    const Box row = rest.cut_top(painter.line_height() + painter.px(2));
    painter.first_in(row, painter.palette().text, texts, Align::left, Weight::bold);
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

  void describe(const MapRowLook& look) {
    const MapNumbers& numbers = look.numbers;
    const int block = look.row.first;
    const BlockCard& card = look.model.blocks[static_cast<std::size_t>(block)];
    if (look.row.one()) {
      card_.add(fmt::format("block {}: {}", block, card.title), true);
      std::string parts;
      for (const std::string& part : block_parts(card))
        parts.append(parts.empty() ? "" : " → ").append(part);
      card_.add(fmt::format("{}; {} heads", parts, card.heads));
      if (shown_.step() >= 0) value_ = ValueRef{kResidualNorm, shown_.step(), 0, block + 1};
    } else {
      card_.add(fmt::format("blocks {} to {}: {}", look.row.first, look.row.last,
                            kinds_in(look.model, look.row)),
                true);
    }
    if (shown_.step() >= 0) {
      card_.add(fmt::format(
          "length of the residual vector {} → {} ({}{})", short_number(numbers.activity.before),
          short_number(numbers.activity.after), numbers.activity.change() > 0.0 ? "+" : "",
          short_number(numbers.activity.change())));
      const ValueCard* read = read_out_of(card);
      card_.add(fmt::format("{} {}: length {}{}", read ? read->title : "read-out",
                            read ? read->symbol : "", short_number(numbers.activity.read_out),
                            look.row.one() ? "" : ", the largest"));
      card_.add(lives_words(numbers.lives));
    }
    card_.add(fmt::format("{} parameters, {} numbers carried from token to token",
                          count_words(numbers.parameters), count_words(numbers.state)));
    card_.add(look.row.one() ? "click: show it in every view"
                             : "click: open this group at its first block");
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
