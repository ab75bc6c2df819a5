// The memory of one block at the cursor as a table.
#include "ui/memory_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/memory_shown.hpp"
#include "ui/number.hpp"
#include "ui/unit_cells.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

Table unit_table(const Scene& scene, const BlockCard& block) {
  Table table;
  const Trace* trace = scene.snapshot.trace.get();
  table.columns = {"step", "head", "unit", "c"};
  if (block.has_normalizer) table.columns.push_back("n");
  table.columns.push_back(answer_name(block));
  table.places = 3;
  table.step_column = 0;
  table.titles = column_titles(table.columns, block);
  const int step = trace ? std::min(scene.snapshot.session.cursor, trace->length() - 1) : -1;
  const UnitCells cells = unit_cells(block, trace, step);
  if (!cells.complete) return table;
  for (int head = 0; head < cells.c->heads; ++head) {
    for (int unit = 0; unit < cells.c->dim; ++unit) {
      const float cell = cells.c->at(head, unit), weight = cells.n_at(head, unit);
      std::vector<std::string> row = {std::to_string(step), std::to_string(head),
                                      std::to_string(unit), full_number(cell)};
      if (cells.n) row.push_back(full_number(weight));
      row.push_back(full_number(answer_of(block, cell, weight)));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

}  // namespace

Table memory_table(const Scene& scene) {
  const BlockCard* block = focused_block(scene.snapshot, scene.focus);
  if (block && !block->has_matrix) return unit_table(scene, *block);
  Table table;
  table.columns = {"step", "head", "key", "value", "C", "last write", "n of the key"};
  table.places = 4;
  table.step_column = 0;
  const MemoryImage* image = scene.snapshot.memory.get();
  if (!block || !image || image->block != block_in_focus(scene)) return table;
  const MemoryShown shown = memory_shown(scene.snapshot, *block, *image, MemoryMode::value);
  const MemoryShown write = memory_shown(scene.snapshot, *block, *image, MemoryMode::write);
  if (shown.cells.empty()) return table;
  // Beyond this many rows only the head in focus is listed, and to look at its first keys.
  constexpr std::size_t kMostRows = 100000;
  const std::size_t most = scene.most_rows > 0 ? scene.most_rows : kMostRows;
  const bool all = shown.cells.size() <= most;
  const int focused = focused_head(*block, scene.focus);
  int keys = shown.keys;
  if (!all) {
    if (scene.most_rows > 0)
      keys = std::clamp(static_cast<int>(most) / std::max(1, shown.values), 1, shown.keys);
    if (shown.heads > 1) {
      table.note = fmt::format(
          "Only head {} of {} is listed: all of them would be {} rows. Choose another head to list "
          "it.",
          focused, shown.heads, shown.cells.size());
    }
    if (keys < shown.keys) {
      table.note += fmt::format("{}Keys 0 to {} of {} are listed.", table.note.empty() ? "" : " ",
                                keys - 1, shown.keys);
    }
  }
  std::size_t i = 0;
  for (int head = 0; head < shown.heads; ++head) {
    if (!all && head != focused) {
      i += static_cast<std::size_t>(shown.keys) * static_cast<std::size_t>(shown.values);
      continue;
    }
    for (int key = 0; key < keys; ++key) {
      for (int value = 0; value < shown.values; ++value, ++i) {
        const auto n = static_cast<std::size_t>(head) * static_cast<std::size_t>(shown.keys) +
                       static_cast<std::size_t>(key);
        table.rows.push_back({std::to_string(shown.step), std::to_string(head), std::to_string(key),
                              std::to_string(value), full_number(shown.cells[i]),
                              write.cells.empty() ? "" : full_number(write.cells[i]),
                              shown.n.empty() ? "" : full_number(shown.n[n])});
      }
    }
  }
  return table;
}

}  // namespace xlab::ui
