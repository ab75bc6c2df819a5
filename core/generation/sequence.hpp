// Generation, token by token, with everything needed to go back: tokens, states, and
// what was recorded on the way.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/model.hpp"
#include "core/snapshot.hpp"
#include "core/trace.hpp"

namespace xlab {

/// One token and what the model made of it.
struct SequenceStep {
  /// Carried state after the token; null where it is not kept, see Sequence::state_after. Then
  /// `vectors` is that state without its matrices.
  std::shared_ptr<const State> after, vectors;
  std::shared_ptr<const TokenTrace> trace;  ///< recorded values
  std::vector<float> logits;                ///< for the token after this one
  float surprise = 0.0f;  ///< -log p(this token | before) in nats; 0 for the first
  /// log of the sum of exp(logits): -log p(x) of the token after this one is this - logits[x].
  double log_total = 0.0;
  int top_choice = -1;  ///< largest of the logits, the first one in a tie; -1: not all are finite
};

/// States that were brought to a device, by where they came from.
using MovedStates = std::map<const State*, std::shared_ptr<const State>>;

/// What one token leaves behind at most, in numbers: the state after it, the matrices in that, and
/// what is recorded of it in how many values; from what the cells say of their values. They may be
/// beyond integers.
struct KeptNumbers {
  double state = 0.0, matrices = 0.0, recorded = 0.0, recordings = 0.0;
};
KeptNumbers kept_numbers(const Model& model);
/// The same in bytes: of a token without matrices, logits included, and of the matrices.
struct KeptBytes {
  double token = 0.0, matrices = 0.0;
};
KeptBytes kept_bytes(const Model& model);

/// How much memory a sequence of this model may take for going back: 1 GiB, or more where that
/// would not be a few thousand tokens, but then at most three fifths of what is free.
std::size_t memory_for_going_back(const Model& model);

/// A sequence under a model. Copying one is a branch: states and recordings are shared.
class Sequence {
 public:
  /// Of the newest tokens every state is kept whole, of those before them every `kKeptEvery`th;
  /// fewer where matrices are so large that those of many would not fit. In between, matrices are
  /// written again from what was recorded, without the rest of the model, when they are asked for.
  static constexpr int kAllOfTheLast = 256, kKeptEvery = 16;
  /// More are refused: every token looks at each of them.
  static constexpr std::size_t kMostClamps = 1000;

  /// What is kept for going back may take `most_bytes` of memory; then the sequence is full.
  explicit Sequence(const Model& model);
  Sequence(const Model& model, std::size_t most_bytes);
  /// From now on it may take so much. Matrices that there is no room for any more go; the tokens
  /// stay: where even those of the sequence need more, that is what it may take.
  void keep_within(std::size_t most_bytes);

  /// Replaces the whole sequence; what it begins with in common with the old one stays computed.
  /// Throws for tokens outside the vocabulary, and for more tokens than can be kept.
  void set_tokens(std::vector<int> tokens);
  /// The same for tokens that a sequence had before: there are never too many. Where they need more
  /// memory than this one may take, it may take that.
  void put_back(std::vector<int> tokens);
  /// Tokens, clamps and at least the memory of the sequence of a model like this one.
  void take_over(const Sequence& other);
  /// Appends a token; nothing is computed yet.
  void append(int token);
  /// Keeps the first `length` tokens: the state after them is where the sequence goes on.
  void truncate(int length);
  /// Clamps replace values from now on; steps from the first changed one on are computed again.
  /// Throws when there are more than `kMostClamps`.
  void set_clamps(std::vector<Clamp> clamps);
  /// Everything is computed again, because the weights changed.
  void invalidate();

  /// The same sequence with all its states on this device. What is computed follows the model
  /// wherever the states are; this is for the memory. Sequences that share states still do when
  /// they are moved with one `moved`.
  Sequence on(Device device, MovedStates& moved) const;

  /// Computes the next outstanding token, or a part of what that needs: after going far back, large
  /// matrices are brought back piece by piece. Returns false when there is none left.
  bool compute_one();
  void compute_all();
  /// Number of tokens computed with the present weights and clamps.
  int computed() const { return computed_; }
  bool complete() const { return computed_ == length() && !brings_back_; }
  /// Whether the next token can be computed without bringing back anything before it. Where that
  /// is not so, `prepare_to_go_on` makes the sequence outstanding until `compute_one` has brought
  /// it back, where that is possible.
  bool ready_to_go_on() const;
  void prepare_to_go_on();

  int length() const { return static_cast<int>(tokens_.size()); }
  const std::vector<int>& tokens() const { return tokens_; }
  const std::vector<Clamp>& clamps() const { return clamps_; }
  /// Steps [0, computed()).
  const std::vector<SequenceStep>& steps() const { return steps_; }
  /// The carried state after token `t`, which must be computed.
  std::shared_ptr<const State> state_after(int t) const;
  /// The same of one block, which takes less time.
  CellState state_after(int t, int block) const;
  /// Whether that is known: matrices that are not kept cannot be told once the model has other
  /// equations. (Other weights do not matter.)
  bool has_state(int t) const;
  /// How many tokens a sequence can have: as many as the memory holds, at least one.
  int most_tokens() const { return most_tokens_; }
  /// The same for another size of the memory, with as few matrices as can be.
  int most_tokens_in(std::size_t bytes) const;
  /// What it takes now for going back, and how much that may become. What it shares with a copy
  /// counts in both.
  std::size_t bytes() const;
  std::size_t most_bytes() const { return most_bytes_; }
  /// What all its tokens need at least when they are computed.
  std::size_t least_bytes() const;
  /// Why no token can be appended any more; empty when one can.
  std::string full_reason() const;
  /// The recordings of the computed steps.
  std::shared_ptr<const Trace> trace() const;

 private:
  /// Logits after token `t` of the sequence, and the state after it; what is seen goes to `trace`.
  std::vector<float> advance(int t, const State& before, State& after, TokenTrace& trace) const;
  void drop_outdated();
  void drop_matrices(int t);
  void thin_out();
  void thin_out_all();
  bool thinned() const;
  double bytes_of_steps() const;
  /// The last token at or before `t` with a whole state; -1: the start of the sequence.
  int whole_before(int t) const;
  std::shared_ptr<const State> next_state(int t, const std::shared_ptr<const State>& before) const;
  bool bring_back_last_state();

  const Model* model_;
  KeptBytes kept_;
  std::size_t most_bytes_ = 0;
  int most_tokens_ = 0;
  /// Whole states are those of the newest `newest_` tokens and of every `every_`th before them.
  int newest_ = 0, every_ = 1;
  int most_whole_ = 0;
  std::vector<int> tokens_;
  std::vector<SequenceStep> steps_;
  std::vector<Clamp> clamps_;
  int computed_ = 0;
  std::int64_t revision_ = 0;  ///< of the model, when the tokens were computed
  /// States of the block that was looked at last, by their token.
  mutable int again_block_ = -1;
  mutable std::map<int, CellState> again_;
  /// The state on its way to the last token, and the token it has reached.
  std::shared_ptr<const State> coming_back_;
  int reached_ = -1;
  bool brings_back_ = false;  ///< it was asked for
};

}  // namespace xlab
