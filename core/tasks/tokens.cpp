// The tokens of a model that came with its weights: text through its tokenizer, or plain numbers
// when nobody knows what they stand for.
#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/tasks/task.hpp"
#include "core/utf8.hpp"
#include "kernels/random.hpp"

namespace xlab {
namespace {

class TokensTask : public Task {
 public:
  TokensTask(int vocabulary, std::shared_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {
    const int known = tokenizer_ ? std::min(vocabulary, tokenizer_->vocab_size()) : vocabulary;
    for (int token = 0; token < known; ++token)
      labels_.push_back(tokenizer_ ? std::string(tokenizer_->bytes(token)) : std::to_string(token));
  }
  std::string name() const override { return "tokens"; }
  std::string title() const override { return tokenizer_ ? "Text" : "Tokens"; }
  std::string description() const override {
    return fmt::format("A model that came with its weights; {}.",
                       tokenizer_ ? "its tokens are text (" + tokenizer_->title() + ")"
                                  : "its tokens are plain numbers");
  }
  std::string must_remember() const override {
    return "Nothing is asked: there is no data to learn from.";
  }
  const std::vector<std::string>& vocabulary() const override { return labels_; }
  bool has_data() const override { return false; }
  int shortest() const override { return 1; }

  /// Any tokens, and no question.
  void sample(std::uint64_t seed, std::uint64_t index, std::span<int> inputs,
              std::span<int> targets) const override {
    Random random(seed, index);
    for (int& token : inputs)
      token = static_cast<int>(random.below(static_cast<std::uint64_t>(labels_.size())));
    for (int& target : targets) target = -1;
  }

  std::vector<int> first_look() const override {
    constexpr std::size_t kTokens = 8;
    std::vector<int> tokens;
    for (std::size_t token = 0; token < std::min(kTokens, labels_.size()); ++token)
      tokens.push_back(static_cast<int>(token));
    return tokens;
  }

  std::vector<int> encode(const std::string& prompt) const override {
    std::vector<int> tokens;
    if (tokenizer_) {
      tokens = tokenizer_->encode(prompt, true);
      for (const int token : tokens)
        check(token < static_cast<int>(labels_.size()),
              "The prompt needs token {}, '{}', but the model knows only {} tokens: the folder's "
              "tokenizer is not the model's.",
              token, printable(tokenizer_->bytes(token), 40), labels_.size());
      return tokens;
    }
    std::istringstream words(prompt);
    for (std::string word; words >> word;) {
      int token = -1;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), token);
      check(error == std::errc() && end == word.data() + word.size() && token >= 0 &&
                token < static_cast<int>(labels_.size()),
            "'{}' is no token: this model's tokens are the numbers from 0 to {}, separated by "
            "spaces.",
            printable(word, 40), labels_.size() - 1);
      tokens.push_back(token);
    }
    return tokens;
  }

  std::string decode(std::span<const int> tokens) const override {
    return tokenizer_ ? tokenizer_->decode(tokens) : Task::decode(tokens);
  }
  std::shared_ptr<const Tokenizer> tokenizer() const override { return tokenizer_; }

  ModelSpec default_model() const override {
    ModelSpec spec;
    spec.vocab_size = static_cast<int>(labels_.size());
    spec.mlstm = MlstmSpec{};
    return spec;
  }
  TrainSpec default_training() const override { return {}; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;  ///< or null
  std::vector<std::string> labels_;
};

}  // namespace

std::unique_ptr<Task> make_tokens_task(int vocabulary, std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<TokensTask>(vocabulary, std::move(tokenizer));
}

}  // namespace xlab
