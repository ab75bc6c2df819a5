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
  std::vector<float> feed(std::span<const int> tokens);
  /// The same, but returns the logits after each of the tokens, one row of the vocabulary's size
  /// after the other.
  std::vector<float> feed_for_all(std::span<const int> tokens);
  /// The carried state after everything fed so far.
  const State& state() const { return state_; }

 private:
  Tensor logits_of(std::span<const int> tokens);

  const Model* model_;
  State state_;
};

}  // namespace xlab
