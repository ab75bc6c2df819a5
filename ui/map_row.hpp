// One row of the model map: a block or a group of them, drawn in the columns that have room.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "ui/map_rows.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// The columns, most important first.
enum class MapColumn { name, residual, lives, change, parts, read_out, parameters, state };
inline constexpr int kMapColumns = 8;

/// Where the columns stand; those that have no room are empty.
class MapLayout {
 public:
  MapLayout(const Painter& painter, const ModelCard& model, const Box& rows);
  bool has(MapColumn column) const { return !at(column).empty(); }
  /// Its part of a row.
  Box of(MapColumn column, const Box& row) const;

 private:
  const Box& at(MapColumn column) const { return boxes_[static_cast<std::size_t>(column)]; }

  std::array<Box, kMapColumns> boxes_{};
};

/// What a row is drawn from.
struct MapRowLook {
  const ModelCard& model;
  const MapShown& shown;
  const MapLayout& layout;
  MapRow row;
  MapNumbers numbers;
  bool focused = false, under_mouse = false;
};

/// Titles of the columns, with the ranges of what is drawn to length.
void draw_map_titles(Painter& painter, const MapLayout& layout, const MapShown& shown,
                     const Box& row);
void draw_map_row(Painter& painter, const MapRowLook& look, const Box& row);
/// Embedding and head, before the first and after the last block.
void draw_map_end(Painter& painter, const MapLayout& layout, const MapShown& shown,
                  std::string_view name, double length, const Box& row);

/// "half-lives 0.5 … 3.4 … 280 tokens", of all forget gates.
std::string lives_words(const Spread& lives);
/// The colour of a kind of block: the same for blocks of one kind.
ImU32 kind_colour(const ModelCard& model, int block);

}  // namespace xlab::ui
