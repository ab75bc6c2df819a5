// Which block of the model a view shows: the tabs that put another one in focus.
#include "ui/block_chooser.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ui/ground.hpp"

namespace xlab::ui {

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

}  // namespace xlab::ui
