// The reach of a gradient as a table.
#include "ui/reach_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "core/analysis/reach_curves.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {

Table reach_table(const Scene& scene) {
  Table table;
  table.columns = {"step",        "token",      "block",      "head",     "memory_log10",
                   "alone_log10", "memory_log", "output_log", "input_log"};
  table.titles = {"step",
                  "token",
                  "block",
                  "head",
                  "d loss / d state, relative to T, log₁₀",
                  "memory path alone, relative to T, log₁₀",
                  "|d loss / d state|, natural logarithm",
                  "|d loss / d h|, natural logarithm",
                  "|d h_T / d x|, natural logarithm"};
  table.places = 4;
  table.step_column = 0;
  const ReachReport* report = scene.snapshot.reach.get();
  if (!report || !report->failure.empty() || report->run_id != scene.snapshot.run_id) return table;
  const int heads = std::max(report->heads, 1);
  int first = 0;
  const auto most = static_cast<int>(scene.most_rows) / heads;
  if (scene.most_rows > 0 && report->step + 1 > std::max(most, 1)) {
    first = report->step + 1 - std::max(most, 1);
    table.note = fmt::format("Steps {} to {} are listed, the last before T.", first, report->step);
  }
  for (int t = first; t <= report->step; ++t) {
    const auto at = static_cast<std::size_t>(t);
    const std::string token = token_label(scene.snapshot.model.get(), report->tokens[at]);
    for (int h = 0; h < report->heads; ++h) {
      const bool asked = h == report->head && at < report->input.size();
      table.rows.push_back({std::to_string(t), token, std::to_string(report->block),
                            std::to_string(h),
                            full_number(reach_relative(*report, report->memory, h, t)),
                            full_number(reach_relative(*report, report->alone, h, t)),
                            full_number(reach_size(*report, report->memory, h, t)),
                            full_number(reach_size(*report, report->output, h, t)),
                            asked ? full_number(report->input[at]) : ""});
    }
  }
  return table;
}

}  // namespace xlab::ui
