// Stepping a model through a sequence.
#include "core/generation/sequence.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/generation/sampler.hpp"

namespace xlab {
namespace {

/// First time step at which two lists of clamps differ in effect.
int first_difference(const std::vector<Clamp>& a, const std::vector<Clamp>& b, int length) {
  int first = length;
  const auto missing = [&](const std::vector<Clamp>& from, const std::vector<Clamp>& in) {
    for (const Clamp& clamp : from)
      if (clamp.enabled && std::find(in.begin(), in.end(), clamp) == in.end())
        first = std::min(first, std::max(clamp.begin, 0));
  };
  missing(a, b);
  missing(b, a);
  return first;
}

}  // namespace

KeptNumbers kept_numbers(const Model& model) {
  KeptNumbers kept;
  for (const BlockCard& card : model.cards()) {
    const double heads = card.heads;
    kept.state += heads * card.window * card.value_dim;
    for (const ValueCard& value : card.values->cards) {
      const double numbers = heads * static_cast<double>(card.numbers(value.extent));
      if (value.role == Role::state) kept.state += numbers;
      if (!value.recorded) continue;
      kept.recorded += numbers;
      kept.recordings += 1.0;
    }
  }
  return kept;
}

double kept_bytes(const Model& model) {
  constexpr double kPerRecording = 200.0;  // its name, and its place in the map
  const KeptNumbers kept = kept_numbers(model);
  return kept.state * static_cast<double>(size_of(model.params().dtype())) +
         (kept.recorded + model.spec().vocab_size) * sizeof(float) +
         kept.recordings * kPerRecording;
}

Sequence::Sequence(const Model& model)
    : model_(&model),
      most_tokens_(
          std::max(1, static_cast<int>(static_cast<double>(kMostBytes) / kept_bytes(model)))),
      keeps_all_states_(parameter_count(model.spec()) > static_cast<double>(kMostParameters)) {}

void Sequence::check_token(int token) const {
  check(token >= 0 && token < model_->spec().vocab_size,
        "Token {} is outside the model's vocabulary of {}.", token, model_->spec().vocab_size);
}

void Sequence::set_tokens(std::vector<int> tokens) {
  for (const int token : tokens) check_token(token);
  check(tokens.size() <= static_cast<std::size_t>(most_tokens_),
        "The sequence has {} tokens, but the memory for going back holds only {} tokens of "
        "this model: choose a shorter one.",
        tokens.size(), most_tokens_);
  // What both sequences begin with stays computed.
  const auto differs = std::mismatch(tokens_.begin(), tokens_.end(), tokens.begin(), tokens.end());
  const int same = static_cast<int>(differs.first - tokens_.begin());
  truncate(same);
  tokens_ = std::move(tokens);
}

void Sequence::append(int token) {
  check_token(token);
  if (const std::string reason = full_reason(); !reason.empty()) throw Error(reason);
  tokens_.push_back(token);
}

void Sequence::truncate(int length) {
  length = std::clamp(length, 0, this->length());
  tokens_.resize(static_cast<std::size_t>(length));
  computed_ = std::min(computed_, length);
  drop_outdated();
}

void Sequence::set_clamps(std::vector<Clamp> clamps) {
  check(clamps.size() <= kMostClamps, "There are {} clamps; at most {} are possible.",
        clamps.size(), kMostClamps);
  computed_ = std::min(computed_, first_difference(clamps_, clamps, length()));
  clamps_ = std::move(clamps);
  drop_outdated();
}

/// Drops what is no longer computed.
void Sequence::drop_outdated() {
  steps_.resize(static_cast<std::size_t>(computed_));
  again_.erase(again_.lower_bound(computed_), again_.end());
}

void Sequence::invalidate() {
  computed_ = 0;
  drop_outdated();
}

Sequence Sequence::on(Device device, MovedStates& moved) const {
  Sequence there = *this;
  for (SequenceStep& step : there.steps_) {
    if (!step.after || !step.after->elsewhere(device)) continue;
    std::shared_ptr<const State>& state = moved[step.after.get()];
    if (!state) state = std::make_shared<const State>(step.after->on(device));
    step.after = state;
  }
  there.again_.clear();
  return there;
}

std::vector<float> Sequence::advance(int t, const State& before, State& after,
                                     TokenTrace& trace) const {
  const Observer observer{&trace, clamps_, t};
  Tape tape(Tape::Mode::inference, &observer);
  Tensor ids = Tensor::empty({1, 1}, DType::i32);
  *ids.data<std::int32_t>() = tokens_[static_cast<std::size_t>(t)];
  return tape.read(model_->forward(tape, ids, before, after));
}

bool Sequence::has_state(int t) const {
  return t >= 0 && t < computed_ &&
         (steps_[static_cast<std::size_t>(t)].after || again_.contains(t));
}

std::shared_ptr<const State> Sequence::state_after(int t) const {
  check(t >= 0 && t < computed_, "There is no state after token {}.", t);
  const auto kept = [&](int at) {
    const auto found = again_.find(at);
    return found == again_.end() ? steps_[static_cast<std::size_t>(at)].after : found->second;
  };
  int from = t;
  std::shared_ptr<const State> state;
  while (from >= 0 && !(state = kept(from))) --from;
  if (from == t) return state;
  // The stretch that is looked at is remembered, and no other.
  if (!again_.empty() && (again_.begin()->first > t || again_.rbegin()->first < from))
    again_.clear();
  const State start;
  for (int at = from + 1; at <= t; ++at) {
    TokenTrace seen;
    auto after = std::make_shared<State>();
    advance(at, state ? *state : start, *after, seen);
    state = std::move(after);
    again_[at] = state;
  }
  while (again_.size() > 2 * kKeptEvery)
    again_.erase(again_.begin()->first < t - kKeptEvery ? again_.begin() : std::prev(again_.end()));
  return state;
}

bool Sequence::compute_one() {
  if (complete()) return false;
  TokenTrace trace;
  const State start;
  if (computed_ > 0 && !steps_.back().after) steps_.back().after = state_after(computed_ - 1);
  const State& before = computed_ == 0 ? start : *steps_.back().after;
  auto after = std::make_shared<State>();

  SequenceStep step;
  step.logits = advance(computed_, before, *after, trace);
  if (!steps_.empty()) {
    const std::vector<float> p = probabilities_of(steps_.back().logits);
    const float chance = p[static_cast<std::size_t>(tokens_[static_cast<std::size_t>(computed_)])];
    step.surprise = -std::log(chance);
  }
  step.log_total = log_total(step.logits);
  step.top_choice = top_choice(step.logits);
  step.after = std::move(after);
  step.trace = std::make_shared<const TokenTrace>(std::move(trace));
  steps_.push_back(std::move(step));
  ++computed_;
  const int old = computed_ - 1 - kAllOfTheLast;
  if (!keeps_all_states_ && old >= 0 && (old + 1) % kKeptEvery != 0)
    steps_[static_cast<std::size_t>(old)].after.reset();
  return true;
}

void Sequence::compute_all() {
  while (compute_one()) {
  }
}

std::string Sequence::full_reason() const {
  if (length() < most_tokens_) return {};
  return fmt::format(
      "The sequence is full: {} tokens are kept for going back. Go back or set a shorter prompt.",
      length());
}

std::shared_ptr<const Trace> Sequence::trace() const {
  auto trace = std::make_shared<Trace>();
  for (const SequenceStep& step : steps_) trace->steps.push_back(step.trace);
  return trace;
}

}  // namespace xlab
