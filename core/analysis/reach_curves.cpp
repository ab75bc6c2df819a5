// What a report on the reach of a gradient comes to.
#include "core/analysis/reach_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>

namespace xlab {
namespace {

constexpr double kNoSize = std::numeric_limits<double>::quiet_NaN();

bool same_tokens(const ReachReport& report, const std::vector<int>& tokens) {
  return report.tokens.size() <= tokens.size() &&
         std::equal(report.tokens.begin(), report.tokens.end(), tokens.begin());
}

/// Clamps that hold something at a token of the report.
std::vector<Clamp> holding(const std::vector<Clamp>& clamps, int step) {
  std::vector<Clamp> some;
  std::copy_if(clamps.begin(), clamps.end(), std::back_inserter(some), [&](const Clamp& clamp) {
    return clamp.enabled && clamp.begin <= step && clamp.end > 0 && clamp.begin < clamp.end;
  });
  return some;
}

bool same_equations(const ReachReport& report, const ModelCard* model) {
  if (!model || model->blocks.size() != report.variants.size()) return false;
  for (std::size_t b = 0; b < report.variants.size(); ++b)
    if (!(model->blocks[b].variant == report.variants[b])) return false;
  return true;
}

/// The token whose loss would be asked about now: as the engine chooses it; -1: the likeliest.
int target_now(const SequenceStatus& sequence, int step) {
  const auto next = static_cast<std::size_t>(step) + 1;
  if (next < sequence.expected.size() && sequence.expected[next] >= 0)
    return sequence.expected[next];
  return next < sequence.tokens.size() ? sequence.tokens[next] : -1;
}

}  // namespace

double reach_size(const ReachReport& report, const std::vector<double>& sizes, int head, int t) {
  const auto steps = report.tokens.size();
  if (head < 0 || t < 0 || static_cast<std::size_t>(t) >= steps) return kNoSize;
  const auto at = static_cast<std::size_t>(head) * steps + static_cast<std::size_t>(t);
  return at < sizes.size() ? sizes[at] : kNoSize;
}

double reach_relative(const ReachReport& report, const std::vector<double>& sizes, int head,
                      int t) {
  const double last = reach_size(report, sizes, head, report.step);
  if (!std::isfinite(last)) return kNoSize;
  return (reach_size(report, sizes, head, t) - last) / std::log(10.0);
}

double half_reach(const ReachReport& report, const std::vector<double>& sizes, int head) {
  const double half = -std::log10(2.0);
  double later = reach_relative(report, sizes, head, report.step);
  if (std::isnan(later)) return kNoSize;
  for (int t = report.step - 1; t >= 0; --t) {
    const double now = reach_relative(report, sizes, head, t);
    if (std::isnan(now)) return kNoSize;
    if (now <= half) {
      const double part = std::isinf(now) ? 1.0 : (later - half) / (later - now);
      return report.step - (t + 1) + part;
    }
    later = now;
  }
  return std::numeric_limits<double>::infinity();
}

int reach_zeros(const ReachReport& report, const std::vector<double>& sizes, int head) {
  int count = 0;
  for (int t = 0; t <= report.step; ++t) {
    const double size = reach_size(report, sizes, head, t);
    count += std::isinf(size) && size < 0.0 ? 1 : 0;
  }
  return count;
}

std::vector<std::string> reach_differences(const ReachReport& report, const Snapshot& snapshot,
                                           int block, int head, bool of_weights) {
  std::vector<std::string> differ;
  if (report.run_id != snapshot.run_id) return {"another run"};
  if (report.block != block) {
    differ.push_back(fmt::format("block {}", report.block));
  } else if (report.head != head) {
    differ.push_back(fmt::format("head {}", report.head));
  }
  if (report.step != snapshot.sequence.cursor)
    differ.push_back(fmt::format("step t = {}", report.step));
  if (!same_tokens(report, snapshot.sequence.tokens)) {
    differ.emplace_back("other tokens");
  } else if (report.step == snapshot.sequence.cursor && report.failure.empty()) {
    const int now = target_now(snapshot.sequence, report.step);
    const int then = report.target_is == ReachTarget::choice ? -1 : report.target;
    if (now != then) differ.emplace_back("another target");
  }
  if (holding(report.clamps, report.step) != holding(snapshot.sequence.clamps, report.step))
    differ.emplace_back("other clamps");
  if (!same_equations(report, snapshot.model.get())) differ.emplace_back("other equations");
  if (const std::int64_t since = snapshot.train.step - report.train_step; of_weights && since != 0)
    differ.push_back(
        since > 0 ? fmt::format("the weights {} training step{} ago", since, since == 1 ? "" : "s")
                  : "other weights");
  return differ;
}

}  // namespace xlab
