// Tokens of a text that the user picks: every next token is a question.
#include <algorithm>

#include "core/tasks/task.hpp"
#include "kernels/random.hpp"

namespace xlab {
namespace {

class TextTask : public Task {
 public:
  explicit TextTask(TextData text) : text_(std::move(text)) {
    const std::string kind = text_.tokenizer->kind();
    const char* unit = kind == "characters" ? "character" : kind == "bytes" ? "byte" : "token";
    description_ =
        fmt::format("{} of a text arrive{}; after each one the next {} must be guessed.",
                    kind == "characters" ? "Characters"
                    : kind == "bytes"    ? "Bytes"
                                         : "Tokens",
                    kind == "bpe" ? fmt::format(" ({})", text_.tokenizer->title()) : "", unit);
  }

  std::string name() const override { return "text"; }
  std::string title() const override { return text_.name; }
  std::string description() const override { return description_; }
  std::string must_remember() const override {
    return "What tells the next character: the word so far, the phrase, the topic.";
  }
  const std::vector<std::string>& vocabulary() const override { return text_.vocabulary; }
  int shortest() const override { return 1; }
  std::vector<int> first_look() const override {
    constexpr std::ptrdiff_t kTokens = 48;
    // Blank space before the first word tells nothing.
    const auto first = std::ranges::find_if(text_.ids, [&](std::int32_t id) {
      return text_.vocabulary[static_cast<std::size_t>(id)].find_first_not_of(" \t\r\n") !=
             std::string::npos;
    });
    const auto begin = first == text_.ids.end() ? text_.ids.begin() : first;
    return {begin, begin + std::min(kTokens, text_.ids.end() - begin)};
  }

  void sample(std::uint64_t seed, std::uint64_t index, std::span<int> inputs,
              std::span<int> targets) const override {
    // A window at a random place; a text shorter than the window is read round and round.
    Random random(seed, index);
    const std::size_t size = text_.ids.size();
    const std::size_t window = inputs.size() + 1;
    const std::size_t start = size > window ? random.below(size - window + 1) : random.below(size);
    for (std::size_t t = 0; t < inputs.size(); ++t) {
      inputs[t] = text_.ids[(start + t) % size];
      targets[t] = text_.ids[(start + t + 1) % size];
    }
  }

  ModelSpec default_model() const override {
    ModelSpec spec;
    spec.vocab_size = static_cast<int>(text_.vocabulary.size());
    spec.embedding_dim = 96;
    spec.num_blocks = 2;
    spec.context_length = 128;
    spec.slstm_at = {1};
    spec.mlstm = MlstmSpec{};
    spec.slstm = SlstmSpec{};
    spec.feedforward = FeedforwardSpec{};
    return spec;
  }
  TrainSpec default_training() const override {
    return {.batch_size = 8,
            .sequence_length = 128,
            .learning_rate = 5e-3,
            .min_learning_rate = 5e-4,
            .warmup_steps = 50,
            .decay_until_step = 3000,
            .weight_decay = 0.01};
  }
  std::vector<int> encode(const std::string& prompt) const override {
    return text_.tokenizer->encode(prompt);
  }
  std::string decode(std::span<const int> tokens) const override {
    return text_.tokenizer->decode(tokens);
  }
  std::shared_ptr<const Tokenizer> tokenizer() const override { return text_.tokenizer; }
  const TextData* text() const override { return &text_; }

 private:
  TextData text_;
  std::string description_;
};

}  // namespace

std::unique_ptr<Task> make_text_task(TextData text) {
  check(text.ids.size() >= 2, "The text has {} tokens; at least 2 are needed to learn from it.",
        text.ids.size());
  return std::make_unique<TextTask>(std::move(text));
}

}  // namespace xlab
