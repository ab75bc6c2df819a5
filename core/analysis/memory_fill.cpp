// Replays a head's memory, takes it apart, and asks it again.
#include "core/analysis/memory_fill.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/analysis/recorded_head.hpp"

namespace xlab {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
/// Sweeps that a matrix usually takes, and products of each pair in one of them.
constexpr double kUsualSweeps = 8.0, kProductsOfAPair = 4.0;
/// Finding a step's numbers takes as long as so many products.
constexpr double kFinding = 1500.0;

/// About what the singular values of one step cost.
double cost_of(const BlockCard& block) {
  const double side = std::min(block.key_dim, block.value_dim),
               along = std::max(block.key_dim, block.value_dim);
  return std::max(1.0, side * side / 2.0 * along * kUsualSweeps * kProductsOfAPair);
}

bool same_head(const BlockCard& a, const BlockCard& b) {
  return a.prefix == b.prefix && a.variant == b.variant && a.key_dim == b.key_dim &&
         a.value_dim == b.value_dim;
}

std::vector<double> doubles(const float* numbers, int count) {
  return {numbers, numbers + count};
}

}  // namespace

void MemoryFill::follow(const std::shared_ptr<const Trace>& trace, const BlockCard& block,
                        int head) {
  const bool same = same_head(block, block_) && head == head_;
  if (trace == trace_ && same) return;
  std::size_t alike = 0;
  if (same && trace && trace_) {
    const std::size_t most = std::min(trace->steps.size(), trace_->steps.size());
    while (alike < most && trace->steps[alike] == trace_->steps[alike]) ++alike;
  }
  if (static_cast<int>(alike) < replayed_) {
    replayed_ = 0;
    working_ = false;
    memory_.assign(static_cast<std::size_t>(std::max(block.key_dim, 0)) *
                       static_cast<std::size_t>(std::max(block.value_dim, 0)),
                   0.0f);
  } else if (!same) {
    memory_.assign(static_cast<std::size_t>(std::max(block.key_dim, 0)) *
                       static_cast<std::size_t>(std::max(block.value_dim, 0)),
                   0.0f);
  }
  const auto stride = static_cast<std::size_t>(stride_);
  steps_.resize(std::min(steps_.size(), (alike + stride - 1) / stride));
  trace_ = trace;
  block_ = block;
  head_ = head;
  length_ = trace ? trace->length() : 0;
  ended_ = !trace_ || !block.has_matrix || memory_.empty();
  if (steps_.empty()) stride_ = 1;
  while (cost_of(block) * length_ / stride_ > kMostProducts && stride_ < length_) thin();
}

/// Twice as far apart.
void MemoryFill::thin() {
  stride_ *= 2;
  std::vector<std::vector<double>> kept;
  for (std::size_t i = 0; i < steps_.size(); i += 2) kept.push_back(std::move(steps_[i]));
  steps_ = std::move(kept);
  working_ = false;
  // What is replayed may be behind the step that comes next, never beyond it.
  if (replayed_ > next() + 1) {
    replayed_ = 0;
    std::fill(memory_.begin(), memory_.end(), 0.0f);
  }
}

bool MemoryFill::advance(double products) {
  double left = products;
  while (left > 0.0 && !complete()) {
    if (!working_) {
      // Up to the step that comes next, that one included.
      if (replayed_ <= next()) {
        if (!write_recorded(*trace_, block_, replayed_, head_, memory_)) {
          ended_ = true;
          break;
        }
        ++replayed_;
        left -= kFinding + static_cast<double>(memory_.size());
        continue;
      }
      work_ = SingularValues(memory_, block_.key_dim, block_.value_dim);
      working_ = true;
    }
    const bool done = work_.go_on(left);
    left -= std::max(work_.spent(), 1.0);
    if (!done) break;
    steps_.push_back(work_.values());
    working_ = false;
  }
  return !complete();
}

const std::vector<double>* MemoryFill::at(int step) const {
  const int index = step / stride_;
  if (step < 0 || step >= length_ || index >= static_cast<int>(steps_.size())) return nullptr;
  return &steps_[static_cast<std::size_t>(index)];
}

void RequeryTest::follow(const std::shared_ptr<const Trace>& trace, const BlockCard& block,
                         int head, int step, std::span<const float> memory) {
  const bool same = trace == trace_ && same_head(block, block_) && head == head_ && step == step_ &&
                    std::equal(memory.begin(), memory.end(), memory_.begin(), memory_.end(),
                               [](float a, float b) { return a == b || (a != a && b != b); });
  if (same) return;
  trace_ = trace;
  block_ = block;
  head_ = head;
  step_ = step;
  memory_.assign(memory.begin(), memory.end());
  answers_.clear();
  ended_ = !trace || !block.has_matrix || memory_.empty() || step < 0;
}

bool RequeryTest::advance(double products) {
  const double a_key = kFinding + static_cast<double>(memory_.size());
  for (double left = products; left > 0.0 && !complete(); left -= a_key) {
    const int token = static_cast<int>(answers_.size());
    const std::vector<double> query = key_as_query(*trace_, block_, head_, token);
    const float* v = recorded_head(*trace_, block_, "v", token, head_, block_.value_dim);
    const MemoryAnswer read = query.empty() || !v
                                  ? MemoryAnswer{}
                                  : read_memory(*trace_, block_, head_, step_, memory_, query);
    if (read.h.empty()) {
      ended_ = true;
      break;
    }
    const std::vector<double> value = doubles(v, block_.value_dim);
    const auto length = [](std::span<const double> a) {
      double sum = 0.0;
      for (const double x : a) sum += x * x;
      return std::sqrt(sum);
    };
    const double of_value = length(value);
    answers_.push_back({cosine_of(read.h, value),
                        of_value > 0.0 ? length(read.h) / of_value : kNone, read.floored});
  }
  return !complete();
}

double RequeryTest::mean() const {
  double sum = 0.0;
  for (const KeyAnswer& answer : answers_)
    if (std::isfinite(answer.cosine)) sum += answer.cosine;
  const int count = counted();
  return count > 0 ? sum / count : kNone;
}

int RequeryTest::counted() const {
  return static_cast<int>(std::count_if(answers_.begin(), answers_.end(), [](const KeyAnswer& one) {
    return std::isfinite(one.cosine);
  }));
}

MemoryAnswer read_memory(const Trace& trace, const BlockCard& block, int head, int step,
                         std::span<const float> memory, std::span<const double> query) {
  const CellVariant& variant = block.variant;
  const float* n = recorded_head(trace, block, "n", step, head, block.key_dim);
  const bool one = !variant.stabilised() || variant.denominator_floor == DenominatorFloor::one;
  const float* m = one ? nullptr : recorded_head(trace, block, "m", step, head, 1);
  const auto K = static_cast<std::size_t>(block.key_dim),
             V = static_cast<std::size_t>(block.value_dim);
  if (!n || (!m && !one) || memory.size() != K * V || query.size() != K) return {};
  MemoryAnswer answer;
  answer.h.assign(V, 0.0);
  for (std::size_t key = 0; key < K; ++key) {
    answer.overlap += query[key] * static_cast<double>(n[key]);
    const float* row = memory.data() + key * V;
    for (std::size_t value = 0; value < V; ++value)
      answer.h[value] += query[key] * static_cast<double>(row[value]);
  }
  answer.floor = one ? 1.0 : std::exp(-static_cast<double>(*m));
  const double size = std::abs(answer.overlap);
  // What is no number decides, so that it is seen.
  answer.floored = !variant.normalizer || size < answer.floor;
  answer.denominator = (answer.floored ? answer.floor : size) + variant.added();
  for (double& x : answer.h) x /= answer.denominator;
  return answer;
}

std::vector<double> key_as_query(const Trace& trace, const BlockCard& block, int head, int step) {
  const float* k = recorded_head(trace, block, "k", step, head, block.key_dim);
  if (!k) return {};
  const double root = std::sqrt(static_cast<double>(block.key_dim));
  std::vector<double> query = doubles(k, block.key_dim);
  for (double& x : query) x = block.variant.scale == Scaled::keys ? x * root : x / root;
  return query;
}

std::vector<double> cosines_to_values(const Trace& trace, const BlockCard& block, int head,
                                      int step, std::span<const double> answer) {
  std::vector<double> cosines;
  for (int s = 0; s <= step; ++s) {
    const float* v = recorded_head(trace, block, "v", s, head, block.value_dim);
    cosines.push_back(v ? cosine_of(answer, doubles(v, block.value_dim)) : kNone);
  }
  return cosines;
}

double cosine_of(std::span<const double> a, std::span<const double> b) {
  double largest_a = 0.0, largest_b = 0.0;
  for (const double x : a) largest_a = std::isfinite(x) ? std::max(largest_a, std::abs(x)) : kNone;
  for (const double x : b) largest_b = std::isfinite(x) ? std::max(largest_b, std::abs(x)) : kNone;
  if (a.size() != b.size() || !(largest_a > 0.0) || !(largest_b > 0.0)) return kNone;
  double together = 0.0, of_a = 0.0, of_b = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i] / largest_a, y = b[i] / largest_b;
    together += x * y;
    of_a += x * x;
    of_b += y * y;
  }
  return together / std::sqrt(of_a) / std::sqrt(of_b);
}

double own_share(const Trace& trace, const BlockCard& block, int head, int step, int token) {
  const std::vector<double> query = key_as_query(trace, block, head, token);
  if (query.empty() || token > step) return kNone;
  double own = 0.0, all = 0.0, kept = 1.0;
  for (int s = step; s >= 0; --s) {
    const float *input = recorded_head(trace, block, "input_gate", s, head, 1),
                *forget = recorded_head(trace, block, "forget_gate", s, head, 1),
                *k = recorded_head(trace, block, "k", s, head, block.key_dim);
    if (!input || !forget || !k) return kNone;
    double overlap = 0.0;
    for (std::size_t i = 0; i < query.size(); ++i) overlap += query[i] * static_cast<double>(k[i]);
    const double weight = std::abs(overlap * kept * static_cast<double>(*input));
    all += weight;
    if (s == token) own = weight;
    kept *= static_cast<double>(*forget);
  }
  return all > 0.0 || !std::isfinite(all) ? own / all : kNone;
}

double random_key_cosine(int stored, int keys) {
  return 1.0 / std::sqrt(1.0 + static_cast<double>(stored) / std::max(keys, 1));
}

}  // namespace xlab
