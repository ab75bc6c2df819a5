// Plain token numbers: how a model's tokens are written when nobody knows what they stand for.
#include <charconv>
#include <sstream>

#include "core/task.hpp"
#include "core/utf8.hpp"
#include "kernels/random.hpp"

namespace xlab {
namespace {

class TokensTask : public Task {
 public:
  explicit TokensTask(int vocabulary) {
    for (int token = 0; token < vocabulary; ++token) labels_.push_back(std::to_string(token));
  }
  std::string name() const override { return "tokens"; }
  std::string title() const override { return "Tokens"; }
  std::string description() const override {
    return "A model that came with its weights; its tokens are plain numbers.";
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

  ModelSpec default_model() const override {
    ModelSpec spec;
    spec.vocab_size = static_cast<int>(labels_.size());
    spec.mlstm = MlstmSpec{};
    return spec;
  }
  TrainSpec default_training() const override { return {}; }

 private:
  std::vector<std::string> labels_;
};

}  // namespace

std::unique_ptr<Task> make_tokens_task(int vocabulary) {
  return std::make_unique<TokensTask>(vocabulary);
}

}  // namespace xlab
