// The gate explorer as a table.
#include "ui/explorer_table.hpp"

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "core/analysis/plain_course.hpp"
#include "core/explorer.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

const std::vector<std::string> kHeld = {"input_gate_pre", "forget_gate_pre", "cell_input_pre",
                                        "output_gate_pre"};

}  // namespace

Table explorer_table(const Scene& scene) {
  Table table;
  table.columns = {"step", "block", "cell"};
  table.titles = {"step", "block", "cell"};
  for (const std::string& name : kHeld) table.columns.push_back(name);
  for (const char* title : {"input gate, pre-activation (i)", "forget gate, pre-activation (f)",
                            "cell input, pre-activation (z)", "output gate, pre-activation (o)"})
    table.titles.emplace_back(title);
  for (const char* name : {"memory", "normalizer", "h"}) table.columns.emplace_back(name);
  for (const char* title : {"size of the memory, without stabilizer",
                            "size of the normalizer, without stabilizer", "output (h), number 0"})
    table.titles.emplace_back(title);
  table.places = 3;
  table.step_column = 0;
  const Snapshot& snapshot = scene.snapshot;
  if (!snapshot.model || !snapshot.data || snapshot.data->task != explorer::kTask ||
      !snapshot.trace)
    return table;
  const std::vector<BlockCard>& blocks = snapshot.model->blocks;
  std::vector<PlainCourse> courses;
  for (const BlockCard& block : blocks) courses.push_back(plain_course(*snapshot.trace, block, 0));
  for (int step = 0; step < snapshot.trace->length(); ++step) {
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const PlainCourse& course = courses[b];
      if (step >= course.steps()) continue;
      const auto at = static_cast<std::size_t>(step);
      std::vector<std::string> row = {std::to_string(step), std::to_string(b), blocks[b].title};
      for (const std::string& name : kHeld) {
        const float* number = number_at(snapshot.trace.get(), {blocks[b].path(name), step, 0, 0});
        row.push_back(number ? full_number(*number) : "");
      }
      const std::vector<double>& memory = course.memory[at];
      row.push_back(full_number(memory.size() == 1 ? memory.front() : course.size(step)));
      row.push_back(at < course.normalizer.size() ? full_number(course.size_of_normalizer(step))
                                                  : "");
      row.push_back(full_number(static_cast<float>(course.output[at].front())));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

}  // namespace xlab::ui
