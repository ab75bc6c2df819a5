// The edited sequence, its unclamped twin, and what a snapshot says of them.
#include "core/generation/clamped_sequence.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/analysis/divergence.hpp"
#include "core/generation/sampler.hpp"
#include "kernels/device/readback.hpp"

namespace xlab {
namespace {

bool any_enabled(const std::vector<Clamp>& clamps) {
  return std::any_of(clamps.begin(), clamps.end(), [](const Clamp& c) { return c.enabled; });
}

}  // namespace

ClampedSequence::ClampedSequence(const Sequence& sequence)
    : memory_(sequence.most_bytes()), edited_(sequence) {
  if (any_enabled(edited_.clamps())) {
    plain_ = edited_;
    plain_->set_clamps({});
    share(memory_);
  }
}

void ClampedSequence::share(std::size_t bytes) {
  edited_.keep_within(plain_ ? bytes / 2 : bytes);
  if (plain_) plain_->keep_within(bytes / 2);
}

std::size_t ClampedSequence::bytes() const {
  return edited_.bytes() + (plain_ ? plain_->bytes() : 0);
}

std::size_t ClampedSequence::most_bytes() const {
  return edited_.most_bytes() + (plain_ ? plain_->most_bytes() : 0);
}

bool ClampedSequence::has_room_beside() const {
  const std::size_t needed = edited_.least_bytes() + (plain_ ? plain_->least_bytes() : 0);
  return bytes() + needed <= memory_;
}

ClampedSequence ClampedSequence::anew_beside() const {
  ClampedSequence fresh = *this;
  fresh.invalidate();
  fresh.share(memory_ - std::min(memory_, bytes()));
  return fresh;
}

void ClampedSequence::stand_alone() {
  share(memory_);
}

bool ClampedSequence::compute_one() {
  const bool more = edited_.compute_one();
  const bool more_plain = plain_ && plain_->compute_one();
  return more || more_plain;
}

void ClampedSequence::compute_all() {
  while (compute_one()) {
  }
}

void ClampedSequence::prepare_to_go_on() {
  edited_.prepare_to_go_on();
  if (plain_) plain_->prepare_to_go_on();
}

void ClampedSequence::invalidate() {
  edited_.invalidate();
  if (plain_) plain_->invalidate();
}

void ClampedSequence::move_to(Device device) {
  MovedStates moved;
  Sequence edited = edited_.on(device, moved);
  if (plain_) plain_ = plain_->on(device, moved);
  edited_ = std::move(edited);
}

void ClampedSequence::set_tokens(std::vector<int> tokens) {
  if (plain_) plain_->set_tokens(tokens);
  edited_.set_tokens(std::move(tokens));
}

void ClampedSequence::put_back(std::vector<int> tokens) {
  if (plain_) plain_->put_back(tokens);
  edited_.put_back(std::move(tokens));
}

void ClampedSequence::append(int token) {
  edited_.append(token);
  if (plain_) plain_->append(token);
}

void ClampedSequence::truncate(int length) {
  edited_.truncate(length);
  if (plain_) plain_->truncate(length);
}

void ClampedSequence::set_clamps(std::vector<Clamp> clamps) {
  if (!any_enabled(clamps)) {
    // Back in the unclamped world, which is known already.
    if (plain_) edited_ = std::move(*plain_);
    plain_.reset();
    share(memory_);
  } else if (!plain_) {
    plain_ = edited_;
    plain_->set_clamps({});
    share(memory_);
  }
  edited_.set_clamps(std::move(clamps));
}

void ClampedSequence::store_into(Sequence& sequence) const {
  sequence.put_back(edited_.tokens());
  sequence.set_clamps(edited_.clamps());
}

void ClampedSequence::describe(const Task& task, Snapshot& snapshot) const {
  SequenceStatus& sequence = snapshot.sequence;
  sequence.tokens = edited_.tokens();
  sequence.clamps = edited_.clamps();
  sequence.full_reason = edited_.full_reason();
  sequence.most_tokens = edited_.most_tokens();
  sequence.kept_bytes = bytes();
  sequence.most_kept_bytes = most_bytes();
  sequence.surprise.assign(sequence.tokens.size(), 0.0f);
  for (std::size_t t = 0; t < edited_.steps().size(); ++t)
    sequence.surprise[t] = edited_.steps()[t].surprise;
  sequence.expected.clear();
  // Without questions every token is a guess, as in a text.
  if (!task.text() && task.has_data()) {
    const std::vector<int> answers = task.answers(sequence.tokens);
    sequence.expected.resize(answers.size() + 1);
    sequence.expected.front() = -1;
    std::copy(answers.begin(), answers.end(), sequence.expected.begin() + 1);
  }
  // Nothing in a series is guessed token by token.
  if (task.series()) sequence.expected.assign(sequence.tokens.size() + 1, -1);
  describe_answers(sequence);
  snapshot.trace = edited_.trace();
  snapshot.unclamped = unclamped_trace();
}

void ClampedSequence::describe_answers(SequenceStatus& sequence) const {
  sequence.top_choice.assign(sequence.tokens.size() + 1, -1);
  sequence.answer_surprise.assign(sequence.expected.size(), 0.0f);
  const std::vector<SequenceStep>& steps = edited_.steps();
  for (std::size_t t = 0; t < steps.size(); ++t) {
    // What is said after token t is about the place of token t + 1.
    sequence.top_choice[t + 1] = steps[t].top_choice;
    if (sequence.expected.empty() || sequence.expected[t + 1] < 0) continue;
    const auto answer = static_cast<std::size_t>(sequence.expected[t + 1]);
    if (answer >= steps[t].logits.size()) continue;
    const double nats = steps[t].log_total - static_cast<double>(steps[t].logits[answer]);
    sequence.answer_surprise[t + 1] = static_cast<float>(nats < 0.0 ? 0.0 : nats);
  }
}

std::shared_ptr<const NextToken> ClampedSequence::next_at(std::size_t at,
                                                          const WritableTokens& tokens,
                                                          const SamplerSettings& sampler) const {
  const SequenceStep& step = edited_.steps()[at];
  auto next = std::make_shared<NextToken>();
  next->logits = step.logits;
  next->probabilities = probabilities_of(step.logits);
  next->sampling = drawing_distribution(step.logits, tokens, sampler);
  if (plain_ && at < plain_->steps().size()) {
    next->unclamped = probabilities_of(plain_->steps()[at].logits);
    next->kl_nats = kl_nats(next->unclamped, next->probabilities);
  }
  return next;
}

void ClampedSequence::describe_cursor(int cursor, int block, const Model& model,
                                      const SamplerSettings& sampler, Snapshot& snapshot,
                                      const WritableTokens& tokens) const {
  snapshot.next = nullptr;
  const std::shared_ptr<const MemoryImage> shown = std::exchange(snapshot.memory, nullptr);
  if (cursor < 0 || cursor >= edited_.computed()) return;
  const auto at = static_cast<std::size_t>(cursor);
  if (!model.spec().series) snapshot.next = next_at(at, tokens, sampler);

  const std::vector<BlockCard> cards = model.cards();
  if (block < 0 || block >= static_cast<int>(cards.size())) return;
  const auto number = static_cast<std::size_t>(block);
  if (!cards[number].has_matrix) return;
  if (!edited_.has_state(cursor) || (cursor > 0 && !edited_.has_state(cursor - 1))) {
    if (shown && shown->block == block && shown->step == cursor) snapshot.memory = shown;
    return;
  }
  Tensor previous;
  if (cursor > 0) previous = edited_.state_after(cursor - 1, block).get("C");
  const Tensor C = edited_.state_after(cursor, block).get("C");
  if (!C.defined()) return;
  auto memory = std::make_shared<MemoryImage>();
  memory->block = block;
  memory->step = cursor;
  memory->heads = cards[static_cast<std::size_t>(block)].heads;
  memory->key_dim = cards[static_cast<std::size_t>(block)].key_dim;
  memory->value_dim = cards[static_cast<std::size_t>(block)].value_dim;
  Readback readback;
  readback.add(C);
  if (cursor > 0) readback.add(previous);
  std::vector<std::vector<float>> numbers = readback.fetch();
  memory->C = std::move(numbers.front());
  memory->previous =
      cursor > 0 ? std::move(numbers.back()) : std::vector<float>(memory->C.size(), 0.0f);
  snapshot.memory = std::move(memory);
}

}  // namespace xlab
