// One clamp for each block of the scope.
#include "app/scoped_edits.hpp"

#include <algorithm>
#include <optional>

#include "core/edits.hpp"

namespace xlab::app {
namespace {

/// `make` gives the clamp of a block and a head, or nothing.
template <typename Make>
std::vector<Clamp> in_scope(const Snapshot& snapshot, const ui::Focus& focus, Scope scope,
                            Make make) {
  std::vector<Clamp> clamps;
  if (!snapshot.model) return clamps;
  const std::vector<BlockCard>& blocks = snapshot.model->blocks;
  for (int b = 0; b < static_cast<int>(blocks.size()); ++b) {
    if (scope != Scope::model && b != focus.block) continue;
    const BlockCard& block = blocks[static_cast<std::size_t>(b)];
    const int head = scope == Scope::head ? std::clamp(focus.head, 0, std::max(block.heads - 1, 0))
                                          : Clamp::kAll;
    if (const std::optional<Clamp> clamp = make(block, head)) clamps.push_back(*clamp);
  }
  return clamps;
}

}  // namespace

std::vector<Clamp> never_written_in(const Snapshot& snapshot, const ui::Focus& focus, Scope scope) {
  const int step = snapshot.sequence.cursor;
  if (step < 0) return {};
  return in_scope(snapshot, focus, scope, [&](const BlockCard& block, int head) {
    return never_written(block, head, step);
  });
}

std::vector<Clamp> switched_off_in(const Snapshot& snapshot, const ui::Focus& focus, Scope scope) {
  return in_scope(snapshot, focus, scope, [&](const BlockCard& block, int head) {
    return switched_off(block, head, kAllSteps);
  });
}

}  // namespace xlab::app
