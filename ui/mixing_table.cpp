// The memory mixing as a table.
#include "ui/mixing_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

/// Products that the influence in a table may take: some tenths of a second.
constexpr double kMostProducts = 3e8;

struct TablePlace {
  const Scene& scene;
  const BlockCard& block;
  const Trace& trace;
  const MixingImage& image;
  MixingPlace place;
  int step = 0;
};

std::string title_of(const TablePlace& at, int gate) {
  return at.block.values->mixing.gates[static_cast<std::size_t>(gate)].title;
}

void add_parts(const TablePlace& at, Table& table) {
  const auto most = static_cast<int>(at.scene.most_rows);
  int first = 0, last = at.image.units - 1;
  if (most > 0 && at.image.gates * at.image.units > most) {
    first = last = at.place.to;
    table.note = fmt::format(
        "Only the pre-activations of unit {} are listed; saving the table "
        "lists those of all units.",
        first);
  }
  for (int unit = first; unit <= last; ++unit) {
    for (int gate = 0; gate < at.image.gates; ++gate) {
      const auto parts = parts_of(at.trace, at.block, at.image, at.scene.snapshot.sequence.clamps,
                                  {gate, at.step, at.place.head, unit});
      if (!parts) continue;
      table.rows.push_back({std::to_string(at.step), std::to_string(at.place.head),
                            title_of(at, gate), "", std::to_string(unit), full_number(parts->token),
                            full_number(parts->mixed), full_number(parts->bias),
                            full_number(parts->recorded), parts->held ? "held" : "", "", "", "",
                            ""});
    }
  }
}

void add_sources(const TablePlace& at, Table& table) {
  for (int gate = 0; gate < at.image.gates; ++gate) {
    const auto sources =
        sources_of(at.trace, at.block, at.image, {gate, at.step, at.place.head, at.place.to});
    const auto most = at.scene.most_rows;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const MixedSource& source = sources[i];
      if (most > 0 && i >= most) {
        table.note += fmt::format("{}{} of {} sources of each gate are listed.",
                                  table.note.empty() ? "" : " ", most, sources.size());
        break;
      }
      table.rows.push_back({std::to_string(at.step), std::to_string(at.place.head),
                            title_of(at, gate), std::to_string(source.unit),
                            std::to_string(at.place.to), "", "", "", "", "",
                            full_number(source.weight), full_number(source.output),
                            full_number(source.product), ""});
    }
  }
}

void add_influence(const TablePlace& at, Table& table) {
  Influence influence;
  influence.follow(at.scene.snapshot.trace, at.block, at.scene.snapshot.mixing,
                   at.scene.snapshot.sequence.clamps, at.step, at.place.head, at.place.from);
  const bool more = influence.advance(kMostProducts);
  int listed = 0;
  for (int t = influence.step() + 1; t < influence.end(); ++t, ++listed) {
    if (at.scene.most_rows > 0 && listed >= static_cast<int>(at.scene.most_rows)) {
      table.note += fmt::format("{}The influence is listed up to t = {}.",
                                table.note.empty() ? "" : " ", t - 1);
      return;
    }
    table.rows.push_back({std::to_string(t), std::to_string(at.place.head), "",
                          std::to_string(at.place.from), std::to_string(influence.largest(t)), "",
                          "", "", "", "", "", "", "", full_number(influence.size(t))});
  }
  if (more)
    table.note += fmt::format("{}The influence was computed up to t = {}.",
                              table.note.empty() ? "" : " ", influence.end() - 1);
}

}  // namespace

Table mixing_table(const Scene& scene, const MixingPlace& place) {
  Table table;
  table.columns = {"step", "head", "gate", "from_unit", "unit",   "wx",      "rh",
                   "b",    "pre",  "held", "weight",    "output", "product", "influence"};
  table.titles = {"step",
                  "head",
                  "gate",
                  "from unit",
                  "unit (of an influence: the one that changes most)",
                  "W x",
                  "R h",
                  "b",
                  "pre-activation",
                  "held by hand",
                  "R from one unit to the other",
                  "h of that unit one step before",
                  "R · h",
                  "size of the change d h_t / d h at the cursor"};
  table.places = 5;
  table.step_column = 0;
  const BlockCard* block = focused_block(scene.snapshot, scene.focus);
  const Trace* trace = scene.snapshot.trace.get();
  const MixingImage* image = scene.snapshot.mixing.get();
  if (!block || !trace || trace->length() == 0 || scene.snapshot.sequence.cursor < 0 ||
      !has_mixing(image, *block) || image->block != block_in_focus(scene))
    return table;
  const TablePlace at{scene,  *block,
                      *trace, *image,
                      place,  std::min(scene.snapshot.sequence.cursor, trace->length() - 1)};
  add_parts(at, table);
  add_sources(at, table);
  add_influence(at, table);
  return table;
}

}  // namespace xlab::ui
