// The memory of one block at the cursor as a table.
#include "ui/memory_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/ghost.hpp"
#include "ui/memory_shown.hpp"
#include "ui/number.hpp"
#include "ui/unit_cells.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

Table unit_table(const Scene& scene, const BlockCard& block) {
  Table table;
  const Trace* trace = scene.snapshot.trace.get();
  const ValueCard* answer = block.values->find(block.values->memory.answer);
  const std::vector<std::string> from = answered_from(block);
  const bool evaluated = answer && !answer->recorded;
  table.columns = {"step", "head", "unit"};
  table.columns.insert(table.columns.end(), from.begin(), from.end());
  if (evaluated) table.columns.push_back(answer->symbol);
  table.places = 3;
  table.step_column = 0;
  table.titles = column_titles(table.columns, block);
  const int step = trace ? std::min(scene.snapshot.sequence.cursor, trace->length() - 1) : -1;
  const UnitAnswers answers = unit_answers(block, trace, step);
  for (int head = 0; head < answers.heads; ++head) {
    for (int unit = 0; unit < answers.units; ++unit) {
      std::vector<std::string> row = {std::to_string(step), std::to_string(head),
                                      std::to_string(unit)};
      for (const std::string& name : from)
        row.push_back(full_number(trace->find(step, block.path(name))->at(head, unit)));
      if (evaluated) row.push_back(full_number(answers.of(head)[static_cast<std::size_t>(unit)]));
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
  table.columns = {"step", "head", "key", "value"};
  if (block) {
    const MemoryCard& memory = block->values->memory;
    table.columns.push_back(memory.state);
    if (!memory.write.empty()) table.columns.push_back("last write");
    if (!memory.keys.empty()) table.columns.push_back(memory.keys + " of the key");
    if (!memory.write.empty()) table.columns.push_back("decayed");
    if (reference_of(scene)) table.columns.push_back("change since " + ghost_words(scene));
  }
  table.places = 4;
  table.step_column = 0;
  const MemoryImage* image = scene.snapshot.memory.get();
  if (!block || !image || image->block != block_in_focus(scene)) return table;
  const MemoryCard& memory = block->values->memory;
  const MemoryShown shown = memory_shown(scene.snapshot, *block, *image, MemoryMode::value);
  const MemoryShown write = memory_shown(scene.snapshot, *block, *image, MemoryMode::write);
  const MemoryShown left = memory_shown(scene.snapshot, *block, *image, MemoryMode::decayed);
  const bool reference = reference_of(scene) != nullptr;
  PinnedMemory pinned;
  if (reference) pinned.follow(scene.focus.reference, *block, block_in_focus(scene));
  const MemoryShown change =
      reference ? memory_shown(scene.snapshot, *block, *image, MemoryMode::difference, pinned)
                : MemoryShown{};
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
        std::vector<std::string> row = {std::to_string(shown.step), std::to_string(head),
                                        std::to_string(key), std::to_string(value),
                                        full_number(shown.cells[i])};
        if (!memory.write.empty())
          row.push_back(write.cells.empty() ? "" : full_number(write.cells[i]));
        if (!memory.keys.empty()) row.push_back(shown.n.empty() ? "" : full_number(shown.n[n]));
        if (!memory.write.empty())
          row.push_back(left.cells.empty() ? "" : full_number(left.cells[i]));
        if (reference) row.push_back(change.cells.empty() ? "" : full_number(change.cells[i]));
        table.rows.push_back(std::move(row));
      }
    }
  }
  return table;
}

}  // namespace xlab::ui
