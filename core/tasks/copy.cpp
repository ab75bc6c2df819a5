// Copy: a string of letters, a bar, and then the same letters again.
#include <algorithm>

#include "core/tasks/task.hpp"
#include "kernels/random.hpp"

namespace xlab {
namespace {

constexpr int kLetters = 8, kBar = kLetters;

class CopyTask : public Task {
 public:
  CopyTask() {
    for (int k = 0; k < kLetters; ++k)
      vocabulary_.push_back(std::string(1, static_cast<char>('a' + k)));
    vocabulary_.push_back("|");
  }
  std::string name() const override { return "copy"; }
  std::string title() const override { return "Copy"; }
  std::string description() const override {
    return "A string of letters, then '|'; after the bar the letters must be repeated in order.";
  }
  std::string must_remember() const override {
    return "Every letter and its place: as many letters as the string is long.";
  }
  const std::vector<std::string>& vocabulary() const override { return vocabulary_; }
  int shortest() const override { return 2; }

  void sample(std::uint64_t seed, std::uint64_t index, std::span<int> inputs,
              std::span<int> targets) const override {
    Random random(seed, index);
    const std::size_t letters = inputs.size() / 2;
    for (std::size_t t = 0; t < letters; ++t) inputs[t] = static_cast<int>(random.below(kLetters));
    inputs[letters] = kBar;
    for (std::size_t t = letters + 1; t < inputs.size(); ++t) inputs[t] = inputs[t - letters - 1];
    std::ranges::copy(answers(inputs), targets.begin());
  }

  std::vector<int> answers(std::span<const int> inputs) const override {
    std::vector<int> out(inputs.size(), -1);
    const auto bar = static_cast<std::size_t>(std::ranges::find(inputs, kBar) - inputs.begin());
    for (std::size_t t = bar; t < inputs.size(); ++t)
      if (t - bar < bar) out[t] = inputs[t - bar];
    return out;
  }

  ModelSpec default_model() const override {
    ModelSpec spec;
    spec.vocab_size = static_cast<int>(vocabulary_.size());
    spec.embedding_dim = 48;
    spec.num_blocks = 2;
    spec.context_length = 24;
    spec.mlstm = MlstmSpec{.num_heads = 2, .round_proj_up_to_multiple_of = 16};
    return spec;
  }
  TrainSpec default_training() const override {
    return {.batch_size = 32,
            .sequence_length = 24,
            .learning_rate = 5e-3,
            .min_learning_rate = 5e-4,
            .warmup_steps = 50,
            .decay_until_step = 3000,
            .weight_decay = 0.01};
  }

 private:
  std::vector<std::string> vocabulary_;
};

}  // namespace

std::unique_ptr<Task> make_copy_task() {
  return std::make_unique<CopyTask>();
}

}  // namespace xlab
