// The sequence on screen: as edited by hand and, while there are clamps, its unclamped
// twin.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>

#include "core/generation/generation.hpp"
#include "core/generation/sequence.hpp"
#include "core/tasks/task.hpp"

namespace xlab {

/// Both together take no more memory for going back than the sequence they are made of may take,
/// unless their tokens alone need more.
class ClampedSequence {
 public:
  explicit ClampedSequence(const Sequence& sequence);

  const Sequence& edited() const { return edited_; }
  /// The recordings without clamps; null where there are none.
  std::shared_ptr<const Trace> unclamped_trace() const {
    return plain_ ? plain_->trace() : nullptr;
  }
  /// The same tokens without clamps; null where there are none.
  const Sequence* unclamped() const { return plain_ ? &*plain_ : nullptr; }
  int length() const { return edited_.length(); }
  /// Number of tokens computed in both.
  int computed() const {
    return plain_ ? std::min(edited_.computed(), plain_->computed()) : edited_.computed();
  }
  bool complete() const { return edited_.complete() && (!plain_ || plain_->complete()); }
  bool compute_one();
  void compute_all();
  /// See Sequence.
  bool ready_to_go_on() const {
    return edited_.ready_to_go_on() && (!plain_ || plain_->ready_to_go_on());
  }
  void prepare_to_go_on();
  void invalidate();
  /// Brings the states of all tokens to a device, to which the model was moved: its memory is free
  /// again where they were. Throws when there is no room for them; then they stay.
  void move_to(Device device);
  void set_tokens(std::vector<int> tokens);
  /// Tokens that were there before; see Sequence.
  void put_back(std::vector<int> tokens);
  void append(int token);
  void truncate(int length);
  void set_clamps(std::vector<Clamp> clamps);

  /// What is kept for going back takes this much memory, and may take that much.
  std::size_t bytes() const;
  std::size_t most_bytes() const;
  /// Whether there is room to compute all of it once more beside it.
  bool has_room_beside() const;
  /// The same to be computed from its beginning, in the memory that this one leaves.
  ClampedSequence anew_beside() const;
  /// Nothing is beside it any more: it may take all the memory.
  void stand_alone();
  /// Writes tokens and clamps back into the sequence that is saved with the run.
  void store_into(Sequence& sequence) const;

  /// Fills tokens, surprise, answers, clamps and recordings.
  void describe(const Task& task, Snapshot& snapshot) const;
  /// Fills what depends on the cursor: the next token, where tokens are guessed, and the matrix
  /// memory of `block`. A memory
  /// that cannot be told since the model has other equations stays as it was, or away, until the
  /// sequence is computed with them.
  void describe_cursor(int cursor, int block, const Model& model, const SamplerSettings& sampler,
                       Snapshot& snapshot, const WritableTokens& tokens = {}) const;

 private:
  void describe_answers(SequenceStatus& sequence) const;
  std::shared_ptr<const NextToken> next_at(std::size_t at, const WritableTokens& tokens,
                                           const SamplerSettings& sampler) const;
  void share(std::size_t bytes);

  std::size_t memory_;  ///< for both
  Sequence edited_;
  std::optional<Sequence> plain_;
};

}  // namespace xlab
