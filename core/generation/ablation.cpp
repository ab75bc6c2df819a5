// One pass for each head, token by token as the window computes it.
#include "core/generation/ablation.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "core/edits.hpp"
#include "core/generation/recorded_step.hpp"
#include "core/known_token.hpp"
#include "core/tasks/task.hpp"

namespace xlab {
namespace {

/// −log softmax(logits)[target].
double surprise_of(const std::vector<float>& logits, int target) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0.0;
  for (const float logit : logits)
    if (static_cast<double>(logit) > largest) largest = static_cast<double>(logit);
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(target)]);
}

}  // namespace

Probe probe_of_text(std::vector<int> tokens) {
  Probe probe{std::move(tokens), {}};
  for (std::size_t t = 1; t < probe.tokens.size(); ++t) probe.targets.push_back(probe.tokens[t]);
  if (!probe.tokens.empty()) probe.targets.push_back(-1);
  return probe;
}

Probe probe_of_tokens(const Task& task, std::vector<int> tokens) {
  std::vector<int> answers = task.answers(tokens);
  if (std::any_of(answers.begin(), answers.end(), [](int answer) { return answer >= 0; }))
    return {std::move(tokens), std::move(answers)};
  return probe_of_text(std::move(tokens));
}

int last_asked(const Probe& probe) {
  for (int t = static_cast<int>(probe.targets.size()) - 1; t >= 0; --t)
    if (probe.targets[static_cast<std::size_t>(t)] >= 0) return t;
  return -1;
}

bool asks_every_token(const Probe& probe) {
  return probe.targets == probe_of_text(probe.tokens).targets;
}

int answers_in(const Probe& probe) {
  return static_cast<int>(std::count_if(probe.targets.begin(), probe.targets.end(),
                                        [](int answer) { return answer >= 0; }));
}

double probe_loss(const Model& model, const Probe& probe, const std::vector<Clamp>& clamps,
                  const std::atomic<bool>* cancel) {
  double sum = 0.0;
  int asked = 0;
  State state;
  for (std::size_t t = 0; t < probe.tokens.size(); ++t) {
    State after;
    TokenTrace trace;
    const std::vector<float> logits = recorded_step(model, probe.tokens[t], static_cast<int>(t),
                                                    clamps, state, after, trace, cancel);
    state = std::move(after);
    if (probe.targets[t] < 0) continue;
    check_token(model.spec(), probe.targets[t]);
    sum += surprise_of(logits, probe.targets[t]);
    ++asked;
  }
  return asked > 0 ? sum / asked : std::numeric_limits<double>::quiet_NaN();
}

std::vector<Ablation> ablations(const Model& model, const Probe& probe,
                                const std::function<void(const Ablation&, int)>& told,
                                const std::atomic<bool>* cancel) {
  const std::vector<BlockCard> blocks = model.cards();
  const int length = static_cast<int>(probe.tokens.size());
  std::vector<std::pair<Ablation, Clamp>> wanted;
  for (int b = 0; b < static_cast<int>(blocks.size()); ++b) {
    const BlockCard& block = blocks[static_cast<std::size_t>(b)];
    for (int head = block.heads > 1 ? Clamp::kAll : 0; head < block.heads; ++head)
      if (const auto off = switched_off(block, head, length)) wanted.push_back({{b, head}, *off});
  }
  std::vector<Ablation> all;
  for (auto& [ablation, off] : wanted) {
    ablation.loss = probe_loss(model, probe, {off}, cancel);
    all.push_back(ablation);
    if (told) told(ablation, static_cast<int>(wanted.size()));
  }
  return all;
}

}  // namespace xlab
