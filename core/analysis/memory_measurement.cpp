// What matrix memories hold, measured: how full they are, and what an answer hangs on.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "core/analysis/implied_attention.hpp"
#include "core/analysis/measurement.hpp"
#include "core/analysis/recorded_head.hpp"
#include "core/short_number.hpp"

namespace xlab {
namespace {

/// An answer is looked for among so many steps at most.
constexpr int kMostAnswerSteps = 512;

/// Replays the memories token by token, then looks at each head's.
class Fills : public Measurement {
 public:
  Fills(const Seen& seen, int block)
      : seen_(seen),
        b_(block),
        block_(seen.block(block)),
        memories_(static_cast<std::size_t>(block_.heads),
                  std::vector<float>(static_cast<std::size_t>(block_.key_dim) *
                                     static_cast<std::size_t>(block_.value_dim))) {}

  int pieces() const override { return seen_.length() + block_.heads; }
  double work() const override {
    return block_.heads * (4.0 * kLookUp + static_cast<double>(memories_.front().size()));
  }

  bool take(int piece) override {
    if (piece < seen_.length()) {
      for (int head = 0; head < block_.heads; ++head) {
        auto& memory = memories_[static_cast<std::size_t>(head)];
        if (!write_recorded(*seen_.trace, block_, piece, head, memory)) return false;
      }
      return true;
    }
    const auto head = static_cast<std::size_t>(piece - seen_.length());
    ranks_.push_back(effective_rank(memories_[head], block_.key_dim, block_.value_dim));
    return !std::isnan(ranks_.back());
  }

  void tell(std::vector<Finding>& out) const override {
    const auto [least, most] = std::minmax_element(ranks_.begin(), ranks_.end());
    const int fullest = static_cast<int>(most - ranks_.begin());
    const int whole = std::min(block_.key_dim, block_.value_dim);
    Finding finding{.about = "fill", .block = b_};
    finding.numbers = {{"least", *least}, {"most", *most}, {"of", static_cast<double>(whole)}};
    finding.evidence = Evidence{block_.path("n"), seen_.length() - 1, fullest, 0};
    finding.sentence = fmt::format(
        "{}: after the last token the memory uses {} of {} directions in head {}, the most, and {} "
        "in head {}, the least (participation ratio of the squared singular values).",
        seen_.block_name(b_), short_number(*most), whole, fullest, short_number(*least),
        least - ranks_.begin());
    out.push_back(std::move(finding));
  }

 private:
  const Seen& seen_;
  const int b_;
  const BlockCard& block_;
  std::vector<std::vector<float>> memories_;
  std::vector<double> ranks_;
};

/// A head at a time.
class LastAnswer : public Measurement {
 public:
  LastAnswer(const Seen& seen, int last) : seen_(seen), last_(last) {
    for (int b = 0; b < static_cast<int>(seen.model->blocks.size()); ++b) {
      const BlockCard& block = seen.block(b);
      for (int head = 0; head < (block.has_matrix ? block.heads : 0); ++head) {
        heads_.emplace_back(b, head);
        keys_ = std::max(keys_, block.key_dim);
      }
    }
  }

  int pieces() const override { return static_cast<int>(heads_.size()); }
  double work() const override {
    const double steps = last_ + 1 - first();
    return steps * (8.0 * kLookUp + keys_ + steps / 2.0);
  }

  bool take(int piece) override {
    const auto [b, head] = heads_[static_cast<std::size_t>(piece)];
    const std::vector<double> weights =
        attention_weights(*seen_.trace, seen_.block(b), head, first(), last_);
    for (std::size_t s = 0; s < weights.size(); ++s) {
      if (!(std::abs(weights[s]) > std::abs(largest_))) continue;
      largest_ = weights[s];
      block_ = b;
      head_ = head;
      written_ = first() + static_cast<int>(s);
    }
    return true;
  }

  void tell(std::vector<Finding>& out) const override {
    if (written_ < 0) return;
    Finding finding{.about = "answer", .block = block_};
    finding.numbers = {{"weight", largest_}, {"written at", static_cast<double>(written_)}};
    finding.evidence = Evidence{seen_.block(block_).path("input_gate"), written_, head_, 0};
    finding.sentence = fmt::format(
        "{}: of all matrix memories the last answer ({}) hangs most on what was written at {}: "
        "weight {} in head {} (signed, not a probability).",
        seen_.block_name(block_), seen_.place(last_), seen_.place(written_), short_number(largest_),
        head_);
    out.push_back(std::move(finding));
  }

 private:
  int first() const { return std::max(last_ + 1 - kMostAnswerSteps, 0); }

  const Seen& seen_;
  const int last_;
  std::vector<std::pair<int, int>> heads_;  // block and head
  int keys_ = 0;
  double largest_ = 0.0;
  int block_ = 0, head_ = 0, written_ = -1;
};

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

std::unique_ptr<Measurement> measured_fills(const Seen& seen, int block) {
  const BlockCard& card = seen.block(block);
  if (!card.has_matrix || card.heads < 1) return nullptr;
  return std::make_unique<Fills>(seen, block);
}

std::unique_ptr<Measurement> measured_answer(const Seen& seen, int last) {
  auto answer = std::make_unique<LastAnswer>(seen, last);
  if (answer->pieces() == 0) return nullptr;
  return answer;
}

}  // namespace xlab
