// The gates of one block as a table.
#include "ui/gate_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ui/gate_rows.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {

Table gate_table(const Scene& scene, int chosen_unit) {
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
    begin = std::clamp(scene.snapshot.sequence.cursor - steps / 2, 0, std::max(0, end - steps));
    table.note =
        fmt::format("Time steps {} to {} of 0 to {} are listed, those around the time cursor.",
                    begin, begin + steps - 1, end - 1);
    end = begin + steps;
  } else if (most == 0 && all > kMostRows) {
    only = std::clamp(chosen_unit, 0, units - 1);
    table.note = fmt::format(
        "Only unit {} of {} is listed: all of them would be {} rows. Choose another unit in a "
        "strip of the drawing.",
        only, units, all);
  }
  const auto& tokens = scene.snapshot.sequence.tokens;
  for (int step = begin; step < end; ++step) {
    const std::string token =
        step < static_cast<int>(tokens.size())
            ? token_label(scene.snapshot.model.get(), tokens[static_cast<std::size_t>(step)])
            : "";
    std::vector<const Recorded*> recorded;
    recorded.reserve(names.size());
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

}  // namespace xlab::ui
