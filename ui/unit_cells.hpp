// The memory of a cell that keeps one number per unit, head by head: what each unit answers before
// the output gate.
#pragma once

#include <optional>

#include "core/snapshot.hpp"
#include "ui/focus.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// What a unit's memory answers before the output gate: c / n, or tanh(c) where there is no n.
float answer_of(const BlockCard& block, float c, float n);
const char* answer_name(const BlockCard& block);

/// The cells of a step and what normalises them: n is null where there is none.
struct UnitCells {
  const Recorded *c = nullptr, *n = nullptr;
  bool complete = false;
  float n_at(int head, int unit) const { return n ? n->at(head, unit) : 0.0f; }
};
UnitCells unit_cells(const BlockCard& block, const Trace* trace, int step);

/// The answers of all units at the cursor, one strip a head.
void draw_unit_cells(Scene& scene, Painter& painter, const BlockCard& block, const Trace& trace,
                     Box rest, std::optional<ValueRef>& hovered, HoverCard& card);

}  // namespace xlab::ui
