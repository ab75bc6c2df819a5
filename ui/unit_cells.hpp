// The memory of a cell that keeps one number per unit, head by head: what each unit answers before
// the output gate.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/focus.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"

namespace xlab::ui {

/// What the units of all heads answer at a step; none where something is missing.
struct UnitAnswers {
  int heads = 0, units = 0;
  std::vector<float> numbers;  ///< (heads, units)

  std::span<const float> of(int head) const {
    const auto size = static_cast<std::size_t>(units);
    return {numbers.data() + static_cast<std::size_t>(head) * size, size};
  }
};
UnitAnswers unit_answers(const BlockCard& block, const Trace* trace, int step);
/// The recorded values that an answer is made of: itself, where it is one.
std::vector<std::string> answered_from(const BlockCard& block);

/// The answers of all units at the cursor, one strip a head.
class UnitCells {
 public:
  void draw(Scene& scene, Painter& painter, const BlockCard& block, const Trace& trace, Box rest,
            std::optional<ValueRef>& hovered, HoverCard& card);

 private:
  /// Evaluated once for the same recordings, model, block and step.
  const UnitAnswers& answers(const Snapshot& snapshot, const BlockCard& block, int step);

  UnitAnswers answers_;
  std::shared_ptr<const Trace> trace_;
  std::shared_ptr<const ModelCard> model_;
  std::string prefix_;
  int step_ = -1;
};

}  // namespace xlab::ui
