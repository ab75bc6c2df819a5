// The row above the gates: which block and head are shown, what faint and grey curves are, and a
// button that takes clamps away.
#include "ui/gate_header.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/gate_rows.hpp"
#include "ui/ghost.hpp"
#include "ui/ground.hpp"

namespace xlab::ui {
namespace {

void clear_button(Scene& scene, Painter& painter, Box& row, HoverCard& card) {
  const std::size_t clamps = scene.snapshot.sequence.clamps.size();
  if (clamps == 0) return;
  const std::string word =
      clamps == 1 ? std::string("clear clamp") : fmt::format("clear {} clamps", clamps);
  const float width = painter.measure(word).x + painter.px(16);
  if (row.width() <= width + painter.px(160)) return;
  const Box button = row.cut_right(width);
  if (button_at(painter, "clear", button, word)) scene.send(command::ClearClamps{});
  card.explain(button, {{"Takes every clamp away, so that the model computes freely again."}});
  row.cut_right(painter.px(6));
}

/// Whether heads that are not in focus are drawn too: where there is one number a head.
bool shows_other_heads(const BlockCard& block) {
  if (block.heads < 2) return false;
  for (const GateRow& row : gate_rows(block))
    for (const Lane& lane : row.lanes)
      if (!lane.per_unit) return true;
  return false;
}

/// What faint and grey curves are.
void note(const Scene& scene, Painter& painter, const Box& row, const BlockCard& block,
          HoverCard& card) {
  std::vector<std::string> notes;
  const std::string others = shows_other_heads(block) ? "faint: other heads" : "";
  if (ghost_trace(scene)) {
    const std::string grey = "grey: " + ghost_curve_words(scene);
    notes.push_back((others.empty() ? "" : others + " · ") + grey);
    notes.push_back(grey);
  } else if (!others.empty()) {
    notes.push_back(others);
  }
  for (const std::string& text : notes) {
    if (painter.measure(text).x > row.width()) continue;
    painter.text_in(row, painter.palette().muted_text, text, Align::right);
    card.explain(row, {{"Strong: the chosen head. Thin and faint: the other heads, click near one "
                        "to choose it. Grey: what the chosen head did in the state that was "
                        "pinned or, where something is held by hand, does without clamps."}});
    return;
  }
}

}  // namespace

void draw_gate_header(Scene& scene, Painter& painter, Box row, HoverCard& card) {
  // What was in focus before a click of this frame.
  const BlockCard& block =
      scene.snapshot.model->blocks[static_cast<std::size_t>(block_in_focus(scene))];
  clear_button(scene, painter, row, card);
  choose_block_and_head(scene, painter, row, "Which head of the block is drawn strong.", card);
  note(scene, painter, row, block, card);
}

}  // namespace xlab::ui
