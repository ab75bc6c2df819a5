// Feeding tokens to a model and reading what it expects next: generation without recordings.
#pragma once

#include <span>
#include <vector>

#include "core/model.hpp"

namespace xlab {

class Stepper {
 public:
  explicit Stepper(const Model& model) : model_(&model) {}

  /// Feeds the tokens after those fed before, in one pass, and returns the logits for the next one.
  /// After a pass that failed, as for lack of memory, it throws: the state went with it.
  std::vector<float> feed(std::span<const int> tokens);
  /// The same, but returns the logits after each of the tokens, one row of the vocabulary's size
  /// after the other.
  std::vector<float> feed_for_all(std::span<const int> tokens);
  /// The carried state after everything fed so far.
  const State& state() const { return state_; }

 private:
  /// `all`: the logits after each token, not after the last alone.
  std::vector<float> pass(std::span<const int> tokens, bool all);

  const Model* model_;
  State state_;
  bool lost_ = false;  ///< a pass failed half-way, and its state with it
};

}  // namespace xlab
