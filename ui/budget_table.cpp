// The write budget as a table.
#include "ui/budget_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

void add_writes(const Scene& scene, const BlockCard& block, const BudgetPlace& place,
                const BudgetShown& shown, Table& table) {
  if (!shown.budget()) return;
  const WriteBudget& budget = *shown.budget();
  const WritingCell& cell = *shown.cell();
  const std::vector<int>& tokens = scene.snapshot.sequence.tokens;
  int first = budget.first;
  // Of a table to look at, the newest: they are next to the cursor.
  const auto most = static_cast<int>(scene.most_rows);
  if (most > 0 && budget.last() - first + 1 > most) {
    first = budget.last() - most + 1;
    table.note = fmt::format("Tokens {} to {} are listed, the last before the time cursor.", first,
                             budget.last());
  }
  for (int s = first; s <= budget.last(); ++s) {
    const auto i = static_cast<std::size_t>(s - budget.first);
    const std::string token =
        s < static_cast<int>(tokens.size())
            ? token_label(scene.snapshot.model.get(), tokens[static_cast<std::size_t>(s)])
            : "";
    table.rows.push_back({std::to_string(s), token, std::to_string(place.head),
                          block.has_matrix && place.channel < 0
                              ? "all"
                              : std::to_string(block.has_matrix ? place.channel : place.unit),
                          full_number(budget.weights[i]), full_number(budget.share(s, cell)),
                          full_number(budget.factors[i]), full_number(budget.values[i]),
                          full_number(budget.parts[i]), "", ""});
  }
}

void add_lives(const Scene& scene, const BudgetShown& shown, Table& table) {
  const BlockLives& lives = shown.lives();
  for (std::size_t i = 0; i < lives.now.size(); ++i) {
    const auto most = scene.most_rows;
    if (most > 0 && i >= most) {
      table.note += fmt::format("{}Half-lives of {} of {} forget gates are listed.",
                                table.note.empty() ? "" : " ", most, lives.now.size());
      return;
    }
    const auto gates = static_cast<std::size_t>(std::max(lives.gates, 1));
    table.rows.push_back({std::to_string(shown.step()), "", std::to_string(i / gates),
                          std::to_string(i % gates), "", "", "", "", "", full_number(lives.now[i]),
                          i < lives.mean.size() ? full_number(lives.mean[i]) : ""});
  }
}

}  // namespace

Table budget_table(const Scene& scene, const BudgetPlace& place) {
  Table table;
  table.columns = {"step",   "token", "head", "unit",      "weight",        "share",
                   "factor", "value", "part", "half_life", "mean_half_life"};
  table.titles = {"step",
                  "token",
                  "head",
                  "unit or channel",
                  "weight i' · f' … f'",
                  "share",
                  "factor of its value in the answer",
                  "value written",
                  "part of the answer",
                  "half-life in tokens",
                  "mean half-life in tokens"};
  table.places = 4;
  table.step_column = 0;
  const BlockCard* block = focused_block(scene.snapshot, scene.focus);
  if (!block || !scene.snapshot.trace) return table;
  BudgetShown shown;
  shown.use(scene.snapshot, *block, place);
  add_writes(scene, *block, place, shown, table);
  add_lives(scene, shown, table);
  return table;
}

}  // namespace xlab::ui
