// Stepping a model through a sequence.
#include "core/generation/sequence.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "core/available_memory.hpp"
#include "core/generation/recorded_step.hpp"
#include "core/generation/sampler.hpp"
#include "core/known_token.hpp"

namespace xlab {
namespace {

/// Of the states that are brought back for looking at a block, how many, and how far apart.
constexpr std::size_t kMostAgain = 32;
constexpr int kAgainEvery = 8;
/// The newest two states are needed at every token, and one to start from.
constexpr double kFewestWhole = 3.0;
constexpr double kLongestSequence = 1e9;
/// Bytes of matrices that one call writes again: some hundredths of a second.
constexpr double kMostWrittenAtOnce = 256e6;

/// First time step at which two lists of clamps differ in effect.
int first_difference(const std::vector<Clamp>& a, const std::vector<Clamp>& b, int length) {
  const auto acting = [](const std::vector<Clamp>& all) {
    std::vector<Clamp> some;
    std::ranges::copy_if(all, std::back_inserter(some), &Clamp::enabled);
    return some;
  };
  std::vector<Clamp> before = acting(a), after = acting(b);
  // Their order counts: what both begin with and end with changes nothing.
  const auto begin = std::ranges::mismatch(before, after);
  before.erase(before.begin(), begin.in1);
  after.erase(after.begin(), begin.in2);
  while (!before.empty() && !after.empty() && before.back() == after.back()) {
    before.pop_back();
    after.pop_back();
  }
  int first = length;
  for (const std::vector<Clamp>* rest : {&before, &after})
    for (const Clamp& clamp : *rest) first = std::min(first, std::max(clamp.begin, 0));
  return first;
}

double matrix_bytes(const CellState& state) {
  const Tensor C = state.get("C");
  return C.defined() ? static_cast<double>(C.bytes()) : 0.0;
}

}  // namespace

KeptNumbers kept_numbers(const Model& model) {
  KeptNumbers kept;
  for (const BlockCard& card : model.cards()) {
    const double heads = card.heads;
    kept.state += static_cast<double>(card.state_numbers());
    if (card.has_matrix) kept.matrices += heads * card.key_dim * card.value_dim;
    for (const ValueCard& value : card.values->cards) {
      if (!value.recorded) continue;
      const double numbers = heads * static_cast<double>(card.numbers(value.extent));
      kept.recorded += numbers;
      kept.recordings += 1.0;
    }
  }
  // The lengths of the vector between the blocks.
  kept.recorded += model.spec().num_blocks + 1.0;
  kept.recordings += 1.0;
  return kept;
}

KeptBytes kept_bytes(const Model& model) {
  constexpr double kPerRecording = 200.0;  // its name, and its place in the map
  const KeptNumbers kept = kept_numbers(model);
  const auto size = static_cast<double>(size_of(model.params().dtype()));
  return {.token = (kept.state - kept.matrices) * size +
                   (kept.recorded + model.spec().vocab_size) * sizeof(float) +
                   kept.recordings * kPerRecording,
          .matrices = kept.matrices * size};
}

std::size_t memory_for_going_back(const Model& model) {
  constexpr double kLeast = 1 << 30, kTokens = 4096.0, kShareOfFree = 0.6;
  const double wanted = kept_bytes(model).token * kTokens * 4.0 / 3.0;
  const double free = kShareOfFree * static_cast<double>(available_memory());
  return static_cast<std::size_t>(std::max(kLeast, std::min(wanted, free)));
}

Sequence::Sequence(const Model& model) : Sequence(model, memory_for_going_back(model)) {}

Sequence::Sequence(const Model& model, std::size_t most_bytes)
    : model_(&model), kept_(kept_bytes(model)) {
  keep_within(most_bytes);
}

void Sequence::keep_within(std::size_t most_bytes) {
  constexpr double kMany = 1 << 20;
  most_bytes_ = std::max(most_bytes, least_bytes());
  const auto memory = static_cast<double>(most_bytes_);
  double for_a_token = kept_.token, for_tokens = memory;
  if (thinned()) {
    // Tokens come first: what is left of them is for matrices, but no more than a quarter.
    const double left = std::min(memory / 4.0, memory - kept_.token * length());
    const double whole = std::clamp(left / kept_.matrices, kFewestWhole, kMany);
    most_whole_ = static_cast<int>(whole);
    newest_ = std::min(kAllOfTheLast, std::max(2, most_whole_ / 2));
    every_ = std::min(kKeptEvery, std::max(1, most_whole_ / 2));
    for_tokens -= whole * kept_.matrices;
  } else {
    most_whole_ = newest_ = std::numeric_limits<int>::max();
    for_a_token += kept_.matrices;
  }
  most_tokens_ = std::max(
      {1, length(), static_cast<int>(std::min(kLongestSequence, for_tokens / for_a_token))});
  again_.clear();
  thin_out_all();
}

/// Without float32 nothing is exact but what was kept.
bool Sequence::thinned() const {
  return kept_.matrices > 0.0 && model_->params().dtype() == DType::f32;
}

std::size_t Sequence::least_bytes() const {
  if (tokens_.empty()) return 0;
  const double whole = thinned() ? kFewestWhole : length();
  return static_cast<std::size_t>(std::ceil(length() * kept_.token + whole * kept_.matrices));
}

int Sequence::most_tokens_in(std::size_t bytes) const {
  const auto memory = static_cast<double>(bytes);
  const double tokens = thinned() ? (memory - kFewestWhole * kept_.matrices) / kept_.token
                                  : memory / (kept_.token + kept_.matrices);
  return static_cast<int>(std::clamp(tokens, 1.0, kLongestSequence));
}

void Sequence::set_tokens(std::vector<int> tokens) {
  for (const int token : tokens) check_token(model_->spec(), token);
  check(tokens.size() <= static_cast<std::size_t>(most_tokens_),
        "The sequence has {} tokens, but the memory for going back holds only {} tokens of "
        "this model: choose a shorter one.",
        tokens.size(), most_tokens_);
  put_back(std::move(tokens));
}

void Sequence::put_back(std::vector<int> tokens) {
  for (const int token : tokens) check_token(model_->spec(), token);
  // What both sequences begin with stays computed.
  const auto differs = std::mismatch(tokens_.begin(), tokens_.end(), tokens.begin(), tokens.end());
  const int same = static_cast<int>(differs.first - tokens_.begin());
  truncate(same);
  tokens_ = std::move(tokens);
  if (length() > most_tokens_) keep_within(most_bytes_);
}

void Sequence::take_over(const Sequence& other) {
  keep_within(std::max(most_bytes_, other.most_bytes_));
  put_back(other.tokens_);
  set_clamps(other.clamps_);
}

void Sequence::append(int token) {
  check_token(model_->spec(), token);
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
  coming_back_.reset();
  brings_back_ = false;
}

void Sequence::invalidate() {
  computed_ = 0;
  drop_outdated();
}

Sequence Sequence::on(Device device, MovedStates& moved) const {
  Sequence there = *this;
  for (SequenceStep& step : there.steps_) {
    for (std::shared_ptr<const State>* state : {&step.after, &step.vectors}) {
      if (!*state || !(*state)->elsewhere(device)) continue;
      std::shared_ptr<const State>& copy = moved[state->get()];
      if (!copy) copy = std::make_shared<const State>((*state)->on(device));
      *state = copy;
    }
  }
  there.again_.clear();
  there.coming_back_.reset();
  there.brings_back_ = false;
  return there;
}

std::vector<float> Sequence::advance(int t, const State& before, State& after,
                                     TokenTrace& trace) const {
  return recorded_step(*model_, tokens_[static_cast<std::size_t>(t)], t, clamps_, before, after,
                       trace);
}

int Sequence::whole_before(int t) const {
  while (t >= 0 && !steps_[static_cast<std::size_t>(t)].after) --t;
  return t;
}

bool Sequence::has_state(int t) const {
  return t >= 0 && t < computed_ &&
         (steps_[static_cast<std::size_t>(t)].after || revision_ == model_->revision());
}

CellState Sequence::state_after(int t, int block) const {
  check(has_state(t), "There is no state after token {}.", t);
  const auto number = static_cast<std::size_t>(block);
  if (std::exchange(again_block_, block) != block) again_.clear();
  const int whole = whole_before(t);
  if (whole == t) return steps_[static_cast<std::size_t>(t)].after->cells[number];
  // From here the matrices are written again, token by token.
  int at = whole;
  CellState state;
  if (const auto later = again_.upper_bound(t);
      later != again_.begin() && std::prev(later)->first > whole) {
    at = std::prev(later)->first;
    state = std::prev(later)->second;
  } else if (whole >= 0) {
    state = steps_[static_cast<std::size_t>(whole)].after->cells[number];
  }
  while (at < t) {
    const SequenceStep& step = steps_[static_cast<std::size_t>(++at)];
    CellState after = step.vectors->cells[number];
    model_->write_again(block, *step.trace, state, after);
    state = std::move(after);
    // Who looks at one token looks at its neighbours next.
    if (at + 1 >= t || at % kAgainEvery == 0) again_[at] = state;
  }
  const double room = static_cast<double>(most_bytes_) - bytes_of_steps();
  const double each = std::max(matrix_bytes(state), 1.0);
  const auto most = std::clamp(room / each, 0.0, static_cast<double>(kMostAgain));
  while (again_.size() > static_cast<std::size_t>(most)) {
    const bool first = t - again_.begin()->first > again_.rbegin()->first - t;
    again_.erase(first ? again_.begin() : std::prev(again_.end()));
  }
  return state;
}

std::shared_ptr<const State> Sequence::state_after(int t) const {
  check(has_state(t), "There is no state after token {}.", t);
  const int whole = whole_before(t);
  std::shared_ptr<const State> state;
  if (whole >= 0) state = steps_[static_cast<std::size_t>(whole)].after;
  for (int at = whole + 1; at <= t; ++at) state = next_state(at, state);
  return state;
}

/// The state after token `t` from the one before it, its matrices written again.
std::shared_ptr<const State> Sequence::next_state(
    int t, const std::shared_ptr<const State>& before) const {
  const SequenceStep& step = steps_[static_cast<std::size_t>(t)];
  auto after = std::make_shared<State>(*step.vectors);
  for (std::size_t b = 0; b < after->cells.size(); ++b) {
    model_->write_again(static_cast<int>(b), *step.trace, before ? before->cells[b] : CellState(),
                        after->cells[b]);
  }
  return after;
}

/// Has the whole state of the last computed token, where it was not kept. Returns whether more is
/// left to do.
bool Sequence::bring_back_last_state() {
  SequenceStep& last = steps_.back();
  if (last.after) return false;
  check(has_state(computed_ - 1), "There is no state after token {}.", computed_ - 1);
  if (!coming_back_) {
    reached_ = whole_before(computed_ - 1);
    if (reached_ >= 0) coming_back_ = steps_[static_cast<std::size_t>(reached_)].after;
  }
  double left = kMostWrittenAtOnce;
  while (left > 0.0) {
    left -= kept_.matrices;
    coming_back_ = next_state(reached_ + 1, coming_back_);
    if (++reached_ < computed_ - 1) continue;
    last.after = std::move(coming_back_);
    last.vectors.reset();
    return false;
  }
  return true;
}

bool Sequence::ready_to_go_on() const {
  return steps_.empty() || steps_.back().after;
}

void Sequence::prepare_to_go_on() {
  brings_back_ = !ready_to_go_on() && has_state(computed_ - 1);
}

bool Sequence::compute_one() {
  if (complete()) return false;
  if (computed_ == 0) revision_ = model_->revision();
  if (computed_ > 0 && bring_back_last_state()) return true;
  brings_back_ = false;
  if (complete()) return false;
  TokenTrace trace;
  const State start;
  const State& before = computed_ == 0 ? start : *steps_.back().after;
  auto after = std::make_shared<State>();

  SequenceStep step;
  step.logits = advance(computed_, before, *after, trace);
  // What is put out after a patch of a series is no distribution.
  const bool guesses = !model_->spec().series;
  if (guesses && !steps_.empty()) {
    const std::vector<float> p = probabilities_of(steps_.back().logits);
    const float chance = p[static_cast<std::size_t>(tokens_[static_cast<std::size_t>(computed_)])];
    step.surprise = -std::log(chance);
  }
  if (guesses) {
    step.log_total = log_total(step.logits);
    step.top_choice = top_choice(step.logits);
  }
  step.after = std::move(after);
  step.trace = std::make_shared<const TokenTrace>(std::move(trace));
  steps_.push_back(std::move(step));
  ++computed_;
  thin_out();
  return true;
}

void Sequence::drop_matrices(int t) {
  SequenceStep& step = steps_[static_cast<std::size_t>(t)];
  if (!step.after) return;
  step.vectors = std::make_shared<const State>(step.after->without_matrices());
  step.after.reset();
}

/// Keeps no more whole states than there is memory for.
void Sequence::thin_out() {
  const int old = computed_ - newest_;  // the first `old` are not among the newest
  if (old <= 0) return;
  if (old % every_ != 0) drop_matrices(old - 1);
  if (newest_ + old / every_ > most_whole_) thin_out_all();
}

void Sequence::thin_out_all() {
  const int old = computed_ - newest_;
  if (old <= 0) return;
  while (newest_ + old / every_ > most_whole_) every_ *= 2;
  for (int t = 0; t < old; ++t)
    if ((t + 1) % every_ != 0) drop_matrices(t);
}

double Sequence::bytes_of_steps() const {
  double whole = coming_back_ ? 1.0 : 0.0;
  for (const SequenceStep& step : steps_) whole += step.after ? 1.0 : 0.0;
  return static_cast<double>(computed_) * kept_.token + whole * kept_.matrices;
}

std::size_t Sequence::bytes() const {
  double again = 0.0;
  for (const auto& [t, state] : again_) again += matrix_bytes(state);
  return static_cast<std::size_t>(bytes_of_steps() + again);
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
