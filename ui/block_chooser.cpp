// Which block of the model a view shows: the tabs that put another one in focus.
#include "ui/block_chooser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "ui/ground.hpp"

namespace xlab::ui {
namespace {

void blocks(Scene& scene, Painter& painter, Box& row, int heads, HoverCard& card) {
  // Blocks may take what heads leave, at least half.
  Box room = row;
  const float for_heads =
      std::min(painter.px(40 + 26.0f * static_cast<float>(heads)), row.width() * 0.5f);
  room.max.x = std::max(room.min.x, row.max.x - for_heads);
  // As many words as there is room for; the number always.
  std::vector<std::string> names;
  for (const int words : {2, 1, 0}) {
    names = block_names(*scene.snapshot.model, words);
    if (chooser_width(painter, names) <= room.width()) break;
  }
  const Box taken = choose_block(scene, painter, room, names);
  card.explain(taken, {{"Which block of the model is shown here and in the other views."},
                       {"Block 0 reads the tokens, each other one what the block before it made "
                        "of them."}});
  row.min.x = room.min.x;
  row.cut_left(painter.px(6));
}

void heads_of(Scene& scene, Painter& painter, Box& row, int heads, std::string_view which,
              HoverCard& card) {
  const std::string word = "head";
  const Box whole = row;
  if (const float width = painter.measure(word).x + painter.px(5);
      row.width() > width + painter.px(60)) {
    painter.text_in(row.cut_left(width), painter.palette().muted_text, word);
  }
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(std::max(heads, 0)));
  for (int h = 0; h < heads; ++h) names.push_back(std::to_string(h));
  const int head = std::clamp(scene.focus.head, 0, std::max(heads - 1, 0));
  const int wanted = choose_at(painter, "head", row, names, head);
  if (wanted != head) scene.focus.head = wanted;
  card.explain({whole.min, {row.min.x, whole.max.y}},
               {{std::string(which)}, {"Each head has gates and a memory of its own."}});
  row.cut_left(painter.px(8));
}

}  // namespace

int block_in_focus(const Scene& scene) {
  const int last = static_cast<int>(scene.snapshot.model->blocks.size()) - 1;
  return std::clamp(scene.focus.block, 0, last);
}

std::vector<std::string> block_names(const ModelCard& model, int words) {
  std::vector<std::string> names;
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const std::string& cell = model.blocks[b].title;
    names.push_back(words >= 2   ? fmt::format("block {} {}", b, cell)
                    : words == 1 ? fmt::format("{} {}", b, cell)
                                 : std::to_string(b));
  }
  return names;
}

Box choose_block(Scene& scene, Painter& painter, Box& row, std::span<const std::string> names) {
  const Box whole = row;
  const int block = block_in_focus(scene);
  const int chosen = choose_at(painter, "block", row, names, block);
  if (chosen != block) scene.focus.block = chosen;
  return {whole.min, {std::max(row.min.x, whole.min.x), whole.max.y}};
}

void choose_block_and_head(Scene& scene, Painter& painter, Box& row, std::string_view which_head,
                           HoverCard& card) {
  // What was in focus before a click of this frame.
  const int heads =
      scene.snapshot.model->blocks[static_cast<std::size_t>(block_in_focus(scene))].heads;
  blocks(scene, painter, row, heads, card);
  heads_of(scene, painter, row, heads, which_head, card);
}

}  // namespace xlab::ui
