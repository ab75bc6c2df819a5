// Bars of a vector that is read or put to a memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "ui/paint.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {

/// An axis for these numbers that is as far below zero as above.
Axis axis_of_bars(std::span<const double> numbers, std::span<const double> beside = {});

/// One bar a number, from zero; where `beside` has numbers, each is a line across its bar. What is
/// no number is hatched magenta. Numbers of the axis stand left of the box in `gutter` pixels, the
/// first and the last index below where `below` has room.
struct BarLane {
  Box box, below;
  float gutter = 0.0f;
  Axis axis;
  ImU32 colour = 0;
  std::string words;  ///< what a bar is one of, written below
  int marked = -1;    ///< pinned: a mark under its bar
  int pointed = -1;   ///< under the mouse
};
void draw_bars(Painter& painter, const BarLane& lane, std::span<const double> numbers,
               std::span<const double> beside = {});
/// The bar at a place.
int bar_at(const BarLane& lane, float x, std::size_t count);

}  // namespace xlab::ui
