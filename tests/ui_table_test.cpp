// Tables as people read them: what stands above the columns, and where time is.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/described.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/table.hpp"
#include "ui/values.hpp"
#include "ui/view.hpp"

namespace xlab::tests {
namespace {

using ui::Table;

Table table_of(const std::string& view, const Snapshot& snapshot, int block) {
  Stage stage(snapshot);
  stage.focus.block = block;
  for (const auto& candidate : ui::make_views()) {
    if (candidate->name() == view) return candidate->table(stage.scene());
  }
  return {};
}

TEST(TableTitles, AreTheNamesPeopleSeeWithTheirSymbols) {
  const Snapshot s = recall_scene();
  const Table matrix = table_of("gates", s, 0), cells = table_of("gates", s, 1);
  const auto title = [](const Table& table, const std::string& column) {
    const auto found = std::find(table.columns.begin(), table.columns.end(), column);
    return found == table.columns.end()
               ? std::string("no such column")
               : table.title(static_cast<std::size_t>(found - table.columns.begin()));
  };
  EXPECT_EQ(title(matrix, "input_gate_pre"), "input gate, pre-activation (i)");
  EXPECT_EQ(title(matrix, "m"), "stabilizer (m)");
  EXPECT_EQ(title(matrix, "step"), "step") << "no value of the block";
  for (const Table& table : {matrix, cells}) {
    for (std::size_t i = 4; i < table.columns.size(); ++i) {
      EXPECT_EQ(table.title(i).find('_'), std::string::npos) << table.title(i);
    }
    EXPECT_EQ(table.csv().substr(0, table.csv().find("\r\n")).find("pre-activation"),
              std::string::npos)
        << "a file keeps the names for programs";
  }
}

TEST(TableTitles, FollowTheEquationsOfTheBlock) {
  BlockCard block = block_of("block0/mlstm/m");
  const std::vector<std::string> columns = {"step", "forget_gate_sigmoid"};
  EXPECT_EQ(ui::column_titles(columns, block)[1], "forget gate (σ(f))");
  set_variant(block, {.forget_gate = ForgetGate::exponential});
  EXPECT_EQ(ui::column_titles(columns, block)[1], "forget gate, exponential (exp(f))");
}

TEST(TableTitles, TheTimeStepIsWhereTheTableSays) {
  const Snapshot s = recall_scene();
  std::map<std::string, std::size_t> rows;
  for (const auto& view : ui::make_views()) {
    const Table table = table_of(view->name(), s, 0);
    EXPECT_LE(table.places, static_cast<int>(table.columns.size())) << view->name();
    if (table.step_column < 0) continue;
    ASSERT_LT(table.step_column, static_cast<int>(table.columns.size())) << view->name();
    for (const auto& row : table.rows) {
      const int step = std::atoi(row[static_cast<std::size_t>(table.step_column)].c_str());
      EXPECT_TRUE(step >= 0 && step < s.trace->length()) << view->name();
      ++rows[view->name()];
    }
  }
  EXPECT_GT(rows["gates"], 17u);
  EXPECT_EQ(rows["time"], s.sequence.tokens.size());
  EXPECT_GT(rows["memory"], 17u);
}

}  // namespace
}  // namespace xlab::tests
