// The memory of a cell that keeps one number per unit, head by head: what each unit answers before
// the output gate.
#include "ui/unit_cells.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "ui/heat.hpp"
#include "ui/number.hpp"
#include "ui/panel.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

/// What the strips of a frame share.
struct Strips {
  Scene& scene;
  const BlockCard& block;
  const UnitCells& cells;
  int step = 0;
  std::optional<ValueRef>& hovered;
  HoverCard& card;

  bool chosen(int head) const {
    return head == focused_head(block, scene.focus) && cells.c->heads > 1;
  }
};

/// What the strips mean, where there is room to say it.
void sentence(Painter& painter, const BlockCard& block, Box& rest) {
  const std::string text = fmt::format(
      "An {} keeps one number per unit, not a matrix: {}, {}.", block.title, answer_name(block),
      block.has_normalizer ? "the weighted mean of what was written"
                           : "what has been written and kept, squashed");
  const float words = painter.paragraph(rest.min, rest.width(), 0, text, Weight::regular, false);
  if (words + 6 * painter.line_height() >= rest.height()) return;
  painter.paragraph(rest.cut_top(words).min, rest.width(), painter.palette().muted_text, text);
  rest.cut_top(painter.px(6));
}

void draw_title(Strips& strips, Painter& painter, int head, const Box& title) {
  const Palette& palette = painter.palette();
  const Recorded& c = *strips.cells.c;
  const bool chosen = strips.chosen(head);
  const std::string titles[] = {
      fmt::format("head {}: units 0…{}, t = {}", head, c.dim - 1, strips.step),
      fmt::format("head {}, t = {}", head, strips.step), fmt::format("head {}", head),
      std::to_string(head)};
  painter.first_in(title, chosen ? palette.text : palette.muted_text, titles, Align::left,
                   chosen ? Weight::bold : Weight::regular);
  if (touch("title", title).pressed) strips.scene.focus.head = head;
  hint(strips.scene, title,
       fmt::format("Head {} of {}: one cell per unit. Click to put it in focus.", head, c.heads));
}

void describe(Strips& strips, int head, int unit) {
  const float cell = strips.cells.c->at(head, unit), weight = strips.cells.n_at(head, unit);
  const std::string answer = short_number(answer_of(strips.block, cell, weight));
  strips.card.add(
      strips.cells.n
          ? fmt::format("c / n = {} / {} = {}", short_number(cell), short_number(weight), answer)
          : fmt::format("tanh(c) = tanh({}) = {}", short_number(cell), answer),
      true);
  strips.card.add(fmt::format("head {}, unit {}, t = {}", head, unit, strips.step));
  strips.card.add("click: pin");
}

/// The mouse on the strip of a head, and the marks of what is pointed at.
void interact(Strips& strips, Painter& painter, int head, const Box& row) {
  const int units = strips.cells.c->dim;
  Focus& focus = strips.scene.focus;
  const float w = row.width() / static_cast<float>(units);
  const Touch mouse = touch("strip", row);
  if ((mouse.hovered || mouse.held) && w > 0.0f) {
    const int unit = std::clamp(static_cast<int>((mouse.mouse.x - row.min.x) / w), 0, units - 1);
    strips.hovered = ValueRef{strips.block.prefix + "/c", strips.step, head, unit};
    if (mouse.pressed) {
      focus.pinned = strips.hovered;
      focus.head = head;
    }
    describe(strips, head, unit);
  }
  for (const auto& ref : {focus.pinned, focus.hovered}) {
    if (!ref || ref->head != head || ref->unit < 0 || ref->unit >= units) continue;
    if (value_prefix(ref->path) != strips.block.prefix) continue;
    const float x = row.min.x + w * static_cast<float>(ref->unit);
    const float grow = std::max(0.0f, (painter.px(5) - w) / 2);
    painter.outline({{x - grow, row.min.y - 1}, {x + w + grow, row.max.y + 1}},
                    painter.palette().text, painter.px(1.5f));
  }
}

}  // namespace

float answer_of(const BlockCard& block, float c, float n) {
  return block.has_normalizer ? c / n : std::tanh(c);
}

const char* answer_name(const BlockCard& block) {
  return block.has_normalizer ? "c / n" : "tanh(c)";
}

UnitCells unit_cells(const BlockCard& block, const Trace* trace, int step) {
  UnitCells cells;
  if (!trace) return cells;
  cells.c = trace->find(step, block.prefix + "/c");
  cells.n = block.has_normalizer ? trace->find(step, block.prefix + "/n") : nullptr;
  cells.complete = cells.c && cells.c->dim >= 1 &&
                   (!block.has_normalizer ||
                    (cells.n && cells.c->heads == cells.n->heads && cells.c->dim == cells.n->dim));
  return cells;
}

void draw_unit_cells(Scene& scene, Painter& painter, const BlockCard& block, const Trace& trace,
                     Box rest, std::optional<ValueRef>& hovered, HoverCard& card) {
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  const int step = std::min(scene.snapshot.session.cursor, trace.length() - 1);
  const UnitCells cells = unit_cells(block, &trace, step);
  if (!cells.complete) {
    say(painter, rest, "The cells of this block were not recorded.");
    return;
  }
  const Recorded& c = *cells.c;
  sentence(painter, block, rest);
  std::vector<float> answers(c.values.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    answers[i] = answer_of(block, c.values[i], cells.n ? cells.n->values[i] : 0.0f);
  }
  const ColourScale colours(palette, MapName::signed_values, -1.0, 1.0);
  Legend legend{answer_name(block), "fixed range, all heads", "", outside(answers, colours)};
  legend.brief = answer_name(block);
  const Box legend_row = rest.height() >= 2.5f * line ? rest.cut_bottom(line) : Box{};
  rest.cut_bottom(painter.px(4));
  const float each =
      std::min(rest.height() / static_cast<float>(c.heads), 2 * line + painter.px(56));
  Strips strips{scene, block, cells, step, hovered, card};
  bool shared = false;
  for (int head = 0; head < c.heads; ++head) {
    Box row = rest.cut_top(each);
    row.cut_bottom(painter.px(5));
    ImGui::PushID(head);
    if (row.height() > 2.2f * line) draw_title(strips, painter, head, row.cut_top(line));
    const auto units = static_cast<std::size_t>(c.dim);
    const std::span<const float> of_head(answers.data() + static_cast<std::size_t>(head) * units,
                                         units);
    shared |= draw_heat(painter, scene.images, fmt::format("memory/c{}", head), row, of_head, 1,
                        c.dim, colours);
    const bool chosen = strips.chosen(head);
    painter.outline(row, chosen ? palette.accent : palette.grid,
                    chosen ? painter.line_width() : 1.0f);
    interact(strips, painter, head, row);
    ImGui::PopID();
  }
  if (shared) legend.transform = "largest |x| of a pixel";
  draw_legend(painter, legend_row, colours, legend);
  explain_legend(scene, legend_row, colours, legend);
}

}  // namespace xlab::ui
