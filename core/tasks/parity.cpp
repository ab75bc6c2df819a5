// Parity: after every bit, whether the number of ones so far is odd. A task of state tracking.
#include <algorithm>

#include "core/tasks/task.hpp"
#include "kernels/random.hpp"

namespace xlab {
namespace {

class ParityTask : public Task {
 public:
  std::string name() const override { return "parity"; }
  std::string title() const override { return "Parity"; }
  std::string description() const override {
    return "Zeros and ones arrive; after each one the answer is whether the ones so far are 'even' "
           "or "
           "'odd'.";
  }
  std::string must_remember() const override {
    return "One bit, flipped by every 1 and kept by every 0, for the whole sequence.";
  }
  const std::vector<std::string>& vocabulary() const override {
    static const std::vector<std::string> labels = {"0", "1", "even", "odd"};
    return labels;
  }
  int shortest() const override { return 1; }

  void sample(std::uint64_t seed, std::uint64_t index, std::span<int> inputs,
              std::span<int> targets) const override {
    Random random(seed, index);
    for (int& bit : inputs) bit = static_cast<int>(random.below(2));
    std::ranges::copy(answers(inputs), targets.begin());
  }

  std::vector<int> answers(std::span<const int> inputs) const override {
    std::vector<int> out(inputs.size(), -1);
    int parity = 0;
    for (std::size_t t = 0; t < inputs.size(); ++t) {
      if (inputs[t] > 1) continue;  // an answer that was fed back is no bit
      parity ^= inputs[t];
      out[t] = 2 + parity;
    }
    return out;
  }

  ModelSpec default_model() const override {
    ModelSpec spec;
    spec.vocab_size = 4;
    spec.embedding_dim = 32;
    spec.num_blocks = 2;
    spec.context_length = 32;
    spec.slstm_at = {1};
    spec.mlstm = MlstmSpec{.num_heads = 2, .round_proj_up_to_multiple_of = 16};
    // Memory mixing needs recurrent weights; starting them away from zero saves the search for
    // them.
    spec.slstm = SlstmSpec{.num_heads = 2, .recurrent_weight_init = "standard"};
    spec.feedforward = FeedforwardSpec{.round_proj_up_to_multiple_of = 16};
    return spec;
  }
  TrainSpec default_training() const override {
    return {.batch_size = 32,
            .sequence_length = 32,
            .learning_rate = 5e-3,
            .min_learning_rate = 5e-4,
            .warmup_steps = 50,
            .decay_until_step = 2000,
            .weight_decay = 0.01};
  }
};

}  // namespace

std::unique_ptr<Task> make_parity_task() {
  return std::make_unique<ParityTask>();
}

}  // namespace xlab
