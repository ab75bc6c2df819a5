// Measuring what is worth a sentence.
#include "core/analysis/findings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <memory>

#include "core/analysis/forgetting.hpp"
#include "core/analysis/implied_attention.hpp"
#include "core/analysis/recorded_head.hpp"
#include "core/short_number.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace {

constexpr double kForEver = std::numeric_limits<double>::infinity();
/// An answer is looked for among so many steps at most.
constexpr int kMostAnswerSteps = 512;

/// What the sentences are made from.
struct Seen {
  const ModelCard& model;
  const std::shared_ptr<const Trace>& trace;
  const std::vector<int>& tokens;

  int length() const { return trace->length(); }
  std::string token(int step) const {
    const int id = tokens[static_cast<std::size_t>(step)];
    const auto at = static_cast<std::size_t>(id);
    if (id < 0 || at >= model.vocabulary.size()) return fmt::format("#{}", id);
    return fmt::format("\"{}\"", printable(model.vocabulary[at], 40));
  }
  std::string place(int step) const { return fmt::format("t = {}, {}", step, token(step)); }
};

std::string block_name(const Seen& seen, int block) {
  return fmt::format("Block {} ({})", block,
                     seen.model.blocks[static_cast<std::size_t>(block)].title);
}

/// "head 1", or of a value with a number a unit "unit 3 of head 1".
std::string part_name(const Recorded& value, int head, int unit) {
  return value.dim == 1 ? fmt::format("head {}", head)
                        : fmt::format("unit {} of head {}", unit, head);
}

std::string after_words(double tokens) {
  if (tokens == kForEver) return "never";
  return fmt::format("after {} tokens", short_number(tokens));
}

/// How long memories last: of every forget gate the half-life that its tokens have together.
void tell_half_lives(const Seen& seen, int b, std::vector<Finding>& out) {
  const BlockCard& block = seen.model.blocks[static_cast<std::size_t>(b)];
  const Recorded* first = seen.trace->find(0, block.path("forget_gate_pre"));
  if (!first) return;
  struct Life {
    double tokens;
    int head, unit;
  };
  std::vector<double> kept;  // the logarithm of what all tokens together keep
  for (int t = 0; t < seen.length(); ++t) {
    const Recorded* pre = seen.trace->find(t, block.path("forget_gate_pre"));
    if (!pre || pre->values.size() != first->values.size()) return;
    add_log_shares(*pre, block.variant.forget_gate, kept);
  }
  std::vector<Life> lives;
  for (int head = 0; head < first->heads; ++head) {
    for (int unit = 0; unit < first->dim; ++unit) {
      const double all = kept[static_cast<std::size_t>(head * first->dim + unit)];
      if (!std::isnan(all)) lives.push_back({mean_half_life(all, seen.length()), head, unit});
    }
  }
  if (lives.empty()) return;
  std::stable_sort(lives.begin(), lives.end(),
                   [](const Life& a, const Life& b) { return a.tokens < b.tokens; });
  const Life &least = lives.front(), &most = lives.back();
  std::vector<double> all;
  for (const Life& life : lives) all.push_back(life.tokens);
  const double middle = median_of(all);
  Finding finding{.about = "half-life", .block = b};
  finding.numbers = {{"shortest", least.tokens}, {"median", middle}, {"longest", most.tokens}};
  finding.evidence =
      Evidence{block.path("forget_gate_pre"), seen.length() - 1, most.head, most.unit};
  finding.sentence =
      lives.size() == 1
          ? fmt::format("{}: half of what is stored would be gone {}.", block_name(seen, b),
                        after_words(least.tokens))
          : fmt::format(
                "{}: half of what is stored would be gone {} in {}, the shortest, and "
                "{} in {}, the longest; the median is {}.",
                block_name(seen, b), after_words(least.tokens),
                part_name(*first, least.head, least.unit), after_words(most.tokens),
                part_name(*first, most.head, most.unit),
                middle == kForEver ? "infinite" : short_number(middle) + " tokens");
  out.push_back(std::move(finding));
}

/// Which tokens open the input gate most and least, by the mean over heads and units.
void input_gates(const Seen& seen, int b, std::vector<Finding>& out) {
  const BlockCard& block = seen.model.blocks[static_cast<std::size_t>(b)];
  struct Asked {
    double sum = 0.0;
    int count = 0, step = 0;
    double widest = -kForEver;
    double mean() const { return sum / count; }
  };
  std::map<int, Asked> by_token;
  for (int t = 0; t < seen.length(); ++t) {
    const Recorded* pre = seen.trace->find(t, block.path("input_gate_pre"));
    if (!pre || pre->values.empty()) return;
    double sum = 0.0;
    for (const float i : pre->values) sum += static_cast<double>(i);
    const double mean = sum / static_cast<double>(pre->values.size());
    if (!std::isfinite(mean)) return;
    Asked& asked = by_token[seen.tokens[static_cast<std::size_t>(t)]];
    asked.sum += mean;
    ++asked.count;
    if (mean > asked.widest) asked.step = t;
    asked.widest = std::max(asked.widest, mean);
  }
  if (by_token.size() < 2) return;
  const auto smaller = [](const auto& a, const auto& b) {
    return a.second.mean() < b.second.mean();
  };
  const auto [least, most] = std::minmax_element(by_token.begin(), by_token.end(), smaller);
  const auto times = [](int count) { return count == 1 ? "once" : fmt::format("{} times", count); };
  Finding finding{.about = "input gate", .block = b};
  finding.numbers = {{"most", most->second.mean()}, {"least", least->second.mean()}};
  finding.evidence = Evidence{block.path("input_gate_pre"), most->second.step, 0, 0};
  finding.sentence = fmt::format(
      "{}: {} opens the input gate widest, pre-activation {} (seen {}), and {} least, {} (seen "
      "{}); "
      "means over heads and units.",
      block_name(seen, b), seen.token(most->second.step), short_number(most->second.mean()),
      times(most->second.count), seen.token(least->second.step), short_number(least->second.mean()),
      times(least->second.count));
  out.push_back(std::move(finding));
}

/// Heads whose answers are mostly divided by the floor.
void floors(const Seen& seen, int b, std::vector<Finding>& out) {
  const BlockCard& block = seen.model.blocks[static_cast<std::size_t>(b)];
  if (!block.has_matrix || !block.variant.normalizer) return;
  std::vector<std::string> named;
  std::optional<Evidence> evidence;
  double largest = 0.0;
  for (int head = 0; head < block.heads; ++head) {
    int used = 0, last = -1;
    for (int t = 0; t < seen.length(); ++t) {
      const Recorded *s = seen.trace->find(t, block.path("s")),
                     *N = seen.trace->find(t, block.path("normalizer"));
      if (!s || !N || head >= s->heads || head >= N->heads) return;
      if (!(std::abs(s->at(head, 0)) < N->at(head, 0))) continue;
      ++used;
      last = t;
    }
    const double share = static_cast<double>(used) / seen.length();
    largest = std::max(largest, share);
    if (share < kMostlyFloor) continue;
    named.push_back(fmt::format("head {} at {} of {} steps", head, used, seen.length()));
    if (!evidence) evidence = Evidence{block.path("normalizer"), last, head, 0};
  }
  Finding finding{.about = "floor", .block = b};
  finding.numbers = {{"largest share", largest}};
  finding.evidence = evidence;
  finding.sentence =
      named.empty()
          ? fmt::format(
                "{}: no head divides by the floor of its normalizer in {} % of its answers "
                "or more; the most is {} %.",
                block_name(seen, b), 100 * kMostlyFloor, short_number(100 * largest))
          : fmt::format(
                "{}: the floor in max(|⟨q, n⟩|, floor) is in use and shrinks answers: {} "
                "(named from {} % on).",
                block_name(seen, b), fmt::join(named, ", "), 100 * kMostlyFloor);
  out.push_back(std::move(finding));
}

/// Units whose output gate is shut at every step.
void shut_units(const Seen& seen, int b, std::vector<Finding>& out) {
  const BlockCard& block = seen.model.blocks[static_cast<std::size_t>(b)];
  const ValueCard* gate = block.values->find("output_gate");
  if (!gate || gate->span != Span::share) return;
  std::vector<double> widest;
  int heads = 0, dim = 0;
  for (int t = 0; t < seen.length(); ++t) {
    const Recorded* open = seen.trace->find(t, block.path("output_gate"));
    if (!open) return;
    heads = open->heads;
    dim = open->dim;
    widest.resize(open->values.size(), 0.0);
    for (std::size_t u = 0; u < open->values.size(); ++u) {
      // Not std::max: a number that is none must not go unseen.
      if (!(static_cast<double>(open->values[u]) <= widest[u])) widest[u] = open->values[u];
    }
  }
  const auto shut = [](double open) { return open < kNearlyShut; };
  const auto count = std::count_if(widest.begin(), widest.end(), shut);
  Finding finding{.about = "saturation", .block = b};
  finding.numbers = {{"shut units", static_cast<double>(count)},
                     {"units", static_cast<double>(heads) * dim}};
  finding.sentence =
      count == 0
          ? fmt::format("{}: the output gates of all {} units rise above {} at some step.",
                        block_name(seen, b), heads * dim, kNearlyShut)
          : fmt::format("{}: the output gate of {} of {} units stays below {} at every step.",
                        block_name(seen, b), count, heads * dim, kNearlyShut);
  if (const auto first = std::find_if(widest.begin(), widest.end(), shut); first != widest.end()) {
    const int at = static_cast<int>(first - widest.begin());
    finding.evidence = Evidence{block.path("output_gate"), seen.length() - 1, at / dim, at % dim};
  }
  out.push_back(std::move(finding));
}

/// The matrix memory of a head after the last token; empty when a write was not recorded.
std::vector<float> last_memory(const Seen& seen, const BlockCard& block, int head) {
  std::vector<float> memory(static_cast<std::size_t>(block.key_dim) *
                            static_cast<std::size_t>(block.value_dim));
  for (int t = 0; t < seen.length(); ++t)
    if (!write_recorded(*seen.trace, block, t, head, memory)) return {};
  return memory;
}

/// How much of each matrix memory is in use after the last token.
void fills(const Seen& seen, int b, std::vector<Finding>& out) {
  const BlockCard& block = seen.model.blocks[static_cast<std::size_t>(b)];
  if (!block.has_matrix) return;
  std::vector<double> ranks;
  for (int head = 0; head < block.heads; ++head) {
    const std::vector<float> memory = last_memory(seen, block, head);
    if (memory.empty()) return;
    ranks.push_back(effective_rank(memory, block.key_dim, block.value_dim));
    if (std::isnan(ranks.back())) return;
  }
  const auto [least, most] = std::minmax_element(ranks.begin(), ranks.end());
  const int fullest = static_cast<int>(most - ranks.begin());
  const int whole = std::min(block.key_dim, block.value_dim);
  Finding finding{.about = "fill", .block = b};
  finding.numbers = {{"least", *least}, {"most", *most}, {"of", static_cast<double>(whole)}};
  finding.evidence = Evidence{block.path("n"), seen.length() - 1, fullest, 0};
  finding.sentence = fmt::format(
      "{}: after the last token the memory uses {} of {} directions in head {}, the most, and {} "
      "in "
      "head {}, the least (participation ratio of the squared singular values).",
      block_name(seen, b), short_number(*most), whole, fullest, short_number(*least),
      least - ranks.begin());
  out.push_back(std::move(finding));
}

/// Which past write the last answer hangs on most, over all blocks and heads.
void last_answer(const Seen& seen, int last, std::vector<Finding>& out) {
  const int count = std::min(last + 1, kMostAnswerSteps), begin = last + 1 - count;
  double largest = 0.0;
  Finding finding{.about = "answer"};
  int head_of = 0, written = -1;
  for (std::size_t b = 0; b < seen.model.blocks.size(); ++b) {
    const BlockCard& block = seen.model.blocks[b];
    for (int head = 0; head < (block.has_matrix ? block.heads : 0); ++head) {
      ImpliedAttention attention;
      attention.follow(seen.trace, block, head, begin, count);
      if (attention.count() < count) continue;
      for (int s = begin; s <= last; ++s) {
        const double weight = attention.weight(last, s);
        if (!(std::abs(weight) > std::abs(largest))) continue;
        largest = weight;
        finding.block = static_cast<int>(b);
        head_of = head;
        written = s;
      }
    }
  }
  if (written < 0) return;
  const BlockCard& block = seen.model.blocks[static_cast<std::size_t>(finding.block)];
  finding.numbers = {{"weight", largest}, {"written at", static_cast<double>(written)}};
  finding.evidence = Evidence{block.path("input_gate"), written, head_of, 0};
  finding.sentence = fmt::format(
      "{}: of all matrix memories the last answer ({}) hangs most on what was written at {}: "
      "weight "
      "{} in head {} (signed, not a probability).",
      block_name(seen, finding.block), seen.place(last), seen.place(written), short_number(largest),
      head_of);
  out.push_back(std::move(finding));
}

}  // namespace

double effective_rank(const std::vector<float>& matrix, int keys, int values) {
  const auto K = static_cast<std::size_t>(keys), V = static_cast<std::size_t>(values);
  // Σ σ² is the sum of squares, and Σ σ⁴ that of the smaller of both products with itself.
  double squares = 0.0, fourth = 0.0;
  for (const float x : matrix) squares += static_cast<double>(x) * static_cast<double>(x);
  if (squares == 0.0) return 0.0;
  const bool tall = K > V;
  const std::size_t side = tall ? V : K, along = tall ? K : V;
  const auto at = [&](std::size_t i, std::size_t j) {
    return static_cast<double>(tall ? matrix[j * V + i] : matrix[i * V + j]);
  };
  for (std::size_t a = 0; a < side; ++a) {
    for (std::size_t b = 0; b <= a; ++b) {
      double product = 0.0;
      for (std::size_t j = 0; j < along; ++j) product += at(a, j) * at(b, j);
      fourth += (a == b ? 1.0 : 2.0) * product * product;
    }
  }
  return squares * squares / fourth;
}

std::vector<Finding> findings(const ModelCard& model, const std::shared_ptr<const Trace>& trace,
                              const std::vector<int>& tokens, int asked) {
  std::vector<Finding> out;
  if (!trace || trace->length() == 0 || tokens.size() < trace->steps.size()) return out;
  const Seen seen{model, trace, tokens};
  for (int b = 0; b < static_cast<int>(model.blocks.size()); ++b) {
    tell_half_lives(seen, b, out);
    input_gates(seen, b, out);
    floors(seen, b, out);
    shut_units(seen, b, out);
    fills(seen, b, out);
  }
  last_answer(seen, asked >= 0 && asked < trace->length() ? asked : trace->length() - 1, out);
  return out;
}

}  // namespace xlab
