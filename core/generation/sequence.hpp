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
  /// Carried state after the token; null where it is not kept, see Sequence::state_after.
  std::shared_ptr<const State> after;
  std::shared_ptr<const TokenTrace> trace;  ///< recorded values
  std::vector<float> logits;                ///< for the token after this one
  float surprise = 0.0f;  ///< -log p(this token | before) in nats; 0 for the first
  /// log of the sum of exp(logits): -log p(x) of the token after this one is this - logits[x].
  double log_total = 0.0;
  int top_choice = -1;  ///< largest of the logits, the first one in a tie; -1: not all are finite
};

/// States that were brought to a device, by where they came from.
using MovedStates = std::map<const State*, std::shared_ptr<const State>>;

/// What one token leaves behind at most, in numbers: the state after it, and what is recorded of it
/// in how many values; from what the cells say of their values. They may be beyond integers.
struct KeptNumbers {
  double state = 0.0, recorded = 0.0, recordings = 0.0;
};
KeptNumbers kept_numbers(const Model& model);
/// The same in bytes, with the logits.
double kept_bytes(const Model& model);

/// A sequence under a model. Copying one is a branch: states and recordings are shared.
class Sequence {
 public:
  /// What is kept for going back may take this much memory; then the sequence is full.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;
  /// Of the newest tokens every state is kept, of those before them every `kKeptEvery`th: what lies
  /// between is computed again when it is asked for. Models with more parameters than
  /// `kMostParameters`, which take long for that, keep all.
  static constexpr int kAllOfTheLast = 256, kKeptEvery = 16;
  static constexpr std::int64_t kMostParameters = 4'000'000;
  /// More are refused: every token looks at each of them.
  static constexpr std::size_t kMostClamps = 1000;

  explicit Sequence(const Model& model);

  /// Replaces the whole sequence; what it begins with in common with the old one stays computed.
  /// Throws for tokens outside the vocabulary, and for more tokens than can be kept.
  void set_tokens(std::vector<int> tokens);
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

  /// Computes the next outstanding token. Returns false when there is none left.
  bool compute_one();
  void compute_all();
  /// Number of tokens computed with the present weights and clamps.
  int computed() const { return computed_; }
  bool complete() const { return computed_ == length(); }

  int length() const { return static_cast<int>(tokens_.size()); }
  const std::vector<int>& tokens() const { return tokens_; }
  const std::vector<Clamp>& clamps() const { return clamps_; }
  /// Steps [0, computed()).
  const std::vector<SequenceStep>& steps() const { return steps_; }
  /// The carried state after token `t`, which must be computed; with the weights that the tokens
  /// were computed with, which must still be the model's unless the state is at hand.
  std::shared_ptr<const State> state_after(int t) const;
  /// Whether that state is there without computing.
  bool has_state(int t) const;
  /// How many tokens a sequence can have: as many as `kMostBytes` hold, at least one.
  int most_tokens() const { return most_tokens_; }
  /// Why no token can be appended any more; empty when one can.
  std::string full_reason() const;
  /// The recordings of the computed steps.
  std::shared_ptr<const Trace> trace() const;

 private:
  void check_token(int token) const;
  /// Logits after token `t` of the sequence, and the state after it; what is seen goes to `trace`.
  std::vector<float> advance(int t, const State& before, State& after, TokenTrace& trace) const;
  void drop_outdated();

  const Model* model_;
  int most_tokens_ = 0;
  std::vector<int> tokens_;
  std::vector<SequenceStep> steps_;
  std::vector<Clamp> clamps_;
  int computed_ = 0;
  bool keeps_all_states_ = false;
  /// The states that were computed again last, by their token.
  mutable std::map<int, std::shared_ptr<const State>> again_;
};

}  // namespace xlab
