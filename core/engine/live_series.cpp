// What is said of a run that reads a series of numbers.
#include <memory>
#include <vector>

#include "core/engine/live_run.hpp"
#include "core/series/read_series.hpp"

namespace xlab {

void LiveRun::describe_series(Snapshot& snapshot) const {
  snapshot.foretold = nullptr;
  const ReadSeries* const series = run_->task->series();
  if (!series) return;
  snapshot.sequence.full_reason = kEndOfSeries;
  // As far as both are computed, with clamps and without: they stand beside each other.
  const int computed = sequence_->computed();
  if (cursor < 0 || cursor >= computed) return;
  const auto put_out = [&](const Sequence& of) {
    std::vector<const std::vector<float>*> rows;
    for (int t = 0; t < computed; ++t)
      rows.push_back(&of.steps()[static_cast<std::size_t>(t)].logits);
    return rows;
  };
  auto foretold = std::make_shared<Foretold>(foretold_after(*series, cursor, put_out(sequence())));
  if (const Sequence* unclamped = sequence_->unclamped())
    foretold->unclamped = foretold_after(*series, cursor, put_out(*unclamped)).quantiles;
  snapshot.foretold = std::move(foretold);
}

}  // namespace xlab
