// What the strongest colours of a matrix memory stand for, while steps go by.
#include "ui/memory_ranges.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <locale>
#include <sstream>

#include "core/hash.hpp"
#include "ui/heat.hpp"

namespace xlab::ui {
namespace {

constexpr int kVersion = 2;

constexpr double kFarMore = 10.0;  // the picture would be grey

template <typename T>
std::uint64_t hash(const T* first, std::size_t count, std::uint64_t seed = kHashSeed) {
  return hash_bytes(std::as_bytes(std::span(first, count)), seed);
}

/// The largest |x|, unless a few numbers stand out so far that no other would have a colour: then
/// they go beyond the range, and the largest of the others is its end.
double strongest(std::span<const float> numbers) {
  constexpr std::size_t kLooked = 16384;
  constexpr double kFew = 0.002, kStandOut = 8.0;
  const double all = largest(numbers);
  const std::size_t apart = numbers.size() / kLooked + 1;
  std::vector<float> sizes;
  sizes.reserve(numbers.size() / apart + 1);
  for (std::size_t i = 0; i < numbers.size(); i += apart)
    if (std::isfinite(numbers[i])) sizes.push_back(std::abs(numbers[i]));
  const auto few = static_cast<std::size_t>(kFew * static_cast<double>(sizes.size()));
  if (few == 0) return all;
  const auto end = sizes.end() - 1 - static_cast<std::ptrdiff_t>(few);
  std::nth_element(sizes.begin(), end, sizes.end());
  const auto others = static_cast<double>(*end);
  return others > 0.0 && all > kStandOut * others ? others : all;
}

}  // namespace

std::uint64_t MemoryRanges::Source::hash_of_tokens(int last) const {
  const auto length = static_cast<std::ptrdiff_t>(tokens.size());
  const auto count = std::clamp<std::ptrdiff_t>(std::ptrdiff_t{last} + 1, 0, length);
  return hash(tokens.data(), static_cast<std::size_t>(count));
}

std::uint64_t MemoryRanges::Source::hash_of_edits(int last) const {
  std::uint64_t all = kHashSeed;
  for (const Clamp& clamp : clamps) {
    if (!clamp.enabled || clamp.begin > last) continue;
    const int place[] = {clamp.head, clamp.unit, clamp.begin, clamp.end};
    all = hash(clamp.path.data(), clamp.path.size(), all);
    all = hash(place, std::size(place), all);
    all = hash(&clamp.value, 1, all);
    const int change = static_cast<int>(clamp.change);
    all = hash(&change, 1, all);
    all = hash(clamp.curve.data(), clamp.curve.size(), all);
  }
  return all;
}

std::uint64_t MemoryRanges::Source::hash_of_all() const {
  constexpr int kAll = std::numeric_limits<int>::max() - 1;
  const std::uint64_t parts[] = {static_cast<std::uint64_t>(block),
                                 static_cast<std::uint64_t>(trained),
                                 tokens.size(),
                                 hash_of_tokens(kAll),
                                 hash_of_edits(kAll),
                                 variant.stabilizer ? 1u : 0u,
                                 variant.normalizer ? 1u : 0u};
  std::uint64_t all = hash(parts, std::size(parts));
  for (const char* word :
       {name_of(variant.forget_gate), name_of(variant.input_gate),
        name_of(variant.denominator_floor), name_of(variant.scale), name_of(variant.number_format)})
    all = hash(word, std::strlen(word) + 1, all);
  const double numbers[] = {variant.eps, variant.gate_soft_cap};
  return hash(numbers, std::size(numbers), all);
}

void MemoryRanges::follow(const Snapshot& snapshot, int block) {
  Source now{snapshot.run_id,
             snapshot.train.seed,
             block,
             snapshot.model->blocks[static_cast<std::size_t>(block)].variant,
             snapshot.train.step,
             snapshot.sequence.tokens,
             snapshot.sequence.clamps};
  if (restored_) {
    take_restored(now);
    source_ = std::move(now);
    return;
  }
  if (now == source_) return;
  const bool other_run = now.run != source_.run;
  if (other_run) former_.clear();
  const bool anew = other_run || now.block != source_.block || !(now.variant == source_.variant);
  // A sequence that goes on is the same sequence.
  const bool other_tokens =
      now.tokens.size() < source_.tokens.size() ||
      !std::equal(source_.tokens.begin(), source_.tokens.end(), now.tokens.begin());
  // Neither training nor a sequence that goes on is ever taken back step by step.
  const bool goes_on =
      !anew && now.clamps == source_.clamps && !other_tokens && now.trained >= source_.trained;
  std::optional<Ranges> before;
  if (!goes_on && !other_run && source_.block >= 0) before = put_aside(now);
  if (before) {
    ranges_ = *before;
  } else if (anew) {
    ranges_ = {};
  } else if (other_tokens || now.trained != source_.trained) {
    for (MemoryRange* range : {&ranges_.values, &ranges_.writes, &ranges_.n})
      range->since_change = 0.0;
  }
  source_ = std::move(now);
}

/// Returns what was put aside under the same circumstances as now.
std::optional<MemoryRanges::Ranges> MemoryRanges::put_aside(const Source& now) {
  const auto find = [this](std::uint64_t key) {
    return std::find_if(former_.begin(), former_.end(),
                        [key](const auto& one) { return one.first == key; });
  };
  const std::uint64_t left = source_.hash_of_all();
  if (const auto again = find(left); again != former_.end()) former_.erase(again);
  former_.emplace_front(left, ranges_);
  if (former_.size() > kMostFormer) former_.pop_back();
  const auto found = find(now.hash_of_all());
  if (found == former_.end()) return {};
  return found->second;
}

/// Ranges of other weights than these, as where a run begins again, are not those of this one.
void MemoryRanges::take_restored(const Source& now) {
  former_.clear();
  const bool same = restored_->block == now.block && restored_->seed == now.seed;
  ranges_ = same ? restored_->ranges : Ranges();
  for (MemoryRange* range : {&ranges_.values, &ranges_.writes, &ranges_.n})
    if (range->trained > now.trained) *range = {};
  restored_.reset();
}

double MemoryRanges::of_cells(const MemoryShown& shown, MemoryMode mode) {
  return range_of(shown.cells, shown.step,
                  mode == MemoryMode::write ? ranges_.writes : ranges_.values);
}

double MemoryRanges::of_n(const MemoryShown& shown) {
  return range_of(shown.n, shown.step, ranges_.n);
}

double MemoryRanges::range_of(std::span<const float> numbers, int step, MemoryRange& range) {
  const double now = strongest(numbers);
  // Many models write far more at the first token than ever after: it has a range of its own only
  // as long as no other is seen, and what goes beyond that of the others has their strongest
  // colour.
  const bool of_now = range.trained == source_.trained && !relock_;
  if (locked_ && of_now && step == 0 && range.step > 0 && range.largest > 0.0) return range.largest;
  if (of_now && step > 0 && range.step == 0 && !any_held() && now > 0.0 &&
      range.largest > kFarMore * now)
    range = {};
  range.since_change = std::max(range.since_change, now);
  // What one wild step of training was like says nothing about the weights of now.
  const double too_large = range.trained == source_.trained ? kFarMore : 4.0;
  const bool stale = range.since_change > 0.0 && range.largest > too_large * range.since_change;
  if (now > range.largest || stale || (relock_ && now > 0.0)) {
    range = {
        now, now, step, source_.trained, source_.hash_of_tokens(step), source_.hash_of_edits(step)};
  }
  return locked_ && range.largest > 0.0 ? range.largest : now;
}

bool MemoryRanges::any_held() const {
  return std::any_of(source_.clamps.begin(), source_.clamps.end(),
                     [](const Clamp& clamp) { return clamp.enabled; });
}

RangeWords MemoryRanges::words(const MemoryRange& range) const {
  if (range.trained != source_.trained)
    return {fmt::format("range set at training step {}", range.trained),
            fmt::format("locked at step {}", range.trained)};
  if (range.tokens != source_.hash_of_tokens(range.step))
    return {"range set by other tokens", "locked by other tokens"};
  if (range.edits != source_.hash_of_edits(range.step))
    return {"range set under other edits", "locked under other edits"};
  return {fmt::format("range set at t = {}", range.step),
          fmt::format("locked at t = {}", range.step)};
}

std::string MemoryRanges::kept() const {
  std::string text =
      fmt::format("{} {} {} {}", kVersion, source_.block, source_.seed, locked_ ? 1 : 0);
  for (const MemoryRange* range : {&ranges_.values, &ranges_.writes, &ranges_.n})
    text += fmt::format(" {} {} {} {} {} {}", range->largest, range->since_change, range->step,
                        range->trained, range->tokens, range->edits);
  return text;
}

bool MemoryRanges::restore(const std::string& kept) {
  std::istringstream in(kept);
  in.imbue(std::locale::classic());
  int version = 0, locked = 0;
  Restored read;
  in >> version >> read.block >> read.seed >> locked;
  for (MemoryRange* range : {&read.ranges.values, &read.ranges.writes, &read.ranges.n}) {
    in >> range->largest >> range->since_change >> range->step >> range->trained >> range->tokens >>
        range->edits;
    const bool possible = std::isfinite(range->largest) && range->largest >= 0.0 &&
                          std::isfinite(range->since_change) && range->since_change >= 0.0;
    if (!in || !possible) return false;
  }
  if (version != kVersion) return false;
  locked_ = locked != 0;
  restored_ = read;
  return true;
}

}  // namespace xlab::ui
