// Multi-query associative recall: pairs of key and value, then questions about some of the keys.
#include <algorithm>
#include <array>
#include <numeric>

#include "core/tasks/task.hpp"
#include "kernels/random.hpp"

namespace xlab {
namespace {

constexpr int kKeys = 10, kValues = 10, kQuestion = kKeys + kValues;

class RecallTask : public Task {
 public:
  RecallTask() {
    for (int k = 0; k < kKeys; ++k)
      vocabulary_.push_back(std::string(1, static_cast<char>('a' + k)));
    for (int v = 0; v < kValues; ++v) vocabulary_.push_back(std::to_string(v));
    vocabulary_.push_back("?");
  }
  std::string name() const override { return "recall"; }
  std::string title() const override { return "Associative recall"; }
  std::string description() const override {
    return "Pairs of a letter and a digit are shown; then a letter and '?' ask for its digit.";
  }
  std::string must_remember() const override {
    return "Which digit stood behind each letter: one pair per letter, until the last question.";
  }
  const std::vector<std::string>& vocabulary() const override { return vocabulary_; }
  int shortest() const override { return 4; }
  std::vector<int> first_look() const override { return encode("a 3 b 7 c 1 d 9 e 4 f 2 g 0 b ?"); }

  void sample(std::uint64_t seed, std::uint64_t index, std::span<int> inputs,
              std::span<int> targets) const override {
    Random random(seed, index);
    // Between a third and two thirds of the row are pairs, the rest questions of three tokens.
    const auto length = static_cast<std::int64_t>(inputs.size());
    const std::int64_t most = std::clamp<std::int64_t>((length - 2) / 2, 1, kKeys);
    const std::int64_t least = std::max<std::int64_t>(1, most / 2);
    const auto pairs = least + static_cast<std::int64_t>(
                                   random.below(static_cast<std::uint64_t>(most - least + 1)));
    std::array<int, kKeys> keys;
    std::iota(keys.begin(), keys.end(), 0);
    for (std::size_t i = keys.size() - 1; i > 0; --i) std::swap(keys[i], keys[random.below(i + 1)]);
    std::array<int, kKeys> values{};
    std::size_t t = 0;
    for (std::int64_t p = 0; p < pairs; ++p) {
      const int key = keys[static_cast<std::size_t>(p)];
      values[static_cast<std::size_t>(key)] = kKeys + static_cast<int>(random.below(kValues));
      inputs[t++] = key;
      inputs[t++] = values[static_cast<std::size_t>(key)];
    }
    while (t < inputs.size()) {
      const int key = keys[random.below(static_cast<std::uint64_t>(pairs))];
      const int answer = values[static_cast<std::size_t>(key)];
      inputs[t++] = key;
      if (t < inputs.size()) inputs[t++] = kQuestion;
      if (t < inputs.size()) inputs[t++] = answer;
    }
    std::ranges::copy(answers(inputs), targets.begin());
  }

  std::vector<int> answers(std::span<const int> inputs) const override {
    std::vector<int> out(inputs.size(), -1);
    std::array<int, kKeys> values;
    values.fill(-1);
    for (std::size_t t = 1; t < inputs.size(); ++t) {
      const int before = inputs[t - 1], now = inputs[t];
      if (before >= kKeys) continue;
      if (now == kQuestion) {
        out[t] = values[static_cast<std::size_t>(before)];
      } else if (now >= kKeys) {
        values[static_cast<std::size_t>(before)] = now;
      }
    }
    return out;
  }

  ModelSpec default_model() const override {
    ModelSpec spec;
    spec.vocab_size = static_cast<int>(vocabulary_.size());
    spec.embedding_dim = 32;
    spec.num_blocks = 2;
    spec.context_length = 32;
    spec.slstm_at = {1};
    spec.mlstm = MlstmSpec{.num_heads = 2, .round_proj_up_to_multiple_of = 16};
    spec.slstm = SlstmSpec{.num_heads = 2};
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

 private:
  std::vector<std::string> vocabulary_;
};

}  // namespace

std::unique_ptr<Task> make_recall_task() {
  return std::make_unique<RecallTask>();
}

}  // namespace xlab
