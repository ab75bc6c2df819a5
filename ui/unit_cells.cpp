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

#include "core/live_equation.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/memory_shown.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

/// What the strips of a frame share.
struct Strips {
  Scene& scene;
  const BlockCard& block;
  const UnitAnswers& answers;
  const std::string& symbol;  ///< of an answer
  const Trace& trace;
  int step = 0;
  std::optional<ValueRef>& hovered;
  HoverCard& card;

  bool chosen(int head) const {
    return head == focused_head(block, scene.focus) && answers.heads > 1;
  }
};

/// What the strips mean, where there is room to say it.
void sentence(Painter& painter, const BlockCard& block, Box& rest) {
  const std::string& text = block.values->memory.words;
  if (text.empty()) return;
  const float words = painter.paragraph(rest.min, rest.width(), 0, text, Weight::regular, false);
  if (words + 6 * painter.line_height() >= rest.height()) return;
  painter.paragraph(rest.cut_top(words).min, rest.width(), painter.palette().muted_text, text);
  rest.cut_top(painter.px(6));
}

void draw_title(Strips& strips, Painter& painter, int head, const Box& title) {
  const Palette& palette = painter.palette();
  const UnitAnswers& answers = strips.answers;
  const bool chosen = strips.chosen(head);
  const std::string titles[] = {
      fmt::format("head {}: units 0…{}, t = {}", head, answers.units - 1, strips.step),
      fmt::format("head {}, t = {}", head, strips.step), fmt::format("head {}", head),
      std::to_string(head)};
  painter.first_in(title, chosen ? palette.text : palette.muted_text, titles, Align::left,
                   chosen ? Weight::bold : Weight::regular);
  if (control(painter, "title", title, {.arrows = Arrows::column, .group = 1}).pressed)
    strips.scene.focus.head = head;
  hint(strips.scene, title,
       fmt::format("Head {} of {}: one cell per unit. Click to put it in focus.", head,
                   answers.heads));
}

void describe(Strips& strips, int head, int unit) {
  const std::string& answer = strips.block.values->memory.answer;
  const LiveEquation live =
      live_equation(strips.trace, strips.block, strips.block.path(answer), strips.step, head, unit);
  const ValueCard* card = strips.block.values->find(answer);
  const bool evaluated = live.complete && card && !card->recorded;
  strips.card.add(
      fmt::format("{} = {}{}", strips.symbol, evaluated ? live.right + " = " : std::string(),
                  short_number(strips.answers.of(head)[static_cast<std::size_t>(unit)])),
      true);
  strips.card.add(fmt::format("head {}, unit {}, t = {}", head, unit, strips.step));
  strips.card.add("click: pin");
}

/// The mouse on the strip of a head, and the marks of what is pointed at.
void interact(Strips& strips, Painter& painter, int head, const Box& row) {
  const int units = strips.answers.units;
  Focus& focus = strips.scene.focus;
  const float w = row.width() / static_cast<float>(units);
  const Touch mouse = touch("strip", row);
  if ((mouse.hovered || mouse.held) && w > 0.0f) {
    const int unit = std::clamp(static_cast<int>((mouse.mouse.x - row.min.x) / w), 0, units - 1);
    strips.hovered =
        ValueRef{strips.block.path(strips.block.values->memory.state), strips.step, head, unit};
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

std::vector<std::string> answered_from(const BlockCard& block) {
  const ValueCard* answer = block.values->find(block.values->memory.answer);
  if (!answer) return {};
  return answer->recorded ? std::vector<std::string>{answer->name} : answer->inputs;
}

UnitAnswers unit_answers(const BlockCard& block, const Trace* trace, int step) {
  const ValueCard* answer = block.values->find(block.values->memory.answer);
  if (!trace || !answer) return {};
  UnitAnswers answers{block.heads, static_cast<int>(block.numbers(answer->extent)), {}};
  // What is recorded has to have the sizes that are described.
  for (const std::string& name : answered_from(block)) {
    const Recorded* r = trace->find(step, block.path(name));
    if (!r || r->heads != answers.heads || r->dim != answers.units || r->dim < 1) return {};
  }
  for (int head = 0; head < answers.heads; ++head) {
    const std::vector<float> numbers = numbers_at(*trace, block, *answer, step, head);
    answers.numbers.insert(answers.numbers.end(), numbers.begin(), numbers.end());
  }
  return answers;
}

const UnitAnswers& UnitCells::answers(const Snapshot& snapshot, const BlockCard& block, int step) {
  const bool same = trace_ == snapshot.trace && model_ == snapshot.model && step_ == step &&
                    prefix_ == block.prefix;
  if (!same) answers_ = unit_answers(block, snapshot.trace.get(), step);
  trace_ = snapshot.trace;
  model_ = snapshot.model;
  step_ = step;
  prefix_ = block.prefix;
  return answers_;
}

void UnitCells::draw(Scene& scene, Painter& painter, const BlockCard& block, const Trace& trace,
                     Box rest, std::optional<ValueRef>& hovered, HoverCard& card) {
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  const int step = std::min(scene.snapshot.sequence.cursor, trace.length() - 1);
  const UnitAnswers& answers = this->answers(scene.snapshot, block, step);
  if (answers.numbers.empty()) {
    say(painter, rest, "The cells of this block were not recorded.");
    return;
  }
  sentence(painter, block, rest);
  const std::string symbol = symbol_of(block, block.values->memory.answer);
  const ColourScale colours(palette, MapName::signed_values, -1.0, 1.0);
  Legend legend{symbol, "fixed range, all heads", "", outside(answers.numbers, colours)};
  legend.brief = symbol;
  const Box legend_row = rest.height() >= 2.5f * line ? rest.cut_bottom(line) : Box{};
  rest.cut_bottom(painter.px(4));
  const float each =
      std::min(rest.height() / static_cast<float>(answers.heads), 2 * line + painter.px(56));
  Strips strips{scene, block, answers, symbol, trace, step, hovered, card};
  bool shared = false;
  for (int head = 0; head < answers.heads; ++head) {
    Box row = rest.cut_top(each);
    row.cut_bottom(painter.px(5));
    ImGui::PushID(head);
    if (row.height() > 2.2f * line) draw_title(strips, painter, head, row.cut_top(line));
    shared |= draw_heat(painter, scene.images, fmt::format("memory/c{}", head), row,
                        answers.of(head), 1, answers.units, colours);
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
