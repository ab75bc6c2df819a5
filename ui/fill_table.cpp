// How full a memory is, as a table.
#include "ui/fill_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/fill_shown.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

constexpr double kToLookAt = 1e8;
constexpr int kMostColumns = 64;

}  // namespace

Table fill_table(const Scene& scene) {
  Table table;
  table.columns = {"step", "token", "block", "head", "effective_rank", "cosine", "length", "floor"};
  table.titles = {"step",
                  "token",
                  "block",
                  "head",
                  "effective rank of C, (Σ σ²)² / Σ σ⁴",
                  "cosine of the answer to its key, at the cursor, and its value",
                  "length of that answer, of that of the value",
                  "whether that answer is divided by the floor"};
  table.places = 4;
  table.step_column = 0;
  const Snapshot& snapshot = scene.snapshot;
  const BlockCard* block = focused_block(snapshot, scene.focus);
  if (!block || !block->has_matrix || !snapshot.trace) return table;
  const int number = block_in_focus(scene), head = focused_head(*block, scene.focus);
  FillShown shown;
  shown.use(snapshot, number, head,
            scene.most_rows > 0 ? kToLookAt : std::numeric_limits<double>::infinity());
  const int length =
      std::min(snapshot.trace->length(), static_cast<int>(snapshot.sequence.tokens.size()));
  int first = 0, end = length;
  const int most = static_cast<int>(scene.most_rows);
  if (most > 0 && length > most) {
    first = std::clamp(snapshot.sequence.cursor + 1 - most, 0, length - most);
    end = first + most;
    table.note = fmt::format("Steps {} to {} are listed, those at the cursor.", first, end - 1);
  }
  const auto note = [&](const std::string& words) {
    table.note += (table.note.empty() ? "" : " ") + words;
  };
  if (shown.busy())
    note(
        fmt::format("Singular values are listed up to step {}; a table that is saved or copied has "
                    "all of them.",
                    shown.fill().next() - 1));
  if (shown.fill().stride() > 1)
    note(fmt::format("Singular values are those of every {}th step.", shown.fill().stride()));
  const int columns = std::min(shown.most(), kMostColumns);
  if (columns < shown.most())
    note(fmt::format("The {} largest of {} singular values are listed.", columns, shown.most()));
  for (int j = 0; j < columns; ++j) {
    table.columns.push_back(fmt::format("sigma_{}", j));
    table.titles.push_back(fmt::format("singular value {}, in units of exp(m)", j));
  }
  for (int t = first; t < end; ++t) {
    const std::vector<double>* singular = shown.fill().taken(t) == t ? shown.fill().at(t) : nullptr;
    const bool asked = shown.has_now() && t <= shown.test().step() &&
                       t < static_cast<int>(shown.test().answers().size());
    const KeyAnswer answer =
        asked ? shown.test().answers()[static_cast<std::size_t>(t)] : KeyAnswer{};
    std::vector<std::string> row = {
        std::to_string(t),
        token_label(snapshot.model.get(), snapshot.sequence.tokens[static_cast<std::size_t>(t)]),
        std::to_string(number),
        std::to_string(head),
        singular ? full_number(participation_ratio(*singular)) : "",
        asked ? full_number(answer.cosine) : "",
        asked ? full_number(answer.length) : "",
        !asked         ? ""
        : answer.floor ? "yes"
                       : "no"};
    for (std::size_t j = 0; j < static_cast<std::size_t>(columns); ++j)
      row.push_back(!singular               ? ""
                    : j >= singular->size() ? full_number(std::nan(""))
                                            : full_number((*singular)[j]));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace xlab::ui
