// What the strongest colours of a matrix memory stand for, while steps go by.
#include "ui/memory_ranges.hpp"

#include <algorithm>
#include <cstddef>

#include "ui/heat.hpp"

namespace xlab::ui {

void MemoryRanges::follow(const Snapshot& snapshot, int block) {
  const CellVariant& variant = snapshot.model->blocks[static_cast<std::size_t>(block)].variant;
  if (snapshot.run_id != source_.run || block != source_.block || !(variant == source_.variant)) {
    for (MemoryRange* range : {&values_, &writes_, &n_}) *range = {};
  }
  // A sequence that goes on is the same sequence.
  const std::vector<int>& tokens = snapshot.session.tokens;
  const auto common = static_cast<std::ptrdiff_t>(std::min(source_.tokens.size(), tokens.size()));
  const bool other_tokens =
      !std::equal(source_.tokens.begin(), source_.tokens.begin() + common, tokens.begin());
  if (snapshot.train.step != source_.trained || other_tokens) {
    for (MemoryRange* range : {&values_, &writes_, &n_}) range->since_change = 0.0;
  }
  source_ = {snapshot.run_id, block, variant, snapshot.train.step, tokens};
}

double MemoryRanges::of_cells(const MemoryShown& shown, MemoryMode mode) {
  return range_of(shown.cells, shown.step, mode == MemoryMode::value ? values_ : writes_);
}

double MemoryRanges::of_n(const MemoryShown& shown) {
  return range_of(shown.n, shown.step, n_);
}

double MemoryRanges::range_of(std::span<const float> numbers, int step, MemoryRange& range) {
  const double now = largest(numbers);
  range.since_change = std::max(range.since_change, now);
  const bool stale = range.since_change > 0.0 && range.largest > 10.0 * range.since_change;
  if (now > range.largest || stale || (relock_ && now > 0.0)) {
    range = {now, now, step, source_.trained};
  }
  return locked_ && range.largest > 0.0 ? range.largest : now;
}

}  // namespace xlab::ui
