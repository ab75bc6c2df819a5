// What R adds to each pre-activation, and where a change of one unit's output goes.
#include "core/analysis/mixing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "core/analysis/recorded_head.hpp"
#include "core/analysis/write_shares.hpp"
#include "core/edits.hpp"

namespace xlab {
namespace {

/// Changes below this are none: what is smaller is slow to compute with and never seen.
constexpr double kNoChange = 1e-100;

const float* head_values(const Trace& trace, const BlockCard& block, const std::string& name,
                         int step, int head) {
  return recorded_head(trace, block, name.c_str(), step, head, block.value_dim);
}

double cap_of(const BlockCard& block, const MixedGate& gate) {
  return gate.capped ? block.variant.gate_soft_cap : 0.0;
}

}  // namespace

bool has_mixing(const MixingImage* image, const BlockCard& block) {
  if (!image) return false;
  const auto gates = block.values->mixing.gates.size();
  const auto units = static_cast<std::size_t>(std::max(block.value_dim, 0));
  const std::size_t all = gates * static_cast<std::size_t>(std::max(block.heads, 0)) * units;
  return gates > 0 && gates <= kMostMixed && image->gates == static_cast<int>(gates) &&
         image->heads == block.heads && image->units == block.value_dim && all > 0 &&
         image->R.size() == all * units && image->b.size() == all;
}

double PreParts::expected() const {
  const double made = cap > 0.0 ? cap * std::tanh(sum() / cap) : sum();
  return scale * made + plus;
}

std::vector<MixedSource> sources_of(const Trace& trace, const BlockCard& block,
                                    const MixingImage& image, const MixedPlace& place) {
  const float* before = place.step > 0 ? head_values(trace, block, block.values->mixing.output,
                                                     place.step - 1, place.head)
                                       : nullptr;
  if (place.step > 0 && !before) return {};
  std::vector<MixedSource> sources;
  for (int from = 0; from < image.units; ++from) {
    const double weight =
        static_cast<double>(image.weight(place.gate, place.head, place.unit, from));
    // At step 0 nothing was put out yet, which is not what a weight is multiplied with.
    const double output = before ? static_cast<double>(before[from]) : 0.0;
    sources.push_back({from, weight, output, before ? weight * output : 0.0});
  }
  return sources;
}

std::vector<MixedSource> largest_sources(std::vector<MixedSource> sources, std::size_t most) {
  const auto rank = [](const MixedSource& s) {
    return std::isnan(s.product) ? std::numeric_limits<double>::infinity() : std::abs(s.product);
  };
  std::stable_sort(sources.begin(), sources.end(),
                   [&](const MixedSource& a, const MixedSource& b) { return rank(a) > rank(b); });
  if (sources.size() > most) sources.resize(most);
  return sources;
}

std::optional<PreParts> parts_of(const Trace& trace, const BlockCard& block,
                                 const MixingImage& image, std::span<const Clamp> clamps,
                                 const MixedPlace& place) {
  const MixedGate& gate = block.values->mixing.gates[static_cast<std::size_t>(place.gate)];
  const float* token = head_values(trace, block, gate.token, place.step, place.head);
  const float* pre = head_values(trace, block, gate.pre, place.step, place.head);
  const std::vector<MixedSource> sources = sources_of(trace, block, image, place);
  if (!token || !pre || sources.empty()) return std::nullopt;
  PreParts parts;
  parts.token = static_cast<double>(token[place.unit]);
  for (const MixedSource& source : sources) parts.mixed += source.product;
  parts.bias = static_cast<double>(image.bias(place.gate, place.head, place.unit));
  parts.cap = cap_of(block, gate);
  parts.recorded = static_cast<double>(pre[place.unit]);
  const EditedNumber edited =
      edits_of(clamps, block.path(gate.pre), place.head, place.unit, place.step);
  parts.held = edited.held();
  if (!parts.held) {
    parts.scale = edited.scale;
    parts.plus = edited.plus;
  }
  return parts;
}

// ---- where a change goes ----------------------------------------------------------------------

/// What the recordings say of one step of a head, null where it is not there.
struct Influence::Numbers {
  std::array<const float*, kMostMixed> pre{};
  const float *weight = nullptr, *kept = nullptr, *memory = nullptr, *divisor = nullptr,
              *output = nullptr;
  const float *memory_before = nullptr, *divisor_before = nullptr;  // null: the start, all zeros

  Numbers(const Trace& trace, const BlockCard& block, const WritingCell& cell, int t, int head) {
    const MixingCard& mixing = block.values->mixing;
    const auto find = [&](const std::string& name, int step) {
      return head_values(trace, block, name, step, head);
    };
    const bool divided = !cell.divisor.empty();
    bool all = true;
    for (std::size_t g = 0; g < mixing.gates.size(); ++g) {
      pre[g] = find(mixing.gates[g].pre, t);
      all = all && pre[g];
    }
    weight = find(cell.weight, t);
    kept = find(cell.kept, t);
    memory = find(cell.state, t);
    output = find(mixing.output, t);
    if (divided) divisor = find(cell.divisor, t);
    complete = all && weight && kept && memory && output && (divisor || !divided);
    if (t == 0 || !complete) return;
    memory_before = find(cell.state, t - 1);
    if (divided) divisor_before = find(cell.divisor, t - 1);
    complete = memory_before && (divisor_before || !divided);
  }
  bool complete = false;

  UnitStep of(int unit, std::size_t gates) const {
    const auto number = [&](const float* values) {
      return values ? static_cast<double>(values[unit]) : 0.0;
    };
    UnitStep step{.pre = {},
                  .weight = number(weight),
                  .kept = number(kept),
                  .memory = number(memory),
                  .memory_before = number(memory_before),
                  .divisor = number(divisor),
                  .divisor_before = number(divisor_before),
                  .output = number(output)};
    for (std::size_t g = 0; g < gates; ++g) step.pre[g] = number(pre[g]);
    return step;
  }
};

void Influence::follow(const std::shared_ptr<const Trace>& trace, const BlockCard& block,
                       const std::shared_ptr<const MixingImage>& image, std::vector<Clamp> clamps,
                       int step, int head, int unit) {
  bool same = trace_ && image_ == image && step_ == step && head_ == head && unit_ == unit &&
              block_.prefix == block.prefix && block_.values == block.values &&
              block_.variant == block.variant && clamps_ == clamps && trace && !sizes_.empty();
  // The step before the first is part of it: its memory is what was kept.
  for (int t = std::max(step, 0); same && t < end(); ++t)
    same = t < trace->length() &&
           trace->steps[static_cast<std::size_t>(t)] == trace_->steps[static_cast<std::size_t>(t)];
  const bool longer = same && trace->length() > trace_->length();
  trace_ = trace;
  if (longer) ended_ = false;
  if (same) return;
  block_ = block;
  image_ = image;
  clamps_ = std::move(clamps);
  step_ = step;
  head_ = head;
  unit_ = unit;
  begin();
}

void Influence::begin() {
  units_ = block_.value_dim;
  ended_ = false;
  changes_.clear();
  sizes_.clear();
  const bool there = trace_ && has_mixing(image_.get(), block_) && step_ >= 0 &&
                     step_ < trace_->length() && head_ >= 0 && head_ < block_.heads && unit_ >= 0 &&
                     unit_ < units_ && block_.values->mixing.slopes && writing_cell(block_);
  if (!there) {
    ended_ = true;
    return;
  }
  const auto units = static_cast<std::size_t>(units_);
  memory_.assign(units, 0.0);
  divisor_.assign(units, 0.0);
  output_.assign(units, 0.0);
  output_[static_cast<std::size_t>(unit_)] = 1.0;
  changes_.assign(units, 0.0f);
  changes_[static_cast<std::size_t>(unit_)] = 1.0f;
  sizes_.assign(1, 1.0);
}

bool Influence::advance(double most_products) {
  if (!trace_ || ended_) return false;
  const double each = static_cast<double>(block_.values->mixing.gates.size()) * units_ * units_;
  for (double done = 0.0; end() < trace_->length(); done += each) {
    if (done > 0.0 && done + each > most_products) return true;
    if (!one_step(end())) {
      ended_ = true;
      return false;
    }
  }
  return false;
}

bool Influence::one_step(int t) {
  const WritingCell cell = *writing_cell(block_);
  const Numbers numbers(*trace_, block_, cell, t, head_);
  if (!numbers.complete) return false;
  const MixingCard& mixing = block_.values->mixing;
  const std::size_t gates = mixing.gates.size(), units = static_cast<std::size_t>(units_);
  const std::vector<double> before = output_;
  std::array<std::string, kMostMixed> paths;
  for (std::size_t g = 0; g < gates; ++g) paths[g] = block_.path(mixing.gates[g].pre);
  double squares = 0.0;
  for (std::size_t u = 0; u < units; ++u) {
    const UnitStep step = numbers.of(static_cast<int>(u), gates);
    const UnitSlopes slopes = mixing.slopes(block_.variant, step);
    double memory = slopes.kept * memory_[u], divisor = slopes.kept * divisor_[u], output = 0.0;
    for (std::size_t g = 0; g < gates; ++g) {
      const EditedNumber edited = edits_of(clamps_, paths[g], head_, static_cast<int>(u), t);
      if (edited.scale == 0.0) continue;
      const float* row =
          image_->R.data() + image_->at(static_cast<int>(g), head_, static_cast<int>(u)) * units;
      double change = 0.0;
      for (std::size_t from = 0; from < units; ++from)
        change += static_cast<double>(row[from]) * before[from];
      if (const double cap = cap_of(block_, mixing.gates[g]); cap > 0.0) {
        // What is capped is what stood there before any edit.
        const double share = (step.pre[g] - edited.plus) / edited.scale / cap;
        change *= 1.0 - share * share;
      }
      change *= edited.scale;
      memory += slopes.memory[g] * change;
      divisor += slopes.divisor[g] * change;
      output += slopes.output[g] * change;
    }
    output += slopes.output_by_memory * memory + slopes.output_by_divisor * divisor;
    const auto kept = [](double x) { return std::abs(x) < kNoChange ? 0.0 : x; };
    memory_[u] = kept(memory);
    divisor_[u] = kept(divisor);
    output_[u] = kept(output);
    squares += output_[u] * output_[u];
    changes_.push_back(static_cast<float>(output_[u]));
  }
  sizes_.push_back(std::sqrt(squares));
  return true;
}

std::span<const float> Influence::changes(int t) const {
  const auto units = static_cast<std::size_t>(units_);
  return std::span(changes_).subspan(static_cast<std::size_t>(t - step_) * units, units);
}

int Influence::largest(int t) const {
  const std::span<const float> all = changes(t);
  int best = 0;
  for (int u = 1; u < units_; ++u)
    if (std::abs(all[static_cast<std::size_t>(u)]) > std::abs(all[static_cast<std::size_t>(best)]))
      best = u;
  return best;
}

std::optional<int> faded_at(const Influence& influence, double share) {
  int first = influence.end();
  while (first > influence.step() && influence.size(first - 1) < share) --first;
  if (first == influence.end()) return std::nullopt;
  return first;
}

}  // namespace xlab
