// Row by row, from recorded keys, queries, values and gates.
#include "core/analysis/implied_attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/analysis/recorded_head.hpp"

namespace xlab {
namespace {

double product_sum(const float* a, const float* b, int size) {
  double sum = 0.0;
  for (int i = 0; i < size; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// A difference that is no number must not go unseen, whichever comes after it.
double larger(double a, double b) {
  return std::isnan(a) || a >= b ? a : b;
}

}  // namespace

/// What was recorded of a head at a step.
struct AttentionStep {
  const float *q, *k, *v, *h;
  double input, forget, overlap_of_n, normalizer;
};

namespace {

bool read_step(const Trace& trace, const BlockCard& block, int head, int t, AttentionStep& out) {
  const auto number = [&](const char* name) {
    return recorded_head(trace, block, name, t, head, 1);
  };
  const float *input = number("input_gate"), *forget = number("forget_gate"), *s = number("s"),
              *normalizer = number("normalizer");
  out.q = recorded_head(trace, block, "q", t, head, block.key_dim);
  out.k = recorded_head(trace, block, "k", t, head, block.key_dim);
  out.v = recorded_head(trace, block, "v", t, head, block.value_dim);
  out.h = recorded_head(trace, block, "h", t, head, block.value_dim);
  if (!input || !forget || !s || !normalizer || !out.q || !out.k || !out.v || !out.h) return false;
  out.input = *input;
  out.forget = *forget;
  out.overlap_of_n = *s;
  out.normalizer = *normalizer;
  return true;
}

/// D_ts of every column, one step on.
void go_on_decaying(const AttentionStep& now, std::vector<double>& decays) {
  for (double& decay : decays) decay *= now.forget;
  decays.push_back(now.input);
}

}  // namespace

void ImpliedAttention::follow(const std::shared_ptr<const Trace>& trace, const BlockCard& block,
                              int head, int first, int count) {
  const bool same_place = trace_ && trace && block.prefix == block_.prefix &&
                          block.variant == block_.variant && head == head_ && first == first_;
  std::size_t kept = 0;
  while (same_place && kept < rows_.size() && static_cast<int>(kept) < count) {
    const auto t = static_cast<std::size_t>(first) + kept;
    if (t >= trace->steps.size() || trace->steps[t] != trace_->steps[t]) break;
    ++kept;
  }
  rows_.resize(kept);
  overlaps_.resize(kept);
  decays_.resize(kept);
  written_.resize(kept);
  trace_ = trace;
  block_ = block;
  head_ = head;
  first_ = first;
  if (!trace_ || !block.has_matrix || first < 0) return;
  AttentionStep now{};
  const int begin = first + static_cast<int>(kept);
  for (int t = begin; t < first + count && read_step(*trace_, block_, head_, t, now); ++t)
    add_row(now);
}

void ImpliedAttention::add_row(const AttentionStep& now) {
  std::vector<double> decays = decays_.empty() ? std::vector<double>() : decays_.back();
  go_on_decaying(now, decays);
  written_.push_back({now.k, now.v});
  AttentionRow row;
  row.denominator = now.normalizer + block_.variant.added();
  row.floor = block_.variant.normalizer && std::abs(now.overlap_of_n) < now.normalizer;
  row.sum = now.overlap_of_n / row.denominator;
  std::vector<double> overlaps, answer(static_cast<std::size_t>(block_.value_dim), 0.0);
  double inside = 0.0;
  for (std::size_t s = 0; s < written_.size(); ++s) {
    overlaps.push_back(product_sum(now.q, written_[s].key, block_.key_dim));
    const double weight = overlaps.back() * decays[s] / row.denominator;
    inside += weight;
    for (std::size_t c = 0; c < answer.size(); ++c)
      answer[c] += weight * static_cast<double>(written_[s].value[c]);
  }
  row.before = first_ == 0 ? 0.0 : row.sum - inside;
  for (std::size_t c = 0; c < answer.size(); ++c) {
    const double h = now.h[c];
    row.largest = std::max(row.largest, std::abs(h));
    row.difference = larger(row.difference, std::abs(answer[c] - h));
  }
  if (first_ > 0) row.difference = std::numeric_limits<double>::quiet_NaN();
  overlaps_.push_back(std::move(overlaps));
  decays_.push_back(std::move(decays));
  rows_.push_back(row);
}

const AttentionRow& ImpliedAttention::row(int step) const {
  return rows_[static_cast<std::size_t>(step - first_)];
}

double ImpliedAttention::at(const std::vector<std::vector<double>>& lower, int t, int s) const {
  return s > t ? 0.0
               : lower[static_cast<std::size_t>(t - first_)][static_cast<std::size_t>(s - first_)];
}

double ImpliedAttention::disagreement() const {
  if (rows_.empty()) return std::numeric_limits<double>::quiet_NaN();
  double apart = 0.0, largest = 0.0;
  for (const AttentionRow& row : rows_) {
    apart = larger(apart, row.difference);
    largest = std::max(largest, row.largest);
  }
  return largest > 0.0 ? apart / largest : apart;
}

std::vector<double> attention_weights(const Trace& trace, const BlockCard& block, int head,
                                      int first, int t) {
  if (!block.has_matrix || first < 0) return {};
  std::vector<double> weights;
  std::vector<const float*> keys;
  AttentionStep now{};
  for (int s = first; s <= t; ++s) {
    if (!read_step(trace, block, head, s, now)) return {};
    go_on_decaying(now, weights);
    keys.push_back(now.k);
  }
  const double denominator = now.normalizer + block.variant.added();
  for (std::size_t s = 0; s < weights.size(); ++s)
    weights[s] = product_sum(now.q, keys[s], block.key_dim) * weights[s] / denominator;
  return weights;
}

}  // namespace xlab
