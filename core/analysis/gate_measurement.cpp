// What gates do, measured: half-lives, tokens that open them, floors in use, units that stay shut.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>

#include "core/analysis/forgetting.hpp"
#include "core/analysis/measurement.hpp"
#include "core/short_number.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace {

constexpr double kForEver = std::numeric_limits<double>::infinity();

/// "head 1", or of a value with a number a unit "unit 3 of head 1".
std::string part_name(int dim, int head, int unit) {
  return dim == 1 ? fmt::format("head {}", head) : fmt::format("unit {} of head {}", unit, head);
}

std::string after_words(double tokens) {
  if (tokens == kForEver) return "never";
  return fmt::format("after {} tokens", short_number(tokens));
}

/// A token at a time, of one block.
class StepByStep : public Measurement {
 public:
  StepByStep(const Seen& seen, int block)
      : seen_(seen), b_(block), block_(seen_.block(block)), name_(seen_.block_name(block)) {}
  int pieces() const override { return seen_.length(); }

 protected:
  double numbers() const { return static_cast<double>(block_.heads) * block_.value_dim; }
  const Recorded* at(int step, const std::string& path) const {
    return seen_.trace->find(step, path);
  }

  const Seen& seen_;
  const int b_;
  const BlockCard& block_;
  const std::string name_;
};

class HalfLives : public StepByStep {
 public:
  using StepByStep::StepByStep;
  double work() const override { return kLookUp + 20.0 * numbers(); }

  bool take(int step) override {
    const Recorded* pre = at(step, path_);
    if (!pre) return false;
    if (step == 0) {
      heads_ = pre->heads;
      dim_ = pre->dim;
      size_ = pre->values.size();
    }
    if (pre->values.size() != size_) return false;
    add_log_shares(*pre, block_.variant.forget_gate, kept_);
    return true;
  }

  void tell(std::vector<Finding>& out) const override {
    struct Life {
      double tokens;
      int head, unit;
    };
    std::vector<Life> lives;
    std::vector<double> all;
    for (int head = 0; head < heads_; ++head) {
      for (int unit = 0; unit < dim_; ++unit) {
        const double kept = kept_[static_cast<std::size_t>(head * dim_ + unit)];
        if (std::isnan(kept)) continue;
        lives.push_back({mean_half_life(kept, seen_.length()), head, unit});
        all.push_back(lives.back().tokens);
      }
    }
    if (lives.empty()) return;
    std::stable_sort(lives.begin(), lives.end(),
                     [](const Life& a, const Life& b) { return a.tokens < b.tokens; });
    const Life &least = lives.front(), &most = lives.back();
    const double middle = median_of(std::move(all));
    Finding finding{.about = "half-life", .block = b_};
    finding.numbers = {{"shortest", least.tokens}, {"median", middle}, {"longest", most.tokens}};
    finding.evidence = Evidence{path_, seen_.length() - 1, most.head, most.unit};
    finding.sentence =
        lives.size() == 1
            ? fmt::format("{}: half of what is stored would be gone {}.", name_,
                          after_words(least.tokens))
            : fmt::format(
                  "{}: half of what is stored would be gone {} in {}, the shortest, and "
                  "{} in {}, the longest; the median is {}.",
                  name_, after_words(least.tokens), part_name(dim_, least.head, least.unit),
                  after_words(most.tokens), part_name(dim_, most.head, most.unit),
                  middle == kForEver ? "infinite" : short_number(middle) + " tokens");
    out.push_back(std::move(finding));
  }

 private:
  const std::string path_ = block_.path("forget_gate_pre");
  std::vector<double> kept_;  // the logarithm of what all tokens together keep
  int heads_ = 0, dim_ = 0;
  std::size_t size_ = 0;
};

class InputGates : public StepByStep {
 public:
  using StepByStep::StepByStep;
  double work() const override { return kLookUp + numbers(); }

  bool take(int step) override {
    const Recorded* pre = at(step, path_);
    if (!pre || pre->values.empty()) return false;
    double sum = 0.0;
    for (const float i : pre->values) sum += static_cast<double>(i);
    const double mean = sum / static_cast<double>(pre->values.size());
    if (!std::isfinite(mean)) return false;
    Asked& asked = by_token_[seen_.tokens[static_cast<std::size_t>(step)]];
    asked.sum += mean;
    ++asked.count;
    if (mean > asked.widest) asked.step = step;
    asked.widest = std::max(asked.widest, mean);
    return true;
  }

  void tell(std::vector<Finding>& out) const override {
    if (by_token_.size() < 2) return;
    const auto smaller = [](const auto& a, const auto& b) {
      return a.second.mean() < b.second.mean();
    };
    const auto [least, most] = std::minmax_element(by_token_.begin(), by_token_.end(), smaller);
    const auto times = [](int count) {
      return count == 1 ? "once" : fmt::format("{} times", count);
    };
    Finding finding{.about = "input gate", .block = b_};
    finding.numbers = {{"most", most->second.mean()}, {"least", least->second.mean()}};
    finding.evidence = Evidence{path_, most->second.step, 0, 0};
    finding.sentence = fmt::format(
        "{}: {} opens the input gate widest, pre-activation {} (seen {}), and {} least, {} (seen "
        "{}); means over heads and units.",
        name_, seen_.token(most->second.step), short_number(most->second.mean()),
        times(most->second.count), seen_.token(least->second.step),
        short_number(least->second.mean()), times(least->second.count));
    out.push_back(std::move(finding));
  }

 private:
  struct Asked {
    double sum = 0.0;
    int count = 0, step = 0;
    double widest = -kForEver;
    double mean() const { return sum / count; }
  };
  const std::string path_ = block_.path("input_gate_pre");
  std::map<int, Asked> by_token_;
};

class Floors : public StepByStep {
 public:
  Floors(const Seen& seen, int block)
      : StepByStep(seen, block), heads_(static_cast<std::size_t>(block_.heads)) {}
  double work() const override { return 2.0 * kLookUp + block_.heads; }

  bool take(int step) override {
    const Recorded *s = at(step, overlap_), *N = at(step, normalizer_);
    if (!s || !N || s->heads < block_.heads || N->heads < block_.heads) return false;
    for (int head = 0; head < block_.heads; ++head) {
      if (!(std::abs(s->at(head, 0)) < N->at(head, 0))) continue;
      Used& used = heads_[static_cast<std::size_t>(head)];
      ++used.count;
      used.last = step;
    }
    return true;
  }

  void tell(std::vector<Finding>& out) const override {
    std::vector<std::string> named;
    std::optional<Evidence> evidence;
    double largest = 0.0;
    for (int head = 0; head < block_.heads; ++head) {
      const Used& used = heads_[static_cast<std::size_t>(head)];
      const double share = static_cast<double>(used.count) / seen_.length();
      largest = std::max(largest, share);
      if (share < kMostlyFloor) continue;
      named.push_back(fmt::format("head {} at {} of {} steps", head, used.count, seen_.length()));
      if (!evidence) evidence = Evidence{normalizer_, used.last, head, 0};
    }
    Finding finding{.about = "floor", .block = b_};
    finding.numbers = {{"largest share", largest}};
    finding.evidence = evidence;
    finding.sentence =
        named.empty()
            ? fmt::format(
                  "{}: no head divides by the floor of its normalizer in {} % of its answers "
                  "or more; the most is {} %.",
                  name_, 100 * kMostlyFloor, short_number(100 * largest))
            : fmt::format(
                  "{}: the floor in max(|⟨q, n⟩|, floor) is in use and shrinks answers: {} "
                  "(named from {} % on).",
                  name_, fmt::join(named, ", "), 100 * kMostlyFloor);
    out.push_back(std::move(finding));
  }

 private:
  struct Used {
    int count = 0, last = -1;
  };
  const std::string overlap_ = block_.path("s"), normalizer_ = block_.path("normalizer");
  std::vector<Used> heads_;
};

class ShutUnits : public StepByStep {
 public:
  using StepByStep::StepByStep;
  double work() const override { return kLookUp + 2.0 * numbers(); }

  bool take(int step) override {
    const Recorded* open = at(step, path_);
    if (!open) return false;
    heads_ = open->heads;
    dim_ = open->dim;
    widest_.resize(open->values.size(), 0.0);
    for (std::size_t u = 0; u < open->values.size(); ++u) {
      // Not std::max: a number that is none must not go unseen.
      if (!(static_cast<double>(open->values[u]) <= widest_[u])) widest_[u] = open->values[u];
    }
    return true;
  }

  void tell(std::vector<Finding>& out) const override {
    const auto shut = [](double open) { return open < kNearlyShut; };
    const auto count = std::count_if(widest_.begin(), widest_.end(), shut);
    Finding finding{.about = "saturation", .block = b_};
    finding.numbers = {{"shut units", static_cast<double>(count)},
                       {"units", static_cast<double>(heads_) * dim_}};
    finding.sentence =
        count == 0
            ? fmt::format("{}: the output gates of all {} units rise above {} at some step.", name_,
                          heads_ * dim_, kNearlyShut)
            : fmt::format("{}: the output gate of {} of {} units stays below {} at every step.",
                          name_, count, heads_ * dim_, kNearlyShut);
    const auto first = std::find_if(widest_.begin(), widest_.end(), shut);
    if (first != widest_.end()) {
      const int unit = static_cast<int>(first - widest_.begin());
      finding.evidence = Evidence{path_, seen_.length() - 1, unit / dim_, unit % dim_};
    }
    out.push_back(std::move(finding));
  }

 private:
  const std::string path_ = block_.path("output_gate");
  std::vector<double> widest_;
  int heads_ = 0, dim_ = 0;
};

}  // namespace

std::string Seen::block_name(int b) const {
  return fmt::format("Block {} ({})", b, block(b).title);
}

std::string Seen::token(int step) const {
  const int id = tokens[static_cast<std::size_t>(step)];
  const auto place = static_cast<std::size_t>(id);
  if (id < 0 || place >= model->vocabulary.size()) return fmt::format("#{}", id);
  return fmt::format("\"{}\"", printable(model->vocabulary[place], 40));
}

std::string Seen::place(int step) const {
  return fmt::format("t = {}, {}", step, token(step));
}

std::unique_ptr<Measurement> measured_half_lives(const Seen& seen, int block) {
  return std::make_unique<HalfLives>(seen, block);
}

std::unique_ptr<Measurement> measured_input_gates(const Seen& seen, int block) {
  return std::make_unique<InputGates>(seen, block);
}

std::unique_ptr<Measurement> measured_floors(const Seen& seen, int block) {
  const BlockCard& card = seen.block(block);
  if (!card.has_matrix || !card.variant.normalizer) return nullptr;
  return std::make_unique<Floors>(seen, block);
}

std::unique_ptr<Measurement> measured_shut_units(const Seen& seen, int block) {
  const ValueCard* gate = seen.block(block).values->find("output_gate");
  if (!gate || gate->span != Span::share) return nullptr;
  return std::make_unique<ShutUnits>(seen, block);
}

}  // namespace xlab
