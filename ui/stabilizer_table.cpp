// The numbers of the stabilizer lab, a row for each time step.
#include "ui/stabilizer_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

const char* word_of(ScaleWinner winner) {
  switch (winner) {
    case ScaleWinner::input:
      return "input gate";
    case ScaleWinner::decayed:
      return "decayed m";
    case ScaleWinner::first:
      return "first write";
    case ScaleWinner::none:
      break;
  }
  return "";
}

const char* word_of(Agreement agreement) {
  switch (agreement) {
    case Agreement::same:
      return "right";
    case Agreement::format:
      return "digits of the format";
    case Agreement::wrong:
      return "quietly wrong";
    case Agreement::bad:
      return "no number";
    case Agreement::unknown:
      break;
  }
  return "";
}

}  // namespace

Table stabilizer_table(const Scene& scene, const StabilizerChoice& chosen) {
  Table table;
  table.columns = {"step",
                   "token",
                   "head",
                   "unit",
                   "i",
                   "log_keep",
                   "decayed_m",
                   "m",
                   "winner",
                   "i_minus_m",
                   "decayed_minus_m",
                   "floor_used",
                   "overlap",
                   "normalizer",
                   "h_exact",
                   "h_with_m",
                   "h_without_m",
                   "error_with_m",
                   "error_without_m",
                   "without_m",
                   "log10_exp_i",
                   "log10_keep",
                   "log10_memory",
                   "log10_n"};
  table.places = 4;
  table.step_column = 0;
  const BlockCard* block = focused_block(scene.snapshot, scene.focus);
  const auto& trace = scene.snapshot.trace;
  if (!block || !trace || trace->length() == 0) return table;
  if (const std::string why = why_no_stabilizer(*block); !why.empty()) {
    table.note = why;
    return table;
  }
  StabilizerChoice choice = chosen;
  choice.unit = std::clamp(choice.unit, 0, std::max(0, block->value_dim - 1));
  const int head = focused_head(*block, scene.focus);
  StabilizerShown shown;
  shown.use(scene.snapshot, *block, head, choice, std::numeric_limits<int>::max());
  int begin = 0, end = trace->length();
  if (const int most = static_cast<int>(scene.most_rows); most > 0 && end > most) {
    begin = std::clamp(scene.snapshot.sequence.cursor - most / 2, 0, end - most);
    table.note =
        fmt::format("Time steps {} to {} of 0 to {} are listed, those around the time cursor.",
                    begin, begin + most - 1, end - 1);
    end = begin + most;
  }
  const std::string computed =
      fmt::format("h, errors: computed in {}", xlab::name_of(choice.format));
  table.note += (table.note.empty() ? "" : " ") + computed + ".";
  const auto& tokens = scene.snapshot.sequence.tokens;
  for (int step = begin; step < end; ++step) {
    const auto t = static_cast<std::size_t>(step);
    const ScaleStep& scale = shown.scale()[t];
    std::vector<std::string> row = {
        std::to_string(step),
        t < tokens.size() ? token_label(scene.snapshot.model.get(), tokens[t]) : "",
        std::to_string(head),
        std::to_string(choice.unit),
        full_number(scale.input),
        full_number(scale.log_keep),
        full_number(scale.decayed),
        full_number(scale.m),
        word_of(scale.winner),
        full_number(scale.input_exponent()),
        full_number(scale.decayed_exponent())};
    const auto use = t < shown.floors().size() ? shown.floors()[t] : std::nullopt;
    row.push_back(!use ? "" : use->uses ? "yes" : "no");
    row.push_back(use ? full_number(use->overlap) : "");
    row.push_back(use ? full_number(use->normalizer) : "");
    if (step < shown.length()) {
      const double exact = shown.exact().steps[t].h, with = shown.stabilised().steps[t].h,
                   without = shown.plain().steps[t].h;
      for (const double h : {exact, with, without}) row.push_back(full_number(h));
      row.push_back(full_number(relative_error(with, exact)));
      row.push_back(full_number(relative_error(without, exact)));
      row.push_back(word_of(shown.agreement(step)));
      for (const double need : shown.needs()[t].log10) row.push_back(full_number(need));
    }
    row.resize(table.columns.size());
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace xlab::ui
